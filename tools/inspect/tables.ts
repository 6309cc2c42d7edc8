/** What tables, sequences, hits and manifests hold. */
import type { Hhr } from "../data/hhr.ts";
import { readPdbbindIndex } from "../data/pdbbind.ts";
import { remarkRows, warningsOf } from "../data/remarks.ts";
import { chainsOf, isPdbbindIndex, readTableRows } from "../data/table.ts";
import { parseChainRecords } from "../data/fasta.ts";
import { InputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import { readManifest } from "../prep/manifest.ts";
import { type FactTable, type Inspection, remarkTable } from "./inspection.ts";
import { dirname } from "node:path";

/** Tells what a table holds: for each column how many cells are filled, how many are numbers, and their range. */
export async function inspectTable(path: string): Promise<Inspection> {
  if (await isPdbbindIndex(path)) return await inspectPdbbind(path);
  const columns = new Map<
    string,
    { filled: number; numbers: number; least: number; most: number; values: Set<string> }
  >();
  let rows = 0;
  for await (const { cells } of readTableRows(path)) {
    rows++;
    for (const [name, cell] of cells) {
      let column = columns.get(name);
      if (!column) {
        columns.set(name, column = { filled: 0, numbers: 0, least: Infinity, most: -Infinity, values: new Set() });
      }
      if (cell === "") continue;
      column.filled++;
      if (column.values.size <= MAX_DISTINCT) column.values.add(cell);
      const number = Number(cell);
      if (!Number.isFinite(number)) continue;
      column.numbers++;
      column.least = Math.min(column.least, number);
      column.most = Math.max(column.most, number);
    }
  }
  const table: FactTable = {
    key: "columns",
    title: "Columns",
    columns: ["column", "filled", "distinct", "numbers", "least", "most", "first"],
    rows: Array.from(columns, ([name, { filled, numbers, least, most, values }]) => [
      name,
      filled,
      values.size > MAX_DISTINCT ? `> ${MAX_DISTINCT}` : values.size,
      numbers,
      numbers > 0 ? least : undefined,
      numbers > 0 ? most : undefined,
      values.values().next().value,
    ]),
  };
  return { ...EMPTY, kind: "table", path, facts: [{ key: "rows", label: "Rows", value: rows }], tables: [table] };
}

/** Distinct values of a column are counted up to here. */
const MAX_DISTINCT = 10_000;

const EMPTY = { facts: [], tables: [], warnings: [], maps: [] };

async function inspectPdbbind(path: string): Promise<Inspection> {
  const entries = await readPdbbindIndex(path);
  const kinds = ["Kd", "Ki", "IC50"].map((kind) => {
    const own = entries.filter((entry) => entry.kind === kind).map(({ value }) => value);
    return [kind, own.length, ...(own.length > 0 ? [Math.min(...own), Math.max(...own)] : [undefined, undefined])];
  });
  const years = entries.map(({ year }) => year);
  const exact = entries.filter(({ relation }) => relation === "=").length;
  return {
    ...EMPTY,
    kind: "INDEX file of PDBbind",
    path,
    facts: [
      { key: "rows", label: "Complexes", value: entries.length },
      { key: "exact", label: "Measured exactly (=)", value: exact },
      { key: "firstYear", label: "First year", value: years.reduce((a, b) => Math.min(a, b)).toString() },
      { key: "lastYear", label: "Last year", value: years.reduce((a, b) => Math.max(a, b)).toString() },
    ],
    tables: [{
      key: "kinds",
      title: "-log10 of the constants",
      columns: ["kind", "complexes", "least", "most"],
      rows: kinds,
    }],
  };
}

/** Tells what sequences there are. */
export function inspectFasta(path: string, text: string): Inspection {
  const records = parseChainRecords(text, path).map(({ name, text, line }) => {
    const chains = chainsOf(text, `${path} line ${line}`);
    return { name, chains, residues: chains.reduce((sum, { length }) => sum + length, 0) };
  });
  const lengths = records.map(({ residues }) => residues);
  return {
    ...EMPTY,
    kind: "sequences",
    path,
    facts: [
      { key: "count", label: "Sequences", value: records.length },
      { key: "residues", label: "Residues", value: lengths.reduce((a, b) => a + b, 0) },
      { key: "shortest", label: "Shortest", value: lengths.reduce((a, b) => Math.min(a, b)) },
      { key: "longest", label: "Longest", value: lengths.reduce((a, b) => Math.max(a, b)) },
    ],
    tables: [{
      key: "sequences",
      title: "Sequences",
      columns: ["name", "chains", "residues", "sequence"],
      rows: records.map(({ name, chains, residues }) => [name, chains.length, residues, chains.join(":")]),
    }],
  };
}

/** Tells what hits there are. */
export function inspectHits(hhr: Hhr): Inspection {
  const { source, query, queryLength, hits } = hhr;
  return {
    ...EMPTY,
    warnings: warningsOf(hhr),
    kind: "HHsearch's hits",
    path: source,
    facts: [
      { key: "query", label: "Query", value: query },
      { key: "queryLength", label: "Residues", value: queryLength },
      { key: "hitCount", label: "Hits", value: hits.length },
    ],
    tables: [{
      key: "hits",
      title: "Hits",
      columns: ["name", "probability", "E-value", "score", "aligned", "identities", "sum of probabilities"],
      rows: hits.map((hit) => [
        hit.name,
        hit.probability,
        hit.eValue,
        hit.score,
        hit.alignedColumns,
        hit.identities,
        hit.sumProbs,
      ]),
    }, ...remarkTable(remarkRows(hhr))],
  };
}

/** Tells what was prepared. */
export async function inspectManifest(path: string): Promise<Inspection> {
  await readFileBytes(path); // throws if it is missing, which to prep is no fault
  const entries = [...(await readManifest(dirname(path))).values()];
  if (entries.length === 0) throw new InputError(`${path} has no entry, expected a line of JSON for each target`);
  const ok = entries.filter(({ status }) => status === "ok");
  const failed = entries.filter(({ status }) => status === "failed");
  return {
    ...EMPTY,
    kind: "manifest of prepared targets",
    path,
    facts: [
      { key: "ok", label: "Prepared", value: ok.length },
      { key: "failed", label: "Failed", value: failed.length },
      { key: "bytes", label: "Bytes", value: ok.reduce((sum, { bytes = 0 }) => sum + bytes, 0) },
    ],
    tables: [
      {
        key: "targets",
        title: "Targets",
        columns: ["id", "residues", "observed", "rows", "Neff at 80 %", "templates", "warnings"],
        rows: ok.map(({ id, counts, warnings }) => [
          ...[id, counts?.residues, counts?.observedResidues, counts?.sequences, counts?.neff80, counts?.templates],
          warnings?.length,
        ]),
      },
      { key: "failures", title: "Failed", columns: ["id", "reason"], rows: failed.map(({ id, error }) => [id, error]) },
      {
        key: "targetWarnings",
        title: "Warnings",
        columns: ["id", "warning"],
        rows: ok.flatMap(({ id, warnings = [] }) => warnings.map((warning) => [id, warning])),
      },
      ...remarkTable(
        ok.flatMap(({ remarks = [] }) => remarks),
        ok.flatMap(({ id, remarks = [] }) => remarks.map(() => id)),
      ),
    ],
  };
}
