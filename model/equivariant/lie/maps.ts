/**
 * Rotations and motions as vectors, in float64 on the processor. A motion's vector is a rotation (3) and a translation (3);
 * `exp` makes matrices of them.
 *
 * Source: Barfoot (2017), "State estimation for robotics", chapter 7.
 */

/** Below this angle functions are summed from their series. */
const SMALL = 0.3;

/** Σ c_k x^2k. */
function series(x: number, coefficients: readonly number[]): number {
  return coefficients.reduceRight((sum, c) => sum * x * x + c, 0);
}

/** sin x / x. */
export function sinc(x: number): number {
  return Math.abs(x) < SMALL ? series(x, [1, -1 / 6, 1 / 120, -1 / 5040, 1 / 362880]) : Math.sin(x) / x;
}

/** (1 - cos x) / x². */
export function cosc(x: number): number {
  return 0.5 * sinc(x / 2) ** 2;
}

/** (x - sin x) / x³. */
export function sincc(x: number): number {
  if (Math.abs(x) >= SMALL) return (x - Math.sin(x)) / x ** 3;
  return series(x, [1 / 6, -1 / 120, 1 / 5040, -1 / 362880, 1 / 39916800]);
}

/** (1 - x sin x / (2 (1 - cos x))) / x². */
export function coscc(x: number): number {
  if (Math.abs(x) >= SMALL) return (1 - x / 2 / Math.tan(x / 2)) / x ** 2;
  return series(x, [1 / 12, 1 / 720, 1 / 30240, 1 / 1209600, 1 / 47900160]);
}

/** x / sin x. */
export function sincInverse(x: number): number {
  return 1 / sinc(x);
}

/** The matrix of the product with a vector from the left, `[3, 3]`. */
function crossMatrix([x, y, z]: ArrayLike<number> & Iterable<number>): number[] {
  return [0, -z, y, z, 0, -x, -y, x, 0];
}

/** The product of two matrices of n rows and columns. */
function product(a: ArrayLike<number>, b: ArrayLike<number>, n: number): number[] {
  return Array.from({ length: n * n }, (_, k) => {
    const [row, column] = [Math.floor(k / n), k % n];
    let sum = 0;
    for (let j = 0; j < n; j++) sum += a[row * n + j] * b[j * n + column];
    return sum;
  });
}

/** I + a K + b K², of the matrix K of a vector. */
function polynomial(vector: ArrayLike<number> & Iterable<number>, a: number, b: number): number[] {
  const k = crossMatrix(vector);
  return product(k, k, 3).map((square, at) => +(at % 4 === 0) + a * k[at] + b * square);
}

function lengthOf(vector: ArrayLike<number>): number {
  return Math.hypot(vector[0], vector[1], vector[2]);
}

/** The rotation of a vector: its direction is the axis, its length the angle, `[3, 3]`. */
export function so3Exp(vector: readonly number[]): number[] {
  const angle = lengthOf(vector);
  return polynomial(vector, sinc(angle), cosc(angle));
}

/** The motion of a vector, `[4, 4]`. */
export function se3Exp(vector: readonly number[]): number[] {
  const [w, u] = [vector.slice(0, 3), vector.slice(3)];
  const angle = lengthOf(w), rotation = so3Exp(w);
  const t = applied(polynomial(w, cosc(angle), sincc(angle)), u);
  return [...[0, 1, 2].flatMap((row) => [...rotation.slice(3 * row, 3 * row + 3), t[row]]), 0, 0, 0, 1];
}

/** The vector of a rotation, of a length up to π. */
export function so3Log(rotation: ArrayLike<number>): number[] {
  return quaternionLog(quaternionOf(rotation));
}

/** The vector of a motion `[4, 4]`. */
export function se3Log(motion: ArrayLike<number>): number[] {
  const rotation = [0, 1, 2].flatMap((row) => [0, 1, 2].map((column) => motion[4 * row + column]));
  const w = so3Log(rotation);
  return [...w, ...applied(translationLog(w), [motion[3], motion[7], motion[11]])];
}

/** What makes the translation of a motion that of its vector, whose rotation is given, `[3, 3]`. */
export function translationLog(rotation: readonly number[]): number[] {
  return polynomial(rotation, -0.5, coscc(lengthOf(rotation)));
}

/** A matrix times a vector. */
export function applied(matrix: ArrayLike<number>, [x, y, z]: ArrayLike<number> & Iterable<number>): number[] {
  return [0, 3, 6].map((row) => matrix[row] * x + matrix[row + 1] * y + matrix[row + 2] * z);
}

/** The rotation vector of a quaternion (w, x, y, z) of any length, of an angle up to π. */
export function quaternionLog(quaternion: readonly number[]): number[] {
  const [w, ...v] = quaternion[0] < 0 ? quaternion.map((x) => -x) : quaternion;
  const sine = lengthOf(v);
  if (sine === 0) return [0, 0, 0];
  return v.map((x) => 2 * Math.atan2(sine, w) / sine * x);
}

/** The product of two quaternions, the first of which may be inverted: turned back, of length 1. */
export function quaternionProduct(a: readonly number[], b: readonly number[], inverted = false): number[] {
  const [w, x, y, z] = inverted ? [a[0], -a[1], -a[2], -a[3]] : a;
  const [p, q, r, s] = b;
  return [
    w * p - x * q - y * r - z * s,
    w * q + x * p + y * s - z * r,
    w * r - x * s + y * p + z * q,
    w * s + x * r - y * q + z * p,
  ];
}

/** The quaternion of a rotation, from the largest of its four numbers. */
function quaternionOf(m: ArrayLike<number>): number[] {
  const trace = m[0] + m[4] + m[8];
  const candidates = [trace, m[0], m[4], m[8]];
  const most = candidates.indexOf(Math.max(...candidates));
  const [a, b, c] = [m[7] - m[5], m[2] - m[6], m[3] - m[1]];
  const [p, q, r] = [m[1] + m[3], m[2] + m[6], m[5] + m[7]];
  return [
    [1 + trace, a, b, c],
    [a, 1 + 2 * m[0] - trace, p, q],
    [b, p, 1 + 2 * m[4] - trace, r],
    [c, q, r, 1 + 2 * m[8] - trace],
  ][most];
}

/**
 * How a motion changes with its vector: exp(v + d) = exp(J d) exp(v) to first order, `[6, 6]`. It is Σ ad(v)^k / (k + 1)!.
 */
export function leftJacobian(vector: readonly number[]): number[] {
  const [w, u] = [crossMatrix(vector.slice(0, 3)), crossMatrix(vector.slice(3))];
  const adjoint = Array.from({ length: 36 }, (_, k) => {
    const [row, column] = [Math.floor(k / 6), k % 6];
    if (row < 3 && column >= 3) return 0;
    return (row >= 3 && column < 3 ? u : w)[3 * (row % 3) + column % 3];
  });
  let power = Array.from({ length: 36 }, (_, k) => +(k % 7 === 0));
  const sum = [...power];
  for (let k = 1; k < 60; k++) {
    power = product(power, adjoint, 6).map((x) => x / (k + 1));
    power.forEach((x, at) => (sum[at] += x));
  }
  return sum;
}
