import type { Tensor } from "../../core/mod.ts";
import { attentionTap } from "../layers/attention_capture.ts";
import { checkShape } from "../layers/check_shape.ts";
import { addUpdate, step } from "../layers/step.ts";
import type { EvoformerConfig } from "./config.ts";
import { msaColumnAttention } from "./msa_column_attention.ts";
import { msaColumnGlobalAttention } from "./msa_column_global_attention.ts";
import { type MsaAttentionOptions, msaRowAttentionWithPairBias } from "./msa_row_attention.ts";
import { msaTransition } from "./msa_transition.ts";
import { outerProductMean } from "./outer_product_mean.ts";
import { type BlockOptions, pairStack, recomputesModules } from "./pair_stack.ts";
import type { BlockParams, EvoformerBlockParams, ExtraMsaBlockParams } from "./params.ts";

/** The representations that blocks update, and which of their elements are real. */
export type Representations = {
  /** MSA representation, `[batch, N_seq, N_res, c_m]`. */
  readonly m: Tensor;
  /** Pair representation, `[batch, N_res, N_res, c_z]`. */
  readonly z: Tensor;
  /** 1 for residues that are there, 0 for padding: `[batch, N_seq, N_res]`. @default all are */
  readonly msaMask?: Tensor;
  /** 1 for pairs that count, 0 for padding: `[batch, N_res, N_res]`. @default all do */
  readonly pairMask?: Tensor;
};

/**
 * One block: updates the MSA representation, then the pair representation from it.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 6 "EvoformerStack", lines 2-10.
 *
 * @returns Updated representations, owned by the current scope.
 */
export function evoformerBlock(
  params: EvoformerBlockParams,
  representations: Representations,
  config: EvoformerConfig,
  options: BlockOptions = {},
): { m: Tensor; z: Tensor } {
  const column = params.msaAttCol && { params: params.msaAttCol, attention: msaColumnAttention };
  return block(params, column, representations, config, options);
}

/**
 * One block of the extra-MSA stack: an Evoformer block with global column attention.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 18 "ExtraMsaStack", lines 2-10.
 *
 * @returns Updated representations, owned by the current scope.
 */
export function extraMsaBlock(
  params: ExtraMsaBlockParams,
  representations: Representations,
  config: EvoformerConfig,
  options: BlockOptions = {},
): { m: Tensor; z: Tensor } {
  const column = { params: params.msaAttCol, attention: msaColumnGlobalAttention };
  return block(params, column, representations, config, options);
}

/** Column attention of some kind, with its parameters. */
type ColumnAttention<P> = {
  readonly params: P;
  readonly attention: (params: P, m: Tensor, options: MsaAttentionOptions) => Tensor;
};

type Column = EvoformerBlockParams["msaAttCol"] | ExtraMsaBlockParams["msaAttCol"];

function block<P extends NonNullable<Column>>(
  params: BlockParams,
  column: ColumnAttention<P> | undefined,
  { m, z, msaMask, pairMask }: Representations,
  config: EvoformerConfig,
  options: BlockOptions,
): { m: Tensor; z: Tensor } {
  const { device, shape: [batch, nSeq, nRes] } = m;
  const { cM, cZ, nHeadMsa: nHead, msaDropout: rate, maskTrans, opmFirst } = config;
  checkShape("a block", "m", m, ["batch", "N_seq", "N_res", cM]);
  checkShape("a block", "z", z, [batch, nRes, nRes, cZ]);
  if (msaMask) checkShape("a block", "msaMask", msaMask, [batch, nSeq, nRes]);
  if (pairMask) checkShape("a block", "pairMask", pairMask, [batch, nRes, nRes]);
  const { key } = options;
  const onRows = attentionTap(options.capture, "msaRowAttention");
  const onColumns = attentionTap(options.capture, "msaColumnAttention");
  const perModule = recomputesModules(options.recompute);
  const given = m;
  const isOwn = () => m !== given || options.consume === true;
  const msaUpdate = (updated: Tensor) => {
    if (isOwn()) m.dispose();
    m = updated;
  };
  const recording = device.tape !== null; // then nothing is overwritten: a tape holds it, or computes again from it
  const tellPairs = () => {
    const consume = options.consume && !recording;
    const told = step(
      device,
      "outerProductMean",
      { params: params.outerProductMean, m, z, mask: msaMask },
      ({ z, mask, ...o }) => outerProductMean(o.params, o.m, { mask, residual: z, consume }),
      perModule,
      ["m", "z"],
    );
    if (options.consume) z.dispose();
    return told;
  };

  const before = opmFirst ? tellPairs() : z;
  if (options.msa === false && opmFirst) {
    // What follows in the MSA would reach nothing: the pairs have been told.
    const updated = pairStack(params.pairStack, before, pairMask, config, { ...options, consume: !recording });
    before.dispose();
    return { m: device.view(m, m.shape), z: updated };
  }
  msaUpdate(step(
    device,
    "msaRowAttention",
    { params: params.msaAttRow, m, z: before, mask: msaMask },
    ({ params, m, z, mask }) =>
      addUpdate(
        m,
        (residual) =>
          msaRowAttentionWithPairBias(params, m, z, {
            ...{ nHead, mask, residual, consume: isOwn() && !recording, capture: onRows },
          }),
        key && { rate, key: key.at(0), axis: 1 },
      ),
    perModule,
    ["m", "z"],
  ));
  if (column) {
    msaUpdate(step(
      device,
      "msaColumnAttention",
      { params: column.params, m, mask: msaMask },
      ({ params, m, mask }) =>
        column.attention(params, m, { nHead, mask, residual: m, consume: isOwn() && !recording, capture: onColumns }),
      perModule,
      ["m"],
    ));
  }
  msaUpdate(step(
    device,
    "msaTransition",
    { params: params.msaTransition, m, mask: maskTrans ? msaMask : undefined },
    ({ params, m, mask }) => msaTransition(params, m, { mask, residual: m, consume: isOwn() && !recording }),
    perModule,
    ["m"],
  ));
  const told = opmFirst ? before : tellPairs();
  const updated = pairStack(params.pairStack, told, pairMask, config, { ...options, consume: !recording });
  told.dispose();
  return { m, z: updated };
}
