import { type AdapterTraits, requestTraits } from "./adapter.ts";
import { type Grid, MAX_WORKGROUPS } from "./grid.ts";
import { MemoryPool, type MemoryReport } from "./_memory.ts";
import { MirrorPool } from "./_mirrors.ts";
import { PipelineCache } from "./_pipelines.ts";
import type { Profiler } from "./profiler.ts";
import { Scope } from "./scope.ts";
import { type Shape, sizeOf } from "./shapes.ts";
import type { Tape } from "./tape.ts";
import { type DataOf, type Dtype, type Mirror, type Storage, Tensor } from "./tensor.ts";
import { type Kernel, TEXTURE_WIDTH } from "./wgsl.ts";

/** The device stopped working while it was in use (a driver reset, an unplugged GPU). */
export class DeviceLostError extends Error {
  /** Name of the class. */
  override name = "DeviceLostError";
}

/** What one dispatch runs on. */
export interface Dispatch {
  /** Tensors by the names of the kernel's bindings. */
  readonly bindings: Readonly<Record<string, Tensor>>;
  /** Numbers by the names of the kernel's uniforms. */
  readonly uniforms?: Readonly<Record<string, number>>;
  /** Workgroups along x, y, z. */
  readonly grid: Grid;
  /** Operations, two for a multiply-add, for profiles. @default not known */
  readonly flops?: number;
}

const IN_DENO = "Deno" in globalThis;
const UNIFORM_SLOT = 256;
const UNIFORM_SLOTS = 1024;

/**
 * A GPU (or its software stand-in) and all that is recorded for it. Kernels are appended to one open command list;
 * reading a tensor submits the list.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using x = device.tensor([1, 2, 3], [3]);
 * assert.deepEqual([...await x.read()], [1, 2, 3]);
 * device.close();
 * ```
 */
export class Device {
  /** What the adapter is and can do. */
  readonly traits: AdapterTraits;
  /** The WebGPU device, for what this class has no method for. */
  readonly gpu: GPUDevice;
  /** The tape that records gradients at present, or null. */
  tape: Tape | null = null;
  /** Number of kernels dispatched so far. */
  dispatches = 0;
  /** Measures what runs, or null; see {@linkcode Profiler.start}. */
  profiler: Profiler | null = null;

  readonly #pool: MemoryPool;
  readonly #mirrors: MirrorPool;
  readonly #pipelines: PipelineCache;
  readonly #uniformBuffer: GPUBuffer;
  readonly #uniformBytes = new ArrayBuffer(UNIFORM_SLOT * UNIFORM_SLOTS);
  readonly #uniformView = new DataView(this.#uniformBytes);
  #uniformSlot = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #scope: Scope | null = null;
  #checks: Promise<GPUError | null>[] = [];
  #failure: Error | null = null;

  /** Use {@linkcode Device.open}. */
  constructor(gpu: GPUDevice, traits: AdapterTraits) {
    this.gpu = gpu;
    this.traits = traits;
    this.#pool = new MemoryPool(gpu, traits, () => this.flush());
    this.#mirrors = new MirrorPool(gpu);
    this.#pipelines = new PipelineCache(gpu, traits);
    this.#uniformBuffer = gpu.createBuffer({
      label: "uniforms",
      size: UNIFORM_SLOT * UNIFORM_SLOTS,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    gpu.addEventListener("uncapturederror", (event) => {
      this.#failure ??= new Error(`A GPU command failed: ${(event as GPUUncapturedErrorEvent).error.message}`);
    });
    gpu.lost.then((info) => {
      if (info.reason !== "destroyed" || !this.#closed) {
        this.#failure = new DeviceLostError(`The GPU device was lost: ${info.message || info.reason}`);
      }
    });
    this.#openErrorScopes();
  }
  #closed = false;

  /**
   * Opens an adapter's device.
   *
   * @param gpu `navigator.gpu`, or an adapter already chosen.
   * @throws {Error} If there is no adapter.
   */
  static async open(gpu: GPU | GPUAdapter): Promise<Device> {
    const adapter = "requestAdapter" in gpu ? await gpu.requestAdapter({ powerPreference: "high-performance" }) : gpu;
    if (!adapter) throw new Error("WebGPU found no adapter: no GPU driver is installed (see `denofold doctor`)");
    const { device, traits } = await requestTraits(adapter);
    return new Device(device, traits);
  }

  /** Bytes and tensors in use, and the most there were. */
  get memory(): MemoryReport {
    return this.#pool.report(this.#mirrors);
  }

