import {
  ANGLE,
  EXPONENTIAL,
  EXTREMA,
  GELU_SLOPE,
  HYPERBOLIC_TANGENT,
  LOGARITHM,
  NORMAL_CDF,
  POWER,
  RECTIFY,
  SIGMOID,
  SINE,
  SOFT_PLUS,
  SPECIAL_VALUES,
} from "./_functions.wgsl.ts";

/** An op on every element, and its derivative. */
export interface ElementwiseSource {
  /** Names of its tensors. */
  readonly inputs: readonly string[];
  /** Numbers it takes, read as `u.NAME`. */
  readonly parameters?: readonly string[];
  /** WGSL formula of the inputs. */
  readonly forward: string;
  /**
   * Formula of each input's gradient from that of the output (`d`), the inputs and the output (`out`). What a formula
   * names is kept for it; `d` alone passes the gradient on without a kernel. No formula: no gradient.
   */
  readonly gradients: Readonly<Record<string, string>>;
  /** Functions that the formulas call. */
  readonly declarations?: string;
}

/** Of two numbers the one that lost gets nothing, equal ones half each; beside a NaN both get all, as in PyTorch. */
const toWinner = (lost: string) => `d * select(select(V(1.0), V(0.5), x == y), V(0.0), ${lost})`;

/** 1 where a comparison holds, else 0; false beside a NaN. Without gradient. */
const comparison = (test: string): ElementwiseSource => ({
  inputs: ["x", "y"],
  forward: `select(V(0.0), V(1.0), (x ${test} y) & !(isNan(x) | isNan(y)))`,
  gradients: {},
  declarations: SPECIAL_VALUES,
});

function table<K extends string>(sources: Record<K, ElementwiseSource>): Readonly<Record<K, ElementwiseSource>> {
  return sources;
}

/** Every elementwise op, by name. */
export const ELEMENTWISE = table({
  relu: {
    inputs: ["x"],
    forward: "rectify(x)",
    gradients: { x: "select(d, V(0.0), out <= V(0.0))" },
    declarations: SPECIAL_VALUES + RECTIFY,
  },
  gelu: {
    inputs: ["x"],
    forward: "x * normalCdf(x)",
    gradients: { x: "d * geluSlope(x)" },
    declarations: NORMAL_CDF + GELU_SLOPE,
  },
  sigmoid: {
    inputs: ["x"],
    forward: "sigmoid(x)",
    gradients: { x: "d * out * (V(1.0) - out)" },
    declarations: SPECIAL_VALUES + SIGMOID,
  },
  tanh: {
    inputs: ["x"],
    forward: "hyperbolicTangent(x)",
    gradients: { x: "d * (V(1.0) - out * out)" },
    declarations: SPECIAL_VALUES + HYPERBOLIC_TANGENT,
  },
  silu: {
    inputs: ["x"],
    forward: "x * sigmoid(x)",
    gradients: { x: "d * sigmoid(x) * (V(1.0) + x * (V(1.0) - sigmoid(x)))" },
    declarations: SPECIAL_VALUES + SIGMOID,
  },
  softplus: {
    inputs: ["x"],
    forward: "softPlus(x)",
    gradients: { x: "d * sigmoid(x)" },
    declarations: SPECIAL_VALUES + SOFT_PLUS + SIGMOID,
  },
  exp: {
    inputs: ["x"],
    forward: "exponential(x)",
    gradients: { x: "d * out" },
    declarations: SPECIAL_VALUES + EXPONENTIAL,
  },
  log: { inputs: ["x"], forward: "logarithm(x)", gradients: { x: "d / x" }, declarations: SPECIAL_VALUES + LOGARITHM },
  sqrt: { inputs: ["x"], forward: "sqrt(x)", gradients: { x: "d * V(0.5) / out" } },
  rsqrt: { inputs: ["x"], forward: "inverseSqrt(x)", gradients: { x: "d * V(-0.5) * out * out * out" } },
  square: { inputs: ["x"], forward: "x * x", gradients: { x: "d * (x + x)" } },
  abs: { inputs: ["x"], forward: "abs(x)", gradients: { x: "d * sign(x)" } },
  negate: { inputs: ["x"], forward: "-x", gradients: { x: "-d" } },
  reciprocal: { inputs: ["x"], forward: "V(1.0) / x", gradients: { x: "-d * out * out" } },
  clamp: {
    inputs: ["x"],
    parameters: ["low", "high"],
    forward: "select(min(max(x, V(u.low)), V(u.high)), x, isNan(x))",
    gradients: { x: "select(V(0.0), d, (x >= V(u.low)) & (x <= V(u.high)))" },
    declarations: SPECIAL_VALUES,
  },
  addScalar: { inputs: ["x"], parameters: ["scalar"], forward: "x + V(u.scalar)", gradients: { x: "d" } },
  multiplyScalar: {
    inputs: ["x"],
    parameters: ["scalar"],
    forward: "x * u.scalar",
    gradients: { x: "d * u.scalar" },
  },
  add: { inputs: ["x", "y"], forward: "x + y", gradients: { x: "d", y: "d" } },
  subtract: { inputs: ["x", "y"], forward: "x - y", gradients: { x: "d", y: "-d" } },
  multiply: { inputs: ["x", "y"], forward: "x * y", gradients: { x: "d * y", y: "d * x" } },
  divide: { inputs: ["x", "y"], forward: "x / y", gradients: { x: "d / y", y: "-d * (x / y) / y" } },
  maximum: {
    inputs: ["x", "y"],
    forward: "larger(x, y)",
    gradients: { x: toWinner("x < y"), y: toWinner("y < x") },
    declarations: SPECIAL_VALUES + EXTREMA,
  },
  minimum: {
    inputs: ["x", "y"],
    forward: "smaller(x, y)",
    gradients: { x: toWinner("x > y"), y: toWinner("y > x") },
    declarations: SPECIAL_VALUES + EXTREMA,
  },
  pow: {
    inputs: ["x", "y"],
    forward: "power(x, y)",
    gradients: {
      x: "select(d * y * power(x, y - V(1.0)), V(0.0), y == V(0.0))",
      y: "select(d * out * logarithm(x), V(0.0), (x == V(0.0)) & (y >= V(0.0)))",
    },
    declarations: SPECIAL_VALUES + LOGARITHM + POWER,
  },
  sin: { inputs: ["x"], forward: "sine(x)", gradients: { x: "d * cosine(x)" }, declarations: SINE },
  cos: { inputs: ["x"], forward: "cosine(x)", gradients: { x: "-d * sine(x)" }, declarations: SINE },
  atan2: {
    inputs: ["y", "x"],
    forward: "angle(y, x)",
    gradients: {
      y: "d * x / select(x * x + y * y, V(1.0), (x == V(0.0)) & (y == V(0.0)))",
      x: "-d * y / select(x * x + y * y, V(1.0), (x == V(0.0)) & (y == V(0.0)))",
    },
    declarations: SPECIAL_VALUES + ANGLE,
  },
  greater: comparison(">"),
  greaterEqual: comparison(">="),
  less: comparison("<"),
  lessEqual: comparison("<="),
  equal: comparison("=="),
  where: {
    inputs: ["mask", "x", "y"],
    forward: "select(y, x, mask != V(0.0))",
    gradients: { x: "select(V(0.0), d, mask != V(0.0))", y: "select(d, V(0.0), mask != V(0.0))" },
  },
});
