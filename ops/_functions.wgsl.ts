/**
 * WGSL functions that kernels share. All take values of type `V`, `vec4f` or `f32`, which {@linkcode valueTypes} declares
 * together with `U` and `B`, the unsigned integers and booleans of as many lanes.
 *
 * WGSL lets an adapter assume that there is no NaN and no infinity (its `min` and `max` may drop a NaN, comparisons may
 * be turned around), and its built-ins are as inexact as the least exact adapter. What must be told apart is therefore
 * told by its bits.
 */

/** What a kernel computes with: four numbers an invocation or one. */
export type ValueType = "vec4f" | "f32";

/** WGSL types: `V`, and `U` and `B` of as many lanes. */
export function valueTypes(type: ValueType): string {
  return type === "vec4f"
    ? "alias V = vec4f;\nalias U = vec4u;\nalias B = vec4<bool>;"
    : "alias V = f32;\nalias U = u32;\nalias B = bool;";
}

/**
 * WGSL `isNan(x: V) -> B`, and `infinity(like: V) -> V` and `notANumber(like: V) -> V`, whose argument only keeps the
 * compiler from working them out: WGSL has no such constants.
 */
export const SPECIAL_VALUES = `
fn isNan(x: V) -> B {
  return (bitcast<U>(x) & U(0x7fffffffu)) > U(0x7f800000u);
}
fn infinity(like: V) -> V {
  return bitcast<V>((bitcast<U>(like) & U(0u)) | U(0x7f800000u));
}
fn notANumber(like: V) -> V {
  return bitcast<V>((bitcast<U>(like) & U(0u)) | U(0x7fc00000u));
}`;

/** WGSL `larger(x: V, y: V) -> V` and `smaller`: a NaN in either is a NaN in the result. Needs {@linkcode SPECIAL_VALUES}. */
export const EXTREMA = `
fn larger(x: V, y: V) -> V {
  return select(max(x, y), x + y, isNan(x) | isNan(y));
}
fn smaller(x: V, y: V) -> V {
  return select(min(x, y), x + y, isNan(x) | isNan(y));
}`;

/** WGSL `rectify(x: V) -> V`: max(x, 0), NaN kept. Needs {@linkcode SPECIAL_VALUES}. */
export const RECTIFY = `
fn rectify(x: V) -> V {
  return select(max(x, V(0.0)), x, isNan(x));
}`;

/** WGSL `exponential(x: V) -> V`: NaN kept, which SwiftShader's exp makes an infinity. Needs {@linkcode SPECIAL_VALUES}. */
export const EXPONENTIAL = `
fn exponential(x: V) -> V {
  return select(exp(x), x, isNan(x));
}`;

/**
 * WGSL `logarithm(x: V) -> V`: the natural one, -Infinity at 0, NaN below; SwiftShader's log gives -88 and numbers there.
 * Needs {@linkcode SPECIAL_VALUES}.
 */
export const LOGARITHM = `
fn logarithm(x: V) -> V {
  let most = infinity(x);
  let inside = select(select(log(x), -most, x == V(0.0)), x, x == most);
  return select(select(inside, notANumber(x), x < V(0.0)), x, isNan(x));
}`;

/** WGSL `sigmoid(x: V) -> V`: the logistic function, NaN kept. Needs {@linkcode SPECIAL_VALUES}. */
export const SIGMOID = `
fn sigmoid(x: V) -> V {
  return select(V(1.0) / (V(1.0) + exp(-x)), x, isNan(x));
}`;

/**
 * WGSL `normalCdf(x: V) -> V`: the standard normal distribution function, relative error below 4e-7 on both sides.
 *
 * With t = |x| and s = 1 / (1 + 0.35 t), the tail exp(t²/2) Phi(-t) = erfcx(t / sqrt 2) / 2 is s times a polynomial of
 * degree 8 in s, fitted by reweighted least squares to a largest relative error of 3.2e-8 for t up to 14.
 */
