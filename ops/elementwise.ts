import { defineOp, type OpInputs, type Tensor } from "../core/mod.ts";
import { defineMap, type Parameters } from "./_map.ts";
import { ELEMENTWISE } from "./elementwise.wgsl.ts";
import { sumToShape } from "./_reduce.ts";

type Elementwise = (inputs: Readonly<Record<string, Tensor>>, parameters: Parameters) => Tensor;

function elementwise(name: keyof typeof ELEMENTWISE): Elementwise {
  const { inputs, parameters, forward, gradients, declarations } = ELEMENTWISE[name];
  const run = defineMap({ name, args: inputs, parameters, expression: forward, declarations });
  const backward = Object.entries(gradients).map(([input, expression]) => {
    const args = ["d", ...inputs, "out"].filter((arg) => new RegExp(`\\b${arg}\\b`).test(expression));
    const map = expression === "d"
      ? null
      : defineMap({ name: `${name}.vjp.${input}`, args, parameters, expression, declarations });
    return { input, args, map };
  });
  return defineOp<Record<string, Tensor>, string, OpInputs, Parameters>({
    name,
    needs: Object.fromEntries(
      backward.map(({ input, args }) => [input, args.filter((arg) => arg !== "d" && arg !== "out")]),
    ),
    forward(tensors, attributes, { wanted }) {
      const out = run(tensors, attributes);
      const needed = backward.some(({ input, args }) => wanted[input] && args.includes("out"));
      return { out, saved: needed ? { out } : {} };
    },
    vjp({ inputs: kept, saved, attributes, shapes, wanted }, d) {
      const tensors: Record<string, Tensor> = { ...kept, d };
      if (saved.out) tensors.out = saved.out;
      const grads: Record<string, Tensor> = {};
      for (const { input, args, map } of backward) {
        if (!wanted[input]) continue;
        const full = map ? map(Object.fromEntries(args.map((arg) => [arg, tensors[arg]])), attributes) : d;
        grads[input] = sumToShape(full, shapes[input]);
      }
      return grads;
    },
  });
}

const ops = Object.fromEntries(
  (Object.keys(ELEMENTWISE) as (keyof typeof ELEMENTWISE)[]).map((name) => [name, elementwise(name)]),
) as Record<keyof typeof ELEMENTWISE, Elementwise>;

/** Rectifier: max(x, 0), of any shape; its slope at 0 is 0, and 1 at NaN, which stays NaN. */
export function relu(x: Tensor): Tensor {
  return ops.relu({ x }, {});
}

/**
 * Gaussian error linear unit in its exact form, x Phi(x) with the normal distribution function Phi, of any shape.
 *
 * Source: Hendrycks and Gimpel (2016), "Gaussian error linear units (GELUs)".
 */
export function gelu(x: Tensor): Tensor {
  return ops.gelu({ x }, {});
}

/** Logistic function 1 / (1 + exp(-x)), of any shape. */
export function sigmoid(x: Tensor): Tensor {
  return ops.sigmoid({ x }, {});
}

/** Hyperbolic tangent, of any shape. */
export function tanh(x: Tensor): Tensor {
  return ops.tanh({ x }, {});
}

/** Sigmoid linear unit (swish): x sigmoid(x), of any shape. */
export function silu(x: Tensor): Tensor {
  return ops.silu({ x }, {});
}

/** log(1 + exp(x)), of any shape, without overflow. */
export function softplus(x: Tensor): Tensor {
  return ops.softplus({ x }, {});
}

/** Exponential function, of any shape. */
export function exp(x: Tensor): Tensor {
  return ops.exp({ x }, {});
}

/** Natural logarithm, of any shape; -Infinity at 0, NaN below. Its absolute error is about 1e-7 near 1. */
export function log(x: Tensor): Tensor {
  return ops.log({ x }, {});
}

/** Square root, of any shape; NaN below 0. */
export function sqrt(x: Tensor): Tensor {
  return ops.sqrt({ x }, {});
}

/** 1 / sqrt(x), of any shape. */
export function rsqrt(x: Tensor): Tensor {
  return ops.rsqrt({ x }, {});
}

/** x², of any shape. */
export function square(x: Tensor): Tensor {
  return ops.square({ x }, {});
}

/** Sine of x in radians, of any shape; absolute error below 2e-7 for |x| up to 10,000. */
export function sin(x: Tensor): Tensor {
  return ops.sin({ x }, {});
}

/** Cosine of x in radians, of any shape; absolute error below 2e-7 for |x| up to 10,000. */
export function cos(x: Tensor): Tensor {
  return ops.cos({ x }, {});
}

/** |x|, of any shape; its slope at 0 is 0. */
export function abs(x: Tensor): Tensor {
  return ops.abs({ x }, {});
}

