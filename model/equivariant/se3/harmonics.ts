/** Spherical harmonics and what couples them, in float64 on the processor: where the constants of the networks come from. */

/** A vector. */
export type Vector = readonly [number, number, number];

/** Values of the harmonics of a degree at a point, and their gradients, which matter along the sphere alone. */
interface Harmonics {
  readonly values: number[];
  readonly gradients: Vector[];
}

/** Coefficients of the Legendre polynomial of a degree, from the constant on. */
function legendre(degree: number): number[] {
  let [last, now] = [[0], [1]];
  for (let l = 0; l < degree; l++) {
    const next = Array.from(
      { length: l + 2 },
      (_, k) => ((2 * l + 1) * (now[k - 1] ?? 0) - l * (last[k] ?? 0)) / (l + 1),
    );
    [last, now] = [now, next];
  }
  return now;
}

const derivative = (polynomial: readonly number[]): number[] => polynomial.slice(1).map((c, k) => c * (k + 1));
const valueAt = (polynomial: readonly number[], x: number): number =>
  polynomial.reduceRight((sum, c) => sum * x + c, 0);

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}

/**
 * Real spherical harmonics of a degree, orders -l … l, as polynomials of the unit vector: those of the frame whose axes are
 * the coordinates 2, 0 and -1, with the phase of Condon and Shortley, orthonormal on the sphere. Those of degree 1 are
 * -√(3/4π) times the vector.
 */
function harmonicsAt(degree: number, [a, b, c]: Vector): Harmonics {
  const [x, y, z] = [c, a, -b];
  const values: number[] = [], gradients: Vector[] = [];
  let polynomial = legendre(degree); // of z, for order m its m-th derivative
  let [re, im, lastRe, lastIm] = [1, 0, 0, 0]; // (x + iy)^m and (x + iy)^(m - 1)
  for (let m = 0; m <= degree; m++) {
    const norm = Math.sqrt((2 * degree + 1) / (4 * Math.PI) * factorial(degree - m) / factorial(degree + m));
    const scale = norm * (m ? Math.SQRT2 : 1) * (m % 2 ? -1 : 1);
    const [q, slope] = [valueAt(polynomial, z), valueAt(derivative(polynomial), z)];
    const set = (order: number, part: number, dx: number, dy: number) => {
      values[degree + order] = scale * q * part;
      gradients[degree + order] = [scale * q * dy, -scale * slope * part, scale * q * dx];
    };
    set(m, re, m * lastRe, -m * lastIm);
    if (m) set(-m, im, m * lastIm, m * lastRe);
    [lastRe, lastIm] = [re, im];
    [re, im] = [re * x - im * y, re * y + im * x];
    polynomial = derivative(polynomial);
  }
  return { values, gradients };
}

/**
 * Real spherical harmonics of the direction of a vector.
 *
 * Source: se3-transformer-pytorch: its axes, phases and norms.
 *
 * @param degree l; orders are -l … l.
 * @returns `[2l + 1]`.
 */
export function sphericalHarmonics(degree: number, [a, b, c]: Vector): number[] {
  const length = Math.hypot(a, b, c);
  return harmonicsAt(degree, [a / length, b / length, c / length]).values;
}

/** Points on the sphere with weights, by which polynomials up to a degree are integrated exactly. */
function quadrature(degree: number): { point: Vector; weight: number }[] {
  const heights = Math.ceil((degree + 1) / 2), turns = degree + 1;
  const polynomial = legendre(heights), slope = derivative(polynomial);
  return Array.from({ length: heights }, (_, k) => {
    let z = Math.cos(Math.PI * (k + 0.75) / (heights + 0.5)); // a root by Newton's method, Gauss' and Legendre's weight
    for (let step = 0; step < 20; step++) z -= valueAt(polynomial, z) / valueAt(slope, z);
    const weight = 2 / ((1 - z * z) * valueAt(slope, z) ** 2) * 2 * Math.PI / turns;
    const r = Math.sqrt(1 - z * z);
    return Array.from({ length: turns }, (_, t) => {
      const angle = 2 * Math.PI * t / turns;
      return { point: [r * Math.cos(angle), z, r * Math.sin(angle)] as const, weight };
    });
  }).flat();
}

