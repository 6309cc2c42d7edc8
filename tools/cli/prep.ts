import { type Command, Option } from "commander";
import type { BoundsPolicy } from "../data/bounds.ts";
import { collectTargets } from "../prep/collect_targets.ts";
import { MANIFEST } from "../prep/manifest.ts";
import { prep, type PrepResult } from "../prep/prep.ts";
import { UsageError } from "../errors.ts";
import { counted } from "../words.ts";
import {
  boundsOption,
  EXIT,
  nonNegativeInteger,
  onInterrupt,
  positiveInteger,
  positiveNumber,
  startProgress,
} from "./_shared.ts";
import { join } from "node:path";

const HELP = `
INPUTS are files and folders: a table (.csv, .tsv: id or pdb_id, and any of sequence, affinity, chain; PDBbind's INDEX
files; ColabFold's lists of jobs), sequences (.fasta), alignments (.a3m, .sto, aligned .fasta), structures (.cif, .bcif,
.pdb) and HHsearch's hits (.hhr), each plain or .gz. A table or FASTA says which targets there are; without one the
structures do, without those the alignments. Files belong to the target whose name they, or the folder they lie in, bear;
an alignment serves every target that one of its rows is named after. Chains with ":" between them are a complex, whose
chains' files are named ID_A, ID_B; alignments named after uniprot are for pairing rows by species, those named paired… are
paired row by row. ColabFold's alignments of complexes (first line #10,8<TAB>1,2) have the rows of all chains, paired or not; without
a list each is a complex of its own. With --assembly structures are complexes of an assembly's chains: ID_A, and ID_A-2 for a
second copy.

DIR gets one ID.safetensors a target and ${MANIFEST}: a line a target with its files' SHA-256, counts, warnings and status.
What is there and unchanged is skipped, so that a run that was broken off can be started again. A target that cannot be
prepared is told with the reason, the others go on, and the exit code is 1.

Examples:
  denofold prep pdbbind.csv structures/ alignments/ --out features
  denofold prep query.fasta uniref90_hits.sto bfd_hits.a3m pdb70_hits.hhr --templates pdb_mmcif/ --out features
  denofold prep family.a3m structures/ --jobs 2 --json --out features`;

/** Adds `denofold prep`. */
export function register(program: Command): void {
  program.command("prep")
    .description("turn tables, sequences, alignments and structures into feature files")
    .argument("<inputs...>", "files and folders")
    .requiredOption("--out <dir>", "folder for the feature files and the manifest")
    .option("--label <column>", "column of the table with the labels (default: affinity, label, value, ...)")
    .addOption(boundsOption())
    .option("--templates <paths...>", "structures (files, folders) that may be templates, named by their PDB code")
    .option("--max-templates <n>", "most templates a target", nonNegativeInteger, 4)
    .option("--templates-before <date>", "only templates released before this day, YYYY-MM-DD", isoDay)
    .option(
      "--assembly <id>",
      "structures are complexes, of this biological assembly (mmCIF) or, asymmetric, of the chains as they stand",
    )
    .option("--complex", "the sequences of a FASTA file are the chains of one complex, named after the file")
    .addOption(
      new Option(
        "--pairing <mode>",
        "how rows of a complex's chains are paired by species: where two chains have it, or all",
      )
        .choices(["greedy", "complete", "none"]).default("greedy"),
    )
    .option("--jobs <n>", "targets prepared at the same time (default: one a CPU core)", positiveInteger)
    .option("--time-limit <seconds>", "longest time for one target (default: 600; none with --jobs 1)", positiveNumber)
    .option("--strict", "missing templates, unclear chains and unknown residues are errors")
    .option("--fail-fast", "stop at the first target that cannot be prepared")
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  out: string;
  label?: string;
  bounds: BoundsPolicy;
  templates?: string[];
  maxTemplates: number;
  templatesBefore?: string;
  assembly?: string;
  complex?: boolean;
  pairing: "greedy" | "complete" | "none";
  jobs?: number;
  timeLimit?: number;
  strict?: boolean;
  failFast?: boolean;
  json?: boolean;
}

async function run(inputs: string[], flags: Flags): Promise<void> {
  const { out, label, bounds, maxTemplates, templatesBefore, strict = false, failFast = false, json } = flags;
  const { targets, templates, notes } = await collectTargets(inputs, {
    ...{ templates: flags.templates, label },
    ...{ complexes: true, asOne: flags.complex, assembly: flags.assembly },
  });
  if (!json) { for (const note of notes) console.error(`note: ${note}`); }
  using interrupt = onInterrupt("Stopping after the targets in hand. Press Ctrl-C again to stop at once.");
  const progress = startProgress({ label: "Preparing", total: targets.length });
  const start = performance.now();
  let result: PrepResult;
  try {
    result = await prep(targets, {
      ...{ out, bounds, maxTemplates, templatesBefore, strict, failFast, templates },
      complex: flags.pairing === "none" ? { pairing: "none" } : { mode: flags.pairing },
      jobs: flags.jobs ?? navigator.hardwareConcurrency,
      timeLimitSeconds: flags.timeLimit,
      signal: interrupt.signal,
      onDone: ({ entry }, done) => {
        if (entry.status === "failed" && !json) progress.log(`${entry.id}: ${entry.error}`);
        progress.update(done, entry.id);
      },
    });
  } finally {
    progress.stop();
  }
  const seconds = (performance.now() - start) / 1000;
  const manifest = join(out, MANIFEST);
  if (json) {
    const failed = result.failed.map(({ id, error }) => ({ id, error }));
    console.log(
      JSON.stringify({ ...result, failed, notes, seconds: Number(seconds.toFixed(3)), manifest }, undefined, 2),
    );
  } else console.log(summary(result, seconds, manifest));
  if (result.failed.length > 0 && !interrupt.requested) Deno.exitCode = EXIT.failure;
}

function summary(
  { prepared, unchanged, failed, left, warnings }: PrepResult,
  seconds: number,
  manifest: string,
): string {
  const parts = [
    `${prepared} prepared in ${seconds.toFixed(1)} s${
      prepared > 0 ? ` (${(prepared / seconds).toFixed(1)} a second)` : ""
    }`,
    `${unchanged} unchanged`,
    `${failed.length} failed`,
    ...(left > 0 ? [`${left} not begun`] : []),
    counted(warnings, "warning"),
  ];
  const lead = warnings > 0 ? `The warnings: denofold inspect ${manifest}\n` : "";
  return `${parts.join(", ")}\n${lead}${manifest}`;
}

function isoDay(value: string): string {
  if (/^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value))) return value;
  throw new UsageError(`--templates-before ${value} is no day, expected YYYY-MM-DD`);
}
