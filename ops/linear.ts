import { defineOp, type Device, elementGrid, inWindows, sameShape, sizeOf, type Tensor } from "../core/mod.ts";
import { sumRows } from "./_reduce.ts";
import { runMatmul } from "./_matmul.ts";
import { operationsOf } from "./_operations.ts";
import { add, gelu, multiply, relu, sigmoid } from "./elementwise.ts";
import { GELU_SLOPE, NORMAL_CDF } from "./_functions.wgsl.ts";
import { isFused } from "./fusion.ts";
import { intermediateType } from "./_intermediate.ts";
import { type Activation, epilogueGradKernel } from "./linear.wgsl.ts";

/** Weight `[cOut, cIn]` and optional bias `[cOut]` of a linear map, as PyTorch stores them. */
export type LinearParams = { readonly weight: Tensor; readonly bias?: Tensor };

/** What a linear map does to its result before storing it. */
export interface LinearOptions {
  /** Applied to x·Wᵀ + bias. @default "none" */
  readonly activation?: Activation;
  /** Multiplies the result by sigmoid(gate): `[..., cOut]`. Not together with an activation. */
  readonly gate?: Tensor;
  /** Added last: `[..., cOut]`. Not together with an activation. */
  readonly residual?: Tensor;
  /**
   * The result is needed inside a module only: the device may keep it in 16 bits, see `Device.intermediates`.
   *
   * @default false
   */
  readonly intermediate?: boolean;
}

type Inputs = { x: Tensor; weight: Tensor; bias?: Tensor; gate?: Tensor; residual?: Tensor };

const op = defineOp<Inputs, "x" | "weight" | "gate", { y?: Tensor }, { activation: Activation; dtype: "f32" | "f16" }>({
  name: "linear",
  needs: { x: ["weight", "gate"], weight: ["x", "gate"], bias: ["gate"], gate: ["gate"] },
  forward({ x, weight, bias, gate, residual }, { activation, dtype }, { device, wanted }) {
    const [n, k] = weight.shape;
    const intoEpilogue = wanted.x || wanted.weight || wanted.bias || wanted.gate;
    const keepPre = intoEpilogue && (activation === "gelu" || !!gate);
    const { out, pre } = runMatmul(device, {
      a: x,
      b: weight,
      m: sizeOf(x.shape.slice(0, -1)),
      n,
      k,
      bTransposed: true,
      bias,
      gate,
      residual,
      keepPre,
      dtype,
      ...(activation !== "none" && { activation }),
    });
    const shaped = device.view(out, [...x.shape.slice(0, -1), n]);
    const y = activation === "relu" || activation === "sigmoid" ? shaped : pre;
    return { out: shaped, saved: intoEpilogue ? { y } : {} };
  },
  vjp({ device, inputs: { x, weight, gate }, saved: { y }, attributes: { activation }, wanted, shapes }, dOut) {
    const [n, k] = shapes.weight;
    const m = sizeOf(shapes.x.slice(0, -1));
    const { dPre, dGate } = y ? epilogueGrad(device, dOut, y, gate, activation) : { dPre: dOut, dGate: undefined };
    return {
      x: wanted.x ? device.view(runMatmul(device, { a: dPre, b: weight, m, n: k, k: n }).out, shapes.x) : undefined,
      weight: wanted.weight
        ? device.view(runMatmul(device, { a: dPre, b: x, m: n, n: k, k: m, aTransposed: true }).out, [n, k])
        : undefined,
      bias: shapes.bias && wanted.bias ? sumRows(dPre, n) : undefined,
      gate: dGate,
      residual: dOut,
    };
  },
});

/** Operations an element of an activation's derivative. */
const GRADIENT_OPERATIONS: Readonly<Record<Activation, number>> = {
  none: 0,
  relu: 0,
  sigmoid: 3,
  gelu: operationsOf("d * geluSlope(y)", NORMAL_CDF + GELU_SLOPE),
};

function epilogueGrad(device: Device, dOut: Tensor, y: Tensor, gate: Tensor | undefined, activation: Activation) {
  const dPre = device.empty(dOut.shape);
  const dGate = gate && device.empty(dOut.shape);
  inWindows(device, dOut.size, { reads: { dOut, y, g: gate }, writes: { dPre, dGate } }, (bindings, count) => {
    const n = Math.ceil(count / 4);
    device.run(epilogueGradKernel({ activation, gate: !!gate }), {
      bindings,
      uniforms: { n },
      grid: elementGrid(n, 64),
      flops: (GRADIENT_OPERATIONS[activation] + (gate ? 8 : 0)) * count,
    });
  });
  return { dPre, dGate };
}

/**
 * Linear map of the last axis, out = x·Wᵀ + b, with what often follows it done before the result is stored: an
 * activation, or a sigmoid gate and a residual: out = residual + (x·Wᵀ + b)·sigmoid(gate).
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { linear } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const y = linear(device.tensor([1, 2], [1, 2]), { weight: device.tensor([3, 4, 5, 6, 7, 8], [3, 2]) });
 * assert.deepEqual([...await y.read()], [11, 17, 23]);
 * ```
 * @param x `[..., cIn]`.
 * @param params Weight `[cOut, cIn]`, bias `[cOut]`.
 * @returns `[..., cOut]`.
 * @throws {TypeError} If shapes do not fit, or an activation is asked for together with a gate or a residual.
 */
export function linear(x: Tensor, { weight, bias }: LinearParams, options: LinearOptions = {}): Tensor {
  const { activation = "none", gate, residual, intermediate = false } = options;
  const [n, k] = weight.shape;
  if (weight.shape.length !== 2 || x.shape.at(-1) !== k || (bias && (bias.size !== n))) {
    throw new TypeError(
      `Cannot run linear on x [${x.shape}] with weight [${weight.shape}] and bias [${
        bias?.shape ?? "none"
      }]: they must be [..., cIn], [cOut, cIn], [cOut]`,
    );
  }
  const shape = [...x.shape.slice(0, -1), n];
  if ((gate && !sameShape(gate.shape, shape)) || (residual && !sameShape(residual.shape, shape))) {
    throw new TypeError(
      `Cannot run linear to [${shape}] with gate [${gate?.shape ?? "none"}] and residual [${
        residual?.shape ?? "none"
      }]: their shapes must be that of the output`,
    );
  }
  if (activation !== "none" && (gate || residual)) {
    throw new TypeError(`Cannot run linear with activation ${activation} and a gate or residual: choose one`);
  }
  if (isFused(x.device, "epilogue")) {
    const dtype = intermediate ? intermediateType(x.device, sizeOf(x.shape.slice(0, -1)), n) : "f32";
    return op({ x, weight, bias, gate, residual }, { activation, dtype });
  }
  using scope = x.device.scope("linear");
  let out = op({ x, weight }, { activation: "none", dtype: "f32" });
  if (bias) out = add(out, bias);
  if (activation !== "none") out = ACTIVATIONS[activation](out);
  if (gate) out = multiply(out, sigmoid(gate));
  if (residual) out = add(residual, out);
  return scope.keep(out);
}

const ACTIVATIONS = { relu, gelu, sigmoid };
