import { defineOp, type Device, elementGrid, inWindows, type Kernel, type Tensor } from "../core/mod.ts";
import { GELU_SLOPE, NORMAL_CDF } from "./_functions.wgsl.ts";
import { operationsOf } from "./_operations.ts";
import { gegluGradientKernel, gegluKernel } from "./geglu.wgsl.ts";

/** Operations an element of the result, there and back. */
const FORWARD = operationsOf("a * g * normalCdf(g)", NORMAL_CDF);
const BACKWARD = operationsOf("d * g * normalCdf(g) + d * a * geluSlope(g)", NORMAL_CDF + GELU_SLOPE);

const op = defineOp<{ x: Tensor }, "x">({
  name: "geglu",
  needs: { x: ["x"] },
  forward({ x }, _, { device }) {
    const width = x.shape.at(-1) ?? 1;
    if (width % 2 !== 0) throw new TypeError(`geglu() needs rows of two halves: x is [${x.shape}]`);
    const out = device.empty(x.shape.with(-1, width / 2));
    run(device, gegluKernel({ vector: width % 8 === 0 }), { x }, { out }, { width, operations: FORWARD });
    return { out };
  },
  vjp({ device, inputs: { x }, shapes }, dOut) {
    const width = shapes.x[shapes.x.length - 1];
    const dx = device.empty(shapes.x);
    const kernel = gegluGradientKernel({ vector: width % 8 === 0 });
    run(device, kernel, { x, d_out: dOut }, { dx }, { width, operations: BACKWARD });
    return { x: dx };
  },
});

/** Runs a kernel on all rows. */
function run(
  device: Device,
  kernel: Kernel,
  reads: Readonly<Record<string, Tensor>>,
  writes: Readonly<Record<string, Tensor>>,
  { width, operations }: { readonly width: number; readonly operations: number },
): void {
  const columns = width % 8 === 0 ? width / 8 : width / 2;
  inWindows(device, reads.x.size / width, { reads, writes }, (bindings, rows) => {
    const n = rows * columns;
    device.run(kernel, {
      bindings,
      uniforms: { n, columns },
      grid: elementGrid(n, 64),
      flops: operations * rows * width / 2,
    });
  });
}

/**
 * Gates the first half of the last axis by the second one: a · gelu(g) for x = (a, g), with gelu in its exact form.
 *
 * Source: Shazeer (2020), "GLU variants improve transformer", equation 6.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { geglu } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using x = device.tensor([2, 3, 0, 40], [4]);
 * using out = geglu(x);
 * assert.deepEqual([...await out.read()], [0, 120]);
 * device.close();
 * ```
 *
 * @param x `[..., 2 c]`.
 * @returns `[..., c]`, owned by the current scope.
 * @throws {TypeError} If the last axis has no two halves.
 */
export function geglu(x: Tensor): Tensor {
  return op({ x });
}
