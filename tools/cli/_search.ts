/** What the commands that search share. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type JobResult, runJob, type SearchJob, type ServerState } from "../search/jobs.ts";
import { targetFolders } from "../search/results.ts";
import { listed } from "../words.ts";
import { EXIT, type Interrupt, onInterrupt, startProgress } from "./_shared.ts";

/** Cores where the user names none. */
export const CORES: number = availableParallelism();

/** Most targets that are named where a search of several failed for the same reason. */
const SHOWN_NAMES = 3;

/**
 * Does the jobs one after the other; files that are there already stay. A job that fails does not stop the others, but
 * for a server that cannot be reached, and makes the exit code 1.
 */
export async function runSearches(
  jobs: readonly SearchJob[],
  { out, json, label, noun }: { out: string; json?: boolean; label: string; noun: string },
): Promise<void> {
  using interrupt: Interrupt = onInterrupt("Stopping. Files that are done stay.");
  const progress = startProgress({ label, total: jobs.length, every: 1 });
  const results: JobResult[] = [];
  const server: ServerState = {};
  const folders = await targetFolders(out, jobs.map(({ target }) => target));
  for (const job of jobs) {
    if (interrupt.requested) break;
    const folder = join(out, folders.get(job.target) ?? "");
    const result = await runJob(job, folder, server, interrupt.signal, progress.log);
    if (interrupt.requested && result.status === "failed") break;
    results.push(result);
    progress.update(results.length, `${result.target}: ${result.found ?? result.status}`);
  }
  progress.stop();
  const failed = results.filter(({ status }) => status === "failed");
  if (json) console.log(JSON.stringify(results, undefined, 2));
  else for (const { file, status, found } of results) console.log(lineOf(file, status, found, noun));
  for (const [reason, same] of Map.groupBy(failed, ({ reason }) => reason)) {
    const names = [...new Set(same.map(({ target }) => target))];
    console.error(`denofold: ${listed(names, SHOWN_NAMES)}: ${reason}`);
  }
  if (failed.length > 0) Deno.exitCode = EXIT.failure;
}

function lineOf(file: string, status: JobResult["status"], found: number | undefined, noun: string): string {
  return `${file}  ${found === undefined ? status : `${found} ${noun}`}`;
}
