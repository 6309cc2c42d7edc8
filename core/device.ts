import { dryGpu } from "./_dry.ts";
import { Failures } from "./_failures.ts";
import { type AdapterTraits, type RequestOptions, requestTraits } from "./adapter.ts";
import { type Grid, MAX_WORKGROUPS } from "./grid.ts";
import { MemoryPool, type MemoryReport } from "./_memory.ts";
import { type KernelOptions, Kernels, tellingFirst } from "./kernels.ts";
import { copyToMirror, MirrorPool } from "./_mirrors.ts";
import { NumericsCheck } from "./numerics.ts";
import type { Profiler } from "./profiler.ts";
import { Scope } from "./scope.ts";
import { Readback } from "./_readback.ts";
import { checkShape, type Shape, sizeOf } from "./shapes.ts";
import type { Tape } from "./tape.ts";
import {
  type DataOf,
  type Dtype,
  ELEMENT_BYTES,
  elementsOf,
  type Mirror,
  type Storage,
  storedAs,
  Tensor,
  WINDOW_STEP,
} from "./tensor.ts";
import { UniformSlots } from "./_uniforms.ts";
import { isWritten, type Kernel, MOST_TURNS } from "./wgsl.ts";

/** What one dispatch runs on. */
export interface Dispatch {
  /** Tensors by the names of the kernel's bindings. */
  readonly bindings: Readonly<Record<string, Tensor>>;
  /** Numbers by the names of the kernel's uniforms. */
  readonly uniforms?: Readonly<Record<string, number>>;
  /** Workgroups along x, y, z. */
  readonly grid: Grid;
  /**
   * Operations, for profiles and plans: additions, multiplications, divisions and built-in functions count as one, a
   * multiply-add as two; 0 where numbers are only moved. @default not known
   */
  readonly flops?: number;
  /** Bytes that must be read at least, for profiles and plans. @default the tensors that are read, once each */
  readonly bytesRead?: number;
  /** Bytes that must be written at least. @default the tensors that are written, once each */
  readonly bytesWritten?: number;
}

/**
 * Longest time, in milliseconds, that a GPU should be held at once: screens stand still meanwhile, and browsers and Windows
 * reset a device that does not answer for seconds.
 */
const MOST_SUBMIT_MS = 200;

/** What any GPU may be expected to reach, before one knows better: a small one built into a processor. */
const LEAST_SPEED: Speed = { gflops: 250, gbs: 25 };

/** How fast an adapter computes and moves numbers. */
export interface Speed {
  /** Operations, 10⁹ a second; a multiply-add counts two. */
  readonly gflops: number;
  /** Bytes read and written, 10⁹ a second. */
  readonly gbs: number;
}

/** Written bytes that are submitted together: WebGPU keeps copies of what is written until then, those of a few rounds. */
const UPLOAD_BYTES = 2 * 2 ** 20;

