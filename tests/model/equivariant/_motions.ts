/** A rotation, row by row, about an odd axis. */
export const ROTATION = (() => {
  const [w, x, y, z] = [0.5, -0.6, 0.2, 0.59];
  const s = 2 / (w * w + x * x + y * y + z * z);
  return [
    ...[1 - s * (y * y + z * z), s * (x * y - w * z), s * (x * z + w * y)],
    ...[s * (x * y + w * z), 1 - s * (x * x + z * z), s * (y * z - w * x)],
    ...[s * (x * z - w * y), s * (y * z + w * x), 1 - s * (x * x + y * y)],
  ];
})();

/** Of that rotation, (w, x, y, z). */
export const QUATERNION = [0.5, -0.6, 0.2, 0.59];

export const TRANSLATION = [3, -7, 4];

/** Vectors turned, and moved where a translation is given; one after the other. */
export function turned(vectors: ArrayLike<number>, translation = [0, 0, 0]): number[] {
  return Array.from(vectors, (_, k) => {
    const [row, i] = [3 * Math.floor(k / 3), k % 3];
    return [0, 1, 2].reduce((sum, j) => sum + ROTATION[3 * i + j] * vectors[row + j], translation[i]);
  });
}

/** Vectors in a mirror: the first coordinate negated. */
export function mirrored(vectors: ArrayLike<number>): number[] {
  return Array.from(vectors, (x, k) => k % 3 ? x : -x);
}

/** Fails by how much two results differ, as a part of the largest number. */
export function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let largest = 0, worst = 0;
  for (let k = 0; k < expected.length; k++) {
    largest = Math.max(largest, Math.abs(expected[k]));
    const error = Math.abs(actual[k] - expected[k]);
    if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
  }
  return worst / largest;
}