export const NORMAL_CDF = `
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

/** WGSL `geluSlope(x: V) -> V`: the derivative of x Phi(x). Needs {@linkcode NORMAL_CDF}. */
export const GELU_SLOPE = `
fn geluSlope(x: V) -> V {
  return normalCdf(x) + x * (V(0.3989422804) * exp(V(-0.5) * x * x));
}`;

/**
 * WGSL `hyperbolicTangent(x: V) -> V`, accurate near 0, where the built-in may lose all digits: below 0.7 an odd
 * polynomial (fitted as above, relative error 1.6e-8), else from the exponential. Needs {@linkcode SPECIAL_VALUES}.
 */
export const HYPERBOLIC_TANGENT = `
fn hyperbolicTangent(x: V) -> V {
  let q = x * x;
  var p = q * V(-0.00513866371) + V(0.020091972);
  p = p * q + V(-0.0535588622);
  p = p * q + V(0.133291108);
  p = p * q + V(-0.333331899);
  let large = sign(x) * (V(1.0) - V(2.0) / (exp(V(2.0) * abs(x)) + V(1.0)));
  return select(select(large, x + x * q * p, abs(x) < V(0.7)), x, isNan(x));
}`;

/**
 * WGSL `softPlus(x: V) -> V`: log(1 + e) for e = exp(-|x|) <= 1 as 2 atanh(z), z = e / (2 + e) <= 1/3, by its series. Needs
 * {@linkcode SPECIAL_VALUES}.
 */
export const SOFT_PLUS = `
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
  return select(max(x, V(0.0)) + V(2.0) * (z + z * q * p), x, isNan(x));
}`;

/**
 * WGSL `power(x: V, y: V) -> V` with the special values of C99's pow (annex F.9.4.4): the built-in is defined for x > 0
 * alone. Needs {@linkcode SPECIAL_VALUES}.
 */
export const POWER = `
fn power(x: V, y: V) -> V {
  let size = abs(x);
  let most = infinity(x);
  let whole = floor(y) == y;
  let odd = y - V(2.0) * floor(y * V(0.5)) == V(1.0);
  let negative = (bitcast<U>(x) >> U(31u)) == U(1u); // of -0 too
  let limit = select(V(0.0), most, (size > V(1.0)) == (y > V(0.0)));
  var p = select(exp2(y * log2(size)), limit, (size == V(0.0)) | (size == most) | (abs(y) == most));
  p = select(p, V(1.0), size == V(1.0));
  p = select(p, -p, negative & odd);
  p = select(p, notANumber(x), (x < V(0.0)) & (size < most) & !whole);
  p = select(p, x + y, isNan(x) | isNan(y));
  return select(p, V(1.0), (x == V(1.0)) | (y == V(0.0)));
}`;

/**
 * WGSL `sine(x: V) -> V` and `cosine(x: V) -> V`, absolute error below 2e-7 for |x| up to 10,000, where the built-ins
 * may be off by 5e-4: pi / 2 is taken off in three parts (Cody and Waite), and what is left goes through the
 * polynomials of Cephes. Beyond 50,000 the built-ins take over.
 */
export const SINE = `
fn quarterTurns(x: V) -> V {
  return round(x * V(0.6366197724));
}
fn restOfTurn(x: V, k: V) -> V {
  return ((x - k * V(1.5703125)) - k * V(4.837512969970703e-4)) - k * V(7.549789954891882e-8);
}
fn sineNearZero(r: V) -> V {
  let q = r * r;
  return r + r * q * ((q * V(-1.9515295891e-4) + V(8.3321608736e-3)) * q + V(-1.6666654611e-1));
}
fn cosineNearZero(r: V) -> V {
  let q = r * r;
  return (V(1.0) - V(0.5) * q) + q * q * ((q * V(2.443315711809948e-5) + V(-1.388731625493765e-3)) * q + V(4.166664568298827e-2));
}
fn turned(r: V, k: V) -> V {
  let step = k - V(4.0) * floor(k * V(0.25));
  let even = (step == V(0.0)) | (step == V(2.0));
  let value = select(cosineNearZero(r), sineNearZero(r), even);
  return select(value, -value, step >= V(2.0));
}
fn sine(x: V) -> V {
  let k = quarterTurns(x);
  return select(turned(restOfTurn(x, k), k), sin(x), abs(x) > V(5e4));
}
fn cosine(x: V) -> V {
  let k = quarterTurns(x);
  return select(turned(restOfTurn(x, k), k + V(1.0)), cos(x), abs(x) > V(5e4));
}`;

/**
 * WGSL `angle(y: V, x: V) -> V`: the angle of (x, y) as C99's atan2 gives it, absolute error below 4e-7: the arc tangent
 * of the smaller over the larger side, by the polynomial of Cephes. Needs {@linkcode SPECIAL_VALUES}.
 */
export const ANGLE = `
fn angle(y: V, x: V) -> V {
  let low = min(abs(x), abs(y));
  let high = max(abs(x), abs(y));
  let both = low == infinity(x);
  let t = select(low / select(high, V(1.0), high == V(0.0)), V(1.0), both);
  let far = t > V(0.4142135624);
  let r = select(t, (t - V(1.0)) / (t + V(1.0)), far);
  let q = r * r;
  var p = q * V(8.05374449538e-2) + V(-1.38776856032e-1);
  p = p * q + V(1.99777106478e-1);
  p = p * q + V(-3.33329491539e-1);
  var a = r + r * q * p + select(V(0.0), V(0.7853981634), far);
  a = select(a, V(1.5707963268) - a, abs(y) > abs(x));
  a = select(a, V(3.1415926536) - a, (bitcast<U>(x) >> U(31u)) == U(1u));
  a = select(a, -a, (bitcast<U>(y) >> U(31u)) == U(1u));
  return select(a, x + y, isNan(x) | isNan(y));
}`;
