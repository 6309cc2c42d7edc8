import type { AdapterTraits } from "./adapter.ts";
import type { Tensor } from "./tensor.ts";
import { isWritten, type Kernel, kernelText, mayBeHalf } from "./wgsl.ts";

/** A compiled kernel and the layout of its bindings. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Compiles each kernel once; what is the same text is the same pipeline. */
export class PipelineCache {
  readonly #gpu: GPUDevice;
  readonly #traits: AdapterTraits;
  readonly #byKernel = new Map<Kernel, Map<string, Pipeline>>();
  readonly #byText = new Map<string, Pipeline>();

  constructor(gpu: GPUDevice, traits: AdapterTraits) {
    this.#gpu = gpu;
    this.#traits = traits;
  }

  /**
   * The pipeline of a kernel.
   *
   * @param bindings Its tensors by name: some may be of 16-bit floats, and the kernel is compiled for that.
   * @param compiled Called with the time before it, when the kernel had to be compiled.
   */
  of(kernel: Kernel, bindings: Readonly<Record<string, Tensor>>, compiled: (began: number) => void): Pipeline {
    const halves = halvesOf(kernel, bindings);
    let variants = this.#byKernel.get(kernel);
    if (!variants) this.#byKernel.set(kernel, variants = new Map());
    const variant = halves.join();
    let made = variants.get(variant);
    if (!made) {
      const { textureLoads: textures, needsEnableSubgroups: enableSubgroups } = this.#traits;
      const code = kernelText(kernel, { textures, enableSubgroups, halves });
      const began = performance.now();
      const known = this.#byText.get(code);
      made = known ?? this.#create(kernel, code, halves);
      if (!known) compiled(began);
      variants.set(variant, made);
      this.#byText.set(code, made);
    }
    return made;
  }

  #create(kernel: Kernel, code: string, halves: readonly string[]): Pipeline {
    const label = kernel.name;
    const module = this.#gpu.createShaderModule({ label, code });
    const layout = this.#gpu.createBindGroupLayout({
      label,
      entries: layoutOf(kernel, this.#traits.textureLoads, halves),
    });
    const pipeline = this.#gpu.createComputePipeline({
      label,
      layout: this.#gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    });
    return { pipeline, layout };
  }
}

/** Names of a kernel's bindings that are tensors of 16-bit floats. */
function halvesOf({ name, bindings: types }: Kernel, bindings: Readonly<Record<string, Tensor>>): string[] {
  const halves = types.filter(([binding]) => bindings[binding]?.dtype === "f16");
  for (const [binding, type] of halves) {
    if (mayBeHalf(type)) continue;
    throw new TypeError(`Kernel ${name}: ${binding} [${bindings[binding].shape}] is f16, this kernel takes f32 there`);
  }
  return halves.map(([binding]) => binding);
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
