import assert from "node:assert/strict";
import { Key } from "../../../../core/mod.ts";
import { drawCrop, FEATURE_AXES, featureShape, windowFeatures } from "../../../../tools/data/features/window.ts";

/** Numbers 1, 2, … */
function count(size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => i + 1);
}

Deno.test("windowFeatures() cuts and fills every axis", () => {
  const features = {
    aatype: Int32Array.of(1, 2, 3, 4, 5),
    pseudo_beta: count(15),
    true_msa: Int32Array.from({ length: 10 }, (_, i) => 10 * Math.floor(i / 5) + i % 5),
    template_mask: count(2),
    resolution: count(1),
  };
  const sizes = { residues: 5, clusters: 2, templates: 2 };
  const crop = windowFeatures(features, sizes, { residues: { start: 1, size: 3 } });
  assert.deepEqual(crop, {
    aatype: Int32Array.of(2, 3, 4),
    pseudo_beta: count(15).slice(3, 12),
    true_msa: Int32Array.of(1, 2, 3, 11, 12, 13),
    template_mask: count(2),
    resolution: count(1),
  });
  const windows = {
    residues: { start: 0, size: 4 },
    clusters: { start: 0, size: 3 },
    templates: { start: 1, size: 3 },
  };
  const filled = windowFeatures(crop, { residues: 3, clusters: 2, templates: 2 }, windows);
  assert.deepEqual(filled, {
    aatype: Int32Array.of(2, 3, 4, 0),
    pseudo_beta: Float32Array.from([...count(15).slice(3, 12), 0, 0, 0]),
    true_msa: Int32Array.of(1, 2, 3, 0, 11, 12, 13, 0, 0, 0, 0, 0),
    template_mask: Float32Array.of(2, 0, 0),
    resolution: count(1),
  });
  const corner = { residues: { start: 3, size: 3 }, clusters: { start: 1, size: 1 } };
  const { true_msa } = features;
  assert.deepEqual(windowFeatures({ true_msa }, sizes, corner).true_msa, Int32Array.of(13, 14, 0));
  assert.equal(
    windowFeatures({ aatype: Int32Array.of(1) }, { residues: 1 }, { residues: { start: 7, size: 2 } }).aatype[0],
    0,
  );
});

Deno.test("windowFeatures() refuses unknown features and sizes that do not fit", () => {
  const aatype = Int32Array.of(1, 2);
  assert.throws(() => windowFeatures({ other: aatype }, { residues: 2 }, {}), /There is no feature other/);
  assert.throws(() => windowFeatures({ toString: aatype }, { residues: 2 }, {}), /There is no feature toString/);
  assert.throws(() => windowFeatures({ aatype }, { residues: 3 }, {}), /aatype has 2 numbers, expected 3/);
  assert.throws(() => windowFeatures({ aatype }, {}, {}), /needs the number of residues/);
  assert.throws(
    () => windowFeatures({ aatype }, { residues: 2 }, { residues: { start: 0.5, size: 1 } }),
    { name: "RangeError" },
  );
  assert.deepEqual(featureShape("msa_feat", { clusters: 3, residues: 4 }), [3, 4, 49]);
  assert(Object.values(FEATURE_AXES).length > 40);
});

Deno.test("drawCrop() reaches every beginning, and the early ones more often where distances are not clamped", () => {
  const draws = (clamped: boolean) => {
    const counts = new Array<number>(6).fill(0);
    for (let seed = 0; seed < 3000; seed++) counts[drawCrop(12, 7, clamped, Key.fromSeed(seed)).start]++;
    return counts;
  };
  for (const count of draws(true)) assert(Math.abs(count - 500) < 100);
  const early = draws(false);
  assert(early[0] > 1000 && early[5] > 40 && early[5] < 140); // of 3000: 49/120 and 1/36
  assert.deepEqual(drawCrop(5, 9, true, Key.fromSeed(1)), { start: 0, size: 5 });
});
