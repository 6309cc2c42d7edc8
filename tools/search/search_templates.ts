/** Searches databases of structures' sequences or profiles for templates, by the programs made for it. */
import { join } from "node:path";
import type { Alignment } from "../data/alignment.ts";
import { type Hhr, parseHhr } from "../data/hhr.ts";
import { parseHmmsearch } from "../data/hmmsearch.ts";
import { formatA3m, formatStockholm, overQuery } from "../data/write_alignment.ts";
import { formatHhr } from "../data/write_hhr.ts";
import { decodeText, readFileBytes } from "../files.ts";
import { findProgram, runProgram } from "./program.ts";
import { checkDatabase, inTemporaryFolder, Recorder, type SearchRecord } from "./search_files.ts";

/** A program that finds templates. */
export type TemplateTool = "hhsearch" | "hmmsearch";

/** Choices of {@linkcode searchTemplates}. */
export interface TemplateSearchOptions {
  /** Program. */
  readonly tool: TemplateTool;
  /** Databases: one FASTA file for hmmsearch (such as `pdb_seqres.txt`), several prefixes for HHsearch (such as `pdb70`). */
  readonly databases: readonly string[];
  /** Processor cores. */
  readonly cpu: number;
  /** Hits with a higher E-value are left out. @default what AlphaFold uses: the program's own (hhsearch), 100 (hmmsearch) */
  readonly eValue?: number;
  /** Ends the program when it aborts. */
  readonly signal?: AbortSignal;
}

/**
 * Searches for templates.
 *
 * @param query Name of the query.
 * @param alignment Alignment of the query, its first row, with its relatives; or the query alone.
 * @returns The text of an HHR file, its hits, and the record of what was run.
 * @throws {InputError} If a program or database is missing, or a program fails or writes what cannot be read.
 */
export async function searchTemplates(
  query: string,
  alignment: Alignment,
  options: TemplateSearchOptions,
): Promise<{ text: string; hits: Hhr; record: SearchRecord }> {
  const { tool, databases } = options;
  for (const database of databases) {
    if (tool === "hmmsearch") await checkDatabase(database, [""], "FASTA");
    else await checkDatabase(database, ["_hhm.ffdata"], "the beginning of an HH-suite database");
  }
  const centred = overQuery(alignment);
  const named = { ...centred, names: [query, ...centred.names.slice(1)] };
  return await inTemporaryFolder(async (folder) => {
    const recorder = new Recorder({ name: query, sequence: named.rows[0] }, databases, folder);
    const text = await (tool === "hhsearch" ? hhsearch : hmmsearch)(named, folder, recorder, options);
    const hits = parseHhr(text, `${tool}'s hits`);
    return { text, hits, record: await recorder.finish(hits.hits.length) };
  });
}

/** Source: AlphaFold's `HHSearch`, whose flags these are. */
async function hhsearch(
  alignment: Alignment,
  folder: string,
  recorder: Recorder,
  { databases, cpu, eValue, signal }: TemplateSearchOptions,
): Promise<string> {
  const program = await findProgram("hhsearch");
  const [input, out] = [join(folder, "query.a3m"), join(folder, "hits.hhr")];
  await Deno.writeTextFile(input, formatA3m(alignment));
  const from = databases.flatMap((database) => ["-d", database]);
  const limits = eValue === undefined ? [] : ["-E", String(eValue)];
  const args = ["-i", input, "-o", out, "-maxseq", "1000000", "-cpu", String(cpu), ...limits, ...from, "-v", "1"];
  recorder.add(program, args);
  await runProgram(program, args, { signal });
  return decodeText(await readFileBytes(out), "hhsearch's hits");
}

/** Source: AlphaFold's `Hmmbuild` and `Hmmsearch`, whose flags these are. */
async function hmmsearch(
  alignment: Alignment,
  folder: string,
  recorder: Recorder,
  { databases, cpu, eValue = 100, signal }: TemplateSearchOptions,
): Promise<string> {
  const [build, search] = [await findProgram("hmmbuild"), await findProgram("hmmsearch")];
  const at = (name: string): string => join(folder, name);
  await Deno.writeTextFile(at("query.sto"), formatStockholm(alignment));
  const buildArgs = ["--hand", "--amino", "-n", "query", "-o", "/dev/null", at("query.hmm"), at("query.sto")];
  recorder.add(build, buildArgs);
  await runProgram(build, buildArgs, { signal });
  const filters = ["--F1", "0.1", "--F2", "0.1", "--F3", "0.1"];
  const e = String(eValue);
  const limits = ["--incE", e, "-E", e, "--domE", e, "--incdomE", e];
  const outputs = ["-o", "/dev/null", "-A", at("hits.sto"), "--domtblout", at("hits.tbl")];
  const args = ["--noali", "--cpu", String(cpu), ...filters, ...limits, ...outputs, at("query.hmm"), databases[0]];
  recorder.add(search, args);
  await runProgram(search, args, { signal });
  const found = await readIfThere(at("hits.sto"));
  const query = { name: alignment.names[0], sequence: alignment.rows[0] };
  const hits = parseHmmsearch(
    found,
    decodeText(await readFileBytes(at("hits.tbl")), "hmmsearch's table"),
    query,
    "hmmsearch's alignment",
  );
  return formatHhr(hits, `hmmsearch ${search.version}`);
}

/** The text of a file; empty where hmmsearch found nothing and wrote none. */
async function readIfThere(path: string): Promise<string> {
  const isThere = await Deno.stat(path).then(() => true, () => false);
  return isThere ? decodeText(await readFileBytes(path), "hmmsearch's alignment") : "";
}
