import type { Bar, BenchRecord } from "./record.ts";

const HEAD = ["workload", "sizes", "mode", "ms min", "median", "GF/s", "GF/cpu-s", "peak MB", "peer", "ratio", "bar"];
/** Columns of numbers, which stand to the right. */
const RIGHT: ReadonlySet<string> = new Set(["ms min", "median", "GF/s", "GF/cpu-s", "peak MB", "ratio"]);

/** The records as a table of plain text, one row each, without a line end after the last. */
export function formatTable(records: readonly BenchRecord[]): string {
  const rows = [HEAD, ...records.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const rule = widths.map((width) => "─".repeat(width));
  return [rows[0], rule, ...rows.slice(1)].map((row) =>
    row.map((cell, c) => RIGHT.has(HEAD[c]) ? cell.padStart(widths[c]) : cell.padEnd(widths[c])).join("  ").trimEnd()
  ).join("\n");
}

/** What the table has no room for: agreement with peers, counts of bytes. */
export function formatDetails(record: BenchRecord): string[] {
  const lines: string[] = [];
  const name = `${record.workload} ${formatSizes(record.sizes)}`;
  if (record.agrees !== undefined) {
    const [what, numbers] = record.losses ? ["losses", record.losses] : ["checksum", record.checksum ?? []];
    const verdict = record.agrees ? "agrees" : "DISAGREES";
    lines.push(`${name}, ${record.mode}: ${what} ${numbers.join(", ")} ${verdict} with ${record.peer ?? "the peer"}`);
  }
  const { peak_bytes: peak, counted_bytes: counted, parameter_bytes: parameters = 0, saved_bytes: saved = 0 } = record;
  if (peak !== null && counted !== undefined) {
    lines.push(
      `${name}: peak ${megabytes(peak)} MB; counted ${megabytes(counted)} MB = ${megabytes(parameters)} MB of ` +
        `parameters, moments and gradients + ${megabytes(saved)} MB of saved activations`,
    );
  }
  return lines;
}

/** Sizes as `512×512×512` for a matrix product, else `name value`. */
export function formatSizes(sizes: Readonly<Record<string, number>>): string {
  const names = Object.keys(sizes);
  return names.join() === "m,n,k"
    ? Object.values(sizes).join("×")
    : names.map((name) => `${name} ${sizes[name]}`).join(" ");
}

/** A bar, what was reached and whether it is enough, such as `≥ 24 GF/cpu-s: 25.1 met`. */
export function formatBar({ what, value, least, most, met }: Bar): string {
  const verdict = met === null ? "(busy machine: not judged)" : met ? "met" : "MISSED";
  return `${least !== undefined ? `≥ ${least}` : `≤ ${most}`} ${what}: ${number(value)} ${verdict}`;
}

function cells(record: BenchRecord): string[] {
  const { peer, peer_ms_min: peerMs } = record;
  return [
    record.workload,
    formatSizes(record.sizes),
    record.mode,
    number(record.ms_min),
    number(record.ms_median),
    number(record.gflops),
    number(record.gflops_per_cpu_s),
    record.peak_bytes === null ? "" : megabytes(record.peak_bytes),
    peer ? `${peer}${peerMs === undefined ? "" : ` ${number(peerMs)} ms`}` : "",
    number(record.ratio),
    (record.bars ?? []).map(formatBar).join("; "),
  ];
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (Number.isInteger(value)) return String(value);
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3;
  return value.toFixed(digits);
}
