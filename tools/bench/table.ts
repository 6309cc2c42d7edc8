import type { Bar, BenchRecord, PeerResult } from "./record.ts";

const HEAD = ["workload", "sizes", "mode", "ms min", "median", "GF/s", "GF/cpu-s", "peak MB", "peer", "ratio", "bar"];
/** Columns of numbers, which stand to the right. */
const RIGHT: ReadonlySet<string> = new Set(
  ["ms min", "median", "GF/s", "GF/cpu-s", "peak MB", "ratio"]
    .concat("ours/its", "runs", "ms", "time", "FMA rate", "copy rate"),
);
const PEER_HEAD = ["workload", "sizes", "mode", "peer", "ms min", "median", "ours/its", "checksum", "engine, device"];
const KERNEL_HEAD = ["workload", "sizes", "mode", "kernel", "runs", "ms", "time", "GF/s", "FMA rate", "copy rate"];
const KERNELS_SHOWN = 12;
const LONGEST_FAILURE = 160;

/** The records as a table of plain text, one row each, without a line end after the last. */
export function formatTable(records: readonly BenchRecord[]): string {
  return formatRows(HEAD, RIGHT, records.map(cells));
}

/** All peers of the records that have several, fastest first; empty where none has. */
export function formatPeers(records: readonly BenchRecord[]): string {
  const rows = records.flatMap((record) =>
    (record.peers ?? []).toSorted((a, b) => (a.ms_min ?? Infinity) - (b.ms_min ?? Infinity)).map((peer) => [
      record.workload,
      formatSizes(record.sizes),
      record.mode,
      peer.name,
      number(peer.ms_min),
      number(peer.ms_median),
      number(peer.ratio),
      peer.failure ? `failed: ${peer.failure.slice(0, LONGEST_FAILURE)}` : verdictOf(peer),
      peer.failure ? "" : peer.engine,
    ])
  );
  return rows.length ? formatRows(PEER_HEAD, RIGHT, rows) : "";
}

/** What the kernels of the records reach, the slowest of each. */
export function formatKernels(records: readonly BenchRecord[]): string {
  const rows = records.flatMap((record) =>
    (record.kernels ?? []).slice(0, KERNELS_SHOWN).map((share) => [
      record.workload,
      formatSizes(record.sizes),
      record.mode,
      share.kernel,
      String(share.count),
      number(share.ms),
      percent(share.time_share),
      number(share.gflops),
      percent(share.fma_share),
      percent(share.bandwidth_share),
    ])
  );
  return rows.length ? formatRows(KERNEL_HEAD, RIGHT, rows) : "";
}

function formatRows(head: readonly string[], right: ReadonlySet<string>, rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const rule = widths.map((width) => "─".repeat(width));
  return [head, rule, ...rows].map((row) =>
    row.map((cell, c) => right.has(head[c]) ? cell.padStart(widths[c]) : cell.padEnd(widths[c])).join("  ").trimEnd()
  ).join("\n");
}

function verdictOf({ agrees, dtype, checksum }: PeerResult): string {
  if (agrees === undefined && dtype === "f32") return checksum ? "not judged" : "gives none"; // ours may be rounded
  if (agrees === undefined) return `not judged in ${dtype}`;
  return agrees ? "agrees" : "DISAGREES";
}

function percent(share: number | null): string {
  return share === null ? "" : `${(100 * share).toFixed(1)} %`;
}

/** What the table has no room for: agreement with peers, counts of bytes. */
export function formatDetails(record: BenchRecord): string[] {
  const lines: string[] = [];
  const name = `${record.workload} ${formatSizes(record.sizes)}`;
  if (record.agrees !== undefined) {
    const [what, numbers] = record.losses ? ["losses", record.losses] : ["checksum", record.checksum ?? []];
    const exact = record.peers?.filter(({ agrees }) => agrees !== undefined);
    const others = exact?.filter(({ agrees }) => agrees === record.agrees).map(({ name }) => name).join(", ");
    const verdict = record.agrees ? "agrees" : "DISAGREES";
    lines.push(
      `${name}, ${record.mode}: ${what} ${numbers.join(", ")} ${verdict} with ${others ?? record.peer ?? "the peer"}`,
    );
  }
  if (record.roofs && record.product_share !== undefined) {
    lines.push(
      `${name}, ${record.mode}: matrix products at ${percent(record.product_share)} of the measured FMA rate of ` +
        `${record.roofs.gflops} GF/s; copies ${record.roofs.gbs} GB/s`,
    );
  }
  if (record.unit_error) {
    const [least, most] = record.unit_error.map((x) => x.toExponential(1));
    lines.push(`${name}, ${record.mode}: on matrix units results differ by ${least} to ${most} of their length`);
  }
  if (record.first_forward_ms !== undefined) {
    lines.push(
      `${name}, ${record.mode}: ${number(record.first_forward_ms)} ms from the first kernel to the output; CPU time ` +
        `${number(record.cpu_ms_min)} ms`,
    );
  }
  const { loss_error: losses, gradient_error: gradients } = record;
  if (losses && gradients) {
    const range = (ends: readonly number[]) => ends.map((x) => x.toExponential(1)).join(" to ");
    lines.push(`${name}, ${record.mode}: losses differ by ${range(losses)}, gradients by ${range(gradients)}`);
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
