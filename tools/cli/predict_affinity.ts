import type { Command } from "commander";
import { formatCsv } from "../data/matrix.ts";
import { InputError, UsageError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import { FineTuned } from "../finetune/fine_tuned.ts";
import { readInputs } from "../finetune/targets.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { deviceOption, nonNegativeInteger } from "./_shared.ts";

const HELP = `
INPUTS are files and folders as for "denofold prep", or its feature files. The table has, for each protein, the prediction of the
last parameters, that of their average (the better one as a rule), the standard deviation of the average's predictions with the
head's dropout, the unit, the smallest and the largest label that were trained on, and whether the average's prediction lies
between them: outside it is a guess.

Example:
  denofold predict-affinity --checkpoint runs/lora structures/ --out affinities.csv`;

/** Adds `denofold predict-affinity`. */
export function register(program: Command): void {
  program.command("predict-affinity")
    .description("predict affinities, or other labels, with a network that finetune trained")
    .argument("[inputs...]", "files and folders")
    .option("--checkpoint <dir>", "folder of a run of finetune, or file of a checkpoint")
    .option("--weights <file>", "base weights (default: where they were in training)")
    .option("--force", "use base weights with another hash than those of training")
    .option("--draws <n>", "predictions with dropout, for the uncertainty", nonNegativeInteger, 16)
    .option("--out <file>", "write the table there instead of printing it")
    .addOption(deviceOption())
    .option("--json", "print one JSON object instead of the table")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  checkpoint?: string;
  weights?: string;
  force?: boolean;
  draws: number;
  out?: string;
  device: string;
  json?: boolean;
}

async function run(inputs: string[], flags: Flags): Promise<void> {
  const { checkpoint, weights, force, draws, out, json } = flags;
  if (checkpoint === undefined) throw new UsageError("--checkpoint is missing: the folder of a run of finetune");
  if (!inputs.length) throw new UsageError("There are no inputs: give structures, sequences or feature files");
  const { adapter, notes } = await ensureAdapter({ device: flags.device, install: true });
  for (const note of notes) console.error(`note: ${note}`);
  const device = await openDevice(adapter, { long: true });
  try {
    using scope = device.scope("predict-affinity");
    void scope;
    using tuned = await FineTuned.load(device, checkpoint, { weights, force });
    const { table, told } = await (tuned.isPlain ? affinities : allLabels)(tuned, inputs, draws);
    if (out !== undefined) await writeFileAtomic(out, table);
    if (json) console.log(JSON.stringify({ ...told, out }, undefined, 2));
    else if (out === undefined) console.log(table.trimEnd());
  } finally {
    device.close();
  }
}

/** Predictions as a table, and as what is printed as JSON. */
type Told = { readonly table: string; readonly told: object };

/** A row a protein, of runs that learned one number a protein. */
async function affinities(tuned: FineTuned, inputs: readonly string[], draws: number): Promise<Told> {
  const { options: { unit, structureInput }, data: { labels } } = tuned.facts;
  const columns = [
    ...["id", "prediction", "ema_prediction", "uncertainty", "unit", "training_min", "training_max"] as const,
    "in_training_range" as const,
  ];
  const rows: Record<typeof columns[number], string | number | undefined>[] = [];
  const predictions: object[] = [];
  let outside = 0;
  for (const target of await readInputs(inputs, structureInput)) {
    for (const warning of target.warnings) console.error(`warning: ${target.id}: ${warning}`);
    const found = await tuned.predict(await target.load(), { draws });
    if (!found.inRange) outside++;
    const { prediction, average, uncertainty, inRange } = found;
    predictions.push({ id: target.id, prediction, average, uncertainty, inRange, warnings: target.warnings });
    rows.push({
      id: target.id,
      prediction: found.prediction,
      ema_prediction: found.average,
      uncertainty: found.uncertainty ?? undefined,
      unit,
      training_min: labels.min,
      training_max: labels.max,
      in_training_range: found.inRange ? "yes" : "no",
    });
  }
  if (outside) {
    console.error(
      `warning: ${outside} of ${rows.length} predictions lie outside the training labels, ${labels.min} to ${labels.max}`,
    );
  }
  return { table: formatCsv(columns, rows), told: { unit, labels, predictions } };
}

/** A row a label, or a residue, of runs that learned others. */
async function allLabels(tuned: FineTuned, inputs: readonly string[], draws: number): Promise<Told> {
  if (!tuned.tasks.length) {
    throw new InputError(
      "This run learned structures alone: `denofold finetune export` and `denofold predict` predict them",
    );
  }
  const columns = ["id", "task", "residue", "prediction", "probability", "uncertainty", "in_training_range"] as const;
  const rows: Record<typeof columns[number], string | number | undefined>[] = [];
  const predictions: object[] = [];
  for (const target of await readInputs(inputs, tuned.facts.options.structureInput)) {
    for (const warning of target.warnings) console.error(`warning: ${target.id}: ${warning}`);
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
