import { type Command, Option } from "commander";
import { gzipSync } from "node:zlib";
import { ALIGN_TOOLS, alignSequences, type AlignTool, usualTool } from "../align/align_sequences.ts";
import { collectSequences } from "../align/collect_sequences.ts";
import { alignmentText, writtenFormat } from "../data/convert.ts";
import { UsageError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { counted } from "../words.ts";
import { CORES } from "./_search.ts";
import { onInterrupt, positiveInteger } from "./_shared.ts";

const HELP = `
INPUTS are FASTA files, structures (FILE, or FILE:CHAIN) and folders of structures. A row is named after the FASTA entry or
the structure's file, with _CHAIN where a file of several chains is given without one, and has all residues of the chain's
sequence, those not seen in the experiment too: what \`denofold train\` asks for.

  mafft     MAFFT with --auto ("apt install mafft")
  clustalo  Clustal Omega ("apt install clustalo")
  mmseqs    MMseqs2 ("apt install mmseqs2"): each sequence against the first, fast for thousands

The format is that of the ending of OUT: .fasta (.afa), .sto; .a3m, .a2m (columns of the first row alone). For training on a
family take .fasta, which keeps the columns of all rows.

Examples:
  denofold align structures/ --out family.fasta
  denofold align 1abc.cif:A 2xyz.pdb homologues.fasta --tool clustalo --out family.sto`;

/** Adds `denofold align`. */
export function register(program: Command): void {
  program.command("align")
    .description("align sequences, or the chains of structures, by MAFFT, Clustal Omega or MMseqs2")
    .argument("<inputs...>", "FASTA files, structures, folders of structures")
    .addOption(new Option("--tool <name>", "program (default: the first that is installed)").choices(ALIGN_TOOLS))
    .option("--out <file>", "alignment to write", "alignment.fasta")
    .option("--cpu <n>", "cores (default: all)", positiveInteger)
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  tool?: AlignTool;
  out: string;
  cpu?: number;
  json?: boolean;
}

async function run(inputs: string[], { tool, out, cpu = CORES, json }: Flags): Promise<void> {
  const format = writtenFormat(out);
  if (format === undefined || format === "pdb" || format === "mmcif" || format === "bcif") {
    throw new UsageError(`${out} does not end in the format of an alignment: expected .fasta, .sto, .a3m or .a2m`);
  }
  const sequences = await collectSequences(inputs, (warning) => console.error(`warning: ${warning}`));
  using interrupt = onInterrupt("Stopping.");
  const { alignment, program, unlike } = await alignSequences(sequences, {
    ...{ tool: tool ?? usualTool(), cpu, signal: interrupt.signal },
  });
  for (const { name, source } of unlike) {
    console.error(`warning: ${source}: ${program.name} finds "${name}" unlike the first sequence: it has no row`);
  }
  const text = alignmentText(alignment, format);
  await writeFileAtomic(out, /\.gz$/i.test(out) ? new Uint8Array(gzipSync(text)) : text);
  const { names, aligned } = alignment;
  const columns = aligned[0].replace(/[a-z]/g, "").length;
  const { name, version } = program;
  if (json) {
    const left = unlike.map(({ name, source }) => ({ name, source }));
    console.log(
      JSON.stringify({ file: out, program: { name, version }, rows: names, columns, leftOut: left }, undefined, 2),
    );
  } else {
    console.log(`${out}  ${counted(names.length, "row")}, ${counted(columns, "column")} (${name} ${version})`);
  }
}
