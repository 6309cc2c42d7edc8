/** Prepares many targets, several at a time. */
import { fileNames, makeFolder, removeLeftovers } from "../files.ts";
import type { CollectedTarget } from "./list_targets.ts";
import { type ManifestEntry, ManifestLog, readManifest } from "./manifest.ts";
import { type JobOptions, type JobOutcome, runJob } from "./prepare_job.ts";
import { SourceReader } from "./sources.ts";
import { startWorker } from "./worker.ts";
import { type Runner, WorkerSlot } from "./worker_slot.ts";

/** Choices of {@linkcode prep}. */
export interface PrepOptions extends JobOptions {
  /** Targets that are prepared at the same time; with one and no limit of time no workers are started. */
  readonly jobs: number;
  /**
   * Longest time for a target, in seconds; one that takes longer is failed.
   *
   * @default 600 with several jobs; with one, for which no worker is started, there is no limit
   */
  readonly timeLimitSeconds?: number;
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

/** Longest time for a target in a worker, in seconds. */
const TIME_LIMIT_SECONDS = 600;

/**
 * Prepares targets and keeps the manifest of their folder; targets that are done and unchanged are left as they are.
 *
 * @throws {InputError} If the folder cannot be written, or its manifest cannot be read.
 */
export async function prep(targets: readonly CollectedTarget[], options: PrepOptions): Promise<PrepResult> {
  const { out, jobs, timeLimitSeconds, failFast, signal, onDone, ...rest } = options;
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
    } catch (error) {
      isStopped = true;
      throw error;
    } finally {
      runner.stop();
    }
  };
  const count = Math.min(jobs, targets.length);
  const limitMs = 1000 * (timeLimitSeconds ?? TIME_LIMIT_SECONDS);
  const start = (): Runner =>
    count === 1 && timeLimitSeconds === undefined
      ? inThread(jobOptions)
      : new WorkerSlot({ start: startWorker, job: jobOptions, limitMs });
  const ends = await Promise.allSettled(Array.from({ length: count }, () => work(start())));
  await removeLeftovers(out, files);
  await log.finish(entries.filter((entry) => entry !== undefined));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
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

function inThread(options: JobOptions): Runner {
  const reader = new SourceReader();
  return { run: (job) => runJob(job, options, reader), stop: () => {} };
}
