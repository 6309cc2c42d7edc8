/** A prediction of a complex in the order in which its chains were given. */
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import type { ComplexChain } from "../prep/prepare_target.ts";
import type { PredictedChain, Prediction, RecycleState } from "./prediction.ts";

/** For each residue, in the order in which chains were given, its place in the order of the features. */
export function givenOrder(chains: readonly ComplexChain[]): Int32Array {
  const starts = chains.map((_, k) => chains.slice(0, k).reduce((sum, { residues }) => sum + residues, 0));
  const inputs = chains.map((_, k) => k).sort((a, b) => chains[a].input - chains[b].input);
  return Int32Array.from(inputs.flatMap((k) => Array.from({ length: chains[k].residues }, (_, i) => starts[k] + i)));
}

/** Where the chains are in the order in which they were given. */
export function chainsAsGiven(chains: readonly ComplexChain[]): PredictedChain[] {
  let start = 0;
  return chains.toSorted((a, b) => a.input - b.input).map(({ name, residues, label }) => {
    const chain = { name, start, residues, ...(label !== undefined && { label }) };
    start += residues;
    return chain;
  });
}

/** Rows of a table in another order. */
export function reordered<T extends Float32Array | Int32Array>(data: T, order: Int32Array, width: number): T {
  const out = data.slice() as T;
  order.forEach((from, to) => out.set(data.subarray(from * width, (from + 1) * width) as never, to * width));
  return out;
}

/** Rows and columns of a square table in another order, each place of so many numbers. */
export function reorderedSquare(data: Float32Array, order: Int32Array, width = 1): Float32Array {
  const n = order.length, out = new Float32Array(n * n * width);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const from = (order[i] * n + order[j]) * width;
      out.set(data.subarray(from, from + width), (i * n + j) * width);
    }
  }
  return out;
}

/** The prediction with the residues of its chains as they were given. */
export function asGiven(prediction: Prediction, chains: readonly ComplexChain[]): Prediction {
  const order = givenOrder(chains);
  const state = (recycle: RecycleState): RecycleState => ({
    ...recycle,
    alphas: reordered(recycle.alphas, order, 3),
    plddt: reordered(recycle.plddt, order, 1),
  });
  return {
    ...prediction,
    sequence: Array.from(order, (k) => prediction.sequence[k]).join(""),
    atomPositions: reordered(prediction.atomPositions, order, ATOM_SLOTS * 3),
    atomMask: reordered(prediction.atomMask, order, ATOM_SLOTS),
    plddt: reordered(prediction.plddt, order, 1),
    ...(prediction.pae && { pae: reorderedSquare(prediction.pae, order) }),
    ...(prediction.tmTerms && { tmTerms: reorderedSquare(prediction.tmTerms, order) }),
    distances: reorderedSquare(prediction.distances, order),
    recycles: prediction.recycles.map(state),
    trajectory: prediction.trajectory.map((alphas) => reordered(alphas, order, 3)),
    chains: chainsAsGiven(chains),
  };
}
