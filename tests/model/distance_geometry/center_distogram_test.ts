import assert from "node:assert/strict";
import { centerDistogram, centerDistogramVjp } from "../../../model/distance_geometry/center_distogram.ts";
import { assertClose, Golden, Random } from "../protein/_support.ts";
import { golden, needing } from "../../_needs.ts";

const MODES = [
  ["prob", "mean", "std"],
  ["prob", "mean", "var"],
  ["prob", "median", "std"],
  ["prob", "median", "var"],
  ["sharp", "mean", "std"],
  ["sharp", "mean", "var"],
  ["sharp", "median", "std"],
  ["sharp", "median", "var"],
  ["logits", "mean", "std"],
  ["logits", "mean", "var"],
] as const;

function checkModes(golden: Golden): void {
  const bins = golden.data("in/bins");
  const n = golden.get("in/prob").shape[1];
  for (const [input, center, spread] of MODES) {
    const { distances, weights } = centerDistogram(golden.data(`in/${input}`), n, {
      bins,
      center,
      spread: spread === "var" ? "variance" : "std",
    });
    const name = `${input}_${center}_${spread}`;
    assertClose(distances, golden.data(`out/${name}_central`), { rtol: 1e-4, atol: 1e-4 }, `${name}_central`);
    assertClose(weights, golden.data(`out/${name}_weights`), { rtol: 1e-4, atol: 1e-4 }, `${name}_weights`);
    if (!golden.has(`grad_in/${name}`)) continue;
    const gradient = centerDistogramVjp(golden.data(`in/${input}`), n, golden.data(`cot/${name}_central`), {
      bins,
      center,
    });
    assertClose(gradient, golden.data(`grad_in/${name}`), { rtol: 1e-4, atol: 1e-4 }, `gradient of ${name}`);
  }
}

Deno.test("centerDistogram() and its gradient match the golden values in every mode", () => {
  checkModes(Golden.fixture("luc_center_distogram_4x4"));
});

const WHOLE = golden("seeds/luc_center_distogram.safetensors");

Deno.test(needing(WHOLE, {
  name: "centerDistogram() and its gradient match the whole golden file in every mode",
  fn: () => checkModes(Golden.read(WHOLE.path)),
}));

Deno.test("centerDistogram() with softmax reads logits as probabilities", () => {
  const random = new Random(41);
  const n = 5;
  const logits = Float64Array.from({ length: n * n * 37 }, () => 4 * random.normal());
  const probabilities = logits.slice();
  for (let pair = 0; pair < n * n; pair++) {
    const row = probabilities.subarray(37 * pair, 37 * (pair + 1));
    const total = row.reduce((sum, x) => sum + Math.exp(x), 0);
    row.forEach((x, k) => row[k] = Math.exp(x) / total);
  }
  for (const center of ["mean", "median"] as const) {
    for (const spread of ["std", "variance", "none"] as const) {
      const soft = centerDistogram(logits.map((x) => x + 1000), n, { center, spread, softmax: true });
      const plain = centerDistogram(probabilities, n, { center, spread });
      assertClose(soft.distances, plain.distances, { rtol: 1e-9 }, "distances");
      assertClose(soft.weights, plain.weights, { rtol: 1e-9 }, "weights");
      assert(soft.distances.every((d, k) => k % (n + 1) === 0 ? d === 0 : d >= 1.5 && d <= 26.6));
      assert(soft.weights.every((w) => w >= 0 && w <= 1));
      if (spread === "none") assert(plain.weights.every((w) => w === 0 || w === 1));
    }
  }
});

Deno.test("centerDistogramVjp() equals numerical differences along a random direction", () => {
  const random = new Random(42);
  const n = 4;
  const draw = (length: number) => Float64Array.from({ length }, () => random.normal());
  const logits = draw(n * n * 37);
  const direction = draw(n * n * 37);
  const cotangent = draw(n * n);
  for (const softmax of [false, true]) {
    const value = (h: number) =>
      centerDistogram(logits.map((x, k) => x + h * direction[k]), n, { softmax }).distances
        .reduce((sum, d, k) => sum + d * cotangent[k], 0);
    const gradient = centerDistogramVjp(logits, n, cotangent, { softmax });
    const along = gradient.reduce((sum, g, k) => sum + g * direction[k], 0);
    assertClose([along], [(value(1e-5) - value(-1e-5)) / 2e-5], { rtol: 1e-6 }, `softmax ${softmax}`);
  }
  assert(centerDistogramVjp(logits, n, cotangent, { center: "median" }).every((g) => g === 0));
});

Deno.test("centerDistogram() refuses sizes that do not fit", () => {
  assert.throws(() => centerDistogram(new Float32Array(10), 2), { name: "TypeError", message: /\[2, 2, 37\]/ });
  assert.throws(() => centerDistogram(new Float32Array(8), 2, { bins: [1, 2] }), RangeError);
  assert.throws(() => centerDistogramVjp(new Float32Array(148), 2, new Float32Array(3)), TypeError);
});
