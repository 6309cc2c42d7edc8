import { type Device, noise, Profiler, pullback, sizeOf, type Tensor, WrongKernelError } from "../core/mod.ts";
import { type Product, runMatmul } from "./_matmul.ts";
import { attention } from "./attention.ts";
import { layerNorm } from "./layer_norm.ts";
import { MATMUL_CLASSES, type MatmulClass, tilesToTime } from "./matmul_tiles.ts";
import { gatedTriangleProduct } from "./triangle_product.ts";
import { familiesOf, FAMILY_OPS, type FamilyOp, setTuning, type Tuning, tuningOf, usingOnly } from "./tuning.ts";

/** What is decided by timing. */
export type Decision = "loads" | MatmulClass | FamilyOp;

/** The decisions, in the order of tables. */
export const DECISIONS: readonly Decision[] = ["loads", ...MATMUL_CLASSES, ...FAMILY_OPS];

/** One way, timed. */
export interface MeasuredWay {
  /** What it decides. */
  readonly decision: Decision;
  /** The way: a load path, a tile, or a family of kernels. */
  readonly way: Tuning["loads"] | Tuning["matmul"][MatmulClass] | Tuning[FamilyOp];
  /** The fastest run of a typical computation; in milliseconds. */
  readonly ms: number;
}

/** How {@linkcode tune} goes about it. */
export interface TuneOptions {
  /** Ways not yet compiled after so many milliseconds are left out. @default no limit */
  readonly budgetMs?: number;
}

/** Turns that all ways have, and those that only ways not clearly behind have after them. */
const TURNS = [2, 6];
/** How much slower than the fastest a way may be for more turns: noise is less. */
const BEHIND = 1.5;

/**
 * How much slower than the fastest a way before it may be: less may be chance, and the built-in one is the first. The
 * processor of a software driver has other things to do as well.
 */
const gainOf = ({ traits }: Device) => (traits.software ? 1.15 : 1.05);

/** A decision on a device: its ways, the built-in one first, and a computation that is typical of it. */
interface Question {
  readonly decision: Decision;
  readonly ways: readonly MeasuredWay["way"][];
  run(): void;
}

/** Typical computations: a projection, a little product, the gradient of a weight; a block's attention, edges and rows. */
function questions(device: Device): readonly Question[] {
  const { traits } = device;
  const rows = traits.software ? 2048 : 32_768, residues = traits.software ? 48 : 192, sequences = 16;
  const random = (...shape: number[]) => device.tensor(noise(sizeOf(shape), shape.length), shape);
  const product = (m: number, n: number, k: number): Product => ({ a: random(m * k), b: random(k * n), m, n, k });
  const products: Record<MatmulClass, Product> = {
    large: { ...product(rows, 512, 128), bTransposed: true },
    small: { ...product(256, 256, 256), bTransposed: true },
    long: { ...product(512, 128, rows), aTransposed: true },
  };
  const qkv = random(1, sequences, residues, 4 * 8 * 32), bias = random(1, 8, residues, residues);
  const packed = random(1, residues, residues, 4 * 64), x = random(rows, 128), other = random(rows * 128);
  const computations: Record<Exclude<Decision, MatmulClass>, () => void> = {
    loads: () => {
      device.copy(other, products.large.a); // a mirror is made anew, as for most of what is computed
      runMatmul(device, products.large);
    },
    attention: () => {
      const attend = (inputs: { qkv: Tensor; bias: Tensor }) => attention(inputs, { heads: 8, axis: 2, gated: true });
      const { output, pullLeaves } = pullback(device, attend, { qkv, bias });
      pullLeaves([output]);
    },
    triangle: () => void gatedTriangleProduct({ packed }, { direction: "outgoing" }),
    rows: () => void layerNorm(x),
  };
  return [
    { decision: "loads", ways: device.kernels.loadPaths, run: computations.loads },
    ...MATMUL_CLASSES.map((decision): Question => ({
      ...{ decision, ways: tilesToTime(traits, decision) },
      run: () => void runMatmul(device, products[decision]),
    })),
    ...FAMILY_OPS.map((decision): Question => ({
      ...{ decision, ways: familiesOf(traits, decision), run: computations[decision] },
    })),
  ];
}

/** A way of a question that has been found right. */
interface Run {
  readonly question: Question;
  readonly way: MeasuredWay["way"];
  once(): void;
}

/**
 * Times the ways to compute that are right on a device (where kernels load from, how matrix products are cut, which
 * family of kernels other ops take) and sets the fastest ones, as {@linkcode setTuning} does. Takes the device's
 * timestamps, or the time of a submission where it has none.
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
 * @returns The preferences set, and all that was timed. Where nothing can be timed (a browser without timestamps) the
 * device's preferences stay.
 */
