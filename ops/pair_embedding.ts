import { defineOp, elementGrid, inWindows, isVisible, sameShape, type Tensor } from "../core/mod.ts";
import { defineMap } from "./_map.ts";
import { reduceMiddle, sumRows } from "./_reduce.ts";
import { scatterRows } from "./gather.ts";
import { pairEmbeddingKernel } from "./pair_embedding.wgsl.ts";

/** What {@linkcode pairEmbedding} adds up. */
export type PairEmbeddingInputs = {
  /** A row for each class from 1 on, `[K, C]`; class 0 adds nothing. */
  readonly table: Tensor;
  /** Class of every pair, `[B, N, N]`, i32, 0 … K; see `distanceClasses` and `offsetClasses`. */
  readonly classes: Tensor;
  /** Added for i, `[B, N, C]`. */
  readonly left?: Tensor;
  /** Added for j, `[B, N, C]`. */
  readonly right?: Tensor;
  /** What was added so far is multiplied by `weights[i] · weights[j]`, `[B, N]`. No gradient flows to them. */
  readonly weights?: Tensor;
  /** Added to every pair, `[C]`. */
  readonly bias?: Tensor;
  /** Added last, `[B, N, N, C]`. */
  readonly residual?: Tensor;
};

/** d · w_i · w_j. */
const weighted = defineMap({ name: "pairEmbedding.vjp.weighted", args: ["d", "wi", "wj"], expression: "d * wi * wj" });

const op = defineOp<PairEmbeddingInputs, "classes" | "weights", Record<never, never>, { readonly consume: boolean }>({
  name: "pairEmbedding",
  needs: { table: ["classes", "weights"], left: ["weights"], right: ["weights"] },
  forward({ table, classes, left, right, weights, bias, residual: given }, { consume }, { device, recording }) {
    const [batch, n] = classes.shape;
    const c = table.shape[1];
    const onTop = consume && !recording && given !== undefined && isVisible(given);
    const out = onTop ? device.view(given, given.shape) : device.empty([batch, n, n, c]);
    const residual = onTop ? undefined : given;
    const width = c % 4 === 0 ? 4 : 1;
    const structure = {
      vectors: width === 4,
      ...{ left: !!left, right: !!right, weights: !!weights, bias: !!bias, residual: !!residual },
      ...(onTop && { onTop }),
    };
    const fixed = Object.fromEntries(
      Object.entries({ table, left, right, weights, bias }).filter((entry): entry is [string, Tensor] => !!entry[1]),
    );
    inWindows(device, batch * n, { reads: { classes, residual }, writes: { out } }, (windows, rows, first) => {
      const total = rows * n * c / width;
      device.run(pairEmbeddingKernel(structure), {
        bindings: { ...fixed, ...windows },
        uniforms: { total, n, first, channels: c / width },
        grid: elementGrid(total, 64),
        flops: rows * n * c * [left, right, bias, given].filter((term) => term).length,
        ...(onTop && { bytesRead: 4 * rows * n * (c + 1) }),
      });
    });
    return { out };
  },
  vjp({ device, inputs: { classes, weights }, shapes, wanted }, dOut) {
    const [batch, n, , c] = dOut.shape;
    const inside = wanted.table || wanted.left || wanted.right;
    const d = weights && inside
      ? weighted({
        d: dOut,
        wi: device.view(weights, [batch, n, 1, 1]),
        wj: device.view(weights, [batch, 1, n, 1]),
      })
      : dOut;
    return {
      table: wanted.table ? scatterRows(d, classes, shapes.table, 1) : undefined,
      left: wanted.left ? device.view(reduceMiddle("sum", d, [batch * n, n, c]), [batch, n, c]) : undefined,
      right: wanted.right ? device.view(reduceMiddle("sum", d, [batch, n, n * c]), [batch, n, c]) : undefined,
      bias: wanted.bias ? sumRows(dOut, c) : undefined,
      residual: wanted.residual ? dOut : undefined,
    };
  },
});

/**
 * Embeds all pairs: out[i, j] = (left[i] + right[j] + table[class of (i, j)]) · weights[i] · weights[j] + bias + residual,
 * in one pass, so that no one-hot vector and no sum on the way is ever stored.
 *
 * Source: the linear maps of one-hot vectors of Jumper et al. (2021), Suppl. Alg. 3 lines 2-3, Alg. 4, Alg. 32 lines 2-3,
 * and of the template pair features of Alg. 2 line 9.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { pairEmbedding } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const z = pairEmbedding({
 *   table: device.tensor([100, 200], [2, 1]),
 *   classes: device.tensor([0, 2, 1, 0], [1, 2, 2], "i32"),
 *   left: device.tensor([1, 2], [1, 2, 1]),
 *   right: device.tensor([10, 20], [1, 2, 1]),
 * });
 * assert.deepEqual([...await z.read()], [11, 221, 112, 22]);
 * ```
 *
 * @param options `consume`: whether the residual is not needed any more, so that without a gradient the result takes its
 * place (@default false).
 * @returns `[B, N, N, C]`, owned by the current scope.
 * @throws {TypeError} If the shapes do not fit together.
 */
export function pairEmbedding(
  inputs: PairEmbeddingInputs,
  { consume = false }: { readonly consume?: boolean } = {},
): Tensor {
  const { table, classes } = inputs;
  const [batch, n] = classes.shape;
  const c = table.shape[1];
  if (classes.dtype !== "i32" || classes.shape.length !== 3 || classes.shape[2] !== n) {
    throw new TypeError(`pairEmbedding needs i32 classes [B, N, N], got ${classes.dtype} [${classes.shape}]`);
  }
  const expected = {
    table: [table.shape[0], c],
    left: [batch, n, c],
    right: [batch, n, c],
    weights: [batch, n],
    bias: [c],
    residual: [batch, n, n, c],
  };
  for (const [name, shape] of Object.entries(expected)) {
    const given = inputs[name as keyof typeof expected];
    if (given && !(given.dtype === "f32" && sameShape(given.shape, shape))) {
      throw new TypeError(
        `Cannot run pairEmbedding as ${name} must be f32 [${shape}]: it is ${given.dtype} [${given.shape}], classes are ` +
          `[${classes.shape}], table is [${table.shape}]`,
      );
    }
  }
  return op(inputs, { consume });
}
