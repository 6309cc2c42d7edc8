/** Adapters of low rank on linear maps: what is trained in place of the weight. */
import { defineOp, noGrad, type Tensor } from "../core/mod.ts";
import { adaptedWeight, placed } from "./_low_rank.ts";
import { runMatmul } from "./_matmul.ts";
import { cast } from "./cast.ts";
import { clamp, divide, multiply, multiplyScalar, sqrt, square } from "./elementwise.ts";
import { sum } from "./reduce.ts";
import { reshape } from "./reshape.ts";

/**
 * A matrix of low rank that is added to the weight of a linear map: W + scale · up · down, and with a magnitude each row of
 * that at its length.
 *
 * Source: Hu et al. (2022), "LoRA: low-rank adaptation of large language models"; Liu et al. (2024), "DoRA:
 * weight-decomposed low-rank adaptation", for the magnitude.
 */
export type Adapter = {
  /** From the input to the rank, `[r, cIn]`; A in the papers. */
  readonly down: Tensor;
  /** From the rank to the output, `[cOut, r]`; B in the papers. */
  readonly up: Tensor;
  /** Factor of the product; alpha / r in the papers. */
  readonly scale: number;
  /** Lengths of the rows of the adapted weight, `[cOut]`. @default as they come out */
  readonly magnitude?: Tensor;
  /** What the low rank sees of the input, in training. @default all of it */
  readonly dropout?: {
    /** Probability that an element is dropped, at least 0 and below 1. */
    readonly rate: number;
    /** Words of the random key that decides which. */
    readonly key: readonly [number, number];
  };
};

/** Whether an adapter takes more than a weight to which it is added: dropout of its own, or magnitudes. */
export function isComposed({ dropout, magnitude }: Adapter): boolean {
  return !!dropout?.rate || !!magnitude;
}

const mergeOp = defineOp<{ weight: Tensor; down: Tensor; up: Tensor }, "down" | "up", Record<never, never>, number>({
  name: "mergeAdapter",
  needs: { down: ["up"], up: ["down"] },
  forward: ({ weight, down, up }, scale) => ({ out: adaptedWeight(weight, [placed({ down, up, scale })]) }),
  vjp({ device, inputs: { down, up }, shapes, attributes: scale, wanted }, dOut) {
    const [rows, k] = shapes.weight, r = shapes.down[0];
    return {
      weight: dOut,
      down: wanted.down
        ? multiplyScalar(runMatmul(device, { a: up, b: dOut, m: r, n: k, k: rows, aTransposed: true }).out, scale)
        : undefined,
      up: wanted.up
        ? multiplyScalar(runMatmul(device, { a: dOut, b: down, m: rows, n: r, k, bTransposed: true }).out, scale)
        : undefined,
    };
  },
});

/**
 * The weight of a linear map with its adapter in it: W + scale · up · down, with a magnitude its rows at their lengths.
 * Gradients flow to all of them; the length that a magnitude replaces counts as a constant, as in its source.
 *
 * @returns `[cOut, cIn]`; the weight itself where there is no adapter.
 */
export function mergedWeight({ weight, adapter }: { readonly weight: Tensor; readonly adapter?: Adapter }): Tensor {
  if (!adapter) return weight;
  const { device } = weight;
  const { down, up, scale, magnitude } = adapter;
  checkAdapter(weight, adapter);
  using scope = device.scope("mergedWeight");
  const sum = mergeOp({ weight, down, up }, scale);
  return scope.keep(magnitude ? multiply(sum, reshape(lengthening(sum, magnitude), [weight.shape[0], 1])) : sum);
}

/** Rows of zeros have no direction: theirs is 0, whatever the magnitude. */
const SHORTEST = 1e-30;

/** By what the rows of a weight grow to have certain lengths, `[cOut]`. */
function lengthening(weight: Tensor, magnitude: Tensor): Tensor {
  const lengths = noGrad(weight.device, () => clamp(sqrt(sum(square(weight), { axes: [1] })), SHORTEST, 3e38));
  return divide(magnitude, lengths);
}

/** Factors of the outputs of a linear map whose adapter has a magnitude, `[cOut]`. */
export function magnitudeFactors(weight: Tensor, adapter: Adapter & { readonly magnitude: Tensor }): Tensor {
  return lengthening(noGrad(weight.device, () => adaptedWeight(weight, [placed(adapter)])), adapter.magnitude);
}

/**
 * The same linear map as plain as can be, for who uses its weight itself: without an adapter, the weight being
 * {@linkcode mergedWeight}, of f32.
 */
export function plainLinear(
  params: { readonly weight: Tensor; readonly bias?: Tensor; readonly adapter?: Adapter },
): { readonly weight: Tensor; readonly bias?: Tensor } {
  return { weight: cast(mergedWeight(params), "f32"), bias: params.bias };
}

/**
 * Sees to it that an adapter fits a weight.
 *
 * @throws {TypeError} If it does not.
 */
export function checkAdapter({ shape: [n, k] }: Tensor, { down, up, magnitude }: Adapter): void {
  const r = down.shape[0];
  const fits = down.shape.length === 2 && up.shape.length === 2 && down.shape[1] === k && up.shape[0] === n &&
    up.shape[1] === r && (!magnitude || magnitude.size === n);
  if (!fits) {
    throw new TypeError(
      `The adapter does not fit the weight [${n},${k}]: down is [${down.shape}], up is [${up.shape}]${
        magnitude ? `, magnitude is [${magnitude.shape}]` : ""
      }; they must be [r, cIn], [cOut, r], [cOut]`,
    );
  }
}
