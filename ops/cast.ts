import { defineOp, type Tensor } from "../core/mod.ts";
import { copyBox } from "./_copy.ts";

const castOp = defineOp<{ x: Tensor }, never, Record<never, never>, { dtype: "f32" | "f16" }>({
  name: "cast",
  needs: [],
  forward({ x }, { dtype }) {
    const out = x.device.empty(x.shape, dtype);
    const whole = [Math.ceil(x.size / 4) * 4]; // behind the last element there is padding
    if (x.size > 0) copyBox(whole, { tensor: x, strides: [1] }, { tensor: out, strides: [1] });
    return { out };
  },
  vjp: (_, dOut) => ({ x: dOut }),
});

/**
 * The same numbers as 16-bit or 32-bit floats; 16 bits hold 11 significant bits, of numbers up to 65504. Ops that load what
 * they read as vectors take both, for inference; gradients are f32.
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
 * @param x Any shape, f32 or f16.
 * @returns `x` itself if it is of that type.
 * @throws {TypeError} If it is of integers.
 */
export function cast(x: Tensor, dtype: "f32" | "f16"): Tensor {
  if (x.dtype === dtype) return x;
  if (x.dtype !== "f32" && x.dtype !== "f16") {
    throw new TypeError(`Cannot cast ${x.dtype} [${x.shape}] to ${dtype}: expected f32 or f16`);
  }
  return castOp({ x }, { dtype });
}
