import { type Command, Option } from "commander";
import type { Alignment } from "../data/alignment.ts";
import { readAlignment } from "../data/read_alignment.ts";
import { InputError } from "../errors.ts";
import { findProgram } from "../search/program.ts";
import { databaseName, databaseStates } from "../search/search_files.ts";
import { searchTemplates, type TemplateTool } from "../search/search_templates.ts";
import { sha256 } from "../sha256.ts";
import { neededDatabases, type SearchJob } from "../search/jobs.ts";
import { CORES, runSearches } from "./_search.ts";
import { positiveInteger, positiveNumber, tellRemarks } from "./_shared.ts";

const HELP = `
ALIGNMENTS are A3M, Stockholm or FASTA, one a target; the first row is the query, and its name that of the target.

Databases: the beginning of the files' names (.../pdb70) for hhsearch, several in one search; FASTA with names such as
1abc_A (pdb_seqres.txt) for hmmsearch. Flags are AlphaFold's. hhsearch leaves out what has an E-value above its own limit,
hmmsearch above 100.

Files: DIR/NAME/DATABASE_hits.hhr, and beside it .hhr.json with programs, versions, flags and times. What hmmsearch finds is
written as HHR too; HMMER tells no probability, so that Probab and Sum_probs are 0 and the order is that of E-values.
"denofold prep" reads the folder, and needs the structures that the hits name.

Examples:
  denofold templates alignments/*/uniref90_hits.a3m --tool hhsearch --db databases/pdb70 --out alignments
  denofold templates 1znf.a3m --tool hmmsearch --db pdb_seqres.txt --out alignments`;

/** Adds `denofold templates`. */
export function register(program: Command): void {
  program.command("templates")
    .description("search for structures like the query's, by hhsearch or hmmsearch")
    .argument("<alignments...>", "an alignment for each target")
    .addOption(
      new Option("--tool <name>", "program to search with").choices(["hhsearch", "hmmsearch"]).makeOptionMandatory(),
    )
    .option("--db <paths...>", "databases")
    .option("--e-value <e>", "leave hits out that have a higher one", positiveNumber)
    .option("--cpu <n>", "cores for the program", positiveInteger, CORES)
    .option("--out <dir>", "folder for the files", "alignments")
    .option("--json", "print one JSON array instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  tool: TemplateTool;
  db?: string[];
  eValue?: number;
  cpu: number;
  out: string;
  json?: boolean;
}

async function run(paths: string[], { tool, db, eValue, cpu, out, json }: Flags): Promise<void> {
  const databases = neededDatabases(tool, db);
  const { version } = await findProgram(tool);
  const searches = tool === "hhsearch" ? [databases] : databases.map((database) => [database]);
  const jobs: SearchJob[] = [];
  const seen = new Map<string, string>();
  for (const path of paths) {
    const alignment = await readAlignment(path);
    tellRemarks(alignment);
    const target = targetOf(alignment);
    const before = seen.get(target);
    if (before !== undefined) throw new InputError(`${before} and ${path} are both of "${target}", expected one`);
    seen.set(target, path);
    const query = await sha256(alignment.aligned.join("\n"));
    for (const databases of searches) {
      const states = await databaseStates(databases);
      jobs.push({
        target,
        file: `${databases.map(databaseName).join("_")}_hits.hhr`,
        question: { alignment: query, tool, version, databases: states, eValue },
        async run(signal) {
          const { text, record } = await searchTemplates(target, alignment, { tool, databases, cpu, eValue, signal });
          return { text, found: record.found, facts: { ...record } };
        },
      });
    }
  }
  await runSearches(jobs, { out, json, label: "templates", noun: "hits" });
}

function targetOf({ names, source }: Alignment): string {
  const name = names[0];
  if (name === "") throw new InputError(`The first row of ${source} has no name, expected that of the target`);
  return name;
}
