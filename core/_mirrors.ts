import type { Failures } from "./_failures.ts";
import { ELEMENT_BYTES, type Mirror, type Storage, type Tensor } from "./tensor.ts";
import { TEXTURE_WIDTH } from "./wgsl.ts";

/**
 * Textures are a cache line wider than what is read of them: else matrices whose rows are a power of two long would
 * fall on the same few cache sets (1.3 to 1.6 times slower on lavapipe).
 */
const ALLOCATED_WIDTH = TEXTURE_WIDTH + 4;

/** Bytes of a texel: four elements. */
export const texelBytes = (half: boolean): number => (half ? 8 : 16);
const rowBytes = (half: boolean) => ALLOCATED_WIDTH * texelBytes(half);
const KEEP_BYTES = 128 * 2 ** 20;
/** Below so many bytes stale mirrors stay when a new one is made: small networks would else make hundreds in every step. */
const FREE_BYTES = 16 * 2 ** 20;

/**
 * After so many dispatches a mirror is stale: it may be taken for another tensor of about its size, or makes room for a new
 * one. What a module reads again it reads soon, and the weights of one block take over the mirrors of the block before.
 */
const STALE_DISPATCHES = 12;

/**
 * Scratch textures that mirror tensors for `load` bindings. A mirror stays valid until its tensor is written or freed;
 * the least recently used ones are taken for other tensors.
 */
export class MirrorPool {
  readonly #gpu: GPUDevice;
  readonly #failures: Failures;
  #mirrors: Mirror[] = [];
  #doomed: GPUTexture[] = [];

  constructor(gpu: GPUDevice, failures: Failures) {
    this.#gpu = gpu;
    this.#failures = failures;
  }

  /** Bytes of all scratch textures. */
  bytes = 0;
  /** The most there were. */
  peakBytes = 0;

  /**
   * The mirror of what a tensor sees of its storage, made if there is none.
   *
   * @param now Number of the dispatch; its own mirrors are not taken away.
   * @param copy Records the copy of that part to a fresh mirror.
   */
  of(
    { storage, bytes: wanted, offset, dtype }: Tensor,
    now: number,
    copy: (mirror: Mirror, storage: Storage) => void,
  ): Mirror {
    const half = dtype === "f16";
    const first = ELEMENT_BYTES[dtype] * offset;
    const bytes = Math.min(Math.max(256, Math.ceil(wanted / 256) * 256), storage.bytes - first);
    const valid = storage.mirrors.find((mirror) => mirror.first === first && mirror.bytes === bytes);
    if (valid) {
      valid.lastUse = now;
      return valid;
    }
    const rows = oddRows(bytes, half);
    const fitting = this.#mirrors.filter((m) =>
      m.half === half && m.rows >= rows && m.rows <= Math.max(4, 2 * rows) && m.lastUse !== now
    );
    const idle = fitting.filter((m) => !m.owner || m.lastUse < now - STALE_DISPATCHES);
    const total = this.bytes + rows * rowBytes(half);
    let mirror = oldest(idle.length || total < KEEP_BYTES ? idle : fitting);
    if (!mirror) {
      this.#evict(Math.min(rows * rowBytes(half), total - FREE_BYTES), now - STALE_DISPATCHES);
      this.#evict(this.bytes + rows * rowBytes(half) - KEEP_BYTES, now);
      mirror = this.#create(rows, half);
    }
    disown(mirror);
    Object.assign(mirror, { owner: storage, first, bytes, lastUse: now });
    storage.mirrors.push(mirror);
    copy(mirror, storage);
    return mirror;
  }

  /** The storage is about to be written, or is free: its mirrors are out of date. */
  drop(storage: Storage): void {
    if (!storage.mirrors.length) return;
    for (const mirror of storage.mirrors) mirror.owner = null;
    storage.mirrors = [];
  }

  /** Lets all go. */
  clear(): void {
    this.#evict(Infinity, Infinity);
  }

  /** Called after a submit. */
  afterSubmit(): void {
    for (const texture of this.#doomed.splice(0)) texture.destroy();
  }

  #create(rows: number, half: boolean): Mirror {
    const create = () => mirrorTexture(this.#gpu, rows, half);
    // Where there is no memory for it, the device clears this pool.
    const texture = this.#failures.allocate(rows * rowBytes(half), create, () => {});
    const view = texture.createView();
    const mirror: Mirror = { texture, view, half, rows, owner: null, first: 0, bytes: 0, lastUse: -1 };
    this.#mirrors.push(mirror);
    this.bytes += rows * rowBytes(half);
    this.peakBytes = Math.max(this.peakBytes, this.bytes);
    return mirror;
  }

  /** Lets go of so many bytes, of mirrors that were used before a dispatch. */
  #evict(excess: number, before: number): void {
    if (excess <= 0) return;
    const byAge = this.#mirrors.filter((m) => m.lastUse < before).sort((a, b) => a.lastUse - b.lastUse);
    const evicted = new Set<Mirror>();
    for (const mirror of byAge) {
      if (excess <= 0) break;
      excess -= mirror.rows * rowBytes(mirror.half);
      this.bytes -= mirror.rows * rowBytes(mirror.half);
      disown(mirror);
      this.#doomed.push(mirror.texture);
      evicted.add(mirror);
    }
    this.#mirrors = this.#mirrors.filter((m) => !evicted.has(m));
  }
}

/** A texture for mirrors. */
export function mirrorTexture(gpu: GPUDevice, rows: number, half: boolean): GPUTexture {
  return gpu.createTexture({
    label: "mirror",
    size: [ALLOCATED_WIDTH, rows],
    format: half ? "rgba16float" : "rgba32float",
    usage: GPUTextureUsage.STORAGE_BINDING | GPUTextureUsage.COPY_DST,
  });
}

/** Records the copy of a part of a buffer to the texture that mirrors it. */
export function copyToMirror(
  encoder: GPUCommandEncoder,
  { texture, half, first, bytes }: Pick<Mirror, "texture" | "half" | "first" | "bytes">,
  buffer: GPUBuffer,
): void {
  const bytesPerRow = TEXTURE_WIDTH * texelBytes(half);
  const rows = Math.floor(bytes / bytesPerRow);
  const rest = (bytes % bytesPerRow) / texelBytes(half);
  if (rows) encoder.copyBufferToTexture({ buffer, bytesPerRow, offset: first }, { texture }, [TEXTURE_WIDTH, rows]);
  if (rest) {
    const from = { buffer, bytesPerRow, offset: first + rows * bytesPerRow };
    encoder.copyBufferToTexture(from, { texture, origin: [0, rows] }, [rest, 1]);
  }
}

/**
 * Rows of a mirror: never a power of two, because lavapipe compiles a kernel anew for textures whose height is one and
 * for those whose height is not, in the middle of a run.
 */
export function oddRows(bytes: number, half: boolean): number {
  return Math.max(3, Math.ceil(bytes / (TEXTURE_WIDTH * texelBytes(half))) | 1);
}

function disown(mirror: Mirror): void {
  if (mirror.owner) mirror.owner.mirrors = mirror.owner.mirrors.filter((other) => other !== mirror);
  mirror.owner = null;
}

function oldest(mirrors: readonly Mirror[]): Mirror | undefined {
  return mirrors.reduce<Mirror | undefined>((a, b) => (!a || b.lastUse < a.lastUse ? b : a), undefined);
}
