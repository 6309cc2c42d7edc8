import type { Device, Dispatch } from "./device.ts";
import type { Grid } from "./grid.ts";
import type { Scope } from "./scope.ts";
import type { Storage } from "./tensor.ts";
import { isWritten, type Kernel } from "./wgsl.ts";

/**
 * Where kernels' times come from: `timestamps` of the device; `wall`: the adapter has none, so every kernel is submitted
 * alone and waited for, and its time contains that of the submission; `none`: there is no way (a browser without
 * timestamps, a device for plans) or it was not asked for, all times are 0.
 */
export type ProfileClock = "timestamps" | "wall" | "none";

/** One kernel that ran. Times are in milliseconds, counted from the start of the profile. */
export interface KernelRun {
  /** Name of the kernel. */
  readonly kernel: string;
  /** Scopes it ran in, outermost first, joined by `/`. */
  readonly path: string;
  /** When it began, by the device's clock, moved so that nothing begins before it was submitted. */
  startMs: number;
  /** How long it took. */
  ms: number;
  /** Operations, two for a multiply-add; null where the op does not tell. */
  readonly flops: number | null;
  /** What must be read at least once: all of the tensors it reads, or the part that the op says. */
  readonly bytesRead: number;
  /** What must be written. */
  readonly bytesWritten: number;
  /** Workgroups. */
  readonly grid: Grid;
}

/** Something the CPU did for the device. */
export interface HostEvent {
  /** Handing a command list over, waiting for the device, creating a pipeline, or finding out whether its kernel is right. */
  readonly kind: "submit" | "wait" | "compile" | "verify";
  /** Kernel of the pipeline; empty for others. */
  readonly name: string;
  /** Milliseconds from the start of the profile. */
  readonly startMs: number;
  /** How long it took. */
  readonly ms: number;
}

/** A tensor's memory that was taken or given back. */
export interface MemoryEvent {
  /** By the CPU's clock, in milliseconds from the start of the profile. */
  readonly atMs: number;
  /** Bytes; negative when given back. */
  readonly bytes: number;
  /** Scopes it was taken in; empty for memory taken before the profile began. */
  readonly path: string;
  /** Index of the event that took this memory; -1 if it was taken before the profile began. */
  readonly taken: number;
  /** Bytes of all buffers of the device at that time, pooled ones included. */
  readonly allocatedBytes: number;
}

/** What a profiler looks at. */
export interface ProfilerOptions {
  /** Times of kernels; without them kernels share passes as they do without a profiler. @default true */
  readonly kernels?: boolean;
  /** Memory of tensors. @default true */
  readonly memory?: boolean;
  /**
   * Receives each kernel when it is recorded, for counts over millions of them: the profile then keeps none, and they
   * are not timed. What it throws goes to whoever runs the kernel. @default kernels are kept
   */
  readonly onKernel?: (run: KernelRun) => void;
}

/** What {@linkcode Profiler.stop} returns. */
export interface Profile {
  /** The adapter's name. */
  readonly adapter: string;
  /** Where kernels' times come from. */
  readonly clock: ProfileClock;
  /** Time from start to stop. */
  readonly wallMs: number;
  /** All kernels in the order they ran. */
  readonly kernels: readonly KernelRun[];
  /** Submissions, waits and compilations in the order they ended. */
  readonly host: readonly HostEvent[];
  /** Time the CPU spent recording kernels. */
  readonly encodeMs: number;
  /** Copies and fills between kernels; the device's timestamps do not cover them. */
  readonly copies: { readonly count: number; readonly bytes: number };
  /** Bytes that tensors held at the start. */
  readonly startBytes: number;
  /** How tensors' memory changed since. */
  readonly memory: readonly MemoryEvent[];
  /** What {@linkcode Profiler.mark} noted. */
  readonly marks: readonly { readonly name: string; readonly atMs: number; readonly kernels: number }[];
}

interface Submission {
  readonly atMs: number;
  readonly firstKernel: number;
}

interface Log {
  readonly buffer: GPUBuffer;
  queries: number;
}

const QUERIES = 2048;
const LOG_QUERIES = 65_536;

/**
 * Measures what a device does between {@linkcode Profiler.start} and {@linkcode Profiler.stop}: every kernel's time,
 * place (the path of scopes it ran in), bytes and operations; the CPU's share; the memory of tensors. While it is on,
 * every kernel is a pass of its own with two timestamps. A device without a profiler pays nothing.
 *
 * Browsers round timestamps (Chromium to 0.1 ms, unless started with `--enable-webgpu-developer-features`).
 *
 * @example
 * ```ts
 * import { Device, Profiler } from "@denofold/denofold";
 * import { matmul } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * const profiler = Profiler.start(device);
 * {
 *   using scope = device.scope("squares");
 *   const x = device.zeros([64, 64]);
 *   await matmul(x, x).read();
 * }
 * const { kernels } = await profiler.stop();
 * assert.equal(kernels[0].path, "squares/matmul");
 * assert.equal(kernels[0].flops, 2 * 64 ** 3);
 * device.close();
 * ```
 */
