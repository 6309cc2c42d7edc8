/** Splits records into sets, such as for training, validation and test. */
import { InputError } from "../errors.ts";
import { assignGroups, assignInOrder } from "./assign.ts";
import type { PairSearch } from "./candidates.ts";
import type { RecordClusters } from "./cluster_records.ts";
import { IDENTITY_DEFINITION } from "./identity.ts";
import { findLeakage, type Leakage } from "./leakage.ts";
import { columnIndex, type SplitRecord, type SplitRecords } from "./records.ts";
import { numberGroups, UnionFind } from "./union_find.ts";

/** What keeps rows together, or orders them. */
export type SplitBy = "random" | "identity" | "family" | "time";

/** Choices of {@linkcode splitRecords}. */
export interface SplitOptions {
  /** What keeps rows together. */
  readonly by: SplitBy;
  /** Names of the sets. */
  readonly names: readonly string[];
  /** Part of the rows that each set gets, which sum to 1. */
  readonly fractions: readonly number[];
  /** Seed of all that is drawn. */
  readonly seed: number;
  /** Column with families or dates; by default the usual names of them. */
  readonly column?: string;
  /** Identity from which sequences are related: leakage is counted from it. */
  readonly identity: number;
  /** Clusters at that identity, which splits by identity need. */
  readonly clusters?: RecordClusters;
}

/** Facts about a split; written beside the lists. */
export interface SplitReport {
  /** What kept rows together. */
  readonly by: SplitBy;
  /** Column with families or dates, if one was used. */
  readonly column?: string;
  /** Seed of what was drawn. */
  readonly seed: number;
  /** Rows of all sets. */
  readonly rows: number;
  /** Rows whose label is a bound or an estimate. */
  readonly bounds: number;
  /** Groups that were kept together, and rows of the largest. */
  readonly groups: { readonly count: number; readonly largest: number };
  /** The sets: parts of the rows wanted and had, rows and groups. */
  readonly sets: readonly {
    readonly name: string;
    readonly wanted: number;
    readonly fraction: number;
    readonly rows: number;
    readonly groups: number;
    /** First and last date, of splits by time. */
    readonly dates?: readonly [string, string];
  }[];
  /** How clusters were made, of splits by identity. */
  readonly clusters?: {
    readonly tool: string;
    readonly version?: string;
    readonly identity: number;
    /** Pairs looked at by our own clustering. */
    readonly search?: PairSearch;
    /** Clusters that were joined because sequences of different sets turned out to be related after all. */
    readonly joinedAfterwards: number;
  };
  /** What the sets have in common; absent if there are no sequences. */
  readonly leakage?: {
    readonly definition: string;
    readonly identity: number;
    readonly search: PairSearch;
    readonly rowsWithoutSequence: number;
    readonly between: readonly {
      readonly sets: readonly [string, string];
      readonly highestIdentity: number | null;
      readonly pair?: readonly [string, string];
      /** Rows of the second set related to a row of the first. */
      readonly related: number;
    }[];
  };
  /** What the user should know: empty sets, fractions missed, relatives in two sets. */
  readonly warnings: readonly string[];
}

/** A split. */
export interface Split {
  /** Set of each record. */
  readonly setOf: Int32Array;
  /** Group of each record. */
  readonly groupOf: Int32Array;
  /** Facts. */
  readonly report: SplitReport;
}

/** Usual names of the columns, in the order in which they are looked for. */
const USUAL_COLUMNS = {
  family: ["family", "cluster", "group"],
  time: ["date", "release_date", "released", "deposition_date", "release_year", "year"],
} as const;

/**
 * Splits records. Rows of one id stay together, and so do those of one group: a cluster of sequences, a family, a date.
 *
 * After a split by identity the sets are compared with each other; where sequences of different sets are related all the
 * same (a heuristic search passed over them), their clusters are joined and shared out anew, until none is.
 *
 * @throws {InputError} If what the split needs is missing: a column, a family, a date.
 * @throws {TypeError} If `by` is `identity` and there are no clusters.
 */
export function splitRecords(table: SplitRecords, options: SplitOptions): Split {
  const { by, fractions, seed, identity, clusters } = options;
  const { records } = table;
  const groups = new UnionFind(records.length);
  joinEqual(groups, records.map(({ id }) => id));
  let column: number | undefined;
  let dates: readonly string[] | undefined;
  if (by === "identity") {
    if (clusters === undefined) throw new TypeError("Cannot split by identity without clusters: make them first");
    for (const rows of clusters.members) for (const row of rows) groups.join(rows[0], row);
  } else if (by !== "random") {
    const found = column = findColumn(table, by, options.column);
    if (by === "time") dates = earliest(groups, records.map((record) => dateOf(record, found)));
    joinEqual(groups, dates ?? records.map((record) => familyOf(record, found)));
  }
  const sequences = records.map((record) => record.sequences);
  const hasSequences = sequences.some((list) => list.length > 0);
  for (let joinedAfterwards = 0;;) {
    const { members, groupOf } = numberGroups(records.length, (row) => groups.find(row));
    const sizes = members.map((list) => list.length);
    const setOfGroup = dates === undefined
      ? assignGroups(sizes, fractions, seed)
      : assignByDate(members, dates, fractions);
    const setOf = groupOf.map((group) => setOfGroup[group]);
    const leakage = hasSequences ? findLeakage(sequences, setOf, fractions.length, identity) : undefined;
    if (by === "identity" && leakage !== undefined && leakage.links.length > 0) {
      for (const [a, b] of leakage.links) {
        if (groups.find(a) !== groups.find(b)) joinedAfterwards++;
        groups.join(a, b);
      }
      continue;
    }
    const report = reportOf(table, options, { members, setOfGroup, setOf, dates, column, leakage, joinedAfterwards });
    return { setOf, groupOf, report };
  }
}

