/** The device stopped working while it was in use (a driver reset, an unplugged GPU). */
export class DeviceLostError extends Error {
  /** Name of the class. */
  override name = "DeviceLostError";
}

/** What went wrong on the GPU, kept until somebody waits for a result. */
export class Failures {
  readonly #gpu: GPUDevice;
  #checks: Promise<GPUError | null>[] = [];
  #first: Error | null = null;
  #closed = false;

  /** Watches a device; error scopes are open from now on. */
  constructor(gpu: GPUDevice) {
    this.#gpu = gpu;
    gpu.addEventListener("uncapturederror", (event) => {
      this.#first ??= new Error(`A GPU command failed: ${(event as GPUUncapturedErrorEvent).error.message}`);
    });
    gpu.lost.then((info) => {
      if (info.reason !== "destroyed" || !this.#closed) {
        this.#first = new DeviceLostError(`The GPU device was lost: ${info.message || info.reason}`);
      }
    });
    this.#openScopes();
  }

  /** Whether a failure is known already. */
  get any(): boolean {
    return this.#first !== null;
  }

  /** Takes note of a lost device. */
  lost(message: string): void {
    this.#first ??= new DeviceLostError(`The GPU device was lost${message}`);
  }

  /** What was submitted since the last call is looked at by {@linkcode Failures.throwFirst}. */
  submitted(): void {
    const failed = (error: Error) => {
      this.lost(`: ${error.message}`);
      return null;
    };
    this.#checks.push(this.#gpu.popErrorScope().catch(failed), this.#gpu.popErrorScope().catch(failed));
    this.#openScopes();
  }

  /** The device is about to be given back: losing it is no failure any more. */
  close(): void {
    this.#closed = true;
  }

  /** Throws the first failure, if there was one. */
  async throwFirst(): Promise<void> {
    for (const error of await Promise.all(this.#checks.splice(0))) {
      if (error) this.#first ??= new Error(`A GPU command failed: ${error.message}`);
    }
    const failure = this.#first;
    if (!failure) return;
    if (!(failure instanceof DeviceLostError)) this.#first = null; // told once; a lost device stays lost
    throw failure;
  }

  #openScopes(): void {
    this.#gpu.pushErrorScope("out-of-memory");
    this.#gpu.pushErrorScope("validation");
  }
}
