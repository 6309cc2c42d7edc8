/**
 * Reads what HHsearch found: HHR files.
 *
 * Source: HH-suite user guide, "HHsearch/HHblits output: hit list and pairwise alignments".
 */
import { InputError } from "../errors.ts";
import { splitLines } from "./_lines.ts";

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
}

/** One line of an alignment: first residue, letters, last residue, length of the sequence. */
const ALIGNED = /^\s*(\d+)\s+([A-Za-z-]+)\s+(\d+)\s+\((\d+)\)\s*$/;

/** Where the letters begin, after `Q ` or `T ` and a name of 14 characters. */
const NAME_END = 17;

/** Lines that are not the sequence itself. */
const OTHER_LINES = /^[QT] (?:ss_dssp|ss_pred|Consensus)(?:\s|$)/;

/** No sequence is as long as this. */
const MOST_RESIDUES = 1e7;

/** Sequences of the two, while lines are read. */
interface Aligned {
  letters: string;
  indices: number[];
  length: number;
}

/**
 * Reads an HHR file; a file without hits is read as such.
 *
 * @throws {InputError} If it is empty or not HHR, or an alignment is cut short or does not fit its numbers; the message
 * names the line.
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
  const hits = starts.map((start, k) => parseHit(lines, start, starts[k + 1] ?? lines.length, source));
  return Object.freeze({
    source,
    query: lines[first].slice("Query".length).trim(),
    queryLength: length === undefined ? undefined : Number(length),
    hits: Object.freeze(hits),
  });
}

function parseHit(lines: readonly string[], start: number, end: number, source: string): HhrHit {
  const fail = (at: number, expected: string): never => {
    const found = at < end ? JSON.stringify(lines[at].slice(0, 60)) : "the end of the alignment";
    throw new InputError(`${source} line ${Math.min(at, end - 1) + 1}: found ${found}, expected ${expected}`);
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
  const optional = (key: string): number | undefined => facts.has(key) ? fact(key) : undefined;

  const query: Aligned = { letters: "", indices: [], length: 0 };
  const hit: Aligned = { letters: "", indices: [], length: 0 };
  for (let at = start + 3; at < end; at++) {
    const line = lines[at];
    if (!/^[QT] /.test(line) || OTHER_LINES.test(line)) continue;
    const match = ALIGNED.exec(line.slice(NAME_END)) ?? fail(at, "a number, residues, a number and (a length)");
    const wrong = extend(line[0] === "Q" ? query : hit, match);
    if (wrong !== undefined) fail(at, wrong);
  }
  if (query.letters.length !== hit.letters.length) {
    throw new InputError(
      `${source} line ${start + 1}: the alignment has ${query.letters.length} columns of the query and ` +
        `${hit.letters.length} of the template, expected equally many`,
    );
  }
  if (query.letters === "") fail(end, "lines of aligned residues (Q and T)");
  return Object.freeze({
    index: Number(index[1]),
    name: lines[nameLine].slice(1).trimEnd(),
    probability: fact("Probab"),
    eValue: fact("E-value"),
    score: fact("Score"),
    alignedColumns: fact("Aligned_cols", /^\d+$/),
    identities: fact("Identities", /^[-+.\deE]+%$/),
    similarity: fact("Similarity"),
    sumProbs: optional("Sum_probs") ?? 0,
    templateNeff: optional("Template_Neff"),
    query: query.letters,
    hitSequence: hit.letters,
    queryIndices: Int32Array.from(query.indices),
    hitIndices: Int32Array.from(hit.indices),
    hitLength: hit.length,
  });
}

/** Words `key=value` of a line. */
function factsOf(line: string): Map<string, string> {
  return new Map(Array.from(line.matchAll(/([A-Za-z_-]+)=(\S*)/g), ([, key, value]) => [key, value]));
}

/** Adds a line to a sequence; comes back with what was expected if its numbers do not fit. */
function extend(aligned: Aligned, [, from, letters, to, length]: RegExpExecArray): string | undefined {
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
