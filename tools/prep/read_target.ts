/** Reads the files of a target and sees that they speak of the same sequence. */
import type { Relation } from "../data/bounds.ts";
import { type Alignment, differenceOf, queryView, unlikeLetters } from "../data/alignment.ts";
import { stem } from "../data/file_kind.ts";
import { placeChain } from "../data/place_chain.ts";
import {
  fileAndLine,
  MORE_ROWS,
  type Remarked,
  type RemarkRow,
  remarkRow,
  remarkRows,
  warningsOf,
} from "../data/remarks.ts";
import { parseStructure } from "../data/read_structure.ts";
import { type Chain, selectChain, type Structure } from "../data/structure.ts";
import { InputError } from "../errors.ts";
import type { SourceFile, SourceReader } from "./sources.ts";

/** An alignment of a target. */
export interface TargetAlignment {
  /** Path of the file. */
  readonly path: string;
  /** Name of the target's row; without it, the first row is the target's. */
  readonly row?: string;
  /** Of a file with all chains of a complex, this chain's part: its place there, and which rows. @default it is no such file */
  readonly part?: { readonly chain: number; readonly rows: "own" | "paired" };
}

/** What is known of a target before its files are read. */
export interface TargetInput {
  /** Name. */
  readonly id: string;
  /** Its sequence, capitals. @default that of the first alignment, else of the structure */
  readonly sequence?: string;
  /** Where the sequence comes from, for messages: file and line. */
  readonly sequenceSource?: string;
  /** File and line that name it. */
  readonly place?: string;
  /** What a model shall learn to predict. */
  readonly label?: number;
  /** How the value stands to the label where that is a bound or an estimate. @default it is the label */
  readonly relation?: Relation;
  /** What is doubtful before any file is read. @default nothing */
  readonly remarks?: readonly RemarkRow[];
  /** Path of the structure. */
  readonly structure?: string;
  /**
   * Of the structure of a complex, the assembly whose chains are meant: its number, or {@linkcode ASYMMETRIC}. @default the chains
   * of the file
   */
  readonly assembly?: string;
  /** Name of the chain in the structure. @default the one that fits the sequence, else the longest */
  readonly chain?: string;
  /** Alignments, in the order in which their rows are taken. */
  readonly alignments?: readonly TargetAlignment[];
  /** Path of an HHR file with templates. */
  readonly hits?: string;
  /** Chains of a complex, each with its sequence, alignments and hits; beside them the structure of all. @default it is none */
  readonly chains?: readonly TargetInput[];
}

/** What the files of a target say. */
export interface TargetData {
  /** One letter a residue. */
  readonly sequence: string;
  /** The structure, if there is one. */
  readonly structure?: Structure;
  /** Its chain, laid along the sequence. */
  readonly chain?: Chain;
  /** Alignments as the target's row sees them, that row first. */
  readonly alignments: readonly Alignment[];
}

/** What stands for the chains as a file has them, where assemblies are asked for. */
export const ASYMMETRIC = "asymmetric";

/** Takes note of the files that are read, and of what is doubtful. */
export interface ReadingLog {
  /** Called with every file. */
  source(file: SourceFile): void;
  /** Called with a sentence that may be an error to those who want no doubts. */
  doubt(message: string): void;
  /** Called with a sentence that is worth knowing. */
  warn(message: string): void;
  /** Called with all that is unusual, for the table; what is worth a sentence is told besides. */
  remark(row: RemarkRow): void;
}

/** Takes note of the remarks on a file. */
export function noteRemarks(read: Remarked, log: ReadingLog): void {
  remarkRows(read).forEach(log.remark);
  warningsOf(read).forEach(log.warn);
}

/** Most rows that AlphaFold takes of the databases that it searches with jackhmmer. Source: AlphaFold's `run_alphafold`. */
const ROW_LIMITS: readonly (readonly [RegExp, number])[] = [[/uniref90/i, 10_000], [/mgnify/i, 501]];

/**
 * Reads the files of a target.
 *
 * The sequence of table or FASTA, the alignments' row and the structure must agree; the structure may lack residues.
 *
 * @throws {InputError} If a file cannot be read, there is none, or the sequences differ.
 */