  /** Starts the record of peak memory anew from what is in use now; unused pooled buffers are let go first. */
  resetPeakMemory(): void {
    this.#mirrors.clear();
    this.#pool.resetPeak();
  }

  /** Opens a scope: it owns the tensors made from now until it closes. */
  scope(name: string): Scope {
    return this.#scope = new Scope(this, name, this.#scope);
  }

  /** Called by a scope that closes. */
  leave(scope: Scope): void {
    if (this.#scope !== scope) {
      throw new Error(`Scope ${scope.name} was closed while ${this.#scope?.name ?? "no scope"} was open inside it`);
    }
    this.#scope = scope.parent;
  }

  /** A tensor with undefined content. */
  empty(shape: Shape, dtype: Dtype = "f32"): Tensor {
    const tensor = new Tensor(this, this.#pool.allocate(sizeOf(shape) * 4), [...shape], dtype);
    this.#scope?.adopt(tensor);
    this.profiler?.allocated(tensor.storage, this.#scope?.path ?? "");
    return tensor;
  }

  /** A tensor of zeros. */
  zeros(shape: Shape, dtype: Dtype = "f32"): Tensor {
    const tensor = this.empty(shape, dtype);
    this.#endPass();
    this.#mirrors.drop(tensor.storage);
    this.#commands().clearBuffer(tensor.storage.buffer, 0, Math.max(4, tensor.size * 4));
    this.profiler?.copied(tensor.size * 4);
    return tensor;
  }

  /**
   * A tensor with the given elements, row-major.
   *
   * @throws {TypeError} If the number of elements is not that of the shape.
   */
  tensor(data: ArrayLike<number>, shape: Shape, dtype: Dtype = "f32"): Tensor {
    if (data.length !== sizeOf(shape)) {
      throw new TypeError(`A tensor of shape [${shape}] has ${sizeOf(shape)} elements, the data has ${data.length}`);
    }
    const tensor = this.empty(shape, dtype);
    this.write(tensor, data);
    return tensor;
  }

  /** Overwrites a tensor's elements. */
  write(tensor: Tensor, data: ArrayLike<number>): void {
    if (data.length !== tensor.size) {
      throw new TypeError(
        `A tensor of shape [${tensor.shape}] has ${tensor.size} elements, the data has ${data.length}`,
      );
    }
    if (tensor.size === 0) return;
    this.flush(); // a write overtakes recorded commands, and the buffer may stand in one
    this.#mirrors.drop(tensor.storage);
    this.gpu.queue.writeBuffer(tensor.storage.buffer, 0, typedArray(tensor.dtype, data));
  }

  /** Another handle to a tensor's elements under another shape of the same size. */
  view(tensor: Tensor, shape: Shape): Tensor {
    if (sizeOf(shape) !== tensor.size) {
      throw new TypeError(`Cannot view [${tensor.shape}] (${tensor.size} elements) as [${shape}] (${sizeOf(shape)})`);
    }
    const view = this.hold(tensor, shape);
    this.#scope?.adopt(view);
    return view;
  }

  /** A handle that no scope owns: its holder disposes of it. */
  hold(tensor: Tensor, shape: Shape = tensor.shape): Tensor {
    return new Tensor(this, tensor.storage, [...shape], tensor.dtype);
  }

  /** Called by the last tensor of a storage. */
  release(storage: Storage): void {
    this.#mirrors.drop(storage);
    this.#pool.release(storage);
    this.profiler?.released(storage);
  }

  /** Appends one kernel to the command list: the only way to compute. */
  run(kernel: Kernel, { bindings, uniforms = {}, grid, flops }: Dispatch): void {
    if (grid.some((n) => n < 1 || n > MAX_WORKGROUPS || !Number.isInteger(n))) {
      throw new RangeError(`Kernel ${kernel.name}: a grid of [${grid}] workgroups is outside 1 … ${MAX_WORKGROUPS}`);
    }
    const { profiler } = this;
    profiler?.enter();
    if ((kernel.uniforms.length && this.#uniformSlot === UNIFORM_SLOTS) || profiler?.full) this.flush();
    const { pipeline, layout } = this.#pipelines.of(kernel, (began) => {
      this.profiler?.hostEvent("compile", kernel.name, began);
    });
    const now = this.dispatches++;
    const entries: GPUBindGroupEntry[] = kernel.bindings.map(([name, type], binding) => {
      const tensor = bindings[name];
      if (!tensor) throw new TypeError(`Kernel ${kernel.name}: the binding ${name} is missing`);
      const { storage } = tensor;
      const size = Math.max(16, Math.ceil(tensor.size / 4) * 16); // whole vec4s; allocations are rounded up to them
      if (size > this.traits.maxBindingBytes) {
        throw new RangeError(
          `Kernel ${kernel.name}: ${name} [${tensor.shape}] takes ${size} bytes, this adapter lets a kernel see ${this.traits.maxBindingBytes}; use a smaller batch or fewer residues`,
        );
      }
      if (type === "load vec4f" && this.traits.textureLoads) {
        return {
          binding,
          resource: this.#mirrors.of(storage, now, (mirror) => this.#copyToMirror(storage, mirror)).view,
        };
      }
      return { binding, resource: { buffer: storage.buffer, offset: 0, size } };
    });
    for (const [name, type] of kernel.bindings) {
      if (type.startsWith("write")) this.#mirrors.drop(bindings[name].storage);
    }
    if (kernel.uniforms.length) {
      entries.push({ binding: entries.length, resource: this.#stageUniforms(kernel, uniforms) });
    }
    if (profiler) this.#endPass();
    this.#pass ??= this.#commands().beginComputePass(profiler?.pass());
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, this.gpu.createBindGroup({ label: this.#label(kernel.name), layout, entries }));
    this.#pass.dispatchWorkgroups(...grid);
    if (profiler) {
      this.#endPass();
      profiler.dispatched(kernel, bindings, { path: this.#scope?.path ?? "", grid, flops });
    }
  }

  /**
   * Copies elements from one tensor to another.
   *
   * @param fromElement First element to copy. @default 0
   * @param toElement Where the first goes. @default 0
   * @param count How many. @default all of `from`
   * @throws {RangeError} If either range leaves its tensor.
   */
  copy(from: Tensor, to: Tensor, { fromElement = 0, toElement = 0, count = from.size } = {}): void {
    if (fromElement + count > from.size || toElement + count > to.size) {
      throw new RangeError(
        `Cannot copy ${count} elements from ${fromElement} of [${from.shape}] to ${toElement} of [${to.shape}]: out of range`,
      );
    }
    this.#endPass();
    this.#mirrors.drop(to.storage);
    const commands = this.#commands();
    commands.copyBufferToBuffer(from.storage.buffer, 4 * fromElement, to.storage.buffer, 4 * toElement, 4 * count);
    this.profiler?.copied(4 * count);
  }

  /** Hands the recorded commands to the GPU. */
  flush(): void {
    if (!this.#encoder) return;
    this.#endPass();
    const began = this.profiler?.beforeSubmit(this.#encoder);
    if (this.#uniformSlot) {
      this.gpu.queue.writeBuffer(this.#uniformBuffer, 0, this.#uniformBytes, 0, this.#uniformSlot * UNIFORM_SLOT);
    }
    const commands = this.#encoder.finish();
    this.#encoder = null;
    this.#uniformSlot = 0;
    this.gpu.queue.submit([commands]);
    this.#closeErrorScopes();
    this.#openErrorScopes();
    this.#pool.afterSubmit();
    this.#mirrors.afterSubmit();
    if (began !== undefined) this.profiler?.submitted(began);
  }

  /**
   * Submits what is recorded and copies a tensor's elements to the CPU.
   *
   * @throws {Error} If a command recorded before failed.
   * @throws {DeviceLostError} If the device was lost.
   */
  async read(tensor: Tensor): Promise<DataOf[Dtype]> {
    const bytes = Math.max(4, tensor.size * 4);
    const staging = this.#pool.staging(bytes);
    const { buffer } = staging;
    this.#endPass();
    this.#commands().copyBufferToBuffer(tensor.storage.buffer, 0, buffer, 0, bytes);
    this.flush();
    const asked = performance.now();
    const mapped = buffer.mapAsync(GPUMapMode.READ).catch((error: Error) => {
      this.#failure ??= new DeviceLostError(`The GPU device was lost or refused to answer: ${error.message}`);
    });
    // Deno has finished the work when mapAsync returns, and awaiting it would cost a sleep of 10 ms. It panics when a
    // range is asked for before the first awaited mapping of a buffer, hence `mappedBefore`.
    if (!(IN_DENO && staging.mappedBefore && !this.#failure)) await mapped;
    this.profiler?.hostEvent("wait", "", asked);
    if (this.#failure) await this.#throwFailures();
    let range: ArrayBuffer;
    try {
      range = buffer.getMappedRange(0, bytes);
    } catch { // the device was lost after the copy was submitted
      await mapped;
      await this.#throwFailures();
      range = buffer.getMappedRange(0, bytes);
    }
    const data = typedArray(tensor.dtype, range.slice(0, tensor.size * 4));
    buffer.unmap();
    staging.mappedBefore = true;
    this.#pool.releaseStaging(staging);
    await this.#throwFailures();
    return data;
  }

  /** Submits what is recorded; in Deno, returns when it is done. For timing parts of a computation without awaiting. */
  settle(): void {
    this.flush();
    const asked = performance.now();
    if (IN_DENO) void this.gpu.queue.onSubmittedWorkDone();
    this.profiler?.hostEvent("wait", "", asked);
  }

  /**
   * Waits until the GPU has done all that was recorded.
   *
   * @throws {Error} As {@linkcode Device.read} does.
   */
  async finish(): Promise<void> {
    this.flush();
    const asked = performance.now();
    const done = this.gpu.queue.onSubmittedWorkDone(); // Deno has done the work when this returns
    if (!IN_DENO) await done;
    this.profiler?.hostEvent("wait", "", asked);
    await this.#throwFailures();
  }

  /** Gives the GPU back. All tensors become unusable. */
  close(): void {
    this.#closed = true;
    this.#endPass();
    this.#encoder = null;
    this.gpu.destroy();
  }

  #commands(): GPUCommandEncoder {
    return this.#encoder ??= this.gpu.createCommandEncoder();
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  #label(name: string): string {
    return this.#scope ? `${this.#scope.path}/${name}` : name;
  }

  #copyToMirror({ buffer, bytes }: Storage, { texture }: Mirror): void {
    this.#endPass();
    const bytesPerRow = TEXTURE_WIDTH * 16;
    const rows = Math.floor(bytes / bytesPerRow);
    const rest = (bytes % bytesPerRow) / 16;
    const encoder = this.#commands();
    this.profiler?.copied(bytes);
    if (rows) encoder.copyBufferToTexture({ buffer, bytesPerRow }, { texture }, [TEXTURE_WIDTH, rows]);
    if (rest) {
      const from = { buffer, bytesPerRow, offset: rows * bytesPerRow };
      encoder.copyBufferToTexture(from, { texture, origin: [0, rows] }, [rest, 1]);
    }
  }

  #stageUniforms(kernel: Kernel, values: Readonly<Record<string, number>>): GPUBufferBinding {
    const offset = this.#uniformSlot++ * UNIFORM_SLOT;
    kernel.uniforms.forEach(([name, type], i) => {
      const value = values[name];
      if (value === undefined) throw new TypeError(`Kernel ${kernel.name}: the uniform ${name} is missing`);
      const at = offset + 4 * i;
      if (type === "f32") this.#uniformView.setFloat32(at, value, true);
      else if (type === "i32") this.#uniformView.setInt32(at, value, true);
      else this.#uniformView.setUint32(at, value, true);
    });
    return { buffer: this.#uniformBuffer, offset, size: Math.ceil(kernel.uniforms.length / 4) * 16 };
  }

  #openErrorScopes(): void {
    this.gpu.pushErrorScope("out-of-memory");
    this.gpu.pushErrorScope("validation");
  }

  #closeErrorScopes(): void {
    const failed = (error: Error) => {
      this.#failure ??= new DeviceLostError(`The GPU device was lost: ${error.message}`);
      return null;
    };
    this.#checks.push(this.gpu.popErrorScope().catch(failed), this.gpu.popErrorScope().catch(failed));
  }

  async #throwFailures(): Promise<void> {
    for (const error of await Promise.all(this.#checks.splice(0))) {
      if (error) this.#failure ??= new Error(`A GPU command failed: ${error.message}`);
    }
    const failure = this.#failure;
    if (!failure) return;
    if (!(failure instanceof DeviceLostError)) this.#failure = null; // told once; a lost device stays lost
    throw failure;
  }
}

function typedArray<D extends Dtype>(dtype: D, data: ArrayLike<number> | ArrayBuffer): DataOf[D] {
  const Type = dtype === "f32" ? Float32Array : dtype === "i32" ? Int32Array : Uint32Array;
  if (data instanceof Type && data.buffer instanceof ArrayBuffer) return data as DataOf[D];
  return (data instanceof ArrayBuffer ? new Type(data) : Type.from(data)) as DataOf[D];
}
