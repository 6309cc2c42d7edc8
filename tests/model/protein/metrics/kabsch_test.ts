import assert from "node:assert/strict";
import { applyMotion, kabsch } from "../../../../model/protein/metrics/kabsch.ts";
import { mirrorImage } from "../../../../model/distance_geometry/mirror.ts";
import { rmsd, rmsdPerCoordinate } from "../../../../model/protein/metrics/rmsd.ts";
import { assertClose, determinant, Golden, Random, rows } from "../_support.ts";

/** Moves points so that their mean is 0. */
function centred(points: Float64Array): Float64Array {
  const n = points.length / 3;
  const mean = [0, 0, 0];
  points.forEach((x, k) => mean[k % 3] += x / n);
  return points.map((x, k) => x - mean[k % 3]);
}

Deno.test("kabsch() matches the golden superpositions, on the mirror image too", () => {
  const golden = Golden.fixture("luc_kabsch");
  const x = rows(golden.data("in/X"));
  for (
    const [target, aligned, centredTarget] of [["Y", "X_aligned", "Y_centred"], [
      "Y_mirror",
      "X_aligned_mirror",
      "Y_mirror_centred",
    ]]
  ) {
    const y = rows(golden.data(`in/${target}`));
    const { points, rotation } = kabsch(x, y);
    const shift = y.map((value, k) => value - centred(y)[k]);
    assertClose(centred(y), rows(golden.data(`out/${centredTarget}`)), { rtol: 1e-4, atol: 1e-4 }, centredTarget);
    assertClose(points.map((value, k) => value - shift[k]), rows(golden.data(`out/${aligned}`)), {
      rtol: 1e-4,
      atol: 1e-4,
    }, aligned);
    assertClose([determinant(rotation)], [1], { atol: 1e-12 }, "determinant");
  }
});

Deno.test("kabsch() finds the motion that was applied", () => {
  const random = new Random(1);
  for (const n of [3, 4, 5, 17, 300]) {
    for (let k = 0; k < 20; k++) {
      const mobile = random.cloud(n, 10);
      const motion = random.motion();
      const target = applyMotion(motion, mobile);
      const found = kabsch(mobile, target);
      assertClose(found.points, target, { atol: 1e-9 }, `points of ${n}`);
      assertClose(found.rotation, motion.rotation, { atol: 1e-6 }, `rotation from ${n} points`);
      assert(found.rmsd < 1e-10);
    }
  }
});

Deno.test("kabsch() is at the minimum: no small motion lowers the deviation", () => {
  const random = new Random(2);
  for (let k = 0; k < 20; k++) {
    const mobile = random.cloud(11, 5);
    const target = k % 2 ? random.cloud(11, 5) : mirrorImage(mobile);
    const weights = Float64Array.from({ length: 11 }, () => random.uniform() + 0.1);
    const found = kabsch(mobile, target, { weights });
    assertClose([rmsd(found.points, target, { weights })], [found.rmsd], { atol: 1e-12 });
    for (let axis = 0; axis < 3; axis++) {
      for (const angle of [-1e-3, 1e-3]) {
        const c = Math.cos(angle), s = Math.sin(angle);
        const rotation = new Float64Array(9);
        const [i, j] = [(axis + 1) % 3, (axis + 2) % 3];
        rotation[4 * axis] = 1;
        rotation[4 * i] = rotation[4 * j] = c;
        rotation[3 * i + j] = -s;
        rotation[3 * j + i] = s;
        const turned = applyMotion({ rotation, translation: new Float64Array(3) }, found.points);
        assert(!(kabschFree(turned, target, weights) < found.rmsd - 1e-12));
        const moved = found.points.map((x, m) => m % 3 === axis ? x + angle : x);
        assert(!(rmsd(moved, target, { weights }) < found.rmsd));
      }
    }
  }
});

/** Deviation after matching only the weighted centres. */
function kabschFree(a: Float64Array, b: Float64Array, weights: Float64Array): number {
  const shift = [0, 0, 0];
  const total = weights.reduce((sum, w) => sum + w, 0);
  a.forEach((x, k) => shift[k % 3] += (weights[Math.floor(k / 3)] * (b[k] - x)) / total);
  return rmsd(a.map((x, k) => x + shift[k % 3]), b, { weights });
}

Deno.test("kabsch() does not turn a mirror image into its counterpart", () => {
  const cloud = new Random(5).cloud(20, 10);
  const found = kabsch(mirrorImage(cloud), cloud);
  assert(found.rmsd > 1);
  assertClose([determinant(found.rotation)], [1], { atol: 1e-12 });
  const flat = cloud.map((x, k) => k % 3 === 1 ? 0 : x); // a flat cloud is its own mirror image
  assert(kabsch(mirrorImage(flat), flat).rmsd < 1e-10);
});

