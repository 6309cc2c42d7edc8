/** From what the user names on the command line to targets and their files. */
import { resolve } from "node:path";
import { linesOf } from "../data/_lines.ts";
import { isClustalTitle } from "../data/clustal.ts";
import { type FileKind, fileKind, hasGaps, stem } from "../data/file_kind.ts";
import { InputError } from "../errors.ts";
import { readPiecesMaybeGzip } from "../files.ts";
import { isOfComplex, withComplexAlignments } from "./complex_alignments.ts";
import { assemblyTargets } from "./assembly_targets.ts";
import { NameIndex } from "../name_index.ts";
import { type CollectedTarget, fastaTargets, tableTargets } from "./list_targets.ts";
import type { TargetAlignment } from "./read_target.ts";
import { filesOf } from "./walk.ts";

/** What the inputs amount to. */
export interface Collected {
  /** Targets, in the order of the table or the FASTA files, else by name. */
  readonly targets: readonly CollectedTarget[];
  /** Paths of structures that may be templates, by PDB code in lower case. */
  readonly templates: ReadonlyMap<string, string>;
  /** Files that no target uses, a sentence each. */
  readonly notes: readonly string[];
}

/** Names that searches (`denofold msa`, AlphaFold's, OpenFold's) give files of a target; the folder has its name. */
const SEARCH_RESULTS =
  /_(?:hits|output)$|^(?:uniref|bfd|small_bfd|mgnify|uniclust|uniprot|pdb70|pdb_|colabfold_env|hhsearch|hmm)\w*$/i;

/** Folders inside a target's. */
const INNER_FOLDERS = /^(?:msas?|alignments|a3m|templates|hits)$/i;

/** Order in which AlphaFold joins its alignments. */
const DATABASE_ORDER = [/uniref90/i, /bfd|uniclust|uniref30/i, /mgnify/i];

/**
 * Finds the targets among files and folders, and the files of each.
 *
 * A table or FASTA files say which targets there are; without one the structures do, without those the alignments.
 * Files belong to a target by their name, or that of the folder they lie in; an alignment also if one of its rows bears
 * the target's name. With one target all alignments and hits are its own.
 *
 * @param inputs Files and folders.
 * @param options.templates Files and folders of structures that may only be templates.
 * @param options.label Name of the table's column with the labels.
 * @param options.needLabel Whether every row of the table must have a label. @default false
 * @param options.joinRows Whether rows of one name are one target, instead of a fault. @default false
 * @param options.complexes Whether chains with `:` between them are one target, a complex; else each is one. @default false
 * @param options.asOne Whether all sequences of a FASTA file are the chains of one complex, named after the file. @default false
 * @param options.assembly Which assembly's chains the structure of a complex has; structures that no list names are complexes
 * of these chains. @default structures that no list names are single chains
 * @param options.once Whether what is listed twice, under one name with one sequence, is one target. @default false
 * @throws {InputError} If an input cannot be read, is of no known kind, or there is no target.
 */
