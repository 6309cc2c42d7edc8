import { defineOp, type Shape, sizeOf, type Tensor } from "../core/mod.ts";

const reshapeOp = defineOp<{ x: Tensor }, never, Record<never, never>, { shape: Shape }>({
  name: "reshape",
  needs: [],
  forward: ({ x }, { shape }, { device }) => ({ out: device.view(x, shape) }),
  vjp: ({ device, shapes }, dOut) => ({ x: device.view(dOut, shapes.x) }),
});

/**
 * The same elements, in row-major order, under another shape. Nothing is copied: the result shares the memory of `x`.
 *
 * @param shape New sizes; one of them may be -1, which stands for what is left.
 * @throws {TypeError} If the numbers of elements differ.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const free = shape.indexOf(-1);
  if (free < 0) return reshapeOp({ x }, { shape });
  const rest = sizeOf(shape.filter((_, axis) => axis !== free));
  if (shape.indexOf(-1, free + 1) >= 0 || rest === 0 || x.size % rest !== 0) {
    throw new TypeError(`Cannot reshape [${x.shape}] (${x.size} elements) to [${shape}]`);
  }
  return reshapeOp({ x }, { shape: shape.with(free, x.size / rest) });
}
