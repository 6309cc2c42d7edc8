import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { parseSafetensors } from "../../../model/weights/safetensors.ts";
import { Mt19937 } from "../../../tools/data/mt19937.ts";
import { SyntheticDataset } from "../../../tools/data/synthetic.ts";
import { golden, needing } from "../../_needs.ts";

const crc = (values: Int32Array | Float32Array): number =>
  crc32(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));

Deno.test("Mt19937 gives the numbers of NumPy's legacy functions", () => {
  // numpy.random.seed(7): rand(2), randn(3), randint(0, 1000, 4), permutation(6), choice(10, 3, replace=False); NumPy 1.24.2
  const random = new Mt19937(7);
  assert.deepEqual([random.uniform(), random.uniform()], [0.07630828937395717, 0.7799187922401146]);
  const normals = new Float64Array(3);
  random.fillNormals(normals);
  assert.deepEqual([...normals], [1.690525703800356, -0.4659373705408328, 0.0328201636785844]);
  const integers = new Int32Array(4);
  random.fillIntegers(integers, 0, 1000);
  assert.deepEqual([...integers], [584, 345, 366, 554]);
  assert.deepEqual([...random.permutation(6)], [1, 4, 5, 3, 0, 2]);
  assert.deepEqual([...random.choice(10, 3)], [1, 5, 6]);
  assert.equal(new Mt19937(4294967295).uniform(), 0.0976320289940138);
});

Deno.test("Mt19937.skipNormals() and skipUniforms() arrive where drawing arrives", () => {
  for (const count of [0, 1, 2, 7, 100, 1001, 20_000]) {
    for (const drawnBefore of [0, 1, 2]) { // 1 leaves a normal in store
      const [drawn, skipped] = [new Mt19937(3), new Mt19937(3)];
      for (const random of [drawn, skipped]) for (let i = 0; i < drawnBefore; i++) random.normal();
      drawn.fillNormals(new Float64Array(count));
      skipped.skipNormals(count);
      assert.deepEqual(skipped.save(), drawn.save(), `${count} after ${drawnBefore}`);
      for (let i = 0; i < count; i++) drawn.uniform();
      skipped.skipUniforms(count);
      assert.deepEqual([skipped.uniform(), skipped.normal()], [drawn.uniform(), drawn.normal()]);
    }
  }
});

Deno.test("Mt19937 continues from a saved state and refuses others", () => {
  const random = new Mt19937(11);
  random.normal();
  const state = random.save();
  const expected = [random.normal(), random.uniform()];
  const other = new Mt19937(0);
  other.restore(state);
  assert.deepEqual([other.normal(), other.uniform()], expected);
  assert.throws(() => other.restore(state.subarray(1)), RangeError);
  assert.throws(() => new Mt19937(-1), RangeError);
  assert.throws(() => new Mt19937(1.5), RangeError);
});

// CRC-32 of numpy.random.seed(42): randint(0, V, (N, S, L)) as int32, randn(N, L, L, P) as float32,
// rand(N, L, L, 1) as float32 times 20, then three times choice(N, B, replace=False); NumPy 1.24.2.
const SMALL = [
  { sizes: [7, 3, 5, 3], batches: [[2, 6], [3, 4], [4, 2]], sums: [4282801773, 3835355569, 1495698156] },
  {
    sizes: [12, 3, 6, 65],
    batches: [[10, 11, 5, 2], [3, 6, 2, 9], [0, 10, 4, 2]],
    sums: [1731484107, 1062203256, 1608028108],
  },
  {
    sizes: [5, 2, 9, 11],
    batches: [[1, 0, 3, 4, 2], [4, 1, 2, 3, 0], [1, 0, 4, 3, 2]],
    sums: [1416152286, 1054181182, 3922641352],
  },
];
for (const { sizes: [numSamples, numSeqs, seqLen, pairDim], batches, sums } of SMALL) {
  Deno.test(`SyntheticDataset equals NumPy's for ${numSamples} samples of ${numSeqs} × ${seqLen} × ${pairDim}`, async () => {
    const dataset = await SyntheticDataset.generate({ numSamples, numSeqs, seqLen, pairDim });
    const all = dataset.samples(Int32Array.from({ length: numSamples }, (_, i) => i));
    assert.deepEqual([crc(all.msaTokens), crc(all.pairFeatures), crc(all.distances)], sums);
    assert.deepEqual(batches.map((batch) => [...dataset.nextBatch(batch.length).indices]), batches);
    assert.throws(() => dataset.nextBatch(numSamples + 1), RangeError);
    assert.throws(() => dataset.samples(Int32Array.of(numSamples)), RangeError);
  });
}

