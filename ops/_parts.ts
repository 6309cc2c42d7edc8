/** Neighbours along an axis of a tensor, as kernels read and write them where they are. */
import { readable, type Shape, sizeOf, type Tensor } from "../core/mod.ts";
import { readRegion, writeRegion } from "./_region.ts";

/** The elements of a tensor from one place along an axis, not the last, to before another. */
export interface Part {
  /** The axis. */
  readonly axis: number;
  /** The first place. */
  readonly from: number;
  /** The one after the last. */
  readonly to: number;
}

/** Where the rows of a part, along the last axis, are in the tensor. */
export interface PlaceOfPart {
  /** The first one. */
  readonly first: number;
  /** So many lie one behind the other. */
  readonly block: number;
  /** Rows from one such block to the next. */
  readonly step: number;
}

/** Shape of a part of a tensor. */
export function shapeOfPart(shape: Shape, { axis, from, to }: Part): Shape {
  return shape.with(axis, to - from);
}

/** Where the rows of a part are. */
export function placeOfPart(shape: Shape, { axis, from, to }: Part): PlaceOfPart {
  const inner = sizeOf(shape.slice(axis + 1, -1));
  return { first: from * inner, block: (to - from) * inner, step: shape[axis] * inner };
}

/** Copies a part out of a tensor, or gives a handle to it where its elements are neighbours. Records no gradient. */
export function readPart(x: Tensor, part: Part): Tensor {
  const { shape } = x;
  const { axis, from, to } = part;
  if (from === 0 && to === shape[axis]) return x;
  if (sizeOf(shape.slice(0, axis)) === 1) {
    return readable(x, from * sizeOf(shape.slice(axis + 1)), shapeOfPart(shape, part));
  }
  return readRegion(x, beginningOf(shape, part), shapeOfPart(shape, part));
}

/** Copies a tensor over a part of another. Records no gradient. */
export function writePart(x: Tensor, out: Tensor, part: Part): void {
  writeRegion(x, out, beginningOf(out.shape, part));
}

function beginningOf(shape: Shape, { axis, from }: Part): number[] {
  return shape.map((_, i) => (i === axis ? from : 0));
}

/** Whether a gradient is to flow to one of some tensors. */
export function isTracked(...tensors: readonly (Tensor | undefined)[]): boolean {
  return tensors.some((tensor) => tensor?.device.tape?.tracks(tensor));
}
