import { isVisible, Key, noGrad, sameShape, sizeOf, type Tensor, within } from "../core/mod.ts";
import { runLinear } from "./_linear.ts";
import { runMatmul } from "./_matmul.ts";
import { isTracked, type Part, placeOfPart, readPart, shapeOfPart, writePart } from "./_parts.ts";
import { type Adapter, checkAdapter, isComposed, magnitudeFactors } from "./adapter.ts";
import { adaptedWeight, placed } from "./_low_rank.ts";
import { dropout } from "./dropout.ts";
import { cast } from "./cast.ts";
import { add, gelu, multiply, multiplyScalar, relu, sigmoid } from "./elementwise.ts";
import { isFused } from "./fusion.ts";
import { intermediateType } from "./_intermediate.ts";
import type { Activation } from "./linear.wgsl.ts";
import { MOST_PLACED_ROWS } from "./_product/epilogue.ts";

/**
 * Weight `[cOut, cIn]` and optional bias `[cOut]` of a linear map, as PyTorch stores them, and what is trained in the
 * weight's place, if anything.
 */
export type LinearParams = { readonly weight: Tensor; readonly bias?: Tensor; readonly adapter?: Adapter };

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
export function linear(x: Tensor, { weight, bias, adapter }: LinearParams, options: LinearOptions = {}): Tensor {
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
  if (adapter) checkAdapter(weight, adapter);
  if (isFused(x.device, "epilogue") && !(adapter && isComposed(adapter))) {
    const dtype = intermediate ? intermediateType(x.device, sizeOf(x.shape.slice(0, -1)), n) : "f32";
    const adapters = adapter ? [placed(adapter)] : [];
    return runLinear(x, weight, adapters, { bias, gate, residual, activation, dtype });
  }
  using scope = x.device.scope("linear");
  let out = adapter ? adaptedProduct(x, weight, adapter) : runLinear(x, weight, []);
  if (bias) out = add(out, bias);
  if (activation !== "none") out = ACTIVATIONS[activation](out);
  if (gate) out = multiply(out, sigmoid(gate));
  if (residual) out = add(residual, out);
  return scope.keep(out);
}

/** What {@linkcode linearInto} does besides. */
export interface LinearIntoOptions {
  /** Multiplies the result by sigmoid(gate), of the part's shape. */
  readonly gate?: Tensor;
  /** Multiplies rows by a number each, of the part's shape without channels. */
  readonly factor?: Tensor;
  /** Whether the result is added to what stands there, instead of overwriting it. @default false */
  readonly onTop?: boolean;
}

/**
 * {@linkcode linear}, written into a part of a tensor that is there already, or added to it. For inference: no gradient
 * flows through it.
 *
 * @param out May be of 16-bit floats.
 * @throws {TypeError} If shapes do not fit, or a gradient is to flow through it.
 */
export function linearInto(
  x: Tensor,
  params: LinearParams,
  out: Tensor,
  part: Part,
  { gate, factor, onTop = false }: LinearIntoOptions = {},
): void {
  const { device } = x;
  const { weight, bias, adapter } = params;
  const [n, k] = weight.shape;
  const shape = shapeOfPart(out.shape, part);
  if (
    !sameShape(shape, [...x.shape.slice(0, -1), n]) || x.shape.at(-1) !== k || (gate && !sameShape(gate.shape, shape))
  ) {
    throw new TypeError(
      `Cannot run linearInto on x [${x.shape}] with weight [${weight.shape}] and gate [${
        gate?.shape ?? "none"
      }]: its ` +
        `result must be [${shape}]`,
    );
  }
  if (isTracked(x, weight, bias, gate, factor, out, adapter?.down, adapter?.up)) {
    throw new TypeError("No gradient flows through linearInto(): use linear()");
  }
  noGrad(device, () => {
    using _ = device.scope("linear");
    const { first, block, step } = placeOfPart(out.shape, part);
    const m = sizeOf(x.shape.slice(0, -1));
    const seen = block < m ? { part: out, at: first * n } : within(out, first * n, m * n);
    const whole = n % 4 === 0 && m <= MOST_PLACED_ROWS;
    const fits = whole && [x, seen.part, gate ?? x].every(isVisible);
    if (!fits || !isFused(device, "epilogue") || (adapter && isComposed(adapter))) {
      let update = linear(x, params, { gate });
      if (factor) update = multiply(update, device.view(factor, [...factor.shape, 1]));
      if (onTop) update = add(cast(readPart(out, part), "f32"), update);
      writePart(update, out, part);
      return;
    }
    runMatmul(device, {
      ...{
        a: x,
        b: adapter ? adaptedWeight(weight, [placed(adapter)]) : weight,
        m,
        n,
        k,
        bTransposed: true,
        bias,
        gate,
      },
      factor: factor && { values: factor, offset: 0 },
      into: {
        ...{ out: seen.part, offset: seen.at, onTop },
        ...(block < m && { places: { rows: block, rowsStep: step * n, rowStep: n, columns: n, columnsStep: n } }),
      },
    });
  });
}

const ACTIVATIONS = { relu, gelu, sigmoid };

/** The product with weight and adapter, step by step. */
function adaptedProduct(x: Tensor, weight: Tensor, adapter: Adapter): Tensor {
  const { down, up, scale, dropout: drop, magnitude } = adapter;
  let out: Tensor;
  if (drop?.rate) {
    const seen = dropout(x, { rate: drop.rate, key: new Key(...drop.key) });
    const low = runLinear(runLinear(seen, down, []), up, []);
    out = add(runLinear(x, weight, []), multiplyScalar(low, scale));
  } else {
    out = runLinear(x, weight, [placed(adapter)]);
  }
  return magnitude ? multiply(out, magnitudeFactors(weight, { ...adapter, magnitude })) : out;
}
