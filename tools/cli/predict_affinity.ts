import type { Command } from "commander";
import type { Device, Precision } from "../../core/mod.ts";
import { formatCsv } from "../data/matrix.ts";
import { InputError, UsageError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { FineTuned, jointPrediction, type LabelPrediction } from "../finetune/fine_tuned.ts";
import { type ReadableTarget, readInputs } from "../finetune/targets.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { deviceOption, nonNegativeInteger, precisionOption } from "./_shared.ts";

const HELP = `
INPUTS are files and folders as for "denofold prep", or its feature files; with the alignments, if there were any in training. The
table has, for each protein, the prediction of the last parameters, that of their average (the better one as a rule), the standard
deviation of the average's predictions with the head's dropout, the unit, the smallest and the largest label that were trained on, and whether the average's prediction lies
between them: outside it is a guess. Of several runs, say with other seeds, the table has the means, how far the runs' averages
spread, and the labels that all of them have seen.

Examples:
  denofold predict-affinity --checkpoint runs/lora structures/ --out affinities.csv
  denofold predict-affinity --checkpoint runs/seed1 --checkpoint runs/seed2 --checkpoint runs/seed3 structures/`;

/** Adds `denofold predict-affinity`. */
export function register(program: Command): void {
  program.command("predict-affinity")
    .description("predict affinities, or other labels, with a network that finetune trained")
    .argument("[inputs...]", "files and folders")
    .option(
      "--checkpoint <dir>",
      "folder of a run of finetune, or file of a checkpoint; again for each run that predicts with it",
      (path: string, before: string[] = []) => [...before, path],
    )
    .option("--weights <file>", "base weights (default: where they were in training)")
    .option("--force", "use base weights with another hash than those of training")
    .option("--draws <n>", "predictions with dropout, for the uncertainty", nonNegativeInteger, 16)
    .option("--out <file>", "write the table there instead of printing it")
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option("--json", "print one JSON object instead of the table")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  checkpoint?: string[];
  weights?: string;
  force?: boolean;
  draws: number;
  out?: string;
  device: string;
  precision: Precision;
  json?: boolean;
}

async function run(inputs: string[], flags: Flags): Promise<void> {
  const { checkpoint, weights, force, draws, out, json } = flags;
  if (checkpoint === undefined) throw new UsageError("--checkpoint is missing: the folder of a run of finetune");
  if (!inputs.length) throw new UsageError("There are no inputs: give structures, sequences or feature files");
  const { adapter, notes } = await ensureAdapter({ device: flags.device, install: true });
  for (const note of notes) console.error(`note: ${note}`);
  const device = await openDevice(adapter, { precision: flags.precision, long: true });
  try {
    const { table, told } = await predictions(device, inputs, checkpoint, { weights, force, draws });
    if (out !== undefined) await writeFileAtomic(out, table);
    if (json) console.log(JSON.stringify({ ...told, out }, undefined, 2));
    else if (out === undefined) console.log(table.trimEnd());
  } finally {
    device.close();
  }
}

/** Predictions as a table, and as what is printed as JSON. */
type Told = { readonly table: string; readonly told: object };

/** What all runs predict, one after the other, so that one network is on the device at a time. */
async function predictions(
  device: Device,
  inputs: readonly string[],
  checkpoints: readonly string[],
  { draws, ...options }: { readonly draws: number; readonly weights?: string; readonly force?: boolean },
): Promise<Told> {
  const ofRuns: LabelPrediction[][] = [];
  const warned = new Set<string>();
  const labels = { min: -Infinity, max: Infinity };
  let told: Told | undefined, unit: string | undefined;
  for (const path of checkpoints) {
    using scope = device.scope("predict-affinity");
    void scope;
    using tuned = await FineTuned.load(device, path, options);
    const { structureInput, unit: own } = tuned.facts.options;
    if (!tuned.isPlain && checkpoints.length > 1) {
      throw new InputError(`${path} learned more than one number a protein: such runs predict one by one`);
    }
    if (unit !== undefined && unit !== own) {
      throw new InputError(`The labels of ${path} are in ${own || "no unit"}, those of ${checkpoints[0]} in ${unit}`);
    }
    unit = own;
    labels.min = Math.max(labels.min, tuned.facts.data.labels.min);
    labels.max = Math.min(labels.max, tuned.facts.data.labels.max);
    const targets = await readInputs(inputs, structureInput);
    for (const { id, warnings } of targets) {
      for (const text of warnings.map((warning) => `warning: ${id}: ${warning}`)) {
        if (!warned.has(text)) console.error(text);
        warned.add(text);
      }
    }
    if (!tuned.isPlain) {
      told = await allLabels(tuned, targets, draws);
      continue;
    }
    const found: LabelPrediction[] = [];
    for (const target of targets) found.push(await tuned.predict(await target.load(), { draws }));
    ofRuns.push(found);
    const joint = targets.map((_, row) => jointPrediction(ofRuns.map((rows) => rows[row])));
    told = toldOf(targets, joint, { unit, labels });
  }
  const outside = ofRuns[0]?.filter((_, row) => !ofRuns.every((rows) => rows[row].inRange)).length;
  if (outside) {
    console.error(
      `warning: ${outside} of ${
        ofRuns[0].length
      } predictions lie outside the training labels, ${labels.min} to ${labels.max}`,
    );
  }
  return told!;
}

/** A row a protein. */
function toldOf(
  targets: readonly ReadableTarget[],
  found: readonly LabelPrediction[],
  { unit, labels }: { readonly unit: string; readonly labels: { readonly min: number; readonly max: number } },
): Told {
  const columns = [
    ...["id", "prediction", "ema_prediction", "uncertainty", "unit", "training_min", "training_max"] as const,
    "in_training_range" as const,
  ];
  const rows = found.map(({ prediction, average, uncertainty, inRange }, i) => ({
    ...{ id: targets[i].id, prediction, ema_prediction: average, uncertainty: uncertainty ?? undefined },
    ...{ unit, training_min: labels.min, training_max: labels.max, in_training_range: inRange ? "yes" : "no" },
  }));
  const predictions = found.map((own, i) => ({ id: targets[i].id, ...own, warnings: targets[i].warnings }));
  return { table: formatCsv(columns, rows), told: { unit, labels, predictions } };
}

/** A row a label, or a residue, of runs that learned others. */
async function allLabels(tuned: FineTuned, targets: readonly ReadableTarget[], draws: number): Promise<Told> {
  if (!tuned.tasks.length) {
    throw new InputError(
      "This run learned structures alone: `denofold finetune export` and `denofold predict` predict them",
    );
  }
  const columns = ["id", "task", "residue", "prediction", "probability", "uncertainty", "in_training_range"] as const;
  const rows: Record<typeof columns[number], string | number | undefined>[] = [];
  const predictions: object[] = [];
  for (const target of targets) {
    const all = await tuned.predictAll(await target.load(), { draws });
    predictions.push({ id: target.id, tasks: Object.fromEntries(all), warnings: target.warnings });
    for (const { name, range } of tuned.tasks) {
      rows.push(...all.get(name)!.map(({ residue, value, class: found, uncertainty }) => ({
        ...{ id: target.id, task: name, residue, prediction: found?.name ?? value, probability: found?.probability },
        uncertainty,
        in_training_range: range && (value >= range.min && value <= range.max ? "yes" : "no"),
      })));
    }
  }
  return { table: formatCsv(columns, rows), told: { tasks: tuned.tasks, predictions } };
}