/** A matrix, row by row. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

/**
 * How features of two degrees couple to a third one: the one matrix Q, up to its length, for which
 * (D_out ⊗ D_in) Q = Q D_J for all rotations. Its Frobenius norm is 1, and its first entry that is not 0 is positive.
 *
 * It is an integral over the sphere: of the product of the three harmonics, or where their degrees add up to an odd number,
 * which makes that 0, of the first times r · (∇ second × ∇ third).
 *
 * Source: Fuchs et al. (2020), "SE(3)-transformers", equation 5 and appendix B.
 *
 * @param j Between |out - in| and out + in.
 * @returns `[(2 out + 1)(2 in + 1), 2 j + 1]`.
 */
export function coupling(out: number, inner: number, j: number): Matrix {
  const sizes = [out, inner, j].map((l) => 2 * l + 1);
  const [nOut, nIn, columns] = sizes;
  const data = new Float64Array(nOut * nIn * columns);
  const odd = (out + inner + j) % 2 === 1;
  for (const { point, weight } of quadrature(out + inner + j)) {
    const [first, second, third] = [out, inner, j].map((l) => harmonicsAt(l, point));
    for (let k = 0; k < data.length; k++) {
      const [o, i, m] = [Math.floor(k / (nIn * columns)), Math.floor(k / columns) % nIn, k % columns];
      const both = odd
        ? dot(point, cross(second.gradients[i], third.gradients[m]))
        : second.values[i] * third.values[m];
      data[k] += weight * first.values[o] * both;
    }
  }
  const norm = Math.hypot(...data);
  const leading = data.find((x) => Math.abs(x) > 1e-6 * norm)!;
  return { rows: nOut * nIn, columns, data: data.map((x) => x / norm * Math.sign(leading)) };
}

/**
 * Makes the harmonics of a degree of those of the one below and the unit vector: Y_l[n] = Σ Y_{l-1}[m] u[k] T[n, (m, k)].
 *
 * @param degree At least 1.
 * @returns `[2l + 1, 3 (2l - 1)]`.
 */
export function raising(degree: number): Matrix {
  const rows = 2 * degree + 1, columns = 3 * (2 * degree - 1);
  const data = new Float64Array(rows * columns);
  for (const { point, weight } of quadrature(2 * degree)) {
    const [below, own] = [degree - 1, degree].map((l) => harmonicsAt(l, point).values);
    for (let k = 0; k < data.length; k++) {
      const [n, m, axis] = [Math.floor(k / columns), Math.floor(k / 3) % (2 * degree - 1), k % 3];
      data[k] += weight * own[n] * below[m] * point[axis];
    }
  }
  const point: Vector = [0.6, 0, 0.8]; // what comes out is the harmonics times a number
  const [below, own] = [degree - 1, degree].map((l) => harmonicsAt(l, point).values);
  const found = own.map((_, n) =>
    below.reduce((sum, y, m) => point.reduce((sum, u, k) => sum + y * u * data[n * columns + 3 * m + k], sum), 0)
  );
  const factor = own.reduce((sum, y) => sum + y * y, 0) / own.reduce((sum, y, n) => sum + y * found[n], 0);
  return { rows, columns, data: data.map((x) => x * factor) };
}

/**
 * What a rotation makes of features of a degree: Y(Rv) = D Y(v).
 *
 * @param rotation `[3, 3]`, row by row.
 * @returns `[2l + 1, 2l + 1]`; for degree 1 the rotation itself.
 */
export function wignerD(degree: number, rotation: ArrayLike<number>): Matrix {
  const n = 2 * degree + 1;
  const data = new Float64Array(n * n);
  const row = (i: number): Vector => [rotation[3 * i], rotation[3 * i + 1], rotation[3 * i + 2]];
  for (const { point, weight } of quadrature(2 * degree)) {
    const turned: Vector = [dot(row(0), point), dot(row(1), point), dot(row(2), point)];
    const [before, after] = [point, turned].map((v) => harmonicsAt(degree, v).values);
    for (let k = 0; k < data.length; k++) data[k] += weight * after[Math.floor(k / n)] * before[k % n];
  }
  return { rows: n, columns: n, data };
}

function dot([a, b, c]: Vector, [x, y, z]: Vector): number {
  return a * x + b * y + c * z;
}

function cross([a, b, c]: Vector, [x, y, z]: Vector): Vector {
  return [b * z - c * y, c * x - a * z, a * y - b * x];
}
