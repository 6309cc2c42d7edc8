import type { Tensor } from "../../../core/mod.ts";
import { linear, softmaxExpectation } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { normalize } from "../../layers/layer_norm.ts";
import type { PlddtHeadParams } from "./params.ts";

/**
 * How well each residue's C-alpha distances will agree with the truth, as logits of bins of lDDT.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 29 "predictPerResidueLDDT_Ca", lines 1-3.
 *
 * @param s The structure module's last single representation, `[batch, N_res, c_s]`.
 * @returns `[batch, N_res, bins]`.
 */
export function plddtHead(params: PlddtHeadParams, s: Tensor): Tensor {
  checkShape("plddtHead", "s", s, ["batch", "N_res", params.layerNorm.weight.size]);
  const a = linear(normalize(params.layerNorm, s), params.linear_1, { activation: "relu" });
  return linear(linear(a, params.linear_2, { activation: "relu" }), params.linear_3);
}

/**
 * pLDDT of every residue, 0 … 100: the mean over its bins' centres.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 29, line 4.
 *
 * @param logits `[batch, N_res, bins]`.
 * @returns `[batch, N_res]`.
 */
export function plddt(logits: Tensor): Tensor {
  const bins = logits.shape.at(-1)!;
  using scope = logits.device.scope("plddt");
  const centers = Float32Array.from({ length: bins }, (_, k) => 100 * (k + 0.5) / bins);
  return scope.keep(softmaxExpectation(logits, logits.device.tensor(centers, [bins])));
}
