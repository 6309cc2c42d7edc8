/** Name of the workers that prepare targets, by which the single-file program knows that it was started as one. */
export const WORKER_NAME = "denofold-prep";

/** Whether this thread is such a worker. */
export function isPrepWorker(): boolean {
  return Reflect.get(globalThis, "name") === WORKER_NAME;
}
