/**
 * What somebody with a GPU is asked to send: one command that measures what matters there and prints it as one Markdown table
 * and one JSON, `deno task bench --suite gpu`.
 *
 * @module
 */
import { formatBar, formatSizes } from "./table.ts";
import type { BlockSize } from "./block_peers.ts";
import type { BenchRecord } from "./record.ts";

/** One part of a suite: a workload, and the block's size where it has one. */
export interface SuitePart {
  readonly name: string;
  readonly sizes: readonly BlockSize[];
}

/** Names of suites. */
export const SUITES = ["gpu"] as const;

/** Seconds after which no other part is begun, so that all of it ends within eight minutes. */
export const SUITE_SECONDS = 330;

/** Peers that need no compiling, beside which a suite runs where PyTorch is installed. */
export const SUITE_PEERS: readonly string[] = ["torch", "torch-tf32", "torch-bf16"];

/** The parts of the suite in their order, the quickest first; on a software driver small ones, to try the command. */
export function suiteParts(software: boolean): readonly SuitePart[] {
  const sizes = software ? [{ nSeq: 32, nRes: 64 }] : [{ nSeq: 128, nRes: 256 }, { nSeq: 512, nRes: 384 }];
  return [{ name: "kernels", sizes: [] }, ...sizes.map((size) => ({ name: "evoformer", sizes: [size] }))];
}

/** All that a suite found. */
export interface SuiteResult {
  /** Name and version of the program, the adapter, the system. */
  readonly about: Readonly<Record<string, string>>;
  readonly records: readonly BenchRecord[];
  /** Parts that were not begun, and why. */
  readonly leftOut: readonly string[];
}

/** The table, what was left out, and the JSON in a part of its own that readers fold away. */
export function formatSuite(result: SuiteResult): string {
  const { about, records, leftOut } = result;
  const roofs = records.find(({ roofs }) => roofs)?.roofs;
  const head = Object.entries(about).map(([name, value]) => `${name}: ${value}`);
  if (roofs) head.push(`multiply-adds: ${roofs.gflops} GFLOP/s; copies: ${roofs.gbs} GB/s`);
  const rows = records.map((record) => [
    record.workload,
    formatSizes(record.sizes),
    record.mode,
    record.ms_min === null ? "" : String(record.ms_min),
    shareText(record),
    (record.peers ?? []).map(({ name, ms_min, failure }) => `${name} ${failure ? "failed" : ms_min}`).join(", "),
    (record.bars ?? []).map(formatBar).join("; "),
  ]);
  const table = [["what", "sizes", "pass", "ms", "share", "peers, ms", "bar"], Array(7).fill("---"), ...rows]
    .map((cells) => `| ${cells.map((cell: string) => cell.replaceAll("|", "\\|")).join(" | ")} |`);
  return [
    ...[head.map((line) => `- ${line}`).join("\n"), table.join("\n")],
    ...(leftOut.length ? [`Left out: ${leftOut.join("; ")}.`] : []),
    `<details><summary>All numbers</summary>\n\n\`\`\`json\n${JSON.stringify(result)}\n\`\`\`\n\n</details>`,
  ].join("\n\n");
}

function shareText({ roof, roof_share, product_share, unit_error }: BenchRecord): string {
  const error = unit_error ? `; on matrix units results differ by up to ${unit_error[1].toExponential(1)}` : "";
  const percent = (share: number) => `${(100 * share).toFixed(0)} %`;
  if (roof_share !== undefined) return `${percent(roof_share)} of ${roof === "bytes" ? "copies" : "multiply-adds"}`;
  return product_share === undefined ? "" : `products ${percent(product_share)} of multiply-adds${error}`;
}
