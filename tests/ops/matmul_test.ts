import assert from "node:assert/strict";
import { Device, pullback, sizeOf } from "../../core/mod.ts";
import { linear, matmul } from "../../ops/mod.ts";
import { runMatmul } from "../../ops/_matmul.ts";
import { assertClose, checkOp, familyTest, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

/** C = A B in float64, batch axes broadcast by repeating the shorter ones. */
function product(a: Reference, b: Reference, transposeA = false, transposeB = false): Reference {
  const [m, k] = transposeA ? [a.shape.at(-1)!, a.shape.at(-2)!] : [a.shape.at(-2)!, a.shape.at(-1)!];
  const n = transposeB ? b.shape.at(-2)! : b.shape.at(-1)!;
  const batchShape = a.data.length / (m * k) >= b.data.length / (n * k) ? a.shape.slice(0, -2) : b.shape.slice(0, -2);
  const batch = batchShape.reduce((x, y) => x * y, 1);
  const out = reference([...batchShape, m, n]);
  const matrixOf = (r: Reference, size: number, i: number) => {
    const own = r.data.length / size;
    return (own === batch ? i : own === 1 ? 0 : Math.floor(i / (batch / own))) * size;
  };
  for (let q = 0; q < batch; q++) {
    const aAt = matrixOf(a, m * k, q), bAt = matrixOf(b, k * n, q);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let t = 0; t < k; t++) {
          sum += a.data[aAt + (transposeA ? t * m + i : i * k + t)] *
            b.data[bAt + (transposeB ? j * k + t : t * n + j)];
        }
        out.data[(q * m + i) * n + j] = sum;
      }
    }
  }
  return out;
}

const LAYOUTS = [[false, false], [true, false], [false, true], [true, true]];

const SIZES = [[1, 1, 1], [5, 3, 7], [17, 20, 65], [70, 68, 24], [33, 130, 5], [3, 4, 1000]] as const;

for (const [m, n, k] of SIZES) {
  for (const [transposeA, transposeB] of LAYOUTS) {
    gpuTest(
      `matmul() and its gradients, ${m}×${k} by ${k}×${n}, transposed ${transposeA} ${transposeB}`,
      (device) =>
        checkOp(device, {
          inputs: { a: transposeA ? [2, k, m] : [2, m, k], b: transposeB ? [2, n, k] : [2, k, n] },
          gpu: ({ a, b }) => matmul(a, b, { transposeA, transposeB }),
          reference: ({ a, b }) => product(a, b, transposeA, transposeB),
          atol: 1e-5,
        }),
    );
  }
}

for (const [a, b] of [[[2, 3, 5, 4], [4, 6]], [[5, 4], [2, 3, 4, 6]], [[2, 1, 5, 4], [2, 3, 4, 6]]] as const) {
  gpuTest(
    `matmul() shares an operand: [${a}] by [${b}]`,
    (device) =>
      checkOp(device, { inputs: { a, b }, gpu: ({ a, b }) => matmul(a, b), reference: ({ a, b }) => product(a, b) }),
  );
}

familyTest("matmul kernels agree with float64", async (device) => {
  for (const [m, n, k] of [[130, 68, 33], [64, 132, 16], [7, 8, 2049]]) {
    for (const [aTransposed, bTransposed] of LAYOUTS) {
      using _ = device.scope("case");
      const a = randomArray(3 * m * k, 1), b = randomArray(3 * n * k, 2);
      const batch = { outer: 3, inner: 1 };
      const operands = { a: device.tensor(a, [a.length]), b: device.tensor(b, [b.length]) };
      const { out } = runMatmul(device, { ...operands, m, n, k, aTransposed, bTransposed, batch });
      const expected = product(
        reference([3, ...(aTransposed ? [k, m] : [m, k])], a),
        reference([3, ...(bTransposed ? [n, k] : [k, n])], b),
        aTransposed,
        bTransposed,
      );
      assertClose(await out.read(), expected.data, { atol: 1e-4 }, `${[m, n, k, aTransposed, bTransposed]}`);
    }
  }
});