Deno.test("SyntheticDataset equals NumPy's at the reference sizes, tells its progress, and resumes its order", async () => {
  const progress: number[] = [];
  const dataset = await SyntheticDataset.generate({ onProgress: (done) => progress.push(done) });
  assert.equal(progress.at(-1), 1);
  assert.ok(progress.length > 10 && progress.every((done, i) => i === 0 || done > progress[i - 1]));
  // CRC-32 of samples 0, 517 and 999: tokens, pair features, distances; NumPy 1.24.2.
  const sums: [number, number, number, number][] = [
    [0, 3671278340, 1177633150, 1963886258],
    [517, 1878668961, 3650261000, 3492940765],
    [999, 4224408041, 1250950164, 2970729873],
  ];
  for (const [sample, ...expected] of sums) {
    const { msaTokens, pairFeatures, distances } = dataset.samples(Int32Array.of(sample));
    assert.deepEqual([crc(msaTokens), crc(pairFeatures), crc(distances)], expected);
  }
  assert.deepEqual([...dataset.nextBatch(4).indices], [517, 985, 935, 502]);
  const order = dataset.saveOrder();
  assert.deepEqual([...dataset.nextBatch(4).indices], [852, 660, 725, 763]);
  assert.deepEqual([...dataset.nextBatch(4).indices], [154, 586, 445, 850]);
  dataset.restoreOrder(order);
  const batch = dataset.nextBatch(4);
  assert.deepEqual([...batch.indices], [852, 660, 725, 763]);
  assert.equal(batch.pairFeatures.length, 4 * 64 * 64 * 65);
});

Deno.test("SyntheticDataset refuses sizes that are not positive integers", async () => {
  await assert.rejects(SyntheticDataset.generate({ numSeqs: 0 }), /numSeqs = 0: expected a positive integer/);
  await assert.rejects(SyntheticDataset.generate({ vocabSize: 300 }), /300 tokens/);
});

const GOLDEN = golden("seeds/tof_dataset.safetensors");

Deno.test(needing(GOLDEN, {
  name: "SyntheticDataset equals the golden data set bit for bit",
  fn: async () => {
    const { tensors } = parseSafetensors(await Deno.readFile(GOLDEN.path), "tof_dataset");
    const golden = (name: string) => tensors.get(`out/${name}`) ?? assert.fail(name);
    const [numSamples, numSeqs, seqLen] = golden("msa_data").shape;
    const pairDim = golden("pair_data").shape[3];
    const dataset = await SyntheticDataset.generate({ numSamples, numSeqs, seqLen, pairDim });
    const all = dataset.samples(Int32Array.from({ length: numSamples }, (_, i) => i));
    assert.deepEqual(all.msaTokens, golden("msa_data").data);
    assert.deepEqual(all.pairFeatures, golden("pair_data").data);
    assert.deepEqual(all.distances, golden("distance_data").data);
    for (let b = 0; b < 3; b++) {
      const batch = dataset.nextBatch(golden(`batch${b}_msa`).shape[0]);
      assert.deepEqual(batch.msaTokens, golden(`batch${b}_msa`).data);
      assert.deepEqual(batch.distances, golden(`batch${b}_distances`).data);
    }
  },
}));
