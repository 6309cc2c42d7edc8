import assert from "node:assert/strict";
import { Device, pullback, type Tensor } from "../../core/mod.ts";
import {
  chainOffsetClasses,
  distanceClasses,
  offsetClasses,
  pairEmbedding,
  type PairEmbeddingInputs,
} from "../../ops/mod.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

type Inputs = { [K in Exclude<keyof PairEmbeddingInputs, "classes">]: Reference };

/** In float64, with given classes. */
function embed(
  { table, left, right, weights, bias, residual }: Inputs,
  classes: ArrayLike<number>,
  batch: number,
  n: number,
) {
  const c = table.shape[1];
  const out = reference([batch, n, n, c]);
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const pair = (b * n + i) * n + j;
        const w = weights ? weights.data[b * n + i] * weights.data[b * n + j] : 1;
        for (let ch = 0; ch < c; ch++) {
          const k = classes[pair];
          const sum = (k ? table.data[(k - 1) * c + ch] : 0) + (left?.data[(b * n + i) * c + ch] ?? 0) +
            (right?.data[(b * n + j) * c + ch] ?? 0);
          out.data[pair * c + ch] = sum * w + (bias?.data[ch] ?? 0) + (residual?.data[pair * c + ch] ?? 0);
        }
      }
    }
  }
  return out;
}

const CASES = [
  { batch: 2, n: 7, c: 8, k: 5, terms: ["left", "right", "weights", "bias", "residual"] },
  { batch: 1, n: 5, c: 3, k: 2, terms: ["left", "right", "bias"] },
  { batch: 3, n: 4, c: 12, k: 9, terms: ["residual", "bias"] },
  { batch: 1, n: 1, c: 4, k: 1, terms: [] },
  { batch: 1, n: 19, c: 6, k: 3, terms: ["left", "weights"] },
] as const;

for (const { batch, n, c, k, terms } of CASES) {
  gpuTest(
    `pairEmbedding() matches float64 for [${batch}, ${n}, ${n}, ${c}], ${k} classes, ${terms.join(", ") || "table"}`,
    (device) => {
      const classes = Int32Array.from({ length: batch * n * n }, (_, i) => (7 * i + (i >> 3)) % (k + 1));
      const indices = device.tensor(classes, [batch, n, n], "i32");
      const shapes: Record<string, number[]> = {
        left: [batch, n, c],
        right: [batch, n, c],
        weights: [batch, n],
        bias: [c],
        residual: [batch, n, n, c],
      };
      return checkOp(device, {
        inputs: { table: [k, c], ...Object.fromEntries(terms.map((term) => [term, shapes[term]])) } as Record<
          string,
          number[]
        >,
        fill: { weights: (i) => [1, 0.5, 0, 1][i % 4] },
        constant: ["weights"],
        gpu: (given) => pairEmbedding({ ...given, classes: indices } as unknown as PairEmbeddingInputs),
        reference: (given) => embed(given as unknown as Inputs, classes, batch, n),
      });
    },
  );
}

gpuTest("pairEmbedding() gives the same numbers in windows", async (main) => {
  const narrow = new Device(main.gpu, { ...main.traits, maxBindingBytes: 8192 });
  const [batch, n, c, k] = [2, 13, 12, 3];
  const classes = Int32Array.from({ length: batch * n * n }, (_, i) => i % (k + 1));
  const run = async (device: Device) => {
    using _ = device.scope("run");
    const indices = device.tensor(classes, [batch, n, n], "i32");
    const inputs: Record<string, Tensor> = {
      table: device.tensor(randomArray(k * c, 1), [k, c]),
      left: device.tensor(randomArray(batch * n * c, 2), [batch, n, c]),
      right: device.tensor(randomArray(batch * n * c, 3), [batch, n, c]),
      residual: device.tensor(randomArray(batch * n * n * c, 4), [batch, n, n, c]),
    };
    const back = pullback<Record<string, Tensor>, Tensor>(
      device,
      (given) => pairEmbedding({ ...given, classes: indices } as unknown as PairEmbeddingInputs),
      inputs,
    );
    const grads = back.pull([device.tensor(randomArray(batch * n * n * c, 5), back.output.shape)]) as Record<
      string,
      Tensor
    >;
    const read: Record<string, Float32Array> = {};
    for (const [name, t] of Object.entries({ out: back.output, ...grads })) {
      read[name] = Float32Array.from(await t.read());
    }
    return read;
  };
  const whole = await run(main), parts = await run(narrow);
  assert.deepEqual(parts.out, whole.out);
  for (const name of ["table", "left", "right", "residual"]) assertClose(parts[name], whole[name], {}, name);
});

