import { defineOp, sameShape, type Tensor } from "../core/mod.ts";
import { outerFirst } from "./_opm_outer_first.ts";
import { type OpmOrder, type OpmPlan, planOf } from "./_opm_plan.ts";
import { weightFirst } from "./_opm_weight_first.ts";
import { sumRows } from "./_reduce.ts";
import { cast } from "./cast.ts";
import { add, multiply, multiplyScalar } from "./elementwise.ts";
import { isFused } from "./fusion.ts";
import { linear } from "./linear.ts";
import { matmul } from "./matmul.ts";
import { pad } from "./pad.ts";
import { permute } from "./permute.ts";
import { reshape } from "./reshape.ts";
import { slice } from "./slice.ts";

/** What {@linkcode outerProductMean} takes. */
export type OuterProductMeanInputs = {
  /** Projection of the first residue's column, `[batch, N_seq, N_i, cA]`. */
  readonly a: Tensor;
  /** Projection of the second residue's column, `[batch, N_seq, N_j, cB]`. */
  readonly b: Tensor;
  /** `[cOut, cA * cB]`, row-major over (cA, cB). */
  readonly weight: Tensor;
  /** Added after the scale, `[cOut]`. */
  readonly bias?: Tensor;
  /** Added last, `[batch, N_i, N_j, cOut]`. */
  readonly residual?: Tensor;
};

