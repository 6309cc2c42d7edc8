import assert from "node:assert/strict";
import { linear, tuningOf } from "../../../ops/mod.ts";
import { unitErrors } from "../../../tools/bench/precision.ts";
import { unitsText } from "../../../tools/cli/doctor.ts";
import { HALF_UNITS } from "../../kernels/traits.ts";
import { ensureAdapter } from "../../../tools/platform/driver.ts";
import { openVerified } from "../../../tools/platform/open_device.ts";
import { gpuTest, randomArray } from "../../_gpu.ts";
import { preferring, unitTiles, withUnits } from "../../_matrix_units.ts";

gpuTest("what units cost in accuracy is measured against the same device without them", async (shared) => {
  const device = withUnits(shared, "f16, 16 × 16 × 16, 32 lanes");
  preferring(device, unitTiles(device).at(-1)!);
  const x = device.tensor(randomArray(40 * 20, 1), [40, 20]), weight = device.tensor(randomArray(24 * 20, 2), [24, 20]);
  const before = tuningOf(device);
  const [error, ...more] = await unitErrors(device, () => [linear(x, { weight }), null]) ?? [];
  assert.deepEqual(more, []);
  assert.ok(error > 2e-5 && error < 1e-3, `${error}`);
  assert.deepEqual(tuningOf(device), before);
  assert.equal(await unitErrors(shared, () => assert.fail("there are no units")), undefined);
});

Deno.test("doctor says which matrix units there are, and whether they are used", () => {
  const units = HALF_UNITS;
  assert.equal(unitsText(undefined), "none offered");
  const shape = "16 × 16 × 16, f16 with sums in f32, 32 lanes";
  assert.equal(
    unitsText({ ...units, used: false }),
    `${shape}; not used: --precision f16-products lets products use them`,
  );
  assert.equal(unitsText({ ...units, used: true }), `${shape}; products use them where they are right and fastest`);
});

Deno.test("where reduced precision is asked for and there are no units, it is said", async () => {
  const told: string[] = [];
  const { adapter } = await ensureAdapter();
  const device = await openVerified(adapter, { precision: "f16-products", log: (line) => told.push(line) });
  device.close();
  assert.match(told.join("\n"), /^.+ offers no matrix units through this WebGPU .*: products are computed in f32\.$/);
});
