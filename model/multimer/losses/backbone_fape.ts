import { noGrad, type Tensor } from "../../../core/mod.ts";
import { add, addScalar, multiplyScalar, negate } from "../../../ops/mod.ts";
import { backboneFapeLoss, type BackboneTruth } from "../../alphafold/losses/backbone_fape_loss.ts";
import type { FapeOptions } from "../../alphafold/losses/fape.ts";
import { sameChain } from "../templates/template_pair_embedder.ts";

/** A part of the backbone's error, and how much it counts. */
export interface WeightedFape extends FapeOptions {
  /** Its weight. */
  readonly weight: number;
}

/**
 * Frame-aligned point errors of C-alphas in backbone frames of a complex: within chains, and between them, where more is
 * forgiven.
 *
 * Source: Evans et al. (2021), Suppl. 7.4; the published code's `intra_chain_fape` and `interface_fape`.
 *
 * @param frames Each iteration's, see {@linkcode backboneFapeLoss}.
 * @param asymId Which chain a residue is of, i32 `[batch, N_res]`.
 * @param parts `intra`: within chains; `across`: between them.
 * @returns Their weighted sum, `[batch]`.
 */
export function multimerBackboneFape(
  frames: readonly Tensor[],
  truth: BackboneTruth,
  asymId: Tensor,
  { intra, across, clamped }: {
    readonly intra: WeightedFape;
    readonly across: WeightedFape;
    readonly clamped?: Tensor;
  },
): Tensor {
  const { device } = asymId;
  using scope = device.scope("multimerBackboneFape");
  const within = noGrad(device, () => sameChain(asymId));
  const between = noGrad(device, () => addScalar(negate(within), 1));
  const part = ({ weight, ...options }: WeightedFape, pairMask: Tensor) =>
    multiplyScalar(backboneFapeLoss(frames, truth, { ...options, clamped, pairMask }), weight);
  return scope.keep(add(part(intra, within), part(across, between)));
}
