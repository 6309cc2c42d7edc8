/** What a network predicts of a target, as plain arrays, and what is derived from it. */
import { ATOM_SLOTS, SLOT } from "../../model/protein/residues.ts";
import { rankingScore } from "../../model/multimer/heads/interface_tm_score.ts";
import { chainLetters } from "../data/_mmcif_block.ts";
import type { Chain, Structure } from "../data/structure.ts";

/** How a target's residues are named in files. */
export interface ResidueNaming {
  /** Name of the chain, one letter in PDB files. */
  readonly chainId: string;
  /** Residue numbers, `[N_res]`. */
  readonly residueNumbers: Int32Array;
  /** Insertion codes, `[N_res]`; empty where there is none. */
  readonly insertionCodes: readonly string[];
}

/** A chain of a predicted complex. */
export interface PredictedChain {
  /** Name of its sequence. */
  readonly name: string;
  /** Its name in files. @default A, B, … */
  readonly label?: string;
  /** Place of its first residue, from 0. */
  readonly start: number;
  /** Its residues. */
  readonly residues: number;
}

/** State after an iteration of the trunk and the structure module. */
export interface RecycleState {
  /** Mean pLDDT, 0 to 100. */
  readonly meanPlddt: number;
  /** Predicted TM-score; null where the network predicts none. */
  readonly ptm: number | null;
  /** Predicted TM-score of the interfaces of a complex. @default it is none, or the network is for single chains */
  readonly iptm?: number;
  /** Root of the mean squared change of the Cα distances since the iteration before, Å; null for the first. */
  readonly distanceChange: number | null;
  /** Cα positions in Å, `[N_res, 3]`. */
  readonly alphas: Float32Array;
  /** pLDDT of each residue, `[N_res]`. */
  readonly plddt: Float32Array;
}

/** The prediction of one network with one seed. */
export interface Prediction {
  /** Preset of the network, such as `model_1_ptm`. */
  readonly preset: string;
  /** Seed of the random choices. */
  readonly seed: number;
  /** One letter a residue. */
  readonly sequence: string;
  /** Positions in Å, `[N_res, 37, 3]`; 0 where the mask is 0. */
  readonly atomPositions: Float32Array;
  /** 1 where a residue of this type has the atom, `[N_res, 37]`. */
  readonly atomMask: Float32Array;
  /** Predicted lDDT-Cα of each residue, 0 to 100, `[N_res]`. */
  readonly plddt: Float32Array;
  /** Predicted aligned error in Å, `[N_res, N_res]`: the error of the second residue when aligned on the first. */
  readonly pae?: Float32Array;
  /** Largest aligned error that can be predicted, Å. */
  readonly maxPae?: number;
  /** Predicted TM-score, where the network predicts it. */
  readonly ptm?: number;
  /** Predicted TM-score of the interfaces, where a network for complexes predicts a complex. */
  readonly iptm?: number;
  /** What these are means of, 0 to 1, `[N_res, N_res]`; of complexes. */
  readonly tmTerms?: Float32Array;
  /** Chains of a complex, one after the other. @default there is one */
  readonly chains?: readonly PredictedChain[];
  /** Expected distances of C-beta atoms from the distogram, Å, `[N_res, N_res]`. */
  readonly distances: Float32Array;
  /** The iterations, the first first. */
  readonly recycles: readonly RecycleState[];
  /** Cα positions after each block of the structure module in the last iteration, `[blocks][N_res, 3]`. */
  readonly trajectory: readonly Float32Array[];
  /** Seconds spent: choices of features, first kernels included, network. */
  readonly seconds: { readonly features: number; readonly network: number };
}

/** By what predictions are ranked. */
export type RankBy = "plddt" | "ptm" | "multimer";

/** Mean of the pLDDT. */
export function meanPlddt({ plddt }: Pick<Prediction, "plddt">): number {
  return plddt.reduce((sum, value) => sum + value, 0) / plddt.length;
}

