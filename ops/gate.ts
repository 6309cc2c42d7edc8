import { defineOp, elementGrid, inWindows, sameShape, type Tensor } from "../core/mod.ts";
import { sigmoidGateGradientKernel, sigmoidGateKernel } from "./gate.wgsl.ts";

/** Inputs of {@linkcode sigmoidGate}, all of one shape. */
export interface SigmoidGateInputs {
  /** What passes the gate. */
  readonly x: Tensor;
  /** The gate before the sigmoid. */
  readonly gate: Tensor;
  /** Added to the result. @default nothing */
  readonly residual?: Tensor;
}

type Inputs = { x: Tensor; gate: Tensor; residual: Tensor | undefined };

const op = defineOp<Inputs, "x" | "gate">({
  name: "sigmoidGate",
  needs: { x: ["gate"], gate: ["x", "gate"] },
  forward({ x, gate, residual }, _, { device }) {
    if (!sameShape(x.shape, gate.shape) || (residual && !sameShape(x.shape, residual.shape))) {
      throw new TypeError(
        `sigmoidGate() needs inputs of one shape: x is [${x.shape}], gate is [${gate.shape}]${
          residual ? `, residual is [${residual.shape}]` : ""
        }`,
      );
    }
    const out = device.empty(x.shape);
    inWindows(device, x.size, { reads: { x, gate, residual }, writes: { out } }, (bindings, count) => {
      const size = Math.ceil(count / 4);
      device.run(sigmoidGateKernel({ residual: !!residual }), {
        bindings,
        uniforms: { size },
        grid: elementGrid(size, 64),
        flops: (residual ? 6 : 5) * count,
      });
    });
    return { out };
  },
  vjp({ device, inputs: { x, gate }, shapes, wanted }, dOut) {
    const residual = wanted.residual ? dOut : undefined;
    if (!wanted.x && !wanted.gate) return { residual };
    const dx = wanted.x ? device.empty(shapes.x) : undefined;
    const dGate = wanted.gate ? device.empty(shapes.x) : undefined;
    const reads = { x: wanted.gate ? x : undefined, gate, d_out: dOut };
    inWindows(device, gate.size, { reads, writes: { dx, d_gate: dGate } }, (bindings, count) => {
      const size = Math.ceil(count / 4);
      device.run(sigmoidGateGradientKernel({ x: wanted.x, gate: wanted.gate }), {
        bindings,
        uniforms: { size },
        grid: elementGrid(size, 64),
        flops: (wanted.gate ? 8 : 5) * count,
      });
    });
    return { x: dx, gate: dGate, residual };
  },
});

/**
 * Opens and closes each element by a gate: x · sigmoid(gate), and with a residual: residual + x · sigmoid(gate).
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 11 and 12 "TriangleMultiplication", lines 3 and 4.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { sigmoidGate } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using x = device.tensor([2, 4], [2]);
 * using gate = device.zeros([2]);
 * using out = sigmoidGate({ x, gate });
 * assert.deepEqual([...await out.read()], [1, 2]);
 * device.close();
 * ```
 *
 * @param inputs Tensors of one shape.
 * @returns The same shape, owned by the current scope.
 * @throws {TypeError} If the shapes differ.
 */
export function sigmoidGate(inputs: SigmoidGateInputs): Tensor {
  return op({ x: inputs.x, gate: inputs.gate, residual: inputs.residual });
}
