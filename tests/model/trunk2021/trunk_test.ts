import assert from "node:assert/strict";
import { type Device, entries, Key, leaves, pullback, type Tensor, type Tree } from "../../../core/mod.ts";
import { type Coupling, reversible } from "../../../model/layers/reversible.ts";
import {
  blockSparseLayout,
  initTrunk2021,
  layoutsOfLayer,
  trunk2021,
  type Trunk2021Config,
  trunk2021Config,
  trunk2021DistogramLoss,
  trunk2021Edges,
  type Trunk2021Inputs,
  trunk2021ParameterCount,
  trunk2021Shapes,
} from "../../../model/trunk2021/mod.ts";
import { add, ALL_FUSIONS, linear, type LinearParams, multiply, setFusions, sigmoid } from "../../../ops/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

const SMALL = {
  dim: 8,
  depth: 2,
  heads: 2,
  dimHead: 4,
  maxSeqLen: 9,
  maxNumMsa: 4,
  numEmbedds: 3,
  distogramBuckets: 5,
};

const tokens = (device: Device, shape: readonly number[], seed: number) =>
  device.tensor(randomArray(shape.reduce((a, b) => a * b), seed).map((x) => Math.floor((x + 1) * 10.4)), shape, "i32");

/** A sequence of 5 residues and an MSA of 3 rows of 4. */
const inputsOf = (device: Device) => ({ seq: tokens(device, [1, 5], 1), msa: tokens(device, [1, 3, 4], 2) });

function run(device: Device, inputs: Trunk2021Inputs, given: Partial<Trunk2021Config>) {
  const config = trunk2021Config({ ...SMALL, ...given });
  return trunk2021(initTrunk2021(device, config, Key.fromSeed(3)), inputs, config);
}

gpuTest("the document's model has 37 symmetric logits a pair", async (device) => {
  const config = trunk2021Config({ ...SMALL, distogramBuckets: 37 });
  const params = initTrunk2021(device, config, Key.fromSeed(3));
  assert.equal(leaves<Tensor>(params).reduce((sum, { size }) => sum + size, 0), trunk2021ParameterCount(config));
  const out = trunk2021(params, inputsOf(device), config);
  assert.deepEqual([...out.shape], [1, 5, 5, 37]);
  const logits = await out.read();
  for (const [i, j] of [[0, 4], [1, 3]]) {
    assertClose(
      logits.subarray((5 * i + j) * 37, (5 * i + j + 1) * 37),
      logits.subarray((5 * j + i) * 37, (5 * j + i + 1) * 37),
    );
  }
});

/** The same inputs with padding behind residues, columns and rows. */
function padded(device: Device, { seq, msa }: { seq: Float32Array; msa?: Float32Array }) {
  const wide = (
    data: Float32Array,
    [rows, columns]: number[],
    [toRows, toColumns]: number[],
    fill: (i: number) => number,
  ) =>
    Float32Array.from({ length: toRows * toColumns }, (_, k) => {
      const [row, column] = [Math.floor(k / toColumns), k % toColumns];
      return row < rows && column < columns ? data[row * columns + column] : fill(k);
    });
  const ones = (n: number) => new Float32Array(n).fill(1);
  const residue = (i: number) => i % 20;
  return {
    seq: device.tensor(wide(seq, [1, 5], [1, 7], residue), [1, 7], "i32"),
    mask: device.tensor(wide(ones(5), [1, 5], [1, 7], () => 0), [1, 7]),
    ...(msa && {
      msa: device.tensor(wide(msa, [3, 4], [4, 6], residue), [1, 4, 6], "i32"),
      msaMask: device.tensor(wide(ones(12), [3, 4], [4, 6], () => 0), [1, 4, 6]),
    }),
  };
}

for (const given of [{}, { interMsaSelfAttn: false, reversible: true }]) {
  gpuTest(`padding changes nothing: ${JSON.stringify(given)}`, async (device) => {
    const { seq, msa } = inputsOf(device);
    const [s, a] = [await seq.read(), await msa.read()].map((data) => Float32Array.from(data));
    const plain = await run(device, { seq, msa }, given).read();
    const wide = await run(device, padded(device, { seq: s, msa: a }), given).read();
    const inside = plain.map((_, k) => {
      const [i, j, bin] = [Math.floor(k / 25), Math.floor(k / 5) % 5, k % 5];
      return wide[(i * 7 + j) * 5 + bin];
    });
    assertClose(inside, plain, { rtol: 1e-4, atol: 1e-5 });
  });
}

