import { fromBfloat16, toBfloat16 } from "./bfloat16.ts";
import type { Device } from "./device.ts";
import { type Shape, sizeOf } from "./shapes.ts";

/** Element types of a tensor; bf16 is one to keep numbers in, which no op but `cast` reads. */
export type Dtype = "f32" | "i32" | "u32" | "f16" | "bf16";

/** Bytes of an element. */
export const ELEMENT_BYTES: Readonly<Record<Dtype, 2 | 4>> = { f32: 4, i32: 4, u32: 4, f16: 2, bf16: 2 };

/** The typed array that holds a dtype's elements on the CPU. */
export type DataOf = {
  f32: Float32Array<ArrayBuffer>;
  i32: Int32Array<ArrayBuffer>;
  u32: Uint32Array<ArrayBuffer>;
  f16: Float16Array<ArrayBuffer>;
  bf16: Float32Array<ArrayBuffer>;
};

/** A GPU buffer of the device's pool. */
export interface Block {
  /** The GPU's buffer. */
  readonly buffer: GPUBuffer;
  /** Its size. */
  readonly bytes: number;
  /** Set if the GPU had no memory for it. */
  lost: Error | null;
}

/** Memory that one or more tensors share; it returns to the device's pool when the last one lets go. */
export interface Storage {
  /** Where the elements are. */
  readonly block: Block;
  /** Bytes that its elements take, in whole granules of 256. */
  readonly bytes: number;
  /** Elements of the tensor it was made for; behind them there is padding. */
  readonly elements: number;
  /** How many tensors hold it. */
  holders: number;
  /** Textures with the content of parts of it, while they are valid. */
  mirrors: Mirror[];
}

/** A scratch texture that holds a copy of a part of a storage, row by row. */
export interface Mirror {
  /** The copy. */
  readonly texture: GPUTexture;
  /** What a kernel binds. */
  readonly view: GPUTextureView;
  /** Whether its texels are 16-bit floats. */
  readonly half: boolean;
  /** Rows of the texture. */
  readonly rows: number;
  /** What it is a copy of at present. */
  owner: Storage | null;
  /** First byte of the part. */
  first: number;
  /** Bytes of the part. */
  bytes: number;
  /** Number of the dispatch that used it last. */
  lastUse: number;
}

/** A kernel can see a tensor from every such element on: WebGPU binds buffers at multiples of 256 bytes. */
export const WINDOW_STEP = 128;

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
  /** Element of the storage at which the tensor begins: a multiple of {@linkcode WINDOW_STEP}. */
  get offset(): number {
    return this.#offset;
  }
  #offset: number;
  #storage: Storage | null;

  /** Made by a {@linkcode Device}; takes one hold of the storage. */
  constructor(device: Device, storage: Storage, shape: Shape, dtype: Dtype, offset = 0) {
    this.device = device;
    this.shape = shape;
    this.dtype = dtype;
    this.#offset = offset;
    this.#storage = storage;
    storage.holders++;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Bytes of its elements. */
  get bytes(): number {
    return this.size * ELEMENT_BYTES[this.dtype];
  }

  /** Whether the tensor has been disposed of. */
  get disposed(): boolean {
    return this.#storage === null;
  }

  /**
   * The buffer behind the tensor, for the device.
   *
   * @throws {TypeError} If the tensor was disposed of.
   * @throws {OutOfMemoryError} If the GPU had no memory for it.
   */
  get storage(): Storage {
    const storage = this.#storage;
    if (!storage) throw new TypeError(`A tensor of shape [${this.shape}] was used after it was disposed of`);
    if (storage.block.lost) throw storage.block.lost;
    return storage;
  }

  /**
   * Copies the elements to the CPU, in row-major order.
   *
   * @throws {Error} If a kernel recorded before failed, the GPU ran out of memory, or the device was lost.
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

  /** One line for `console.log`; the elements are on the GPU, {@linkcode Tensor.read} fetches them. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Tensor ${this.dtype} [${this.shape.join(", ")}]${this.disposed ? ", disposed of" : ""}`;
  }

  /** Lets the handle stand for elements of another storage; called by {@linkcode Device.move}, which copies them. */
  moved(storage: Storage, offset: number): void {
    this.dispose();
    this.#storage = storage;
    this.#offset = offset;
    storage.holders++;
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

/** Numbers as the typed array of a dtype: bytes are seen as such, an array of the right type stays as it is. */
export function elementsOf<D extends Dtype>(dtype: D, data: ArrayLike<number> | ArrayBuffer): DataOf[D] {
  if (dtype === "bf16") {
    return fromBfloat16(data instanceof ArrayBuffer ? new Uint16Array(data) : toBfloat16(data)) as DataOf[D];
  }
  // Older browsers lack the last one.
  const Type = dtype === "f32"
    ? Float32Array
    : dtype === "i32"
    ? Int32Array
    : dtype === "u32"
    ? Uint32Array
    : Float16Array;
  if (data instanceof Type && data.buffer instanceof ArrayBuffer) return data as DataOf[D];
  return (data instanceof ArrayBuffer ? new Type(data) : Type.from(data)) as DataOf[D];
}

/** Numbers as a dtype's elements lie in memory, filled up with a zero to whole words. */
export function storedAs(dtype: Dtype, data: ArrayLike<number>): DataOf[Dtype] | Uint16Array<ArrayBuffer> {
  const elements = dtype === "bf16" ? toBfloat16(data) : elementsOf(dtype, data);
  if (elements.byteLength % 4 === 0) return elements;
  const whole = new (elements.constructor as Uint16ArrayConstructor)(elements.length + 1);
  whole.set(elements);
  return whole;
}
