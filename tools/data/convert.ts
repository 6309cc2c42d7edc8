/** Turns structures and alignments of one format into another. */
import { InputError } from "../errors.ts";
import type { Alignment } from "./alignment.ts";
import type { Structure } from "./structure.ts";
import { formatA3m, formatAlignedFasta, formatStockholm, overQuery } from "./write_alignment.ts";
import { formatMmcif } from "./write_mmcif.ts";
import { formatModelCif, type ModelSoftware } from "./write_modelcif.ts";
import { formatPdb } from "./write_pdb.ts";

/** What can be written. */
export type WrittenFormat = "a3m" | "stockholm" | "fasta" | "pdb" | "mmcif";

const ENDINGS: readonly (readonly [RegExp, WrittenFormat])[] = [
  [/\.a3m$/, "a3m"],
  [/\.(?:sto|sth|stk|stockholm)$/, "stockholm"],
  [/\.(?:afa|fasta|fa|faa|fas)$/, "fasta"],
  [/\.(?:pdb|ent)$/, "pdb"],
  [/\.(?:cif|mmcif)$/, "mmcif"],
];

/** The format that the ending of a file's name stands for, packed or not; `undefined` if it is none. */
export function writtenFormat(path: string): WrittenFormat | undefined {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  return ENDINGS.find(([ending]) => ending.test(name))?.[1];
}

/**
 * The text of an alignment in a format. A3M has one column for each residue of the first row, and what the others have
 * besides in lower case; Stockholm and FASTA have every residue in a column.
 */
export function alignmentText(alignment: Alignment, format: "a3m" | "stockholm" | "fasta"): string {
  if (format === "a3m") return formatA3m(overQuery(alignment));
  return format === "stockholm" ? formatStockholm(alignment) : formatAlignedFasta(alignment);
}

/**
 * The text of a structure in a format.
 *
 * @param model Programs that made a computed model: its B-factors are pLDDT, and mmCIF becomes ModelCIF.
 * @throws {InputError} If the format cannot hold the structure, or a B-factor is no pLDDT.
 */
export function structureText(
  structure: Structure,
  format: "pdb" | "mmcif",
  model?: readonly ModelSoftware[],
): string {
  try {
    if (format === "pdb") return formatPdb(structure);
    return model === undefined ? formatMmcif(structure) : formatModelCif(structure, { software: model });
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(`${structure.source}: ${error.message}`);
    throw error;
  }
}
