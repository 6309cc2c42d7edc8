/** Rigid frames in float64: 9 numbers of a rotation, row by row, then 3 of a translation. */

/** Numbers of a frame. */
export const FRAME = 12;

/** Where a point is among coordinates. */
export type Point = readonly [coordinates: ArrayLike<number>, offset: number];

/**
 * The frame with its origin at one point, x axis away from another, and a third in its xy plane.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 21 "rigidFrom3Points", with the x axis from the first point.
 *
 * @param eps Added to squared lengths in Å², so that points that coincide give numbers, if meaningless ones.
 */
export function frameFrom3Points(negativeX: Point, origin: Point, xyPlane: Point, eps: number): Float64Array {
  const frame = new Float64Array(FRAME);
  const e0 = unit(difference(origin, negativeX), eps);
  const toPlane = difference(xyPlane, origin);
  const along = dot(e0, toPlane);
  const e1 = unit(toPlane.map((x, axis) => x - along * e0[axis]), eps);
  for (let axis = 0; axis < 3; axis++) {
    const [u, v] = [(axis + 1) % 3, (axis + 2) % 3];
    frame[3 * axis] = e0[axis];
    frame[3 * axis + 1] = e1[axis];
    frame[3 * axis + 2] = e0[u] * e1[v] - e0[v] * e1[u];
    frame[9 + axis] = origin[0][origin[1] + axis];
  }
  return frame;
}

/** The point as the frame sees it: inverse rotation of what is left after the translation. */
export function toLocal(frame: ArrayLike<number>, point: Point): [number, number, number] {
  const [x, y, z] = [0, 1, 2].map((axis) => point[0][point[1] + axis] - frame[9 + axis]);
  const along = (column: number) => frame[column] * x + frame[3 + column] * y + frame[6 + column] * z;
  return [along(0), along(1), along(2)];
}

/** The frame after its axes are turned round: each column of the rotation times a sign. */
export function withSigns(frame: Float64Array, signs: readonly [number, number, number]): Float64Array {
  return frame.map((x, index) => index < 9 ? x * signs[index % 3] : x);
}

/**
 * The quaternion (w, x, y, z) of a rotation, with w >= 0: by its largest component, so that no digits are lost.
 *
 * Source: Shepperd (1978), "Quaternion from rotation matrix".
 *
 * @param rotation 9 numbers, row by row.
 */
export function quaternionFromRotation(rotation: ArrayLike<number>): [w: number, x: number, y: number, z: number] {
  const r = (row: number, column: number) => rotation[3 * row + column];
  const [a, b, c] = [r(0, 0), r(1, 1), r(2, 2)];
  // Row k: the quaternion times four times its component k.
  const rows = [
    [1 + a + b + c, r(2, 1) - r(1, 2), r(0, 2) - r(2, 0), r(1, 0) - r(0, 1)],
    [r(2, 1) - r(1, 2), 1 + a - b - c, r(0, 1) + r(1, 0), r(0, 2) + r(2, 0)],
    [r(0, 2) - r(2, 0), r(0, 1) + r(1, 0), 1 - a + b - c, r(1, 2) + r(2, 1)],
    [r(1, 0) - r(0, 1), r(0, 2) + r(2, 0), r(1, 2) + r(2, 1), 1 - a - b + c],
  ];
  const largest = rows.reduce((best, row, k) => (row[k] > rows[best][best] ? k : best), 0);
  const row = rows[largest];
  const length = Math.hypot(...row) * (row[0] < 0 ? -1 : 1);
  const [w, x, y, z] = row.map((value) => value / length);
  return [w, x, y, z];
}

/** Writes a frame as a homogeneous 4 × 4 matrix. */
export function writeMatrix(frame: ArrayLike<number>, matrices: Float32Array, at: number): void {
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 3; column++) matrices[at + 4 * row + column] = frame[3 * row + column];
    matrices[at + 4 * row + 3] = frame[9 + row];
  }
  matrices[at + 15] = 1;
}

function difference(to: Point, from: Point): number[] {
  return [0, 1, 2].map((axis) => to[0][to[1] + axis] - from[0][from[1] + axis]);
}

function unit(vector: readonly number[], eps: number): number[] {
  const length = Math.sqrt(dot(vector, vector) + eps);
  return vector.map((x) => x / length);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
