import assert from "node:assert/strict";
import { gdt, GDT_HA_CUTOFFS, GDT_TS_CUTOFFS, gdtHa, gdtTs } from "../../../../model/protein/metrics/gdt.ts";
import { applyMotion } from "../../../../model/protein/metrics/kabsch.ts";
import { assertClose, Golden, Random, rows } from "../_support.ts";

Deno.test("gdt() without superposition matches the golden values, weights of cutoffs included", () => {
  const golden = Golden.fixture("luc_metrics");
  const { data: a, shape: [batch, , n] } = golden.get("in/A");
  const b = golden.data("in/B");
  const values: Record<string, number[]> = { gdt_ts: [], gdt_ha: [], gdt_ts_weighted: [] };
  for (let k = 0; k < batch; k++) {
    const [x, y] = [a, b].map((all) => rows(all.slice(3 * n * k, 3 * n * (k + 1))));
    values.gdt_ts.push(gdt(x, y, GDT_TS_CUTOFFS, { superposition: "none" }));
    values.gdt_ha.push(gdt(x, y, GDT_HA_CUTOFFS, { superposition: "none" }));
    const cutoffWeights = [0.5, 1, 1.5, 2];
    values.gdt_ts_weighted.push(gdt(x, y, GDT_TS_CUTOFFS, { superposition: "none", cutoffWeights }));
  }
  for (const [name, list] of Object.entries(values)) {
    assertClose(list, golden.data(`out/${name}`), { rtol: 1e-6 }, name);
  }
});

Deno.test("gdt() by search is at least that of one superposition, and does not change with rigid motion", () => {
  const random = new Random(11);
  for (let k = 0; k < 5; k++) {
    const reference = random.cloud(25, 8);
    const model = reference.map((x, i) => x + (i < 60 ? 0.5 : 6) * random.normal());
    const searched = gdtTs(model, reference);
    assert(searched >= gdtTs(model, reference, { superposition: "kabsch" }));
    assert(gdtHa(model, reference) <= searched);
    const moved = gdtTs(applyMotion(random.motion(), model), applyMotion(random.motion(), reference));
    assertClose([moved], [searched], { atol: 1e-12 });
    const kabschMoved = gdtTs(applyMotion(random.motion(), model), reference, { superposition: "kabsch" });
    assertClose([kabschMoved], [gdtTs(model, reference, { superposition: "kabsch" })], { atol: 1e-12 });
  }
});

Deno.test("gdt() heeds mask and length, and refuses what does not fit", () => {
  const random = new Random(12);
  const cloud = random.cloud(12, 8);
  const spoiled = cloud.slice();
  spoiled.fill(NaN, 0, 3);
  const mask = Array.from({ length: 12 }, (_, i) => i === 0 ? 0 : 1);
  for (const superposition of ["search", "kabsch", "none"] as const) {
    assert.equal(gdtTs(spoiled, cloud, { mask, superposition }), 1);
    assertClose([gdtTs(spoiled, cloud, { mask, superposition, length: 22 })], [0.5], { atol: 1e-12 });
  }
  assert.throws(() => gdt(cloud, cloud, []), RangeError);
  assert.throws(() => gdt(cloud, cloud, [1, 2], { cutoffWeights: [1] }), TypeError);
  assert.throws(() => gdtTs(cloud, cloud.slice(3)), TypeError);
  assert.throws(() => gdtTs(cloud, cloud, { length: -1 }), RangeError);
});