export class Profiler {
  /** Where kernels' times come from. */
  readonly clock: ProfileClock;
  readonly #device: Device;
  readonly #withMemory: boolean;
  readonly #onKernel: ((run: KernelRun) => void) | undefined;
  readonly #start = performance.now();
  readonly #startBytes: number;
  readonly #kernels: KernelRun[] = [];
  readonly #host: HostEvent[] = [];
  readonly #memory: MemoryEvent[] = [];
  readonly #taken = new Map<Storage, number>();
  readonly #submissions: Submission[] = [];
  readonly #marks: { name: string; atMs: number; kernels: number }[] = [];
  readonly #logs: Log[] = [];
  readonly #querySet: GPUQuerySet | null;
  readonly #resolved: GPUBuffer | null;
  #queries = 0;
  #submitted = 0;
  #encodeMs = 0;
  #copies = { count: 0, bytes: 0 };
  #entered = 0;
  #nestedMs = 0;

  private constructor(device: Device, { kernels = true, memory = true, onKernel }: ProfilerOptions) {
    this.#device = device;
    this.#withMemory = memory;
    this.#onKernel = onKernel;
    this.#startBytes = device.memory.liveBytes;
    const untimed = device.dry || !kernels || onKernel;
    this.clock = untimed ? "none" : device.traits.timestamps ? "timestamps" : device.blocking ? "wall" : "none";
    const timed = this.clock === "timestamps";
    const { gpu } = device;
    this.#querySet = timed ? gpu.createQuerySet({ label: "profiler", type: "timestamp", count: QUERIES }) : null;
    const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
    this.#resolved = timed ? gpu.createBuffer({ label: "profiler", size: 8 * QUERIES, usage }) : null;
  }

  /**
   * Begins to measure; what was recorded before is submitted first.
   *
   * @throws {TypeError} If the device has a profiler already.
   */
  static start(device: Device, options: ProfilerOptions = {}): Profiler {
    if (device.profiler) throw new TypeError("The device has a profiler already: stop that one first");
    device.flush();
    return device.profiler = new Profiler(device, options);
  }

  /** Notes a moment under a name, the beginning of a step, say. */
  mark(name: string): void {
    this.#marks.push({ name, atMs: this.#now(), kernels: this.#kernels.length });
  }

