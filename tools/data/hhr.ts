/**
 * Reads what HHsearch found: HHR files.
 *
 * Source: HH-suite user guide, "HHsearch/HHblits output: hit list and pairwise alignments".
 */
import { InputError } from "../errors.ts";
import { HitFault, readHits } from "./_hits.ts";
import { splitLines } from "./_lines.ts";
import { type Remark, Remarks } from "./remarks.ts";

/** One alignment of the query with a structure's sequence. */
export interface HhrHit {
  /** Number in the file, from 1. */
  readonly index: number;
  /** Name and description of the template. */
  readonly name: string;
  /** Probability that the two are homologous, in %. */
  readonly probability: number;
  /** Expected number of such hits by chance. */
  readonly eValue: number;
  /** Score of the alignment. */
  readonly score: number;
  /** Columns in which both have a residue, as the program counts them. */
  readonly alignedColumns: number;
  /** Identical residues, in %. */
  readonly identities: number;
  /** Average score of the substitutions. */
  readonly similarity: number;
  /** Sum of the probabilities that residues are aligned; 0 where the file has none. */
  readonly sumProbs: number;
  /** Diversity of the template's alignment, if the file has it. */
  readonly templateNeff?: number;
  /** Aligned residues of the query, with `-`. */
  readonly query: string;
  /** Aligned residues of the template, with `-`. */
  readonly hitSequence: string;
  /** Index of each residue in the query, from 0; -1 at a gap. */
  readonly queryIndices: Int32Array;
  /** Index of each residue in the template, from 0; -1 at a gap. */
  readonly hitIndices: Int32Array;
  /** Residues of the template. */
  readonly hitLength: number;
}

/** A file of hits. */
export interface Hhr {
  /** File it was read from, for messages. */
  readonly source: string;
  /** Name of the query. */
  readonly query: string;
  /** Residues of the query, as the file says. */
  readonly queryLength?: number;
  /** Alignments, in the file's order. */
  readonly hits: readonly HhrHit[];
  /** What was unusual in the file, and what was done about it. @default nothing */
  readonly remarks?: readonly Remark[];
}

const NO_NUMBER = { key: "noNumber", done: "read as 0", unit: "hit" } as const;

/** One line of an alignment: first residue, letters, last residue, length of the sequence. */
const ALIGNED = /^\s*(\d+)\s+([A-Za-z-]+)\s+(\d+)\s+\((\d+)\)\s*$/;

/** Where the letters begin, after `Q ` or `T ` and a name of 14 characters. */
const NAME_END = 17;

/** Names of lines that say something about the residues above or below them. */
const ANNOTATION = /^(?:ss|sa)_(?:pred|conf|dssp)$/;

/** Name of the line of a profile's consensus, and of sequences that are called so. */
const CONSENSUS = "Consensus";

/** Letters of a name that the lines have. */
const NAME_LENGTH = 14;

/** No sequence is as long as this. */
const MOST_RESIDUES = 1e7;

/** One of the two sequences, while lines are read. */
interface Side {
  /** Whether it is called Consensus itself. */
  readonly isConsensus: boolean;
  /** Whether its line of this block was read. */
  isDone: boolean;
  letters: string;
  indices: number[];
  length: number;
}

/**
 * Reads an HHR file; a file without hits is read as such. A hit that is cut short or does not fit its numbers is left out with
 * a remark.
 *
 * @throws {InputError} If it is empty or not HHR, or none of its hits can be read; the message names the line.
 */
export function parseHhr(text: string, source: string): Hhr {
  const lines = splitLines(text);
  if (text.trim() === "") throw new InputError(`${source} is empty, expected HHR`);
  const first = lines.findIndex((line) => line.trim() !== "");
  if (!lines[first].startsWith("Query")) {
    throw new InputError(
      `${source} line ${first + 1}: found ${JSON.stringify(lines[first].slice(0, 40))}, expected "Query" and a name`,
    );
  }
  const starts = lines.flatMap((line, at) => line.startsWith("No ") ? [at] : []);
  const length = /^Match_columns\s+(\d{1,9})\s*$/m.exec(lines.slice(0, starts[0]).join("\n"))?.[1];
  const query = lines[first].slice("Query".length).trim();
  const remarks = new Remarks();
  const hits = readHits(starts, source, remarks, (start, k) => {
    return parseHit(lines, start, starts[k + 1] ?? lines.length, query, remarks);
  });
  return Object.freeze({
    ...{ source, query, queryLength: length === undefined ? undefined : Number(length), hits: Object.freeze(hits) },
    ...remarks.field(),
  });
}

