import type { Command } from "commander";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import {
  alignmentText,
  sequencesText,
  structureText,
  takeChains,
  type WrittenFormat,
  writtenFormat,
} from "../data/convert.ts";
import { fileKind } from "../data/file_kind.ts";
import { readAlignment } from "../data/read_alignment.ts";
import { readStructure } from "../data/read_structure.ts";
import { toBinaryCif } from "../data/write_binary_cif.ts";
import type { ModelSoftware } from "../data/write_modelcif.ts";
import { UsageError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { counted } from "../words.ts";
import { nonNegativeInteger, tellRemarks } from "./_shared.ts";

const HELP = `
The endings of the names say the formats; .gz at the end of OUT packs it.
  alignments  in: .a3m, .a2m, .sto, .fasta (.afa, .fa), .aln (CLUSTAL); out: .a3m, .a2m, .sto, .fasta
  structures  in: .cif, .bcif, .pdb; out: .cif, .bcif, .pdb, and .fasta for the sequences of the chains

A3M and A2M get one column for each residue of the first row; what others have between them is in lower case. Structures
keep the protein chains of one model with their sequences, atoms and B-factors; ligands, water and the other models are left
out. A chain without a name is read under its segment's, else as A, B, ...; --chain takes some of the chains, in that order,
and gives them other names. With --plddt the B-factors are a predictor's confidence, 0 to 100, and .cif is written as
ModelCIF.

Examples:
  denofold convert uniref90_hits.sto uniref90_hits.a3m
  denofold convert 1abc.cif 1abc.fasta
  denofold convert step3.pdb chains.pdb --chain PROA=A,PROB=B
  denofold convert ranked_0.pdb ranked_0.cif --plddt --software AlphaFold@2.3.2`;

/** Adds `denofold convert`. */
export function register(program: Command): void {
  program.command("convert")
    .description("turn an alignment or a structure into another format")
    .argument("<in>", "file to read")
    .argument("<out>", "file to write")
    .option("--model <n>", "model of a structure, by its number (default: the first)", nonNegativeInteger)
    .option(
      "--chain <names>",
      "chains of a structure, NAME or NAME=NEW, with commas between (default: all)",
      chainNames,
    )
    .option("--plddt", "the B-factors are pLDDT: write ModelCIF")
    .option("--software <name@version...>", "what made the model, for ModelCIF")
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  model?: number;
  chain?: [string, string][];
  plddt?: boolean;
  software?: string[];
  json?: boolean;
}

/** Formats of structures. */
type StructureFormat = "pdb" | "mmcif" | "bcif";

async function run(input: string, out: string, { model, chain, plddt, software, json }: Flags): Promise<void> {
  const format = writtenFormat(out);
  if (format === undefined) {
    throw new UsageError(
      `${out} does not end in a format: expected .a3m, .a2m, .sto, .fasta, .cif, .bcif or .pdb, and maybe .gz`,
    );
  }
  if (resolve(input) === resolve(out)) throw new UsageError(`${out} would overwrite the input`);
  const isStructure = isStructureFormat(format);
  if (software !== undefined && !plddt) throw new UsageError("--software is for ModelCIF: give --plddt too");
  if (plddt && format !== "mmcif" && format !== "bcif") {
    throw new UsageError(`--plddt writes ModelCIF, but ${out} does not end in .cif`);
  }
  const isRead = fileKind(input) === "structure";
  if (!isStructure && !(isRead && format === "fasta")) {
    if (chain ?? model) throw new UsageError(`${chain ? "--chain" : "--model"} is for structures`);
    return await write(out, await alignment(input, format), json);
  }
  await write(
    out,
    await structure(input, isStructure ? format : "fasta", {
      ...{ model, chain },
      software: plddt ? (software ?? []).map(softwareOf) : undefined,
    }),
    json,
  );
}

function isStructureFormat(format: WrittenFormat): format is StructureFormat {
  return format === "pdb" || format === "mmcif" || format === "bcif";
}

/** What was converted. */
interface Converted {
  readonly data: string | Uint8Array;
  /** Numbers of what it holds, by their nouns. */
  readonly counts: Readonly<Record<string, number>>;
}

async function write(out: string, { data, counts }: Converted, json: boolean | undefined): Promise<void> {
  await writeFileAtomic(out, /\.gz$/i.test(out) ? new Uint8Array(gzipSync(data)) : data);
  const facts = Object.entries(counts).map(([noun, count]) => counted(count, noun)).join(", ");
  const plural = Object.fromEntries(Object.entries(counts).map(([noun, count]) => [`${noun}s`, count]));
  console.log(json ? JSON.stringify({ file: out, ...plural }, undefined, 2) : `${out}  ${facts}`);
}

async function structure(
  input: string,
  format: StructureFormat | "fasta",
  { model, chain, software }: { model?: number; chain?: [string, string][]; software?: readonly ModelSoftware[] },
) {
  if (["alignment", "fasta"].includes(fileKind(input) ?? "")) {
    throw new UsageError(`${input} is no structure: it cannot become ${format === "pdb" ? "PDB" : "mmCIF"}`);
  }
  const whole = await readStructure(input, { model });
  tellRemarks(whole);
  const read = chain === undefined ? whole : takeChains(whole, chain);
  const residues = read.chains.reduce((sum, { sequence }) => sum + sequence.length, 0);
  return {
    data: format === "fasta"
      ? sequencesText(read)
      : format === "bcif"
      ? await toBinaryCif(structureText(read, "mmcif", software))
      : structureText(read, format, software),
    counts: { chain: read.chains.length, residue: residues },
  };
}

async function alignment(input: string, format: Exclude<WrittenFormat, StructureFormat>) {
  if (fileKind(input) === "structure") throw new UsageError(`${input} is a structure: it cannot become an alignment`);
  const read = await readAlignment(input);
  tellRemarks(read);
  return {
    data: alignmentText(read, format),
    counts: { row: read.rows.length, residue: read.rows[0].length },
  };
}

function softwareOf(text: string): ModelSoftware {
  const [, name, version] = /^(.+)@([^@]+)$/.exec(text) ?? [];
  if (name !== undefined) return { name, version };
  throw new UsageError(`--software ${text} has no version, expected NAME@VERSION`);
}

function chainNames(text: string): [string, string][] {
  return text.split(",").map((part): [string, string] => {
    const [name, newName = name, more] = part.split("=").map((word) => word.trim());
    if (name && newName && more === undefined) return [name, newName];
    throw new UsageError(`--chain ${text}: expected NAME or NAME=NEW, with commas between, such as A,PROB=B`);
  });
}
