import type { Device } from "./device.ts";
import type { Tensor } from "./tensor.ts";
import { mapLeaves, type Tree } from "./tree.ts";

/**
 * Runs a function without recording: what it computes is a constant to gradients, and nothing is kept for them.
 * {@linkcode pullback} inside records for itself as ever.
 *
 * @example
 * ```ts
 * import { Device, noGrad, valueAndGrad } from "@denofold/denofold";
 * import { multiply, square } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const x = device.tensor([3], []);
 * const { value, grads } = valueAndGrad(device, (x) => {
 *   const weight = noGrad(device, () => square(x)); // 9, whatever x is
 *   return multiply(weight, x);
 * }, x);
 * assert.equal(await value.item(), 27);
 * assert.equal(await grads!.item(), 9);
 * ```
 *
 * @returns What the function returns.
 */
export function noGrad<T>(device: Device, f: () => T): T {
  return device.recordOn(null, f);
}

/**
 * Other handles to tensors, which gradients do not flow through: a constant with the same numbers. Nothing is copied.
 *
 * @example
 * ```ts
 * import { Device, stopGradient, valueAndGrad } from "@denofold/denofold";
 * import { multiply } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const x = device.tensor([3], []);
 * const { grads } = valueAndGrad(device, (x) => multiply(stopGradient(x), x), x);
 * assert.equal(await grads!.item(), 3); // of x · x it would be 6
 * ```
 *
 * @param tensors A tensor, or a tree of them.
 * @returns Owned by the current scope.
 */
export function stopGradient<T extends Tree<Tensor>>(tensors: T): T {
  return mapLeaves<Tensor, T>(
    tensors,
    (tensor) => noGrad(tensor.device, () => tensor.device.view(tensor, tensor.shape)),
  );
}
