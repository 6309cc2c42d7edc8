/** What a network for complexes is given, iteration after iteration. */
import type { Key } from "../../core/mod.ts";
import type { ComplexFeatures } from "../data/features/complex/complex_features.ts";
import { type ComplexDraws, jaxDraws } from "../data/features/complex/complex_inputs.ts";
import { JaxKey } from "../data/jax_random.ts";
import type { TargetFeatures } from "../prep/target_features.ts";

/** Whether features are those of a complex. */
export function isComplex(features: TargetFeatures): features is TargetFeatures & ComplexFeatures {
  return features.asym_id !== undefined && features.msa_row_entity !== undefined;
}

/** Features as those of a complex; a single chain is one of one chain. */
export function complexFeatures(features: TargetFeatures): ComplexFeatures {
  if (isComplex(features)) return features;
  const n = features.aatype.length, rows = features.num_alignments[0];
  const ones = () => new Int32Array(n).fill(1);
  return {
    ...features,
    ...{ asym_id: ones(), entity_id: ones(), sym_id: ones() },
    deletion_mean: new Float32Array(n), // no input of the network
    msa_row_entity: new Int32Array(rows).fill(1),
    cluster_bias_mask: Float32Array.from({ length: rows }, (_, row) => (row === 0 ? 1 : 0)),
  };
}

/** Draws of iterations, with keys handed on as the published code does. */
export class ComplexKeys {
  #key: JaxKey;

  /** @param seed That of the program, from which Haiku takes the first key. */
  constructor(seed: number) {
    this.#key = JaxKey.fromSeed(seed).foldIn(1);
  }

  /**
   * Draws of the next iteration, one for each sample of the alignment.
   *
   * @param isLast Whether no other iteration follows: that one takes the key itself.
   */
  next(isLast: boolean, samples: number): ComplexDraws[] {
    let key = isLast ? this.#key : this.#key.foldIn(1);
    this.#key = this.#key.foldIn(0);
    return Array.from({ length: samples }, () => {
      const own = key.foldIn(1);
      key = key.foldIn(0);
      return jaxDraws(own);
    });
  }
}

/** Whether a chain is there several times, so that a predicted one could stand for several true ones. */
export function hasCopies({ asym_id, entity_id }: Partial<Pick<ComplexFeatures, "asym_id" | "entity_id">>): boolean {
  return new Set(asym_id).size > new Set(entity_id).size;
}

/** Draws of an iteration from a key of training. */
export function complexDraws(key: Key): ComplexDraws {
  return jaxDraws(JaxKey.fromSeed(Math.floor(key.uniform(1)[0] * 2 ** 31)));
}

/** Residue numbers of chains as one, each so many beyond the last of the one before: for networks of single chains. */
export function linkedResidueIndex({ asym_id, residue_index }: ComplexFeatures, gap: number): Int32Array {
  let shift = 0;
  return residue_index.map((number, i) => {
    if (i > 0 && asym_id[i] !== asym_id[i - 1]) shift += residue_index[i - 1] + 1 + gap;
    return number + shift;
  });
}
