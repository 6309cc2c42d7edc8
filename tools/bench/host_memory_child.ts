/**
 * Loads weights of the full-size network from a file to the device, in a process of its own, and prints the most memory
 * that the process held, in bytes: `host_memory_child.ts [FILE]`; without a file it loads none.
 *
 * @module
 */
import { alphafoldConfig } from "../../model/alphafold/mod.ts";
import { openfoldWeights } from "../../model/weights/openfold_weights.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { loadNetwork } from "../predict/network.ts";
import { openWeights } from "../weights/open_weights.ts";

const [path] = Deno.args;
const { adapter } = await ensureAdapter();
const device = await openDevice(adapter);
using scope = device.scope("weights");
void scope;
if (path !== undefined) {
  using opened = await openWeights(path);
  await loadNetwork(device, alphafoldConfig("model_1_ptm"), openfoldWeights(opened.file).entries);
}
await device.finish();
const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
console.log(JSON.stringify({ peakBytes: 1024 * Number(kilobytes) }));
Deno.exit(0);
