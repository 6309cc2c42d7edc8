/** Sizes of a tensor's axes, outermost first. */
export type Shape = readonly number[];

/** Number of elements of a tensor of this shape (1 for a scalar). */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

/**
 * Checks that a shape is one.
 *
 * @throws {TypeError} If an axis is not a whole number of at least 0.
 */
export function checkShape(shape: Shape): void {
  for (const n of shape) {
    if (!Number.isInteger(n) || n < 0) {
      throw new TypeError(`The axes of a tensor are whole numbers of at least 0, got the shape [${shape}]`);
    }
  }
}

/** Row-major strides of a shape, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

/** Whether two shapes are the same, axis by axis. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, axis) => n === b[axis]);
}

/**
 * The shape that two shapes broadcast to, by NumPy's rule: axes are aligned from the last, and an axis of 1 stretches.
 *
 * @throws {TypeError} If an axis differs and neither is 1.
 */
export function broadcastShapes(a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let axis = 1; axis <= rank; axis++) {
    const n = a[a.length - axis] ?? 1;
    const m = b[b.length - axis] ?? 1;
    if (n !== m && n !== 1 && m !== 1) {
      throw new TypeError(`Cannot broadcast [${a}] with [${b}]: axis ${-axis} is ${n} in one and ${m} in the other`);
    }
    out[rank - axis] = n === 1 ? m : n;
  }
  return out;
}

/**
 * Resolves an axis given from the front (0 …) or from the back (-1 …).
 *
 * @throws {RangeError} If the shape has no such axis.
 */
export function resolveAxis(axis: number, shape: Shape): number {
  const resolved = axis < 0 ? axis + shape.length : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= shape.length) {
    throw new RangeError(`Axis ${axis} is outside a tensor of shape [${shape}]`);
  }
  return resolved;
}
