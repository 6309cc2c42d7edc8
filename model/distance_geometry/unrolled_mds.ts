import { type Key, noGrad, type Tensor } from "../../core/mod.ts";
import {
  add,
  addScalar,
  broadcastTo,
  clamp,
  concat,
  divide,
  less,
  matmul,
  maximum,
  multiply,
  multiplyScalar,
  permute,
  reshape,
  rsqrt,
  slice,
  sqrt,
  square,
  subtract,
  sum,
  where,
} from "../../ops/mod.ts";
import { checkShape } from "../layers/check_shape.ts";

/** Steps by which a start is found, where no gradient is wanted yet. */
const START_STEPS = 24;
/** Times that three directions are drawn out by the matrix of products. */
const DIRECTION_STEPS = 8;

/** Squared distances are at least this, in Å². */
const LEAST_SQUARE = 1e-8;

/** How {@linkcode unrolledMds} runs. */
export interface UnrolledMdsOptions {
  /** Weights of pairs, at most 1, `[batch, n, n]`, symmetric. @default 1 */
  readonly weights?: Tensor;
  /** 1 for points, 0 for padding, `[batch, n]`; the weights of pairs with padding are 0. @default all are points */
  readonly mask?: Tensor;
  /** Steps that gradients flow through, at least 1. @default 10 */
  readonly steps?: number;
  /** Decides where points start from. Used up. */
  readonly key: Key;
  /** Whether points are N, CA and C of residue after residue, of which the mirror image is taken whose phi angles are below 0. */
  readonly backbone?: boolean;
}

/**
 * Points with given distances, as a part of a network: steps of multidimensional scaling by which gradients reach the
 * distances and weights. They start from where steps without a gradient have led, and end there as well: what a change of
 * distances does to the points is known from the last steps alone.
 *
 * A step is X' = X + Σ_j w_ij (p_ij / d_ij - 1) (x_i - x_j) / n, which is the Guttman transform where all weights are 1, and
 * raises the stress for no weights up to 1, since those of the complete graph bound them.
 *
 * Source: Borg and Groenen, Modern multidimensional scaling, 2nd ed., section 8.6; section 12.1 for the start.
 *
 * @param distances `[batch, n, n]`, in Å, symmetric.
 * @returns `[batch, n, 3]`, in Å, owned by the current scope.
 * @throws {TypeError} If shapes do not fit.
 * @throws {RangeError} If there is no step.
 */
export function unrolledMds(
  distances: Tensor,
  { weights, mask, steps = 10, key, backbone = false }: UnrolledMdsOptions,
): Tensor {
  checkShape("unrolledMds", "distances", distances, ["batch", "n", "n"]);
  if (weights) checkShape("unrolledMds", "weights", weights, distances.shape);
  if (mask) checkShape("unrolledMds", "mask", mask, distances.shape.slice(0, 2));
  if (!(Number.isInteger(steps) && steps > 0)) throw new RangeError(`unrolledMds needs a step or more, got ${steps}`);
  const { device } = distances;
  using scope = device.scope("unrolledMds");
  const [batch, n] = distances.shape;
  const there = mask ?? device.tensor(new Float32Array(batch * n).fill(1), [batch, n]);
  const count = reshape(sum(there, { axes: [1] }), [batch, 1, 1]);
  const step = (points: Tensor) => guttmanStep(points, distances, count, weights);
  let points = noGrad(device, () => {
    using _ = device.scope("start");
    let found = classicalStart(distances, key, there, count);
    for (let k = 0; k < START_STEPS; k++) found = step(found);
    return device.hold(backbone ? rightHanded(found, there) : found);
  });
  const start = points;
  for (let k = 0; k < steps; k++) points = step(points);
  start.dispose();
  return scope.keep(points);
}

function guttmanStep(points: Tensor, distances: Tensor, count: Tensor, weights: Tensor | undefined): Tensor {
  const [batch, n] = points.shape;
  const vectors = subtract(reshape(points, [batch, n, 1, 3]), reshape(points, [batch, 1, n, 3]));
  // a distance of 0 pulls nowhere, since its vector is 0: it need not be right, only finite
  const inverse = rsqrt(clamp(sum(square(vectors), { axes: [3] }), LEAST_SQUARE, Infinity));
  const pull = addScalar(multiply(distances, inverse), -1);
  const factors = divide(weights ? multiply(pull, weights) : pull, count);
  return add(points, sum(multiply(reshape(factors, [batch, n, n, 1]), vectors), { axes: [2] }));
}

