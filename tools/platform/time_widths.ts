/**
 * Times an Evoformer block at each vector width of lavapipe. The driver reads the width when it is loaded, so each is timed
 * in a process of its own: the command line started once more. Processor time counts, which other programs hardly change.
 *
 * @module
 */
import process from "node:process";
import { type Device, Key } from "../../core/mod.ts";
import { evoformerConfig, evoformerStack, initEvoformer } from "../../model/evoformer/mod.ts";
import { InputError } from "../errors.ts";
import { installedLavapipe } from "./lavapipe.ts";
import { ownCommand } from "./own_process.ts";
import { hasAvx512, keepWidthTimes, VECTOR_WIDTHS, type WidthTimes } from "./vector_width.ts";

/** The block's size: what a small network has, half a second of processor time. */
const [N_SEQ, N_RES] = [32, 64];
const ROUNDS = 2;
const RUNS = 4;
/** Times that differ by this factor are not taken again. */
const CLEAR = 1.25;

/** Name of the hidden flag of `denofold doctor` with which it starts itself. */
export const TIME_BLOCK = "--time-block";

/** How {@linkcode timeVectorWidths} goes about it. */
export interface WidthTimingOptions {
  /** What to run on, as the `--device` flag says it. */
  readonly device: string;
  /** Receives a line before each process is started. */
  readonly log: (line: string) => void;
}

/**
 * Times a block at each width on the software driver and keeps the times, by which the next runs choose. Call it before
 * anything has looked for adapters, so that this process chooses by them too.
 *
 * @returns Milliseconds of processor time by width, the least of several runs; undefined where there is no choice, or the device is another.
 * @throws {InputError} If a process fails.
 */
export async function timeVectorWidths({ device, log }: WidthTimingOptions): Promise<WidthTimes | undefined> {
  const lavapipe = installedLavapipe();
  if (!lavapipe || !hasAvx512()) return undefined;
  const times: Record<string, number> = {};
  for (let round = 0; round < ROUNDS; round++) {
    for (const width of VECTOR_WIDTHS) {
      if (round === 0) log(`Timing an Evoformer block with vectors of ${width} bits (about 10 seconds) …`);
      const ms = await timeInProcess(width, device);
      if (ms === undefined) return undefined;
      times[width] = Math.min(times[width] ?? Infinity, Math.round(ms));
    }
    const all = Object.values(times);
    if (Math.max(...all) > CLEAR * Math.min(...all)) break;
  }
  keepWidthTimes(lavapipe, times);
  return times;
}

/** The milliseconds that a process with this width needs; undefined if it does not run on lavapipe. */
async function timeInProcess(width: number, device: string): Promise<number | undefined> {
  const env = { LP_NATIVE_VECTOR_WIDTH: String(width) };
  const { code, stdout, stderr } = await ownCommand(["doctor", TIME_BLOCK, "--device", device], { env }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  if (code !== 0) {
    throw new InputError(`Cannot time vectors of ${width} bits: ${text(stderr).split("\n").at(-1)}`);
  }
  const ms = text(stdout);
  return ms === "" ? undefined : Number(ms);
}

/** What such a process prints: the milliseconds of processor time of a block, forward, or nothing if the device is not lavapipe's. */
export async function timeBlockText(device: Device): Promise<string> {
  if (!/llvmpipe|lavapipe/i.test(device.traits.description)) return "";
  using model = device.scope("model");
  const config = evoformerConfig({ nBlock: 1 });
  const params = initEvoformer(device, config, Key.fromSeed(0));
  const m = device.zeros([1, N_SEQ, N_RES, config.cM]);
  const z = device.zeros([1, N_RES, N_RES, config.cZ]);
  let least = Infinity;
  for (let run = 0; run < RUNS; run++) {
    using step = device.scope("step");
    const before = process.cpuUsage();
    evoformerStack(params, { m, z }, config);
    await device.finish();
    const { user, system } = process.cpuUsage(before);
    if (run > 0) least = Math.min(least, (user + system) / 1000); // the first one compiles
    void step;
  }
  void model;
  return String(least);
}
