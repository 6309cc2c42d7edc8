import { broadcastShapes, type Shape, sizeOf, stridesOf } from "../../core/mod.ts";
import { type Reference, reference } from "../_gpu.ts";

/** Calls back for every place of a shape, with its coordinates. */
export function eachPlace(shape: Shape, visit: (at: number[], flat: number) => void): void {
  const strides = stridesOf(shape);
  for (let flat = 0; flat < sizeOf(shape); flat++) {
    visit(shape.map((n, axis) => Math.floor(flat / strides[axis]) % n), flat);
  }
}

/** The element that a place of a broadcast shape reads. */
export function broadcastAt({ shape, data }: Reference, at: readonly number[]): number {
  const strides = stridesOf(shape);
  const lead = at.length - shape.length;
  return data[strides.reduce((sum, stride, axis) => sum + (shape[axis] === 1 ? 0 : stride * at[lead + axis]), 0)];
}

/** A function of numbers on broadcast references. */
export function mapReference(f: (...values: number[]) => number, ...args: readonly Reference[]): Reference {
  const shape = args.map((arg) => arg.shape).reduce(broadcastShapes);
  const out = reference(shape);
  if (args.every((arg) => sizeOf(arg.shape) === out.data.length)) {
    for (let i = 0; i < out.data.length; i++) out.data[i] = f(...args.map((arg) => arg.data[i]));
  } else {
    eachPlace(shape, (at, i) => (out.data[i] = f(...args.map((arg) => broadcastAt(arg, at)))));
  }
  return out;
}
