import type { Device, Tensor } from "../../../core/mod.ts";
import { concat, linear, multiply, multiplyScalar, reshape } from "../../../ops/mod.ts";
import { coupling, type Matrix, raising } from "./harmonics.ts";

/** The highest degree of features: the basis needs harmonics up to twice this. */
export const MOST_DEGREE = 3;

/** The name of what leads from features of one degree to those of another. */
export function pairName(degreeIn: number, degreeOut: number): string {
  return `(${degreeIn},${degreeOut})`;
}

const made = new Map<string, Matrix>();

function once(name: string, make: () => Matrix): Matrix {
  const found = made.get(name) ?? make();
  made.set(name, found);
  return found;
}

function constantOf(device: Device, { rows, columns, data }: Matrix): Tensor {
  return device.tensor(Float32Array.from(data), [rows, columns]);
}

/**
 * Real spherical harmonics of unit vectors, degree by degree, each made of the one below: they are polynomials, so that
 * their gradients are right in every direction. Of a zero vector those of degree 1 and above are 0.
 *
 * @param directions `[E, 3]`, of length 1, or 0.
 * @param most The highest degree.
 * @returns For every degree l `[E, 2l + 1]`; the orders are -l … l.
 */
export function harmonicsOf(directions: Tensor, most: number): Tensor[] {
  const { device } = directions;
  const count = directions.shape[0];
  const constant = 1 / (2 * Math.sqrt(Math.PI));
  const harmonics = [device.tensor(new Float32Array(count).fill(constant), [count, 1])];
  if (most > 0) harmonics.push(multiplyScalar(directions, -Math.sqrt(3) * constant));
  const along = reshape(directions, [count, 1, 3]);
  for (let degree = 2; degree <= most; degree++) {
    const products = multiply(reshape(harmonics[degree - 1], [count, 2 * degree - 1, 1]), along);
    const weight = constantOf(device, once(`raising ${degree}`, () => raising(degree)));
    harmonics.push(linear(reshape(products, [count, 3 * (2 * degree - 1)]), { weight }));
  }
  return harmonics;
}

/**
 * What a pair of points adds to a convolution for every pair of degrees, by {@linkcode pairName}: all matrices that turn
 * with the vector between them, one for each degree J between the difference and the sum of the two.
 *
 * Source: Thomas et al. (2018), "Tensor field networks", section 4.1.3; Fuchs et al. (2020), equation 8.
 *
 * @param directions Of vectors to a node from its neighbours, `[E, 3]`, of length 1, or 0.
 * @param most The highest degree of features.
 * @returns `[E, (2 out + 1) F, 2 in + 1]` with F = 2 min(in, out) + 1, of which the J-th comes |in - out| + J-th.
 */
export function equivariantBasis(directions: Tensor, most: number): Record<string, Tensor> {
  const { device } = directions;
  const all = concat(harmonicsOf(directions, 2 * most), 1);
  const count = directions.shape[0];
  const basis: Record<string, Tensor> = {};
  for (let degreeIn = 0; degreeIn <= most; degreeIn++) {
    for (let degreeOut = 0; degreeOut <= most; degreeOut++) {
      const name = pairName(degreeIn, degreeOut);
      const weight = once(`basis ${most} ${name}`, () => basisMap(degreeIn, degreeOut, (2 * most + 1) ** 2));
      const flat = linear(all, { weight: constantOf(device, weight) });
      basis[name] = reshape(flat, [count, weight.rows / (2 * degreeIn + 1), 2 * degreeIn + 1]);
    }
  }
  return basis;
}

/** From all harmonics, one degree behind the other, to the matrices of a pair of degrees. */
export function basisMap(degreeIn: number, degreeOut: number, columns: number): Matrix {
  const [nIn, nOut] = [2 * degreeIn + 1, 2 * degreeOut + 1];
  const frequencies = 2 * Math.min(degreeIn, degreeOut) + 1;
  const data = new Float64Array(nOut * frequencies * nIn * columns);
  for (let f = 0; f < frequencies; f++) {
    const j = Math.abs(degreeIn - degreeOut) + f;
    const { data: q, columns: orders } = coupling(degreeOut, degreeIn, j);
    for (let k = 0; k < q.length; k++) {
      const [o, i, m] = [Math.floor(k / (nIn * orders)), Math.floor(k / orders) % nIn, k % orders];
      data[((o * frequencies + f) * nIn + i) * columns + j * j + m] = q[k];
    }
  }
  return { rows: nOut * frequencies * nIn, columns, data };
}