/**
 * A GPU (or its software stand-in) and all that is recorded for it. Kernels are appended to one open command list;
 * reading a tensor submits the list. A device serves one flow of control at a time; asynchronous ones take turns with
 * {@linkcode Device.exclusive}.
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
export class Device implements Disposable {
  /** What the adapter is and can do. */
  readonly traits: AdapterTraits;
  /** The WebGPU device, for what this class has no method for. */
  readonly gpu: GPUDevice;
  /** Names of fusions that ops take apart at present; see `setFusions`. */
  unfused: ReadonlySet<string> = new Set();
  /**
   * Bytes above which modules make an intermediate tensor in parts, to take less memory; with a gradient, each part is
   * computed again on the way back.
   *
   * @default 32 MiB without a gradient; with one, no tensor is made in parts
   */
  partBytes: number | undefined;
  /**
   * Longest time, in milliseconds, for which a GPU is to be held by what is submitted together, estimated from the operations
   * and bytes of kernels and from {@linkcode Device.speed}; a kernel that takes longer is submitted by itself.
   *
   * @default 200 on GPUs; on processors, where nobody waits for a screen, there is no limit
   */
  submitMs: number;
  /**
   * What the adapter is expected to reach in a long run of kernels; too low costs a submit (50 µs) now and then, too high
   * lets submits take longer than they should.
   *
   * @default 250 GFLOP/s and 25 GB/s
   */
  speed: Speed = LEAST_SPEED;
  /** Number of kernels dispatched so far. */
  dispatches = 0;
  /** Measures what runs, or null; see {@linkcode Profiler.start}. */
  profiler: Profiler | null = null;
  /** Whether this is a device for plans; see {@linkcode Device.dry}. */
  readonly dry: boolean;
  /** Which kernels are right on this adapter, and which of those are used. */
  readonly kernels: Kernels;

  readonly #pool: MemoryPool;
  readonly #mirrors: MirrorPool;
  readonly #uniforms: UniformSlots;
  readonly #failures: Failures;
  readonly #readback: Readback;
  /** Bytes written since the last submit. */
  #written = 0;
  /** Estimated time of what is recorded, in milliseconds. */
  #recordedMs = 0;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #scope: Scope | null = null;
  #turn: Promise<void> = Promise.resolve();
  #tape: Tape | null = null;
  #goingBack = false;
  #numerics: NumericsCheck | null = null;

  /** Use {@linkcode Device.open} or {@linkcode Device.dry}. */
  constructor(
    gpu: GPUDevice,
    traits: AdapterTraits,
    { dry = false, ...options }: KernelOptions & { readonly dry?: boolean } = {},
  ) {
    this.gpu = gpu;
    this.traits = traits;
    this.dry = dry;
    this.submitMs = traits.software ? Infinity : MOST_SUBMIT_MS;
    this.#failures = new Failures(gpu, () => this.memory, () => this.trim());
    this.#readback = new Readback(gpu, this.#failures);
    this.kernels = new Kernels(gpu, traits, { ...options, dry });
    this.#pool = new MemoryPool(gpu, traits, this.#failures, () => this.flush());
    this.#mirrors = new MirrorPool(gpu, this.#failures);
    this.#uniforms = new UniformSlots(gpu, traits.maxBindingBytes === Infinity);
  }

  /**
   * Opens an adapter's device. Every kernel is verified before it is first used there; see {@linkcode Kernels}.
   *
   * @param gpu `navigator.gpu`, or an adapter already chosen.
   * @param options How kernels are gone about, and how precise matrix products are.
   * @throws {Error} If there is no adapter.
   */
  static async open(
    gpu: GPU | GPUAdapter,
    { precision, ...options }: KernelOptions & RequestOptions = {},
  ): Promise<Device> {
    const adapter = "requestAdapter" in gpu ? await gpu.requestAdapter({ powerPreference: "high-performance" }) : gpu;
    if (!adapter) throw new Error("WebGPU found no adapter: no GPU driver is installed (see `denofold doctor`)");
    const { device: handle, traits } = await requestTraits(adapter, { precision });
    await Readback.probe(handle);
    const device = new Device(handle, traits, { onFinding: tellingFirst(traits, console.warn), ...options });
    await device.kernels.start();
    return device;
  }

  /**
   * A device that allocates and runs nothing, for plans: the same code goes through it, its memory is counted as that of
   * an adapter with these traits, and a {@linkcode Profiler} tells the kernels that would run. Its tensors hold no
   * numbers: reading one throws.
   *
   * @example
   * ```ts
   * import { Device } from "@denofold/denofold";
   * import { matmul } from "@denofold/denofold/ops";
   * import assert from "node:assert/strict";
   *
   * const { traits } = await Device.open(navigator.gpu);
   * const device = Device.dry({ ...traits, maxBufferBytes: 2 ** 40, maxBindingBytes: 2 ** 40 });
   * const x = device.empty([100_000, 100_000]); // 37 GiB
   * matmul(x, x);
   * assert(device.memory.peakBytes >= 2 * 4e10);
   * await assert.rejects(x.read(), TypeError);
   * ```
   */
  static dry(traits: AdapterTraits): Device {
    return new Device(dryGpu(), traits, { dry: true });
  }

  /**
   * How modules keep what they need on the way to their result (packed projections, hidden channels, products): in 32 bits,
   * or for inference in 16, which halves that memory, keeps about three decimal digits and has no numbers beyond 65,504.
   * Sums are made in 32 bits, and results are, either way. Every adapter can: kernels compute in f32 all the same.
   */
  intermediates: "f32" | "f16" = "f32";

  /**
   * How stacks of blocks keep the representations that they update, for inference: in 32 bits, or in 16, rounded after each
   * module. Halves what is left of their memory where `intermediates` are of 16 bits too.
   */
  representations: "f32" | "f16" = "f32";

  /** Bytes and tensors in use, and the most there were. */
  get memory(): MemoryReport {
    return this.#pool.report(this.#mirrors);
  }

  /**
   * Gives back to the GPU's driver what no tensor holds: pooled buffers and scratch textures. For a long-lived process
   * after a large input; what is computed next takes its memory anew.
   */
  trim(): void {
    this.flush(); // then nothing recorded uses them
    this.#mirrors.clear();
    this.#mirrors.afterSubmit();
    this.#pool.trim();
  }

  /** Starts the record of peak memory anew from what is in use now; unused pooled buffers are let go first. */
  resetPeakMemory(): void {
    this.trim();
    this.#mirrors.peakBytes = this.#mirrors.bytes;
    this.#pool.resetPeak();
  }

  /**
   * Switches the search for NaN and infinity on or off. While it is on, every tensor of floats that a kernel reads or
   * writes is looked at, and the next read or {@linkcode Device.finish} throws a {@linkcode NumericsError} that names the
   * first one found, its kernel and scope. That takes about a third more time; off, it costs nothing.
   *
   * @example
   * ```ts
   * import { Device } from "@denofold/denofold";
   * import { log } from "@denofold/denofold/ops";
   * import assert from "node:assert/strict";
   *
   * const device = await Device.open(navigator.gpu);
   * device.checkNumerics(true);
   * using scope = device.scope("loss");
   * await assert.rejects(log(device.tensor([-1], [1])).item(), /Scope loss\/log: output result \[1\] of kernel log/);
   * ```
   */
  checkNumerics(on: boolean): void {
    const wanted = on && !this.dry;
    if (!wanted) this.#numerics?.[Symbol.dispose]();
    this.#numerics = wanted ? this.#numerics ?? new NumericsCheck(this) : null;
  }

  /** The tape that records gradients at present, or null. */
  get tape(): Tape | null {
    return this.#tape;
  }

  /** Runs a function while another tape records, or none: for what differentiates; see `pullback` and `noGrad`. */
  recordOn<T>(tape: Tape | null, f: () => T): T {
    const outer = this.#tape, back = this.#goingBack;
    this.#tape = tape;
    if (tape) this.#goingBack = false; // what a checkpoint computes again is as it was
    try {
      return f();
    } finally {
      this.#tape = outer;
      this.#goingBack = back;
    }
  }

  /** Whether what runs at present makes gradients, which may be too small for what is precise enough on the way there. */
  get goingBack(): boolean {
    return this.#goingBack;
  }

  /** Runs a step of the way back: for tapes. */
  goBack<T>(f: () => T): T {
    const before = this.#goingBack;
    this.#goingBack = true;
    try {
      return f();
    } finally {
      this.#goingBack = before;
    }
  }

  /** Opens a scope: it owns the tensors made from now until it closes. */
  scope(name: string): Scope {
    return this.#scope = new Scope(this, name, this.#scope);
  }

  /**
   * Called by a scope that closes.
   *
   * @returns The scope directly inside it, if one is still open.
   */
  leave(scope: Scope): Scope | null {
    if (this.#scope === scope) {
      this.#scope = scope.parent;
      return null;
    }
    let inside = this.#scope;
    while (inside && inside.parent !== scope) inside = inside.parent;
    return inside;
  }

  /**
   * Lets asynchronous flows take turns: runs a function when all those given before have ended. Scopes, and who owns
   * what is made, belong to one flow of control; two that use a device at once would open theirs inside each other's.
   *
   * @example
   * ```ts
   * import { Device } from "@denofold/denofold";
   * import assert from "node:assert/strict";
   *
   * const device = await Device.open(navigator.gpu);
   * const double = (value: number) =>
   *   device.exclusive(async () => {
   *     using scope = device.scope("double");
   *     const [x] = await device.tensor([value], [1]).read();
   *     return 2 * x;
   *   });
   * assert.deepEqual(await Promise.all([double(1), double(2)]), [2, 4]);
   * ```
   *
   * @param f Must not wait for another call of this method, which would wait for it.
   * @returns What the function returns.
   */
  exclusive<T>(f: () => T | Promise<T>): Promise<T> {
    const turn = this.#turn.then(f);
    this.#turn = turn.then(() => {}, () => {});
    return turn;
  }

  /**
   * A tensor with undefined content.
   *
   * @throws {TypeError} If an axis is not a whole number of at least 0.
   */
  empty(shape: Shape, dtype: Dtype = "f32"): Tensor {
    checkShape(shape);
    const tensor = new Tensor(this, this.#pool.allocate(shape, ELEMENT_BYTES[dtype]), [...shape], dtype);
    this.#scope?.adopt(tensor);
    this.profiler?.allocated(tensor.storage, this.#scope?.path ?? "");
    if (this.#numerics) this.#clear(tensor); // what a kernel leaves as it was must not look like NaN
    return tensor;
  }

  /** A tensor of zeros. */
  zeros(shape: Shape, dtype: Dtype = "f32"): Tensor {
    const tensor = this.empty(shape, dtype);
    if (!this.#numerics) this.#clear(tensor);
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

  /**
   * Overwrites a tensor's elements.
   *
   * @throws {TypeError} If the number of elements is not that of the shape.
   * @throws {RangeError} If it is a window of an odd number of 16-bit elements, in the middle of a tensor: only whole
   * words can be written.
   */
  write(tensor: Tensor, data: ArrayLike<number>): void {
    if (data.length !== tensor.size) {
      throw new TypeError(
        `A tensor of shape [${tensor.shape}] has ${tensor.size} elements, the data has ${data.length}`,
      );
    }
    if (tensor.bytes % 4 !== 0 && !endsStorage(tensor, tensor.size)) {
      throw new RangeError(
        `Cannot write a window [${tensor.shape}] of ${tensor.dtype}: the GPU writes whole words, an odd number of ` +
          `elements would overwrite the one behind it`,
      );
    }
    if (tensor.size === 0) return;
    this.flush(); // a write overtakes recorded commands, and the buffer may stand in one
    this.#mirrors.drop(tensor.storage);
    this.#numerics?.changed(tensor.storage);
    if (this.dry) return;
    const { storage, dtype, offset } = tensor;
    const { buffer, byteOffset, byteLength } = storedAs(dtype, data); // as bytes: Dawn's addon knows no Float16Array
    const to = ELEMENT_BYTES[dtype] * offset;
    for (let first = 0; first < byteLength; first += UPLOAD_BYTES) {
      const count = Math.min(UPLOAD_BYTES, byteLength - first);
      this.gpu.queue.writeBuffer(storage.block.buffer, to + first, buffer, byteOffset + first, count);
      this.#written += count;
      if (this.#written >= UPLOAD_BYTES) {
        this.#submit([]);
        this.settle();
      }
    }
  }

  /**
   * Another handle to a tensor's elements under another shape of the same size; gradients flow through it.
   *
   * @throws {TypeError} If the numbers of elements differ.
   */
  view(tensor: Tensor, shape: Shape): Tensor {
    checkShape(shape);
    if (sizeOf(shape) !== tensor.size) {
      throw new TypeError(`Cannot view [${tensor.shape}] (${tensor.size} elements) as [${shape}] (${sizeOf(shape)})`);
    }
    const view = this.hold(tensor, shape);
    this.#scope?.adopt(view);
    return view;
  }

  /** A handle that no scope owns: its holder disposes of it. Gradients flow through it. */
  hold(tensor: Tensor, shape: Shape = tensor.shape): Tensor {
    const handle = new Tensor(this, tensor.storage, [...shape], tensor.dtype, tensor.offset);
    if (this.#tape?.tracks(tensor)) {
      const { shape: from } = tensor;
      this.#tape.record({
        name: "view",
        inputs: [tensor],
        outputs: [handle],
        held: [],
        backward: ([d]) => [d && this.view(d, from)],
      });
    }
    return handle;
  }

  /**
   * A handle to some of a tensor's neighbouring elements, which it shares: a kernel may see a part of a tensor where the
   * whole passes the adapter's limit. Kernels see it so; for gradients, `slice` is the operation.
   *
   * @param first Its first element, a multiple of 128.
   * @throws {RangeError} If it begins elsewhere, or leaves the tensor.
   * @throws {TypeError} If a gradient is to flow through it.
   */
  window(tensor: Tensor, first: number, shape: Shape): Tensor {
    checkShape(shape);
    if (!(first >= 0 && first % WINDOW_STEP === 0 && first + sizeOf(shape) <= tensor.size)) {
      throw new RangeError(`[${tensor.shape}] has no window [${shape}] from element ${first} on`);
    }
    if (this.#tape?.tracks(tensor)) {
      throw new TypeError(
        `No gradient flows through a window of [${tensor.shape}]: use slice(), or stopGradient() first`,
      );
    }
    const window = new Tensor(this, tensor.storage, [...shape], tensor.dtype, tensor.offset + first);
    this.#scope?.adopt(window);
    return window;
  }

  /**
   * Moves a tensor's elements into another tensor, of which it is a window from then on: for what is laid out together.
   * Other handles to the elements keep those at the old place.
   *
   * @param first Where they go, a multiple of 128.
   * @throws {RangeError} If they go elsewhere, or leave the other tensor.
   * @throws {TypeError} If the tensors are of different types, or share their memory.
   */
  move(tensor: Tensor, into: Tensor, first: number): void {
    if (first % WINDOW_STEP !== 0) {
      throw new RangeError(`A tensor cannot be moved to element ${first} of [${into.shape}]`);
    }
    this.copy(tensor, into, { toElement: first });
    tensor.moved(into.storage, into.offset + first);
  }

  /**
   * A handle to elements of a storage in which several tensors lie, for who laid them out. No gradient flows through it.
   *
   * @param first Their first element, a multiple of 128.
   * @throws {RangeError} If it begins elsewhere, or leaves the storage.
   */
  within(storage: Storage, first: number, shape: Shape, dtype: Dtype = "f32"): Tensor {
    checkShape(shape);
    if (!(first >= 0 && first % WINDOW_STEP === 0 && first + sizeOf(shape) <= storage.elements)) {
      throw new RangeError(`A storage of ${storage.elements} elements has no [${shape}] from element ${first} on`);
    }
    const handle = new Tensor(this, storage, [...shape], dtype, first);
    this.#scope?.adopt(handle);
    return handle;
  }

  /** Called by the last tensor of a storage. */
  release(storage: Storage): void {
    this.#mirrors.drop(storage);
    this.#pool.release(storage);
    this.profiler?.released(storage);
  }

  /** Appends one kernel to the command list: the only way to compute. */
  run(kernel: Kernel, dispatch: Dispatch): void {
    const { bindings, uniforms = {}, grid } = dispatch;
    const turns = kernel.source.turns?.(uniforms) ?? 0;
    if (!(turns <= MOST_TURNS)) {
      throw new RangeError(
        `Kernel ${kernel.name}: the loops of one invocation would take ${turns} turns; lavapipe ends them without a word ` +
          `after ${MOST_TURNS}: use smaller sizes`,
      );
    }
    const most = this.traits.maxBindingBytes === Infinity ? Infinity : MAX_WORKGROUPS; // a plan without limits
    if (grid.some((n) => n < 1 || n > most || !Number.isInteger(n))) {
      throw new RangeError(`Kernel ${kernel.name}: a grid of [${grid}] workgroups is outside 1 … ${MAX_WORKGROUPS}`);
    }
    const { profiler } = this;
    this.#numerics?.look("input", kernel, bindings, this.#scope?.path ?? "");
    profiler?.enter();
    if ((kernel.uniforms.length && this.#uniforms.full) || profiler?.full) this.flush();
    this.#takesTime(dispatch.flops ?? 0, bytesOf(dispatch));
    const { pipeline, layout, loads } = this.kernels.pipelineOf(kernel, bindings, (kind, began) => {
      this.profiler?.hostEvent(kind, kernel.name, began);
    });
    const now = this.dispatches++;
    const entries: GPUBindGroupEntry[] = kernel.bindings.map(([name, type], binding) => {
      const tensor = bindings[name];
      if (!tensor) throw new TypeError(`Kernel ${kernel.name}: the binding ${name} is missing`);
      const { storage } = tensor;
      const size = Math.max(16, Math.ceil(tensor.bytes / 16) * 16); // whole vec4s; allocations are rounded up to them
      if (size > this.traits.maxBindingBytes) {
        throw new RangeError(tooLarge(kernel.name, name, tensor, this.traits.maxBindingBytes));
      }
      if (type === "load vec4f" && loads === "textures") {
        return {
          binding,
          resource: this.#mirrors.of(tensor, now, (mirror) => this.#copyToMirror(mirror, storage)).view,
        };
      }
      return {
        binding,
        resource: { buffer: storage.block.buffer, offset: ELEMENT_BYTES[tensor.dtype] * tensor.offset, size },
      };
    });
    for (const [name, type] of kernel.bindings) {
      if (isWritten(type)) this.#mirrors.drop(bindings[name].storage);
    }
    if (kernel.uniforms.length) {
      entries.push({ binding: entries.length, resource: this.#uniforms.stage(kernel, uniforms) });
    }
    if (profiler?.timed) this.#endPass();
    this.#pass ??= this.#commands().beginComputePass(profiler?.pass());
    this.#pass.setPipeline(pipeline);
    this.#pass.setBindGroup(0, this.gpu.createBindGroup({ label: this.#label(kernel.name), layout, entries }));
    this.#pass.dispatchWorkgroups(...grid);
    if (profiler) {
      if (profiler.timed) this.#endPass();
      profiler.dispatched(kernel, dispatch, this.#scope?.path ?? "");
    }
    this.#numerics?.look("output", kernel, bindings, this.#scope?.path ?? "");
  }

  /**
   * Copies elements from one tensor to another.
   *
   * @param fromElement First element to copy. @default 0
   * @param toElement Where the first goes. @default 0
   * @param count How many. @default all of `from`
   * @throws {RangeError} If either range leaves its tensor, or 16-bit elements do not begin and end at whole words.
   * @throws {TypeError} If the tensors are of different types, or share their memory.
   */
  copy(from: Tensor, to: Tensor, { fromElement = 0, toElement = 0, count = from.size } = {}): void {
    const cannot = (why: string) =>
      `Cannot copy ${count} elements from ${fromElement} of ${from.dtype} [${from.shape}] to ${toElement} of ` +
      `${to.dtype} [${to.shape}]: ${why}`;
    const whole = [fromElement, toElement, count].every((n) => Number.isInteger(n) && n >= 0);
    if (!whole || fromElement + count > from.size || toElement + count > to.size) {
      throw new RangeError(cannot("out of range"));
    }
    if (from.dtype !== to.dtype) throw new TypeError(cannot("they must be of one type"));
    if (from.storage === to.storage) throw new TypeError(cannot("they share their memory"));
    if (count === 0) return;
    const each = ELEMENT_BYTES[from.dtype];
    this.#takesTime(0, 2 * each * count);
    const bytes = Math.ceil(each * count / 4) * 4; // an element more is copied where only padding follows
    const intoNext = bytes > each * count && !endsStorage(to, toElement + count);
    if (intoNext || each * fromElement % 4 !== 0 || each * toElement % 4 !== 0) {
      throw new RangeError(cannot("the GPU copies whole words, so the numbers of 16-bit elements must be even"));
    }
    this.#endPass();
    this.#mirrors.drop(to.storage);
    this.#numerics?.changed(to.storage);
    this.#commands().copyBufferToBuffer(
      from.storage.block.buffer,
      each * (from.offset + fromElement),
      to.storage.block.buffer,
      each * (to.offset + toElement),
      bytes,
    );
    this.profiler?.copied(each * count);
  }

  /** Hands the recorded commands to the GPU. */
  flush(): void {
    if (!this.#encoder) return;
    this.#endPass();
    const began = this.profiler?.beforeSubmit(this.#encoder);
    this.#uniforms.upload();
    const commands = this.#encoder.finish();
    this.#encoder = null;
    this.#submit([commands]);
    if (began !== undefined) this.profiler?.submitted(began);
  }

  /**
   * Submits what is recorded and copies a tensor's elements to the CPU.
   *
   * @throws {TypeError} On a device for plans, whose tensors hold no numbers.
   * @throws {Error} If a command recorded before failed.
   * @throws {OutOfMemoryError} If there was not enough memory for it.
   * @throws {WrongKernelError} If a kernel that was used turned out to be wrong on this adapter.
   * @throws {DeviceLostError} If the device was lost.
   */
  async read(tensor: Tensor): Promise<DataOf[Dtype]> {
    if (this.dry) throw new TypeError(`A tensor [${tensor.shape}] of a device for plans holds no numbers to read`);
    const bytes = Math.max(4, Math.ceil(tensor.bytes / 4) * 4);
    let asked = 0;
    const read = await this.#readback.read(bytes, (staging) => {
      const first = ELEMENT_BYTES[tensor.dtype] * tensor.offset;
      this.#endPass();
      this.#commands().copyBufferToBuffer(tensor.storage.block.buffer, first, staging, 0, bytes);
      this.flush();
      asked = performance.now();
      return this.#failures.last;
    });
    this.profiler?.hostEvent("wait", "", asked);
    await this.kernels.settle();
    await this.#numerics?.report();
    return elementsOf(tensor.dtype, tensor.bytes === bytes ? read : read.slice(0, tensor.bytes));
  }

  /**
   * Whether the GPU's work is done when WebGPU is asked about it, so that nothing has to be awaited: with Deno's own WebGPU.
   * Browsers and Dawn answer later.
   */
  get blocking(): boolean {
    return this.#readback.immediate;
  }

  /**
   * Submits what is recorded; on a {@linkcode Device.blocking} device, returns when it is done. For timing parts of a
   * computation without awaiting.
   */
  settle(): void {
    this.flush();
    const asked = performance.now();
    if (this.blocking) void this.gpu.queue.onSubmittedWorkDone();
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
    const done = this.gpu.queue.onSubmittedWorkDone();
    if (!this.blocking) await done;
    this.profiler?.hostEvent("wait", "", asked);
    await this.check();
    await this.kernels.settle();
    await this.#numerics?.report();
  }

  /**
   * Submits what is recorded and throws if it cannot run, without waiting until it has: before a step that must not
   * work on the results of what failed.
   *
   * @throws {Error} As {@linkcode Device.read} does.
   */
  async check(): Promise<void> {
    this.flush();
    this.#failures.submitted(); // what was made or written since the last commands
    await this.#failures.wait(this.#failures.last);
  }

  /** Same as {@linkcode Device.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** Gives the GPU back. All tensors become unusable. */
  close(): void {
    this.#failures.close();
    this.#endPass();
    this.#encoder = null;
    this.gpu.destroy();
  }

  #commands(): GPUCommandEncoder {
    return this.#encoder ??= this.gpu.createCommandEncoder();
  }

  /** Submits what is recorded if with this it would hold the GPU for too long. */
  #takesTime(flops: number, bytes: number): void {
    const ms = Math.max(flops / this.speed.gflops, bytes / this.speed.gbs) / 1e6;
    if (this.#recordedMs > 0 && this.#recordedMs + ms > this.submitMs) this.flush();
    this.#recordedMs += ms;
  }

  #submit(commands: GPUCommandBuffer[]): void {
    this.gpu.queue.submit(commands);
    this.#written = 0;
    this.#recordedMs = 0;
    this.#failures.submitted();
    this.#pool.afterSubmit();
    this.#mirrors.afterSubmit();
  }

  #clear({ storage, offset, bytes, dtype }: Tensor): void {
    this.#endPass();
    this.#mirrors.drop(storage);
    this.#commands().clearBuffer(
      storage.block.buffer,
      ELEMENT_BYTES[dtype] * offset,
      Math.max(4, Math.ceil(bytes / 4) * 4),
    );
    this.#numerics?.zeroed(storage);
    this.profiler?.copied(bytes);
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = null;
  }

  #label(name: string): string {
    return this.#scope ? `${this.#scope.path}/${name}` : name;
  }

  #copyToMirror(mirror: Mirror, { block: { buffer } }: Storage): void {
    this.#endPass();
    copyToMirror(this.#commands(), mirror, buffer);
    this.profiler?.copied(mirror.bytes);
  }
}

/** Bytes that a kernel reads and writes, or all that it is given where it does not say. */
function bytesOf({ bindings, bytesRead, bytesWritten }: Dispatch): number {
  if (bytesRead !== undefined && bytesWritten !== undefined) return bytesRead + bytesWritten;
  return Object.values(bindings).reduce((sum, { bytes }) => sum + bytes, 0);
}

/** Whether nothing but padding follows the first elements of a tensor in its storage. */
function endsStorage({ offset, storage }: Tensor, elements: number): boolean {
  return offset + elements >= storage.elements;
}

function tooLarge(kernel: string, name: string, { shape, size, bytes }: Tensor, limit: number): string {
  return `Kernel ${kernel} needs all of ${name} [${shape}] at once, ${bytes} bytes; this adapter lets a kernel see ${limit} ` +
    `(maxStorageBufferBindingSize), ${
      Math.floor(limit * size / bytes)
    } of the ${size} elements: use fewer residues, fewer ` +
    `sequences or a smaller batch`;
}
