import { defineOp, elementGrid, inWindows, type Key, resolveAxis, type Tensor } from "../core/mod.ts";
import { defineMap } from "./_map.ts";
import { dropoutKernel } from "./dropout.wgsl.ts";
import { reshape } from "./reshape.ts";

/** How elements are dropped. */
export interface DropoutOptions {
  /** Probability that an element becomes 0, at least 0 and below 1. */
  readonly rate: number;
  /** Decides which; used up by the call. */
  readonly key: Key;
  /**
   * Axes along which one decision is shared: all elements along them are kept or dropped together.
   *
   * @default none
   */
  readonly axes?: readonly number[];
}

interface Attributes {
  readonly k0: number;
  readonly k1: number;
  readonly rate: number;
  readonly axes: readonly number[];
}

const applyMask = defineMap({ name: "dropout.shared", args: ["x", "mask"], expression: "x * mask" });

const dropoutOp = defineOp<{ x: Tensor }, never, Record<never, never>, Attributes>({
  name: "dropout",
  needs: [],
  forward: ({ x }, attributes) => ({ out: dropped(x, attributes) }),
  vjp: ({ attributes }, dOut) => ({ x: dropped(dOut, attributes) }),
});

function dropped(x: Tensor, { k0, k1, rate, axes }: Attributes): Tensor {
  const { device, shape } = x;
  const shared = axes.some((axis) => shape[axis] !== 1);
  const out = device.empty(shape.map((n, axis) => (axes.includes(axis) ? 1 : n)));
  const uniforms = { k0, k1, threshold: Math.ceil(rate * 2 ** 24), scale: 1 / (1 - rate) };
  const reads = { x: shared ? undefined : x };
  inWindows(device, out.size, { reads, writes: { out } }, (bindings, count, first) => {
    const n = Math.ceil(count / 4);
    device.run(dropoutKernel({ applied: !shared }), {
      bindings,
      uniforms: { ...uniforms, n, first: first / 4 },
      grid: elementGrid(n, 64),
      flops: shared ? 0 : count, // random bits are made of whole numbers
    });
  });
  return shared ? applyMask({ x, mask: out }) : out;
}

/**
 * Drops elements at random and scales the others by 1 / (1 - rate), so that the mean stays. The way back draws the same
 * numbers again; nothing is stored for it.
 *
 * Element e (in row-major order, the shared axes counted as size 1) is kept where `key.uniform(n)[e] >= rate`: it takes
 * word e mod 2 of Threefry's block for the counter (floor(e / 2), 0). Every adapter drops the same elements.
 *
 * Source: Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from overfitting"; shared axes as
 * in Jumper et al. (2021), Suppl. 1.11.6.
 *
 * @example
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { dropout } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const x = device.tensor([1, 2, 3, 4], [4]);
 * const uniform = Key.fromSeed(7).uniform(4);
 * const y = await dropout(x, { rate: 0.5, key: Key.fromSeed(7) }).read();
 * assert.deepEqual([...y], [1, 2, 3, 4].map((value, i) => uniform[i] >= 0.5 ? 2 * value : 0));
 * ```
 *
 * @param x Any shape.
 * @throws {RangeError} If the rate is outside [0, 1), an axis does not exist, or the key was used before.
 */
export function dropout(x: Tensor, { rate, key, axes = [] }: DropoutOptions): Tensor {
  if (!(rate >= 0 && rate < 1)) throw new RangeError(`dropout needs a rate of at least 0 and below 1, got ${rate}`);
  if (x.dtype !== "f32") throw new TypeError(`dropout takes an f32 tensor, got ${x.dtype} [${x.shape}]`);
  const resolved = axes.map((axis) => resolveAxis(axis, x.shape));
  const [k0, k1] = key.consume();
  return rate === 0 ? reshape(x, x.shape) : dropoutOp({ x }, { k0, k1, rate, axes: resolved });
}