export async function tune(
  device: Device,
  { budgetMs = Infinity }: TuneOptions = {},
): Promise<{ tuning: Tuning; measured: readonly MeasuredWay[] }> {
  const began = performance.now();
  const before = tuningOf(device);
  using scope = device.scope("tune");
  void scope;
  const runs: Run[] = [];
  try {
    // Way by way, so that what a spent budget leaves out is the last ways of all questions. Compiling takes the time.
    const asked = questions(device);
    for (let i = 0; i < Math.max(...asked.map(({ ways }) => ways.length)); i++) {
      for (const question of asked) {
        if (i >= question.ways.length || (i > 0 && performance.now() - began > budgetMs)) continue;
        if (question.ways.length === 1) continue;
        const run = runOf(device, before, question, question.ways[i]);
        if (await isRight(device, run)) runs.push(run);
      }
    }
    const loads = runs.filter(({ question }) => question.decision === "loads");
    const others = runs.filter((run) => !loads.includes(run));
    const measured = [
      ...await timeInTurns(loads, (racing, turns) => timeWhole(device, racing, turns)),
      ...await timeInTurns(others, (racing, turns) => timeKernels(device, racing, turns)),
    ];
    const tuning = chosen(before, measured, gainOf(device));
    setTuning(device, tuning);
    return { tuning, measured };
  } catch (error) {
    setTuning(device, before);
    throw error;
  }
}

function runOf(device: Device, before: Tuning, question: Question, way: MeasuredWay["way"]): Run {
  const tuning = changed(before, question.decision, way);
  return {
    ...{ question, way },
    once() {
      using only = usingOnly(device, tuning);
      using scope = device.scope(question.decision);
      question.run();
      void [only, scope];
    },
  };
}

/** Whether all kernels of a way are right; compiles them. */
async function isRight(device: Device, run: Run): Promise<boolean> {
  try {
    run.once();
    await device.finish();
    return true;
  } catch (error) {
    if (error instanceof WrongKernelError) return false;
    throw error;
  }
}

/** A tuning with another way to go about one thing. */
function changed(tuning: Tuning, decision: Decision, way: MeasuredWay["way"]): Tuning {
  const inMatmul = (MATMUL_CLASSES as readonly string[]).includes(decision);
  return inMatmul ? { ...tuning, matmul: { ...tuning.matmul, [decision]: way } } : { ...tuning, [decision]: way };
}

/** For every decision the first way than which none is clearly faster. */
function chosen(before: Tuning, measured: readonly MeasuredWay[], gain: number): Tuning {
  let tuning = before;
  for (const decision of DECISIONS) {
    const own = measured.filter((row) => row.decision === decision && row.ms > 0); // 0: the clock is too coarse
    const best = own.find(({ ms }) => ms <= gain * Math.min(...own.map(({ ms }) => ms)));
    if (best) tuning = changed(tuning, decision, best.way);
  }
  return tuning;
}

/** Times a few turns of each way, then more of those that may still be the fastest of their question. */
async function timeInTurns(
  runs: readonly Run[],
  time: (runs: readonly Run[], turns: number) => Promise<readonly number[]>,
): Promise<MeasuredWay[]> {
  const fastest = new Map(runs.map((run) => [run, Infinity]));
  const isBehind = (run: Run) => {
    const rivals = runs.filter(({ question }) => question === run.question).map((rival) => fastest.get(rival)!);
    return fastest.get(run)! > BEHIND * Math.min(...rivals);
  };
  for (const turns of TURNS) {
    const racing = runs.filter((run) => !isBehind(run));
    const times = await time(racing, turns);
    for (const [i, run] of racing.entries()) fastest.set(run, Math.min(fastest.get(run)!, times[i]));
  }
  return runs.map((run) => ({ decision: run.question.decision, way: run.way, ms: fastest.get(run)! }));
}

/** The fastest turn of each, copies included; they alternate, so that a busy moment falls on all. */
async function timeWhole(device: Device, runs: readonly Run[], turns: number): Promise<readonly number[]> {
  const fastest = runs.map(() => Infinity);
  for (let turn = 0; turn < turns; turn++) {
    for (const [i, run] of runs.entries()) {
      const began = performance.now();
      run.once();
      await device.finish();
      fastest[i] = Math.min(fastest[i], performance.now() - began);
    }
  }
  return fastest;
}

/** The same by the device's clock, for kernels alone. */
async function timeKernels(device: Device, runs: readonly Run[], turns: number): Promise<readonly number[]> {
  const profiler = Profiler.start(device, { memory: false });
  for (let turn = 0; turn < turns; turn++) {
    for (const [i, run] of runs.entries()) {
      profiler.mark(`${i}`);
      run.once();
    }
  }
  const { kernels, marks } = await profiler.stop();
  const fastest = runs.map(() => Infinity);
  for (const [at, { name, kernels: first }] of marks.entries()) {
    const ms = kernels.slice(first, marks[at + 1]?.kernels).reduce((sum, { ms }) => sum + ms, 0);
    fastest[Number(name)] = Math.min(fastest[Number(name)], ms);
  }
  return fastest;
}
