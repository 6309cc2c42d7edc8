import type { MemoryReport } from "./_memory.ts";

/** The device stopped working while it was in use (a driver reset, an unplugged GPU). */
export class DeviceLostError extends Error {
  /** Name of the class. */
  override name = "DeviceLostError";
}

/**
 * The GPU had no memory left. The device lives on: tensors made before keep their numbers, those that got no memory
 * cannot be used, and pooled buffers were let go, so that the same may be tried again with less.
 *
 * @example
 * ```ts
 * import { Device, OutOfMemoryError } from "@denofold/denofold";
 * import { matmul } from "@denofold/denofold/ops";
 *
 * const device = await Device.open(navigator.gpu);
 * for (let batch = 8; batch >= 1; batch /= 2) {
 *   try {
 *     using scope = device.scope("try");
 *     const x = device.zeros([batch, 64, 64]);
 *     await matmul(x, x).read();
 *     break;
 *   } catch (error) {
 *     if (!(error instanceof OutOfMemoryError)) throw error;
 *   }
 * }
 * ```
 */
export class OutOfMemoryError extends Error {
  /** Name of the class. */
  override name = "OutOfMemoryError";
  /** The device's memory when it happened. */
  readonly memory: MemoryReport;

  /**
   * Tells of it, and what to do.
   *
   * @param bytes What there was no memory for, where that is known.
   */
  constructor(memory: MemoryReport, bytes = 0) {
    const { liveBytes, liveTensors, allocatedBytes, peakBytes } = memory;
    const more = bytes > 0 ? `: there was none for ${mebibytes(bytes)} more` : "";
    super(
      `The GPU ran out of memory${more}. ${liveTensors} tensors take ${mebibytes(liveBytes)} (at most ` +
        `${mebibytes(peakBytes)}), all buffers ${
          mebibytes(allocatedBytes)
        }: use fewer residues, fewer sequences or a ` +
        `smaller batch; in training, compute blocks again on the way back (recompute)`,
    );
    this.memory = memory;
  }
}

/** What came of all that was submitted up to some point: the failure to tell of, or null. */
type Outcome = Promise<Error | null>;

/** A submission as those see it who wait for its results. */
export interface Submission {
  /** What was submitted since a failure was last told of: they fail together. */
  readonly series: { outcome: Outcome };
  /** What came of the series up to this submission. */
  readonly outcome: Outcome;
}

/** Something that took memory of its own. */
interface Allocation {
  readonly bytes: number;
  readonly error: Promise<GPUError | null>;
  /** Called if there was no memory for it. */
  readonly failed: (error: OutOfMemoryError) => void;
}

/** What went wrong on the GPU, kept until those are told who wait for results of it. */
export class Failures {
  readonly #gpu: GPUDevice;
  readonly #memory: () => MemoryReport;
  readonly #relieve: () => void;
  #allocations: Allocation[] = [];
  #series: Submission["series"] = { outcome: Promise.resolve(null) };
  #uncaptured: Error | null = null;
  #lost: DeviceLostError | null = null;
  #closed = false;

  /**
   * Watches a device; error scopes are open from now on.
   *
   * @param memory Reports the device's memory.
   * @param relieve Lets go of memory that can be spared; called after there was too little.
   */
  constructor(gpu: GPUDevice, memory: () => MemoryReport, relieve: () => void) {
    this.#gpu = gpu;
    this.#memory = memory;
    this.#relieve = relieve;
    gpu.addEventListener("uncapturederror", (event) => {
      this.#uncaptured ??= failureOf((event as GPUUncapturedErrorEvent).error);
    });
    gpu.lost.then((info) => {
      if (info.reason !== "destroyed" || !this.#closed) this.lost(`: ${info.message || info.reason}`);
    });
    this.#openScopes();
  }

  /** Whether the device is known to be lost. */
  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** What was submitted last. */
  get last(): Submission {
    return { series: this.#series, outcome: this.#series.outcome };
  }

  /** Takes note of a lost device. */
  lost(message: string): void {
    this.#lost ??= new DeviceLostError(`The GPU device was lost${message}`);
  }

  /** Creates something that takes memory, and looks whether there was enough for it. */
  allocate<T>(bytes: number, create: () => T, failed: Allocation["failed"]): T {
    this.#gpu.pushErrorScope("out-of-memory");
    try {
      return create();
    } finally {
      this.#allocations.push({ bytes, failed, error: this.#popScope() });
    }
  }

  /** What was done since the last call is a submission: whoever waits for it is told how it failed. */
  submitted(): void {
    const before = this.#series.outcome;
    const own = this.#outcomeOf([this.#popScope(), this.#popScope()], this.#allocations.splice(0));
    this.#series.outcome = Promise.all([before, own]).then(([before, own]) =>
      before instanceof OutOfMemoryError ? before : own ?? before // what failed for want of memory is a consequence
    );
    this.#openScopes();
  }

  /** The device is about to be given back: losing it is no failure any more. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Waits until it is known what came of a submission, and throws how it, or one before it, failed. Whoever waits for
   * something submitted before a failure was told of is told as well; what is submitted later is not affected.
   */
  async wait({ series, outcome }: Submission): Promise<void> {
    const failure = await outcome ?? this.#uncaptured;
    if (this.#lost) throw this.#lost; // and stays so
    if (!failure) return;
    if (failure === this.#uncaptured) this.#uncaptured = null;
    if (series === this.#series) this.#series = { outcome: Promise.resolve(null) };
    throw failure;
  }

  async #outcomeOf(scopes: readonly Promise<GPUError | null>[], allocations: readonly Allocation[]): Outcome {
    const [validation, memory] = await Promise.all(scopes);
    const refused: Allocation[] = [];
    for (const allocation of allocations) if (await allocation.error) refused.push(allocation);
    if (!memory && refused.length === 0) return validation && failureOf(validation);
    const error = new OutOfMemoryError(this.#memory(), refused[0]?.bytes);
    for (const { failed } of refused) failed(error);
    this.#relieve();
    return error;
  }

  #openScopes(): void {
    this.#gpu.pushErrorScope("out-of-memory");
    this.#gpu.pushErrorScope("validation");
  }

  async #popScope(): Promise<GPUError | null> {
    try {
      return await this.#gpu.popErrorScope();
    } catch (error) {
      this.lost(`: ${(error as Error).message}`);
      return null;
    }
  }
}

function failureOf(error: GPUError): Error {
  return new Error(`A GPU command failed: ${error.message}`);
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
