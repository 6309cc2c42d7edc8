import assert from "node:assert/strict";
import { Device } from "../../../core/mod.ts";
import { mds, type MdsOptions } from "../../../model/distance_geometry/mds.ts";
import { mdsOnGpu } from "../../../model/distance_geometry/mds_gpu.ts";
import { pairwiseDistances } from "../../../model/protein/metrics/points.ts";
import { gpuTest, testDevice } from "../../_gpu.ts";
import { assertClose, Golden, Random, rows } from "../protein/_support.ts";

const golden = Golden.fixture("luc_mds");
const n = golden.get("in/distances").shape[1];
const target = golden.data("in/distances");
const start = golden.data("in/init").slice(0, 3 * n);

gpuTest("mdsOnGpu() follows the golden trajectory", async (device) => {
  for (const [iterations, tolerance] of [[1, 1e-5], [10, 1e-5], [200, 1e-5], [2000, 0]]) {
    const options = { starts: [start], classicalStart: false, iterations, tolerance };
    const { points, runs: [{ history }] } = await mdsOnGpu(device, target, n, options);
    const name = `out/unweighted_it${iterations}`;
    const atol = iterations <= 10 ? 1e-5 : 1e-3;
    assertClose(points, rows(golden.data(`${name}_coords`)), { atol, rtol: 1e-5 }, name);
    assertClose(pairwiseDistances(points), golden.data(`${name}_distances`), { atol, rtol: 1e-5 }, name);
    const expected = golden.data("out/unweighted_it60_history").slice(0, history.length);
    assert(history.length >= Math.min(iterations, 20));
    assertClose(history.slice(0, expected.length), expected, { rtol: 1e-5, atol: 1e-6 }, `${name} history`);
  }
});

/** Distances that no points have exactly, and starts. */
function problem(points: number, seed: number, starts: number) {
  const random = new Random(seed);
  const distances = pairwiseDistances(random.cloud(points, 10)).map((d) => d * (0.9 + 0.2 * random.uniform()));
  return { distances, random, starts: Array.from({ length: starts }, () => random.cloud(points)) };
}

/** Runs both and compares what they return. */
async function agree(device: Device, distances: Float64Array, points: number, options: MdsOptions, atol = 2e-5) {
  const label = `${points} points`;
  const expected = mds(distances, points, options);
  const found = await mdsOnGpu(device, distances, points, options);
  assert.equal(found.runs.length, expected.runs.length, label);
  for (const [k, run] of found.runs.entries()) {
    const { points: coordinates, history, converged, stress } = expected.runs[k];
    assert.equal(run.converged, converged, `${label}: converged`);
    assertClose(run.history, history, { rtol: 1e-5, atol: 1e-6 }, `${label}: history of run ${k}`);
    assertClose(run.points, coordinates, { atol, rtol: 1e-5 }, `${label}: run ${k}`);
    assertClose([run.stress], [stress], { rtol: 1e-4, atol: 1e-6 }, `${label}: stress of run ${k}`);
  }
  assertClose([found.stress, found.stress1], [expected.stress, expected.stress1], { rtol: 1e-4, atol: 1e-6 }, label);
  assert.deepEqual([...found.componentOf], [...expected.componentOf], label);
  return found;
}

for (const points of [1, 2, 3, 5, 37, 64, 201]) {
  gpuTest(`mdsOnGpu() agrees with mds() for ${points} points, with and without weights`, async (device) => {
    const { distances, random, starts } = problem(points, points, 3);
    const options = { starts, iterations: 30, tolerance: -Infinity };
    await agree(device, distances, points, options);
    const weights = Float64Array.from({ length: points ** 2 }, () => random.uniform() < 0.2 ? 0 : random.uniform());
    await agree(device, distances, points, { ...options, weights }, 1e-4);
    await agree(device, distances, points, { ...options, weights: new Float64Array(points ** 2).fill(0.25) });
    await agree(device, distances, points, { starts, iterations: 0 });
  });
}

