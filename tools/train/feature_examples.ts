/** Examples, alignments and chains of the feature files that `denofold prep` makes. */
import { join } from "node:path";
import { alphabetical } from "../words.ts";
import { type Alignment, encodeTokens, makeAlignment } from "../data/alignment.ts";
import { HHBLITS_LETTERS } from "../data/features/msa.ts";
import { distancesOf, learntResidues } from "../data/family.ts";
import type { Chain } from "../data/structure.ts";
import { InputError } from "../errors.ts";
import { NameIndex } from "../name_index.ts";
import { type FeatureFile, parseFeatureFile, readFeatureFile } from "../prep/feature_file.ts";
import { readManifest } from "../prep/manifest.ts";
import { readSplitRecords } from "../split/records.ts";
import type { BadTarget, Example } from "./examples.ts";

/** Rows of an alignment that are kept: batches draw from them. */
const MOST_ROWS = 512;

/** A feature file of a folder. */
export interface FeatureEntry {
  /** Name of the target. */
  readonly id: string;
  /** The file. */
  readonly path: string;
}

/**
 * The feature files of a folder: those that its manifest says are made, else all that are called `.safetensors`.
 *
 * @throws {InputError} If there is none.
 */
export async function featureEntries(folder: string): Promise<FeatureEntry[]> {
  const isFolder = await Deno.stat(folder).then((info) => info.isDirectory, () => false);
  if (!isFolder) {
    throw new InputError(`Cannot read ${folder}: there is no such folder, expected one of \`denofold prep\``);
  }
  const manifest = await readManifest(folder);
  const entries: FeatureEntry[] = [];
  for (const { id, status, file } of manifest.values()) {
    if (status === "ok" && file !== undefined) entries.push({ id, path: join(folder, file) });
  }
  if (manifest.size === 0) {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory || !name.endsWith(".safetensors")) continue;
      entries.push({ id: name.replace(/\.safetensors$/, ""), path: join(folder, name) });
    }
  }
  if (entries.length > 0) return entries.sort((a, b) => alphabetical(a.id, b.id));
  throw new InputError(`${folder} has no feature file: expected a folder that \`denofold prep\` wrote`);
}

/**
 * Names in a list: a table with a column id, FASTA, or a text with a name a line.
 *
 * @throws {InputError} If it cannot be read or names nothing.
 */
