/** Tables of measures for the terminal and for files. */
import { meanOf, sampleDeviation } from "../../core/statistics.ts";
import { type LeaveOneOut, type MetricInfo, type MetricValues, STANDARD_METRICS } from "../report/report_data.ts";

/** Lines of a table; the first column to the left, the others to the right. */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ").trimEnd();
  return [line(header), ...rows.map(line)].join("\n");
}

/** A value as the measure wants it shown. */
export function shown(value: number | null | undefined, { digits }: MetricInfo): string {
  return value === null || value === undefined ? "-" : value.toFixed(digits);
}

/** A measure's name with its unit. */
export function metricTitle({ label, unit }: MetricInfo): string {
  return unit ? `${label} (${unit})` : label;
}

/** A table of methods, a line each. */
export function methodTable(
  title: string,
  methods: readonly { label: string; values: MetricValues }[],
  metrics: readonly MetricInfo[] = STANDARD_METRICS,
): string {
  return textTable(
    [title, ...metrics.map(metricTitle)],
    methods.map(({ label, values }) => [label, ...metrics.map((info) => shown(values[info.name], info))]),
  );
}

/** Mean and standard deviation (of the sample) of a measure over all rows that have it; null where none has. */
export function spread(values: readonly (number | null | undefined)[]): { mean: number; sd: number } | null {
  const known = values.filter((value) => value !== null && value !== undefined);
  if (known.length === 0) return null;
  return { mean: meanOf(known), sd: known.length > 1 ? sampleDeviation(known) : 0 };
}

/** Measures shown for every structure of a leave-one-out run. */
const SHORT = ["meanDistanceError", "cbRmsd", "lddt"];

/** The leave-one-out table: a line a structure, each method under each measure, then mean ± standard deviation. */
export function leaveOneOutTable({ methods, rows }: LeaveOneOut): string {
  const short = STANDARD_METRICS.filter(({ name }) => SHORT.includes(name));
  const columns = short.flatMap((info) => methods.map((_, m) => ({ info, m })));
  const body = rows.map(({ id, residues, values }) => [
    id,
    `${residues}`,
    ...columns.map(({ info, m }) => shown(values[m][info.name], info)),
  ]);
  const mean = columns.map(({ info, m }) => {
    const found = spread(rows.map(({ values }) => values[m][info.name]));
    return found ? `${found.mean.toFixed(info.digits)}±${found.sd.toFixed(info.digits)}` : "-";
  });
  const letter = (m: number) => String.fromCharCode(97 + m);
  const keys = methods.map((method, m) => `${letter(m)} = ${method}`).join(", ");
  const header = [
    "structure",
    "N_res",
    ...columns.map(({ info, m }) => m === 0 ? `${metricTitle(info)}: ${letter(m)}` : letter(m)),
  ];
  return `${textTable(header, [...body, ["mean±sd", "", ...mean]])}\n(${keys})`;
}

/** The same as CSV with all measures in full: a line for every structure and method, then means and standard deviations. */
export function leaveOneOutCsv({ methods, rows }: LeaveOneOut): string {
  const names = STANDARD_METRICS.map(({ name }) => name);
  const line = (id: string, residues: number | "", method: string, values: MetricValues) =>
    [id, residues, JSON.stringify(method), ...names.map((name) => values[name] ?? "")].join(",");
  const over = (of: (found: { mean: number; sd: number }) => number, m: number): MetricValues =>
    Object.fromEntries(names.map((name) => {
      const found = spread(rows.map(({ values }) => values[m][name]));
      return [name, found && of(found)];
    }));
  return [
    ["id", "residues", "method", ...names].join(","),
    ...rows.flatMap(({ id, residues, values }) => methods.map((method, m) => line(id, residues, method, values[m]))),
    ...methods.map((method, m) => line("mean", "", method, over(({ mean }) => mean, m))),
    ...methods.map((method, m) => line("sd", "", method, over(({ sd }) => sd, m))),
    "",
  ].join("\n");
}
