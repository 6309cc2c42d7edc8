import { defineOp, elementGrid, inWindows, type Kernel, type Tensor } from "../core/mod.ts";
import { requireShortRows, type RowStructure, rowStructure } from "./_rows.ts";
import { expectationKernel, expectationVjpKernel } from "./softmax_expectation.wgsl.ts";

const op = defineOp<{ logits: Tensor; values: Tensor }, "logits" | "values">({
  name: "softmaxExpectation",
  needs: { logits: ["logits", "values"] },
  forward({ logits, values }, _, { device }) {
    const out = device.empty(logits.shape.slice(0, -1));
    const s = structureOf(logits, expectationKernel);
    inWindows(device, out.size, { reads: { x: logits }, writes: { out } }, ({ x, out }, rows, first) => {
      device.run(expectationKernel(s), {
        bindings: { x, centers: values, out },
        ...dispatchOf(s, logits, values, rows, first),
        flops: 6 * x.size,
      });
    });
    return { out };
  },
  vjp({ device, inputs: { logits, values }, wanted }, dOut) {
    if (!wanted.logits) return {};
    const dLogits = device.empty(logits.shape);
    const s = structureOf(logits, expectationVjpKernel);
    inWindows(device, dOut.size, { reads: { x: logits, d: dOut }, writes: { dx: dLogits } }, (windows, rows, first) => {
      device.run(expectationVjpKernel(s), {
        bindings: { ...windows, centers: values },
        ...dispatchOf(s, logits, values, rows, first),
        flops: 10 * windows.x.size,
      });
    });
    return { logits: dLogits };
  },
});

function structureOf({ device, shape }: Tensor, kernelOf: (s: RowStructure) => Kernel): RowStructure {
  return rowStructure(device, shape.at(-1)!, (s) => [kernelOf(s)]);
}

function dispatchOf({ vector, rowLanes }: RowStructure, logits: Tensor, values: Tensor, rows: number, first: number) {
  const c = logits.shape.at(-1)!;
  const groups = values.size / c;
  return {
    uniforms: { rows, first, columns: vector ? c / 4 : c, perGroup: logits.size / c / groups },
    grid: elementGrid(rows * rowLanes, 64),
  };
}

/**
 * Mean of values under the probabilities softmax(logits): what a head that predicts bins expects.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { softmaxExpectation } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const logits = device.tensor([0, 0, 0, -1000], [2, 2]);
 * const centers = device.tensor([2, 4], [2]);
 * assert.deepEqual([...await softmaxExpectation(logits, centers).read()], [3, 2]);
 * ```
 *
 * @param logits `[…, C]`.
 * @param values `[C]`, or `[G, C]` where the rows of each G-th part have values of their own; they get no gradient.
 * @returns `[…]`.
 * @throws {TypeError} If the shapes do not fit.
 * @throws {RangeError} If there are more than 16,384 bins.
 */
export function softmaxExpectation(logits: Tensor, values: Tensor): Tensor {
  const c = logits.shape.at(-1);
  const rows = c ? logits.size / c : 0;
  const groups = values.shape.length === 1 ? 1 : values.shape[0];
  const fits = rows > 0 && (values.shape.length === 1 || values.shape.length === 2) && values.shape.at(-1) === c &&
    groups > 0 && rows % groups === 0 && logits.dtype === "f32" && values.dtype === "f32";
  if (!fits) {
    throw new TypeError(
      `softmaxExpectation needs f32 logits [..., C] and values [C] or [G, C], G a divisor of the rows: logits are ` +
        `${logits.dtype} [${logits.shape}], values are ${values.dtype} [${values.shape}]`,
    );
  }
  requireShortRows("softmaxExpectation", logits);
  return op({ logits, values });
}
