import assert from "node:assert/strict";
import { classicalMds } from "../../../model/distance_geometry/classical_mds.ts";
import { applyMotion, kabsch } from "../../../model/protein/metrics/kabsch.ts";
import { mds } from "../../../model/distance_geometry/mds.ts";
import { mirrorImage } from "../../../model/distance_geometry/mirror.ts";
import { pairwiseDistances } from "../../../model/protein/metrics/points.ts";
import { guttmanProduct, prepareSmacof, rawStress, smacofStep } from "../../../model/distance_geometry/smacof.ts";
import { laplacianPseudoInverse, weightGraph } from "../../../model/distance_geometry/weight_graph.ts";
import { assertClose, Golden, Random, rows } from "../protein/_support.ts";

const golden = Golden.fixture("luc_mds");
const n = golden.get("in/distances").shape[1];
const target = golden.data("in/distances");
const start = golden.data("in/init").slice(0, 3 * n);

for (const [iterations, tolerance] of [[1, 1e-5], [10, 1e-5], [200, 1e-5], [2000, 0]]) {
  Deno.test(`mds() without weights follows the golden trajectory over ${iterations} steps`, () => {
    const result = mds(target, n, { starts: [start], classicalStart: false, iterations, tolerance });
    const name = `out/unweighted_it${iterations}`;
    assertClose(result.points, rows(golden.data(`${name}_coords`)), { atol: 1e-5, rtol: 1e-5 }, "points");
    assertClose(pairwiseDistances(result.points), golden.data(`${name}_distances`), { atol: 1e-5, rtol: 1e-5 });
    const { history, converged } = result.runs[0];
    assert.equal(converged, iterations >= 200);
    const expected = golden.data("out/unweighted_it60_history");
    const length = Math.min(history.length, expected.length);
    assert(length >= Math.min(iterations, 60));
    assertClose(history.slice(0, length), expected.slice(0, length), { rtol: 1e-5 }, "history");
  });
}

Deno.test("guttmanProduct() with weights matches the golden weighted trajectory, which divides by n", () => {
  const problem = prepareSmacof(target, n, golden.data("in/weights"));
  let points = start;
  for (let k = 1; k <= 10; k++) {
    points = guttmanProduct(problem, points).product.map((x) => x / n);
    if (k === 1 || k === 10) {
      assertClose(points, rows(golden.data(`out/weighted_it${k}_coords`)), { atol: 1e-5, rtol: 1e-5 }, `${k} steps`);
    }
  }
});

Deno.test("mds() with weights finds the true distances, where dividing by n shrinks them", () => {
  const weights = golden.data("in/weights");
  const result = mds(target, n, { weights, starts: [start], iterations: 5000, tolerance: 0 });
  const truth = golden.data("in/true_coords");
  assertClose(pairwiseDistances(result.points), pairwiseDistances(truth), { atol: 1e-5 }, "distances");
  const problem = prepareSmacof(target, n, weights);
  const shrunk = rawStress(problem, rows(golden.data("out/weighted_it200_coords")));
  assert(shrunk > 100, `stress of the golden weighted result: ${shrunk}`);
  assert(result.stress < 1e-9);
  const few = mds(target, n, { weights, starts: [start], classicalStart: false, iterations: 10, tolerance: 0 });
  assert(few.stress < rawStress(problem, rows(golden.data("out/weighted_it10_coords"))));
});

Deno.test("smacofStep() never raises the stress, with any weights", () => {
  const random = new Random(51);
  for (let trial = 0; trial < 30; trial++) {
    const m = 3 + trial;
    const distances = Float64Array.from({ length: m * m }, () => 10 * random.uniform());
    const weights = Float64Array.from({ length: m * m }, () => random.uniform() < 0.3 ? 0 : random.uniform() ** 4);
    const problem = prepareSmacof(distances, m, trial % 3 ? weights : undefined);
    let points = random.cloud(m);
    let last = Infinity;
    for (let k = 0; k < 30; k++) {
      const step = smacofStep(problem, points);
      assert(!(step.stress > last * (1 + 1e-12) + 1e-12), `trial ${trial}, step ${k}: ${last} to ${step.stress}`);
      assertClose([rawStress(problem, points)], [step.stress], { rtol: 1e-9, atol: 1e-12 });
      last = step.stress;
      points = Float64Array.from(step.points);
    }
  }
});