familyTest("sums of more terms than an invocation goes through are right to the last one", async (device, family) => {
  // the workgroup family computes tiles of 64 × 64 of these: slow where a processor runs it
  for (const [m, n, k] of family === "workgroup" ? [[3, 5, 65_541]] : [[3, 5, 65_541], [1, 4, 300_008]]) {
    for (const [aTransposed, bTransposed] of LAYOUTS) {
      using _ = device.scope("case");
      const a = randomArray(2 * m * k, 1), b = randomArray(n * k, 2);
      const shapeA = [2, ...(aTransposed ? [k, m] : [m, k])], shapeB = bTransposed ? [n, k] : [k, n];
      const out = matmul(device.tensor(a, shapeA), device.tensor(b, shapeB), {
        transposeA: aTransposed,
        transposeB: bTransposed,
      });
      const expected = product(reference(shapeA, a), reference(shapeB, b), aTransposed, bTransposed).data;
      assertClose(await out.read(), expected, { rtol: 0, atol: 5e-3 }, `${[m, n, k, aTransposed, bTransposed]}`);
      const ones = (shape: number[]) => device.tensor(new Float32Array(sizeOf(shape)).fill(1), shape);
      const one = matmul(ones(shapeA.slice(1)), ones(shapeB), { transposeA: aTransposed, transposeB: bTransposed });
      assert.ok((await one.read()).every((x) => x === k), `ones, ${[m, n, k, aTransposed, bTransposed]}`);
    }
  }
});

familyTest("a long sum gets its epilogue once, at its end, and may go into part of a tensor", async (device) => {
  const [m, n, k] = [3, 8, 65_540];
  const x = randomArray(m * k, 1), w = randomArray(n * k, 2).map((v) => v / 300), more = randomArray(m * n, 3);
  const sums = product(reference([m, k], x), reference([n, k], w), false, true).data;
  const params = { weight: device.tensor(w, [n, k]), bias: device.tensor(more.subarray(0, n), [n]) };
  const input = device.tensor(x, [m, k]), other = device.tensor(more, [m, n]);
  const biased = sums.map((v, i) => v + more[i % n]);
  const atol = 2e-5;
  assertClose(await linear(input, params, { activation: "relu" }).read(), biased.map((v) => Math.max(0, v)), { atol });
  const gated = linear(input, params, { gate: other, residual: other });
  assertClose(await gated.read(), biased.map((v, i) => v / (1 + Math.exp(-more[i])) + more[i]), { atol });
  const out = device.tensor(new Float32Array(3 * m * n).fill(7), [3, m, n]);
  runMatmul(device, {
    a: input,
    b: params.weight,
    m,
    n,
    k,
    bTransposed: true,
    bias: params.bias,
    into: { out, offset: m * n },
  });
  const around = new Array<number>(m * n).fill(7);
  assertClose(await out.read(), [...around, ...biased, ...around], { atol });
});

gpuTest("a long sum in windows has the same bits", async (device) => {
  const narrow = new Device(device.gpu, { ...device.traits, maxBindingBytes: 2 ** 21 });
  const [m, n, k] = [9, 4, 70_001]; // A is of 5 MB
  const [a, b] = [randomArray(2 * m * k, 1), randomArray(2 * n * k, 2)];
  const found: ArrayLike<number>[] = [];
  for (const on of [device, narrow]) {
    using _ = on.scope("case");
    const out = matmul(on.tensor(a, [2, m, k]), on.tensor(b, [2, n, k]), { transposeB: true });
    found.push(await out.read());
  }
  assert.deepEqual(found[1], found[0]);
  assert.equal(narrow.memory.liveTensors, 0);
});

gpuTest("products of nothing are empty, and sums of nothing are 0", async (device) => {
  const cases: [number[], number[], number[]][] = [
    [[2, 0], [0, 3], [2, 3]],
    [[0, 2], [2, 3], [0, 3]],
    [[2, 3], [3, 0], [2, 0]],
    [[0, 2, 3], [3, 4], [0, 2, 4]],
    [[0, 2, 3], [1, 3, 4], [0, 2, 4]],
    [[5, 2, 3], [5, 3, 0], [5, 2, 0]],
  ];
  for (const [a, b, shape] of cases) {
    const inputs = { a: device.zeros(a), b: device.zeros(b) };
    const back = pullback(device, ({ a, b }: typeof inputs) => matmul(a, b), inputs);
    assert.deepEqual(back.output.shape, shape);
    assert.deepEqual([...await back.output.read()], new Array(sizeOf(shape)).fill(0));
    const grads = back.pullLeaves([device.zeros(shape)]);
    assert.deepEqual(grads.map((grad) => grad!.shape), [a, b]);
    for (const grad of grads) assert.ok((await grad!.read()).every((x) => x === 0));
  }
});

