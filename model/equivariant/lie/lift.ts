import { type Key, noGrad, type Tensor } from "../../../core/mod.ts";
import { add, broadcastTo, concat, multiply, multiplyScalar, reshape, slice, subtract, sum } from "../../../ops/mod.ts";
import { measure } from "../vectors.ts";
import { quaternionLog, quaternionProduct, so3Exp, translationLog } from "./maps.ts";

/** The part of a rotation in the distance of two motions. */
const ROTATION_SHARE = 0.2;

/**
 * Points with an orientation each, so that a network can look at motions from one to another, which do not change when all
 * are turned and moved together. A point is lifted to several motions, of random orientations: point · samples + sample.
 *
 * All that depends on orientations alone is computed once, on the processor in float64; what depends on coordinates is linear
 * in them.
 *
 * Source: Finzi et al. (2020), "Generalizing convolutional neural networks for equivariance to Lie groups on arbitrary
 * continuous data", section 4.2.
 */
export interface Lift {
  /** Entries of the batch, points, and motions a point. */
  readonly sizes: readonly [batch: number, n: number, samples: number];
  /** Orientations as quaternions, `[batch, n, samples, 4]`, of any length but 0. */
  readonly quaternions: ArrayLike<number>;
}

/**
 * Random orientations for points, evenly spread over all rotations.
 *
 * @param key Source of the random numbers; used up.
 */
export function randomLift(key: Key, batch: number, n: number, samples: number): Lift {
  return { sizes: [batch, n, samples], quaternions: key.normal(batch * n * samples * 4) };
}

/** Motions of a lift as quaternions, from entry to entry of the batch. */
function motionsOf({ sizes: [batch, n, samples], quaternions }: Lift): number[][][] {
  return Array.from(
    { length: batch },
    (_, b) =>
      Array.from({ length: n * samples }, (_, i) => {
        const first = 4 * (b * n * samples + i);
        const q = [0, 1, 2, 3].map((k) => quaternions[first + k]);
        const length = Math.hypot(...q);
        return q.map((x) => x / length);
      }),
  );
}

/** Every motion of what points have, `[batch, n, …]` → `[batch, n samples, …]`. */
export function lifted(x: Tensor, { sizes: [batch, n, samples] }: Lift): Tensor {
  const rest = x.shape.slice(2);
  return reshape(broadcastTo(reshape(x, [batch, n, 1, ...rest]), [batch, n, samples, ...rest]), [
    ...[batch, n * samples],
    ...rest,
  ]);
}

/** Every pair of motions of what pairs of points have, `[batch, n, n, …]` → `[batch, N, N, …]`. */
export function liftedPairs(x: Tensor, { sizes: [batch, n, samples] }: Lift): Tensor {
  const rest = x.shape.slice(3);
  const all = broadcastTo(reshape(x, [batch, n, 1, n, 1, ...rest]), [batch, n, samples, n, samples, ...rest]);
  return reshape(all, [batch, n * samples, n * samples, ...rest]);
}

/** The motions as vectors, `[batch, N, 6]`: rotation, then translation. */
export function liftedElements(coors: Tensor, lift: Lift): Tensor {
  const { device } = coors;
  const rotations = motionsOf(lift).flat().map(quaternionLog);
  const shape = [lift.sizes[0], lift.sizes[1] * lift.sizes[2]];
  const translations = device.tensor(rotations.flatMap(translationLog), [...shape, 3, 3]);
  return concat([device.tensor(rotations.flat(), [...shape, 3]), turned(translations, lifted(coors, lift))], 2);
}

/**
 * Motions to every motion from every other as vectors, `[batch, N, N, 6]`: log(g_j⁻¹ g_i). Gradients flow to coordinates.
 */
export function liftedMotions(coors: Tensor, lift: Lift): Tensor {
  const { device } = coors;
  using scope = device.scope("liftedMotions");
  const [batch, n, samples] = lift.sizes, count = n * samples;
  const rotations = new Float32Array(batch * count * count * 3), maps = new Float32Array(batch * count * count * 9);
  motionsOf(lift).forEach((motions, b) => {
    const inverses = motions.map(([w, x, y, z]) => so3Exp(quaternionLog([w, -x, -y, -z])));
    motions.forEach((to, i) =>
      motions.forEach((from, j) => {
        const at = (b * count + i) * count + j;
        const w = i === j ? [0, 0, 0] : quaternionLog(quaternionProduct(from, to, true));
        rotations.set(w, 3 * at);
        const log = translationLog(w), back = inverses[j];
        for (let k = 0; k < 9; k++) {
          const [row, column] = [3 * Math.floor(k / 3), k % 3];
          maps[9 * at + k] = log[row] * back[column] + log[row + 1] * back[3 + column] +
            log[row + 2] * back[6 + column];
        }
      })
    );
  });
  const points = lifted(coors, lift);
  const vectors = subtract(reshape(points, [batch, count, 1, 3]), reshape(points, [batch, 1, count, 3]));
  const shape = [batch, count, count];
  const translations = turned(device.tensor(maps, [...shape, 3, 3]), vectors);
  return scope.keep(concat([device.tensor(rotations, [...shape, 3]), translations], 3));
}

/** Vectors in the frames of points' motions as vectors of space, averaged over the motions of a point, `[batch, n, 3]`. */
export function fromLiftedFrames(vectors: Tensor, lift: Lift): Tensor {
  const { device } = vectors;
  const [batch, n, samples] = lift.sizes;
  const rotations = motionsOf(lift).flat().flatMap((q) => so3Exp(quaternionLog(q)));
  const turns = device.tensor(rotations, [batch, n * samples, 3, 3]);
  return multiplyScalar(sum(reshape(turned(turns, vectors), [batch, n, samples, 3]), { axes: [2] }), 1 / samples);
}

/** Matrices `[…, 3, 3]` times vectors `[…, 3]`. */
function turned(matrices: Tensor, vectors: Tensor): Tensor {
  return sum(multiply(matrices, reshape(vectors, [...vectors.shape.slice(0, -1), 1, 3])), { axes: [-1] });
}

/** Distances of motions, `[batch, N, N]`: lengths of their rotations and translations, without a gradient. */
export function motionDistances(motions: Tensor): Tensor {
  return noGrad(motions.device, () => {
    const [batch, n] = motions.shape;
    const part = (from: number) => measure(slice(motions, [0, 0, 0, from], [batch, n, n, from + 3])).lengths;
    const sums = add(multiplyScalar(part(0), ROTATION_SHARE), multiplyScalar(part(3), 1 - ROTATION_SHARE));
    return reshape(sums, [batch, n, n]);
  });
}
