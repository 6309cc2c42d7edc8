import type { Key, Tensor, Tree } from "../../core/mod.ts";
import { attentionTap, type CaptureOptions } from "../layers/attention_capture.ts";
import { checkRepresentation } from "../layers/check_shape.ts";
import { addUpdate, type SharedDropout, step } from "../layers/step.ts";
import type { EvoformerConfig } from "./config.ts";
import { pairTransition } from "./pair_transition.ts";
import type { PairStackParams } from "./params.ts";
import { triangleAttentionEndingNode, triangleAttentionStartingNode } from "./triangle_attention.ts";
import { triangleMultiplicationIncoming, triangleMultiplicationOutgoing } from "./triangle_multiplication.ts";

/** How a block or a stack of blocks runs. */
export interface BlockOptions extends CaptureOptions {
  /** Makes dropout's decisions; it is not used up, keys are derived from it. @default no dropout */
  readonly key?: Key;
  /**
   * What is computed again on the way back instead of being kept: each module's inside, each block's, of one block at a
   * time each module's ("nested", for the least memory), or nothing. Gradients are the same to the bit.
   * @default "nothing"
   */
  readonly recompute?: Recompute;
  /**
   * Whether the representations given are not needed any more: they are overwritten, and disposed of as soon as they have
   * been read.
   * @default false
   */
  readonly consume?: boolean;
  /**
   * Whether the MSA representation is given back: by a stack all of it, or its first row alone; by a block updated, or as it
   * was, where the pairs do not depend on it. @default true
   */
  readonly msa?: boolean;
  /**
   * Told of the representations after each block of a stack, from 0; it must not dispose of them, which the stack may do
   * when it returns. The next block overwrites them. @default nobody is
   */
  readonly onBlock?: (block: number, representations: { readonly m: Tensor; readonly z: Tensor }) => void;
}

/** What the way back may compute again instead of keeping it. */
export type Recompute = "nothing" | "module" | "block" | "nested";

/** Whether the inside of each module is computed again on the way back. */
export function recomputesModules(recompute: Recompute | undefined): boolean {
  return recompute === "module" || recompute === "nested";
}

/** Sizes and choices of the pair half of a block. */
export interface PairStackConfig
  extends Pick<EvoformerConfig, "cZ" | "nHeadPair" | "pairDropout" | "maskTrans" | "triangles"> {
  /** Whether attention comes before multiplication, as in the template stack. @default false */
  readonly attentionFirst?: boolean;
}

/** Numbers from which the keys of the pair stack's dropouts are derived; row attention has 0. */
const FIRST_KEY = 1;

/**
 * The pair half of an Evoformer block.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 6, lines 6-10; with attention first, Alg. 16, lines 2-6.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @param pairMask `[batch, N_res, N_res]`.
 * @returns The updated pair representation, owned by the current scope.
 */
export function pairStack(
  params: PairStackParams,
  z: Tensor,
  pairMask: Tensor | undefined,
  { cZ, nHeadPair: nHead, pairDropout: rate, maskTrans, attentionFirst }: PairStackConfig,
  { key, recompute, capture, consume }: BlockOptions = {},
): Tensor {
  checkRepresentation("pairStack", "z", z, ["N_res", "N_res"], cZ, { mask: pairMask });
  let current = z;
  const starting = attentionTap(capture, "triangleAttentionStarting");
  const ending = attentionTap(capture, "triangleAttentionEnding");
  const drop = (index: number, axis: 1 | 2): SharedDropout | undefined =>
    key && { rate, key: key.at(FIRST_KEY + index), axis };
  type Inputs<P> = { readonly params: P; readonly z: Tensor; readonly mask: Tensor | undefined };
  const update = <P extends Tree<Tensor>>(
    name: string,
    params: P,
    run: (inputs: Inputs<P>, consume: boolean) => Tensor,
  ) => {
    const inputs = { params, z: current, mask: pairMask };
    const own = current !== z || consume === true;
    const mayOverwrite = own && !z.device.tape; // not what a tape holds, or computes again from
    const updated = step(
      z.device,
      name,
      inputs,
      (inputs) => run(inputs, mayOverwrite),
      recomputesModules(recompute),
      ["z"],
    );
    if (own) current.dispose();
    current = updated;
  };
  const { triMulOut, triMulIn } = params;
  const multiplication = () => {
    if (triMulOut) {
      update(
        "triangleMultiplicationOutgoing",
        triMulOut,
        ({ params, z, mask }, consume) =>
          addUpdate(
            z,
            (residual) => triangleMultiplicationOutgoing(params, z, { mask, residual, consume }),
            drop(0, 1),
          ),
      );
    }
    if (triMulIn) {
      update(
        "triangleMultiplicationIncoming",
        triMulIn,
        ({ params, z, mask }, consume) =>
          addUpdate(
            z,
            (residual) => triangleMultiplicationIncoming(params, z, { mask, residual, consume }),
            drop(1, 1),
          ),
      );
    }
  };
  const attention = () => {
    update(
      "triangleAttentionStarting",
      params.triAttStart,
      ({ params, z, mask }, consume) =>
        addUpdate(
          z,
          (residual) => triangleAttentionStartingNode(params, z, { nHead, mask, residual, consume, capture: starting }),
          drop(2, 1),
        ),
    );
    update(
      "triangleAttentionEnding",
      params.triAttEnd,
      ({ params, z, mask }, consume) =>
        addUpdate(
          z,
          (residual) => triangleAttentionEndingNode(params, z, { nHead, mask, residual, consume, capture: ending }),
          drop(3, 2),
        ),
    );
  };
  for (const part of attentionFirst ? [attention, multiplication] : [multiplication, attention]) part();
  update(
    "pairTransition",
    params.pairTransition,
    ({ params, z, mask }, consume) =>
      pairTransition(params, z, { mask: maskTrans ? mask : undefined, residual: z, consume }),
  );
  return current;
}
