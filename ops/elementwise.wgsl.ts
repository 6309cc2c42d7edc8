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

/**
 * WGSL `normalCdf(x: V) -> V`: the standard normal distribution function, relative error below 4e-7 on both sides.
 *
 * With t = |x| and s = 1 / (1 + 0.35 t), the tail exp(t²/2) Phi(-t) = erfcx(t / sqrt 2) / 2 is s times a polynomial of
 * degree 8 in s, fitted by reweighted least squares to a largest relative error of 3.2e-8 for t up to 14.
 */
export const NORMAL_CDF_WGSL = `
fn normalCdf(x: V) -> V {
  let s = V(1.0) / (V(1.0) + V(0.35) * abs(x));
  var p = s * V(-0.0291459603) + V(0.143971839);
  p = p * s + V(-0.255714535);
  p = p * s + V(0.159174467);
  p = p * s + V(-0.0231100352);
  p = p * s + V(0.105508083);
  p = p * s + V(0.119832849);
  p = p * s + V(0.139861872);
  p = p * s + V(0.139621404);
  let tail = exp(V(-0.5) * x * x) * (p * s);
  return select(tail, V(1.0) - tail, x > V(0.0));
}`;

/** WGSL `logistic(x: V) -> V`. */
const LOGISTIC_WGSL = `
fn logistic(x: V) -> V {
  return V(1.0) / (V(1.0) + exp(-x));
}`;

/**
 * WGSL `hyperbolicTangent(x: V) -> V`, accurate near 0, where the built-in may lose all digits: below 0.7 an odd
 * polynomial (fitted as above, relative error 1.6e-8), else from the exponential.
 */
const TANH_WGSL = `
fn hyperbolicTangent(x: V) -> V {
  let q = x * x;
  var p = q * V(-0.00513866371) + V(0.020091972);
  p = p * q + V(-0.0535588622);
  p = p * q + V(0.133291108);
  p = p * q + V(-0.333331899);
  let large = sign(x) * (V(1.0) - V(2.0) / (exp(V(2.0) * abs(x)) + V(1.0)));
  return select(large, x + x * q * p, abs(x) < V(0.7));
}`;

/** WGSL `softPlus(x: V) -> V`: log(1 + e) for e = exp(-|x|) <= 1 as 2 atanh(z), z = e / (2 + e) <= 1/3, by its series. */
const SOFTPLUS_WGSL = `
fn softPlus(x: V) -> V {
  let e = exp(-abs(x));
  let z = e / (V(2.0) + e);
  let q = z * z;
  var p = q * V(${1 / 15}) + V(${1 / 13});
  p = p * q + V(${1 / 11});
  p = p * q + V(${1 / 9});
  p = p * q + V(${1 / 7});
  p = p * q + V(0.2);
  p = p * q + V(${1 / 3});
  return max(x, V(0.0)) + V(2.0) * (z + z * q * p);
}`;

/** WGSL `power(x: V, y: V) -> V`: the built-in is defined for x > 0 alone. */
const POWER_WGSL = `
fn power(x: V, y: V) -> V {
  let size = exp2(y * log2(abs(x)));
  let odd = y - V(2.0) * floor(y * V(0.5)) == V(1.0);
  let whole = floor(y) == y;
  let negative = select(select(pow(x, y), size, whole), -size, odd);
  return select(select(negative, size, x >= V(0.0)), V(1.0), y == V(0.0));
}`;

const HALF_ON_TIES = (test: string) => `d * select(select(V(0.0), V(0.5), x == y), V(1.0), x ${test} y)`;

function table<K extends string>(sources: Record<K, ElementwiseSource>): Readonly<Record<K, ElementwiseSource>> {
  return sources;
}

/** Every elementwise op, by name. */
export const ELEMENTWISE = table({
  relu: {
    inputs: ["x"],
    forward: "select(x, V(0.0), x < V(0.0))",
    gradients: { x: "select(V(0.0), d, out > V(0.0))" },
  },
  gelu: {
    inputs: ["x"],
    forward: "x * normalCdf(x)",
    gradients: { x: "d * (normalCdf(x) + x * (V(0.3989422804) * exp(V(-0.5) * x * x)))" },
    declarations: NORMAL_CDF_WGSL,
  },
  sigmoid: {
    inputs: ["x"],
    forward: "logistic(x)",
    gradients: { x: "d * out * (V(1.0) - out)" },
    declarations: LOGISTIC_WGSL,
  },
  tanh: {
    inputs: ["x"],
    forward: "hyperbolicTangent(x)",
    gradients: { x: "d * (V(1.0) - out * out)" },
    declarations: TANH_WGSL,
  },
  silu: {
    inputs: ["x"],
    forward: "x * logistic(x)",
    gradients: { x: "d * logistic(x) * (V(1.0) + x * (V(1.0) - logistic(x)))" },
    declarations: LOGISTIC_WGSL,
  },
  softplus: {
    inputs: ["x"],
    forward: "softPlus(x)",
    gradients: { x: "d * logistic(x)" },
    declarations: SOFTPLUS_WGSL + LOGISTIC_WGSL,
  },
  exp: { inputs: ["x"], forward: "exp(x)", gradients: { x: "d * out" } },
  log: { inputs: ["x"], forward: "log(x)", gradients: { x: "d / x" } },
  sqrt: { inputs: ["x"], forward: "sqrt(x)", gradients: { x: "d * V(0.5) / out" } },
  rsqrt: { inputs: ["x"], forward: "inverseSqrt(x)", gradients: { x: "d * V(-0.5) * out * out * out" } },
  square: { inputs: ["x"], forward: "x * x", gradients: { x: "d * (x + x)" } },
  abs: { inputs: ["x"], forward: "abs(x)", gradients: { x: "d * sign(x)" } },
  negate: { inputs: ["x"], forward: "-x", gradients: { x: "-d" } },
  reciprocal: { inputs: ["x"], forward: "V(1.0) / x", gradients: { x: "-d * out * out" } },
  clamp: {
    inputs: ["x"],
    parameters: ["low", "high"],
    forward: "clamp(x, V(u.low), V(u.high))",
    gradients: { x: "select(V(0.0), d, (x >= V(u.low)) & (x <= V(u.high)))" },
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
    forward: "max(x, y)",
    gradients: { x: HALF_ON_TIES(">"), y: HALF_ON_TIES("<") },
  },
  minimum: {
    inputs: ["x", "y"],
    forward: "min(x, y)",
    gradients: { x: HALF_ON_TIES("<"), y: HALF_ON_TIES(">") },
  },
  pow: {
    inputs: ["x", "y"],
    forward: "power(x, y)",
    gradients: {
      x: "select(d * y * power(x, y - V(1.0)), V(0.0), y == V(0.0))",
      y: "select(d * out * log(x), V(0.0), x == V(0.0))",
    },
    declarations: POWER_WGSL,
  },
  where: {
    inputs: ["mask", "x", "y"],
    forward: "select(y, x, mask != V(0.0))",
    gradients: { x: "select(V(0.0), d, mask != V(0.0))", y: "select(d, V(0.0), mask != V(0.0))" },
  },
});
