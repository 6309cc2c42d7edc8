import type { Mirror, Storage } from "./tensor.ts";
import { TEXTURE_WIDTH } from "./wgsl.ts";

/**
 * Textures are a cache line wider than what is read of them: else matrices whose rows are a power of two long would
 * fall on the same few cache sets (1.3 to 1.6 times slower on lavapipe).
 */
const ALLOCATED_WIDTH = TEXTURE_WIDTH + 4;
const ROW_BYTES = ALLOCATED_WIDTH * 16;
const KEEP_BYTES = 128 * 2 ** 20;

/**
 * Scratch textures that mirror tensors for `load` bindings. A mirror stays valid until its tensor is written or freed;
 * the least recently used ones are taken for other tensors.
 */
export class MirrorPool {
  readonly #gpu: GPUDevice;
  #mirrors: Mirror[] = [];
  #doomed: GPUTexture[] = [];

  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
  }

  /** Bytes of all scratch textures. */
  bytes = 0;
  /** The most there were. */
  peakBytes = 0;

  /**
   * The mirror of a storage, made if there is none.
   *
   * @param now Number of the dispatch; its own mirrors are not taken away.
   * @param copy Records the copy of the storage to a fresh mirror.
   */
  of(storage: Storage, now: number, copy: (mirror: Mirror) => void): Mirror {
    if (storage.mirror) {
      storage.mirror.lastUse = now;
      return storage.mirror;
    }
    const rows = oddRows(storage.bytes);
    const fitting = this.#mirrors.filter((m) => m.rows >= rows && m.rows <= Math.max(4, 2 * rows) && m.lastUse !== now);
    const idle = fitting.filter((m) => !m.owner);
    const total = this.bytes + rows * ROW_BYTES;
    let mirror = oldest(idle.length || total < KEEP_BYTES ? idle : fitting);
    if (!mirror) {
      this.#evict(total - KEEP_BYTES, now);
      mirror = this.#create(rows);
    }
    if (mirror.owner) mirror.owner.mirror = null;
    mirror.owner = storage;
    mirror.lastUse = now;
    storage.mirror = mirror;
    copy(mirror);
    return mirror;
  }

  /** The storage is about to be written, or is free: its mirror is out of date. */
  drop(storage: Storage): void {
    if (!storage.mirror) return;
    storage.mirror.owner = null;
    storage.mirror = null;
  }

  /** Lets all go. */
  clear(): void {
    this.#evict(Infinity, -1);
    this.peakBytes = this.bytes;
  }

  /** Called after a submit. */
  afterSubmit(): void {
    for (const texture of this.#doomed.splice(0)) texture.destroy();
  }

  #create(rows: number): Mirror {
    const texture = this.#gpu.createTexture({
      label: "mirror",
      size: [ALLOCATED_WIDTH, rows],
      format: "rgba32float",
      usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST,
    });
    const mirror = { texture, view: texture.createView(), rows, owner: null, lastUse: -1 };
    this.#mirrors.push(mirror);
    this.bytes += rows * ROW_BYTES;
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
    return mirror;
  }

  #evict(excess: number, now: number): void {
    if (excess <= 0) return;
    const byAge = this.#mirrors.filter((m) => m.lastUse !== now).sort((a, b) => a.lastUse - b.lastUse);
    const evicted = new Set<Mirror>();
    for (const mirror of byAge) {
      if (excess <= 0) break;
      excess -= mirror.rows * ROW_BYTES;
      this.bytes -= mirror.rows * ROW_BYTES;
      if (mirror.owner) mirror.owner.mirror = null;
      this.#doomed.push(mirror.texture);
      evicted.add(mirror);
    }
    this.#mirrors = this.#mirrors.filter((m) => !evicted.has(m));
  }
}

/**
 * Rows of a mirror: never a power of two, because lavapipe compiles a kernel anew for textures whose height is one and
 * for those whose height is not, in the middle of a run.
 */
function oddRows(bytes: number): number {
  return Math.max(3, Math.ceil(bytes / (TEXTURE_WIDTH * 16)) | 1);
}

function oldest(mirrors: readonly Mirror[]): Mirror | undefined {
  return mirrors.reduce<Mirror | undefined>((a, b) => (!a || b.lastUse < a.lastUse ? b : a), undefined);
}
