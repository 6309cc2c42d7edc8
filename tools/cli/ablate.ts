import type { Precision } from "../../core/mod.ts";
import { Command } from "commander";
import { resolve } from "node:path";
import { ablate, ablationTable } from "../ablate/ablate.ts";
import { InputError, UsageError } from "../errors.ts";
import { adapterName, ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { type Ablation, ABLATIONS, ALPHAFOLD } from "../train/alphafold/options.ts";
import { readRunData } from "../train/data.ts";
import { resolveSettings } from "../train/options.ts";
import { RECIPE_FILE } from "../train/recipe.ts";
import type { EvoformerSettings, TrainSettings } from "../train/settings.ts";
import { applyRecipe } from "./_recipe.ts";
import { commandLine, deviceOption, EXIT, onInterrupt, positiveInteger, precisionOption } from "./_shared.ts";
import { terminalView } from "./_train_view.ts";
import { ownFlags, TRAIN_RECIPE } from "./_train_flags.ts";
import { register as registerTrain } from "./train.ts";

const HELP = `
BASELINE is a recipe of denofold train --model alphafold with targets held out: recipe.json of a run, its folder, or a file of your
own. Every variant is trained with the same data, seeds and steps in a folder of its own, DIR/VARIANT/seed_N, by which the same
command goes on where it was stopped. Variants are compared by the mean over the held-out targets.

Files in DIR: ablation.csv (a line a training), ablation.json (means and differences to the baseline with intervals of 95 % over
seeds, by Student's t), ablation.svg (the figure, of lDDT-Cα).

Parts: ${ABLATIONS.join(", ")}.

Example:
  denofold ablate --baseline run --without ipa,recycling,triangles --seeds 0,1,2 --out study`;

/** Adds `denofold ablate`. */
export function register(program: Command): void {
  program.command("ablate")
    .description("train AlphaFold 2 without one part at a time and compare with the baseline, as the paper's study did")
    .requiredOption("--baseline <recipe>", "recipe of the baseline, or the folder of its run")
    .requiredOption("--without <parts>", "parts to take away, one at a time, with commas")
    .option("--seeds <list>", "seeds, with commas", "0,1,2")
    .option("--num-steps <n>", "steps of each training (default: the baseline's)", positiveInteger)
    .option("--out <dir>", "folder for the files", "ablation")
    .option("--checkpoint-every <n>", "steps between checkpoints", positiveInteger, 50)
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option("--quiet", "no line for each step")
    .option("--json", "print one JSON object at the end instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  baseline: string;
  without: string;
  seeds: string;
  numSteps?: number;
  out: string;
  checkpointEvery: number;
  device: string;
  precision: Precision;
  quiet?: boolean;
  json?: boolean;
}

async function run(flags: Flags): Promise<void> {
  const without = partsOf(flags.without), seeds = seedsOf(flags.seeds);
  const baseline = await baselineOf(flags);
  const data = await readRunData(baseline);
  if (!data) throw new InputError(`${flags.baseline}: the baseline learns from nothing`);
  const { adapter, notes } = await ensureAdapter({ device: flags.device, install: true });
  const silent = flags.json ?? false;
  if (!silent) { for (const note of notes) console.error(note); }
  const device = await openDevice(adapter, { precision: flags.precision, long: true });
  using interrupt = onInterrupt();
  const view = terminalView({ batchSize: baseline.training.batchSize, stepLines: !silent && !flags.quiet, silent });
  const { out, checkpointEvery } = flags;
  try {
    const { finished, variants, files } = await ablate(
      { baseline, data, without, seeds, out, checkpointEvery, command: commandLine() },
      { device, adapter: adapterName(adapter), view, stop: interrupt },
    );
    if (silent) console.log(JSON.stringify({ out, finished, seeds, variants, files }, undefined, 2));
    else if (finished) {
      console.log(`\n${ablationTable(variants)}\n\nFiles:\n${files.map((file) => `   ${file}`).join("\n")}`);
    } else console.log("\nStopped. The same command goes on.");
    if (!finished) Deno.exitCode = EXIT.interrupted;
  } finally {
    device.close();
  }
}

function partsOf(text: string): Ablation[] {
  return text.split(",").map((given) => {
    const part = ABLATIONS.find((name) => name === given.trim());
    if (part) return part;
    throw new UsageError(`--without ${JSON.stringify(given.trim())}: expected parts out of ${ABLATIONS.join(", ")}`);
  });
}

function seedsOf(text: string): number[] {
  const seeds = text.split(",").map((given) => /^\s*\d+\s*$/.test(given) ? Number(given) : NaN);
  if (seeds.every(Number.isSafeInteger) && new Set(seeds).size === seeds.length) return seeds;
  throw new UsageError(`--seeds ${JSON.stringify(text)}: expected different whole numbers with commas`);
}

/** The settings that a recipe says. */
async function baselineOf({ baseline, numSteps }: Flags): Promise<TrainSettings<EvoformerSettings>> {
  const info = await Deno.stat(baseline).catch(() => undefined);
  if (!info) throw new InputError(`Cannot read the baseline ${baseline}: there is no such file or folder`);
  const path = info.isDirectory ? `${baseline}/${RECIPE_FILE}` : baseline;
  const program = new Command();
  registerTrain(program);
  const [command] = program.commands;
  await applyRecipe(command, path, TRAIN_RECIPE);
  const all = command.opts();
  const settings = resolveSettings<EvoformerSettings>(
    { ...all, ...(numSteps && { numSteps }), own: ownFlags(all) },
    {},
  );
  const { model: { network }, data } = settings;
  if (network !== ALPHAFOLD || data.kind !== "features") {
    throw new InputError(`${path} is no recipe of --model alphafold with --features, of which parts can be taken away`);
  }
  return { ...settings, data: { ...data, folder: resolve(data.folder) } };
}