Deno.test("equal weights give the same points as no weights", () => {
  const options = { starts: [start], classicalStart: false, iterations: 15, tolerance: -1 };
  const plain = mds(target, n, options);
  for (const w of [1, 0.5, 3]) {
    const weighted = mds(target, n, { ...options, weights: new Float64Array(n * n).fill(w) });
    assertClose(weighted.points, plain.points, { rtol: 1e-9, atol: 1e-9 });
    assertClose([weighted.stress], [w * plain.stress], { rtol: 1e-9 });
    assertClose([weighted.stress1], [plain.stress1], { rtol: 1e-9 });
  }
});

Deno.test("the general path with nearly equal weights agrees with the path for equal ones", () => {
  const weights = new Float64Array(n * n).fill(1);
  weights[1] = weights[n] = 1 + 1e-9;
  const options = { starts: [start], classicalStart: false, iterations: 15, tolerance: -1 };
  assert.notEqual(typeof prepareSmacof(target, n, weights).inverse, "number");
  assertClose(mds(target, n, { ...options, weights }).points, mds(target, n, options).points, { atol: 1e-6 });
});

Deno.test("mds() recovers a structure from a third of its distances", () => {
  const random = new Random(52);
  const truth = random.cloud(40, 10);
  const distances = pairwiseDistances(truth);
  const weights = Float64Array.from({ length: 1600 }, () => random.uniform() < 0.2 ? 0.5 + random.uniform() : 0);
  for (let k = 0; k < 1600; k++) {
    if (!(weights[k] > 0 || weights[(k % 40) * 40 + Math.floor(k / 40)] > 0)) distances[k] = NaN;
  }
  const starts = Array.from({ length: 3 }, () => random.cloud(40));
  const result = mds(distances, 40, { weights, starts, iterations: 5000, tolerance: 1e-12 });
  assert.equal(result.components, 1);
  assertClose(pairwiseDistances(result.points), pairwiseDistances(truth), { atol: 0.01 });
});

Deno.test("mds() solves the parts of a disconnected graph apart, and says so", () => {
  const random = new Random(53);
  const m = 12; // 0-5 and 6-10 hang together, 11 is alone
  const part = (i: number) => i < 6 ? 0 : i < 11 ? 1 : 2;
  const truth = random.cloud(m, 5);
  const distances = pairwiseDistances(truth);
  const weights = Float64Array.from({ length: m * m }, (_, k) => part(Math.floor(k / m)) === part(k % m) ? 1 : 0);
  const result = mds(distances, m, { weights, iterations: 5000, tolerance: 0 });
  assert.equal(result.components, 3);
  assert.deepEqual([...result.componentOf], Array.from({ length: m }, (_, i) => part(i)));
  const again = pairwiseDistances(result.points);
  for (let k = 0; k < m * m; k++) {
    if (weights[k] > 0) assertClose([again[k]], [distances[k]], { atol: 1e-4 }, `distance ${k}`);
  }
  assertClose(result.points.subarray(33), [0, 0, 0], { atol: 0 }, "the lone point");
  for (let axis = 0; axis < 3; axis++) {
    let sum = 0;
    for (let i = 0; i < 6; i++) sum += result.points[3 * i + axis];
    assertClose([sum], [0], { atol: 1e-9 }, "each part is centred");
  }
  assert.equal(mds(distances, m, { weights: new Float64Array(m * m) }).components, m);
});