gpuTest(
  "keys are compressed whether or not their number divides, except where the original is wrong",
  async (device) => {
    const inputs = inputsOf(device); // 25 pairs and 12 residues of the MSA
    const changes = async (given: Partial<Trunk2021Config>) => {
      const config = trunk2021Config({ ...SMALL, depth: 1, crossAttnCompressRatio: 3, ...given });
      const params = initTrunk2021(device, config, Key.fromSeed(3));
      const back = pullback(device, (params) => trunk2021(params, inputs, config), params);
      const grads = entries<Tensor>(back.pull([device.tensor(randomArray(125, 4), back.output.shape)]) as Tree<Tensor>);
      const found = grads.find(([path]) => path === "net.blocks.1.0.fn.compressFn.weight")?.[1];
      return found !== undefined && (await found.read()).some((x) => x !== 0);
    };
    assert.equal(await changes({}), true, "12 keys of the MSA divide by 3");
    assert.equal(await changes({ quirks: true }), false);
  },
);

Deno.test("a layout has local windows, the first block of keys, and random blocks that its layer alone decides", () => {
  const { visited } = blockSparseLayout(6, 6, { window: 2, random: (row) => row === 5 ? [3, 5] : [] });
  assert.deepEqual(visited, [[0, 1], [0, 1], [0, 2, 3], [0, 2, 3], [0, 4, 5], [0, 3, 4, 5]]);
  assert.deepEqual(blockSparseLayout(2, 6).visited, [[0, 1, 2], [0, 3, 4, 5]], "windows at the same fraction");
  const layout = layoutsOfLayer(1, { maxSeqLen: 512 });
  assert.deepEqual(layout.self(160, 160), layoutsOfLayer(1, { maxSeqLen: 512 }).self(160, 160));
  assert.notDeepEqual(layout.self(160, 160), layoutsOfLayer(2, { maxSeqLen: 512 }).self(160, 160));
  const [short, long] = [layout.self(160, 160), layout.self(512, 512)];
  assert.deepEqual(short.visited, long.visited.slice(0, 10).map((list) => list.filter((column) => column < 10)));
  assert.ok(
    long.visited.every((list) => list.length >= 8 && list.length <= 13),
    "a quarter at random, 4 near, 1 global",
  );
});

gpuTest("sparse layers attend to the blocks of their layouts, in the kernel and step by step", async (device) => {
  const inputs = { seq: tokens(device, [1, 5], 1), msa: tokens(device, [1, 3, 30], 2) };
  const given = { maxSeqLen: 32, depth: 1, sparseSelfAttn: [true], sparseCrossAttn: true };
  const read = async (given: Partial<Trunk2021Config>) => Float32Array.from(await run(device, inputs, given).read());
  const sparse = await read(given);
  setFusions(device, ALL_FUSIONS.filter((fusion) => fusion !== "attention"));
  const explicit = await read(given);
  setFusions(device, ALL_FUSIONS);
  assertClose(sparse, explicit, { rtol: 1e-4, atol: 1e-5 });
  const [self, dense] = [await read({ ...given, sparseCrossAttn: [false] }), await read({ maxSeqLen: 32, depth: 1 })];
  for (const other of [self, dense]) assert.ok(sparse.some((x, i) => Math.abs(x - other[i]) > 1e-3));
  assert.ok(self.some((x, i) => Math.abs(x - dense[i]) > 1e-3));
});

/** Three streams, each changed by the others; the last one twice. */
function couplings(params: LinearParams[]): Coupling[] {
  const steps = [[0, 1, 2], [1, 2], [2, 0, 1], [0, 2], [2, 1]];
  return steps.map(([target, ...sources], i) => ({
    ...{ name: `step${i}`, target, sources, params: params[i] },
    update({ params, sources, constants, residual }) {
      const read = sources.length === 2 ? multiply(sources[0], sigmoid(sources[1])) : sources[0];
      const update = multiply(linear(read, params as LinearParams), (constants as { mask: Tensor }).mask);
      return residual ? add(residual, update) : update;
    },
  }));
}