/** -x, of any shape. */
export function negate(x: Tensor): Tensor {
  return ops.negate({ x }, {});
}

/** 1 / x, of any shape. */
export function reciprocal(x: Tensor): Tensor {
  return ops.reciprocal({ x }, {});
}

/**
 * Confines every element to [low, high], of which either may be infinite; NaN stays NaN. The gradient passes where x
 * lies inside, the ends included.
 *
 * @throws {RangeError} If `low` is not at most `high`.
 */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  if (!(low <= high)) throw new RangeError(`clamp needs low <= high, got low ${low}, high ${high}`);
  return ops.clamp({ x }, { low, high });
}

/** x + scalar, of any shape. */
export function addScalar(x: Tensor, scalar: number): Tensor {
  return ops.addScalar({ x }, { scalar });
}

/** scalar x, of any shape. */
export function multiplyScalar(x: Tensor, scalar: number): Tensor {
  return ops.multiplyScalar({ x }, { scalar });
}

/**
 * x + y. Shapes broadcast by NumPy's rule, as in all ops of two tensors: axes are aligned from the last, and an axis of
 * size 1 stretches.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { add } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
 * const bias = device.tensor([10, 20, 30], [3]);
 * assert.deepEqual([...await add(x, bias).read()], [11, 22, 33, 14, 25, 36]);
 * ```
 *
 * @returns The broadcast shape.
 * @throws {TypeError} If the shapes do not broadcast.
 */
export function add(x: Tensor, y: Tensor): Tensor {
  return ops.add({ x, y }, {});
}

/** x - y, broadcast as in {@linkcode add}. */
export function subtract(x: Tensor, y: Tensor): Tensor {
  return ops.subtract({ x, y }, {});
}

/** x y, element by element, broadcast as in {@linkcode add}. */
export function multiply(x: Tensor, y: Tensor): Tensor {
  return ops.multiply({ x, y }, {});
}

/** x / y, element by element, broadcast as in {@linkcode add}. */
export function divide(x: Tensor, y: Tensor): Tensor {
  return ops.divide({ x, y }, {});
}

/**
 * The larger of x and y, broadcast as in {@linkcode add}; NaN where either is NaN. Where they are equal each gets half of
 * the gradient, beside a NaN both get all of it.
 */
export function maximum(x: Tensor, y: Tensor): Tensor {
  return ops.maximum({ x, y }, {});
}

/** The smaller of x and y; otherwise as {@linkcode maximum}. */
export function minimum(x: Tensor, y: Tensor): Tensor {
  return ops.minimum({ x, y }, {});
}

/**
 * x to the power y, broadcast as in {@linkcode add}. For negative x, y must be whole, else the result is NaN; x⁰ and 1ʸ
 * are 1, 0⁻¹ is Infinity, and so on for zeros, infinities and NaN as in C99. The gradient of y is NaN where x is negative.
 *
 * Source: ISO/IEC 9899:1999, F.9.4.4.
 */
export function pow(x: Tensor, y: Tensor): Tensor {
  return ops.pow({ x, y }, {});
}

/**
 * Angle of the point (x, y) in radians, -π to π, broadcast as in {@linkcode add}; absolute error below 4e-7. Zeros and
 * infinities as in C99; at the origin the gradient is 0.
 */
export function atan2(y: Tensor, x: Tensor): Tensor {
  return ops.atan2({ y, x }, {});
}

/** Mask that is 1 where x > y, else 0, and 0 beside a NaN; broadcast as in {@linkcode add}. Without gradient. */
export function greater(x: Tensor, y: Tensor): Tensor {
  return ops.greater({ x, y }, {});
}

/** Mask of x >= y, as {@linkcode greater}. */
export function greaterEqual(x: Tensor, y: Tensor): Tensor {
  return ops.greaterEqual({ x, y }, {});
}

/** Mask of x < y, as {@linkcode greater}. */
export function less(x: Tensor, y: Tensor): Tensor {
  return ops.less({ x, y }, {});
}

/** Mask of x <= y, as {@linkcode greater}. */
export function lessEqual(x: Tensor, y: Tensor): Tensor {
  return ops.lessEqual({ x, y }, {});
}

/** Mask of x = y, as {@linkcode greater}. */
export function equal(x: Tensor, y: Tensor): Tensor {
  return ops.equal({ x, y }, {});
}

/**
 * x where the mask is not 0, y elsewhere; all three broadcast as in {@linkcode add}.
 *
 * @param mask f32, 0 or 1; gets no gradient.
 */
export function where(mask: Tensor, x: Tensor, y: Tensor): Tensor {
  return ops.where({ mask, x, y }, {});
}