export async function collectTargets(
  inputs: readonly string[],
  options: {
    readonly templates?: readonly string[];
    readonly label?: string | false;
    readonly needLabel?: boolean;
    readonly joinRows?: boolean;
    readonly complexes?: boolean;
    readonly asOne?: boolean;
    readonly assembly?: string;
    readonly once?: boolean;
  } = {},
): Promise<Collected> {
  const files: Record<FileKind, string[]> = { structure: [], alignment: [], fasta: [], hits: [], table: [] };
  const seen = new Set<string>();
  for (const input of inputs) {
    for (const path of await filesOf(input)) {
      if (seen.has(resolve(path))) continue;
      seen.add(resolve(path));
      const kind = await contentKind(path);
      if (kind !== undefined) files[kind].push(path);
      else if (path === input) {
        throw new InputError(
          `${path} is of no known kind: expected a table (.csv, .tsv), sequences (.fasta), alignments (.a3m, .sto), ` +
            "structures (.cif, .bcif, .pdb), hits (.hhr) or folders of these",
        );
      }
    }
  }
  const { asOne = false, assembly } = options, complexes = options.complexes || asOne || assembly !== undefined;
  const rows = await tableTargets(files.table, options);
  const all = [...options.joinRows ? joined(rows) : rows, ...await fastaTargets(files.fasta, asOne)];
  const named = options.once ? eachOnce(all) : all;
  const ofComplexes: string[] = [];
  if (complexes) {
    for (const path of files.alignment) if (await isOfComplex(path)) ofComplexes.push(path);
    files.alignment = files.alignment.filter((path) => !ofComplexes.includes(path));
  }
  const nameOf = (path: string, names: readonly string[]) =>
    names.length === 0
      ? ownNames(path)[0]
      : new NameIndex(names).find(...ownNames(path)) ?? (names.length === 1 ? names[0] : undefined);
  const { targets: listed, unused } = await withComplexAlignments(named, ofComplexes, nameOf, {
    makeTargets: named.length === 0 && files.structure.length === 0,
  });
  if (assembly !== undefined && listed.length === 0) {
    for (const path of files.structure) listed.push(...await assemblyTargets(path, assembly));
  }
  const { targets, templates, notes } = complexes
    ? await attachComplexes(listed, files, assembly)
    : await attach(listed, files);
  for (const path of options.templates ?? []) {
    for (const file of await filesOf(path)) {
      const code = pdbCode(file);
      if (fileKind(file) === "structure" && code && !templates.has(code)) templates.set(code, file);
    }
  }
  if (targets.length === 0) throw new InputError(`There is no target in ${inputs.join(", ")}`);
  return { targets: withProblems(targets), templates, notes: [...notes, ...noteOf("alignments of complexes", unused)] };
}

/** A file's kind by its ending; a FASTA file with gaps is an alignment. */
export async function contentKind(path: string): Promise<FileKind | undefined> {
  const kind = fileKind(path);
  if (kind !== "fasta") return kind;
  for await (const { text } of linesOf(readPiecesMaybeGzip(path), path)) {
    if (hasGaps(text)) return "alignment";
  }
  return "fasta";
}

/** Gives targets their files, and puts the chains of complexes together; chains of one sequence have one set of files. */
async function attachComplexes(
  listed: readonly CollectedTarget[],
  files: Readonly<Record<FileKind, readonly string[]>>,
  assembly: string | undefined,
) {
  const names = new NameIndex(new Set(listed.flatMap(({ complex }) => complex ?? [])));
  const structures = byTarget(files.structure, (path) => names.find(stem(path), pdbStem(path)));
  const keyOf = ({ complex, sequence, id }: CollectedTarget) => complex === undefined ? id : `${complex}\0${sequence}`;
  const firsts = new Map<string, CollectedTarget>();
  for (const target of listed) if (!firsts.has(keyOf(target))) firsts.set(keyOf(target), target);
  const isFirst = (target: CollectedTarget) => target.complex === undefined || firsts.get(keyOf(target)) === target;
  const own = listed.filter(isFirst);
  // A copy's files say what those of the first say.
  const everyName = new NameIndex(listed.map(({ id }) => id)), copies = listed.filter((target) => !isFirst(target));
  const isOfCopy = (path: string) => copies.some(({ id }) => id === everyName.find(...ownNames(path)));
  const { targets, ...rest } = await attach(own, {
    ...files,
    structure: structures.others,
    alignment: files.alignment.filter((path) => !isOfCopy(path)),
    hits: files.hits.filter((path) => !isOfCopy(path)),
  });
  if (listed.length === 0) return { targets, ...rest };
  const filesOf = new Map(
    targets.filter(({ complex }) => complex !== undefined).map((target) => [keyOf(target), target]),
  );
  const chainsOf = Map.groupBy(listed.filter(({ complex }) => complex !== undefined), ({ complex }) => complex!);
  const told = new Set<string>();
  const singles = new Map(own.map((target, k) => [target, targets[k]]));
  const found = listed.flatMap((target): CollectedTarget[] => {
    const { complex } = target;
    if (complex === undefined) return [singles.get(target)!];
    if (told.has(complex)) return [];
    told.add(complex);
    const given = chainsOf.get(complex)!;
    const chains = given.map((chain) => ({ ...filesOf.get(keyOf(chain))!, id: chain.id, chain: chain.chain }));
    const [structure, ...more] = structures.found.get(complex) ?? [];
    const problem = [...given, ...chains].find(({ problem }) => problem !== undefined)?.problem ??
      (more.length > 0 ? `There are several structures of it: ${[structure, ...more].join(", ")}` : undefined);
    const others = target.others?.map((other) => ({ ...other.whole, id: complex, place: other.place }));
    return [{
      ...target.whole,
      ...{ id: complex, chains, place: target.place, problem, structure },
      ...(structure && { assembly }),
      ...(others && { others }),
    }];
  });
  return { targets: found, ...rest };
}

