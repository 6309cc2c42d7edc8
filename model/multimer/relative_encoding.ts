import type { Tensor } from "../../core/mod.ts";
import { add, chainOffsetClasses, type ChainOffsets, concat, permute, reshape, slice } from "../../ops/mod.ts";
import { relativeFeatures } from "./config.ts";

/** Which chain residues are of, which sequence it has, and which of the chains with that sequence it is: i32 `[batch, N_res]`. */
export type ChainIds = {
  /** Number of the chain. */
  readonly asymId: Tensor;
  /** Number of its sequence. */
  readonly entityId: Tensor;
  /** Number of the chain among those with its sequence. */
  readonly symId: Tensor;
};

/** What embeds the relative positions of all pairs: a class for each, and a row for each class. */
export type RelativeEncoding = {
  /** i32 `[batch, N_res, N_res]`, from 1. */
  readonly classes: Tensor;
  /** `[K, c]` */
  readonly table: Tensor;
};

/**
 * Relative positions in a complex, as classes with a row each: what a linear map gives of 73 features, which are the
 * offset along the chain (32 either way and a class of its own for different chains), whether both chains have the same
 * sequence, and the offset among copies of a sequence (2 either way and a class of its own for different sequences).
 *
 * Source: Evans et al. (2021), "Protein complex prediction with AlphaFold-Multimer", Suppl. 7.1; the published code's
 * `_relative_encoding`.
 *
 * @param weight Of the linear map, `[c, 73]`.
 * @param residueIndex Numbers of the residues along their chains, i32 `[batch, N_res]`.
 * @param most The largest offsets that are told apart.
 */
export function relativeEncoding(
  weight: Tensor,
  residueIndex: Tensor,
  { asymId, entityId, symId }: ChainIds,
  most: ChainOffsets,
): RelativeEncoding {
  const [c, features] = weight.shape;
  if (features !== relativeFeatures(most.residues, most.copies)) {
    throw new TypeError(
      `Cannot encode relative positions of ${most.residues} residues and ${most.copies} copies either way with a map of ` +
        `${features} features: expected ${relativeFeatures(most.residues, most.copies)}`,
    );
  }
  const { device } = weight;
  using scope = device.scope("relativeEncoding");
  const classes = chainOffsetClasses(
    { residues: residueIndex, chains: asymId, entities: entityId, copies: symId },
    most,
  );
  const rows = permute(weight, [1, 0]);
  const some = (from: number, count: number) => slice(rows, [from, 0], [from + count, c]);
  const nResidue = 2 * most.residues + 2, nCopy = 2 * most.copies + 1;
  const sameSequence = add(some(nResidue + 1, nCopy), some(nResidue, 1));
  const ofCopies = concat([sameSequence, some(nResidue + 1 + nCopy, 1)], 0);
  const table = add(reshape(some(0, nResidue), [nResidue, 1, c]), reshape(ofCopies, [1, nCopy + 1, c]));
  return scope.keep({ classes, table: reshape(table, [nResidue * (nCopy + 1), c]) });
}
