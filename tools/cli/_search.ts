/** What the commands that search share. */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { InputError, UsageError } from "../errors.ts";
import { UnreachableError } from "../search/msa_server.ts";
import { type Question, ResultFile, targetFolders } from "../search/results.ts";
import { EXIT, type Interrupt, onInterrupt, startProgress } from "./_shared.ts";

/** Cores where the user names none. */
export const CORES: number = availableParallelism();

/** Most targets that are named where a search of several failed for the same reason. */
const SHOWN_NAMES = 3;

/** One file to make. */
export interface SearchJob {
  /** Name of the target. */
  readonly target: string;
  /** Name of the file. */
  readonly file: string;
  /** What the file answers. */
  readonly question: Question;
  /** Searches. */
  run(signal: AbortSignal, log: (line: string) => void): Promise<{ text: string; found: number; facts: object }>;
}

/** What earlier jobs have found out. */
interface ServerState {
  /** Why the server cannot be reached. */
  unreachable?: string;
}

/** What became of a job; printed by `--json`. */
interface JobResult {
  readonly target: string;
  readonly file: string;
  readonly status: "made" | "unchanged" | "failed";
  readonly found?: number;
  readonly reason?: string;
}

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
    const result = await runOne(job, folder, server, interrupt.signal, progress.log);
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
    const more = names.length > SHOWN_NAMES ? ` and ${names.length - SHOWN_NAMES} more` : "";
    console.error(`denofold: ${names.slice(0, SHOWN_NAMES).join(", ")}${more}: ${reason}`);
  }
  if (failed.length > 0) Deno.exitCode = EXIT.failure;
}

/** The databases that were given, at least one. */
export function neededDatabases(tool: string, databases: readonly string[] | undefined): readonly string[] {
  if (databases === undefined) throw new UsageError(`--tool ${tool} needs a database: --db PATH`);
  return databases;
}

async function runOne(
  job: SearchJob,
  folder: string,
  server: ServerState,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<JobResult> {
  const { target, question } = job;
  const file = await ResultFile.in(folder, job.file);
  if (await file.answers(question)) return { target, file: file.path, status: "unchanged" };
  if (server.unreachable) return { target, file: file.path, status: "failed", reason: server.unreachable };
  try {
    const { text, found, facts } = await job.run(signal, log);
    await file.write(text, question, facts);
    return { target, file: file.path, status: "made", found };
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    if (error instanceof UnreachableError) server.unreachable = error.message;
    return { target, file: file.path, status: "failed", reason: error.message };
  }
}

function lineOf(file: string, status: JobResult["status"], found: number | undefined, noun: string): string {
  return `${file}  ${found === undefined ? status : `${found} ${noun}`}`;
}
