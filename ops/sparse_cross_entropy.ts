import { defineOp, elementGrid, inWindows, sameShape, type Tensor } from "../core/mod.ts";
import { requireShortRows, rowStructure } from "./_rows.ts";
import { sparseCrossEntropyKernel, sparseCrossEntropyVjpKernel } from "./sparse_cross_entropy.wgsl.ts";

const op = defineOp<{ logits: Tensor; classes: Tensor }, "logits" | "classes", { sums: Tensor }>({
  name: "sparseCrossEntropy",
  needs: { logits: ["logits", "classes"] },
  forward({ logits, classes }, _, { device }) {
    const c = logits.shape.at(-1)!;
    const s = rowStructure(device, c, (s) => [sparseCrossEntropyKernel(s)]);
    const out = device.empty(classes.shape);
    const sums = device.empty(classes.shape);
    inWindows(
      device,
      classes.size,
      { reads: { x: logits, goal: classes }, writes: { loss: out, sums } },
      (bindings, rows) => {
        device.run(sparseCrossEntropyKernel(s), {
          bindings,
          uniforms: { rows, columns: s.vector ? c / 4 : c, classes: c },
          grid: elementGrid(rows * s.rowLanes, 64),
          flops: 4 * rows * c,
        });
      },
    );
    return { out, saved: { sums } };
  },
  vjp({ device, inputs: { logits, classes }, saved: { sums }, wanted }, dOut) {
    if (!wanted.logits) return {};
    const c = logits.shape.at(-1)!;
    const vector = c % 4 === 0;
    const dLogits = device.empty(logits.shape);
    inWindows(
      device,
      classes.size,
      { reads: { x: logits, goal: classes, sums, d: dOut }, writes: { dx: dLogits } },
      (bindings, rows) => {
        const columns = vector ? c / 4 : c;
        device.run(sparseCrossEntropyVjpKernel({ vector }), {
          bindings,
          uniforms: { n: rows * columns, columns, classes: c },
          grid: elementGrid(rows * columns, 64),
          flops: 4 * rows * c,
        });
      },
    );
    return { logits: dLogits };
  },
});

/**
 * Cross entropy of every row against one class, -log softmax(logits)[class]: no one-hot vectors, no mean. Weigh and sum
 * the result as the loss wants it.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { sparseCrossEntropy } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const logits = device.tensor([0, 0, 100, 0], [2, 2]);
 * const classes = device.tensor([1, 0], [2], "i32");
 * const [even, sure] = await sparseCrossEntropy(logits, classes).read();
 * assert(Math.abs(even - Math.log(2)) < 1e-6 && sure === 0);
 * ```
 *
 * @param logits `[…, C]`.
 * @param classes `[…]`, i32 between 0 and C - 1; the GPU cannot report others, they are moved to the nearest.
 * @returns `[…]`, in nats.
 * @throws {TypeError} If the shapes do not fit, or a dtype is another.
 * @throws {RangeError} If there are more than 16,384 classes.
 */
export function sparseCrossEntropy(logits: Tensor, classes: Tensor): Tensor {
  const fits = logits.size > 0 && sameShape(logits.shape.slice(0, -1), classes.shape) && logits.dtype === "f32" &&
    classes.dtype === "i32";
  if (!fits) {
    throw new TypeError(
      `sparseCrossEntropy needs f32 logits [..., C] and i32 classes [...]: logits are ${logits.dtype} ` +
        `[${logits.shape}], classes are ${classes.dtype} [${classes.shape}]`,
    );
  }
  requireShortRows("sparseCrossEntropy", logits);
  return op({ logits, classes });
}
