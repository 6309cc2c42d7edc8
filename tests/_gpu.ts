/** Helpers for tests on the adapter. */
import assert from "node:assert/strict";
import { Device, type KernelFamily, pullback, sizeOf, type Tensor } from "../core/mod.ts";
import { ensureAdapter } from "../tools/platform/driver.ts";
import { type Need, need, needing } from "./_needs.ts";

let opened: Promise<Device> | undefined;

/** The device all tests of a file share. */
export function testDevice(): Promise<Device> {
  return opened ??= ensureAdapter().then(({ adapter }) => Device.open(adapter));
}

/** Families of kernels that a test goes through. */
export const FAMILIES: readonly KernelFamily[] = ["subgroup", "plain", "workgroup"];

const familyDevices = new Map<KernelFamily, Device>();

/**
 * The same device with the kernels of a family. Those of adapters without subgroups load from buffers and know of no
 * subgroups, as they do there.
 */
export function ofFamily({ gpu, traits }: Device, kernelFamily: KernelFamily): Device {
  let device = familyDevices.get(kernelFamily);
  if (!device) {
    const others = kernelFamily === "subgroup" ? {} : { loadPaths: ["buffers"] as const, subgroupSize: 0 };
    familyDevices.set(kernelFamily, device = new Device(gpu, { ...traits, ...others, kernelFamilies: [kernelFamily] }));
  }
  return device;
}

/** Whether the adapter can run the kernels of a family. */
export function runsFamily({ traits }: Pick<Device, "traits">, family: KernelFamily): boolean {
  return family !== "subgroup" || traits.subgroupSize >= 4;
}

/** Traits of the adapter of this run. */
const ADAPTER = (await testDevice()).traits;

/** A test with the kernels of each family that the adapter can run; says so where it cannot. */
export function familyTest(
  name: string,
  run: (device: Device, family: KernelFamily) => void | Promise<void>,
  needs: Need | readonly Need[] = [],
): void {
  for (const family of FAMILIES) {
    const there = runsFamily({ traits: ADAPTER }, family);
    gpuTest(`${name}, ${family} kernels`, async (shared) => {
      const device = ofFamily(shared, family);
      const before = device.memory.liveTensors;
      const scope = device.scope("test");
      try {
        await run(device, family);
        await device.finish();
      } finally {
        scope[Symbol.dispose]();
      }
      assert.equal(device.memory.liveTensors, before, "the test leaked tensors");
    }, [need("adapter", there, "the adapter has no subgroups"), ...[needs].flat()]);
  }
}

/** A test on the adapter; fails if it leaves a tensor behind. It is skipped where a need is not met. */
export function gpuTest(
  name: string,
  run: (device: Device) => void | Promise<void>,
  needs: Need | readonly Need[] = [],
): void {
  Deno.test(needing(needs, {
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn() {
      const device = await testDevice();
      const before = device.memory.liveTensors;
      const scope = device.scope("test");
      try {
        await run(device);
        await device.finish();
      } finally {
        scope[Symbol.dispose]();
      }
      assert.equal(device.memory.liveTensors, before, "the test leaked tensors");
    },
  }));
}

/** Reproducible numbers in [-1, 1), different for each seed. */
export function randomArray(size: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 374761393) >>> 0;
    const mixed = Math.imul(state ^ (state >>> 13), 3266489917) >>> 0;
    return (mixed / 2 ** 32) * 2 - 1;
  });
}

/** How far a number may be from its reference: `atol + rtol * |reference|`. */
export interface Tolerance {
  readonly rtol?: number;
  readonly atol?: number;
}

