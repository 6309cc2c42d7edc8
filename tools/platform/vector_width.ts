/**
 * How wide the vectors are for which lavapipe compiles, chosen before it is loaded: what was timed on this processor, else
 * a rule by the driver's version.
 *
 * @module
 */
import { join } from "node:path";
import { cacheFolder } from "./cache.ts";
import { type Lavapipe, mesaVersion } from "./lavapipe.ts";

/** Widths in bits between which there is a choice on a processor with AVX-512. */
export const VECTOR_WIDTHS = [256, 512] as const;

/** Milliseconds of processor time that the same work takes at each width. */
export type WidthTimes = Readonly<Record<string, number>>;

/** The width of lavapipe's vectors, and why. */
export interface VectorWidth {
  /** In bits; undefined where it is the driver's own choice, as on processors without AVX-512. */
  readonly bits?: number;
  /**
   * Where it comes from: the user's LP_NATIVE_VECTOR_WIDTH, times measured by `denofold doctor --tune`, a rule by the
   * version of Mesa, or the driver.
   */
  readonly source: "environment" | "measured" | "rule" | "driver";
  /** Version of Mesa, `25.0.7`; undefined where it is not known. */
  readonly mesa?: string;
  /** What was measured. */
  readonly times?: WidthTimes;
}

/** The last version of Mesa on which wide vectors were measured to be faster; on 25 they are 2.5 times slower. */
const LAST_WIDE_MESA = 22;

/** A slower width is kept that is within this factor of the fastest: measuring again gives the same choice. */
const MARGIN = 1.05;

/**
 * Chooses the width for an installed driver.
 *
 * @param named What the user has set; what is no number says nothing.
 * @param choice Whether the processor has instructions for the widest vectors.
 */
export function chooseVectorWidth(
  lavapipe: Lavapipe,
  named: string | undefined,
  choice: boolean = hasAvx512(),
): VectorWidth {
  const record = readRecord(lavapipe);
  const { mesa } = record;
  const times = record.times?.[processorName()];
  if (named && /^[1-9]\d*$/.test(named)) return { bits: Number(named), source: "environment", mesa, times };
  if (!choice) return { source: "driver", mesa };
  const bits = byRule(mesa);
  if (!times) return { bits, source: "rule", mesa };
  const fastest = [...VECTOR_WIDTHS].sort((a, b) => times[a] - times[b])[0];
  return { bits: times[bits] <= MARGIN * times[fastest] ? bits : fastest, source: "measured", mesa, times };
}

function byRule(mesa: string | undefined): number {
  return mesa !== undefined && parseInt(mesa) <= LAST_WIDE_MESA ? 512 : 256;
}

/** Whether there is a choice of widths on this processor. */
export function hasAvx512(): boolean {
  return Deno.build.arch === "x86_64" && /\bavx512f\b/.test(processorFile());
}

/** Keeps what was timed on this processor for the next runs; where the cache folder cannot be written, it is lost. */
export function keepWidthTimes(lavapipe: Lavapipe, times: WidthTimes): void {
  const record = readRecord(lavapipe);
  writeRecord(lavapipe, { ...record, times: { ...record.times, [processorName()]: times } });
}

/** What is known of an installed driver. */
interface DriverRecord {
  readonly mesa?: string;
  /** By processor: the cache folder may be shared by several machines. */
  readonly times?: Readonly<Record<string, WidthTimes>>;
}

/** Reads what earlier runs have found out; the version stands in a library of 10 MB and is looked for once. */
function readRecord(lavapipe: Lavapipe): DriverRecord {
  const kept = parseRecord(lavapipe);
  if (kept) return kept;
  const record = { mesa: lavapipe.library && mesaVersion(lavapipe.library) };
  writeRecord(lavapipe, record);
  return record;
}

function parseRecord(lavapipe: Lavapipe): DriverRecord | undefined {
  try {
    const { mesa, times = {} } = JSON.parse(Deno.readTextFileSync(recordPath(lavapipe)));
    if (mesa !== undefined && typeof mesa !== "string") return undefined;
    const whole = (one: WidthTimes) => VECTOR_WIDTHS.every((width) => one[width] > 0);
    return Object.values<WidthTimes>(times).every(whole) ? { mesa, times } : undefined;
  } catch {
    return undefined; // not there yet, or damaged: found out again
  }
}

function writeRecord(lavapipe: Lavapipe, record: DriverRecord): void {
  const path = recordPath(lavapipe);
  const beside = `${path}.${Deno.pid}`;
  try {
    Deno.mkdirSync(join(cacheFolder(), "mesa"), { recursive: true, mode: 0o700 });
    Deno.writeTextFileSync(beside, `${JSON.stringify(record)}\n`);
    Deno.renameSync(beside, path);
  } catch {
    // A folder that cannot be written: found out again by the next run.
  }
}

function recordPath({ id }: Lavapipe): string {
  return join(cacheFolder(), "mesa", `lavapipe_${id}.json`);
}

function processorName(): string {
  return /^model name\s*:\s*(.*)$/m.exec(processorFile())?.[1] ?? Deno.build.arch;
}

let processors: string | undefined;

function processorFile(): string {
  try {
    return processors ??= Deno.readTextFileSync("/proc/cpuinfo");
  } catch {
    return "";
  }
}