gpuTest("mdsOnGpu() ends each run where mds() ends it, however long the others take", async (device) => {
  const { distances, starts } = problem(23, 7, 5);
  const { runs } = await agree(device, distances, 23, { starts, iterations: 400, tolerance: 0.01 }, 1e-4);
  assert(runs.every(({ converged }) => converged));
  const lengths = runs.map(({ history }) => history.length);
  assert(new Set(lengths).size > 2 && Math.max(...lengths) > 25 && Math.min(...lengths) < 25, `${lengths}`);
  for (const iterations of [1, 24, 25, 26, 51]) {
    const { runs } = await agree(device, distances, 23, { starts, iterations, tolerance: -Infinity });
    assert(runs.every(({ history }) => history.length === iterations));
  }
});

gpuTest("mdsOnGpu() recovers a structure from a third of its distances, also in two parts", async (device) => {
  const random = new Random(52);
  const truth = random.cloud(41, 10);
  const distances = pairwiseDistances(truth);
  const weights = Float64Array.from({ length: 41 ** 2 }, () => random.uniform() < 0.2 ? 0.5 + random.uniform() : 0);
  const starts = Array.from({ length: 3 }, () => random.cloud(41));
  const whole = await mdsOnGpu(device, distances, 41, { weights, starts, iterations: 5000, tolerance: 0 });
  assertClose(pairwiseDistances(whole.points), pairwiseDistances(truth), { atol: 0.01 }, "distances");

  const part = (i: number) => i < 30 ? 0 : i < 40 ? 1 : 2;
  weights.forEach((_, k) => weights[k] = part(Math.floor(k / 41)) === part(k % 41) ? 1 : 0);
  const { points, components } = await mdsOnGpu(device, distances, 41, { weights, starts, iterations: 500 });
  assert.equal(components, 3);
  assertClose(points.subarray(120), [0, 0, 0], { atol: 0 }, "the lone point");
  const again = pairwiseDistances(points);
  weights.forEach((w, k) => w > 0 && assertClose([again[k]], [distances[k]], { atol: 0.02 }, `distance ${k}`));
});

gpuTest("mdsOnGpu() bears points that coincide, and distances of 0", async (device) => {
  const { distances, starts: [cloud] } = problem(6, 9, 1);
  distances[2] = distances[12] = 0;
  const together = cloud.map((x, k) => k < 6 ? cloud[k % 3] : x); // points 0 and 1
  const options = { starts: [cloud, together], classicalStart: false, iterations: 30, tolerance: -Infinity };
  await agree(device, distances, 6, options);
});

gpuTest("mdsOnGpu() needs neither textures nor a scope of its own while it waits", async () => {
  const { gpu, traits } = await testDevice();
  const device = new Device(gpu, { ...traits, loadPaths: ["buffers"], kernelFamilies: ["plain"], subgroupSize: 0 });
  const { distances, starts } = problem(19, 3, 2);
  const weights = distances.map((d) => 1 / (1 + d));
  const options = { starts, iterations: 40, tolerance: -Infinity };
  await Promise.all([
    agree(device, distances, 19, options),
    agree(device, distances, 19, { ...options, weights }, 1e-4),
  ]);
  assert.equal(device.memory.liveTensors, 0);
});

gpuTest("mdsOnGpu() refuses what mds() refuses, and leaves nothing behind", async (device) => {
  const refused: [ArrayLike<number>, number, MdsOptions, typeof RangeError | typeof TypeError][] = [
    [[0, 1, 1], 2, {}, TypeError],
    [[0, NaN, 1, 0], 2, {}, RangeError],
    [[0, 1, 1, 0], 2, { weights: [0, -1, 1, 0] }, RangeError],
    [[0, 1, 1, 0], 2, { tolerance: NaN }, RangeError],
    [[0, 1, 1, 0], 2, { iterations: -1 }, RangeError],
    [[0, 1, 1, 0], 2, { classicalStart: false }, RangeError],
    [[0, 1, 1, 0], 2, { starts: [new Float64Array(3)] }, TypeError],
  ];
  for (const [distances, points, options, error] of refused) {
    await assert.rejects(() => mdsOnGpu(device, distances, points, options), error);
  }
});