gpuTest("a product in parts gives the same bits every time, and what float64 gives", async (device) => {
  const [m, n, k] = [12, 20, 5003];
  const a = randomArray(m * k, 1), b = randomArray(n * k, 2);
  const operands = { a: device.tensor(a, [k, m]), b: device.tensor(b, [k, n]), m, n, k, aTransposed: true };
  const first = await runMatmul(device, operands).out.read();
  assertClose(first, product(reference([k, m], a), reference([k, n], b), true).data, { atol: 1e-4 });
  assert.deepEqual(await runMatmul(device, operands).out.read(), first);
});

familyTest("a product gives the sums of the rows of its first operand, at once and in parts", async (device) => {
  for (const [m, n, k] of [[14, 20, 5003], [70, 132, 37]]) {
    const a = randomArray(m * k, 1), b = randomArray(n * k, 2);
    const operands = { a: device.tensor(a, [k, m]), b: device.tensor(b, [k, n]), m, n, k, aTransposed: true };
    const { out, sums } = runMatmul(device, { ...operands, rowSums: true });
    const expected = product(reference([k, m], a), reference([k, n], b), true).data;
    assertClose(await out.read(), expected, { atol: 1e-4 });
    const rows = Float64Array.from({ length: m }, (_, row) => {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += a[i * m + row];
      return sum;
    });
    assertClose(await sums!.read(), rows, { atol: 1e-4 }, `${m}`);
    const same = runMatmul(device, { ...operands, rowSums: false });
    assert.deepEqual([same.sums, await same.out.read()], [undefined, await out.read()]);
  }
});

gpuTest(
  "what lies behind an operand does not enter a product whose inner size is no multiple of four",
  async (device) => {
    const [m, n, k] = [8, 8, 5];
    const nan = new Float32Array(64).fill(NaN);
    device.tensor(nan, [64]).dispose(); // the pool hands this buffer out again
    const a = device.tensor(randomArray(k * m, 1), [k, m]);
    device.tensor(nan, [64]).dispose();
    const b = device.tensor(randomArray(k * n, 2), [k, n]);
    for (const x of await runMatmul(device, { a, b, m, n, k, aTransposed: true }).out.read()) {
      assert.ok(
        Number.isFinite(x),
      );
    }
  },
);

gpuTest("a product into part of a tensor leaves the rest alone, whatever is left of the last tiles", async (device) => {
  for (const [m, n, k] of [[1, 4, 4], [36, 68, 4], [30, 132, 8]]) {
    for (const aTransposed of m % 4 === 0 ? [false, true] : [false]) {
      using _ = device.scope("case");
      const a = randomArray(2 * m * k, 1), b = randomArray(n * k, 2);
      const size = 2 * m * n, around = 160 * n; // more than a tile before and behind
      const out = device.tensor(new Float32Array(size + 2 * around).fill(7), [size + 2 * around]);
      runMatmul(device, {
        ...{ a: device.tensor(a, [a.length]), b: device.tensor(b, [b.length]), m, n, k, aTransposed },
        batch: { outer: 2, inner: 1, bShared: "all" },
        into: { out, offset: around },
      });
      const expected = product(
        reference([2, ...(aTransposed ? [k, m] : [m, k])], a),
        reference([k, n], b),
        aTransposed,
      );
      const edge = new Float64Array(around).fill(7);
      assertClose(
        await out.read(),
        Float64Array.from([...edge, ...expected.data, ...edge]),
        { atol: 1e-5 },
        `${[m, n]}`,
      );
    }
  }
});

gpuTest("matmul() refuses shapes that do not fit, naming them", (device) => {
  const a = device.zeros([2, 3]), b = device.zeros([4, 5]);
  assert.throws(() => matmul(a, b), /\[2,3\].*\[4,5\].*inner sizes are 3 and 4/);
  assert.throws(() => matmul(a, device.zeros([3])), TypeError);
});
