/**
 * Writes hits as HHR files.
 *
 * Source: HH-suite user guide, "HHsearch/HHblits output: hit list and pairwise alignments".
 */
import type { Hhr, HhrHit } from "./hhr.ts";

/** Columns of alignment in a line. */
const LINE = 80;

/** Characters of names before alignments. */
const NAME = 14;

/**
 * The text of an HHR file. Numbers are written whole, so that they are read back equal.
 *
 * @param origin Words for the line `Command`: what made the hits.
 */
export function formatHhr({ query, queryLength, hits }: Omit<Hhr, "source">, origin: string): string {
  const head = [
    `Query         ${query}`,
    ...queryLength === undefined ? [] : [`Match_columns ${queryLength}`],
    `Command       ${origin.replace(/\s+/g, " ")}`,
    "",
    " No Hit                             Prob E-value P-value  Score    SS Cols Query HMM  Template HMM",
  ];
  return [...head, ...hits.map(listLine), "", ...hits.flatMap((hit) => hitLines(query, hit)), ""].join("\n");
}

function listLine(hit: HhrHit): string {
  const [q, t] = [hit.queryIndices, hit.hitIndices].map(ends).map(([first, last]) => `${first}-${last}`);
  const name = hit.name.slice(0, 30).padEnd(30);
  const numbers = [hit.probability.toFixed(1), hit.eValue.toPrecision(2), "-", hit.score.toFixed(1), "0.0"];
  return `${String(hit.index).padStart(3)} ${name} ${
    numbers.join(" ")
  } ${hit.alignedColumns} ${q} ${t} (${hit.hitLength})`;
}

function hitLines(query: string, hit: HhrHit): string[] {
  const { probability, eValue, score, alignedColumns, identities, similarity, sumProbs, templateNeff } = hit;
  const neff = templateNeff === undefined ? "" : `  Template_Neff=${templateNeff}`;
  const lines = [
    `No ${hit.index}`,
    `>${hit.name}`,
    `Probab=${probability}  E-value=${eValue}  Score=${score}  Aligned_cols=${alignedColumns}  ` +
    `Identities=${identities}%  Similarity=${similarity}  Sum_probs=${sumProbs}${neff}`,
    "",
  ];
  const queryLength = Math.max(...hit.queryIndices) + 1;
  for (let at = 0; at < hit.query.length; at += LINE) {
    lines.push(
      alignedLine("Q", query, hit.query, hit.queryIndices, queryLength, at),
      alignedLine("T", hit.name.split(/\s/)[0], hit.hitSequence, hit.hitIndices, hit.hitLength, at),
      "",
    );
  }
  return lines;
}

function alignedLine(kind: string, name: string, letters: string, indices: Int32Array, length: number, at: number) {
  const there = indices.subarray(at, at + LINE).filter((index) => index >= 0);
  // A line of gaps alone has the number of the residue before it, as HHsearch writes it.
  const before = indices.subarray(0, at).findLast((index) => index >= 0) ?? -1;
  const [first, last] = there.length > 0 ? [there[0] + 1, there[there.length - 1] + 1] : [before + 2, before + 1];
  const label = `${kind} ${name.slice(0, NAME).replace(/\s/g, "_").padEnd(NAME)}`;
  return `${label} ${String(first).padStart(4)} ${letters.slice(at, at + LINE)} ${
    String(last).padStart(4)
  } (${length})`;
}

function ends(indices: Int32Array): [number, number] {
  const there = indices.filter((index) => index >= 0);
  return [there[0] + 1, there[there.length - 1] + 1];
}
