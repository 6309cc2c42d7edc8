/** Aligns sequences with each other, by the programs made for it. */
import { join } from "node:path";
import { type Alignment, makeAlignment } from "../data/alignment.ts";
import { formatFasta, parseFastaRecords } from "../data/fasta.ts";
import { InputError } from "../errors.ts";
import { decodeText, readFileMaybeGzip } from "../files.ts";
import { findProgram, isInstalled, type Program, runProgram } from "../search/program.ts";
import { inTemporaryFolder } from "../search/search_files.ts";
import { searchMsa } from "../search/search_msa.ts";
import type { FamilySequence } from "./collect_sequences.ts";

/** A program that aligns. */
export type AlignTool = "mafft" | "clustalo" | "mmseqs";

/** The values of {@linkcode AlignTool}, the first that is installed being the usual one. */
export const ALIGN_TOOLS: readonly AlignTool[] = ["mafft", "clustalo", "mmseqs"];

/** Debian's packages of the programs. */
const PACKAGES: Readonly<Record<AlignTool, string>> = { mafft: "mafft", clustalo: "clustalo", mmseqs: "mmseqs2" };

/** Choices of {@linkcode alignSequences}. */
export interface AlignOptions {
  /** Program; see {@linkcode usualTool}. */
  readonly tool: AlignTool;
  /** Processor cores. */
  readonly cpu: number;
  /** Ends the program when it aborts. */
  readonly signal?: AbortSignal;
}

/** An alignment and what made it. */
export interface MadeAlignment {
  /** The alignment: a row for each sequence, whole, in the order given. */
  readonly alignment: Alignment;
  /** The program. */
  readonly program: Program;
  /** Sequences that the program found unlike the first, which have no row. */
  readonly unlike: readonly FamilySequence[];
}

/**
 * The program that is used where none is named.
 *
 * @throws {InputError} If none is installed; the message says how to get one.
 */
export function usualTool(): AlignTool {
  const tool = ALIGN_TOOLS.find((name) => isInstalled(name));
  if (tool !== undefined) return tool;
  throw new InputError(
    `None of ${ALIGN_TOOLS.join(", ")} is installed (looked for on PATH): on Debian and Ubuntu "apt install ` +
      `${PACKAGES.mafft}" (or ${PACKAGES.clustalo}, ${PACKAGES.mmseqs})`,
  );
}

/**
 * Aligns sequences. MAFFT (`--auto`) and Clustal Omega align all with all; MMseqs2 aligns each with the first, is fast for
 * thousands, and leaves out what it finds unlike it.
 *
 * @throws {InputError} If there are fewer than two sequences, the program is not installed or fails, or it changed one.
 */
export async function alignSequences(
  sequences: readonly FamilySequence[],
  { tool, cpu, signal }: AlignOptions,
): Promise<MadeAlignment> {
  if (sequences.length < 2) {
    throw new InputError(`There is ${sequences.length} sequence, expected two or more to align`);
  }
  if (tool === "mmseqs") return await alignToFirst(sequences, { tool, cpu, signal });
  const program = await findProgram(tool);
  return await inTemporaryFolder(async (folder) => {
    const [input, output] = [join(folder, "in.fasta"), join(folder, "out.fasta")];
    // Programs cut and change names; numbers stay.
    const records = sequences.map(({ sequence }, k) => ({ name: `s${k}`, sequence }));
    await Deno.writeTextFile(input, formatFasta(records));
    const args = tool === "mafft"
      ? ["--auto", "--amino", "--anysymbol", "--quiet", "--thread", String(cpu), "--out", output, input]
      : ["-i", input, "-o", output, "--seqtype=Protein", "--output-order=input-order", `--threads=${cpu}`, "--force"];
    await runProgram(program, args, { signal });
    const text = decodeText(await readFileMaybeGzip(output), `${tool}'s alignment`);
    const rows = parseFastaRecords(text, `${tool}'s alignment`, /[A-Za-z-]/, "a letter or '-'");
    const aligned = sequences.map(({ name, sequence }, k) => {
      const row = rows.find((row) => row.name === `s${k}`)?.text.toUpperCase();
      if (row?.replaceAll("-", "") === sequence) return row;
      throw new InputError(`${tool} ${row === undefined ? "left out" : "changed"} the sequence "${name}"`);
    });
    const alignment = makeAlignment(`${tool}'s alignment`, sequences.map(({ name }) => name), aligned);
    return { alignment, program, unlike: [] };
  });
}

/** Each with the first; what the local alignments leave over stands as insertions at their ends, so that rows are whole. */
async function alignToFirst(sequences: readonly FamilySequence[], options: AlignOptions): Promise<MadeAlignment> {
  const [first, ...others] = sequences;
  const program = await findProgram("mmseqs");
  return await inTemporaryFolder(async (folder) => {
    const database = join(folder, "others.fasta");
    await Deno.writeTextFile(
      database,
      formatFasta(others.map(({ sequence }, k) => ({ name: `s${k}`, sequence }))),
    );
    const { alignment: found } = await searchMsa({ name: "first", sequence: first.sequence }, {
      ...{ tool: "mmseqs", databases: [database], cpu: options.cpu, signal: options.signal, iterations: 1 },
      maxRows: sequences.length + 1,
    });
    const rows = new Map(found.names.map((name, k) => [name, found.aligned[k]]));
    const names = [first.name], aligned = [first.sequence];
    const unlike: FamilySequence[] = [];
    for (const [k, other] of others.entries()) {
      const row = rows.get(`s${k}`);
      if (row === undefined) {
        unlike.push(other);
        continue;
      }
      names.push(other.name);
      aligned.push(wholeRow(row, other));
    }
    return { alignment: makeAlignment("mmseqs's alignment", names, aligned), program, unlike };
  });
}

/** A row of A3M with the residues before and after the aligned part as insertions. */
function wholeRow(row: string, { name, sequence }: FamilySequence): string {
  const part = row.replaceAll("-", "").toUpperCase();
  const at = sequence.indexOf(part);
  if (at < 0) throw new InputError(`mmseqs changed the sequence "${name}"`);
  const before = sequence.slice(0, at).toLowerCase(), after = sequence.slice(at + part.length).toLowerCase();
  const start = row.search(/[^-]/), end = row.length - (/-*$/.exec(row)?.[0].length ?? 0);
  return row.slice(0, start) + before + row.slice(start, end) + after + row.slice(end);
}
