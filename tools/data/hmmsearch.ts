/**
 * Reads what hmmsearch found as the hits that templates are made of.
 *
 * Source: HMMER user's guide, "Stockholm format" and "Tabular output formats" (`-A` and `--domtblout`).
 */
import { InputError } from "../errors.ts";
import { HitFault, readHits } from "./_hits.ts";
import type { Hhr, HhrHit } from "./hhr.ts";
import { Remarks } from "./remarks.ts";

const NUCLEIC = { key: "nucleicHit", done: "left out", unit: "hit", isLeftOut: true, isUsual: true } as const;

/** A row of the alignment: a stretch of a sequence of the database. */
interface Row {
  readonly name: string;
  readonly from: number;
  readonly letters: string;
  readonly description: string;
}

/** What the table of domains says about a stretch. */
interface Domain {
  readonly length: number;
  readonly eValue: number;
  readonly score: number;
}

/**
 * Makes hits of the alignment that hmmsearch writes by `-A` and its table of domains (`--domtblout`).
 *
 * The profile has to have one match state for each residue of the query, as `hmmbuild --hand` makes it where `#=GC RF`
 * marks the query's columns. Where the alignment has no such line, columns without a small letter and without "." are the
 * match states, as HMMER writes them. E-values and scores are those of the domains. HMMER says no probability, similarity or sum of
 * probabilities: these are 0, so that templates keep the order of the file. Rows whose description says that they are of
 * nucleic acids (`mol:na` in `pdb_seqres.txt`) are left out.
 *
 * Source: AlphaFold's `parse_hmmsearch_a3m`.
 *
 * @param alignment Text of the alignment; empty if nothing was found.
 * @param domains Text of the table.
 * @param query The query's residues.
 * A row that does not fit the table is left out with a remark.
 *
 * @throws {InputError} If the alignment is not Stockholm, its match states are not as many as the query's residues, or no
 * row fits the table; the message names the row.
 */
export function parseHmmsearch(
  alignment: string,
  domains: string,
  query: { readonly name: string; readonly sequence: string },
  source: string,
): Hhr {
  const { rows, reference } = readRows(alignment, source);
  const table = readDomains(domains, source);
  const isMatch = reference === "" ? matchColumns(rows) : Array.from(reference, (mark) => mark !== "." && mark !== "-");
  const states = isMatch.filter((match) => match).length;
  if (rows.length > 0 && states !== query.sequence.length) {
    throw new InputError(
      `${source} has ${states} match states, expected one for each of the ${query.sequence.length} residues of the query ` +
        `"${query.name}"`,
    );
  }
  const remarks = new Remarks();
  const proteins = rows.filter(({ name, description }) => {
    const isProtein = !/(?:^|\s)mol:(?!protein\b)/.test(description);
    if (!isProtein) remarks.add(NUCLEIC, undefined, () => `row "${name}" is of a nucleic acid`);
    return isProtein;
  });
  const hits = readHits(proteins, source, remarks, (row, index) => {
    return makeHit(row, index, { isMatch, table, query: query.sequence });
  });
  return Object.freeze({
    source,
    query: query.name,
    queryLength: query.sequence.length,
    hits: Object.freeze(hits),
    ...remarks.field(),
  });
}

