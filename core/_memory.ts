import type { AdapterTraits } from "./adapter.ts";
import { type Shape, sizeOf } from "./shapes.ts";
import type { Storage } from "./tensor.ts";

/** GPU memory of a device, in bytes. */
export interface MemoryReport {
  /** Bytes that tensors hold. */
  readonly liveBytes: number;
  /** The most that tensors held at once. */
  readonly peakBytes: number;
  /** Storages that tensors hold. */
  readonly liveTensors: number;
  /** Bytes of all buffers, those that wait for reuse included. */
  readonly allocatedBytes: number;
  /** The most bytes of all buffers at once. */
  readonly peakAllocatedBytes: number;
}

const GRANULE = 256;

/** Staging buffers larger than this are not kept. */
const LARGEST_KEPT = 2 ** 20;

/** A buffer that the CPU maps to read. */
export interface Staging {
  readonly buffer: GPUBuffer;
  /** Whether a mapping was awaited before: only then may Deno be asked for the range without awaiting. */
  mappedBefore: boolean;
}

/** Hands out GPU buffers and takes them back for reuse; a buffer is destroyed only after the commands that use it are submitted. */
export class MemoryPool {
  readonly #gpu: GPUDevice;
  readonly #traits: AdapterTraits;
  readonly #flush: () => void;
  readonly #free = new Map<number, GPUBuffer[]>();
  readonly #staging = new Map<number, Staging[]>();
  #doomed: GPUBuffer[] = [];
  #freeBytes = 0;
  #liveBytes = 0;
  #peakBytes = 0;
  #liveTensors = 0;
  #allocatedBytes = 0;
  #peakAllocatedBytes = 0;

  constructor(gpu: GPUDevice, traits: AdapterTraits, flush: () => void) {
    this.#gpu = gpu;
    this.#traits = traits;
    this.#flush = flush;
  }

  /** @param mirrors Bytes of the scratch textures, counted as allocated: at present, and the most there were. */
  report(mirrors: { bytes: number; peakBytes: number }): MemoryReport {
    return {
      liveBytes: this.#liveBytes,
      peakBytes: this.#peakBytes,
      liveTensors: this.#liveTensors,
      allocatedBytes: this.#allocatedBytes + mirrors.bytes,
      peakAllocatedBytes: this.#peakAllocatedBytes + mirrors.peakBytes,
    };
  }

  resetPeak(): void {
    this.#trim(Infinity);
    this.#peakBytes = this.#liveBytes;
    this.#peakAllocatedBytes = this.#allocatedBytes;
  }

  /** @throws {RangeError} If the adapter has no buffer for so many elements. */
  allocate(shape: Shape, elementBytes: number): Storage {
    const size = sizeOf(shape);
    const bytes = Math.max(GRANULE, Math.ceil(elementBytes * size / GRANULE) * GRANULE);
    const { maxBufferBytes } = this.#traits;
    if (!(bytes <= maxBufferBytes)) {
      throw new RangeError(
        `A tensor of shape [${shape}] takes ${bytes} bytes; a buffer of this adapter holds at most ${maxBufferBytes}, ${
          Math.floor(maxBufferBytes / elementBytes)
        } of the ${size} elements: use fewer residues, fewer sequences or a smaller batch`,
      );
    }
    const buffer = this.#free.get(bytes)?.pop();
    if (buffer) this.#freeBytes -= bytes;
    const storage = { buffer: buffer ?? this.#create(bytes), bytes, elements: size, holders: 0, mirrors: [] };
    this.#liveBytes += bytes;
    this.#liveTensors++;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
    return storage;
  }

  release({ buffer, bytes }: Storage): void {
    this.#liveBytes -= bytes;
    this.#liveTensors--;
    this.#freeBytes += bytes;
    push(this.#free, bytes, buffer);
  }

  /** A staging buffer of at least this many bytes. */
  staging(bytes: number): Staging {
    const size = bytes > LARGEST_KEPT ? bytes : 2 ** Math.max(8, Math.ceil(Math.log2(bytes)));
    return this.#staging.get(size)?.pop() ?? {
      buffer: this.#gpu.createBuffer({
        label: "staging",
        size,
        usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
      }),
      mappedBefore: false,
    };
  }

  releaseStaging(staging: Staging): void {
    const { buffer } = staging;
    if (buffer.size <= LARGEST_KEPT) push(this.#staging, buffer.size, staging);
    else buffer.destroy();
  }

  /** Called after a submit: what was let go may now be destroyed. */
  afterSubmit(): void {
    for (const buffer of this.#doomed.splice(0)) buffer.destroy();
  }

  #create(bytes: number): GPUBuffer {
    // A new high-water mark only when reuse cannot avoid it: idle buffers of other sizes go first.
    const excess = this.#allocatedBytes + bytes - this.#peakAllocatedBytes;
    if (excess > 0 && this.#freeBytes > 0) this.#trim(excess);
    this.#allocatedBytes += bytes;
    this.#peakAllocatedBytes = Math.max(this.#peakAllocatedBytes, this.#allocatedBytes);
    return this.#gpu.createBuffer({
      size: bytes,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
  }

  #trim(wanted: number): void {
    let trimmed = 0;
    for (const [bytes, buffers] of [...this.#free].sort(([a], [b]) => b - a)) {
      while (trimmed < wanted && buffers.length) {
        this.#doomed.push(buffers.pop()!);
        trimmed += bytes;
      }
    }
    this.#freeBytes -= trimmed;
    this.#allocatedBytes -= trimmed;
    this.#flush();
    this.afterSubmit(); // when nothing was recorded, flush() did not come here
  }
}

function push<T>(lists: Map<number, T[]>, key: number, item: T): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}