/** How {@linkcode outerProductMean} goes about it. */
export interface OuterProductMeanOptions {
  /** Factor of the sum over sequences. @default 1 / N_seq */
  readonly scale?: number;
  /** Multiplies what came of each pair, the bias included, `[batch, N_i, N_j]`; without a gradient alone. @default none does */
  readonly factor?: Tensor;
  /** Whether the residual is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
}

interface Attributes {
  readonly scale: number;
  readonly factor?: Tensor;
  readonly consume: boolean;
}

/**
 * How much longer an operation of the order "outer first" takes than one of "weight first", since it moves the outer
 * products about between its two products: measured on lavapipe, forward and backward together, at 64 and 128 residues,
 * where the orders take the same time at about 35 and 45 sequences.
 */
const OUTER_FIRST_FACTOR = 1.25;

/** The order with less to do: the weight first for few sequences, the outer products first for many. */
function orderOf({ nSeq, nI, nJ, cA, cB, cOut }: OpmPlan): OpmOrder {
  const outer = nI * nJ * cA * cB * (nSeq + cOut);
  const weight = nI * nSeq * cB * cOut * (cA + nJ);
  return outer * OUTER_FIRST_FACTOR < weight ? outerFirst : weightFirst;
}

const op = defineOp<
  OuterProductMeanInputs,
  "a" | "b" | "weight",
  Record<never, never>,
  Attributes
>({
  name: "outerProductMean",
  needs: { a: ["b", "weight"], b: ["a", "weight"], weight: ["a", "b"] },
  forward({ a, b, weight, bias, residual }, { scale, factor, consume }, { device, recording }) {
    const plan = planOf(a.shape, b.shape, weight.shape);
    if (factor && recording) throw new TypeError("No gradient flows through outerProductMean() with a factor");
    const own = consume && !recording && residual !== undefined;
    const target = own ? device.view(residual, residual.shape) : residual;
    return {
      out: orderOf(plan).forward(device, plan, { a, b, weight, scale }, {
        bias,
        factor,
        residual: target,
        consume: own,
      }),
    };
  },
  vjp({ device, inputs, shapes, attributes: { scale }, wanted }, dOut) {
    const plan = planOf(shapes.a, shapes.b, shapes.weight);
    const some = wanted.a || wanted.b || wanted.weight;
    return {
      ...(some && orderOf(plan).backward(device, plan, { ...inputs, scale }, dOut, wanted)),
      bias: wanted.bias ? sumRows(dOut, plan.cOut) : undefined,
      residual: dOut,
    };
  },
});

/**
 * Mean over sequences of the outer product of two projections, mapped to pair channels and added to a residual:
 * out[i, j] = residual[i, j] + bias + W · flatten(mean over s of a[s, i] ⊗ b[s, j]); with `scale`, its multiple of the
 * sum instead of the mean.
 *
 * For few sequences the weight is applied to `a` first and the sequences are summed last; for many the outer products
 * are summed first, some rows i at a time. A tensor [N_res, N_res, c, c] is never made.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 10 "OuterProductMean", lines 2-4 (one normalization for all pairs).
 *
 * @returns `[batch, N_i, N_j, cOut]`.
 * @throws {TypeError} If shapes do not fit, or there is no sequence and no scale.
 */
export function outerProductMean(inputs: OuterProductMeanInputs, options: OuterProductMeanOptions = {}): Tensor {
  const { a, b, weight, bias, residual } = inputs;
  const { nBatch, nSeq, nI, nJ, cA, cB, cOut } = planOf(a.shape, b.shape, weight.shape);
  if (nSeq === 0 && options.scale === undefined) {
    throw new TypeError(
      `Cannot run outerProductMean over no sequences: a is [${a.shape}]; give the scale of their sum`,
    );
  }
  const { factor, consume = false } = options;
  const attributes = { scale: options.scale ?? 1 / nSeq, factor, consume };
  if ((bias && bias.size !== cOut) || (residual && !sameShape(residual.shape, [nBatch, nI, nJ, cOut]))) {
    throw new TypeError(
      `Cannot run outerProductMean: bias must be [${cOut}] and residual [${[nBatch, nI, nJ, cOut]}], they are [${
        bias?.shape ?? "none"
      }] and [${residual?.shape ?? "none"}]`,
    );
  }
  const { device } = a;
  const isOne = isFused(device, "outer-product");
  if (!isOne && !factor) return pairByPair(inputs, attributes.scale);
  if (!isOne || (!isFused(device, "epilogue") && (bias || factor || residual))) {
    using scope = device.scope("outerProductMean");
    let out = outerProductMean({ a, b, weight }, { scale: options.scale });
    if (bias) out = add(out, bias);
    if (factor) out = multiply(out, reshape(factor, [...factor.shape, 1]));
    if (residual) out = add(cast(residual, "f32"), out);
    return scope.keep(out);
  }
  const widen = (n: number) => Math.ceil(n / 4) * 4 - n;
  const [moreA, moreB, moreOut] = [widen(cA), widen(cB), widen(cOut)];
  if (!moreA && !moreB && !moreOut) return op({ a, b, weight, bias, residual }, attributes);
  // Channels of zeros change nothing; rows of whole vec4s are what the kernels read.
  const wide = pad(reshape(cast(weight, "f32"), [cOut, cA, cB]), [0, 0, 0], [moreOut, moreA, moreB]);
  const out = op({
    a: pad(a, [0, 0, 0, 0], [0, 0, 0, moreA]),
    b: pad(b, [0, 0, 0, 0], [0, 0, 0, moreB]),
    weight: reshape(wide, [cOut + moreOut, (cA + moreA) * (cB + moreB)]),
    bias: bias && pad(bias, [0], [moreOut]),
    residual: residual && pad(residual, [0, 0, 0, 0], [0, 0, 0, moreOut]),
  }, attributes);
  return slice(out, [0, 0, 0, 0], [nBatch, nI, nJ, cOut]);
}

/** The text-book order: the mean over sequences of every pair's outer product is stored, then mapped. */
function pairByPair({ a, b, weight, bias, residual }: OuterProductMeanInputs, scale: number): Tensor {
  using scope = a.device.scope("outerProductMean");
  const [nBatch, nSeq, nI, cA] = a.shape, [, , nJ, cB] = b.shape;
  const columns = (x: Tensor) => reshape(x, [nBatch, nSeq, x.size / (nBatch * nSeq)]);
  const outer = reshape(matmul(columns(a), columns(b), { transposeA: true }), [nBatch, nI, cA, nJ, cB]);
  const pairs = reshape(permute(multiplyScalar(outer, scale), [0, 1, 3, 2, 4]), [nBatch, nI, nJ, cA * cB]);
  return scope.keep(linear(pairs, { weight, bias }, { residual }));
}