/** Fails unless every element is within tolerance of the reference; NaN fails. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { rtol = 1e-5, atol = 1e-6 }: Tolerance = {},
  label = "value",
): void {
  assert.equal(actual.length, expected.length, `${label}: the number of elements differs`);
  let worst = 0, at = -1;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    const excess = difference === 0 ? 0 : difference / (atol + rtol * Math.abs(expected[i]));
    if (!(excess <= 1) && !(excess <= worst)) [worst, at] = [Number.isNaN(excess) ? Infinity : excess, i];
  }
  if (at >= 0) {
    assert.fail(
      `${label}[${at}] is ${actual[at]}, expected ${expected[at]}: ${worst.toPrecision(3)} times the tolerance`,
    );
  }
}

/** A float64 tensor for references. */
export interface Reference {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/** An array of a shape for references. */
export function reference(shape: readonly number[], data?: ArrayLike<number>): Reference {
  return { shape, data: data ? Float64Array.from(data) : new Float64Array(sizeOf(shape)) };
}

/** What {@linkcode checkOp} compares. */
export interface OpCheck<I extends Record<string, readonly number[]>> extends Tolerance {
  /** Shapes of the inputs; filled with random numbers. */
  readonly inputs: I;
  /** Fills an input otherwise. */
  readonly fill?: Partial<Record<keyof I, (i: number) => number>>;
  /** Inputs without gradient. */
  readonly constant?: readonly (keyof I)[];
  gpu(inputs: { [K in keyof I]: Tensor }): Tensor;
  /** The same in float64, as plainly as can be. */
  reference(inputs: { [K in keyof I]: Reference }): Reference;
  /** Tolerance of an element of a gradient, relative to the largest one of the reference. @default 5e-5 */
  readonly gradTolerance?: number;
  /** Added to it, for gradients that are 0 but for rounding. @default 1e-7 */
  readonly gradAtol?: number;
}

/** What a check's reference gave, computed once for all families. */
interface Oracle {
  readonly expected: Reference;
  readonly slopes: Map<string, number>;
}

const oracles = new WeakMap<object, Oracle>();

/** {@linkcode checkOp} with the kernels of each family. */
export function familyCheck<I extends Record<string, readonly number[]>>(name: string, check: OpCheck<I>): void {
  familyTest(name, (device) => checkOp(device, check));
}

/** Inputs of so many elements are checked element by element. */
const EXHAUSTIVE = 40;
/** Elements of larger ones that are checked on their own, chosen at random. */
const PICKS = 24;
/** Runs of neighbours, and as many sets of elements at equal distances, into which all elements of larger ones fall. */
const SETS = 8;

/**
 * Compares an op with its float64 reference, every element of it. The output is compared element by element. The gradient
 * of every input, for a random cotangent, is compared with central differences of the reference: element by element where
 * there are few, else some elements chosen at random, and besides all of them in sets: the derivative along a random
 * direction (+1 or -1 an element) over a set's elements, twice with other sets and signs. What is compared with is never
 * scaled by what the GPU gave; NaN and infinity fail wherever they are.
 */
export async function checkOp<I extends Record<string, readonly number[]>>(
  device: Device,
  check: OpCheck<I>,
): Promise<void> {
  const names = Object.keys(check.inputs) as (keyof I & string)[];
  const arrays = Object.fromEntries(names.map((name, i) => {
    const size = sizeOf(check.inputs[name]);
    const fill = check.fill?.[name];
    return [name, fill ? Float32Array.from({ length: size }, (_, j) => fill(j)) : randomArray(size, i + 1)];
  })) as { [K in keyof I]: Float32Array };
  const references = () =>
    Object.fromEntries(names.map((name) => [name, reference(check.inputs[name], arrays[name])])) as {
      [K in keyof I]: Reference;
    };
  let oracle = oracles.get(check);
  if (!oracle) oracles.set(check, oracle = { expected: check.reference(references()), slopes: new Map() });
  const { expected, slopes: known } = oracle;
  const tensors = Object.fromEntries(
    names.map((name) => [name, device.tensor(arrays[name], check.inputs[name])]),
  ) as { [K in keyof I]: Tensor };
  const { output, pullLeaves } = pullback<{ [K in keyof I]: Tensor }, Tensor>(device, check.gpu.bind(check), tensors);
  assert.deepEqual([...output.shape], [...expected.shape], "shape of the output");
  assertClose(await output.read(), expected.data, check, "output");
  const cotangent = randomArray(expected.data.length, 77);
  const grads = pullLeaves([device.tensor(cotangent, expected.shape)]);
  /** Derivative of the output times the cotangent along a direction, which is 0 but for these elements. */
  const slopeOf = (key: string, name: keyof I, direction: ReadonlyMap<number, number>, h: number): number => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const at = (step: number) => {
      const inputs = references();
      for (const [i, sign] of direction) inputs[name].data[i] += step * sign;
      const { data } = check.reference(inputs);
      let sum = 0;
      for (let i = 0; i < data.length; i++) sum += data[i] * cotangent[i];
      return sum;
    };
    const slope = (at(h) - at(-h)) / (2 * h);
    known.set(key, slope);
    return slope;
  };
  for (const [n, name] of names.entries()) {
    if (check.constant?.includes(name)) continue;
    const grad = Float32Array.from(await grads[n]!.read());
    assert.deepEqual([...grads[n]!.shape], [...check.inputs[name]], `shape of the gradient of ${name}`);
    const wild = grad.findIndex((value) => !Number.isFinite(value));
    assert.ok(wild < 0, `gradient of ${name}, element ${wild} is ${grad[wild]}`);
    const size = grad.length;
    const random = randomArray(PICKS, size + n).map((x) => (x + 1) / 2);
    const picks = size <= EXHAUSTIVE ? [...grad.keys()] : [...random].map((x) => Math.floor(x * size));
    const slopes = picks.map((i) => slopeOf(`${name} ${i}`, name, new Map([[i, 1]]), 1e-5));
    const largest = slopes.reduce((most, slope) => Math.max(most, Math.abs(slope)), 0);
    const { gradTolerance = 5e-5, gradAtol = 1e-7 } = check;
    const tolerance = { rtol: 1e-4, atol: gradTolerance * largest + gradAtol };
    for (const [at, i] of picks.entries()) {
      assertClose([grad[i]], [slopes[at]], tolerance, `gradient of ${name}, element ${i}`);
    }
    if (size <= EXHAUSTIVE) continue;
    const mean = Math.sqrt(slopes.reduce((sum, slope) => sum + slope * slope, 0) / slopes.length);
    for (const [round, inSet] of [(i: number) => Math.floor(i * SETS / size), (i: number) => i % SETS].entries()) {
      const signs = randomArray(size, 1000 + 10 * n + round);
      for (let set = 0; set < SETS; set++) {
        const direction = new Map<number, number>();
        let sum = 0;
        for (let i = 0; i < size; i++) {
          if (inSet(i) !== set) continue;
          const sign = signs[i] < 0 ? -1 : 1;
          direction.set(i, sign);
          sum += sign * grad[i];
        }
        const slope = slopeOf(`${name} ${round}.${set}`, name, direction, 1e-6);
        // Errors of many elements add up as in a random walk.
        const steps = Math.sqrt(direction.size);
        const atol = gradTolerance * Math.max(largest, 2 * mean * steps) + gradAtol * steps;
        assertClose(
          [sum],
          [slope],
          { rtol: 1e-4, atol },
          `gradient of ${name}, along a direction of set ${round}.${set}`,
        );
      }
    }
  }
}