gpuTest(
  "reversible() gives the gradients of the same steps recorded, and keeps the last state and what it is told to",
  async (device) => {
    const shape = [3, 4];
    const params = Array.from({ length: 5 }, (_, i) => ({
      weight: device.tensor(randomArray(16, 10 + i), [4, 4]),
      bias: device.tensor(randomArray(4, 20 + i), [4]),
    }));
    const x = device.tensor(randomArray(12, 1), shape), y = device.tensor(randomArray(12, 2), shape);
    const constants = { mask: device.tensor([1, 0, 1], [3, 1]) };
    const primals = { params, x, y };
    const recorded = pullback(device, ({ params, x, y }) => {
      const state = [x, x, y];
      for (const { target, sources, params: own, update } of couplings(params)) {
        state[target] = update({
          params: own,
          sources: sources.map((i) => state[i]),
          constants,
          residual: state[target],
        });
      }
      return state;
    }, primals);
    const d = device.tensor(randomArray(12, 5), shape);
    const theirs = recorded.pullLeaves([null, d, d]);
    for (const kept of [0, 2, 5]) {
      const ours = pullback(
        device,
        ({ params, x, y }) => reversible(device, couplings(params), [x, x, y], constants, { kept }),
        primals,
      );
      const [twice, thrice] = [2, 3].map((times) => {
        const more = pullback(device, ({ params, x, y }) => {
          const steps = Array.from({ length: times }, () => couplings(params)).flat();
          return reversible(device, steps, [x, x, y], constants, { kept });
        }, primals);
        more.dispose();
        return more.heldBytes;
      });
      assert.equal(thrice, twice, `memory grows with the number of steps, ${kept} kept`);
      for (const [i, output] of ours.output.entries()) {
        assertClose(await output.read(), await recorded.output[i].read(), {}, `stream ${i}, ${kept} kept`);
      }
      // the gradient of the second stream is that of the third as well, and none comes to the first
      const gradients = ours.pullLeaves([null, d, d]);
      for (const [i, gradient] of theirs.entries()) {
        assert.equal(gradients[i] === null, gradient === null, `gradient ${i}, ${kept} kept`);
        if (gradient) {
          const tolerance = { rtol: 1e-4, atol: 1e-5 };
          assertClose(await gradients[i]!.read(), await gradient.read(), tolerance, `gradient ${i}, ${kept} kept`);
        }
      }
    }
  },
);

Deno.test("reversible() refuses a step that reads what it changes", async () => {
  const { testDevice } = await import("../../_gpu.ts");
  const device = await testDevice();
  using x = device.zeros([2]);
  const step: Coupling = { name: "bad", target: 0, sources: [1, 0], params: {}, update: ({ sources }) => sources[0] };
  assert.throws(() => reversible(device, [step], [x, x]), /Cannot undo bad: it reads stream 0, which it adds to/);
});

gpuTest("the loss is the mean cross entropy of the pairs that are known", async (device) => {
  const edges = trunk2021Edges();
  assert.deepEqual([edges.length, edges[0], edges[1], edges[35]], [36, 2, 2.5, 19.5]);
  const logits = device.tensor(randomArray(4 * 37, 1), [1, 2, 2, 37]);
  const distances = device.tensor([0, 2.5, 2.51, 30], [1, 2, 2]);
  const classes = [0, 1, 2, 36];
  const data = await logits.read();
  const each = classes.map((bin, pair) => {
    const row = [...data.subarray(37 * pair, 37 * (pair + 1))];
    return Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[bin];
  });
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
  assertClose([await trunk2021DistogramLoss(logits, distances).item()], [mean(each)]);
  const mask = device.tensor([1, 0, 0, 1], [1, 2, 2]);
  assertClose([await trunk2021DistogramLoss(logits, distances, mask).item()], [mean([each[0], each[3]])]);
  assert.equal(await trunk2021DistogramLoss(logits, distances, device.zeros([1, 2, 2])).item(), 0);
});

gpuTest("what does not fit is refused in words", (device) => {
  const { seq, msa } = inputsOf(device);
  const refused = (inputs: Trunk2021Inputs, message: RegExp, given: Partial<Trunk2021Config> = {}) =>
    assert.throws(() => run(device, inputs, given), message);
  refused({ seq }, /the sequence has 5 residues, expected at most maxSeqLen = 4/, { maxSeqLen: 4 });
  refused({ seq, msa }, /the MSA has 3 rows, expected at most maxNumMsa = 2/, { maxNumMsa: 2 });
  refused(
    { seq, msa: tokens(device, [1, 2, 10], 1) },
    /a row of the MSA has 10 residues, expected at most maxSeqLen = 9/,
  );
  refused({ seq, msa, embedds: device.zeros([1, 2, 3]) }, /both an MSA and embeddings/);
  refused({ seq, embedds: device.zeros([1, 2, 4]) }, /embedds must be \[1, N, 3\]/);
  refused({ seq, msaMask: device.zeros([1, 2]) }, /msaMask alone/);
});

Deno.test("a configuration's sizes and flags are checked", () => {
  assert.throws(
    () => trunk2021Config({ crossAttnCompressRatio: 1.5 }),
    /crossAttnCompressRatio must be a positive integer, got 1.5/,
  );
  assert.throws(() => trunk2021Config({ depth: 3, sparseSelfAttn: [true] }), /one for each of the 3 layers, got 1/);
  const { net } = trunk2021Shapes(trunk2021Config(SMALL)) as { net: { blocks: unknown[] } };
  assert.equal(net.blocks.length, 4);
});
