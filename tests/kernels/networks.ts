/** Whole networks, and what else has kernels of its own besides ops, on devices that compute nothing. */
import assert from "node:assert/strict";
import type { Device } from "../../core/mod.ts";
import { ExponentialMovingAverage } from "../../finetune/mod.ts";
import { mdsOnGpu } from "../../model/distance_geometry/mod.ts";
import { setFusions } from "../../ops/mod.ts";
import { WORKLOADS } from "../../tools/networks/mod.ts";
import type { WorkloadValues } from "../../tools/profile/workloads/workload.ts";

/** Odd sizes, and whole vec4s; flags that a workload does not have are passed over. */
const SIZES: readonly WorkloadValues[] = [
  { "n-seq": 5, "n-res": 13, batch: 1, blocks: 1 },
  { "n-seq": 8, "n-res": 32, batch: 2, blocks: 1 },
];

const MODES: readonly WorkloadValues[] = [
  {},
  { train: true },
  { storage: "f16" },
];

/** Runs every workload of `denofold profile`, there and back, with all fusions and with none. */
export async function runNetworks(device: Device): Promise<void> {
  for (const fused of [true, false]) {
    if (!fused) setFusions(device, []);
    for (const { flags, open } of Object.values(WORKLOADS)) {
      const known = (values: WorkloadValues) =>
        Object.fromEntries(Object.entries(values).filter(([name]) => flags.some((flag) => flag.name === name)));
      const modes = new Set(MODES.map((mode) => JSON.stringify(known(mode)))); // those that differ for this one
      for (const sizes of fused ? SIZES : SIZES.slice(1)) {
        for (const mode of modes) {
          const values = { ...Object.fromEntries(flags.map(({ name, value }) => [name, value])), ...known(sizes) };
          using workload = open(device, { ...values, ...JSON.parse(mode) });
          await workload.step();
        }
      }
    }
  }
}

/** Runs what is neither an op nor in a network. */
export async function runOthers(device: Device): Promise<void> {
  using scope = device.scope("others");
  void scope;
  const params = { a: device.empty([13, 7]), b: device.empty([8]) };
  using average = new ExponentialMovingAverage(device, params, 0.99);
  average.update(params);
  const points = 13;
  const distances = Float64Array.from({ length: points ** 2 }, (_, k) => Math.abs(Math.floor(k / points) - k % points));
  for (const weights of [undefined, distances.map((d) => 1 / (1 + d))]) {
    await assert.rejects(mdsOnGpu(device, distances, points, { weights }), /holds no numbers/);
  }
}