/** Points by the three largest eigenvectors of their products, which follow from the distances. */
function classicalStart(distances: Tensor, key: Key, there: Tensor, count: Tensor): Tensor {
  const { device, shape: [batch, n] } = distances;
  const [row, column] = [reshape(there, [batch, n, 1]), reshape(there, [batch, 1, n])];
  const pairs = multiply(row, column);
  const squares = multiply(square(distances), pairs);
  const rows = divide(sum(squares, { axes: [2], keepDims: true }), count);
  const all = divide(sum(rows, { axes: [1], keepDims: true }), count);
  const doubly = add(subtract(subtract(squares, rows), permute(rows, [0, 2, 1])), all);
  const products = multiplyScalar(multiply(doubly, pairs), -0.5);
  let axes = device.tensor(key.normal(batch * n * 3), [batch, n, 3]);
  for (let k = 0; k < DIRECTION_STEPS; k++) axes = orthonormal(matmul(products, matmul(products, axes)));
  const values = sum(multiply(axes, matmul(products, axes)), { axes: [1], keepDims: true });
  return multiply(axes, sqrt(maximum(values, device.tensor([1], [1]))));
}

/** Columns at right angles and of length 1, by Gram and Schmidt. */
function orthonormal(columns: Tensor): Tensor {
  const [batch, n] = columns.shape;
  const done: Tensor[] = [];
  for (let k = 0; k < 3; k++) {
    let column = slice(columns, [0, 0, k], [batch, n, k + 1]);
    for (const other of done) {
      column = subtract(column, multiply(other, sum(multiply(column, other), { axes: [1], keepDims: true })));
    }
    done.push(multiply(column, rsqrt(addScalar(sum(square(column), { axes: [1], keepDims: true }), 1e-20))));
  }
  return concat(done, 2);
}

/** Backbones, or their mirror images where more phi angles are above 0 than below. */
function rightHanded(points: Tensor, there: Tensor): Tensor {
  const { device, shape: [batch, n] } = points;
  const residues = n / 3;
  if (residues < 2) return points;
  const at = (atom: number, first: number) =>
    reshape(
      slice(reshape(points, [batch, residues, 3, 3]), [0, first, atom, 0], [batch, first + residues - 1, atom + 1, 3]),
      [
        ...[batch, residues - 1, 3],
      ],
    );
  const [c, nitrogen, alpha, next] = [at(2, 0), at(0, 1), at(1, 1), at(2, 1)];
  // the sign of a dihedral is that of the product of its three vectors
  const product = tripleProduct(subtract(nitrogen, c), subtract(alpha, nitrogen), subtract(next, alpha));
  const signs = subtract(less(product, device.zeros([1])), less(device.zeros([1]), product));
  const known = reshape(slice(reshape(there, [batch, residues, 3]), [0, 1, 0], [batch, residues, 1]), product.shape);
  const negative = sum(multiply(signs, known), { axes: [1] });
  const factor = where(less(negative, device.zeros([1])), device.tensor([-1], [1]), device.tensor([1], [1]));
  const mirror = concat([
    device.tensor(new Float32Array(2 * batch).fill(1), [batch, 1, 2]),
    reshape(factor, [batch, 1, 1]),
  ], 2);
  return multiply(points, broadcastTo(mirror, [batch, n, 3]));
}

function tripleProduct(a: Tensor, b: Tensor, c: Tensor): Tensor {
  const [batch, n] = a.shape;
  const at = (v: Tensor, axis: number) => reshape(slice(v, [0, 0, axis], [batch, n, axis + 1]), [batch, n]);
  const component = (i: number, j: number) => subtract(multiply(at(b, i), at(c, j)), multiply(at(b, j), at(c, i)));
  return add(
    add(multiply(at(a, 0), component(1, 2)), multiply(at(a, 1), component(2, 0))),
    multiply(at(a, 2), component(0, 1)),
  );
}
