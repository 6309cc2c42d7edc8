import assert from "node:assert/strict";
import { pullback, type Shape, sizeOf, stridesOf, type Tensor } from "../../core/mod.ts";
import { broadcastTo } from "../../ops/broadcast_to.ts";
import { max, mean, min, sum, sumTo } from "../../ops/reduce.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";
import { broadcastAt, eachPlace } from "./_reference.ts";

/** Combines elements along axes, one after another. */
function reduceReference(
  { shape, data }: Reference,
  axes: readonly number[],
  keepDims: boolean,
  start: number,
  step: (total: number, value: number) => number,
): Reference {
  const kept = shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
  const strides = stridesOf(kept);
  const out = reference(keepDims ? kept : shape.filter((_, axis) => !axes.includes(axis)));
  out.data.fill(start);
  eachPlace(shape, (at, flat) => {
    const place = at.reduce((sum, i, axis) => sum + (axes.includes(axis) ? 0 : i * strides[axis]), 0);
    out.data[place] = step(out.data[place], data[flat]);
  });
  return out;
}

const CASES: [number[], number[] | undefined][] = [
  [[13, 7], undefined],
  [[], undefined],
  [[1], [0]],
  [[13, 8], [1]],
  [[13, 8], [0]],
  [[13, 7], [-1]],
  [[13, 7], [0]],
  [[3, 5, 4, 2], [0, 2]],
  [[3, 5, 4, 2], [1, 3]],
  [[3, 5, 4], [0, -1]],
  [[3, 1, 5], [1]],
  [[2, 3, 2, 3, 2], [4, 0, 2]],
  [[700, 3], [0]],
  [[3, 1100], [1]],
];

for (const [shape, axes] of CASES) {
  const resolved = axes?.map((axis) => (axis < 0 ? axis + shape.length : axis)) ?? [...shape.keys()];
  const count = sizeOf(resolved.map((axis) => shape[axis]));
  gpuTest(`sum(), mean(), max() and min() of [${shape}] along [${axes ?? "all"}]`, async (device) => {
    for (const keepDims of [false, true]) {
      const options = { axes, keepDims };
      await checkOp(device, {
        inputs: { x: shape },
        gpu: ({ x }) => sum(x, options),
        reference: ({ x }) => reduceReference(x, resolved, keepDims, 0, (a, b) => a + b),
      });
      await checkOp(device, {
        inputs: { x: shape },
        gpu: ({ x }) => mean(x, options),
        reference: ({ x }) => reduceReference(x, resolved, keepDims, 0, (a, b) => a + b / count),
      });
      await checkOp(device, {
        inputs: { x: shape },
        gpu: ({ x }) => max(x, options),
        reference: ({ x }) => reduceReference(x, resolved, keepDims, -Infinity, Math.max),
      });
      await checkOp(device, {
        inputs: { x: shape },
        gpu: ({ x }) => min(x, options),
        reference: ({ x }) => reduceReference(x, resolved, keepDims, Infinity, Math.min),
      });
    }
  });
}

const SHAPES: [Shape, number[], number][] = [
  [[1_000_000], [0], 0],
  [[1_000_003], [0], 0],
  [[2, 500_001], [1], 1],
  [[100_003, 8], [0], 0],
  [[100_003, 5], [0], 0],
  [[70_001, 5], [1], 1],
  [[70_001, 4], [1], 1],
];

for (const [shape, axes, axis] of SHAPES) {
  gpuTest(`sum() of [${shape}] along axis ${axis} has a relative error below 1e-6`, async (device) => {
    for (const data of [new Float32Array(sizeOf(shape)).fill(0.1), randomArray(sizeOf(shape), 4).map(Math.abs)]) {
      const x = device.tensor(data, shape);
      const expected = reduceReference(reference(shape, data), axes, false, 0, (a, b) => a + b).data;
      const out = await sum(x, { axes }).read();
      assertClose(out, expected, { rtol: 1e-6, atol: 0 });
      assert.deepEqual(await sum(x, { axes }).read(), out, "not the same bits the second time");
    }
  });
}

gpuTest("max() shares the gradient among equal elements", async (device) => {
  const x = device.tensor([3, 1, 3, 2, 5, 4], [2, 3]);
  const { output, pullLeaves } = pullback(device, (x: Tensor) => max(x, { axes: [1] }), x);
  assert.deepEqual([...await output.read()], [3, 5]);
  const [dx] = pullLeaves([device.tensor([4, 7], [2])]);
  assert.deepEqual([...await dx!.read()], [2, 0, 2, 0, 7, 0]);
});

