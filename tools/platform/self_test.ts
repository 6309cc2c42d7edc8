import type { AdapterTraits } from "../../core/adapter.ts";

/** Outcome of {@link selfTest}. */
export interface SelfTest {
  /** Whether every number was right. */
  ok: boolean;
  /** One line: what was computed, or the first wrong number. */
  text: string;
  /** From creating the kernel to having its numbers, ms. */
  timeMs: number;
}

const WORKGROUP = 64;
const COUNT = 1009; // not a multiple of the workgroup: the last one is filled in part

/**
 * Runs a kernel of a few lines on a device and compares every number it writes: a multiply-add, and the sum over a
 * subgroup where there are subgroups of one size.
 */
export async function selfTest(device: GPUDevice, traits: AdapterTraits): Promise<SelfTest> {
  const start = performance.now();
  const lanes = WORKGROUP % traits.subgroupSize === 0 ? traits.subgroupSize : 0;
  const code = `${lanes > 0 && traits.needsEnableSubgroups ? "enable subgroups;" : ""}
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<vec2f>;
@compute @workgroup_size(${WORKGROUP})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let lanes = ${lanes > 0 ? "subgroupAdd(1.0)" : "0.0"};
  if (id.x < arrayLength(&x)) { y[id.x] = vec2f(x[id.x] * 0.5 + f32(id.x), lanes); }
}`;
  const x = Float32Array.from({ length: COUNT }, (_, i) => (i * 37) % 101 - 50);
  device.pushErrorScope("validation");
  const input = device.createBuffer({ size: x.byteLength, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
  const output = device.createBuffer({
    size: 2 * x.byteLength,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC,
  });
  const readable = device.createBuffer({ size: output.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(input, 0, x);
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }), entryPoint: "main" },
  });
  const entries = [input, output].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(COUNT / WORKGROUP));
  pass.end();
  encoder.copyBufferToBuffer(output, 0, readable, 0, output.size);
  device.queue.submit([encoder.finish()]);
  const invalid = await device.popErrorScope();
  if (invalid) return { ok: false, text: invalid.message.replace(/\s+/g, " "), timeMs: performance.now() - start };
  await readable.mapAsync(GPUMapMode.READ);
  const y = new Float32Array(readable.getMappedRange());
  const wrong = firstWrong(x, y, lanes);
  const timeMs = performance.now() - start;
  const done = `${COUNT} numbers${lanes > 0 ? `, subgroups of ${lanes} lanes` : ""} in ${timeMs.toFixed(0)} ms`;
  return { ok: wrong === undefined, text: wrong ?? done, timeMs };
}

/** All values are halves of small whole numbers, which f32 holds exactly. */
function firstWrong(x: Float32Array, y: Float32Array, lanes: number): string | undefined {
  for (let i = 0; i < x.length; i++) {
    const expected = x[i] * 0.5 + i;
    if (y[2 * i] !== expected) return `number ${i} is ${y[2 * i]}, expected ${expected}`;
    if (y[2 * i + 1] !== lanes) return `the subgroup of number ${i} has ${y[2 * i + 1]} lanes, expected ${lanes}`;
  }
  return undefined;
}
