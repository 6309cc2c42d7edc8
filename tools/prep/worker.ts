/**
 * A worker that prepares targets: it says that it is ready, takes options, then jobs, and answers each.
 *
 * In the single-file program this module is part of that file, which starts as a worker by the worker's name.
 *
 * @module
 */
import { type Job, type JobOptions, type JobOutcome, runJob } from "./prepare_job.ts";
import { SourceReader } from "./sources.ts";
import { isPrepWorker, WORKER_NAME } from "./worker_name.ts";

/** What a worker is sent. */
export type ToWorker = { readonly options: JobOptions } | { readonly job: Job };

/** What a worker sends. */
export type FromWorker = { readonly ready: true } | { readonly outcome: JobOutcome };

/** Starts a worker; the caller listens for {@linkcode FromWorker}. */
export function startWorker(): Worker {
  return new Worker(import.meta.url, { type: "module", name: WORKER_NAME });
}

/** The parts of a worker's global scope that are used here. */
type WorkerScope = {
  onmessage: (event: MessageEvent<ToWorker>) => void;
  postMessage(message: FromWorker): void;
};

function serve(scope: WorkerScope): void {
  const reader = new SourceReader();
  let options: JobOptions | undefined;
  scope.onmessage = async ({ data }) => {
    if ("options" in data) {
      options = data.options;
      return;
    }
    if (options === undefined) throw new TypeError("A job came before the options");
    scope.postMessage({ outcome: await runJob(data.job, options, reader) });
  };
  scope.postMessage({ ready: true });
}

if (isPrepWorker()) serve(globalThis as typeof globalThis & WorkerScope);
