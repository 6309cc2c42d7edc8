import assert from "node:assert/strict";
import { Key } from "../../../core/mod.ts";
import {
  alphafold,
  distanceChange,
  recycledAlphaFold,
  recycledOf,
  recycleForTraining,
  type RecyclingIteration,
} from "../../../model/alphafold/mod.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";
import { featureArrays, onDevice, randomParams, smallConfig } from "./_network.ts";

const CONFIG = smallConfig();

gpuTest("recycling is one iteration after the other, each with its own sample", async (device) => {
  const params = randomParams(device, CONFIG);
  const samples = [1, 2, 3].map((seed) => onDevice(device, featureArrays({ seed })));
  const told: RecyclingIteration[] = [];
  const { outputs, index, converged } = await recycledAlphaFold(params, (i) => samples[i], CONFIG, {
    maxRecycles: 2,
    onIteration: (iteration) => void told.push(iteration),
  });
  assert.deepEqual([index, converged, told.map(({ index }) => index)], [2, false, [0, 1, 2]]);
  assert.ok(told.every(({ changeAngstrom }) => changeAngstrom === undefined));
  assert.equal(told[0].outputs.z.disposed, true);
  let expected = alphafold(params, samples[0], undefined, CONFIG);
  for (const i of [1, 2]) expected = alphafold(params, samples[i], recycledOf(expected, samples[i - 1].aatype), CONFIG);
  assert.deepEqual(await outputs.z.read(), await expected.z.read());
  assert.deepEqual(await outputs.positions.read(), await expected.positions.read());
  assert.equal(outputs.m, undefined);
  assert.equal(outputs.structure.trajectory.length, 1);
});

gpuTest("recycling ends when distances hardly change, never after the first iteration", async (device) => {
  const params = randomParams(device, CONFIG);
  const features = onDevice(device, featureArrays({}));
  const run = async (tolerance: number) => {
    const changes: (number | undefined)[] = [];
    const result = await recycledAlphaFold(params, () => features, CONFIG, {
      tolerance,
      onIteration: ({ changeAngstrom }) => void changes.push(changeAngstrom),
    });
    return { ...result, changes };
  };
  const never = await run(1e-6);
  assert.deepEqual([never.index, never.converged], [3, false]);
  assert.equal(never.changes[0], undefined);
  const [, second, third] = never.changes;
  const soon = await run(1e6);
  assert.deepEqual([soon.index, soon.converged], [1, true]);
  const between = await run((second! + third!) / 2);
  assert.equal(between.index, second! < third! ? 1 : 2);
  await assert.rejects(
    recycledAlphaFold(params, () => Promise.reject(new Error("no features")), CONFIG),
    /no features/,
  );
});

gpuTest("distanceChange() is the root mean square change of distances between C-alphas that count", async (device) => {
  const [batch, n] = [2, 5];
  const [a, b] = [1, 2].map((seed) => randomArray(batch * n * 111, seed).map((x) => 10 * x));
  const mask = Float32Array.from({ length: batch * n }, (_, i) => (i % 4 === 3 ? 0 : 1));
  const tensors = [a, b].map((x) => device.tensor(x, [batch, n, 37, 3]));
  const distance = (x: Float32Array, b: number, i: number, j: number) =>
    Math.hypot(...[0, 1, 2].map((k) => x[((b * n + i) * 37 + 1) * 3 + k] - x[((b * n + j) * 37 + 1) * 3 + k]));
  for (const masked of [false, true]) {
    const expected = Array.from({ length: batch }, (_, s) => {
      let total = 0, count = 0;
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          const w = masked ? mask[s * n + i] * mask[s * n + j] : 1;
          total += w * (distance(a, s, i, j) - distance(b, s, i, j)) ** 2;
          count += w;
        }
      }
      return Math.sqrt(total / count);
    });
    const change = distanceChange(tensors[0], tensors[1], masked ? device.tensor(mask, [batch, n]) : undefined);
    assertClose(await change.read(), expected, { rtol: 1e-5 });
  }
});

gpuTest("before a step of training, iterations run with dropout of their own and leave no gradient", async (device) => {
  const params = randomParams(device, CONFIG);
  const features = onDevice(device, featureArrays({}));
  const key = Key.fromSeed(5);
  assert.equal(recycleForTraining(params, [], CONFIG, { key }), undefined);
  const recycled = recycleForTraining(params, [features, features], CONFIG, { key })!;
  let expected = alphafold(params, features, undefined, CONFIG, { key: key.at(0) });
  expected = alphafold(params, features, recycledOf(expected, features.aatype), CONFIG, { key: key.at(1) });
  assert.deepEqual(await recycled.z.read(), await expected.z.read());
  const other = recycleForTraining(params, [features, features], CONFIG, { key: Key.fromSeed(6) })!;
  assert.notDeepEqual(await other.z.read(), await expected.z.read());
});

gpuTest("recycling takes no more memory than two iterations, however many there are", async (device) => {
  const params = randomParams(device, CONFIG);
  const features = onDevice(device, featureArrays({ nRes: 24 }));
  const peak = async (maxRecycles: number) => {
    using scope = device.scope("peak");
    void scope;
    device.resetPeakMemory();
    await recycledAlphaFold(params, () => features, CONFIG, { maxRecycles });
    return device.memory.peakBytes;
  };
  const two = await peak(1);
  assert.equal(await peak(4), two);
});
