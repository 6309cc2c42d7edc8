import { type Command, Option } from "commander";
import { UsageError } from "../errors.ts";
import { cacheFolder } from "../platform/cache.ts";
import {
  distinctChains,
  type MsaSearchOptions,
  pairingJobs,
  type PairingSearchOptions,
  serverJobs,
  serverUrl,
  toolJobs,
} from "../search/jobs.ts";
import { SERVER_MODES, USER_AGENT } from "../search/msa_server.ts";
import { type QueryEntry, readQueries } from "../search/queries.ts";
import type { MsaTool } from "../search/search_msa.ts";
import { CORES, runSearches } from "./_search.ts";
import { positiveInteger, positiveNumber } from "./_shared.ts";

const HELP = `
FASTA has the sequences; chains of a complex (A:B) are searched one by one, as NAME_A, NAME_B, equal ones once. With --paired rows
that belong together are searched for too: a server gives them paired (paired_hits), jackhmmer searches --pair-db (uniprot…_hits),
whose rows "denofold prep" and "predict" pair by the species of their names. Copies of one sequence need no pairing.

Databases: FASTA for jackhmmer; FASTA or a database of "mmseqs createdb" for mmseqs; the beginning of the files' names
(.../bfd) for hhblits, which takes several in one search. The others search one after the other, a file for each.
Flags are AlphaFold's: jackhmmer -N 1, E-value 1e-4; hhblits -n 3 -e 0.001; for mmseqs ColabFold's, 3 rounds, E-value 0.1.

Files: DIR/NAME/DATABASE_hits.a3m, and beside it .a3m.json with programs, versions, flags and times. What is there and was made
in the same way is not made again. "denofold prep" reads the folder.

Privacy: with --msa-server your sequences are sent to the server at that address, which is run by others and may keep
them; do not send what is confidential. Nothing is sent without this flag. Answers are kept in the cache folder. Give the
operators a way to reach you: --user-agent "denofold you@example.org".

Examples:
  denofold msa targets.fasta --tool jackhmmer --db uniref90.fasta --out alignments
  denofold msa targets.fasta --tool hhblits --db databases/bfd databases/uniref30 --out alignments
  denofold msa targets.fasta --msa-server https://msa.example.org --out alignments
  denofold msa complexes.fasta --msa-server https://msa.example.org --paired --out alignments
  denofold msa complexes.fasta --tool jackhmmer --db uniref90.fasta --pair-db uniprot.fasta --out alignments`;

/** Adds `denofold msa`. */
export function register(program: Command): void {
  program.command("msa")
    .description("search sequence databases for alignments, by jackhmmer, hhblits, mmseqs or a server")
    .argument("<fasta...>", "sequences")
    .addOption(
      new Option("--tool <name>", "program to search with").choices(["jackhmmer", "hhblits", "mmseqs"])
        .conflicts("msaServer"),
    )
    .option("--db <paths...>", "databases")
    .option("--e-value <e>", "leave hits out that have a higher one", positiveNumber)
    .option("--iterations <n>", "rounds of searching", positiveInteger)
    .option("--max-rows <n>", "rows that are kept", positiveInteger, 10_000)
    .option("--cpu <n>", "cores for the program", positiveInteger, CORES)
    .option("--msa-server <url>", "ask a server that speaks ColabFold's protocol; sends it your sequences")
    .addOption(new Option("--server-mode <mode>", "what the server does").choices(SERVER_MODES).default("env"))
    .addOption(
      new Option(
        "--paired [mode]",
        "for complexes, rows to be paired too: by the server, where two chains or all have a species; or jackhmmer's",
      ).choices(["greedy", "complete"]).preset("greedy"),
    )
    .option("--pair-db <path>", "UniProt in FASTA, in which jackhmmer searches for rows to be paired by species")
    .option("--user-agent <text>", "what the server is told of you", USER_AGENT)
    .option("--no-cache", "ask the server again, and do not keep its answer")
    .addOption(new Option("--format <kind>", "of the files").choices(["a3m", "sto"]).default("a3m"))
    .option("--out <dir>", "folder for the files", "alignments")
    .option("--json", "print one JSON array instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags extends MsaSearchOptions, Partial<PairingSearchOptions> {
  tool?: MsaTool;
  msaServer?: string;
  out: string;
  json?: boolean;
}

async function run(paths: string[], flags: Flags): Promise<void> {
  const { tool, msaServer, out, json } = flags;
  if (tool === undefined && msaServer === undefined) {
    throw new UsageError("Choose what to search with: --tool jackhmmer, hhblits or mmseqs, or --msa-server URL");
  }
  const entries = await readQueries(paths);
  if (msaServer !== undefined) {
    const kept = flags.cache ? `answers are kept in ${cacheFolder()}` : "answers are not kept";
    console.error(`The sequences are sent to ${serverUrl(msaServer)}, which others run; ${kept}`);
  }
  const { paired = flags.pairDb === undefined ? undefined : "greedy", pairDb } = flags;
  if (paired !== undefined) checkPairing(entries, flags);
  const url = msaServer === undefined ? undefined : serverUrl(msaServer);
  const jobs = url === undefined
    ? await toolJobs(entries, tool!, flags)
    : entries.flatMap((entry) => serverJobs(entry, url, flags));
  if (paired !== undefined) jobs.push(...await pairingJobs(entries, url, { paired, pairDb }, flags));
  await runSearches(jobs, { out, json, label: "alignments", noun: "rows" });
}

/** Sees that pairing was asked for in one way, of something that can be paired. */
function checkPairing(entries: readonly QueryEntry[], { tool, msaServer, pairDb, serverMode }: Flags): void {
  if (msaServer !== undefined && serverMode.startsWith("pair")) {
    throw new UsageError(
      `--paired asks for paired rows beside the others, --server-mode ${serverMode} for these alone`,
    );
  }
  if (msaServer !== undefined && pairDb !== undefined) {
    throw new UsageError("--pair-db is for jackhmmer: a server pairs rows of its own");
  }
  if (msaServer === undefined && tool !== "jackhmmer" && pairDb === undefined) {
    throw new UsageError(`--paired with --tool ${tool} needs UniProt in FASTA, for jackhmmer: --pair-db PATH`);
  }
  if (entries.some((entry) => distinctChains(entry).chains.length > 1)) return;
  console.error("note: nothing is paired: no entry has several sequences (A:B)");
}
