/** One place at which targets are prepared in a worker, one after the other. */
import { InputError } from "../errors.ts";
import type { Job, JobOptions, JobOutcome } from "./prepare_job.ts";
import type { FromWorker, ToWorker } from "./worker.ts";

/** Does jobs, one at a time. */
export interface Runner {
  /** Does a job; what goes wrong with it is told in the outcome. */
  run(job: Job): Promise<JobOutcome>;
  /** Ends it, with the job at hand. */
  stop(): void;
}

/** What a {@linkcode WorkerSlot} is made of. */
export interface WorkerSlotOptions {
  /** Starts a worker, which says that it is ready, takes options and answers jobs. */
  readonly start: () => Worker;
  /** Choices that all jobs share. */
  readonly job: JobOptions;
  /** Longest time for a job, in ms. */
  readonly limitMs: number;
}

/** Why a worker gave no answer. */
class WorkerEnded extends InputError {}

/** A worker took longer than it may. */
class WorkerSlow extends WorkerEnded {}

/**
 * Does jobs in a worker. One that ends by itself, with a job in hand or between two, is replaced, and its job is done once
 * more; one that takes too long is ended, and its job failed: workers that vanish without a word are found by that alone.
 */
export class WorkerSlot implements Runner {
  readonly #options: WorkerSlotOptions;
  #worker: Worker | undefined;
  /** Who waits for the worker's next message. */
  #waiting: PromiseWithResolvers<FromWorker> | undefined;

  /** Starts nothing yet. */
  constructor(options: WorkerSlotOptions) {
    this.#options = options;
  }

  async run(job: Job): Promise<JobOutcome> {
    for (let isAgain = false;; isAgain = true) {
      try {
        this.#worker ??= await this.#start();
        const message = await this.#answer(() => this.#send({ job }));
        if ("outcome" in message) return message.outcome;
        throw new TypeError("A worker said that it is ready, expected an outcome");
      } catch (error) {
        if (!(error instanceof WorkerEnded)) throw error;
        if (!isAgain && !(error instanceof WorkerSlow)) continue;
        return { entry: { id: job.target.id, status: "failed", error: error.message }, isUnchanged: false };
      }
    }
  }

  stop(): void {
    this.#end(new WorkerEnded("The worker that prepared it was stopped"));
  }

  async #start(): Promise<Worker> {
    const worker = this.#worker = this.#options.start();
    worker.onmessage = (event: MessageEvent<FromWorker>) => this.#waiting?.resolve(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      if (worker === this.#worker) this.#end(new WorkerEnded(`The worker that prepared it ended: ${event.message}`));
    };
    worker.onmessageerror = () => {
      if (worker === this.#worker) {
        this.#end(new WorkerEnded("The worker that prepared it gave an answer that is damaged"));
      }
    };
    await this.#answer(() => {});
    this.#send({ options: this.#options.job });
    return worker;
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  /** The worker's next message after it was asked. */
  async #answer(ask: () => void): Promise<FromWorker> {
    const { limitMs } = this.#options;
    this.#waiting = Promise.withResolvers();
    const timer = setTimeout(() => {
      this.#end(new WorkerSlow(`It was not prepared within the ${limitMs / 1000} s that are allowed`));
    }, limitMs);
    try {
      ask();
      return await this.#waiting.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  /** Gives the worker up and tells who waits for it. */
  #end(reason: WorkerEnded): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#waiting?.reject(reason);
  }
}
