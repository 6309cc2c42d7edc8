import type { Command } from "commander";
import { resolve } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { fileKind } from "../data/file_kind.ts";
import { UsageError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { inspectionPage } from "../inspect/html.ts";
import { inspectFile } from "../inspect/inspect.ts";
import { inspectionJson, inspectionText } from "../inspect/inspection.ts";
import { nonNegativeInteger } from "./_shared.ts";

const HELP = `
FILE is a structure (.cif, .bcif, .pdb), an alignment (.a3m, .sto, aligned .fasta), sequences (.fasta), hits (.hhr), a table
(.csv, .tsv, INDEX files of PDBbind), a checkpoint, features or other arrays (.safetensors, .npy), or a manifest.jsonl; each
may be packed with gzip.

Examples:
  denofold inspect family.a3m
  denofold inspect 1abc.cif --html 1abc.html
  denofold inspect features/1abc_A.safetensors --maps --json`;

/** Adds `denofold inspect`. */
export function register(program: Command): void {
  program.command("inspect")
    .description("print what a structure, alignment, table, checkpoint or feature file holds")
    .argument("<file>", "the file")
    .option("--chain <id>", "chain of a structure that the contact map shows (default: the longest)")
    .option("--model <n>", "model of a structure, by its number (default: the first)", nonNegativeInteger)
    .option("--maps", "compute contact maps, conservation and coevolution too, for --json")
    .option("--html <file>", "write a page with tables, coverage plot and maps")
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  chain?: string;
  model?: number;
  maps?: boolean;
  html?: string;
  json?: boolean;
}

async function run(file: string, { chain, model, maps = false, html, json }: Flags): Promise<void> {
  if (html !== undefined && resolve(html) === resolve(file)) {
    throw new UsageError(`--html ${html} would overwrite the file that is inspected`);
  }
  if ((chain ?? model) !== undefined && fileKind(file) !== "structure") {
    throw new UsageError(`${chain === undefined ? "--model" : "--chain"} is for structures, which ${file} is not`);
  }
  const inspection = await inspectFile(file, { chain, model, maps: maps || html !== undefined });
  if (html !== undefined) await writeFileAtomic(html, inspectionPage(inspection, config.version));
  if (json) console.log(JSON.stringify(inspectionJson(maps ? inspection : { ...inspection, maps: [] }), undefined, 2));
  else console.log(inspectionText(inspection) + (html === undefined ? "" : `\n\n${html}`));
}
