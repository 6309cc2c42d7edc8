/** Searches as jobs, each of which makes a file. */
import { join } from "node:path";
import { warningsOf } from "../data/remarks.ts";
import { formatA3m, formatStockholm } from "../data/write_alignment.ts";
import { InputError, UsageError } from "../errors.ts";
import { cacheFolder } from "../platform/cache.ts";
import { requestMsas, type ServerMode, type ServerMsas, UnreachableError } from "./msa_server.ts";
import { findProgram } from "./program.ts";
import { firstOfEach, type QueryEntry } from "./queries.ts";
import { type Question, ResultFile } from "./results.ts";
import { databaseName, databaseStates } from "./search_files.ts";
import { type MsaTool, searchMsa } from "./search_msa.ts";

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
export interface ServerState {
  /** Why the server cannot be reached. */
  unreachable?: string;
}

/** What became of a job. */
export interface JobResult {
  /** Name of the target. */
  readonly target: string;
  /** Path of the file. */
  readonly file: string;
  /** Whether it was made now, was there, or could not be made. */
  readonly status: "made" | "unchanged" | "failed";
  /** How much was found; of files made now. */
  readonly found?: number;
  /** Why it failed. */
  readonly reason?: string;
}

/** How alignments are searched for. */
export interface MsaSearchOptions {
  /** Databases of a program. */
  readonly db?: readonly string[];
  /** Hits with a higher one are left out. @default the program's */
  readonly eValue?: number;
  /** Rounds of searching. @default the program's */
  readonly iterations?: number;
  /** Rows that are kept. */
  readonly maxRows: number;
  /** Cores for the program. */
  readonly cpu: number;
  /** What a server does. */
  readonly serverMode: ServerMode;
  /** What a server is told of the user. */
  readonly userAgent: string;
  /** Whether a server's answers are kept, and asked for before the server is. */
  readonly cache: boolean;
  /** Of the files. */
  readonly format: "a3m" | "sto";
}

/** How rows that are paired with those of other chains are searched for. */
export interface PairingSearchOptions {
  /** Whether a server pairs rows where two chains have a species, or where all have it. */
  readonly paired: "greedy" | "complete";
  /** FASTA of UniProt, whose names tell species, for jackhmmer. @default none, which a server does not need */
  readonly pairDb?: string;
}

/** Rows of UniProt that the published pipeline takes. Source: AlphaFold's `run_alphafold`. */
const UNIPROT_ROWS = 50_000;

/** An entry with each of its sequences once. */
export function distinctChains({ name, chains }: QueryEntry): QueryEntry {
  return { name, chains: firstOfEach(chains) };
}

/**
 * Searches for rows to be paired, of entries with several sequences: by a server, which pairs them, or by jackhmmer, whose hits
 * in UniProt are paired by their species when they are read.
 *
 * @param server Address. @default jackhmmer searches
 * @throws {UsageError} If jackhmmer lacks its database.
 */
export async function pairingJobs(
  entries: readonly QueryEntry[],
  server: string | undefined,
  { paired, pairDb }: PairingSearchOptions,
  flags: MsaSearchOptions,
): Promise<SearchJob[]> {
  const several = entries.map(distinctChains).filter(({ chains }) => chains.length > 1);
  if (server !== undefined) {
    return several.flatMap((entry) => serverJobs(entry, server, { ...flags, serverMode: `pair${paired}` }));
  }
  if (pairDb === undefined) throw new UsageError("--paired needs UniProt in FASTA: --pair-db PATH");
  const jobs = await toolJobs(several, "jackhmmer", { ...flags, db: [pairDb], maxRows: UNIPROT_ROWS });
  return jobs.map((job) => ({ ...job, file: /uniprot/i.test(job.file) ? job.file : `uniprot_${job.file}` }));
}

/** The databases that were given, at least one. */
export function neededDatabases(tool: string, databases: readonly string[] | undefined): readonly string[] {
  if (databases === undefined) throw new UsageError(`--tool ${tool} needs a database: --db PATH`);
  return databases;
}

/**
 * Does a job, unless its file is there and answers the same question.
 *
 * @param folder Where the file goes.
 * @param server Told that it cannot be reached, and asked no more then.
 */
