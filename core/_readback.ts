import type { Failures, Submission } from "./_failures.ts";

const IN_DENO = "Deno" in globalThis;

/** Staging buffers larger than this are not kept. */
const LARGEST_KEPT = 2 ** 20;

const USAGE = () => GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;

/** A buffer that the CPU maps to read. */
interface Staging {
  readonly buffer: GPUBuffer;
  /** Whether a mapping was awaited before: only then may Deno be asked for the range without awaiting. */
  mappedBefore: boolean;
}

/** Devices whose staging buffers can be read as soon as their mapping is asked for. */
const immediate = new WeakSet<GPUDevice>();

/** Copies bytes from the GPU to the CPU, through staging buffers. */
export class Readback {
  readonly #gpu: GPUDevice;
  readonly #failures: Failures;
  readonly #staging = new Map<number, Staging[]>();

  constructor(gpu: GPUDevice, failures: Failures) {
    this.#gpu = gpu;
    this.#failures = failures;
  }

  /**
   * Whether the work is done when it is asked for: in Deno, what waits for the GPU has waited when it returns, and
   * awaiting it besides would cost a sleep of 10 ms. Known from {@linkcode probe}.
   */
  get immediate(): boolean {
    return immediate.has(this.#gpu) && !this.#failures.isLost;
  }

  /**
   * Looks whether staging buffers can be read without awaiting: two numbers are fetched, the second in that way. Deno
   * panics when a range is asked for before the first awaited mapping of a buffer, hence the first.
   */
  static async probe(gpu: GPUDevice): Promise<void> {
    if (!IN_DENO) return;
    const usage = GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const source = gpu.createBuffer({ label: "probe", size: 4, usage });
    const staging = gpu.createBuffer({ label: "probe", size: 4, usage: USAGE() });
    const fetches = async (value: number, awaited: boolean) => {
      gpu.queue.writeBuffer(source, 0, Uint32Array.of(value));
      const encoder = gpu.createCommandEncoder();
      encoder.copyBufferToBuffer(source, 0, staging, 0, 4);
      gpu.queue.submit([encoder.finish()]);
      const mapped = staging.mapAsync(GPUMapMode.READ);
      if (awaited) await mapped;
      else mapped.catch(() => {});
      const [found] = new Uint32Array(staging.getMappedRange().slice(0));
      staging.unmap();
      return found === value;
    };
    try {
      if (await fetches(0x1234567, true) && await fetches(0x89abcde, false)) immediate.add(gpu);
    } catch { // then it is awaited
    } finally {
      staging.destroy();
      source.destroy();
    }
  }

  /**
   * Reads bytes.
   *
   * @param size How many, whole words.
   * @param submit Submits a copy of them to the start of the buffer it gets.
   * @throws {Error} If that or something submitted before it failed.
   */
  async read(size: number, submit: (staging: GPUBuffer) => Submission): Promise<ArrayBuffer> {
    const staging = this.#take(size);
    const { buffer } = staging;
    let done = false;
    try {
      const submission = submit(buffer);
      let refused: Error | undefined;
      const mapped = buffer.mapAsync(GPUMapMode.READ).catch((error: Error) => {
        refused = error;
      });
      let bytes: ArrayBuffer | undefined;
      if (this.immediate && staging.mappedBefore) bytes = rangeOf(buffer, size);
      if (!bytes) {
        await mapped;
        bytes = rangeOf(buffer, size);
      }
      if (bytes) buffer.unmap();
      done = bytes !== undefined;
      staging.mappedBefore = done;
      await this.#failures.wait(submission);
      if (bytes) return bytes;
      const { name, message } = refused ?? new Error("they are not there");
      if (name !== "AbortError") { // nothing else failed, so the device must be gone
        this.#failures.lost(` or refused to answer: ${message}`);
        await this.#failures.wait(submission);
      }
      throw new Error(`The GPU did not hand over ${size} bytes: ${message}`);
    } finally {
      this.#release(staging, done);
    }
  }

  #take(bytes: number): Staging {
    const size = bytes > LARGEST_KEPT ? bytes : 2 ** Math.max(8, Math.ceil(Math.log2(bytes)));
    const kept = this.#staging.get(size)?.pop();
    return kept ?? { buffer: this.#gpu.createBuffer({ label: "staging", size, usage: USAGE() }), mappedBefore: false };
  }

  /** @param reusable Whether the buffer was mapped and is not any more. */
  #release(staging: Staging, reusable: boolean): void {
    const { size } = staging.buffer;
    if (!reusable || size > LARGEST_KEPT) return staging.buffer.destroy();
    const list = this.#staging.get(size);
    if (list) list.push(staging);
    else this.#staging.set(size, [staging]);
  }
}

/** A copy of a mapped buffer's first bytes, if it is mapped. */
function rangeOf(buffer: GPUBuffer, size: number): ArrayBuffer | undefined {
  try {
    return buffer.getMappedRange(0, size).slice(0);
  } catch {
    return undefined;
  }
}
