/**
 * Writes mmCIF files.
 *
 * Source: wwPDB PDBx/mmCIF dictionary, version 5.
 */
import { formatBlock, type MmcifOptions } from "./_mmcif_block.ts";
import type { Structure } from "./structure.ts";

export type { MmcifOptions };

/**
 * The text of an mmCIF file: the atoms, and the sequences whole, also where residues have no atoms. Coordinates have
 * three decimals, B-factors two; every chain with the same sequence is the same entity.
 *
 * @throws {RangeError} If a coordinate or B-factor is not finite.
 */
export function formatMmcif(structure: Structure, options: MmcifOptions = {}): string {
  return formatBlock(structure, options, () => []);
}