export async function runJob(
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

/**
 * Searches of databases with a program.
 *
 * @throws {UsageError} If there is no database.
 * @throws {InputError} If the program is not installed.
 */
export async function toolJobs(
  entries: readonly QueryEntry[],
  tool: MsaTool,
  flags: MsaSearchOptions,
): Promise<SearchJob[]> {
  const { db, eValue, iterations, maxRows, cpu, format } = flags;
  const databases = neededDatabases(tool, db);
  const { version } = await findProgram(tool);
  const groups = tool === "hhblits" ? [databases] : databases.map((database) => [database]);
  const searches = await Promise.all(groups.map(async (databases) => ({
    databases,
    states: await databaseStates(databases),
  })));
  const queries = entries.flatMap(({ chains }) => chains);
  const known = new Map<string, Promise<Awaited<ReturnType<typeof searchMsa>>>>(); // of sequences that several have
  return queries.flatMap((query) =>
    searches.map(({ databases, states }): SearchJob => ({
      target: query.name,
      file: `${databases.map(databaseName).join("_")}_hits.${format}`,
      question: { sequence: query.sequence, tool, version, databases: states, eValue, iterations, maxRows },
      async run(signal, log) {
        const options = { tool, databases, cpu, eValue, iterations, maxRows, signal };
        const key = JSON.stringify([query.sequence, databases]);
        const search = known.get(key) ?? searchMsa(query, options);
        if (queries.filter(({ sequence }) => sequence === query.sequence).length > 1) known.set(key, search);
        const { alignment: found, record } = await search;
        const alignment = { ...found, names: [query.name, ...found.names.slice(1)] };
        const warnings = warningsOf(alignment);
        for (const warning of warnings) log(`warning: ${query.name}: ${warning}`);
        return { text: textOf(alignment, format), found: record.found, facts: { ...record, warnings } };
      },
    }))
  );
}

/** Questions for the server: each chain by itself, or in the pairing modes the chains of an entry together. */
export function serverJobs({ name, chains }: QueryEntry, url: string, flags: MsaSearchOptions): SearchJob[] {
  const { serverMode: mode, userAgent, maxRows, format } = flags;
  const isPaired = mode.startsWith("pair");
  const sequences = [...new Set(chains.map(({ sequence }) => sequence))];
  if (isPaired && sequences.length < 2) {
    const found = chains.length > 1 ? "one sequence, whose copies need no pairing" : "one: write A:B in FASTA";
    throw new UsageError(`--server-mode ${mode} pairs chains, but "${name}" has ${found}`);
  }
  const cache = flags.cache ? join(cacheFolder(), "msa_server") : undefined;
  const answers = new Map<string, Promise<ServerMsas>>(); // equal chains are asked for once
  return chains.map((query): SearchJob => {
    const asked = isPaired ? sequences : [query.sequence];
    return {
      target: query.name,
      file: `${isPaired ? "paired" : "colabfold"}_hits.${format}`,
      question: { sequences: asked, url, mode, maxRows },
      async run(signal, log) {
        let last = "";
        const onStatus = (status: string): void => {
          if (status !== last) log(`${query.name}: ${last = status}`);
        };
        const start = performance.now();
        const options = { url, mode, userAgent, cache, maxRows, signal, onStatus };
        const answer = answers.get(asked.join()) ?? requestMsas(asked, options);
        answers.set(asked.join(), answer);
        const found = await answer, whole = found.alignments[asked.indexOf(query.sequence)];
        const names = [query.name, ...whole.names.slice(1)];
        const alignment = { names, aligned: whole.aligned };
        const warnings = warningsOf(whole);
        for (const warning of warnings) log(`warning: ${query.name}: ${warning}`);
        const seconds = Math.round((performance.now() - start) / 10) / 100;
        const { cached, ticket } = found;
        return {
          text: textOf(alignment, format),
          found: names.length,
          facts: { server: url, cached, ticket, seconds, warnings },
        };
      },
    };
  });
}

function textOf(alignment: Parameters<typeof formatA3m>[0], format: MsaSearchOptions["format"]): string {
  return format === "a3m" ? formatA3m(alignment) : formatStockholm(alignment);
}

/**
 * The address of a server, without the slash at its end.
 *
 * @throws {UsageError} If it is none.
 */
export function serverUrl(text: string): string {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol)) return text.replace(/\/+$/, "");
  throw new UsageError(`--msa-server ${JSON.stringify(text)} is not an address, expected https://...`);
}
