/** Pairs the structures of a protein family with the rows of its alignment: what the small model learns from. */
import { RESIDUE_LETTERS, UNKNOWN_RESIDUE } from "../../model/protein/residues.ts";
import { InputError } from "../errors.ts";
import { NameIndex, plainName } from "../name_index.ts";
import { listed } from "../words.ts";
import { type Alignment, differenceOf, encodeTokens, queryView, unlikeLetters } from "./alignment.ts";
import { stem } from "./file_kind.ts";
import { Mt19937 } from "./mt19937.ts";
import { readAlignment } from "./read_alignment.ts";
import { readStructure } from "./read_structure.ts";
import { type Chain, pseudoBeta, selectChain, type Structure } from "./structure.ts";

/** One structure and its row. */
export interface FamilyMember {
  /** Name of the row in the alignment, without a range or a file's ending at its end. */
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

/** A structure, or its file, that has no place in a family. */
export interface Unpaired {
  /** The file, as it was given. */
  readonly id: string;
  /** Why, with the file. */
  readonly reason: string;
}

/** Families, what has no place in any, and what is doubtful about them. */
export interface FoundFamilies {
  /** Those that have members, in the order of their alignments. */
  readonly families: readonly Family[];
  /** Structures that have no place. */
  readonly bad: readonly Unpaired[];
  /** What is doubtful, a sentence each. */
  readonly warnings: readonly string[];
}

/** A chain, and the structure that it is of. */
export interface ChosenChain {
  /** The structure. */
  readonly structure: Structure;
  /** The chain. */
  readonly chain: Chain;
}

/**
 * Reads structures and their alignment, and pairs them by name.
 *
 * @param options.structures Structure files; `FILE:CHAIN` picks a chain of several.
 * @param options.msa Alignment in which each structure has a row of its name.
 * @throws {InputError} If a structure has no place in the family, with the reasons of all; or the alignment cannot be read.
 */
export async function loadFamily(options: { structures: readonly string[]; msa: string }): Promise<Family> {
  return wholeFamily(await findFamilies({ structures: options.structures, msas: [options.msa] }));
}

/**
 * Reads structures and alignments, and pairs them by name, whatever has no place in a family.
 *
 * Of a file with several chains those are taken that have a row, or an alignment, named `NAME_CHAIN`, unless one is named. Of
 * several alignments a structure belongs to the one that is named after it, else to the one with a row of its name.
 *
 * @throws {InputError} If an alignment cannot be read.
 */
export async function findFamilies(
  options: { structures: readonly string[]; msas: readonly string[] },
): Promise<FoundFamilies> {
  const homes: Home[] = [];
  for (const path of options.msas) homes.push(homeOf(await readAlignment(path)));
  const { chosen: chains, bad } = await chooseChains(
    options.structures,
    (structure, chain) => homesOf(homes, chainNames(structure, chain)).length > 0,
  );
  const chosen = new Map<Home, ChosenChain[]>();
  for (const one of chains) {
    try {
      const home = onlyHome(homes, one.structure, one.chain);
      chosen.set(home, [...chosen.get(home) ?? [], one]);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      bad.push({ id: one.structure.source, reason: error.message });
    }
  }
  const found = homes.map((home) => findMembers(chosen.get(home) ?? [], home));
  const unused = homes.filter((home) => !chosen.has(home)).map(({ alignment }) => alignment.source);
  return {
    families: found.map(({ family }) => family).filter(({ members }) => members.length > 0),
    bad: [...bad, ...found.flatMap((one) => one.bad)],
    warnings: [
      ...(unused.length > 0 ? [`alignments that belong to no structure: ${listed(unused)}`] : []),
      ...found.flatMap((one) => one.warnings),
    ],
  };
}

/**
 * Reads structures; `FILE:CHAIN` picks a chain of several.
 *
 * @param wanted Which chains of a file with several are taken where none is named; else there must be one.
 */
export async function chooseChains(
  structures: readonly string[],
  wanted: (structure: Structure, chain: Chain) => boolean = () => false,
): Promise<{ chosen: ChosenChain[]; bad: Unpaired[] }> {
  const chosen: ChosenChain[] = [];
  const bad: Unpaired[] = [];
  for (const argument of structures) {
    const [, path, chainId] = /^(.+?)(?::([^:/\\]+))?$/.exec(argument) ?? ["", argument, undefined];
    try {
      const structure = await readStructure(path);
      const own = chainId === undefined && structure.chains.length > 1
        ? structure.chains.filter((chain) => wanted(structure, chain))
        : [];
      const chains = own.length > 0 ? own : [selectChain(structure, chainId)];
      chosen.push(...chains.map((chain) => ({ structure, chain })));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      bad.push({ id: argument, reason: error.message });
    }
  }
  return { chosen, bad };
}

/** An alignment, and how its rows are found. */
interface Home {
  readonly alignment: Alignment;
  readonly rows: NameIndex;
  /** The file's name: the target's of which it is the alignment, perhaps. */
  readonly file: NameIndex;
}

function homeOf(alignment: Alignment): Home {
  return { alignment, rows: new NameIndex(alignment.names), file: new NameIndex([stem(alignment.source)]) };
}

/** The alignments that the first of these names means that means one: those named so, else those with such a row. */
function homesOf(homes: readonly Home[], names: readonly string[]): readonly Home[] {
  for (const name of names) {
    for (const index of ["file", "rows"] as const) {
      const found = homes.filter((home) => home[index].find(name) !== undefined);
      if (found.length > 0) return found;
    }
  }
  return [];
}

/** The alignment that a chain belongs to. */
function onlyHome(homes: readonly Home[], structure: Structure, chain: Chain): Home {
  if (homes.length === 1) return homes[0];
  const found = homesOf(homes, memberNames(structure, chain));
  if (found.length === 1) return found[0];
  throw new InputError(
    found.length === 0
      ? `None of the ${homes.length} alignments is named after the structure ${structure.source} or has a row ` +
        `"${structure.id}"`
      : `${structure.source} belongs to ${
        listed(found.map(({ alignment }) => alignment.source))
      }: expected one of them`,
  );
}

/**
 * Pairs chains with the rows that bear the name of their file or structure, `NAME` or `NAME_CHAIN`, by the rules of
 * {@linkcode NameIndex}; a row without its gaps must be the chain's sequence, where both know the residue.
 *
 * @throws {InputError} If there is no structure, one has no row or shares it with another, or a row without its gaps is
 * not the chain's sequence; the message names both and the first difference, of all that do not fit.
 */
export function pairFamily(chosen: readonly ChosenChain[], alignment: Alignment): Family {
  const { family, ...rest } = findMembers(chosen, homeOf(alignment));
  return wholeFamily({ families: [family], ...rest });
}

/**
 * The family, where all have a place in it.
 *
 * @throws {InputError} If not, with all reasons; or if nobody is in it.
 */
function wholeFamily({ families, bad }: FoundFamilies): Family {
  if (bad.length > 0) throw new InputError(bad.map(({ reason }) => reason).join("\n"));
  if (families.length > 0 && families[0].members.length > 0) return families[0];
  throw new InputError("There are no structures, expected at least one mmCIF or PDB file");
}

function findMembers(
  chosen: readonly ChosenChain[],
  { alignment, rows, file }: Home,
): { family: Family; bad: Unpaired[]; warnings: string[] } {
  const owners = new Map<number, string>();
  const members: FamilyMember[] = [];
  const bad: Unpaired[] = [];
  const warnings: string[] = [];
  for (const { structure, chain } of chosen) {
    const refuse = (reason: string) => void bad.push({ id: structure.source, reason });
    const names = memberNames(structure, chain);
    const name = rows.find(...names);
    const id = name ?? file.find(...names); // an alignment that is named after a target begins with it
    if (id === undefined) {
      refuse(
        `${alignment.source} has no row "${structure.id}" for the structure ${structure.source}: ` +
          `it has ${listed(alignment.names)}`,
      );
      continue;
    }
    const row = name === undefined ? 0 : alignment.names.indexOf(name);
    const other = owners.get(row);
    if (other !== undefined) {
      refuse(`${other} and ${structure.source} are both named "${id}": expected one structure a row`);
      continue;
    }
    owners.set(row, structure.source);
    const sequence = rowSequence(alignment.aligned[row]);
    const of = `chain ${chain.id} of ${structure.source}`;
    const difference = differenceOf(sequence, chain.sequence);
    if (difference !== undefined) {
      refuse(`Row "${id}" of ${alignment.source} is not the sequence of ${of}: ${difference}`);
      continue;
    }
    const unlike = unlikeLetters(sequence, chain.sequence);
    if (unlike !== undefined) {
      warnings.push(`Row "${id}" of ${alignment.source} and ${of}: ${unlike}: the row is taken`);
    }
    members.push(Object.freeze({ id: plainName(id), row, structure, chain }));
  }
  return { family: Object.freeze({ alignment, members: Object.freeze(members) }), bad, warnings };
}

/**
 * The family of a member.
 *
 * @throws {TypeError} If it is of none of them.
 */
export function familyOf(families: readonly Family[], member: FamilyMember): Family {
  const family = families.find(({ members }) => members.includes(member));
  if (family) return family;
  throw new TypeError(`${member.id} is a member of none of the families`);
}

/** Names that the row of a chain may have, most likely first. */
function memberNames(structure: Structure, chain: Chain): string[] {
  return [...chainNames(structure, chain), stem(structure.source), structure.id];
}

/** Names that the row of one chain of several may have. */
function chainNames(structure: Structure, chain: Chain): string[] {
  return [`${stem(structure.source)}_${chain.id}`, `${structure.id}_${chain.id}`];
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
  const { positions, mask } = pseudoBeta(chain);
  return distancesOf(positions, mask, clampAngstrom);
}

/**
 * The residues whose distances are learnt: those that are observed and whose letter is one of the 20 amino acids. Of X, and of
 * what stands for several (B, Z, J) or is read as another (U, O), the network sees no kind that it could learn about.
 *
 * @param there 1 where the atom is there, `[N_res]`.
 * @param sequence Letters of the target's row.
 */
export function learntResidues(there: Float32Array, sequence: string): Float32Array {
  return there.map((is, i) => isAminoAcidLetter(sequence[i]) ? is : 0);
}

/** The residues of an aligned row, capitals. */
export function rowSequence(aligned: string): string {
  return aligned.replaceAll("-", "").toUpperCase();
}

/** Residues of a sequence that are none of the 20 amino acids. */
export function unknownLetters(sequence: string): number {
  return Array.from(sequence).filter((letter) => !isAminoAcidLetter(letter)).length;
}

function isAminoAcidLetter(letter: string): boolean {
  const index = RESIDUE_LETTERS.indexOf(letter);
  return index >= 0 && index < UNKNOWN_RESIDUE;
}

/**
 * Distances between atoms, one a residue, clamped.
 *
 * @param positions Å, `[N_res, 3]`.
 * @param there 1 where the atom is there, `[N_res]`.
 * @param clampAngstrom Largest distance told apart. @default 20
 */
export function distancesOf(positions: Float32Array, there: Float32Array, clampAngstrom = 20): DistanceTarget {
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
