import type { Tensor } from "../../../core/mod.ts";
import { type BlockOptions, pairStack } from "../../evoformer/pair_stack.ts";
import { checkRepresentation } from "../../layers/check_shape.ts";
import { normalize } from "../../layers/layer_norm.ts";
import { asKept } from "../../layers/representation.ts";
import { step } from "../../layers/step.ts";
import type { TemplateConfig } from "../config.ts";
import type { TemplatePairStackParams } from "./params.ts";

/** Choices of the template stack besides its sizes. */
export interface TemplateStackOptions extends Omit<BlockOptions, "capture"> {
  /** 1 for pairs that count, 0 for padding: `[B, N_res, N_res]`. @default all do */
  readonly mask?: Tensor;
  /** Whether transitions' updates are masked. @default false */
  readonly maskTrans?: boolean;
  /** Whether pairs are updated from triangles. @default true */
  readonly triangles?: boolean;
}

/**
 * Works on each template's pair representation by itself.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 16 "TemplatePairStack"; in AlphaFold-Multimer multiplication comes first.
 *
 * @param t Of templates that stand side by side in the batch, `[B, N_res, N_res, c_t]`.
 * @returns `[B, N_res, N_res, c_t]`, owned by the current scope.
 */
export function templatePairStack(
  { blocks, layerNorm }: TemplatePairStackParams,
  t: Tensor,
  { cT, nHead, dropout, attentionFirst }: Pick<TemplateConfig, "cT" | "nHead" | "dropout" | "attentionFirst">,
  { mask, maskTrans = false, triangles = true, key, recompute, consume }: TemplateStackOptions = {},
): Tensor {
  checkRepresentation("templatePairStack", "t", t, ["N_res", "N_res"], cT, { mask });
  const { device } = t;
  const config = { cZ: cT, nHeadPair: nHead, pairDropout: dropout, maskTrans, triangles, attentionFirst };
  const perBlock = recompute === "block" || recompute === "nested";
  let current = asKept(t, { consume });
  for (const [i, params] of blocks.entries()) {
    const before = current, usedUp = current !== t || consume;
    current = step(
      device,
      `template/${i}`,
      { params, t: current, mask },
      ({ params, t, mask }) =>
        pairStack(params, t, mask, config, {
          ...{ key: key?.at(i), recompute },
          consume: usedUp && !device.tape && !perBlock,
        }),
      perBlock,
      ["t"],
    ); // lines 2-6
    if (usedUp) before.dispose();
  }
  const normed = normalize(layerNorm, current); // line 7
  if (current !== t || consume) current.dispose();
  return normed;
}