function parseHit(lines: readonly string[], start: number, end: number, query: string, remarks: Remarks): HhrHit {
  const fail = (at: number, expected: string): never => {
    const found = at < end ? JSON.stringify(lines[at].slice(0, 60)) : "the end of the alignment";
    throw new HitFault(Math.min(at, end - 1) + 1, `found ${found}, expected ${expected}`);
  };
  const index = /^No\s+(\d{1,9})\s*$/.exec(lines[start]) ?? fail(start, '"No" and a number');
  const nameLine = start + 1;
  if (nameLine >= end || !lines[nameLine].startsWith(">")) fail(nameLine, '">" and the name of the template');
  const facts = factsOf(lines[start + 2] ?? "");
  const fact = (key: string, expression = /^[-+.\deE]+$/): number => {
    const written = facts.get(key);
    const value = Number(written?.replace(/%$/, ""));
    if (written === undefined || !expression.test(written) || !Number.isFinite(value)) {
      fail(start + 2, `${key}= and a number`);
    }
    return value;
  };
  const orZero = (key: string): number | undefined => {
    if (!/^[-+]?nan$/i.test(facts.get(key) ?? "")) return facts.has(key) ? fact(key) : undefined;
    remarks.add(NO_NUMBER, start + 3, () => `${key} of hit ${index[1]} is ${facts.get(key)}`);
    return 0;
  };

  const name = lines[nameLine].slice(1).trimEnd();
  const sides = {
    Q: { isConsensus: isConsensus(query), isDone: false, letters: "", indices: [], length: 0 } as Side,
    T: { isConsensus: isConsensus(name), isDone: false, letters: "", indices: [], length: 0 } as Side,
  };
  for (let at = start + 3; at < end; at++) {
    const line = lines[at];
    if (line.trim() === "") sides.Q.isDone = sides.T.isDone = false; // the next block
    if (!/^[QT] /.test(line)) continue;
    const side = sides[line[0] as "Q" | "T"];
    const label = line.slice(2, NAME_END).trim().split(/\s/, 1)[0];
    if (ANNOTATION.test(label) || (label === CONSENSUS && (!side.isConsensus || side.isDone))) continue;
    const match = ALIGNED.exec(line.slice(NAME_END)) ?? fail(at, "a number, residues, a number and (a length)");
    const wrong = extend(side, match);
    if (wrong !== undefined) fail(at, wrong);
    side.isDone = true;
  }
  const { Q, T } = sides;
  if (Q.letters.length !== T.letters.length) {
    const columns = `${Q.letters.length} columns of the query and ${T.letters.length} of the template`;
    throw new HitFault(start + 1, `the alignment has ${columns}, expected equally many`);
  }
  if (Q.letters === "") fail(end, "lines of aligned residues (Q and T)");
  return Object.freeze({
    index: Number(index[1]),
    name,
    probability: fact("Probab"),
    eValue: fact("E-value"),
    score: fact("Score"),
    alignedColumns: fact("Aligned_cols", /^\d+$/),
    identities: fact("Identities", /^[-+.\deE]+%$/),
    similarity: orZero("Similarity") ?? fact("Similarity"),
    sumProbs: orZero("Sum_probs") ?? 0,
    templateNeff: orZero("Template_Neff"),
    query: Q.letters,
    hitSequence: T.letters,
    queryIndices: Int32Array.from(Q.indices),
    hitIndices: Int32Array.from(T.indices),
    hitLength: T.length,
  });
}

/** Whether the lines of a sequence bear the name that lines of a consensus have. */
function isConsensus(name: string): boolean {
  return name.split(/\s/, 1)[0].slice(0, NAME_LENGTH) === CONSENSUS;
}

/** Words `key=value` of a line. */
function factsOf(line: string): Map<string, string> {
  return new Map(Array.from(line.matchAll(/([A-Za-z_-]+)=(\S*)/g), ([, key, value]) => [key, value]));
}

/** Adds a line to a sequence; comes back with what was expected if its numbers do not fit. */
function extend(aligned: Side, [, from, letters, to, length]: RegExpExecArray): string | undefined {
  const residues = letters.replaceAll("-", "").length;
  const begin = Number(from) - 1;
  const isInside = begin >= 0 && Number(to) <= Number(length) && Number(length) < MOST_RESIDUES;
  if (!isInside || Number(to) - begin !== residues) {
    return `${residues} residues between their numbers, inside a sequence of ${length}`;
  }
  let next = begin;
  for (const letter of letters) aligned.indices.push(letter === "-" ? -1 : next++);
  aligned.letters += letters.toUpperCase();
  aligned.length = Number(length);
  return undefined;
}