gpuTest("distanceClasses() finds the class between two bounds, both excluded", async (device) => {
  const [batch, n] = [2, 9];
  const values = randomArray(batch * n * 3, 6).map((x, i) => (i < 6 ? [0, 0, 0, 3, 4, 0][i] : 6 * x)); // 5 apart: on a bound
  const bounds = [1.5, 3, 5, 7.25], end = 9;
  const found = await distanceClasses(device.tensor(values, [batch, n, 3]), { bounds, end }).read();
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const square = [0, 1, 2].reduce(
          (s, a) => s + (values[(b * n + i) * 3 + a] - values[(b * n + j) * 3 + a]) ** 2,
          0,
        );
        const expected = 1 +
          [...bounds].findIndex((bound, k) => square > bound ** 2 && square < (bounds[k + 1] ?? end) ** 2);
        assert.equal(found[(b * n + i) * n + j], expected, `${b}, ${i}, ${j}: ${Math.sqrt(square)}`);
      }
    }
  }
  assert.equal(found[1], 0); // 5 exactly
  const marks = Float32Array.from({ length: batch * n }, (_, i) => (i % 3 ? 1 : 0));
  const points = device.tensor(values, [batch, n, 3]);
  const own = await distanceClasses(points, { bounds, end, marks: device.tensor(marks, [batch, n]) }).read();
  for (let pair = 0; pair < found.length; pair++) {
    const row = Math.floor(pair / n), other = Math.floor(row / n) * n + pair % n;
    assert.equal(own[pair], found[pair] + (marks[row] && marks[other] ? bounds.length + 1 : 0));
  }
  const far = device.tensor([0, 0, 0, 1e6, 0, 0], [1, 2, 3]);
  assert.deepEqual([...await distanceClasses(far, { bounds: [1] }).read()], [0, 1, 1, 0]);
});

gpuTest("distanceClasses() gives pairs of different groups no class", async (device) => {
  const points = device.tensor([0, 0, 0, 3, 0, 0, 6, 0, 0, 0, 3, 0, 1, 1, 1, 9, 9, 9], [2, 3, 3]);
  const groups = device.tensor([4, 7, 4, 1, 1, 2], [2, 3], "i32"), marks = device.tensor([1, 1, 0, 0, 1, 1], [2, 3]);
  const find = async (
    more: { marks?: Tensor },
  ) => [...await distanceClasses(points, { bounds: [2, 4], groups, ...more }).read()];
  assert.deepEqual(await find({}), [0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0]);
  assert.deepEqual(await find({ marks }), [3, 0, 2, 0, 3, 0, 2, 0, 0, 0, 1, 0, 1, 3, 0, 0, 0, 3]);
  assert.throws(() => distanceClasses(points, { bounds: [2], groups: marks }), /i32 groups \[2,3\], got f32/);
});

gpuTest("chainOffsetClasses() tells offsets along chains and among copies of a sequence", async (device) => {
  const [batch, n, residues, copies] = [2, 7, 3, 2];
  const integers = (seed: number, range: number) =>
    Int32Array.from(randomArray(batch * n, seed), (x) => Math.round(range * x));
  const given = { residues: integers(1, 6), chains: integers(2, 1), entities: integers(3, 1), copies: integers(4, 4) };
  const tensors = Object.fromEntries(
    Object.entries(given).map(([name, numbers]) => [name, device.tensor(numbers, [batch, n], "i32")]),
  ) as Record<keyof typeof given, Tensor>;
  const found = await chainOffsetClasses(tensors, { residues, copies }).read();
  const confined = (offset: number, most: number) => most + Math.max(-most, Math.min(most, offset));
  for (let b = 0; b < batch; b++) {
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const [p, q] = [b * n + i, b * n + j];
        const along = given.chains[p] === given.chains[q]
          ? confined(given.residues[p] - given.residues[q], residues)
          : 2 * residues + 1;
        const among = given.entities[p] === given.entities[q]
          ? confined(given.copies[p] - given.copies[q], copies)
          : 2 * copies + 1;
        assert.equal(found[(b * n + i) * n + j], 1 + along * (2 * copies + 2) + among, `${b}, ${i}, ${j}`);
      }
    }
  }
  const wrong = { ...tensors, copies: device.zeros([batch, n]) };
  assert.throws(() => chainOffsetClasses(wrong, { residues, copies }), /i32 copies \[B, N\], got f32/);
});

gpuTest("offsetClasses() confines differences", async (device) => {
  const numbers = [[3, 1, -40, 7], [0, 5, 5, 100]];
  const found = await offsetClasses(device.tensor(numbers.flat(), [2, 4], "i32"), 4).read();
  const expected = numbers.flatMap((row) => row.flatMap((a) => row.map((b) => 5 + Math.max(-4, Math.min(4, a - b)))));
  assert.deepEqual([...found], expected);
});

gpuTest("pairEmbedding() and its classes say what does not fit", (device) => {
  const classes = device.zeros([1, 3, 3], "i32"), table = device.zeros([2, 4]);
  assert.throws(() => pairEmbedding({ table, classes: device.zeros([1, 3, 3]) }), /i32 classes \[B, N, N\], got f32/);
  assert.throws(() => pairEmbedding({ table, classes, left: device.zeros([1, 3, 5]) }), /left must be f32 \[1,3,4\]/);
  assert.throws(() => distanceClasses(device.zeros([3, 3]), { bounds: [1] }), /points \[B, N, 3\], got f32 \[3,3\]/);
  assert.throws(() => distanceClasses(device.zeros([1, 3, 3]), { bounds: [2, 1] }), RangeError);
  assert.throws(() => offsetClasses(device.zeros([1, 3]), 2), TypeError);
});