Deno.test("laplacianPseudoInverse() has the four Penrose properties", () => {
  const random = new Random(54);
  const m = 9;
  const weights = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    for (let j = i + 1; j < m; j++) {
      const joined = (i < 5) === (j < 5) && i !== 8 && j !== 8;
      weights[i * m + j] = weights[j * m + i] = joined ? 10 ** (4 * random.uniform() - 2) : 0;
    }
  }
  const graph = weightGraph(weights, m);
  assert.equal(graph.components, 3);
  const inverse = laplacianPseudoInverse(weights, m, graph);
  const v = weights.map((w) => -w);
  for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) if (i !== j) v[i * m + i] += weights[i * m + j];
  const product = (a: Float64Array, b: Float64Array) =>
    Float64Array.from({ length: m * m }, (_, k) => {
      let sum = 0;
      for (let x = 0; x < m; x++) sum += a[Math.floor(k / m) * m + x] * b[x * m + k % m];
      return sum;
    });
  const transposed = (a: Float64Array) => a.map((_, k) => a[(k % m) * m + Math.floor(k / m)]);
  const vi = product(v, inverse);
  const iv = product(inverse, v);
  assertClose(product(vi, v), v, { atol: 1e-9 }, "V V⁺ V");
  assertClose(product(iv, inverse), inverse, { atol: 1e-9 }, "V⁺ V V⁺");
  assertClose(transposed(vi), vi, { atol: 1e-9 }, "V V⁺ symmetric");
  assertClose(transposed(iv), iv, { atol: 1e-9 }, "V⁺ V symmetric");
});

Deno.test("a pair given twice enters by its weighted mean", () => {
  const random = new Random(55);
  const m = 6;
  const distances = Float64Array.from({ length: m * m }, () => 5 + random.uniform());
  const weights = Float64Array.from({ length: m * m }, () => random.uniform());
  const joint = new Float64Array(m * m);
  const average = new Float64Array(m * m);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < m; j++) {
      const [a, b] = [i * m + j, j * m + i];
      joint[a] = (weights[a] + weights[b]) / 2;
      average[a] = (weights[a] * distances[a] + weights[b] * distances[b]) / (weights[a] + weights[b]);
    }
  }
  const options = { starts: [random.cloud(m)], classicalStart: false, iterations: 9, tolerance: -1 };
  const both = mds(distances, m, { ...options, weights });
  const once = mds(average, m, { ...options, weights: joint });
  assertClose(both.points, once.points, { atol: 1e-9 });
});

Deno.test("a pair known in one direction only enters by that, whatever the other says", () => {
  const distances = [0, 3, 4, NaN, 0, 5, 4, 5, 0];
  const weights = [0, 1, 1, 0, 0, 1, 1, 1, 0];
  const { target, weights: joint } = prepareSmacof(distances, 3, weights);
  assert.deepEqual([...target], [0, 3, 4, 3, 0, 5, 4, 5, 0]);
  assert.deepEqual([...joint], [0, 0.5, 1, 0.5, 0, 1, 1, 1, 0]);
  const turned = prepareSmacof([0, NaN, 4, 3, 0, 5, 4, 5, 0], 3, [0, 0, 1, 1, 0, 1, 1, 1, 0]);
  assert.deepEqual(turned.target, target);
});

Deno.test("mds() keeps the best of several starts", () => {
  const random = new Random(56);
  const m = 20;
  const distances = pairwiseDistances(random.cloud(m, 6)).map((d) => Math.abs(d + 3 * random.normal()));
  const starts = Array.from({ length: 5 }, () => random.cloud(m));
  const result = mds(distances, m, { starts });
  assert.equal(result.runs.length, 6);
  assert.equal(result.stress, Math.min(...result.runs.map((run) => run.stress)));
  assert.deepEqual(result.points, result.runs[result.best].points);
  const scaled = mds(distances, m, { starts: starts.map((x) => x.map((y) => 100 * y)), classicalStart: false });
  assertClose(scaled.runs.map((run) => run.stress), result.runs.slice(0, 5).map((run) => run.stress), { rtol: 1e-9 });
});

Deno.test("classicalMds() recovers points from exact distances, large sets and flat ones included", () => {
  const random = new Random(57);
  for (const m of [1, 2, 3, 4, 16, 17, 60, 150]) {
    for (const flat of [false, true]) {
      const truth = random.cloud(m, 10).map((x, k) => flat && k % 3 === 2 ? 0 : x);
      const found = classicalMds(pairwiseDistances(truth), m);
      assertClose(pairwiseDistances(found), pairwiseDistances(truth), { atol: 1e-5 }, `${m} points, flat ${flat}`);
      const misfit = Math.min(kabsch(found, truth).rmsd, kabsch(mirrorImage(found), truth).rmsd);
      assert(misfit < 1e-5, `${m} points, flat ${flat}: ${misfit}`);
    }
  }
  const symmetric = Float64Array.of(1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, 1, 0, 0, -1); // three equal eigenvalues
  const found = classicalMds(pairwiseDistances(symmetric), 6);
  assertClose(pairwiseDistances(found), pairwiseDistances(symmetric), { atol: 1e-9 }, "octahedron");
});

