import type { Precision } from "../../core/mod.ts";
import type { Command } from "commander";
import { distill, DISTILL_DEFAULTS, DISTILL_FILES, type DistilledTarget } from "../distill/distill.ts";
import { UsageError } from "../errors.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { planModels } from "../predict/models.ts";
import { textTable } from "../train/metric_table.ts";
import { counted } from "../words.ts";
import {
  deviceOption,
  EXIT,
  nonNegativeInteger,
  nonNegativeNumber,
  numberBetween,
  onInterrupt,
  positiveInteger,
  precisionOption,
  type Progress,
  startProgress,
} from "./_shared.ts";

const D = DISTILL_DEFAULTS;

const HELP = `
INPUTS are what denofold predict takes: feature files of prep (best, with alignments of their own), sequences, alignments. No
structure of them is read. DIR gets a feature file for every target that is kept, with the predicted structure in which only
confident residues count; manifest.jsonl; ${DISTILL_FILES.table} and ${DISTILL_FILES.facts}, which tell of every target what was kept or why it was
dropped; and taught/ with the teacher's predictions, which are not made again when the command is given once more.

A residue is confident where the distances predicted around it (up to 128 residues along the chain) differ from what all targets
together have at the same separation by --min-divergence on average, as the Kullback-Leibler divergence, and where its pLDDT is
--min-plddt or more. AlphaFold took sequences of 200 to 1024 residues with 200 rows or more.

A student learns from both kinds of targets: denofold train --model alphafold --features labelled/ --distilled DIR.

Examples:
  denofold distill unlabelled/ --teacher run --out distilled
  denofold distill unlabelled/ --teacher run --min-length 200 --max-length 1024 --min-depth 200 --out distilled
  denofold train --model alphafold --features labelled/ --distilled distilled --distilled-share 0.75 --out student`;

/** Adds `denofold distill`. */
export function register(program: Command): void {
  program.command("distill")
    .description("predict structures by a trained network, and keep what it is sure of as data to train another")
    .argument("<inputs...>", "feature files, sequences, alignments, and folders of them")
    .requiredOption("--teacher <run>", "folder of a run of denofold train --model alphafold, a checkpoint, or weights")
    .option("--out <dir>", "folder for the files; predictions that are there are used again", "distilled")
    .option("--seed <n>", "seed of everything random", nonNegativeInteger, D.seed)
    .option("--recycles <n>", "iterations after the first (default: as the teacher was trained)", nonNegativeInteger)
    .option("--min-divergence <x>", "least divergence of a residue's distances", nonNegativeNumber, D.minDivergence)
    .option("--min-plddt <x>", "least pLDDT of a residue, 0 to 100", numberBetween(0, 100), D.minPlddt)
    .option(
      "--min-confident <x>",
      "least part of a target's residues that are confident",
      numberBetween(0, 1),
      D.minConfident,
    )
    .option("--min-length <n>", "fewest residues of a target", positiveInteger, D.minLength)
    .option("--max-length <n>", "most residues of a target (default: any number)", positiveInteger)
    .option("--min-depth <n>", "fewest rows of its alignment", positiveInteger, D.minDepth)
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option("--json", "print one JSON object at the end instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  teacher: string;
  out: string;
  seed: number;
  recycles?: number;
  minDivergence: number;
  minPlddt: number;
  minConfident: number;
  minLength: number;
  maxLength?: number;
  minDepth: number;
  device: string;
  precision: Precision;
  json?: boolean;
}

async function run(inputs: string[], { teacher: given, device: name, json, ...flags }: Flags): Promise<void> {
  if (flags.maxLength !== undefined && flags.maxLength < flags.minLength) {
    throw new UsageError(`--max-length ${flags.maxLength} is less than --min-length ${flags.minLength}`);
  }
  const [teacher] = await planModels(given, undefined);
  const { adapter, notes } = await ensureAdapter({ device: name, install: true });
  if (!json) { for (const note of notes) console.error(note); }
  const device = await openDevice(adapter, { precision: flags.precision, long: true });
  using interrupt = onInterrupt();
  let progress: Progress | undefined;
  try {
    const options = { ...D, ...flags, maxLength: flags.maxLength ?? Infinity, inputs };
    const { finished, targets, files } = await distill(device, teacher, options, {
      target(id, done, total) {
        progress ??= startProgress({ label: "target", total });
        progress?.update(done, id);
      },
      stop: () => interrupt.poll(),
    });
    progress?.stop();
    if (json) {
      console.log(JSON.stringify({ out: flags.out, finished, teacher: teacher.weights, targets, files }, undefined, 2));
    } else if (finished) console.log(tableOf(targets, files.length));
    else console.log("Stopped. The same command goes on.");
    if (!finished) Deno.exitCode = EXIT.interrupted;
  } finally {
    progress?.stop();
    device.close();
  }
}

function tableOf(targets: readonly DistilledTarget[], files: number): string {
  const shown = (value: number | null, digits: number) => value === null ? "-" : value.toFixed(digits);
  const rows = targets.map(({ id, residues, divergence, plddt, confident, dropped }) => [
    ...[id, `${residues}`, shown(divergence, 3), shown(plddt, 1), `${confident}`, dropped ?? "kept"],
  ]);
  const kept = targets.filter(({ dropped }) => dropped === null);
  const residues = kept.reduce((sum, { confident }) => sum + confident, 0);
  return [
    textTable(["target", "N_res", "divergence", "pLDDT", "confident", ""], rows),
    `${counted(kept.length, "target")} of ${targets.length} kept, ${counted(residues, "confident residue")}; ${
      counted(files, "file")
    } written`,
  ].join("\n");
}
