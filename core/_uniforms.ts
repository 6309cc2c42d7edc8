import { type Kernel, MOST_UNIFORMS } from "./wgsl.ts";

const SLOT_BYTES = 4 * MOST_UNIFORMS;

/** Bytes of a kernel's uniform block. */
export function uniformBytes({ uniforms }: Kernel): number {
  return Math.ceil(uniforms.length / 4) * 16;
}

/**
 * Writes a kernel's numbers as its uniform block has them.
 *
 * @param unlimited Whether numbers above 32 bits pass, on a device for plans that computes nothing. @default false
 * @throws {TypeError} If one is missing.
 * @throws {RangeError} If one is no whole number of its type.
 */
export function writeUniforms(
  kernel: Kernel,
  values: Readonly<Record<string, number>>,
  view: DataView,
  offset: number,
  unlimited = false,
): void {
  kernel.uniforms.forEach(([name, type], i) => {
    const value = values[name];
    if (value === undefined) throw new TypeError(`Kernel ${kernel.name}: the uniform ${name} is missing`);
    const at = offset + 4 * i;
    if (type === "f32") return view.setFloat32(at, value, true);
    const [least, most] = RANGES[type];
    if (!(Number.isInteger(value) && value >= least && (value <= most || unlimited))) {
      throw new RangeError(
        `Kernel ${kernel.name}: the uniform ${name} is ${value}, it must be a whole number from ${least} to ${most}`,
      );
    }
    if (type === "i32") view.setInt32(at, value, true);
    else view.setUint32(at, value, true);
  });
}

const SLOTS = 1024;

const RANGES = { u32: [0, 2 ** 32 - 1], i32: [-(2 ** 31), 2 ** 31 - 1] } as const;

/** The uniform blocks of the recorded kernels: one buffer, a slot a dispatch, written to the GPU before each submit. */
export class UniformSlots {
  readonly #queue: GPUQueue;
  readonly #buffer: GPUBuffer;
  readonly #bytes = new ArrayBuffer(SLOT_BYTES * SLOTS);
  readonly #view = new DataView(this.#bytes);
  readonly #unlimited: boolean;
  #used = 0;

  /** @param unlimited Whether numbers may be larger than their types hold, since nothing runs. */
  constructor(gpu: GPUDevice, unlimited: boolean) {
    this.#unlimited = unlimited;
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
   * @throws {RangeError} If one is no whole number of its type.
   */
  stage(kernel: Kernel, values: Readonly<Record<string, number>>): GPUBufferBinding {
    const offset = this.#used * SLOT_BYTES;
    writeUniforms(kernel, values, this.#view, offset, this.#unlimited);
    this.#used++;
    return { buffer: this.#buffer, offset, size: uniformBytes(kernel) };
  }

  /** Writes what is staged; all slots are free again for what is recorded after the submit. */
  upload(): void {
    if (this.#used) this.#queue.writeBuffer(this.#buffer, 0, this.#bytes, 0, this.#used * SLOT_BYTES);
    this.#used = 0;
  }
}