Deno.test("classicalMds() matches the golden distances of scaling by eigenvectors", () => {
  const extras = Golden.fixture("luc_head_extras");
  const { data, shape } = extras.get("in/distances");
  assertClose(pairwiseDistances(classicalMds(data, shape[1])), extras.data("out/eigen_distances"), { atol: 1e-3 });
});

Deno.test("mds() handles one, two and three points, equal points and planes", () => {
  assert.deepEqual([...mds([0], 1).points], [0, 0, 0]);
  assert.equal(mds([0], 1).stress1, 0);
  assertClose([pairwiseDistances(mds([0, 3, 3, 0], 2).points)[1]], [3], { atol: 1e-6 });
  const triangle = [0, 3, 4, 3, 0, 5, 4, 5, 0];
  assertClose(pairwiseDistances(mds(triangle, 3).points), triangle, { atol: 1e-3 });
  const together = mds(new Float64Array(16), 4, { starts: [new Random(58).cloud(4)] });
  assertClose(together.points, new Float64Array(12), { atol: 1e-6 }, "all distances 0");
  const square = pairwiseDistances(Float64Array.of(0, 0, 0, 2, 0, 0, 2, 2, 0, 0, 2, 0));
  assertClose(pairwiseDistances(mds(square, 4, { iterations: 5000, tolerance: 0 }).points), square, { atol: 1e-2 });
  const apart = Float64Array.from({ length: 16 }, (_, k) => k % 5 === 0 ? 0 : 1);
  assertClose(pairwiseDistances(mds(apart, 4).points), apart, { atol: 1e-3 }, "tetrahedron");
});

Deno.test("mds() does not depend on the order of the points", () => {
  const random = new Random(59);
  const m = 10;
  const truth = random.cloud(m, 8);
  const order = Array.from({ length: m }, (_, i) => (7 * i + 3) % m);
  const distances = pairwiseDistances(truth);
  const shuffled = Float64Array.from(
    { length: m * m },
    (_, k) => distances[order[Math.floor(k / m)] * m + order[k % m]],
  );
  const first = random.cloud(m);
  const moved = Float64Array.from({ length: 3 * m }, (_, k) => first[3 * order[Math.floor(k / 3)] + k % 3]);
  const options = { classicalStart: false, iterations: 20, tolerance: -1 };
  const a = mds(distances, m, { ...options, starts: [first] }).points;
  const b = mds(shuffled, m, { ...options, starts: [moved] }).points;
  assertClose(b, Float64Array.from({ length: 3 * m }, (_, k) => a[3 * order[Math.floor(k / 3)] + k % 3]), {
    atol: 1e-9,
  });
  // a rotated start gives the rotated result
  const motion = { ...random.motion(), translation: new Float64Array(3) };
  const c = mds(distances, m, { ...options, starts: [applyMotion(motion, first)] }).points;
  assertClose(c, applyMotion(motion, a), { atol: 1e-9 });
});

Deno.test("mds() refuses what does not fit", () => {
  assert.throws(() => mds(target, n - 1), { name: "TypeError", message: /expected 196/ });
  assert.throws(() => mds(target, n, { weights: [1] }), TypeError);
  assert.throws(() => mds(target, n, { starts: [start.slice(3)] }), TypeError);
  assert.throws(() => mds(target, n, { classicalStart: false }), { name: "RangeError", message: /without a start/ });
  assert.throws(() => mds([], 0), RangeError);
  assert.throws(() => mds([0, -1, -1, 0], 2), { name: "RangeError", message: /distance -1 of pair \(0, 1\)/ });
  assert.throws(() => mds([0, NaN, 1, 0], 2), RangeError);
  assert.throws(() => mds([0, 1, 1, 0], 2, { weights: [0, -1, 1, 0] }), { message: /weight -1/ });
  assert.throws(() => mds([0, 1, 1, 0], 2, { tolerance: NaN }), RangeError);
  assert.throws(() => mds([0, 1, 1, 0], 2, { iterations: -1 }), RangeError);
});
