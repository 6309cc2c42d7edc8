/** Every kernel that ops, networks and the optimizer run. */
import { loadsKernel } from "../../core/kernels.ts";
import type { AdapterTraits, Device } from "../../core/mod.ts";
import { matmulTiles } from "../../ops/matmul_tiles.ts";
import * as ops from "../../ops/mod.ts";
import { familiesOf } from "../../ops/tuning.ts";
import { runAlphaFold } from "./alphafold.ts";
import { CALLS } from "./calls.ts";
import { collectingDevice, type KernelText } from "./collect.ts";
import { runNetworks, runOthers } from "./networks.ts";

/** All kernels that a kind of adapter would be given. */
export async function kernelsOf(traits: AdapterTraits): Promise<Map<string, KernelText>> {
  const found = new Map<string, KernelText>();
  const callAll = (device: Device) => Object.values(CALLS).forEach((call) => call(device));
  const device = collectingDevice(traits, found);
  callAll(device);
  await runOthers(device);
  for (const tile of matmulTiles(traits)) {
    ops.setTuning(device, { ...ops.tuningOf(device), matmul: { large: tile, small: tile, long: tile } });
    CALLS.matmul(device);
    CALLS.linear(device);
  }
  for (const attention of familiesOf(traits, "attention").slice(1)) {
    ops.setTuning(device, { ...ops.tuningOf(device), attention });
    CALLS.attention(device);
  }
  const half = collectingDevice(traits, found);
  half.intermediates = "f16";
  callAll(half);
  for (const maxBindingBytes of [2 ** 13, 2 ** 15]) callAll(collectingDevice({ ...traits, maxBindingBytes }, found));
  await runNetworks(collectingDevice(traits, found));
  runAlphaFold(collectingDevice(traits, found));
  const checking = collectingDevice(traits, found, { dry: false }); // numbers are looked for in what runs alone
  checking.checkNumerics(true);
  ops.relu(checking.empty([5]));
  const loads = loadsKernel({ lanes: traits.subgroupSize || 64 });
  for (const halves of [{}, { x: { dtype: "f16" }, out: { dtype: "f16" } } as const]) {
    checking.kernels.pipelineOf(loads, halves, () => {});
  }
  return found;
}
