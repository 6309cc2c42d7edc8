/** Prepares many targets, several at a time. */
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { fileNames, leftoverOf, makeFolder } from "../files.ts";
import type { CollectedTarget } from "./list_targets.ts";
import { type ManifestEntry, ManifestLog, readManifest } from "./manifest.ts";
import { type Job, type JobOptions, type JobOutcome, runJob } from "./prepare_job.ts";
import { SourceReader } from "./sources.ts";
import { type FromWorker, startWorker, type ToWorker } from "./worker.ts";

/** Choices of {@linkcode prep}. */
export interface PrepOptions extends JobOptions {
  /** Targets that are prepared at the same time; with one no workers are started. */
  readonly jobs: number;
  /** Stop at the first target that cannot be prepared. */
  readonly failFast: boolean;
  /** Stops when aborted, after the targets that are being prepared. */
  readonly signal?: AbortSignal;
  /** Is told of every target when it is done. */
  readonly onDone?: (outcome: JobOutcome, done: number) => void;
}

/** How many targets ended how. */
export interface PrepResult {
  /** Targets whose features were made now. */
  readonly prepared: number;
  /** Targets whose features were there, with nothing changed. */
  readonly unchanged: number;
  /** Targets that could not be prepared. */
  readonly failed: readonly ManifestEntry[];
  /** Targets that were not begun, because a failure or a signal stopped the work. */
  readonly left: number;
  /** Warnings of all targets together. */
  readonly warnings: number;
}

/** Does jobs, one at a time. */
interface Runner {
  run(job: Job): Promise<JobOutcome>;
  stop(): void;
}

/**
 * Prepares targets and keeps the manifest of their folder; targets that are done and unchanged are left as they are.
 *
 * @throws {InputError} If the folder cannot be written, or its manifest cannot be read.
 */
export async function prep(targets: readonly CollectedTarget[], options: PrepOptions): Promise<PrepResult> {
  const { out, jobs, failFast, signal, onDone, ...rest } = options;
  const jobOptions: JobOptions = { out, ...rest };
  await makeFolder(out);
  const before = await readManifest(out);
  const files = featureFiles(targets, before);
  await removeLeftovers(out, files);
  const log = new ManifestLog(out);
  const entries = new Array<ManifestEntry | undefined>(targets.length);
  let next = 0, done = 0, unchanged = 0, isStopped = false;
  const work = async (runner: Runner): Promise<void> => {
    try {
      while (next < targets.length && !isStopped && !signal?.aborted) {
        const index = next++;
        const target = targets[index];
        const outcome = await runner.run({ target, file: files[index], previous: before.get(target.id) });
        entries[index] = outcome.entry;
        if (outcome.isUnchanged) unchanged++;
        else log.add(outcome.entry);
        if (failFast && outcome.entry.status === "failed") isStopped = true;
        onDone?.(outcome, ++done);
      }
    } finally {
      runner.stop();
    }
  };
  const count = Math.min(jobs, targets.length);
  try {
    await Promise.all(
      Array.from({ length: count }, () => work(count === 1 ? inThread(jobOptions) : new WorkerRunner(jobOptions))),
    );
  } finally {
    isStopped = true;
    await log.finish(entries.filter((entry) => entry !== undefined));
  }
  const made = entries.filter((entry) => entry !== undefined);
  const failed = made.filter(({ status }) => status === "failed");
  return {
    prepared: made.length - unchanged - failed.length,
    unchanged,
    failed,
    left: targets.length - made.length,
    warnings: made.reduce((sum, { warnings = [] }) => sum + warnings.length, 0),
  };
}

/** Names of the targets' feature files; none is that of another target of the manifest. */
function featureFiles(targets: readonly CollectedTarget[], before: ReadonlyMap<string, ManifestEntry>): string[] {
  const ids = targets.map(({ id }) => id);
  const own = new Set(ids);
  const taken = new Set<string>();
  for (const { id, file } of before.values()) {
    if (file !== undefined && !own.has(id)) taken.add(file.toLowerCase().replace(/\.safetensors$/, ""));
  }
  return fileNames(ids, taken).map((name) => `${name}.safetensors`);
}

/** Removes what writing these files left when it was broken off. */
async function removeLeftovers(folder: string, files: readonly string[]): Promise<void> {
  const own = new Set(files);
  for await (const { name } of Deno.readDir(folder)) {
    if (own.has(leftoverOf(name) ?? "")) await Deno.remove(join(folder, name));
  }
}

function inThread(options: JobOptions): Runner {
  const reader = new SourceReader();
  return { run: (job) => runJob(job, options, reader), stop: () => {} };
}

/** Does jobs in a worker; one that dies takes only its job along. */
class WorkerRunner implements Runner {
  readonly #options: JobOptions;
  #worker: Worker | undefined;

  constructor(options: JobOptions) {
    this.#options = options;
  }

  async run(job: Job): Promise<JobOutcome> {
    try {
      this.#worker ??= await this.#start();
      const message = await this.#ask({ job });
      if ("outcome" in message) return message.outcome;
      throw new TypeError("A worker said that it is ready, expected an outcome");
    } catch (error) {
      if (!(error instanceof WorkerDied)) throw error;
      this.stop();
      return { entry: { id: job.target.id, status: "failed", error: error.message }, isUnchanged: false };
    }
  }

  stop(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
  }

  async #start(): Promise<Worker> {
    const worker = startWorker();
    await answerOf(worker);
    worker.postMessage({ options: this.#options } satisfies ToWorker);
    return worker;
  }

  async #ask(message: ToWorker): Promise<FromWorker> {
    const worker = this.#worker ?? await this.#start();
    const answer = answerOf(worker);
    worker.postMessage(message);
    return await answer;
  }
}

/** A worker that ended by itself, for want of memory for example. */
class WorkerDied extends InputError {}

/** The next message of a worker. */
function answerOf(worker: Worker): Promise<FromWorker> {
  return new Promise((resolve, reject) => {
    worker.onmessage = (event: MessageEvent<FromWorker>) => resolve(event.data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new WorkerDied(`The worker that prepared it ended: ${event.message}`));
    };
  });
}