function makeHit(
  { name, from, letters, description }: Row,
  index: number,
  { isMatch, table, query }: {
    isMatch: readonly boolean[];
    table: ReadonlyMap<string, Domain>;
    query: string;
  },
): HhrHit {
  const fail = (problem: string): never => {
    throw new HitFault(undefined, `row ${index + 1} "${name}" ${problem}`);
  };
  if (letters.length !== isMatch.length) fail(`has ${letters.length} columns, expected ${isMatch.length}`);
  let [queryText, hitText] = ["", ""];
  const queryIndices: number[] = [];
  const hitIndices: number[] = [];
  let [state, residue, identical, aligned] = [0, from - 1, 0, 0];
  for (let c = 0; c < letters.length; c++) {
    const letter = letters[c].toUpperCase();
    const isResidue = letter >= "A" && letter <= "Z";
    const own = isMatch[c] ? state++ : -1;
    if (own < 0 && !isResidue) continue;
    queryText += own < 0 ? "-" : query[own];
    hitText += isResidue ? letter : "-";
    queryIndices.push(own);
    hitIndices.push(isResidue ? residue++ : -1);
    if (own < 0 || !isResidue) continue;
    aligned++;
    if (letter === query[own]) identical++;
  }
  if (aligned === 0) fail("has no residue in a match state");
  const both = (at: number): boolean => queryIndices[at] >= 0 && hitIndices[at] >= 0;
  let [first, end] = [0, hitText.length];
  while (!both(first)) first++;
  while (!both(end - 1)) end--;
  const place = `${name}/${from}-${residue}`;
  const domain = table.get(place) ?? fail(`is not in the table of domains as ${place}`);
  return Object.freeze({
    index: index + 1,
    name: description === "" ? name : `${name} ${description}`,
    probability: 0,
    eValue: domain.eValue,
    score: domain.score,
    alignedColumns: aligned,
    identities: Math.round(100 * identical / aligned),
    similarity: 0,
    sumProbs: 0,
    query: queryText.slice(first, end),
    hitSequence: hitText.slice(first, end),
    queryIndices: Int32Array.from(queryIndices.slice(first, end)),
    hitIndices: Int32Array.from(hitIndices.slice(first, end)),
    hitLength: domain.length,
  });
}

/** Columns of match states, which have a capital letter or "-" in every row. */
function matchColumns(rows: readonly Row[]): boolean[] {
  return Array.from(rows[0]?.letters ?? "", (_, c) => rows.every(({ letters }) => /^[A-Z-]?$/.test(letters[c] ?? "")));
}

function readRows(text: string, source: string): { rows: Row[]; reference: string } {
  const letters = new Map<string, { text: string; line: number }>();
  const descriptions = new Map<string, string>();
  let reference = "";
  if (text.trim() === "") return { rows: [], reference };
  const lines = text.split(/\r?\n/);
  if (!lines[0].startsWith("# STOCKHOLM")) {
    throw new InputError(
      `${source} line 1: found ${JSON.stringify(lines[0].slice(0, 40))}, expected "# STOCKHOLM 1.0"`,
    );
  }
  for (const [index, line] of lines.entries()) {
    if (line.startsWith("//")) break;
    if (line.trim() === "") continue;
    const [word, second = "", ...rest] = line.trim().split(/\s+/);
    if (word === "#=GC" && second === "RF") reference += rest[0] ?? "";
    else if (word === "#=GS" && rest[0] === "DE") {
      const words = rest.slice(1).join(" ").replace(/^\[subseq from\]\s*/, "");
      descriptions.set(second, words === second.replace(/\/\d+-\d+$/, "") ? "" : words);
    } else if (!word.startsWith("#")) {
      const row = letters.get(word) ?? { text: "", line: index + 1 };
      letters.set(word, { ...row, text: row.text + second });
    }
  }
  const rows = Array.from(letters, ([place, row]) => {
    const [, name, from] = /^(.+)\/(\d+)-\d+$/.exec(place) ?? [];
    if (name === undefined) {
      throw new InputError(
        `${source} line ${row.line}: the row "${place}" does not end in /first-last, the numbers of its residues`,
      );
    }
    return { name, from: Number(from), letters: row.text, description: descriptions.get(place) ?? "" };
  });
  return { rows, reference };
}

/** Domains by `name/first-last`, the numbers of the aligned residues. */
function readDomains(text: string, source: string): Map<string, Domain> {
  const domains = new Map<string, Domain>();
  text.split(/\r?\n/).forEach((line, index) => {
    if (line === "" || line.startsWith("#")) return;
    const words = line.split(/\s+/);
    const [length, eValue, score, from, to] = [2, 12, 13, 17, 18].map((column) => Number(words[column] ?? NaN));
    if (![length, eValue, score, from, to].every(Number.isFinite)) {
      throw new InputError(`${source}, table of domains, line ${index + 1}: expected 23 columns with numbers`);
    }
    domains.set(`${words[0]}/${from}-${to}`, { length, eValue, score });
  });
  return domains;
}
