/** Searches sequence databases for relatives of a query, by the programs made for it. */
import { join } from "node:path";
import { type Alignment, makeAlignment } from "../data/alignment.ts";
import { formatFasta } from "../data/fasta.ts";
import { readAlignmentPieces } from "../data/read_alignment.ts";
import { overQuery } from "../data/write_alignment.ts";
import { InputError } from "../errors.ts";
import { readPiecesMaybeGzip } from "../files.ts";
import { findProgram, type Program, runProgram } from "./program.ts";
import { checkDatabase, inTemporaryFolder, type Query, Recorder, type SearchRecord } from "./search_files.ts";

/** A program that makes alignments of sequences. */
export type MsaTool = "jackhmmer" | "hhblits" | "mmseqs";

/** Choices of {@linkcode searchMsa}. */
export interface MsaSearchOptions {
  /** Program. */
  readonly tool: MsaTool;
  /** Databases: one FASTA file for jackhmmer, one FASTA file or database for MMseqs2, several prefixes for HHblits. */
  readonly databases: readonly string[];
  /** Processor cores. */
  readonly cpu: number;
  /** Hits with a higher E-value are left out. @default what AlphaFold uses: 1e-4 (jackhmmer), 1e-3; ColabFold's 0.1 (mmseqs) */
  readonly eValue?: number;
  /** Rounds of searching. @default what AlphaFold uses: 1 (jackhmmer), 3; ColabFold's 3 (mmseqs) */
  readonly iterations?: number;
  /** Rows that are kept, the query among them. @default 10,000 */
  readonly maxRows?: number;
  /** Ends the program when it aborts. */
  readonly signal?: AbortSignal;
}

/** What is usual for each program. */
const USUAL: Record<MsaTool, { readonly eValue: number; readonly iterations: number }> = {
  jackhmmer: { eValue: 1e-4, iterations: 1 },
  hhblits: { eValue: 1e-3, iterations: 3 },
  mmseqs: { eValue: 0.1, iterations: 3 },
};

/** Rows that AlphaFold reads of its largest databases. */
const MAX_ROWS = 10_000;

/** What a search needs. */
interface Search {
  readonly program: Program;
  readonly folder: string;
  readonly fasta: string;
  readonly databases: readonly string[];
  readonly cpu: string;
  readonly eValue: string;
  readonly iterations: string;
  readonly maxRows: number;
  run(args: readonly string[]): Promise<void>;
}

/**
 * Searches for relatives of a query.
 *
 * @returns Their alignment over the query's residues, the query first, and the record of what was run.
 * @throws {InputError} If the program or a database is missing, or the program fails or writes what cannot be read.
 */
export async function searchMsa(
  query: Query,
  { tool, databases, cpu, eValue, iterations, maxRows = MAX_ROWS, signal }: MsaSearchOptions,
): Promise<{ alignment: Alignment; record: SearchRecord }> {
  const program = await findProgram(tool);
  await checkDatabases(tool, databases);
  return await inTemporaryFolder(async (folder) => {
    const recorder = new Recorder(query, databases, folder);
    const fasta = join(folder, "query.fasta");
    await Deno.writeTextFile(fasta, formatFasta([query]));
    const usual = USUAL[tool];
    const found = await SEARCHES[tool]({
      ...{ program, folder, fasta, databases, cpu: String(cpu) },
      ...{ eValue: String(eValue ?? usual.eValue), iterations: String(iterations ?? usual.iterations), maxRows },
      async run(args) {
        recorder.add(program, args);
        await runProgram(program, args, { signal });
      },
    });
    const alignment = withQuery(overQuery(found), query);
    return { alignment, record: await recorder.finish(alignment.rows.length) };
  });
}

const SEARCHES: Record<MsaTool, (search: Search) => Promise<Alignment>> = { jackhmmer, hhblits, mmseqs };

/** Source: AlphaFold's `Jackhmmer`, whose flags these are. */
async function jackhmmer(
  { folder, fasta, databases, cpu, eValue, iterations, maxRows, run }: Search,
): Promise<Alignment> {
  const out = join(folder, "hits.sto");
  const filters = ["--F1", "0.0005", "--F2", "0.00005", "--F3", "0.0000005"];
  const limits = ["--incE", eValue, "-E", eValue, "--cpu", cpu, "-N", iterations];
  await run(["-o", "/dev/null", "-A", out, "--noali", ...filters, ...limits, fasta, databases[0]]);
  return await readAlignmentPieces(readPiecesMaybeGzip(out), "jackhmmer's alignment", { maxRows });
}

/** Source: AlphaFold's `HHBlits`, whose flags these are. */
async function hhblits(
  { folder, fasta, databases, cpu, eValue, iterations, maxRows, run }: Search,
): Promise<Alignment> {
  const out = join(folder, "hits.a3m");
  const sizes = ["-maxseq", "1000000", "-realign_max", "100000", "-maxfilt", "100000", "-min_prefilter_hits", "1000"];
  const from = databases.flatMap((database) => ["-d", database]);
  const limits = ["-cpu", cpu, "-n", iterations, "-e", eValue];
  await run(["-i", fasta, "-oa3m", out, "-o", "/dev/null", ...limits, ...sizes, ...from, "-v", "1"]);
  return await readAlignmentPieces(readPiecesMaybeGzip(out), "hhblits's alignment", { maxRows });
}

/** Source: the search that ColabFold describes (Mirdita et al., 2022), without its expansion by clusters. */
async function mmseqs({ folder, fasta, databases, cpu, eValue, iterations, maxRows, run }: Search): Promise<Alignment> {
  const at = (name: string): string => join(folder, name);
  const quiet = ["--threads", cpu, "-v", "1"];
  await run(["createdb", fasta, at("query"), "-v", "1"]);
  let database = databases[0];
  const isDatabase = await Deno.stat(`${database}.dbtype`).then(() => true, () => false);
  if (!isDatabase) {
    await run(["createdb", database, at("target"), "-v", "1"]);
    database = at("target");
  }
  const limits = ["--num-iterations", iterations, "-e", eValue, "-s", "8", "--max-seqs", "10000", "-a", "1"];
  await run(["search", at("query"), database, at("result"), at("tmp"), ...limits, ...quiet]);
  const format = ["--msa-format-mode", "5", "--filter-msa", "0"];
  await run(["result2msa", at("query"), database, at("result"), at("msa"), ...format, ...quiet]);
  await run(["unpackdb", at("msa"), at("unpacked"), "--unpack-name-mode", "0", ...quiet]);
  const out = join(at("unpacked"), "0");
  return await readAlignmentPieces(readPiecesMaybeGzip(out), "mmseqs's alignment", { maxRows });
}

async function checkDatabases(tool: MsaTool, databases: readonly string[]): Promise<void> {
  for (const database of databases) {
    if (tool === "hhblits") await checkDatabase(database, ["_cs219.ffdata"], "the beginning of an HH-suite database");
    else if (tool === "mmseqs") await checkDatabase(database, ["", ".dbtype"], "FASTA or a database of MMseqs2");
    else await checkDatabase(database, [""], "FASTA");
  }
}

/** The alignment with the query as it was given for its first row. */
function withQuery(found: Alignment, { name, sequence }: Query): Alignment {
  if (found.rows[0].length !== sequence.length) {
    throw new InputError(
      `The first row of ${found.source} has ${
        found.rows[0].length
      } residues, expected the ${sequence.length} of "${name}"`,
    );
  }
  const { source, remarks } = found;
  return makeAlignment(source, [name, ...found.names.slice(1)], [sequence, ...found.aligned.slice(1)], { remarks });
}
