import type { Device } from "./device.ts";
import { type Shape, sizeOf } from "./shapes.ts";

/** Element types of a tensor; each takes four bytes. */
export type Dtype = "f32" | "i32" | "u32";

/** The typed array that holds a dtype's elements on the CPU. */
export type DataOf = { f32: Float32Array<ArrayBuffer>; i32: Int32Array<ArrayBuffer>; u32: Uint32Array<ArrayBuffer> };

/** A GPU buffer that one or more tensors share; it returns to the device's pool when the last one lets go. */
export interface Storage {
  /** The GPU's buffer. */
  readonly buffer: GPUBuffer;
  /** Size of the buffer. */
  readonly bytes: number;
  /** How many tensors hold it. */
  holders: number;
  /** A texture with the same content, while it is valid. */
  mirror: Mirror | null;
}

/** A scratch texture that holds a copy of a storage, row by row. */
export interface Mirror {
  /** The copy. */
  readonly texture: GPUTexture;
  /** What a kernel binds. */
  readonly view: GPUTextureView;
  /** Rows of the texture. */
  readonly rows: number;
  /** What it is a copy of at present. */
  owner: Storage | null;
  /** Number of the dispatch that used it last. */
  lastUse: number;
}

let nextId = 1;

/**
 * A handle to numbers on the GPU: shape, type and place, no arithmetic. Whoever holds it disposes of it: the scope it
 * was made in, or the caller where there was none.
 */
export class Tensor {
  /** Identity on the tape; every handle has its own. */
  readonly id: number = nextId++;
  /** Where the elements are. */
  readonly device: Device;
  /** Sizes of the axes, outermost first; none for a scalar. */
  readonly shape: Shape;
  /** Type of the elements. */
  readonly dtype: Dtype;
  #storage: Storage | null;

  /** Made by a {@linkcode Device}; takes one hold of the storage. */
  constructor(device: Device, storage: Storage, shape: Shape, dtype: Dtype) {
    this.device = device;
    this.shape = shape;
    this.dtype = dtype;
    this.#storage = storage;
    storage.holders++;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Whether the tensor has been disposed of. */
  get disposed(): boolean {
    return this.#storage === null;
  }

  /**
   * The buffer behind the tensor, for the device.
   *
   * @throws {TypeError} If the tensor was disposed of.
   */
  get storage(): Storage {
    if (!this.#storage) throw new TypeError(`A tensor of shape [${this.shape}] was used after it was disposed of`);
    return this.#storage;
  }

  /**
   * Copies the elements to the CPU, in row-major order.
   *
   * @throws {Error} If a kernel recorded before failed, or the device was lost.
   */
  read(): Promise<DataOf[Dtype]> {
    return this.device.read(this);
  }

  /**
   * The only element of a tensor of size 1.
   *
   * @throws {TypeError} If the tensor has more elements.
   */
  async item(): Promise<number> {
    if (this.size !== 1) throw new TypeError(`item() needs a tensor of size 1, this one is [${this.shape}]`);
    return (await this.read())[0];
  }

  /** Lets go of the GPU memory; a second call does nothing. */
  dispose(): void {
    const storage = this.#storage;
    if (!storage) return;
    this.#storage = null;
    if (--storage.holders === 0) this.device.release(storage);
  }

  /** Same as {@linkcode Tensor.dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
