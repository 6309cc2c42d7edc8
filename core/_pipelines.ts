import type { AdapterTraits, LoadPath } from "./adapter.ts";
import { isWritten, type Kernel, kernelText } from "./wgsl.ts";

/** A compiled kernel and the layout of its bindings. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
  /** Where its `load` bindings are served from. */
  readonly loads: LoadPath;
}

/** The text of a kernel for an adapter. */
export function textOf(kernel: Kernel, halves: readonly string[], loads: LoadPath, traits: AdapterTraits): string {
  return kernelText(kernel, { textures: loads === "textures", enableSubgroups: traits.needsEnableSubgroups, halves });
}

/** Compiles a kernel's text. */
export function createPipeline(
  gpu: GPUDevice,
  kernel: Kernel,
  code: string,
  halves: readonly string[],
  loads: LoadPath,
): Pipeline {
  const label = kernel.name;
  const module = gpu.createShaderModule({ label, code });
  const layout = gpu.createBindGroupLayout({ label, entries: layoutOf(kernel, loads === "textures", halves) });
  const pipeline = gpu.createComputePipeline({
    label,
    layout: gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module, entryPoint: "main" },
  });
  return { pipeline, layout, loads };
}

function layoutOf(kernel: Kernel, textures: boolean, halves: readonly string[]): GPUBindGroupLayoutEntry[] {
  const visibility = GPUShaderStage.COMPUTE;
  const entries: GPUBindGroupLayoutEntry[] = kernel.bindings.map(([name, type], binding) => {
    if (type === "load vec4f" && textures) {
      const format = halves.includes(name) ? "rgba16float" : "rgba32float";
      return { binding, visibility, storageTexture: { access: "read-only", format } };
    }
    return { binding, visibility, buffer: { type: isWritten(type) ? "storage" : "read-only-storage" } };
  });
  if (kernel.uniforms.length) entries.push({ binding: entries.length, visibility, buffer: { type: "uniform" } });
  return entries;
}
