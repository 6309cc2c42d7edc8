import { defineOp, resolveAxis, type Tensor } from "../core/mod.ts";
import { readRegion, writeRegion } from "./_region.ts";

type Parts = { readonly [number: string]: Tensor };

const concatOp = defineOp<Parts, never, Record<never, never>, { axis: number }>({
  name: "concat",
  needs: [],
  forward(parts, { axis }, { device }) {
    const tensors = Object.values(parts);
    const [{ shape, dtype }] = tensors;
    const out = device.empty(shape.with(axis, tensors.reduce((n, part) => n + part.shape[axis], 0)), dtype);
    let at = 0;
    for (const part of tensors) {
      writeRegion(part, out, beginning(shape.length, axis, at));
      at += part.shape[axis];
    }
    return { out };
  },
  vjp({ shapes, wanted, attributes: { axis } }, dOut) {
    let at = 0;
    const grads: Record<string, Tensor> = {};
    for (const [name, shape] of Object.entries(shapes)) {
      if (wanted[name]) grads[name] = readRegion(dOut, beginning(shape.length, axis, at), shape);
      at += shape[axis];
    }
    return grads;
  },
});

function beginning(rank: number, axis: number, at: number): number[] {
  return new Array<number>(rank).fill(0).with(axis, at);
}

/**
 * Joins tensors along an axis.
 *
 * @param tensors At least one; sizes agree but for the axis, dtypes agree.
 * @param axis From the front (0 …) or the back (-1 …).
 * @throws {TypeError} If there is no tensor, or shapes or dtypes do not agree.
 * @throws {RangeError} If there is no such axis.
 */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  if (!tensors.length) throw new TypeError("concat needs at least one tensor");
  const [{ shape, dtype }] = tensors;
  const along = resolveAxis(axis, shape);
  for (const tensor of tensors) {
    const agrees = tensor.shape.length === shape.length && tensor.dtype === dtype &&
      tensor.shape.every((n, i) => i === along || n === shape[i]);
    if (!agrees) {
      throw new TypeError(
        `Cannot concat along axis ${axis}: a tensor is ${dtype} [${shape}], another ${tensor.dtype} [${tensor.shape}]`,
      );
    }
  }
  return concatOp(Object.fromEntries(tensors.entries()), { axis: along });
}
