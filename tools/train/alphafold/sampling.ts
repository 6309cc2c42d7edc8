/** Which chains AlphaFold's training draws how often, and which never. */
import type { Key } from "../../../core/mod.ts";
import { clusterRecords } from "../../split/cluster_records.ts";
import type { BadTarget, Example } from "../examples.ts";
import type { AlphaFoldOwn } from "./options.ts";

/** Chains that pass the filters, and those that do not with the reason. */
export interface Filtered {
  readonly kept: readonly Example[];
  readonly dropped: readonly BadTarget[];
}

/**
 * Leaves out what the experiment shows badly, and sequences that are nearly of one amino acid. A structure whose resolution is
 * not known, of NMR say, passes.
 *
 * Source: Jumper et al. (2021), Suppl. 1.2.5.
 */
export function filterExamples(
  examples: readonly Example[],
  { maxResolution, maxSingleShare }: Pick<AlphaFoldOwn, "maxResolution" | "maxSingleShare">,
): Filtered {
  const kept: Example[] = [], dropped: BadTarget[] = [];
  for (const example of examples) {
    const { id, source, sequence, target: { resolutionAngstrom = 0 } = {} } = example;
    const share = largestShare(sequence);
    if (resolutionAngstrom > maxResolution) {
      const resolution = Number(resolutionAngstrom.toFixed(2));
      dropped.push({
        id,
        reason: `${source}: a resolution of ${resolution} Å, worse than --max-resolution ${maxResolution}`,
      });
    } else if (share > maxSingleShare) {
      const percent = Math.round(100 * share);
      dropped.push({
        id,
        reason:
          `${source}: ${percent} % of the residues are one amino acid, more than --max-single-share ${maxSingleShare}`,
      });
    } else kept.push(example);
  }
  return { kept, dropped };
}

/** Share of the most frequent letter. */
export function largestShare(sequence: string): number {
  const counts = new Map<string, number>();
  for (const letter of sequence) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  return Math.max(0, ...counts.values()) / Math.max(1, sequence.length);
}

/**
 * Sizes of the clusters that sequences belong to.
 *
 * @param identity From which sequences are in one cluster.
 */
export async function clusterSizes(sequences: readonly string[], identity: number): Promise<number[]> {
  const records = sequences.map((sequence, i) => ({
    id: `${i}`,
    place: `chain ${i + 1}`,
    sequences: [sequence],
    cells: [],
  }));
  const { members } = await clusterRecords(records, { identity, tool: "own" });
  const sizes = new Array<number>(sequences.length).fill(1);
  for (const cluster of members) for (const i of cluster) sizes[i] = cluster.length;
  return sizes;
}

/**
 * How often chains are drawn, relative to each other: by the inverse of their cluster's size, and by their length between two
 * bounds.
 *
 * Source: Jumper et al. (2021), Suppl. 1.2.5.
 */
export function samplingWeights(
  lengths: readonly number[],
  sizes: readonly number[],
  { leastLength, mostLength }: Pick<AlphaFoldOwn, "leastLength" | "mostLength">,
): number[] {
  return lengths.map((length, i) => Math.max(Math.min(length, mostLength), leastLength) / mostLength / sizes[i]);
}

/** Draws by weights: the place of the first whose sum with all before it passes the drawn part of the whole. */
export function drawWeighted(weights: readonly number[], key: Key): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let left = key.uniform(1)[0] * total;
  for (const [i, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return i;
  }
  return weights.length - 1;
}
