import { type Device, mostVisible, type Tensor } from "../../core/mod.ts";
import { concat, slice } from "../../ops/mod.ts";

/**
 * Computes something part by part where its largest intermediate tensor would be larger than a kernel may see, so that
 * it takes less memory; all at once where a gradient is asked for, since that needs the intermediate tensors anyway.
 * The numbers are the same.
 *
 * @param count How many things there are along the result's `axis` that do not depend on each other.
 * @param size Elements of the intermediate tensor for all of them.
 * @param run Computes those from `from` up to, but without, `to`.
 */
export function inParts(
  device: Device,
  { axis, count, size }: { readonly axis: number; readonly count: number; readonly size: number },
  run: (from: number, to: number) => Tensor,
): Tensor {
  const step = 4 * Math.ceil(count / Math.ceil(size / mostVisible(device)) / 4); // of channels, whole vec4s
  if (device.tape || !(step < count)) return run(0, count);
  using scope = device.scope("inParts");
  const parts: Tensor[] = [];
  for (let from = 0; from < count; from += step) {
    using part = device.scope("part");
    parts.push(part.keep(run(from, Math.min(from + step, count))));
  }
  return scope.keep(concat(parts, axis));
}

/** The part of a tensor along an axis; the tensor itself where that is all of it. */
export function partOf(x: Tensor, axis: number, from: number, to: number): Tensor {
  if (from === 0 && to === x.shape[axis]) return x;
  return slice(x, x.shape.map((_, i) => (i === axis ? from : 0)), x.shape.with(axis, to));
}
