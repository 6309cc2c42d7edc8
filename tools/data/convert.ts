/** Turns structures and alignments of one format into another. */
import { InputError } from "../errors.ts";
import type { Alignment } from "./alignment.ts";
import { formatFasta } from "./fasta.ts";
import { selectChain, type Structure } from "./structure.ts";
import { formatA2m, formatA3m, formatAlignedFasta, formatStockholm, overQuery } from "./write_alignment.ts";
import { formatMmcif } from "./write_mmcif.ts";
import { formatModelCif, type ModelSoftware } from "./write_modelcif.ts";
import { formatPdb } from "./write_pdb.ts";

/** What can be written. */
export type WrittenFormat = "a3m" | "a2m" | "stockholm" | "fasta" | "pdb" | "mmcif" | "bcif";

const ENDINGS: readonly (readonly [RegExp, WrittenFormat])[] = [
  [/\.a3m$/, "a3m"],
  [/\.a2m$/, "a2m"],
  [/\.(?:sto|sth|stk|stockholm)$/, "stockholm"],
  [/\.(?:afa|fasta|fa|faa|fas)$/, "fasta"],
  [/\.(?:pdb|ent)$/, "pdb"],
  [/\.(?:cif|mmcif)$/, "mmcif"],
  [/\.bcif$/, "bcif"],
];

/** The format that the ending of a file's name stands for, packed or not; `undefined` if it is none. */
export function writtenFormat(path: string): WrittenFormat | undefined {
  const name = path.toLowerCase().replace(/\.gz$/, "");
  return ENDINGS.find(([ending]) => ending.test(name))?.[1];
}

/**
 * The text of an alignment in a format. A3M and A2M have one column for each residue of the first row, and what the others
 * have besides in lower case; Stockholm and FASTA have every residue in a column.
 */
export function alignmentText(alignment: Alignment, format: "a3m" | "a2m" | "stockholm" | "fasta"): string {
  if (format === "a3m") return formatA3m(overQuery(alignment));
  if (format === "a2m") return formatA2m(overQuery(alignment));
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

/** The sequences of a structure's chains as FASTA: under the entry's name, with `_CHAIN` where it has several. */
export function sequencesText({ id, chains }: Structure): string {
  return formatFasta(
    chains.map((chain) => ({ name: chains.length > 1 ? `${id}_${chain.id}` : id, sequence: chain.sequence })),
  );
}

/**
 * The structure with some of its chains, in that order, under new names where there are any.
 *
 * @param names Pairs of a chain's name and its new one.
 * @throws {InputError} If there is no such chain, or two would have one name.
 */
export function takeChains(
  structure: Structure,
  names: readonly (readonly [name: string, newName: string])[],
): Structure {
  const chains = names.map(([name, newName]) => {
    const chain = selectChain(structure, name);
    return Object.freeze({ ...chain, id: newName, labelId: newName === chain.id ? chain.labelId : newName });
  });
  const ids = chains.map(({ id }) => id);
  const twice = ids.find((id, i) => ids.indexOf(id) < i);
  if (twice !== undefined) throw new InputError(`${structure.source}: two chains would be named ${twice}`);
  const groups = structure.heteroGroups?.flatMap((group) => {
    const pair = names.find(([name]) => selectChain(structure, name).id === group.chainId);
    return pair === undefined ? [] : [{ ...group, chainId: pair[1] }];
  });
  return Object.freeze({ ...structure, chains: Object.freeze(chains), heteroGroups: groups });
}
