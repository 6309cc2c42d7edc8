/** Pairs the rows of chains' alignments by species, so that what changed together in evolution stands in one row. */
import type { MsaFeatures } from "../msa.ts";

/** A chain's alignment whose rows are paired by their species. */
export type PairableMsa = Pick<MsaFeatures, "msa" | "msa_species_identifiers">;

/** Choices of {@linkcode pairRowsBySpecies}. */
export interface PairingOptions {
  /**
   * Whether a species is paired where two chains have it ("greedy", as published), or only where all have it ("complete").
   * @default "greedy"
   */
  readonly mode?: "greedy" | "complete";
  /** A species with more rows than this in any chain is passed over. @default 600 */
  readonly maxRowsOfSpecies?: number;
}

/** What stands for a chain that a paired row does not have. */
export const NO_ROW = -1;

/**
 * Rows of the chains that belong together. Within a species the rows most like their queries are paired first, as many as
 * the chain with fewest has. The queries come first, then rows that more chains have.
 *
 * Source: Evans et al. (2021), Suppl. 7.3; AlphaFold's `msa_pairing.pair_sequences` and `reorder_paired_rows`.
 *
 * @param chains In the order of the complex; a chain and its copies each by itself.
 * @returns A list for each paired row: the row of every chain, or {@linkcode NO_ROW}.
 */
export function pairRowsBySpecies(
  chains: readonly PairableMsa[],
  { mode = "greedy", maxRowsOfSpecies = 600 }: PairingOptions = {},
): number[][] {
  const ofChains = chains.map(rowsOfSpecies);
  const species = [...new Set(ofChains.flatMap((rows) => [...rows.keys()]))].sort();
  const least = mode === "complete" ? chains.length : 2;
  const byCount = new Map<number, number[][]>([[chains.length, [chains.map(() => 0)]]]);
  for (const name of species) {
    const present = ofChains.map((rows) => rows.get(name));
    const sizes = present.flatMap((rows) => (rows ? [rows.length] : []));
    if (sizes.length < least || sizes.some((size) => size > maxRowsOfSpecies)) continue;
    const paired = byCount.get(sizes.length) ?? [];
    byCount.set(sizes.length, paired);
    for (let k = 0; k < Math.min(...sizes); k++) paired.push(present.map((rows) => rows?.[k] ?? NO_ROW));
  }
  const product = (rows: readonly number[]) => Math.abs(rows.reduce((value, row) => value * row, 1));
  return [...byCount.keys()].sort((a, b) => b - a).flatMap((count) =>
    byCount.get(count)!.toSorted((a, b) => product(a) - product(b)) // the sort is stable
  );
}

/** Rows of a chain by their species, those most like the query first; rows of no known species are left out. */
function rowsOfSpecies({ msa, msa_species_identifiers: species }: PairableMsa): Map<string, number[]> {
  const columns = msa.length / species.length;
  const similarity = species.map((_, row) => {
    let same = 0;
    for (let c = 0; c < columns; c++) if (msa[row * columns + c] === msa[c]) same++;
    return same;
  });
  const found = new Map<string, number[]>();
  species.forEach((name, row) => {
    if (!name) return;
    const rows = found.get(name) ?? [];
    found.set(name, rows);
    rows.push(row);
  });
  for (const rows of found.values()) rows.sort((a, b) => similarity[b] - similarity[a]);
  return found;
}
