import { noGrad, type Tensor } from "../../core/mod.ts";
import {
  add,
  applyFrames,
  divide,
  embedding,
  framesFromQuaternions,
  matmul,
  multiply,
  negate,
  normalizeQuaternions,
  reshape,
  smallest,
  sqrt,
  square,
  subtract,
  sum,
} from "../../ops/mod.ts";
import { checkShape } from "../layers/check_shape.ts";

/** Squarings by which a matrix becomes that of its largest eigenvector alone. */
const SQUARINGS = 24;

/** Which sums of products x_a y_b make Horn's matrix: signs of xx xy xz yx yy yz zx zy zz for each of its 16 entries. */
const HORN = [
  [[1, 0, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0, 0, 0, 1, 0, -1, 0], [0, 0, -1, 0, 0, 0, 1, 0, 0], [
    0,
    1,
    0,
    -1,
    0,
    0,
    0,
    0,
    0,
  ]],
  [[0, 0, 0, 0, 0, 1, 0, -1, 0], [1, 0, 0, 0, -1, 0, 0, 0, -1], [0, 1, 0, 1, 0, 0, 0, 0, 0], [
    0,
    0,
    1,
    0,
    0,
    0,
    1,
    0,
    0,
  ]],
  [[0, 0, -1, 0, 0, 0, 1, 0, 0], [0, 1, 0, 1, 0, 0, 0, 0, 0], [-1, 0, 0, 0, 1, 0, 0, 0, -1], [
    0,
    0,
    0,
    0,
    0,
    1,
    0,
    1,
    0,
  ]],
  [[0, 1, 0, -1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1, 0, 1, 0], [
    -1,
    0,
    0,
    0,
    -1,
    0,
    0,
    0,
    1,
  ]],
].flat();

/** Added to the mean square, so that its root has a slope. */
const EPS = 1e-8;

/**
 * Root mean square deviation of points from where they should be, after the rigid motion that makes it smallest; a mirror
 * image stays one. Gradients are right although none flows through the motion, since it is the best one.
 *
 * Source: Kabsch (1976), Acta Cryst. A32, 922-923; Horn (1987), J. Opt. Soc. Am. A 4, 629-642.
 *
 * @param points `[batch, n, 3]`, in Å.
 * @param target `[batch, n, 3]`, in Å.
 * @param mask 1 for points that count, `[batch, n]`; there is one in every entry. @default all
 * @returns `[batch]`, in Å, owned by the current scope.
 * @throws {TypeError} If shapes do not fit.
 */
export function alignedRmsd(points: Tensor, target: Tensor, mask?: Tensor): Tensor {
  checkShape("alignedRmsd", "points", points, ["batch", "n", 3]);
  checkShape("alignedRmsd", "target", target, points.shape);
  const { device, shape: [batch, n] } = points;
  if (mask) checkShape("alignedRmsd", "mask", mask, [batch, n]);
  using scope = device.scope("alignedRmsd");
  const there = reshape(mask ?? device.tensor(new Float32Array(batch * n).fill(1), [batch, n]), [batch, n, 1]);
  const count = sum(there, { axes: [1], keepDims: true });
  const centred = (x: Tensor) => {
    const centre = divide(sum(multiply(x, there), { axes: [1], keepDims: true }), count);
    return multiply(subtract(x, centre), there);
  };
  const [x, y] = [centred(points), centred(target)];
  const frames = noGrad(device, () => {
    using inner = device.scope("kabsch");
    return inner.keep(bestRotation(x, y));
  });
  const squares = sum(square(subtract(applyFrames(frames, x), y)), { axes: [1, 2] });
  return scope.keep(sqrt(add(divide(squares, reshape(count, [batch])), device.tensor([EPS], [1]))));
}

/** The rotation of each entry that lays x on y, as frames `[batch, 1, 3, 4]`. */
function bestRotation(x: Tensor, y: Tensor): Tensor {
  const { device, shape: [batch] } = x;
  const products = reshape(matmul(x, y, { transposeA: true }), [batch, 9]);
  const horn = reshape(matmul(products, device.tensor(HORN.flat(), [16, 9]), { transposeB: true }), [batch, 4, 4]);
  // Its eigenvalues become positive, and the largest one the only one that is left.
  const unit = device.tensor([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], [1, 4, 4]);
  const size = sqrt(add(sum(square(horn), { axes: [1, 2], keepDims: true }), device.tensor([EPS], [1])));
  let matrix = add(divide(horn, size), unit);
  for (let k = 0; k < SQUARINGS; k++) {
    const squared = matmul(matrix, matrix);
    matrix = divide(squared, sum(multiply(squared, unit), { axes: [1, 2], keepDims: true }));
  }
  const diagonal = sum(multiply(matrix, unit), { axes: [2] });
  const { items } = smallest(negate(reshape(diagonal, [batch, 1, 4])), 1);
  const quaternions = embedding(reshape(matrix, [batch * 4, 4]), reshape(items, [batch]));
  return framesFromQuaternions(normalizeQuaternions(reshape(quaternions, [batch, 1, 4])), device.zeros([batch, 1, 3]));
}
