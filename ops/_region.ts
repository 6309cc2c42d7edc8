import { readable, type Shape, sizeOf, stridesOf, type Tensor } from "../core/mod.ts";
import { copyBox } from "./_copy.ts";

function placeOf(shape: Shape, begin: readonly number[]): number {
  return stridesOf(shape).reduce((at, stride, axis) => at + stride * begin[axis], 0);
}

/** Copies the box of `shape` that begins at `begin` out of a tensor. Records no gradient. */
export function readRegion(x: Tensor, begin: readonly number[], shape: Shape): Tensor {
  const out = x.device.empty(shape, x.dtype);
  copyBox(
    shape,
    { tensor: x, at: placeOf(x.shape, begin), strides: stridesOf(x.shape) },
    { tensor: out, strides: stridesOf(shape) },
  );
  return out;
}

/** Copies a tensor over the box of another that begins at `begin`. Records no gradient. */
export function writeRegion(x: Tensor, out: Tensor, begin: readonly number[]): void {
  copyBox(
    x.shape,
    { tensor: x, strides: stridesOf(x.shape) },
    { tensor: out, at: placeOf(out.shape, begin), strides: stridesOf(out.shape) },
  );
}

/** A tensor of zeros, but for a copy of `x` that begins at `begin`. Records no gradient. */
export function padded(x: Tensor, begin: readonly number[], shape: Shape): Tensor {
  const out = sizeOf(shape) === x.size ? x.device.empty(shape, x.dtype) : x.device.zeros(shape, x.dtype);
  writeRegion(x, out, begin);
  return out;
}

/** One element of a tensor's first axis, `[1, …]`. Records no gradient. */
export function entryOf(x: Tensor, entry: number): Tensor {
  const shape: Shape = x.shape.with(0, 1);
  return readable(x, entry * sizeOf(shape), shape);
}
