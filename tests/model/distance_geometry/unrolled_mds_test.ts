import assert from "node:assert/strict";
import { Key, pullback, type Tensor } from "../../../core/mod.ts";
import { alignedRmsd, backbonePhi, unrolledMds } from "../../../model/distance_geometry/mod.ts";
import { kabsch, pairwiseDistances } from "../../../model/protein/metrics/mod.ts";
import { addScalar, reshape, sqrt, square, subtract, sum } from "../../../ops/mod.ts";
import { assertClose, checkOp, gpuTest, randomArray } from "../../_gpu.ts";

gpuTest("alignedRmsd() is that of the best rotation and its gradient, masked points left out", async (device) => {
  const mask = [1, 1, 0, 1, 1, 1, 1, 1, 1, 1]; // of two entries of 5 points
  await checkOp(device, {
    inputs: { points: [2, 5, 3], target: [2, 5, 3] },
    gpu: ({ points, target }) => alignedRmsd(points, target, device.tensor(mask, [2, 5])),
    reference({ points, target }) {
      const entry = (x: Float64Array, b: number) => x.slice(15 * b, 15 * b + 15);
      const rmsd = [0, 1].map((b) =>
        kabsch(entry(points.data, b), entry(target.data, b), { mask: mask.slice(5 * b, 5 * b + 5) }).rmsd
      );
      return { shape: [2], data: Float64Array.from(rmsd) };
    },
    gradTolerance: 1e-3,
  });
});

gpuTest("alignedRmsd() finds turned points and tells mirror images apart", async (device) => {
  const x = randomArray(30, 1);
  const turned = x.map((_, k) => [-x[k + 1], x[k - 1], x[k]][k % 3] + 5); // by 90° about z, and moved
  const mirror = x.map((v, k) => k % 3 ? v : -v);
  const at = (data: Float32Array) => device.tensor(data, [1, 10, 3]);
  assert(await alignedRmsd(at(x), at(turned)).item() < 1e-3);
  assert(await alignedRmsd(at(x), at(mirror)).item() > 0.1);
});

/** Backbone of a right-handed helix. */
function helix(residues: number): Float64Array {
  const atoms = [[1.57, 0, 0], [2.27, 0.49, 0.87], [1.63, 1.11, 2.03]]; // radius, radians, Å along the axis
  return Float64Array.from({ length: 9 * residues }, (_, k) => {
    const [radius, angle, height] = atoms[Math.floor(k / 3) % 3];
    const residue = Math.floor(k / 9), turn = angle + residue * 100 * Math.PI / 180;
    return [radius * Math.cos(turn), radius * Math.sin(turn), height + 1.5 * residue][k % 3];
  });
}

gpuTest("unrolledMds() gives points with their distances and the hand of a protein", async (device) => {
  const points = helix(6), n = 18;
  const distances = pairwiseDistances(points);
  assert(backbonePhi(points).every((phi) => phi < 0));
  const [weights, padded] = [new Float32Array(2 * n * n), new Float32Array(2 * n * n)]; // the second of 5 residues and padding
  for (const [b, length] of [[0, n], [1, 15]]) {
    for (let i = 0; i < length; i++) {
      for (let j = 0; j < length; j++) {
        padded[b * n * n + i * n + j] = distances[i * n + j];
        weights[b * n * n + i * n + j] = 1 / (1 + Math.abs(i - j) / 10);
      }
    }
  }
  const mask = Array.from({ length: 2 * n }, (_, k) => +(k < n + 15));
  const at = (data: Float32Array) => device.tensor(data, [2, n, n]);
  const found = await unrolledMds(at(padded), {
    weights: at(weights),
    mask: device.tensor(mask, [2, n]),
    key: Key.fromSeed(1),
    backbone: true,
  }).read();
  for (const [b, length] of [[0, n], [1, 15]]) {
    const own = Float64Array.from(found.subarray(3 * b * n, 3 * (b * n + length)));
    assertClose(pairwiseDistances(own), pairwiseDistances(points.slice(0, 3 * length)), { rtol: 0, atol: 0.2 }, `${b}`);
    assert(backbonePhi(own).filter((phi) => phi < 0).length >= 4, `entry ${b} has the wrong hand`);
  }
});

gpuTest("gradients of unrolledMds() tell how points follow their distances", async (device) => {
  const n = 6, points = Float64Array.from(randomArray(3 * n, 3), (x) => 4 * x);
  const moved = points.map((x, k) => k < 3 ? x + 1e-4 : x);
  const [before, after] = [pairwiseDistances(points), pairwiseDistances(moved)];
  const back = pullback(device, (wanted: Tensor) => {
    const found = unrolledMds(wanted, { key: Key.fromSeed(1), steps: 100 });
    const vectors = subtract(reshape(found, [1, n, 1, 3]), reshape(found, [1, 1, n, 3]));
    return sqrt(addScalar(sum(square(vectors), { axes: [3] }), 1e-12));
  }, device.tensor(before, [1, n, n]));
  const cotangent = randomArray(n * n, 5).map((x, k) => k % (n + 1) ? x : 0);
  const [gradient] = back.pullLeaves([device.tensor(cotangent, [1, n, n])]);
  const slopes = await gradient!.read();
  const directional = [...slopes].reduce((total, slope, k) => total + slope * (after[k] - before[k]) / 1e-4, 0);
  const expected = cotangent.reduce((total, c, k) => total + c * (after[k] - before[k]) / 1e-4, 0);
  assertClose([directional], [expected], { rtol: 0.05 });
});