export async function readNames(path: string): Promise<{ name: string; place: string }[]> {
  if (/\.(?:txt|list|lst)$/i.test(path)) {
    const lines = (await readText(path)).split(/\r?\n/);
    const names = lines.flatMap((line, i) => {
      const name = line.trim();
      return name === "" || name.startsWith("#") ? [] : [{ name, place: `${path} line ${i + 1}` }];
    });
    if (names.length > 0) return names;
    throw new InputError(`${path} names nothing, expected a name a line`);
  }
  const { records } = await readSplitRecords(path);
  const seen = new Set<string>();
  return records.flatMap(({ id, place, sequences }) => {
    if (seen.has(id)) return [];
    seen.add(id);
    return [{ name: id, place, chains: sequences.length }];
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    throw new InputError(`Cannot read ${path}: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Those of `there` that a list names, by the rules of `NameIndex`; a name also means all of its chains, `NAME_A`, `NAME_B`.
 *
 * @returns What was found, and the names of the list that mean nothing.
 */
export function chosen<T extends { readonly id: string }>(
  there: readonly T[],
  names: readonly { readonly name: string; readonly place: string }[],
): { found: T[]; missing: BadTarget[] } {
  const index = new NameIndex(there.map(({ id }) => id));
  const byId = new Map(there.map((one) => [one.id, one]));
  const found = new Set<T>();
  const missing: BadTarget[] = [];
  for (const { name, place } of names) {
    const id = index.find(name);
    const own = id === undefined ? there.filter((one) => isChainOf(one.id, name)) : [byId.get(id)!];
    own.forEach((one) => found.add(one));
    if (own.length === 0) missing.push({ id: name, reason: `${place}: there is no "${name}"` });
  }
  return { found: there.filter((one) => found.has(one)), missing };
}

function isChainOf(id: string, name: string): boolean {
  return id.length <= name.length + 5 && id.toLowerCase().startsWith(`${name.toLowerCase()}_`);
}

/**
 * Reads feature files as examples; what cannot be learnt from comes with the reason.
 *
 * @param seqLen Most residues. @default any number
 */
export async function featureExamples(
  entries: readonly FeatureEntry[],
  seqLen: number = Infinity,
): Promise<{ examples: Example[]; bad: BadTarget[] }> {
  const examples: Example[] = [];
  const bad: BadTarget[] = [];
  for (const { id, path } of entries) {
    try {
      examples.push(exampleOf(await readFeatureFile(path), path, seqLen));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      bad.push({ id, reason: error.message });
    }
  }
  return { examples, bad };
}

function exampleOf(file: FeatureFile, source: string, seqLen: number): Example {
  const { id, sequence, supervised } = file;
  const n = sequence.length;
  if (supervised === undefined) {
    throw new InputError(`${source}: ${id} has no structure to learn from; give \`denofold prep\` its structure`);
  }
  if (n > seqLen) throw new InputError(`${source}: ${id} has ${n} residues, more than --seq-len ${seqLen} allows`);
  const { pseudo_beta: positions, pseudo_beta_mask } = supervised;
  const mask = learntResidues(pseudo_beta_mask, sequence);
  const known = mask.reduce((sum, there) => sum + there, 0);
  if (known < 2) {
    throw new InputError(
      `${source}: the structure of ${id} shows ${known} C-beta atoms of known residues, expected 2 or more`,
    );
  }
  const tokens = tokensOf(file);
  return {
    ...{
      id,
      source,
      sequence,
      depth: tokens.length / n,
      identity: [id, sequence, Float32Array.from(tokens), positions, mask],
    },
    sample: () => ({
      ...{ numSeqs: tokens.length / n, numRes: n, tokens: Int32Array.from(tokens) },
      ...distancesOf(positions, mask),
    }),
    target: {
      rows: file.features.num_alignments[0],
      resolutionAngstrom: supervised.resolution[0],
      features: () => parseFeatureFile(Deno.readFileSync(source), source),
    },
  };
}

/** Tokens of the small model, the target's row first, `[N_seq, N_res]`. */
function tokensOf(file: FeatureFile): Uint8Array {
  return Uint8Array.from(encodeTokens(rowsOf(file, MOST_ROWS)));
}

function rowsOf({ features: { msa }, sequence: { length: n } }: FeatureFile, most: number): string[] {
  const count = Math.min(most, msa.length / n);
  return Array.from({ length: count }, (_, row) => {
    let text = "";
    for (let i = 0; i < n; i++) text += HHBLITS_LETTERS[msa[row * n + i]];
    return text;
  });
}

/** The alignment of a feature file; rows are called by their numbers, since feature files do not keep their names. */
export function featureAlignment(file: FeatureFile, source: string): Alignment {
  const rows = rowsOf(file, Infinity);
  return makeAlignment(source, rows.map((_, row) => row === 0 ? file.id : `row_${row + 1}`), rows);
}

/** The chain of a feature file whose target has a structure. */
export function featureChain({ id, sequence, chain, supervised }: FeatureFile): Chain | undefined {
  if (supervised === undefined) return undefined;
  const { all_atom_positions: atomPositions, all_atom_mask: atomMask } = supervised;
  return Object.freeze({
    ...{ id: chain ?? id, labelId: chain ?? id, sequence, atomPositions, atomMask },
    residueNumbers: Int32Array.from(sequence, (_, i) => i + 1),
    insertionCodes: Array.from(sequence, () => ""),
    bFactors: new Float32Array(atomMask.length),
  });
}