export async function readTarget(target: TargetInput, reader: SourceReader, log: ReadingLog): Promise<TargetData> {
  const structure = target.structure === undefined
    ? undefined
    : await readSourceStructure(target.structure, reader, log);
  const views: Alignment[] = [];
  for (const { path, row, part } of target.alignments ?? []) {
    const limit = ROW_LIMITS.find(([name]) => name.test(stem(path)))?.[1] ?? Infinity;
    const { alignment, sha256 } = part
      ? await partOf(path, part, reader)
      : await reader.alignment(path, { keep: row !== undefined, maxRows: limit });
    log.source({ path, sha256 });
    noteRemarks(alignment, log);
    const view = viewOf(alignment, row, target);
    views.push(view.rows.length > limit ? firstRows(view, limit) : view);
    const rows = view.rows.length + (alignment.remarks?.find(({ key }) => key === MORE_ROWS.key)?.count ?? 0);
    if (rows > limit) {
      const done = `the first ${limit} are taken, as AlphaFold does`;
      log.remark(
        remarkRow({
          kind: "rowLimit",
          file: path,
          found: `${rows} rows`,
          count: rows - limit,
          unit: "row",
          done,
          isLeftOut: true,
        }),
      );
      log.warn(`Of ${path} the first ${limit} of ${rows} rows are taken, as AlphaFold does`);
    }
  }
  const known = target.sequence ?? views[0]?.rows[0];
  const chain = structure && chooseChain(structure, target, known, log);
  const sequence = known ?? chain?.sequence;
  if (sequence === undefined) {
    throw new InputError(
      `There is nothing of ${target.id} but its name, expected a sequence, an alignment or a structure`,
    );
  }
  for (const view of views) {
    const difference = differenceOf(view.rows[0], sequence);
    if (difference === undefined) {
      const unlike = unlikeLetters(view.rows[0], sequence);
      if (unlike !== undefined) {
        const found = `the row "${view.names[0]}": ${unlike}`;
        log.remark(
          remarkRow({ kind: "unlikeLetters", file: view.source, found, unit: "row", done: "the row is taken" }),
        );
        log.warn(`The row "${view.names[0]}" of ${view.source}: ${unlike}: the row is taken`);
      }
      continue;
    }
    const owner = target.sequenceSource ?? views[0].source;
    throw new InputError(`The row "${view.names[0]}" of ${view.source} is not the sequence of ${owner}: ${difference}`);
  }
  const unknown = unknownResidues(sequence);
  if (unknown.count > 0) {
    const source = target.sequence === undefined ? views[0]?.source ?? structure?.source : target.sequenceSource;
    const found = `residues that are none of the 20 amino acids (${unknown.text})`;
    log.remark(
      remarkRow({
        ...{ kind: "unknownLetters", ...fileAndLine(source ?? target.id), found, count: unknown.count },
        ...{ unit: "residue", done: "kept as X" },
      }),
    );
    log.doubt(
      `${
        source === undefined ? "" : `${source}: `
      }${unknown.count} of ${sequence.length} residues are none of the 20 ` +
        `amino acids (${unknown.text}); they are kept as X`,
    );
  }
  return { sequence, structure, chain, alignments: views };
}

/** A chain's part of the alignment of a complex. */
async function partOf(path: string, { chain, rows }: NonNullable<TargetAlignment["part"]>, reader: SourceReader) {
  const { parts, sha256 } = await reader.complex(path);
  const alignment = parts[chain]?.[rows];
  if (alignment) return { alignment, sha256 };
  throw new InputError(`${path} has no ${rows} rows of a chain ${chain + 1} any more`);
}

/** Most places of a letter that are told. */
const TOLD_PLACES = 3;

/** Residues that are none of the 20 amino acids, and where: `U at 4, X at 7, 9, 10 …`. */
function unknownResidues(sequence: string): { count: number; text: string } {
  const places = Map.groupBy(sequence.matchAll(/[^ARNDCQEGHILKMFPSTWYV]/g), ([letter]) => letter);
  const texts = Array.from(places, ([letter, found]) => {
    const told = found.slice(0, TOLD_PLACES).map(({ index }) => index + 1).join(", ");
    return `${letter} at ${told}${found.length > TOLD_PLACES ? " …" : ""}`;
  });
  return { count: Array.from(places.values()).reduce((sum, found) => sum + found.length, 0), text: texts.join(", ") };
}

