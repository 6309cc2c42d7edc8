import type { AdapterTraits } from "./adapter.ts";
import type { Failures } from "./_failures.ts";
import { type Shape, sizeOf } from "./shapes.ts";
import type { Block, Storage } from "./tensor.ts";

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

/** An idle buffer serves for what takes at least two thirds of it, so that inputs of varied length share buffers. */
const LARGEST_FIT = 1.5;

/**
 * Buffers take at most so many times what tensors took at their peak, else idle ones are destroyed to make room for new
 * ones. With no room at all, every step of a training would destroy and create a third of its buffers.
 */
const ROOM = 1 + 1 / 16;

/** Hands out GPU buffers and takes them back for reuse; a buffer is destroyed only after the commands that use it are submitted. */
export class MemoryPool {
  readonly #gpu: GPUDevice;
  readonly #traits: AdapterTraits;
  readonly #failures: Failures;
  readonly #flush: () => void;
  /** Blocks that wait for reuse, by their size. */
  readonly #free = new Map<number, Block[]>();
  /** All blocks: those that wait, and those that tensors hold. */
  readonly #blocks = new Set<Block>();
  #doomed: Block[] = [];
  #freeBytes = 0;
  #liveBytes = 0;
  #peakBytes = 0;
  #liveTensors = 0;
  #allocatedBytes = 0;
  #peakAllocatedBytes = 0;
  /** The most that tensors held at once since the last trim. */
  #mark = 0;

  constructor(gpu: GPUDevice, traits: AdapterTraits, failures: Failures, flush: () => void) {
    this.#gpu = gpu;
    this.#traits = traits;
    this.#failures = failures;
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

  /** Destroys all buffers that wait for reuse. */
  trim(): void {
    this.#destroyIdle(Infinity);
    this.#mark = 0;
  }

  resetPeak(): void {
    this.#peakBytes = this.#liveBytes;
    this.#peakAllocatedBytes = this.#allocatedBytes;
  }

  /** @throws {RangeError} If the adapter has no buffer for so many elements. */
  allocate(shape: Shape, elementBytes: number): Storage {
    const elements = sizeOf(shape);
    const bytes = Math.max(GRANULE, Math.ceil(elementBytes * elements / GRANULE) * GRANULE);
    const { maxBufferBytes } = this.#traits;
    if (!(bytes <= maxBufferBytes)) {
      throw new RangeError(
        `A tensor of shape [${shape}] takes ${bytes} bytes; a buffer of this adapter holds at most ${maxBufferBytes}, ${
          Math.floor(maxBufferBytes / elementBytes)
        } of the ${elements} elements: use fewer residues, fewer sequences or a smaller batch`,
      );
    }
    this.#liveBytes += bytes;
    this.#liveTensors++;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
    this.#mark = Math.max(this.#mark, this.#liveBytes);
    const block = this.#reuse(bytes) ?? this.#create(bytes);
    return { block, bytes, elements, holders: 0, mirrors: [] };
  }

  release({ block, bytes }: Storage): void {
    this.#liveBytes -= bytes;
    this.#liveTensors--;
    if (block.lost) return;
    this.#freeBytes += block.bytes;
    const list = this.#free.get(block.bytes);
    if (list) list.push(block);
    else this.#free.set(block.bytes, [block]);
  }

  /** Called after a submit: what was let go may now be destroyed. */
  afterSubmit(): void {
    for (const { buffer } of this.#doomed.splice(0)) buffer.destroy();
  }

  /** An idle block of this size, else the smallest that is little larger. */
  #reuse(bytes: number): Block | undefined {
    let size = this.#free.has(bytes) ? bytes : Infinity;
    if (size > bytes) { for (const idle of this.#free.keys()) if (idle > bytes && idle < size) size = idle; }
    return size <= LARGEST_FIT * bytes ? this.#takeIdle(size) : undefined;
  }

  #takeIdle(size: number): Block {
    const list = this.#free.get(size)!;
    const block = list.pop()!;
    if (list.length === 0) this.#free.delete(size);
    this.#freeBytes -= size;
    return block;
  }

  #create(bytes: number): Block {
    const excess = this.#allocatedBytes + bytes - ROOM * this.#mark;
    if (excess > 0 && this.#freeBytes > 0) this.#destroyIdle(excess);
    this.#allocatedBytes += bytes;
    this.#peakAllocatedBytes = Math.max(this.#peakAllocatedBytes, this.#allocatedBytes);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const buffer = this.#failures.allocate(
      bytes,
      () => this.#gpu.createBuffer({ size: bytes, usage }),
      (error) => this.#lose(block, error),
    );
    const block: Block = { buffer, bytes, lost: null };
    this.#blocks.add(block);
    return block;
  }

  /** The GPU had no memory for it: it is never handed out again. */
  #lose(block: Block, error: Error): void {
    block.lost = error;
    if (!this.#blocks.has(block)) return; // destroyed in the meantime
    const idle = this.#free.get(block.bytes);
    if (idle?.includes(block)) {
      idle.splice(idle.indexOf(block), 1);
      if (idle.length === 0) this.#free.delete(block.bytes);
      this.#freeBytes -= block.bytes;
    }
    this.#doom(block);
  }

  #doom(block: Block): void {
    this.#blocks.delete(block);
    this.#allocatedBytes -= block.bytes;
    this.#doomed.push(block);
  }

  #destroyIdle(wanted: number): void {
    let destroyed = 0;
    for (const size of [...this.#free.keys()].sort((a, b) => b - a)) {
      while (destroyed < wanted && this.#free.has(size)) {
        this.#doom(this.#takeIdle(size));
        destroyed += size;
      }
    }
    this.#flush();
    this.afterSubmit(); // when nothing was recorded, flush() did not come here
  }
}
