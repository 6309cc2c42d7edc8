/** The most an adapter can do, measured once and kept in the cache folder. */
import { type Device, elementGrid, type Kernel, kernel, Profiler, type Tensor, unroll } from "../../core/mod.ts";
import { type AdapterFile, readAdapterFile, writeAdapterFile } from "../platform/adapter_file.ts";
import type { Roofs } from "./profile_data.ts";

/** Two sums of four lanes: enough for two multiply-adds a cycle, few enough to stay in a CPU's registers. */
const SUMS = 2;
const STEPS = 16;

const MULTIPLY_ADD = kernel({
  name: "roofMultiplyAdd",
  bindings: { out: "write vec4f" },
  uniforms: { n: "u32", turns: "u32", factor: "f32" },
  turns: ({ turns }) => turns + 1,
  body: `let factor = vec4f(u.factor);
${unroll(SUMS, (i) => `var s${i} = vec4f(f32(index + ${i}u));`)}
for (var turn = 0u; turn < u.turns; turn++) {
${unroll(STEPS, () => unroll(SUMS, (i) => `s${i} = fma(s${i}, factor, factor);`))}
}
if (index < u.n) { out[index] = ${Array.from({ length: SUMS }, (_, i) => `s${i}`).join(" + ")}; }`,
});

const COPIES: readonly Kernel[] = [
  kernel({
    name: "roofCopy",
    bindings: { x: "read vec4f", out: "write vec4f" },
    uniforms: { n: "u32" },
    body: "if (index < u.n) { out[index] = x[index]; }",
  }),
  kernel({
    name: "roofCopyLoad",
    bindings: { x: "load vec4f", out: "write vec4f" },
    uniforms: { n: "u32" },
    body: "if (index < u.n) { out[index] = x_at(index); }",
  }),
];

const REPEATS = 20;
/** A run this long is not disturbed by what starting it costs. */
const LONG_ENOUGH_MS = 2;

/**
 * Measures how fast the adapter multiplies and adds, and how fast it copies; takes about half a second. The best of a
 * few runs counts, so that other programs disturb little.
 *
 * @returns null where the device cannot be timed.
 */
export async function measureRoofs(device: Device): Promise<Roofs | null> {
  using scope = device.scope("roofs");
  void scope;
  const { software, maxBindingBytes } = device.traits;
  const lanes = software ? 4096 : 2 ** 20;
  const sums = device.empty([lanes, 4]);
  let gflops = 0;
  for (let turns = 64, done = false; !done && turns <= 2 ** 14; turns *= 4) {
    const ms = await fastest(device, () =>
      device.run(MULTIPLY_ADD, {
        bindings: { out: sums },
        uniforms: { n: lanes, turns, factor: 0.5 },
        grid: elementGrid(lanes, 64),
      }));
    if (ms === null) return null;
    gflops = lanes * turns * STEPS * SUMS * 8 / ms / 1e6;
    done = ms >= LONG_ENOUGH_MS;
  }
  const bytes = Math.min(maxBindingBytes, (software ? 32 : 512) * 2 ** 20);
  const x = device.zeros([bytes / 4]), out: Tensor = device.empty([bytes / 4]);
  let gbs = 0;
  for (const copy of COPIES) {
    const n = bytes / 16;
    const ms = await fastest(
      device,
      () => device.run(copy, { bindings: { x, out }, uniforms: { n }, grid: elementGrid(n, 64) }),
    );
    if (ms !== null) gbs = Math.max(gbs, 2 * bytes / ms / 1e6);
  }
  return { gflops: round(gflops), gbs: round(gbs) };
}

/** {@linkcode measureRoofs}, or what it found last time for an adapter of this name. */
export async function cachedRoofs(device: Device, { again = false } = {}): Promise<Roofs | null> {
  const { traits } = device;
  if (!traits.timestamps) return null;
  const file: AdapterFile = { name: "roofs", traits, valid: "1" };
  const found = roofsIn(readAdapterFile(file));
  if (found && !again) return found;
  const measured = await measureRoofs(device);
  // Other programs can only make it slower: the best ever seen counts.
  const roofs = measured && found
    ? { gflops: Math.max(measured.gflops, found.gflops), gbs: Math.max(measured.gbs, found.gbs) }
    : measured;
  if (roofs) writeAdapterFile(file, roofs);
  return roofs;
}

function roofsIn(kept: unknown): Roofs | null {
  const { gflops, gbs } = Object(kept) as Partial<Roofs>;
  return gflops && gbs && gflops > 0 && gbs > 0 ? { gflops, gbs } : null;
}

async function fastest(device: Device, run: () => void): Promise<number | null> {
  run(); // compiles
  const profiler = Profiler.start(device);
  for (let i = 0; i < REPEATS; i++) run();
  const { kernels, clock } = await profiler.stop();
  return clock === "none" ? null : Math.min(...kernels.map(({ ms }) => ms));
}

function round(x: number): number {
  return Number(x.toPrecision(4));
}