/** Gives every target its files. */
async function attach(
  listed: readonly CollectedTarget[],
  files: Readonly<Record<FileKind, readonly string[]>>,
): Promise<{ targets: CollectedTarget[]; templates: Map<string, string>; notes: string[] }> {
  const ids = listed.length > 0
    ? listed
    : files.structure.length > 0
    ? files.structure.map((path): CollectedTarget => ({ id: stem(path), structure: path }))
    : unique(files.alignment.map((path) => ownNames(path)[0])).map((id): CollectedTarget => ({ id }));
  const names = new NameIndex(ids.map(({ id }) => id));
  const structures = byTarget(files.structure, (path) => names.find(stem(path), pdbStem(path)));
  const alignments = byTarget(files.alignment, (path) => names.find(...ownNames(path)));
  const hits = byTarget(files.hits, (path) => names.find(...ownNames(path)));
  const ofCode = Map.groupBy(files.structure, (path) => pdbStem(path).toLowerCase());
  const { rows, unused, unreadable } = await rowsOfFamilies(alignments.others, names);
  // With one target there is no doubt whose they are.
  const own = ids.length === 1 ? { alignments: unused, hits: hits.others } : { alignments: [], hits: [] };
  const used = new Set<string>();
  const targets = ids.map((target): CollectedTarget => {
    const { id } = target;
    const found = target.structure === undefined
      ? structures.found.get(id) ?? ofCode.get(codeOf(id) ?? "") ?? []
      : [target.structure];
    const [hit, ...moreHits] = [...hits.found.get(id) ?? [], ...own.hits];
    for (const path of found) used.add(path);
    const problem = target.problem ??
      (found.length > 1 ? `There are several structures of it: ${found.join(", ")}` : undefined) ??
      (moreHits.length > 0 ? `There are several files of hits of it: ${[hit, ...moreHits].join(", ")}` : undefined);
    const whole = [...alignments.found.get(id) ?? [], ...own.alignments].map((path): TargetAlignment => ({ path }));
    const all = inDatabaseOrder([...target.alignments ?? [], ...whole, ...rows.get(id) ?? []]);
    return { ...target, structure: found[0], alignments: all, hits: hit, problem };
  });
  const left = files.structure.filter((path) => !used.has(path));
  const templates = new Map<string, string>();
  if (files.hits.length > 0) {
    for (const path of left) {
      const code = pdbCode(path);
      if (code && !templates.has(code)) templates.set(code, path);
    }
  }
  const others = new Set(templates.values());
  const notes = [
    ...unreadable,
    ...noteOf("structures", left.filter((path) => !others.has(path))),
    ...noteOf("alignments", ids.length === 1 ? [] : unused),
    ...noteOf("files of hits", ids.length === 1 ? [] : hits.others),
  ];
  return { targets, templates, notes };
}

/** A sentence on files that belong to no target. */
function noteOf(kind: string, paths: readonly string[]): string[] {
  if (paths.length === 0) return [];
  const more = paths.length > 3 ? `, … (${paths.length})` : "";
  return [`${kind} that belong to no target: ${paths.slice(0, 3).join(", ")}${more}`];
}

/** PDB code (lower case) of a target that is named by one and a chain. */
function codeOf(id: string): string | undefined {
  return /^([0-9][A-Za-z0-9]{3})_[A-Za-z0-9]{1,4}$/.exec(id)?.[1].toLowerCase();
}

/** Alignments with a row named after a target, for each target; those without one, or that cannot be read, are unused. */
async function rowsOfFamilies(paths: readonly string[], names: NameIndex) {
  const rows = new Map<string, TargetAlignment[]>();
  const unused: string[] = [];
  const unreadable: string[] = [];
  for (const path of paths) {
    let rowsThere: ReadonlySet<string>;
    try {
      rowsThere = await rowNames(path);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      unreadable.push(error.message);
      continue;
    }
    const found = new Map<string, string>(); // the first row of each target
    for (const row of rowsThere) {
      const id = names.find(row, stem(row));
      if (id !== undefined && !found.has(id)) found.set(id, row);
    }
    for (const [id, row] of found) append(rows, id, { path, row });
    if (found.size === 0) unused.push(path);
  }
  return { rows, unused, unreadable };
}

