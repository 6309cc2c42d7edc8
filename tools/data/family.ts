/** Pairs the structures of a protein family with the rows of its alignment: what the small model learns from. */
import { InputError } from "../errors.ts";
import { NameIndex } from "../name_index.ts";
import { type Alignment, differenceOf, encodeTokens, queryView } from "./alignment.ts";
import { Mt19937 } from "./mt19937.ts";
import { readAlignment } from "./read_alignment.ts";
import { readStructure } from "./read_structure.ts";
import { type Chain, pseudoBeta, selectChain, type Structure } from "./structure.ts";

/** One structure and its row. */
export interface FamilyMember {
  /** Name of the row in the alignment. */
  readonly id: string;
  /** Index of the row in the alignment. */
  readonly row: number;
  /** The structure, whole. */
  readonly structure: Structure;
  /** The chain whose sequence the row is. */
  readonly chain: Chain;
}

/** Structures of one family and their alignment. */
export interface Family {
  /** The alignment; it may have rows without structures. */
  readonly alignment: Alignment;
  /** Structures with their rows, in the order they were given. */
  readonly members: readonly FamilyMember[];
}

/** Tokens of an alignment seen from one of its rows. */
export interface MsaTokens {
  /** Names of the rows taken, the target's first, `[N_seq]`. */
  readonly names: readonly string[];
  /** Rows over the target's residues, `[N_seq]`. */
  readonly rows: readonly string[];
  /** `[N_seq, N_res]`, see `encodeTokens`. */
  readonly tokens: Int32Array;
}

/** Target distances of one chain. */
export interface DistanceTarget {
  /** C-beta (C-alpha for glycine) distances in Å, clamped, `[N_res, N_res]`; 0 where the mask is 0. */
  readonly distances: Float32Array;
  /** 1 where both atoms are there, `[N_res, N_res]`. */
  readonly mask: Float32Array;
}

/**
 * Reads structures and their alignment, and pairs them by name.
 *
 * @param options.structures Structure files; `FILE:CHAIN` picks a chain of several.
 * @param options.msa Alignment in which each structure has a row of its name.
 * @throws {InputError} As {@link pairFamily} does, or if a file cannot be read.
 */
export async function loadFamily(options: { structures: readonly string[]; msa: string }): Promise<Family> {
  const alignment = await readAlignment(options.msa);
  const chosen: { structure: Structure; chain: Chain }[] = [];
  for (const argument of options.structures) {
    const [, path, chainId] = /^(.+?)(?::([^:/\\]+))?$/.exec(argument) ?? ["", argument, undefined];
    const structure = await readStructure(path);
    chosen.push({ structure, chain: selectChain(structure, chainId) });
  }
  return pairFamily(chosen, alignment);
}

/**
 * Pairs chains with the rows that bear their structure's name, or `NAME_CHAIN`, by the rules of {@linkcode NameIndex}.
 *
 * @throws {InputError} If there is no structure, one has no row or shares it with another, or a row without its gaps is
 * not the chain's sequence; the message names both and the first difference.
 */
export function pairFamily(
  chosen: readonly { readonly structure: Structure; readonly chain: Chain }[],
  alignment: Alignment,
): Family {
  if (chosen.length === 0) throw new InputError("There are no structures, expected at least one mmCIF or PDB file");
  const rows = new NameIndex(alignment.names);
  const owners = new Map<number, string>();
  const members = chosen.map(({ structure, chain }) => {
    const id = rows.find(`${structure.id}_${chain.id}`, structure.id);
    if (id === undefined) {
      throw new InputError(
        `${alignment.source} has no row "${structure.id}" for the structure ${structure.source}: ` +
          `it has ${listOf(alignment.names)}`,
      );
    }
    const row = alignment.names.indexOf(id);
    const other = owners.get(row);
    if (other !== undefined) {
      throw new InputError(`${other} and ${structure.source} are both named "${id}": expected one structure a row`);
    }
    owners.set(row, structure.source);
    const sequence = alignment.aligned[row].replaceAll("-", "").toUpperCase();
    const difference = differenceOf(sequence, chain.sequence);
    if (difference !== undefined) {
      throw new InputError(
        `Row "${id}" of ${alignment.source} is not the sequence of chain ${chain.id} of ${structure.source}: ${difference}`,
      );
    }
    return Object.freeze({ id, row, structure, chain });
  });
  return Object.freeze({ alignment, members: Object.freeze(members) });
}

/**
 * The alignment as one row sees it, as tokens: the row itself first, cut to its residues, then other rows.
 *
 * @param alignment The alignment.
 * @param row Index of the target's row.
 * @param numSeqs Most rows to take.
 * @param seed Which rows, if there are more than `numSeqs`: the first ones in the file's order without a seed, a random
 * choice (kept in the file's order) with one.
 */
export function msaTokens(alignment: Alignment, row: number, numSeqs: number, seed?: number): MsaTokens {
  const others = alignment.names.map((_, index) => index).filter((index) => index !== row);
  const count = Math.min(numSeqs - 1, others.length);
  const chosen = seed === undefined
    ? others.slice(0, count)
    : Array.from(new Mt19937(seed).choice(others.length, count)).sort((a, b) => a - b).map((index) => others[index]);
  const indices = [row, ...chosen];
  const view = queryView(alignment.aligned, row).rows;
  const rows = indices.map((index) => view[index]);
  return { names: indices.map((index) => alignment.names[index]), rows, tokens: encodeTokens(rows) };
}

/**
 * Distances between the C-beta atoms of a chain (C-alpha for glycine), clamped.
 *
 * @param clampAngstrom Largest distance told apart. @default 20
 */
export function distanceTarget(chain: Chain, clampAngstrom = 20): DistanceTarget {
  const { positions, mask: there } = pseudoBeta(chain);
  const n = there.length;
  const distances = new Float32Array(n * n);
  const mask = new Float32Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      if (there[i] === 0 || there[j] === 0) continue;
      const distance = Math.hypot(
        positions[3 * i] - positions[3 * j],
        positions[3 * i + 1] - positions[3 * j + 1],
        positions[3 * i + 2] - positions[3 * j + 2],
      );
      distances[i * n + j] = Math.min(distance, clampAngstrom);
      mask[i * n + j] = 1;
    }
  }
  return { distances, mask };
}

function listOf(names: readonly string[]): string {
  return names.length <= 20 ? names.join(", ") : `${names.slice(0, 20).join(", ")} and ${names.length - 20} more`;
}