  /**
   * Ends measuring at once, then waits for the device and frees what measuring took.
   *
   * @throws {Error} As {@linkcode Device.finish} does.
   */
  async stop(): Promise<Profile> {
    const device = this.#device;
    try {
      device.flush();
      device.profiler = null;
      const asked = performance.now();
      await device.finish();
      this.hostEvent("wait", "", asked);
      const wallMs = this.#now();
      await this.#readTimes();
      return {
        ...{ adapter: device.traits.description, clock: this.clock, wallMs },
        ...{ kernels: this.#kernels, host: this.#host, encodeMs: this.#encodeMs, copies: this.#copies },
        ...{ startBytes: this.#startBytes, memory: this.#memory, marks: this.#marks },
      };
    } finally {
      device.profiler = null;
      this.#free();
    }
  }

  /** Ends measuring and frees what it took, without a result; for when what was measured has failed. */
  cancel(): void {
    this.#device.flush();
    this.#device.profiler = null;
    this.#free();
  }

  /** Called by the device: whether every kernel must be a pass of its own. */
  get timed(): boolean {
    return this.clock !== "none";
  }

  /** Called by the device: whether what is recorded must be submitted before another kernel can be measured. */
  get full(): boolean {
    return this.#queries === QUERIES;
  }

  /** Called by the device when it begins to record a kernel. */
  enter(): void {
    this.#entered = performance.now();
    this.#nestedMs = 0;
  }

  /** Called by the device: how the pass of the next kernel is to be timed. */
  pass(): GPUComputePassDescriptor | undefined {
    if (!this.#querySet) return undefined;
    const beginningOfPassWriteIndex = this.#queries++;
    const endOfPassWriteIndex = this.#queries++;
    return { timestampWrites: { querySet: this.#querySet, beginningOfPassWriteIndex, endOfPassWriteIndex } };
  }

  /** Called by the device when a kernel's pass is recorded. */
  dispatched({ name, bindings: types }: Kernel, { bindings, grid, flops, ...bytes }: Dispatch, path: string): void {
    let bytesRead = 0, bytesWritten = 0;
    for (const [binding, type] of types) {
      if (isWritten(type)) bytesWritten += bindings[binding].bytes;
      else bytesRead += bindings[binding].bytes;
    }
    bytesRead = bytes.bytesRead ?? bytesRead;
    bytesWritten = bytes.bytesWritten ?? bytesWritten;
    const run = { kernel: name, path, startMs: 0, ms: 0, flops: flops ?? null, bytesRead, bytesWritten, grid };
    if (this.#onKernel) this.#onKernel(run);
    else this.#kernels.push(run);
    this.#encodeMs += performance.now() - this.#entered - this.#nestedMs;
    if (this.clock === "wall") {
      run.startMs = this.#now();
      this.#device.settle();
      run.ms = this.#now() - run.startMs;
    }
  }

  /** Called by the device before it ends a command list: adds what fetches the timestamps. @returns The time now. */
  beforeSubmit(encoder: GPUCommandEncoder): number {
    const began = performance.now();
    if (this.#queries > 0 && this.#querySet && this.#resolved) {
      let log = this.#logs.at(-1);
      if (!log || log.queries + this.#queries > LOG_QUERIES) this.#logs.push(log = this.#createLog());
      encoder.resolveQuerySet(this.#querySet, 0, this.#queries, this.#resolved, 0);
      encoder.copyBufferToBuffer(this.#resolved, 0, log.buffer, 8 * log.queries, 8 * this.#queries);
      log.queries += this.#queries;
      this.#queries = 0;
    }
    return began;
  }

  /** Called by the device when it has submitted a command list. */
  submitted(began: number): void {
    if (this.#kernels.length > this.#submitted) {
      this.#submissions.push({ atMs: began - this.#start, firstKernel: this.#submitted });
      this.#submitted = this.#kernels.length;
    }
    this.hostEvent("submit", "", began);
  }

  /** Called by the device when the CPU has waited for it, or created a pipeline. */
  hostEvent(kind: HostEvent["kind"], name: string, began: number): void {
    const ms = performance.now() - began;
    this.#nestedMs += ms;
    this.#host.push({ kind, name, startMs: began - this.#start, ms });
  }

  /** Called by the device for a copy or fill. */
  copied(bytes: number): void {
    this.#copies.count++;
    this.#copies.bytes += bytes;
  }

  /** Called by the device when a tensor takes memory. */
  allocated(storage: Storage, path: string): void {
    if (!this.#withMemory) return;
    this.#taken.set(storage, this.#memory.length);
    this.#remember(storage.bytes, path, this.#memory.length);
  }

  /** Called by the device when the last tensor of a storage lets go. */
  released(storage: Storage): void {
    if (!this.#withMemory) return;
    const taken = this.#taken.get(storage) ?? -1;
    this.#taken.delete(storage);
    this.#remember(-storage.bytes, taken < 0 ? "" : this.#memory[taken].path, taken);
  }

  /** Called by ops: the place of a scope below the part that is differentiated, by which its way back is known. */
  placeOf(scope: Scope): string {
    let place = scope.name;
    for (let outer = scope.parent; outer && outer.name !== "forward"; outer = outer.parent) {
      place = `${outer.name}/${place}`;
    }
    return place;
  }

  #remember(bytes: number, path: string, taken: number): void {
    this.#memory.push({ atMs: this.#now(), bytes, path, taken, allocatedBytes: this.#device.memory.allocatedBytes });
  }

  #free(): void {
    this.#querySet?.destroy();
    this.#resolved?.destroy();
    for (const { buffer } of this.#logs) buffer.destroy();
  }

  #now(): number {
    return performance.now() - this.#start;
  }

  #createLog(): Log {
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    return { buffer: this.#device.gpu.createBuffer({ label: "profiler", size: 8 * LOG_QUERIES, usage }), queries: 0 };
  }

  async #readTimes(): Promise<void> {
    if (this.clock !== "timestamps") return;
    let first: bigint | undefined, next = 0;
    for (const { buffer, queries } of this.#logs) {
      await buffer.mapAsync(GPUMapMode.READ);
      const times = new BigUint64Array(buffer.getMappedRange(0, 8 * queries));
      first ??= times[0];
      for (let i = 0; i < queries; i += 2) {
        const run = this.#kernels[next++];
        run.startMs = Number(times[i] - first!) / 1e6;
        run.ms = Math.max(0, Number(times[i + 1] - times[i]) / 1e6);
      }
      buffer.unmap();
    }
    // The clocks' zeros differ by an unknown time: the least that lets nothing begin before its submission.
    let shift = -Infinity;
    for (const { atMs, firstKernel } of this.#submissions) {
      shift = Math.max(shift, atMs - this.#kernels[firstKernel].startMs);
    }
    for (const run of this.#kernels) run.startMs += shift;
  }
}
