import assert from "node:assert/strict";
import { applyMotion } from "../../../../model/protein/metrics/kabsch.ts";
import { lddt } from "../../../../model/protein/metrics/lddt.ts";
import { mirrorImage } from "../../../../model/distance_geometry/mirror.ts";
import { assertClose, Golden, Random } from "../_support.ts";

for (const name of ["lddt_loss", "lddt_loss_b"]) {
  Deno.test(`lddt() matches the golden lDDT-CA of ${name}`, () => {
    const golden = Golden.fixture(`openfold_${name}_ca`);
    const mask = golden.data("in/mask_ca");
    const { perPoint, overall } = lddt(golden.data("in/model_ca"), golden.data("in/reference_ca"), { mask });
    const expected = golden.data("out/lddt_ca_per_residue");
    assertClose(perPoint, expected, { rtol: 1e-4, atol: 2e-6 }, "per residue");
    assertClose([overall], golden.data("out/lddt_ca_global"), { rtol: 1e-4, atol: 1.6e-6 }, "overall");
    assert(mask.some((m) => m === 0));
  });
}

Deno.test("lddt() matches the golden values of another code", () => {
  const golden = Golden.fixture("luc_head_extras");
  const { data: truth, shape: [batch, residues, atoms] } = golden.get("in/lddt_true");
  const pred = golden.data("in/lddt_pred");
  const cloud = golden.data("in/lddt_cloud_mask");
  const expected = golden.data("out/lddt_ca");
  for (let b = 0; b < batch; b++) {
    const ca = (all: Float64Array) =>
      Float64Array.from(
        { length: 3 * residues },
        (_, k) => all[((b * residues + Math.floor(k / 3)) * atoms + 1) * 3 + k % 3],
      );
    const mask = Float64Array.from({ length: residues }, (_, i) => cloud[(b * residues + i) * atoms + 1]);
    const { perPoint } = lddt(ca(pred), ca(truth), { mask });
    assertClose(
      perPoint.map((value, i) => value * mask[i]),
      expected.subarray(b * residues, (b + 1) * residues),
      { atol: 1e-5 },
      `batch ${b}`,
    );
  }
});

Deno.test("lddt() of known distances", () => {
  const reference = Float64Array.of(0, 0, 0, 4, 0, 0, 14.9, 0, 0, 200, 0, 0);
  const model = Float64Array.of(0, 0, 0, 4.7, 0, 0, 16.4, 0, 0, 0, 1, 0);
  // |Δd|: 0-1 0.7 (3 of 4), 0-2 1.5 (2 of 4), 1-2 0.8 (3 of 4); point 3 is alone
  const { perPoint, neighbours, overall } = lddt(model, reference);
  assertClose(perPoint, [0.625, 0.75, 0.625, 1], { atol: 1e-9 });
  assert.deepEqual([...neighbours], [2, 2, 2, 0]);
  assertClose([overall], [2 / 3], { atol: 1e-9 });
  const narrow = lddt(model, reference, { cutoff: 5, thresholds: [1] });
  assert.deepEqual([...narrow.neighbours], [1, 1, 0, 0]);
  assertClose(narrow.perPoint, [1, 1, 1, 1], { atol: 1e-9 });
  const grouped = lddt(model, reference, { residue: [0, 0, 1, 2] });
  assert.deepEqual([...grouped.neighbours], [1, 1, 2, 0]);
});

Deno.test("lddt() does not change with rigid motion or mirroring, and is 1 of a structure with itself", () => {
  const random = new Random(21);
  const reference = random.cloud(40, 8);
  const model = reference.map((x) => x + 1.2 * random.normal());
  const here = lddt(model, reference);
  const there = lddt(applyMotion(random.motion(), mirrorImage(model)), applyMotion(random.motion(), reference));
  assertClose(there.perPoint, here.perPoint, { atol: 1e-9 });
  assert(here.overall > 0.2 && here.overall < 0.9);
  assert.equal(lddt(reference, reference).overall, 1);
});

Deno.test("lddt() leaves masked points out and refuses what does not fit", () => {
  const random = new Random(22);
  const reference = random.cloud(10, 8);
  const model = reference.map((x) => x + random.normal());
  const mask = Array.from({ length: 10 }, (_, i) => i === 9 ? 0 : 1);
  const spoiled = model.map((x, k) => k >= 27 ? NaN : x);
  const short = lddt(model.slice(0, 27), reference.slice(0, 27));
  const masked = lddt(spoiled, reference, { mask });
  assertClose(masked.perPoint, [...short.perPoint, 1], { atol: 1e-12 });
  assert.equal(masked.overall, short.overall);
  assert.throws(() => lddt(spoiled, reference), RangeError);
  assert.throws(() => lddt(model, reference.slice(3)), TypeError);
  assert.throws(() => lddt(model, reference, { thresholds: [] }), RangeError);
  assert.throws(() => lddt(model, reference, { residue: [1] }), TypeError);
  assert.equal(lddt(Float64Array.of(1, 2, 3), Float64Array.of(1, 2, 3)).overall, 1);
});
