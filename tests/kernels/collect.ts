/** The texts of kernels that a computation would run, without an adapter. */
import { dryGpu } from "../../core/_dry.ts";
import { type AdapterTraits, Device, type Kernel } from "../../core/mod.ts";

/** A kernel as a device compiles it. */
export interface KernelText {
  readonly name: string;
  /** What it is the text of. */
  readonly kernel: Kernel;
  /** Its WGSL. */
  readonly text: string;
  /** What its pipeline says of its bindings. */
  readonly entries: readonly GPUBindGroupLayoutEntry[];
}

/** A device that computes nothing and puts every kernel it is asked for into a map, by its text. */
export function collectingDevice(traits: AdapterTraits, found: Map<string, KernelText>, { dry = true } = {}): Device {
  // What the stand-in makes is what it was made of: a pipeline's descriptor then leads to the text and the layout.
  const same = <D, T>(descriptor: D) => descriptor as unknown as T;
  let kernel: Kernel;
  const gpu = Object.assign(dryGpu(), {
    createShaderModule: same,
    createBindGroupLayout: same,
    createPipelineLayout: same,
    createComputePipeline({ label = "", layout, compute }: GPUComputePipelineDescriptor) {
      const { code } = compute.module as unknown as GPUShaderModuleDescriptor;
      const { bindGroupLayouts: [group] } = layout as unknown as GPUPipelineLayoutDescriptor;
      const { entries } = group as unknown as GPUBindGroupLayoutDescriptor;
      found.set(code, { name: label, kernel, text: code, entries: [...entries] });
      return {} as GPUComputePipeline;
    },
  });
  const device = new Device(gpu, traits, { dry, verify: false });
  const { kernels } = device, { pipelineOf } = kernels;
  kernels.pipelineOf = (asked, ...rest) => pipelineOf.call(kernels, kernel = asked, ...rest);
  return device;
}