/** Name of a prediction in AlphaFold's files: `model_1_ptm_pred_0`. */
export function predictionName({ preset }: Prediction, index: number): string {
  return `${preset}_pred_${index}`;
}

/**
 * The score that ranks; of complexes 0.8 ipTM + 0.2 pTM, where that is asked for, of a single chain then its pTM.
 *
 * @throws {RangeError} If the network predicts no TM-score and that is asked for.
 */
export function scoreOf(prediction: Prediction, rankBy: RankBy): number {
  if (rankBy === "plddt") return meanPlddt(prediction);
  if (prediction.ptm === undefined) {
    throw new RangeError(
      `Cannot rank by pTM as ${prediction.preset} predicts none: use a preset with _ptm, or rank by plddt`,
    );
  }
  if (rankBy === "ptm" || prediction.iptm === undefined) return prediction.ptm;
  return rankingScore(prediction.iptm, prediction.ptm);
}

/** Indices of predictions, best first; equal ones keep their order. */
export function ranking(predictions: readonly Prediction[], rankBy: RankBy): number[] {
  const scores = predictions.map((prediction) => scoreOf(prediction, rankBy));
  return predictions.map((_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
}

/** A prediction as a structure; the B-factors are the pLDDT. */
export function predictedStructure(id: string, prediction: Prediction, naming: ResidueNaming): Structure {
  const { sequence, atomPositions, atomMask, plddt } = prediction;
  const bFactors = new Float32Array(atomMask.length);
  for (let at = 0; at < atomMask.length; at++) if (atomMask[at]) bFactors[at] = plddt[Math.floor(at / ATOM_SLOTS)];
  const chains = chainsOf(prediction).map(({ start, residues }, k): Chain => {
    const cut = <T extends Float32Array | Int32Array>(data: T, width: number) =>
      data.slice(start * width, (start + residues) * width) as T;
    const name = prediction.chains ? chainNames(prediction)[k] : naming.chainId;
    return Object.freeze({
      id: name,
      labelId: name,
      sequence: sequence.slice(start, start + residues),
      residueNumbers: cut(naming.residueNumbers, 1),
      insertionCodes: naming.insertionCodes.slice(start, start + residues),
      atomPositions: cut(atomPositions, ATOM_SLOTS * 3),
      atomMask: cut(atomMask, ATOM_SLOTS),
      bFactors: cut(bFactors, ATOM_SLOTS),
    });
  });
  return Object.freeze({ id, source: id, chains: Object.freeze(chains), title: `Predicted structure of ${id}` });
}

/** The chains of a prediction, or the one that it is. */
export function chainsOf({ chains, sequence }: Prediction): readonly PredictedChain[] {
  return chains ?? [{ name: "", start: 0, residues: sequence.length }];
}

/**
 * Positions of Cα among those of all atoms; it is the second slot either way.
 *
 * @param positions `[N_res, slots, 3]`
 * @param slots Atoms of a residue. @default 37
 * @returns `[N_res, 3]`
 */
export function alphasOf(positions: Float32Array, slots: number = ATOM_SLOTS): Float32Array {
  const n = positions.length / slots / 3;
  return Float32Array.from({ length: 3 * n }, (_, k) => positions[3 * (Math.floor(k / 3) * slots + SLOT.CA) + k % 3]);
}

/** Names of predictions in files, in the order in which they were made. */
export function predictionNames(predictions: readonly Prediction[]): string[] {
  return predictions.map((prediction, i) =>
    predictionName(prediction, predictions.slice(0, i).filter(({ preset }) => preset === prediction.preset).length)
  );
}

/** Names of a complex's chains in files: those of the structure that was given, else A, B, … in the order given. */
export function chainNames({ chains = [] }: Pick<Prediction, "chains">): string[] {
  return chains.map(({ label }, k) => label ?? chainLetters(k));
}
