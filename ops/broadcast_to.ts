import { broadcastShapes, defineOp, sameShape, type Shape, type Tensor } from "../core/mod.ts";
import { broadcastToShape, sumToShape } from "./_reduce.ts";

const broadcastToOp = defineOp<{ x: Tensor }, never, Record<never, never>, { shape: Shape }>({
  name: "broadcastTo",
  needs: [],
  forward: ({ x }, { shape }) => ({ out: broadcastToShape(x, shape) }),
  vjp: ({ shapes }, dOut) => ({ x: sumToShape(dOut, shapes.x) }),
});

/**
 * Repeats a tensor along axes of size 1 and along new leading axes, by NumPy's rule.
 *
 * @returns A tensor of `shape`.
 * @throws {TypeError} If `x` does not broadcast to `shape`.
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (!sameShape(broadcastShapes(x.shape, shape), shape)) {
    throw new TypeError(`Cannot broadcast [${x.shape}] to [${shape}]`);
  }
  return broadcastToOp({ x }, { shape });
}
