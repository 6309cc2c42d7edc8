/** Points in space as flat rows: x, y, z of point 0, then of point 1, and so on; `[n, 3]`, in Å unless said otherwise. */
export type Points = Float32Array | Float64Array;

/** Which points of a set count, and how much. */
export interface PointSelection {
  /**
   * `[n]`; a point whose entry is 0 is left out, whatever its coordinates are (NaN included).
   * @default every point counts
   */
  mask?: ArrayLike<number>;
  /**
   * `[n]`, not negative; multiplies a point's share.
   * @default 1 for every point
   */
  weights?: ArrayLike<number>;
}

/**
 * Counts the points of a flat coordinate array.
 * @throws {TypeError} If the length is no multiple of 3.
 */
export function countPoints(points: Points, name: string): number {
  if (points.length % 3 !== 0) {
    throw new TypeError(`Cannot read ${name} as points: its length ${points.length} is no multiple of 3`);
  }
  return points.length / 3;
}

/**
 * Counts the points of two sets that must match one to one.
 * @throws {TypeError} If the numbers of points differ or a length is no multiple of 3.
 * @throws {RangeError} If there are no points.
 */
export function countPairs(a: Points, b: Points, nameA: string, nameB: string): number {
  const n = countPoints(a, nameA);
  const m = countPoints(b, nameB);
  if (n !== m) {
    throw new TypeError(`Cannot compare ${nameA} with ${nameB} point by point: they have ${n} and ${m} points`);
  }
  if (n === 0) throw new RangeError(`Cannot compare ${nameA} with ${nameB}: both are empty`);
  return n;
}

/**
 * Folds mask and weights into one weight a point, `[n]`, with at least one above 0.
 * @throws {TypeError} If mask or weights are not of length n.
 * @throws {RangeError} If a weight is negative or not finite, or if nothing is left.
 */
export function selectionWeights(n: number, { mask, weights }: PointSelection): Float64Array {
  if (mask && mask.length !== n) {
    throw new TypeError(`Cannot apply mask: it has ${mask.length} entries for ${n} points`);
  }
  if (weights && weights.length !== n) {
    throw new TypeError(`Cannot apply weights: there are ${weights.length} for ${n} points`);
  }
  const out = new Float64Array(n);
  let total = 0;
  for (let i = 0; i < n; i++) {
    if (mask && mask[i] === 0) continue;
    const w = weights ? weights[i] : 1;
    if (!(w >= 0 && w < Infinity)) {
      throw new RangeError(`Cannot use weight ${w} of point ${i}: a weight is finite and not negative`);
    }
    out[i] = w;
    total += w;
  }
  if (!(total > 0)) throw new RangeError(`Cannot compare points as mask and weights leave none of the ${n}`);
  return out;
}

/**
 * The indices whose weight is above 0 and mask entry is not 0, in rising order.
 * @throws {TypeError} If mask or weights are not of length n.
 * @throws {RangeError} If a weight is negative or not finite, or if nothing is left.
 */
export function selectedIndices(n: number, selection: PointSelection): Int32Array {
  const weights = selectionWeights(n, selection);
  const out = new Int32Array(n);
  let count = 0;
  for (let i = 0; i < n; i++) if (weights[i] > 0) out[count++] = i;
  return out.subarray(0, count);
}

/**
 * Checks that the given points are numbers.
 * @throws {RangeError} If a coordinate is NaN or infinite.
 */
export function assertFinitePoints(points: Points, indices: ArrayLike<number>, name: string): void {
  for (let k = 0; k < indices.length; k++) {
    for (let c = 0; c < 3; c++) {
      const value = points[3 * indices[k] + c];
      if (!Number.isFinite(value)) {
        throw new RangeError(
          `Cannot use point ${indices[k]} of ${name}: its ${"xyz"[c]} is ${value}; mask it out or give a finite number`,
        );
      }
    }
  }
}

/**
 * Distances between all points of a set.
 * @param points `[n, 3]`, in Å.
 * @returns `[n, n]`, symmetric, 0 on the diagonal, owned by the caller.
 * @throws {TypeError} If the length is no multiple of 3.
 */
export function pairwiseDistances(points: Points): Float64Array {
  const n = countPoints(points, "points");
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const x = points[3 * i] - points[3 * j];
      const y = points[3 * i + 1] - points[3 * j + 1];
      const z = points[3 * i + 2] - points[3 * j + 2];
      out[i * n + j] = out[j * n + i] = Math.sqrt(x * x + y * y + z * z);
    }
  }
  return out;
}
