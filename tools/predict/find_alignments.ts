/** Alignments of targets that come without one. */
import { join } from "node:path";
import { InputError } from "../errors.ts";
import type { TargetAlignment } from "../prep/read_target.ts";
import {
  type MsaSearchOptions,
  pairingJobs,
  runJob,
  type SearchJob,
  serverJobs,
  type ServerState,
  toolJobs,
} from "../search/jobs.ts";
import type { MsaTool } from "../search/search_msa.ts";

/** Where alignments are searched for: with a program in databases, or by a server. */
export interface AlignmentSearch extends MsaSearchOptions {
  /** The program. */
  readonly tool?: MsaTool;
  /** UniProt in FASTA, for rows that jackhmmer finds to be paired. @default a server pairs, a program does not */
  readonly pairDb?: string;
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
export interface FindAlignments {
  (target: Query): Promise<TargetAlignment[]>;
  /** Finds rows of several sequences that are to be paired, by the sequence's place. @default they are not searched for */
  readonly paired?: (id: string, chains: readonly Query[]) => Promise<TargetAlignment[][]>;
}

/** What is searched for. */
interface Query {
  readonly id: string;
  readonly sequence: string;
}

/** What `denofold msa` does, for one target after the other. What was found before is not searched for again. */
export function alignmentSearch(
  { tool, server, out, signal, log, pairDb, ...options }: AlignmentSearch,
): FindAlignments {
  const state: ServerState = {};
  const run = async (job: SearchJob): Promise<TargetAlignment> => {
    const { target } = job;
    const { status, file, reason, found: rows } = await runJob(job, join(out, target, "msas"), state, signal, log);
    if (status === "failed") throw new InputError(`No alignment was found: ${reason}`);
    log(`${target}: ${file}${rows === undefined ? " was there" : `, ${rows} rows`}`);
    return { path: file };
  };
  const find = async ({ id, sequence }: Query) => {
    const entry = { name: id, chains: [{ name: id, sequence }] };
    const jobs = tool === undefined ? serverJobs(entry, server!, options) : await toolJobs([entry], tool, options);
    const found: TargetAlignment[] = [];
    for (const job of jobs) found.push(await run(job));
    return found;
  };
  if (tool !== undefined && pairDb === undefined) return find;
  const paired = async (id: string, chains: readonly Query[]) => {
    const entry = { name: id, chains: chains.map(({ id, sequence }) => ({ name: id, sequence })) };
    const found: TargetAlignment[][] = [];
    for (const job of await pairingJobs([entry], server, { paired: "greedy", pairDb }, options)) {
      found.push([await run(job)]);
    }
    return found;
  };
  return Object.assign(find, { paired });
}
