import type { AdapterTraits } from "./adapter.ts";
import { type Kernel, kernelText } from "./wgsl.ts";

/** A compiled kernel and the layout of its bindings. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Compiles each kernel once; what is the same text is the same pipeline. */
export class PipelineCache {
  readonly #gpu: GPUDevice;
  readonly #traits: AdapterTraits;
  readonly #byKernel = new Map<Kernel, Pipeline>();
  readonly #byText = new Map<string, Pipeline>();

  constructor(gpu: GPUDevice, traits: AdapterTraits) {
    this.#gpu = gpu;
    this.#traits = traits;
  }

  /**
   * The pipeline of a kernel.
   *
   * @param compiled Called with the time before it, when the kernel had to be compiled.
   */
  of(kernel: Kernel, compiled: (began: number) => void): Pipeline {
    let made = this.#byKernel.get(kernel);
    if (!made) {
      const { textureLoads: textures, needsEnableSubgroups: enableSubgroups } = this.#traits;
      const code = kernelText(kernel, { textures, enableSubgroups });
      const began = performance.now();
      const known = this.#byText.get(code);
      made = known ?? this.#create(kernel, code);
      if (!known) compiled(began);
      this.#byKernel.set(kernel, made);
      this.#byText.set(code, made);
    }
    return made;
  }

  #create(kernel: Kernel, code: string): Pipeline {
    const label = kernel.name;
    const module = this.#gpu.createShaderModule({ label, code });
    const layout = this.#gpu.createBindGroupLayout({ label, entries: layoutOf(kernel, this.#traits.textureLoads) });
    const pipeline = this.#gpu.createComputePipeline({
      label,
      layout: this.#gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    });
    return { pipeline, layout };
  }
}

function layoutOf(kernel: Kernel, textures: boolean): GPUBindGroupLayoutEntry[] {
  const visibility = GPUShaderStage.COMPUTE;
  const entries: GPUBindGroupLayoutEntry[] = kernel.bindings.map(([, type], binding) => {
    if (type === "load vec4f" && textures) {
      return { binding, visibility, storageTexture: { access: "read-only", format: "rgba32float" } };
    }
    return { binding, visibility, buffer: { type: type.startsWith("write") ? "storage" : "read-only-storage" } };
  });
  if (kernel.uniforms.length) entries.push({ binding: entries.length, visibility, buffer: { type: "uniform" } });
  return entries;
}
