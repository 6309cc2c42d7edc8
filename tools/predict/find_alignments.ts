/** Alignments of targets that come without one. */
import { join } from "node:path";
import { InputError } from "../errors.ts";
import type { TargetAlignment } from "../prep/read_target.ts";
import { type MsaSearchOptions, runJob, serverJobs, type ServerState, toolJobs } from "../search/jobs.ts";
import type { MsaTool } from "../search/search_msa.ts";

/** Where alignments are searched for: with a program in databases, or by a server. */
export interface AlignmentSearch extends MsaSearchOptions {
  /** The program. */
  readonly tool?: MsaTool;
  /** Address of the server; the sequences are sent there. */
  readonly server?: string;
  /** Folder of the results; a target's alignments go to the folder `msas` of its own. */
  readonly out: string;
  /** Stops a search. */
  readonly signal: AbortSignal;
  /** Told what happens. */
  readonly log: (line: string) => void;
}

/** Finds the alignments of a target; throws an InputError where that fails. */
export type FindAlignments = (target: { readonly id: string; readonly sequence: string }) => Promise<TargetAlignment[]>;

/** What `denofold msa` does, for one target after the other. What was found before is not searched for again. */
export function alignmentSearch({ tool, server, out, signal, log, ...options }: AlignmentSearch): FindAlignments {
  const state: ServerState = {};
  return async ({ id, sequence }) => {
    const entry = { name: id, chains: [{ name: id, sequence }] };
    const jobs = tool === undefined ? serverJobs(entry, server!, options) : await toolJobs([entry], tool, options);
    const found: TargetAlignment[] = [];
    for (const job of jobs) {
      const { status, file, reason, found: rows } = await runJob(job, join(out, id, "msas"), state, signal, log);
      if (status === "failed") throw new InputError(`No alignment was found: ${reason}`);
      log(`${id}: ${file}${rows === undefined ? " was there" : `, ${rows} rows`}`);
      found.push({ path: file });
    }
    return found;
  };
}
