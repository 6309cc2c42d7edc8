/** Which computations run fused that could run step by step; for measuring what each fusion brings. */
import type { Device } from "../core/mod.ts";

/** What is fused, by name, with what it saves. */
export const FUSIONS = {
  qkv: "queries, keys, values and the gate from one product instead of one each",
  attention: "one kernel with a running softmax instead of stored logits, softmax and weighted sum",
  triangle: "values and gates of both edges from one product, gated on their way into the triangle product",
  epilogue: "bias, activation, gate and residual added by a product before it stores its result",
  "outer-product":
    "the outer product mean in chunks, in the order with less to do, instead of all pairs' products stored",
} as const;

/** Name of a fusion. */
export type Fusion = keyof typeof FUSIONS;

/** Names of all fusions, in the order of tables. */
export const ALL_FUSIONS = Object.keys(FUSIONS) as readonly Fusion[];

/**
 * Sets what a device fuses from now on; results stay the same to rounding.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { isFused, setFusions } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * setFusions(device, ["qkv", "epilogue"]);
 * assert.equal(isFused(device, "attention"), false);
 * device.close();
 * ```
 * @param fusions All others are taken apart.
 */
export function setFusions(device: Device, fusions: readonly Fusion[]): void {
  device.unfused = new Set(ALL_FUSIONS.filter((name) => !fusions.includes(name)));
}

/** Whether a device runs a computation as one. */
export function isFused(device: Device, fusion: Fusion): boolean {
  return !device.unfused.has(fusion);
}