/** Names of the rows of an alignment, without reading their letters. */
async function rowNames(path: string): Promise<Set<string>> {
  const names = new Set<string>();
  let row: RegExp | undefined;
  for await (const { text } of linesOf(readPiecesMaybeGzip(path), path)) {
    if (text.trim() === "") continue;
    if (row === undefined && isClustalTitle(text)) {
      row = /^(\S+)\s+\S/;
      continue;
    }
    row ??= text.startsWith("# STOCKHOLM") ? /^([^#/\s]\S*)\s/ : /^>\s*(\S+)/;
    const name = row.exec(text)?.[1];
    if (name !== undefined) names.add(name);
  }
  return names;
}

/** Names that a file of results may have its target's from, most likely first. */
function ownNames(path: string): string[] {
  const folders = path.split(/[\\/]/).slice(0, -1).filter((name) => !INNER_FOLDERS.test(name));
  const folder = folders.at(-1);
  const isFolder = folder !== undefined && folder !== "" && !/^\.+$/.test(folder);
  const name = stem(path);
  if (!isFolder) return [name];
  return SEARCH_RESULTS.test(name) ? [folder, name] : [name, folder];
}

/** Files by the target that they belong to, and those that belong to none. */
function byTarget(paths: readonly string[], targetOf: (path: string) => string | undefined) {
  const found = new Map<string, string[]>();
  const others: string[] = [];
  for (const path of paths) {
    const id = targetOf(path);
    if (id === undefined) others.push(path);
    else append(found, id, path);
  }
  return { found, others };
}

function append<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

function inDatabaseOrder(alignments: readonly TargetAlignment[]): TargetAlignment[] {
  const rank = ({ path }: TargetAlignment): number => {
    const found = DATABASE_ORDER.findIndex((database) => database.test(stem(path)));
    return found < 0 ? DATABASE_ORDER.length : found;
  };
  return alignments.toSorted((a, b) => rank(a) - rank(b));
}

/** `1abc` of `pdb1abc.ent`, as the PDB's own archive names files. */
function pdbStem(path: string): string {
  return stem(path).replace(/^pdb(?=[0-9][A-Za-z0-9]{3}$)/i, "");
}

/** PDB code (lower case) that a file's name begins with. */
function pdbCode(path: string): string | undefined {
  return /^(?:pdb)?([0-9][a-z0-9]{3})(?![a-z0-9])/i.exec(stem(path))?.[1].toLowerCase();
}

/** Rows of a table with those of one name as one, which has the others beside it. */
function joined(rows: readonly CollectedTarget[]): CollectedTarget[] {
  const ofId = Map.groupBy(rows, ({ id, problem }) => problem === undefined ? id : Symbol());
  return [...ofId.values()].map(([first, ...others]): CollectedTarget => {
    if (!others.length) return first;
    const { id, place } = first;
    const odd = others.find(({ sequence, chain }) => sequence !== first.sequence || chain !== first.chain);
    const problem = odd && `The rows of "${id}" have different sequences or chains: ${place}, ${odd.place}`;
    return { ...first, others, ...(problem !== undefined && { problem }) };
  });
}

/** Targets, and chains of complexes, without those that were there before with the same sequence. */
function eachOnce(targets: readonly CollectedTarget[]): CollectedTarget[] {
  const seen = new Set<string>();
  return targets.filter(({ id, complex, sequence, problem }) => {
    const key = JSON.stringify([complex, id, sequence]), isNew = problem !== undefined || !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** Marks targets whose names are used twice. */
function withProblems(targets: readonly CollectedTarget[]): CollectedTarget[] {
  const byId = Map.groupBy(targets.filter(({ problem }) => problem === undefined), ({ id }) => id);
  return targets.map((target) => {
    const same = byId.get(target.id) ?? [];
    if (target.problem !== undefined || same.length <= 1) return target;
    const where = same.map(({ id, place, structure }) => `"${id}" (${place ?? structure})`);
    return { ...target, problem: `The id "${target.id}" is not unique: ${where.join(", ")}` };
  });
}

function unique(names: readonly string[]): string[] {
  return [...new Set(names)];
}
