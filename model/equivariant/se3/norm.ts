import type { Tensor } from "../../../core/mod.ts";
import {
  clamp,
  divide,
  gelu,
  greater,
  layerNorm,
  matmul,
  multiply,
  reshape,
  sqrt,
  square,
  sum,
} from "../../../ops/mod.ts";
import type { Se3Features, Se3NormParams } from "./params.ts";

/** Squares of lengths are at least this: the square of 1e-12. */
const LEAST = 1e-24;

/**
 * Puts the length of every channel through a nonlinearity and keeps its direction, which turns with the points: t becomes
 * nonlinearity(scale |t|) t / |t|.
 *
 * Source: Fuchs et al. (2020), "SE(3)-transformers", section 3.4; se3-transformer-pytorch, also as of February 2021, with a
 * layer normalization of lengths in place of the scale.
 *
 * @param identity Whether lengths are scaled alone. @default false
 * @returns Of the shapes of `x`.
 */
export function se3Norm({ transform }: Se3NormParams, x: Se3Features, identity = false): Se3Features {
  return Object.fromEntries(
    Object.entries(transform).map(([degree, params]) => [degree, normOf(params, x[degree], identity)]),
  );
}

function normOf(params: Se3NormParams["transform"][string], x: Tensor, identity: boolean): Tensor {
  if (identity && "scale" in params) return multiply(x, reshape(params.scale, [params.scale.size]));
  const squares = sum(square(x), { axes: [-2], keepDims: true }); // [batch, N, 1, channels]
  const lengths = sqrt(clamp(squares, LEAST, Infinity));
  if ("scale" in params) {
    const scaled = multiply(lengths, reshape(params.scale, [params.scale.size]));
    return multiply(x, divide(identity ? scaled : gelu(scaled), lengths));
  }
  if ("wGate" in params) {
    const scaled = multiply(lengths, matmul(lengths, params.wGate));
    return multiply(x, divide(identity ? scaled : gelu(scaled), lengths));
  }
  const { weight, bias } = params[0];
  const scaled = layerNorm(lengths, { gamma: weight, beta: bias });
  const there = greater(squares, x.device.tensor([LEAST], [1])); // a zero vector has no direction
  return multiply(x, divide(multiply(identity ? scaled : gelu(scaled), there), lengths));
}
