/** The Evoformer's attention of a prediction as a file. */
import type { EvoformerConfig } from "../../model/evoformer/mod.ts";
import type { RecordedAttention } from "../../model/layers/attention_recorder.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { encodeSafetensors, type NamedArray } from "../../model/weights/safetensors.ts";
import { MOST_NUMBERS } from "../attention/capture.ts";
import { InputError } from "../errors.ts";

/** The attention of a prediction's last iteration. */
export interface PredictionAttention {
  /** Means over rows, by block and kind. */
  readonly recorded: readonly RecordedAttention[];
  /** Residue types of the rows that the main stack read, templates' rows not among them, `[N_rows, N_res]`. */
  readonly msa: Int32Array;
}

/**
 * Checks that the attention of a prediction is no more than is kept at all, 1 GiB.
 *
 * @param rows Of the main stack, templates' rows included.
 * @throws {InputError} If it is more.
 */
export function checkAttentionSize(
  { nBlock, nHeadMsa, nHeadPair }: Pick<EvoformerConfig, "nBlock" | "nHeadMsa" | "nHeadPair">,
  residues: number,
  rows: number,
): void {
  const numbers = nBlock * (nHeadMsa * (residues ** 2 + rows ** 2) + 2 * nHeadPair * residues ** 2);
  if (numbers <= MOST_NUMBERS) return;
  throw new InputError(
    `The attention of ${residues} residues and ${rows} rows takes ${
      (numbers / 2 ** 28).toFixed(1)
    } GiB, more than the 1 ` +
      "GiB that is kept: leave --save-attention out, or take fewer rows (--max-msa)",
  );
}

/**
 * A safetensors file: for each block `blocks.0.msa_row_attention` (and `msa_column_attention`,
 * `triangle_attention_starting`, `triangle_attention_ending`), `[head, query, key]`, means over rows; `msa`, the residue
 * types of the rows that were read. Column attention has rows of templates behind these.
 */
export function attentionFile({ recorded, msa }: PredictionAttention, residues: number): Uint8Array {
  const tensors = new Map<string, NamedArray>();
  for (const { site, rowMean } of recorded) {
    const { shape, data } = rowMean!;
    tensors.set(`blocks.${site.block}.${snakeCase(site.kind)}`, { dtype: "F32", shape: shape.slice(1), data });
  }
  tensors.set("msa", { dtype: "I32", shape: [msa.length / residues, residues], data: msa });
  return encodeSafetensors(tensors);
}
