/** What `denofold inspect` found in a file, in one form for all kinds. */
import type { RemarkRow } from "../data/remarks.ts";
import { camelCase } from "../words.ts";

/** A single value. */
export interface Fact {
  /** Name in JSON. */
  readonly key: string;
  /** Name for people. */
  readonly label: string;
  /** The value; `undefined` where the file does not say. */
  readonly value: string | number | undefined;
}

/** A table. */
export interface FactTable {
  /** Name in JSON. */
  readonly key: string;
  /** Heading for people. */
  readonly title: string;
  /** Names of the columns for people; in JSON they are in camelCase. */
  readonly columns: readonly string[];
  /** Cells, a row each. */
  readonly rows: readonly (readonly (string | number | undefined)[])[];
}

/** What the columns of an alignment say. */
export interface ColumnProfile {
  /** The query's letters. */
  readonly sequence: string;
  /** Part of the rows with a residue there, `[N_res]`. */
  readonly coverage: Float32Array;
  /** Effective rows (80 % identity) with a residue there, `[N_res]`. */
  readonly effectiveDepth: Float32Array;
  /** From 0 to 1, `[N_res]`, if asked for. */
  readonly conservation?: Float32Array;
  /** Identity to the query of each row, `[N_seq]`. */
  readonly identity: Float32Array;
}

/** A map of pairs of residues. */
export interface PairMap {
  /** Name in JSON. */
  readonly key: "distances" | "coevolution";
  /** Heading for people. */
  readonly title: string;
  /** How to read it. */
  readonly lead: string;
  /** One letter a residue. */
  readonly sequence: string;
  /** `[N_res, N_res]`, NaN where there is no value. */
  readonly values: Float32Array;
}

/** A value for each residue. */
export interface ResidueCurve {
  /** Heading for people. */
  readonly title: string;
  /** How to read it. */
  readonly lead: string;
  /** Unit of the values; empty for a pure number. */
  readonly unit: string;
  /** Names of the residues, `[N_res]`. */
  readonly residues: readonly string[];
  /** `[N_res]`, NaN where there is no value. */
  readonly values: ArrayLike<number>;
}

/** What a file holds. */
export interface Inspection {
  /** Kind of the file, for people. */
  readonly kind: string;
  /** The file. */
  readonly path: string;
  /** Single values. */
  readonly facts: readonly Fact[];
  /** Tables. */
  readonly tables: readonly FactTable[];
  /** What is doubtful. */
  readonly warnings: readonly string[];
  /** Columns of an alignment. */
  readonly columns?: ColumnProfile;
  /** Curves along a chain. @default none */
  readonly curves?: readonly ResidueCurve[];
  /** Maps, if asked for. */
  readonly maps: readonly PairMap[];
}

/** Columns of a table of remarks; the rows of a manifest have the same names. */
const REMARK_COLUMNS = ["kind", "count", "unit", "line", "found", "done", "file"] as const;

/**
 * What was done with all that is unusual; no table if there is nothing.
 *
 * @param ids Whose they are, a row each. @default of the one file
 */
export function remarkTable(rows: readonly RemarkRow[], ids?: readonly string[]): FactTable[] {
  if (rows.length === 0) return [];
  return [{
    key: "remarks",
    title: "What was done with what is unusual",
    columns: [...(ids ? ["id"] : []), ...REMARK_COLUMNS],
    rows: rows.map((row, i) => [...(ids ? [ids[i]] : []), ...REMARK_COLUMNS.map((name) => row[name])]),
  }];
}

/** Most rows of a table that the terminal gets; JSON and HTML have all. */
const SHOWN_ROWS = 60;

/** Longest cell in the terminal, and longest one at the end of its line. */
const SHOWN_LETTERS = 60, SHOWN_LAST = 300;

/** What was found, for the terminal. */
export function inspectionText({ kind, path, facts, tables, warnings, columns }: Inspection): string {
  const known = facts.filter(({ value }) => value !== undefined);
  const width = Math.max(0, ...known.map(({ label }) => label.length));
  const lines = [`${path}: ${kind}`, ...known.map(({ label, value }) => `  ${label.padEnd(width)}  ${shown(value)}`)];
  for (const { title, columns, rows } of tables) {
    if (rows.length === 0) continue;
    lines.push("", title, ...tableLines(columns, rows.slice(0, SHOWN_ROWS)));
    if (rows.length > SHOWN_ROWS) lines.push(`… and ${rows.length - SHOWN_ROWS} more`);
  }
  if (columns) lines.push("", "Coverage of the columns", ...coverageLines(columns.coverage));
  for (const warning of warnings) lines.push("", `warning: ${warning}`);
  return lines.join("\n");
}

/** What was found, as plain data for JSON. */
export function inspectionJson({ kind, path, facts, tables, warnings, columns, maps }: Inspection): object {
  return {
    kind,
    path,
    ...Object.fromEntries(facts.map(({ key, value }) => [key, value])),
    ...Object.fromEntries(tables.map(({ key, columns, rows }) => [
      key,
      rows.map((row) => Object.fromEntries(columns.map((column, k) => [camelCase(column), row[k]]))),
    ])),
    ...(columns && {
      columns: {
        coverage: Array.from(columns.coverage, short),
        effectiveDepth: Array.from(columns.effectiveDepth, short),
        conservation: columns.conservation && Array.from(columns.conservation, short),
      },
      identityToQuery: Array.from(columns.identity, short),
    }),
    ...Object.fromEntries(maps.map(({ key, values, sequence: { length } }) => [
      key,
      Array.from({ length }, (_, i) => Array.from(values.subarray(i * length, (i + 1) * length), jsonNumber)),
    ])),
    warnings,
  };
}

/** A value for people: whole numbers as they are, others with few digits. */
export function shown(value: string | number | undefined): string {
  if (typeof value !== "number") return value ?? "";
  if (Number.isInteger(value)) return value.toLocaleString("en-GB");
  return Math.abs(value) >= 100 ? value.toFixed(1) : value.toPrecision(3);
}

/** Columns of equal width, numbers to the right. */
function tableLines(columns: readonly string[], rows: FactTable["rows"]): string[] {
  const last = columns.length - 1;
  const cells = rows.map((row) =>
    row.map((value, k) => shortened(shown(value), k === last ? SHOWN_LAST : SHOWN_LETTERS))
  );
  const isText = columns.map((_, k) => rows.some((row) => typeof row[k] === "string"));
  const widths = columns.map((column, k) => Math.max(column.length, ...cells.map((row) => row[k].length)));
  const line = (row: readonly string[]) =>
    row.map((text, k) => isText[k] ? text.padEnd(widths[k]) : text.padStart(widths[k])).join("  ").trimEnd();
  return [columns, ...cells].map(line);
}

function shortened(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/** Eight heights of a bar; columns are put together where there are more than 100. */
function coverageLines(coverage: Float32Array): string[] {
  const bars = "▁▂▃▄▅▆▇█";
  const width = Math.ceil(coverage.length / 100);
  const cells = Array.from({ length: Math.ceil(coverage.length / width) }, (_, k) => {
    const part = coverage.subarray(k * width, (k + 1) * width);
    return part.reduce((sum, x) => sum + x, 0) / part.length;
  });
  const line = cells.map((x) => bars[Math.min(7, Math.floor(x * 8))]).join("");
  const scale = width === 1 ? "one sign a column" : `one sign for ${width} columns`;
  return [line, `${scale}, from none of the rows to all`];
}

function short(x: number): number {
  return Number(x.toPrecision(5));
}

function jsonNumber(x: number): number | null {
  return Number.isFinite(x) ? short(x) : null;
}
