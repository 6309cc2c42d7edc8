import { defineOp, elementGrid, inWindows, type Shape, sizeOf, type Tensor } from "../core/mod.ts";
import { gatherKernel, oneHotKernel, scatterKernel } from "./gather.wgsl.ts";
import { reduceMiddle } from "./_reduce.ts";
import { readRegion } from "./_region.ts";

/** Positions that one invocation of the backward pass walks through, at least; and at once, at most. */
const CHUNK = 128, MOST_POSITIONS = 2 ** 15;
/** Elements of all partial tables together, at most. */
const MOST_PARTIAL = 2 ** 22;

const embeddingOp = defineOp<{ table: Tensor; indices: Tensor }, "indices", Record<never, never>>({
  name: "embedding",
  needs: ["indices"],
  forward: ({ table, indices }) => ({ out: pickRows(table, indices) }),
  vjp: ({ inputs: { indices }, shapes }, dOut) => ({ table: scatterRows(dOut, indices, shapes.table) }),
});

function pickRows(table: Tensor, indices: Tensor): Tensor {
  const { device } = table;
  const [rows, ...row] = table.shape;
  const out = device.empty([...indices.shape, ...row]);
  const vectors = sizeOf(row) % 4 === 0;
  const width = vectors ? 4 : 1;
  inWindows(device, indices.size, { reads: { indices }, writes: { out } }, ({ indices, out }) => {
    const n = out.size / width;
    device.run(gatherKernel({ vectors }), {
      bindings: { table, indices, out },
      uniforms: { n, rows, channels: sizeOf(row) / width },
      grid: elementGrid(n, 64),
      flops: 0,
      bytesRead: 4 * (indices.size + out.size),
    });
  });
  return out;
}

/**
 * Adds rows up by their index, in a fixed order. Records no gradient.
 *
 * @param d A row for each index.
 * @param shape Of the result; an index is moved to its nearest row.
 * @param skip How many indices, from 0 on, have no row: the first row is that of the next.
 */
export function scatterRows(d: Tensor, indices: Tensor, shape: Shape, skip = 0): Tensor {
  const { device } = d;
  const row = shape.slice(1);
  const rows = shape[0] + skip;
  const size = rows * sizeOf(row);
  const vectors = sizeOf(row) % 4 === 0;
  const channels = sizeOf(row) / (vectors ? 4 : 1);
  const most = Math.max(1, Math.floor(MOST_PARTIAL / Math.max(1, size)));
  const chunkLength = Math.max(CHUNK, Math.ceil(indices.size / most));
  const chunks = Math.max(1, Math.ceil(indices.size / chunkLength));
  const partial = device.zeros([chunks, rows, ...row]);
  inWindows(device, indices.size, { reads: { d, indices }, unit: chunkLength }, (windows, positions, first) => {
    const now = Math.max(1, Math.ceil(positions / chunkLength));
    const part = now === chunks ? partial : device.zeros([now, rows, ...row]);
    const longest = Math.min(chunkLength, positions);
    for (let from = 0; from < longest; from += MOST_POSITIONS) {
      const count = Math.min(MOST_POSITIONS, longest - from);
      device.run(scatterKernel({ vectors }), {
        bindings: { ...windows, partial: part },
        uniforms: { positions, rows, channels, chunks: now, chunkLength, skip: from, count },
        grid: elementGrid(now * channels, 64),
        flops: windows.d.size * count / longest,
      });
    }
    if (now !== chunks) device.copy(part, partial, { toElement: first / chunkLength * size });
  });
  const table = device.view(
    chunks === 1 ? partial : reduceMiddle("sum", partial, [1, chunks, size]),
    [rows, ...row],
  );
  return skip ? readRegion(table, shape.map((_, axis) => (axis === 0 ? skip : 0)), shape) : table;
}

const reorderOp = defineOp<{ x: Tensor; order: Tensor; inverse: Tensor }, "inverse">({
  name: "reorderRows",
  needs: { x: ["inverse"] },
  forward: ({ x, order }) => ({ out: pickRows(x, order) }),
  vjp: ({ inputs: { inverse }, wanted }, dOut) => ({ x: wanted.x ? pickRows(dOut, inverse) : undefined }),
});

/**
 * Rows in another order. The gradient goes back by the inverse order, so that nothing is added up.
 *
 * @param x `[V, …]`, f32.
 * @param order i32, V in all: which row comes next; each once, which is the caller's care.
 * @param inverse The order that undoes it.
 * @returns Of x's shape, owned by the current scope.
 * @throws {TypeError} If there are not as many rows as numbers.
 */
export function reorderRows(x: Tensor, order: Tensor, inverse: Tensor): Tensor {
  requireIntegers("reorderRows", order);
  requireIntegers("reorderRows", inverse);
  if (x.dtype !== "f32" || order.size !== x.shape[0] || inverse.size !== x.shape[0]) {
    throw new TypeError(
      `reorderRows needs f32 rows and as many numbers: x is ${x.dtype} [${x.shape}], order [${order.shape}], ` +
        `inverse [${inverse.shape}]`,
    );
  }
  const flat = (indices: Tensor) => x.device.view(indices, [indices.size]);
  return reorderOp({ x, order: flat(order), inverse: flat(inverse) });
}

/**
 * Picks rows of a table. The gradient of a row is the sum of those of its positions, added in a fixed order.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { embedding } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const table = device.tensor([0, 1, 10, 11, 20, 21], [3, 2]);
 * const indices = device.tensor([2, 0], [2], "i32");
 * assert.deepEqual([...await embedding(table, indices).read()], [20, 21, 0, 1]);
 * ```
 *
 * @param table `[V, …]`, f32.
 * @param indices Any shape, i32, between 0 and V - 1. The GPU cannot report others: one below counts as 0, one above as
 *   V - 1, so whoever makes the indices checks them.
 * @returns The shape of the indices, then that of a row.
 * @throws {TypeError} If the table has no rows, or a dtype is another.
 */
export function embedding(table: Tensor, indices: Tensor): Tensor {
  requireIntegers("embedding", indices);
  if (table.dtype !== "f32" || !table.shape.length || table.shape[0] < 1) {
    throw new TypeError(`embedding needs an f32 table [V, …] with V >= 1, got ${table.dtype} [${table.shape}]`);
  }
  return embeddingOp({ table, indices });
}

/**
 * One-hot vectors: 1 at the index, 0 elsewhere; all 0 where the index is outside 0 … classes - 1.
 *
 * @param indices Any shape, i32.
 * @param classes Size of the new last axis.
 * @returns The shape of the indices, then `classes`, f32.
 * @throws {TypeError} If the indices are not i32.
 * @throws {RangeError} If `classes` is not a positive integer.
 */
export function oneHot(indices: Tensor, classes: number): Tensor {
  requireIntegers("oneHot", indices);
  if (!Number.isInteger(classes) || classes < 1) {
    throw new RangeError(`oneHot needs a positive number of classes, got ${classes}`);
  }
  const { device } = indices;
  const out = device.empty([...indices.shape, classes]);
  inWindows(device, indices.size, { reads: { indices }, writes: { out } }, (bindings, count) => {
    const n = count * classes;
    device.run(oneHotKernel, {
      bindings,
      uniforms: { n, classes },
      grid: elementGrid(n, 64),
      flops: 0,
    });
  });
  return out;
}

function requireIntegers(name: string, indices: Tensor): void {
  if (indices.dtype !== "i32") {
    throw new TypeError(`${name} needs i32 indices, got ${indices.dtype} [${indices.shape}]`);
  }
}
