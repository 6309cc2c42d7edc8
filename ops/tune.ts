import { type Device, Profiler } from "../core/mod.ts";
import { type Product, runMatmul } from "./_matmul.ts";
import {
  MATMUL_CLASSES,
  type MatmulClass,
  type MatmulTile,
  matmulTiles,
  setTuning,
  type Tuning,
  tuningOf,
} from "./matmul_tiles.ts";

/** One tile, timed. */
export interface MeasuredTile {
  /** Which products. */
  readonly product: MatmulClass;
  /** How they were cut. */
  readonly tile: MatmulTile;
  /** The fastest run; in milliseconds. */
  readonly ms: number;
  /** Operations per nanosecond, two for a multiply-add. */
  readonly gflops: number;
}

/** How {@linkcode tune} goes about it. */
export interface TuneOptions {
  /** Tiles not yet compiled after so many milliseconds are left out. @default no limit */
  readonly budgetMs?: number;
}

const TURNS = 8;
/** How much slower than the fastest a tile before it may be: less may be chance, and the built-in one is the first. */
const GAIN = 1.05;

/** Typical products of each class: a projection, a little product, the gradient of a weight. */
function samples(device: Device): Readonly<Record<MatmulClass, Product>> {
  const rows = device.traits.software ? 2048 : 32_768;
  const product = (m: number, n: number, k: number) => ({
    a: device.zeros([m * k]),
    b: device.zeros([k * n]),
    m,
    n,
    k,
  });
  return {
    large: { ...product(rows, 512, 128), bTransposed: true },
    small: { ...product(256, 256, 256), bTransposed: true },
    long: { ...product(512, 128, rows), aTransposed: true },
  };
}

/**
 * Times the tiles of the matrix product on a device and sets the fastest ones, as {@linkcode setTuning} does. Takes the
 * device's timestamps, or the time of a submission where it has none.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { setTuning, tune } from "@denofold/denofold/ops";
 *
 * const device = await Device.open(navigator.gpu);
 * const { tuning } = await tune(device, { budgetMs: 500 });
 * const kept = JSON.stringify(tuning); // for the next time: plain data
 * setTuning(device, JSON.parse(kept));
 * device.close();
 * ```
 * @returns The parameters set, and all that was timed. Where nothing can be timed (a browser without timestamps) the
 * device's parameters stay.
 */
export async function tune(
  device: Device,
  { budgetMs = Infinity }: TuneOptions = {},
): Promise<{ tuning: Tuning; measured: readonly MeasuredTile[] }> {
  const began = performance.now();
  const before = tuningOf(device);
  using scope = device.scope("tune");
  void scope;
  const runs: Run[] = [];
  const products = samples(device);
  try {
    // Tile by tile, so that what a spent budget leaves out is the last tiles of all classes. Compiling takes the time.
    for (const tile of matmulTiles(device.traits)) {
      for (const product of MATMUL_CLASSES) {
        if (runs.length >= MATMUL_CLASSES.length && performance.now() - began > budgetMs) break;
        const run = { product, tile, once: () => runOnce(device, products[product], tile) };
        run.once();
        await device.finish();
        runs.push(run);
      }
    }
    const times = await time(device, runs);
    const measured = times.flatMap((ms, i) => {
      const { product, tile } = runs[i];
      const { m, n, k } = products[product];
      return ms > 0 ? [{ product, tile, ms, gflops: 2 * m * n * k / ms / 1e6 }] : [];
    });
    const best = (product: MatmulClass) => fastestTile(measured, product) ?? before.matmul[product];
    const tuning = { matmul: { large: best("large"), small: best("small"), long: best("long") } };
    setTuning(device, tuning);
    return { tuning, measured };
  } catch (error) {
    setTuning(device, before);
    throw error;
  }
}

interface Run {
  readonly product: MatmulClass;
  readonly tile: MatmulTile;
  once(): void;
}

function runOnce(device: Device, product: Product, tile: MatmulTile): void {
  setTuning(device, { matmul: { large: tile, small: tile, long: tile } });
  using scope = device.scope("product");
  void scope;
  runMatmul(device, product);
}

/** The fastest of a few turns of each, in milliseconds; they alternate, so that a busy moment falls on all. */
async function time(device: Device, runs: readonly Run[]): Promise<number[]> {
  const profiler = Profiler.start(device);
  for (let turn = 0; turn < TURNS; turn++) {
    for (const [i, run] of runs.entries()) {
      profiler.mark(`${i}`);
      run.once();
    }
  }
  const { kernels, marks } = await profiler.stop();
  const fastest = runs.map(() => Infinity);
  for (const [at, { name, kernels: first }] of marks.entries()) {
    // A product whose sum was cut is several kernels.
    const ms = kernels.slice(first, marks[at + 1]?.kernels).reduce((sum, { ms }) => sum + ms, 0);
    fastest[Number(name)] = Math.min(fastest[Number(name)], ms);
  }
  return fastest;
}

/** The fastest tile, the first one where none is clearly faster; undefined where the clock is too coarse for any. */
function fastestTile(measured: readonly MeasuredTile[], product: MatmulClass): MatmulTile | undefined {
  const own = measured.filter((row) => row.product === product);
  return own.find(({ ms }) => ms <= GAIN * Math.min(...own.map((row) => row.ms)))?.tile;
}
