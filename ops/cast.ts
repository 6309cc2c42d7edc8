import { defineOp, elementGrid, inWindows, type Tensor } from "../core/mod.ts";
import { copyBox } from "./_copy.ts";
import { packBfloat16Kernel, unpackBfloat16Kernel } from "./cast.wgsl.ts";

/** Types of floating-point numbers. */
export type FloatType = "f32" | "f16" | "bf16";

const castOp = defineOp<{ x: Tensor }, never, Record<never, never>, { dtype: FloatType }>({
  name: "cast",
  needs: [],
  forward({ x }, { dtype }) {
    const out = x.device.empty(x.shape, dtype);
    const whole = [Math.ceil(x.size / 4) * 4]; // behind the last element there is padding
    if (x.size === 0) return { out };
    if (dtype === "bf16") pack(x, out);
    else if (x.dtype === "bf16") unpack(x, out);
    else copyBox(whole, { tensor: x, strides: [1] }, { tensor: out, strides: [1] });
    return { out };
  },
  vjp: (_, dOut) => ({ x: dOut }),
});

function pack(x: Tensor, words: Tensor): void {
  inWindows(x.device, x.size, { reads: { x }, writes: { words } }, (bindings, count) => {
    const n = Math.ceil(count / 4);
    x.device.run(packBfloat16Kernel, { bindings, uniforms: { n }, grid: elementGrid(n, 64), flops: 0 });
  });
}

function unpack(words: Tensor, out: Tensor): void {
  inWindows(words.device, words.size, { reads: { words }, writes: { out } }, (bindings, count) => {
    const n = Math.ceil(count / 4);
    words.device.run(unpackBfloat16Kernel, { bindings, uniforms: { n }, grid: elementGrid(n, 64), flops: 0 });
  });
}

/**
 * The same numbers as 32-bit or 16-bit floats: f16 holds 11 significant bits, of numbers up to 65504, bf16 8 of numbers up
 * to 3.4e38. Ops that load what they read as vectors take f32 and f16, for inference; bf16 is to keep numbers in, and
 * gradients are f32.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { cast } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const x = cast(device.tensor([1, 1 / 3], [2]), "f16");
 * assert.equal(x.bytes, 4);
 * assert.deepEqual([...await cast(x, "f32").read()], [1, 0.333251953125]);
 * ```
 *
 * @param x Any shape, f32, f16 or bf16.
 * @returns `x` itself if it is of that type.
 * @throws {TypeError} If it is of integers.
 */
export function cast(x: Tensor, dtype: FloatType): Tensor {
  if (x.dtype === dtype) return x;
  if (x.dtype !== "f32" && x.dtype !== "f16" && x.dtype !== "bf16") {
    throw new TypeError(`Cannot cast ${x.dtype} [${x.shape}] to ${dtype}: expected f32, f16 or bf16`);
  }
  return castOp({ x }, { dtype });
}
