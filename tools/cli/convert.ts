import type { Command } from "commander";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { alignmentText, structureText, type WrittenFormat, writtenFormat } from "../data/convert.ts";
import { fileKind } from "../data/file_kind.ts";
import { readAlignment } from "../data/read_alignment.ts";
import { readStructure } from "../data/read_structure.ts";
import type { ModelSoftware } from "../data/write_modelcif.ts";
import { UsageError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { counted } from "../words.ts";
import { nonNegativeInteger, tellRemarks } from "./_shared.ts";

const HELP = `
The endings of the names say the formats; .gz at the end of OUT packs it.
  alignments  in and out: .a3m, .sto, .fasta (.afa, .fa)
  structures  in: .cif, .bcif, .pdb; out: .cif, .pdb

A3M gets one column for each residue of the first row; what others have between them is in lower case. Structures keep the
protein chains of one model with their sequences, atoms and B-factors; ligands, water and the other models are left out.
With --plddt the B-factors are a predictor's confidence, 0 to 100, and .cif is written as ModelCIF.

Examples:
  denofold convert uniref90_hits.sto uniref90_hits.a3m
  denofold convert ranked_0.pdb ranked_0.cif --plddt --software AlphaFold@2.3.2`;

/** Adds `denofold convert`. */
export function register(program: Command): void {
  program.command("convert")
    .description("turn an alignment or a structure into another format")
    .argument("<in>", "file to read")
    .argument("<out>", "file to write")
    .option("--model <n>", "model of a structure, by its number (default: the first)", nonNegativeInteger)
    .option("--plddt", "the B-factors are pLDDT: write ModelCIF")
    .option("--software <name@version...>", "what made the model, for ModelCIF")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  model?: number;
  plddt?: boolean;
  software?: string[];
}

async function run(input: string, out: string, { model, plddt, software }: Flags): Promise<void> {
  const format = writtenFormat(out);
  if (format === undefined) {
    throw new UsageError(`${out} does not end in a format: expected .a3m, .sto, .fasta, .cif or .pdb, and maybe .gz`);
  }
  if (resolve(input) === resolve(out)) throw new UsageError(`${out} would overwrite the input`);
  if (software !== undefined && !plddt) throw new UsageError("--software is for ModelCIF: give --plddt too");
  if (plddt && format !== "mmcif") throw new UsageError(`--plddt writes ModelCIF, but ${out} does not end in .cif`);
  const { text, facts } = format === "pdb" || format === "mmcif"
    ? await structure(input, format, { model, software: plddt ? (software ?? []).map(softwareOf) : undefined })
    : await alignment(input, format);
  await writeFileAtomic(out, /\.gz$/i.test(out) ? new Uint8Array(gzipSync(text)) : text);
  console.log(`${out}  ${facts}`);
}

async function structure(
  input: string,
  format: "pdb" | "mmcif",
  { model, software }: { model?: number; software?: readonly ModelSoftware[] },
) {
  if (["alignment", "fasta"].includes(fileKind(input) ?? "")) {
    throw new UsageError(`${input} is no structure: it cannot become ${format === "pdb" ? "PDB" : "mmCIF"}`);
  }
  const read = await readStructure(input, { model });
  tellRemarks(read);
  const residues = read.chains.reduce((sum, { sequence }) => sum + sequence.length, 0);
  return {
    text: structureText(read, format, software),
    facts: `${counted(read.chains.length, "chain")}, ${counted(residues, "residue")}`,
  };
}

async function alignment(input: string, format: Exclude<WrittenFormat, "pdb" | "mmcif">) {
  if (fileKind(input) === "structure") throw new UsageError(`${input} is a structure: it cannot become an alignment`);
  const read = await readAlignment(input);
  tellRemarks(read);
  return {
    text: alignmentText(read, format),
    facts: `${counted(read.rows.length, "row")}, ${counted(read.rows[0].length, "residue")}`,
  };
}

function softwareOf(text: string): ModelSoftware {
  const [, name, version] = /^(.+)@([^@]+)$/.exec(text) ?? [];
  if (name !== undefined) return { name, version };
  throw new UsageError(`--software ${text} has no version, expected NAME@VERSION`);
}