function joinEqual(groups: UnionFind, values: readonly string[]): void {
  const first = new Map<string, number>();
  values.forEach((value, row) => {
    const other = first.get(value);
    if (other === undefined) first.set(value, row);
    else groups.join(other, row);
  });
}

function findColumn(table: SplitRecords, by: "family" | "time", name: string | undefined): number {
  const names = name === undefined ? USUAL_COLUMNS[by] : [name];
  for (const one of names) {
    const index = columnIndex(table, one);
    if (index !== undefined) return index;
  }
  throw new InputError(
    `A split by ${by} needs a column ${names.join(" or ")}${
      name === undefined ? " (or --column NAME)" : ""
    }; there are ` +
      table.columns.join(", "),
  );
}

function familyOf({ cells, place, id }: SplitRecord, column: number): string {
  if (cells[column] !== "") return cells[column];
  throw new InputError(`${place}: "${id}" has no family, expected one in every row`);
}

function dateOf({ cells, place }: SplitRecord, column: number): string {
  const match = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/.exec(cells[column]);
  const [, year = "", month = "01", day = "01"] = match ?? [];
  const isDate = match !== null && new Date(`${year}-${month}-${day}T00:00:00Z`).getUTCDate() === Number(day);
  if (isDate) return cells[column];
  throw new InputError(
    `${place}: the date is ${JSON.stringify(cells[column])}, expected YYYY-MM-DD, YYYY-MM or a year`,
  );
}

/** For each row the earliest date of its group. */
function earliest(groups: UnionFind, dates: readonly string[]): string[] {
  const first = new Map<number, string>();
  dates.forEach((date, row) => {
    const group = groups.find(row);
    const known = first.get(group);
    if (known === undefined || date < known) first.set(group, date);
  });
  return dates.map((_, row) => first.get(groups.find(row)) ?? "");
}

/** Oldest groups first; each is of one date. */
function assignByDate(
  members: Shape["members"],
  dates: readonly string[],
  fractions: readonly number[],
): Int32Array {
  const dateOf = (group: number): string => dates[members[group][0]];
  const order = members.map((_, group) => group).sort((a, b) => dateOf(a) < dateOf(b) ? -1 : 1);
  const setOf = new Int32Array(members.length);
  assignInOrder(order.map((group) => members[group].length), fractions).forEach((set, k) => setOf[order[k]] = set);
  return setOf;
}

interface Shape {
  readonly members: readonly (readonly number[])[];
  readonly setOfGroup: Int32Array;
  readonly setOf: Int32Array;
  readonly dates?: readonly string[];
  readonly column?: number;
  readonly leakage?: Leakage;
  readonly joinedAfterwards: number;
}

function reportOf(
  { records, columns }: SplitRecords,
  { by, names, fractions, seed, identity, clusters }: SplitOptions,
  { members, setOfGroup, setOf, dates, column, leakage, joinedAfterwards }: Shape,
): SplitReport {
  const warnings: string[] = [];
  const sets = names.map((name, set) => {
    const rows = records.flatMap((_, row) => setOf[row] === set ? [row] : []);
    const groups = setOfGroup.reduce((count, one) => count + Number(one === set), 0);
    const days = dates && rows.map((row) => dates[row]).sort();
    const span = days && days.length > 0 ? { dates: [days[0], days[days.length - 1]] as const } : {};
    const fraction = rows.length / records.length;
    if (rows.length === 0) warnings.push(`The set ${name} is empty: ${groupsText(members.length)} in all`);
    else if (Math.abs(fraction - fractions[set]) > 0.05) {
      warnings.push(
        `The set ${name} has ${percent(fraction)} of the rows, wanted ${percent(fractions[set])}: groups stay whole`,
      );
    }
    return { name, wanted: fractions[set], fraction, rows: rows.length, groups, ...span };
  });
  const between = leakage?.between.map(({ sets: [a, b], highest, related }) => {
    if (related > 0) {
      const much = `${related} of the ${sets[b].rows} rows of ${names[b]}`;
      warnings.push(`${much} have a relative in ${names[a]} of ${percent(identity)} identity or more`);
    }
    const pair = highest && { pair: [records[highest.items[0]].id, records[highest.items[1]].id] as const };
    return { sets: [names[a], names[b]] as const, highestIdentity: highest?.identity ?? null, ...pair, related };
  });
  const bounds = records.filter(({ isBound }) => isBound).length;
  if (bounds > 0) {
    warnings.push(`${bounds} of ${records.length} labels are bounds or estimates; the column relation says which`);
  }
  for (const { warnings: doubts = [] } of records) warnings.push(...doubts);
  const rowsWithoutSequence = records.reduce((count, { sequences }) => count + Number(sequences.length === 0), 0);
  const largest = members.reduce((most, rows) => Math.max(most, rows.length), 0);
  const { tool = "", version, search } = clusters ?? {};
  return {
    ...{ by, column: column === undefined ? undefined : columns[column], seed, rows: records.length, bounds },
    ...{ groups: { count: members.length, largest }, sets },
    clusters: clusters && { tool, version, identity, search, joinedAfterwards },
    leakage: leakage && between &&
      { definition: IDENTITY_DEFINITION, identity, search: leakage.search, rowsWithoutSequence, between },
    warnings,
  };
}

function groupsText(count: number): string {
  return count === 1 ? "there is 1 group" : `there are ${count} groups`;
}

/** A part as text. */
export function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`;
}
