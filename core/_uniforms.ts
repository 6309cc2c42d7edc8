import type { Kernel } from "./wgsl.ts";

const SLOT_BYTES = 256;
const SLOTS = 1024;

/** The uniform blocks of the recorded kernels: one buffer, a slot a dispatch, written to the GPU before each submit. */
export class UniformSlots {
  readonly #queue: GPUQueue;
  readonly #buffer: GPUBuffer;
  readonly #bytes = new ArrayBuffer(SLOT_BYTES * SLOTS);
  readonly #view = new DataView(this.#bytes);
  #used = 0;

  constructor(gpu: GPUDevice) {
    this.#queue = gpu.queue;
    this.#buffer = gpu.createBuffer({
      label: "uniforms",
      size: SLOT_BYTES * SLOTS,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
  }

  /** Whether there is no slot left before the next submit. */
  get full(): boolean {
    return this.#used === SLOTS;
  }

  /**
   * Puts a kernel's numbers into the next slot.
   *
   * @throws {TypeError} If one is missing.
   */
  stage(kernel: Kernel, values: Readonly<Record<string, number>>): GPUBufferBinding {
    const offset = this.#used++ * SLOT_BYTES;
    kernel.uniforms.forEach(([name, type], i) => {
      const value = values[name];
      if (value === undefined) throw new TypeError(`Kernel ${kernel.name}: the uniform ${name} is missing`);
      const at = offset + 4 * i;
      if (type === "f32") this.#view.setFloat32(at, value, true);
      else if (type === "i32") this.#view.setInt32(at, value, true);
      else this.#view.setUint32(at, value, true);
    });
    return { buffer: this.#buffer, offset, size: Math.ceil(kernel.uniforms.length / 4) * 16 };
  }

  /** Writes what is staged; all slots are free again for what is recorded after the submit. */
  upload(): void {
    if (this.#used) this.#queue.writeBuffer(this.#buffer, 0, this.#bytes, 0, this.#used * SLOT_BYTES);
    this.#used = 0;
  }
}