/**
 * Reads a structure.
 *
 * @param assembly Of which the chains are read. @default the chains as they stand
 * @throws {InputError} If it cannot be read.
 */
export async function readSourceStructure(
  path: string,
  reader: SourceReader,
  log: ReadingLog,
  assembly?: string,
): Promise<Structure> {
  const { bytes, sha256 } = await reader.read(path);
  log.source({ path, sha256 });
  const structure = await parseStructure(bytes, path, { assembly: assembly === ASYMMETRIC ? undefined : assembly });
  noteRemarks(structure, log);
  return structure;
}

/** The alignment as the target's row sees it, that row first. */
function viewOf(alignment: Alignment, row: string | undefined, { id }: TargetInput): Alignment {
  if (row === undefined) return alignment;
  const index = alignment.names.indexOf(row);
  if (index < 0) throw new InputError(`${alignment.source} has no row "${row}" for ${id}`);
  const { rows, deletions } = queryView(alignment.aligned, index);
  const first = <T>(
    values: readonly T[],
  ): T[] => [values[index], ...values.slice(0, index), ...values.slice(index + 1)];
  return {
    source: alignment.source,
    names: first(alignment.names),
    aligned: first(alignment.aligned),
    rows: first(rows),
    deletions: first(deletions),
  };
}

function firstRows(alignment: Alignment, count: number): Alignment {
  const { source, names, aligned, rows, deletions } = alignment;
  return {
    source,
    names: names.slice(0, count),
    aligned: aligned.slice(0, count),
    rows: rows.slice(0, count),
    deletions: deletions.slice(0, count),
  };
}

/** The chain that was named or fits, laid along the sequence. */
function chooseChain(
  structure: Structure,
  { id, chain: name, sequenceSource }: TargetInput,
  sequence: string | undefined,
  log: ReadingLog,
): Chain {
  const { chains, source } = structure;
  const named = name ?? chainOfId(id, structure);
  if (sequence === undefined) {
    if (named !== undefined || chains.length === 1) return selectChain(structure, named);
    const longest = chains.reduce((best, chain) => chain.sequence.length > best.sequence.length ? chain : best);
    if (chains.some((chain) => chain.sequence !== longest.sequence)) {
      const there = chains.map((chain) => `${chain.id} (${chain.sequence.length})`).join(", ");
      const done = `the longest, ${longest.id}, is taken`;
      const found = `the chains ${there}`;
      log.remark(
        remarkRow({ kind: "severalChains", file: source, found, count: chains.length, unit: "chain", done }),
      );
      log.doubt(`${source} has ${found}; ${done}`);
    }
    return longest;
  }
  const candidates = named === undefined ? chains : [selectChain(structure, named)];
  for (const chain of candidates) if (chain.sequence === sequence) return chain;
  for (const chain of candidates) {
    const placed = placeChain(chain, sequence);
    if (placed) return placed;
  }
  const owner = sequenceSource ?? "the alignment";
  if (candidates.length > 1) {
    throw new InputError(`None of the ${chains.length} chains of ${source} fits the sequence of ${owner}`);
  }
  const [{ id: chainId, sequence: found }] = candidates;
  let at = 0;
  while (at < found.length && at < sequence.length && found[at] === sequence[at]) at++;
  throw new InputError(
    `Chain ${chainId} of ${source} (${found.length} residues) does not fit the sequence of ${owner} ` +
      `(${sequence.length} residues), even with residues missing: residue ${at + 1} is ${found[at] ?? "missing"}, ` +
      `expected ${sequence[at] ?? "no more"}`,
  );
}

/** The chain that an id such as `1abc_A` names, if the structure has it. */
function chainOfId(id: string, { chains }: Structure): string | undefined {
  const suffix = /_([A-Za-z0-9]{1,4})$/.exec(id)?.[1];
  return suffix !== undefined && chains.some((chain) => chain.id === suffix || chain.labelId === suffix)
    ? suffix
    : undefined;
}
