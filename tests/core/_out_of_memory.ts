/**
 * Runs out of memory for real: the process takes the right to more of it from itself, then goes on. Where the driver
 * promises memory that it does not have (lavapipe of Mesa 25, which crashes when it is used), it says "overcommitted".
 */
import { Device } from "../../core/mod.ts";
import { matmul } from "../../ops/matmul.ts";
import { ensureAdapter } from "../../tools/platform/driver.ts";

const device = await Device.open((await ensureAdapter()).adapter);
const kept = device.tensor([2, 3, 4], [3]);
await kept.read();
const sums = async (n: number) => {
  using _ = device.scope("sums");
  const ones = device.tensor(new Float32Array(n * n).fill(1), [n, n]);
  const found = await matmul(ones, ones).read();
  return found.filter((value) => value === n).length;
};
await sums(64); // compiles what is needed later
const size = Number(/VmSize:\s+(\d+)/.exec(Deno.readTextFileSync("/proc/self/status"))![1]) * 1024;
const { success } = await new Deno.Command("prlimit", {
  args: ["--pid", `${Deno.pid}`, `--as=${size + 400 * 2 ** 20}`],
}).output();
if (!success) throw new Error("prlimit failed");
if (!await refusesMemory(device.gpu)) {
  console.log("overcommitted");
  Deno.exit();
}
try {
  using scope = device.scope("hoard");
  for (let i = 0; i < 16; i++) device.zeros([2 ** 24]);
  await device.finish();
  console.log("there was enough memory", scope.name);
} catch (error) {
  console.log(`${error}`);
}
console.log(`then ${(await kept.read()).join(", ")}, and ${await sums(64)} of 4096 sums are right`);
device.close();

/** Whether a buffer is refused before 1 GiB is given out. */
async function refusesMemory(gpu: GPUDevice): Promise<boolean> {
  const buffers: GPUBuffer[] = [];
  let error: GPUError | null = null;
  while (!error && buffers.length < 16) {
    gpu.pushErrorScope("out-of-memory");
    buffers.push(gpu.createBuffer({ size: 2 ** 26, usage: GPUBufferUsage.STORAGE }));
    error = await gpu.popErrorScope();
  }
  for (const buffer of buffers) buffer.destroy();
  return error !== null;
}