gpuTest("max() and min() of NaN and infinities, gradients included", async (device) => {
  const [N, I] = [NaN, Infinity];
  const rows = [[1, N, 3, 2], [-I, -I, -I, -I], [I, I, I, I], [N, N, 1, -I], [-1e38, -3.4028234663852886e38, -2, -I]];
  const widest = 2051;
  for (const width of [4, 5, widest]) {
    const padded = rows.map((row) => [...row, ...new Array(width - 4).fill(row[2])]);
    const x = device.tensor(padded.flat(), [rows.length, width]);
    for (const [op, f] of [[max, Math.max], [min, Math.min]] as const) {
      const { output, pullLeaves } = pullback(device, (x: Tensor) => op(x, { axes: [1] }), x);
      assert.deepEqual([...await output.read()], padded.map((row) => f(...row)));
      assert.deepEqual([...await op(device.tensor(padded.flat(), [width, rows.length]), { axes: [0, 1] }).read()], [N]);
      const [dx] = pullLeaves([device.tensor([12, 12, 12, 12, 12], [5])]);
      const chosen = padded.map((row) => row.map((value) => Object.is(value, f(...row))));
      const shares = chosen.map((row) => row.map((is) => is ? 12 / row.filter(Boolean).length : 0));
      assertClose(await dx!.read(), shares.flat());
    }
  }
  const columns = device.tensor([N, 1, 2, 3, 5, 5, N, 1], [2, 4]);
  assert.deepEqual([...await max(columns, { axes: [0] }).read()], [N, 5, N, 3]);
  assert.deepEqual([...await min(columns, { axes: [0] }).read()], [N, 1, N, 1]);
});

const BROADCASTS: [Shape, Shape][] = [
  [[4, 7], [7]],
  [[4, 8], [4, 1]],
  [[2, 3, 4, 5], [3, 1, 5]],
  [[2, 3], []],
  [[2, 3], [1, 1]],
  [[2, 3], [2, 3]],
  [[1, 3], [1, 1]],
  [[6, 1, 4], [1, 4]],
];

for (const [large, small] of BROADCASTS) {
  gpuTest(`sumTo() [${large}] to [${small}] and broadcastTo() back`, async (device) => {
    await checkOp(device, {
      inputs: { x: large },
      gpu: ({ x }) => sumTo(x, small),
      reference({ x }) {
        const out = reference(small);
        const strides = stridesOf(small);
        const lead = large.length - small.length;
        eachPlace(large, (at, flat) => {
          const place = strides.reduce((sum, s, axis) => sum + (small[axis] === 1 ? 0 : s * at[axis + lead]), 0);
          out.data[place] += x.data[flat];
        });
        return out;
      },
    });
    await checkOp(device, {
      inputs: { x: small },
      gpu: ({ x }) => broadcastTo(x, large),
      reference({ x }) {
        const out = reference(large);
        eachPlace(large, (at, flat) => (out.data[flat] = broadcastAt(x, at)));
        return out;
      },
    });
  });
}

gpuTest("reductions of nothing", async (device) => {
  const x = device.zeros([0, 3]);
  assert.deepEqual([...await sum(x, { axes: [0] }).read()], [0, 0, 0]);
  assert.equal(await sum(x).item(), 0);
  assert.throws(
    () => max(x, { axes: [0] }),
    /max needs at least one element along its axes, x is \[0,3\], axes are \[0\]/,
  );
  assert.throws(() => min(x), /min needs at least one element/);
  assert.deepEqual(max(device.zeros([3, 0]), { axes: [0] }).shape, [0]);
  const { pullLeaves } = pullback(device, (x: Tensor) => sum(x, { axes: [0] }), x);
  assert.deepEqual(pullLeaves([device.zeros([3])])[0]!.shape, [0, 3]);
});

gpuTest("reductions refuse what does not fit", (device) => {
  const x = device.tensor(randomArray(6, 1), [2, 3]);
  assert.throws(() => sum(x, { axes: [2] }), RangeError);
  assert.throws(() => sum(device.tensor([1], [1], "i32")), TypeError);
  assert.throws(() => sumTo(x, [2]), { name: "TypeError", message: /does not broadcast to \[2,3\]/ });
  assert.throws(() => sumTo(x, [4, 2, 3]), TypeError);
  assert.throws(() => broadcastTo(x, [3]), TypeError);
});
