import { join } from "node:path";
import type { Device } from "../../core/mod.ts";
import { InputError } from "../errors.ts";
import { FAMILIES } from "./cases/mod.ts";
import { compare, type Comparison } from "./compare.ts";
import { type Family, familyOf, type Results } from "./family.ts";
import { encodeSafetensors } from "../../model/weights/safetensors.ts";
import { Golden } from "./golden.ts";

/** How a case went. */
export interface CaseReport {
  /** Name of the case, or of the file if that cannot be read. */
  readonly case: string;
  /** Path of its tensors. */
  readonly file: string;
  readonly status: "passed" | "failed" | "skipped";
  /** Largest error as a fraction of its tolerance; null where nothing was compared. */
  readonly worst: number | null;
  /** The tensor that has it. */
  readonly tensor: string | null;
  /** Why it failed or was skipped. */
  readonly message?: string;
}

/** How many cases ended how. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** A part of the largest gradient of a case that every gradient's absolute tolerance is at least. */
const FLOOR_OF_GRADIENTS = 1e-6;

/** Description of a case whose golden numbers and words all stand in it: it names the case, or a preset, at its beginning. */
const CASE = /^\s*\{\s*"(case|preset)"\s*:/;

/**
 * Paths of all safetensors files and of all descriptions of cases under a folder, without their ending, sorted.
 *
 * @param without Name of folders that are passed over. @default none are
 * @throws {InputError} If there is no such folder.
 */
export async function findCases(folder: string, without?: string): Promise<string[]> {
  const found = new Set<string>();
  const walk = async (path: string): Promise<void> => {
    for await (const entry of Deno.readDir(path)) {
      if (entry.name === without) continue;
      const child = join(path, entry.name);
      const { isDirectory } = entry.isSymlink ? await Deno.stat(child).catch(() => entry) : entry;
      if (isDirectory && !entry.isSymlink) await walk(child);
      else if (!isDirectory && child.endsWith(".safetensors")) found.add(child.slice(0, -".safetensors".length));
      else if (!isDirectory && child.endsWith(".json") && CASE.test(await Deno.readTextFile(child))) {
        found.add(child.slice(0, -".json".length));
      }
    }
  };
  try {
    await walk(folder);
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "there is no such folder" : messageOf(error);
    throw new InputError(`Cannot walk ${folder}: ${reason}`);
  }
  return [...found].sort();
}

/**
 * Runs one case.
 *
 * @param path Of its files, without the ending.
 */
export async function runCase(
  device: Device,
  path: string,
  families: readonly Family[] = FAMILIES,
): Promise<CaseReport> {
  const file = `${path}.safetensors`;
  let report = { case: path.split(/[\\/]/).at(-1)!, file, worst: null, tensor: null };
  try {
    const text = await Deno.readTextFile(`${path}.json`).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return null;
      throw error;
    });
    if (text === null) return { ...report, status: "skipped", message: "no description (.json) lies beside it" };
    const bytes = await Deno.readFile(file).catch((error) => {
      if (error instanceof Deno.errors.NotFound) return encodeSafetensors(new Map());
      throw error;
    });
    const golden = new Golden(text, bytes, path);
    report = { ...report, case: golden.name };
    const family = familyOf(golden, families);
    if (!family) return { ...report, status: "skipped", message: "nothing covers it yet" };
    const results = await runFamily(device, golden, family);
    const comparisons = compareAll(golden, results, family);
    if (comparisons.length === 0) return { ...report, status: "failed", message: "it has nothing to compare" };
    const { worst, tensor, detail } = comparisons.reduce((a, b) => (b.worst > a.worst ? b : a));
    if (worst <= 1) return { ...report, status: "passed", worst, tensor };
    const others = comparisons.filter((comparison) => !(comparison.worst <= 1)).length - 1;
    const message = `${tensor}: ${detail}${others ? ` (and ${others} more tensors)` : ""}`;
    return { ...report, status: "failed", worst: Math.min(worst, Number.MAX_VALUE), tensor, message };
  } catch (error) {
    return { ...report, status: "failed", message: messageOf(error) };
  }
}

/** Runs the cases one after the other and tells each as it ends. */
export async function runCases(
  device: Device,
  paths: readonly string[],
  tell: (report: CaseReport, seconds: number) => void,
): Promise<Counts> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const path of paths) {
    const start = performance.now();
    const report = await runCase(device, path);
    counts[report.status]++;
    tell(report, (performance.now() - start) / 1000);
  }
  return counts;
}

/** The line that tells of a case. */
export function formatReport({ case: name, status, worst, tensor, message }: CaseReport, seconds: number): string {
  const head = `${status.padEnd(8)}${name.padEnd(34)}`;
  if (status === "skipped") return `${head} ${message}`;
  const figure = worst === null ? "" : ` ${worst.toPrecision(3)} of the tolerance in ${tensor}`;
  const reason = message ? (worst === null ? ` ${message}` : `; ${message}`) : "";
  return `${head}${figure}${reason} (${seconds.toFixed(1)} s)`;
}

/** The line that ends a run. */
export function formatCounts({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

async function runFamily(device: Device, golden: Golden, family: Family): Promise<Results> {
  const scope = device.scope(golden.name);
  try {
    return await family.run(device, golden);
  } finally {
    scope[Symbol.dispose]();
  }
}

function compareAll(golden: Golden, results: Results, family: Family): Comparison[] {
  const comparisons = family.special?.(golden, results) ?? [];
  const done = new Set(comparisons.map(({ tensor }) => tensor));
  for (const name of golden.results) {
    if (done.has(name)) continue;
    const expected = golden.data(name);
    const gradient = name.startsWith("grad_");
    const actual = results.get(name) ??
      (gradient && golden.isZeroGradient(name) ? new Float32Array(expected.length) : undefined);
    const options = gradient ? { floor: FLOOR_OF_GRADIENTS * golden.largestGradient } : { valid: golden.valid(name) };
    comparisons.push(compare(name, actual, expected, golden.tolerance(name), options));
  }
  return comparisons;
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s*\n\s*/g, " ");
}
