import { broadcastShapes, defineOp, type Device, type Shape, sizeOf, type Tensor } from "../core/mod.ts";
import { runMatmul } from "./_matmul.ts";
import { sumTo } from "./reduce.ts";

/** How the operands of {@linkcode matmul} are stored. */
export interface MatmulOptions {
  /** Use the transpose of the last two axes of `a`. @default false */
  readonly transposeA?: boolean;
  /** Use the transpose of the last two axes of `b`. @default false */
  readonly transposeB?: boolean;
}

interface Plan {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batchShape: Shape;
  readonly outer: number;
  readonly inner: number;
  readonly aShared?: "inner" | "all";
  readonly bShared?: "inner" | "all";
}

const op = defineOp<{ a: Tensor; b: Tensor }, "a" | "b", Record<never, never>, Required<MatmulOptions>>({
  name: "matmul",
  needs: { a: ["b"], b: ["a"] },
  forward({ a, b }, { transposeA, transposeB }, { device }) {
    return { out: product(device, a, b, transposeA, transposeB) };
  },
  vjp({ device, inputs: { a, b }, shapes, attributes: { transposeA, transposeB }, wanted }, d) {
    // C = A B: dA = dC Bᵀ, dB = Aᵀ dC; where an operand is stored transposed, so is its gradient.
    const da = !wanted.a
      ? undefined
      : transposeA
      ? product(device, b, d, transposeB, true)
      : product(device, d, b, false, !transposeB);
    const db = !wanted.b
      ? undefined
      : transposeB
      ? product(device, d, a, true, transposeA)
      : product(device, a, d, !transposeA, false);
    return { a: da && sumTo(da, shapes.a), b: db && sumTo(db, shapes.b) };
  },
});

/**
 * Matrix product of the last two axes, over broadcast batch axes.
 *
 * @param a `[..., M, K]` (`[..., K, M]` with `transposeA`).
 * @param b `[..., K, N]` (`[..., N, K]` with `transposeB`).
 * @returns `[..., M, N]`.
 * @throws {TypeError} If the inner sizes differ or the batch axes do not broadcast.
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: MatmulOptions = {}): Tensor {
  planOf(a.shape, b.shape, transposeA, transposeB);
  return op({ a, b }, { transposeA, transposeB });
}

function product(device: Device, a: Tensor, b: Tensor, aTransposed: boolean, bTransposed: boolean): Tensor {
  const { m, n, k, batchShape, ...batch } = planOf(a.shape, b.shape, aTransposed, bTransposed);
  const { out } = runMatmul(device, { a, b, m, n, k, aTransposed, bTransposed, batch });
  return device.view(out, [...batchShape, m, n]);
}

function planOf(a: Shape, b: Shape, aTransposed: boolean, bTransposed: boolean): Plan {
  const fail = (why: string) =>
    new TypeError(`Cannot multiply [${a}]${aTransposed ? "ᵀ" : ""} and [${b}]${bTransposed ? "ᵀ" : ""}: ${why}`);
  if (a.length < 2 || b.length < 2) throw fail("both need at least two axes");
  const [m, k] = aTransposed ? [a.at(-1)!, a.at(-2)!] : [a.at(-2)!, a.at(-1)!];
  const [kb, n] = bTransposed ? [b.at(-1)!, b.at(-2)!] : [b.at(-2)!, b.at(-1)!];
  if (k !== kb) throw fail(`the inner sizes are ${k} and ${kb}`);
  const aBatch = a.slice(0, -2), bBatch = b.slice(0, -2);
  const batchShape = broadcastShapes(aBatch, bBatch);
  const total = sizeOf(batchShape);
  const aSharing = sharing(aBatch, batchShape), bSharing = sharing(bBatch, batchShape);
  const inner = aSharing.inner ?? bSharing.inner ?? total;
  if ([aSharing, bSharing].some((s) => s.inner !== undefined && s.inner !== inner) || aSharing.odd || bSharing.odd) {
    throw fail("an operand may be shared over all batch axes or over the last ones only");
  }
  return {
    m,
    n,
    k,
    batchShape,
    outer: inner ? total / inner : 0,
    inner,
    aShared: aSharing.shared,
    bShared: bSharing.shared,
  };
}

/** Over which of the batch axes an operand is shared: none, all, or the last ones. */
function sharing(own: Shape, batch: Shape): { shared?: "inner" | "all"; inner?: number; odd?: boolean } {
  const size = sizeOf(own), total = sizeOf(batch);
  if (size === total) return {};
  if (size === 1) return { shared: "all" };
  const padded = [...new Array(batch.length - own.length).fill(1), ...own];
  let axis = batch.length;
  while (axis > 0 && padded[axis - 1] === 1) axis--;
  const odd = padded.slice(0, axis).some((n, i) => n !== batch[i]);
  return { shared: "inner", inner: sizeOf(batch.slice(axis)), odd };
}