Deno.test("kabsch() handles one point, two points, equal points, a line and a plane", () => {
  const random = new Random(6);
  const shapes: [string, Float64Array][] = [
    ["one point", random.cloud(1, 10)],
    ["two points", random.cloud(2, 10)],
    ["equal points", new Float64Array(12).fill(3)],
    ["a line", Float64Array.from({ length: 15 }, (_, k) => [1, -2, 0.5][k % 3] * Math.floor(k / 3))],
    ["a plane", random.cloud(7, 10).map((x, k) => k % 3 === 2 ? 0 : x)],
    ["a square", Float64Array.of(1, 0, 0, 0, 1, 0, -1, 0, 0, 0, -1, 0)],
  ];
  for (const [name, points] of shapes) {
    for (let k = 0; k < 10; k++) {
      const target = applyMotion(random.motion(), points);
      const found = kabsch(points, target);
      assertClose(found.points, target, { atol: 1e-6 }, name);
      assertClose([determinant(found.rotation)], [1], { atol: 1e-9 }, name);
      const back = kabsch(points, points);
      assertClose(back.rotation, [1, 0, 0, 0, 1, 0, 0, 0, 1], { atol: 1e-9 }, `${name} on itself: the smallest angle`);
    }
    const line = Float64Array.of(0, 0, 0, 1, 0, 0);
    assertClose(kabsch(line, line.map((x) => -x)).points, [0, 0, 0, -1, 0, 0], { atol: 1e-9 }, "half a turn");
  }
});

Deno.test("kabsch() heeds mask and weights, and moves masked-out points too", () => {
  const random = new Random(7);
  const mobile = random.cloud(9, 10);
  const motion = random.motion();
  const target = applyMotion(motion, mobile);
  const truth = target.slice();
  target.fill(NaN, 3, 6);
  target.fill(1e6, 12, 15);
  const mask = [1, 0, 1, 1, 1, 1, 1, 1, 1];
  const weights = [1, 1, 2, 1, 0, 0.5, 1, 1, 1];
  const found = kabsch(mobile, target, { mask, weights });
  assertClose(found.points, truth, { atol: 1e-9 });
  assert(found.rmsd < 1e-10);
  const twice = kabsch(random.cloud(2, 3), random.cloud(2, 3));
  assert(Number.isFinite(twice.rmsd));
  // an integer weight is the same as repeating the point
  const a = random.cloud(4, 5), b = random.cloud(4, 5);
  const repeated = (points: Float64Array) => Float64Array.of(...points, ...points.subarray(0, 3));
  assertClose([kabsch(a, b, { weights: [2, 1, 1, 1] }).rmsd], [kabsch(repeated(a), repeated(b)).rmsd], { atol: 1e-12 });
});

Deno.test("kabsch() and rmsd() refuse what does not fit", () => {
  const cloud = new Random(8).cloud(4);
  assert.throws(() => kabsch(cloud, cloud.slice(3)), { name: "TypeError", message: /4 and 3 points/ });
  assert.throws(() => kabsch(cloud.slice(1), cloud), TypeError);
  assert.throws(() => kabsch(new Float64Array(0), new Float64Array(0)), RangeError);
  assert.throws(() => kabsch(cloud, cloud, { mask: [1, 1] }), TypeError);
  assert.throws(() => kabsch(cloud, cloud, { mask: [0, 0, 0, 0] }), RangeError);
  assert.throws(() => kabsch(cloud, cloud, { weights: [1, -1, 1, 1] }), RangeError);
  assert.throws(() => kabsch(cloud, cloud, { weights: [1, NaN, 1, 1] }), RangeError);
  assert.throws(() => kabsch(cloud.map((x, k) => k === 4 ? NaN : x), cloud), {
    name: "RangeError",
    message: /point 1/,
  });
  assert.throws(() => rmsd(cloud, cloud.slice(3)), TypeError);
});

Deno.test("rmsd() and rmsdPerCoordinate() differ by the root of 3 and match the golden values", () => {
  const golden = Golden.fixture("luc_metrics");
  const { data: a, shape: [batch, , n] } = golden.get("in/A");
  const b = golden.data("in/B");
  const pairs = Array.from({ length: batch }, (_, k) => [a, b].map((x) => rows(x.slice(3 * n * k, 3 * n * (k + 1)))));
  assertClose(pairs.map(([x, y]) => rmsdPerCoordinate(x, y)), golden.data("out/rmsd"), { rtol: 1e-5 });
  assertClose(
    pairs.map(([x, y]) => rmsd(x, y)),
    golden.data("out/rmsd").map((x) => x * Math.sqrt(3)),
    { rtol: 1e-5 },
  );
  assert.equal(rmsd(Float32Array.of(0, 0, 0), Float32Array.of(1, 2, 2)), 3);
});
