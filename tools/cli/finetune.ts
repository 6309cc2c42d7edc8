import type { Precision } from "../../core/mod.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { FIT_DEFAULTS, HALF_TYPES, REGRESSION_LOSSES, STRATEGIES } from "../../finetune/mod.ts";
import type {
  FitSettings,
  HalfType,
  HeadInput,
  LoraOptions,
  Pooling,
  RegressionLoss,
  StrategyName,
} from "../../finetune/mod.ts";
import { ALPHAFOLD_PRESETS, type AlphaFoldPreset } from "../../model/alphafold/mod.ts";
import type { BoundsPolicy } from "../data/bounds.ts";
import { UsageError } from "../errors.ts";
import { demoSets } from "../finetune/demo.ts";
import { readCheckpoint } from "../finetune/checkpoint.ts";
import { finetune, type FinetuneRequest, type FinetuneResult } from "../finetune/finetune.ts";
import type { DryRun } from "../finetune/dry_run.ts";
import { FINETUNE_DEFAULTS, type FinetuneOptions } from "../finetune/options.ts";
import { TASK, TASK_KINDS, type TaskKind } from "../finetune/label_tasks.ts";
import { readPeftFolder } from "../finetune/peft_folder.ts";
import { readSizes } from "../finetune/sizes_file.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { gibibytes } from "../plan/plan.ts";
import { duration } from "../train/run_facts.ts";
import type { SplitBy } from "../split/split.ts";
import {
  boundsOption,
  deviceOption,
  EXIT,
  nonNegativeInteger,
  nonNegativeNumber,
  numberBetween,
  onInterrupt,
  positiveInteger,
  positiveNumber,
  precisionOption,
} from "./_shared.ts";
import { registerCompare } from "./_finetune_compare.ts";
import { registerExport } from "./_finetune_export.ts";
import { finetuneView } from "./_finetune_view.ts";
import { applyRecipe, type RecipeNames, recipeText } from "./_recipe.ts";
import { aliasedOption } from "./_sizes.ts";

const HELP = `
DATA is a table (pdb_id,affinity[,sequence,year,family,…]) or an INDEX file of PDBbind. With --task, columns hold numbers, names of
classes, or one of either a residue ("0.1;0.7;…", "HHEE-…"; ? where it is not known), and "structure" learns the structures themselves. Each row's protein comes from --features
(files of "denofold prep", read again in every epoch: best for large sets) or is made of --structures, --msas and the table's
sequences. Rows without them are errors, none is left out in silence. Rows of one name are one protein, which is read once and
stays in one set; every row's label counts.

The head sees the protein alone, no ligand: affinities of different ligands to one protein look the same to it.

OUTPUT gets best/ and last/ (what was trained, its average, optimizer and place in the data; --resume goes on to the bit),
config.json, recipe.yaml (all flags, for --config), history.jsonl, history.csv, events/ (for TensorBoard), and at the end
predictions.csv, metrics.json with intervals, parameters.csv (what moved how far) and report.html.

Examples:
  denofold finetune --demo
  denofold finetune --data table.csv --structures pdbs/ --weights finetuning_ptm_2.pt --strategy lora --lora-rank 8 --output runs/lora
  denofold finetune --data table.csv --features features/ --weights model_1_ptm.pt --strategy auto --split identity --output runs/x
  denofold finetune --config recipe.yaml --epochs 5 --output runs/y
  denofold finetune --config recipe.yaml --weights model_1_ptm.pt --dry-run
  denofold finetune --resume runs/x
  denofold finetune compare runs/lora runs/x
  denofold finetune export runs/lora --out merged.pt`;

/** Keys of recipes: flags, and the names that parameters have elsewhere. */
const RECIPE: RecipeNames = {
  aliases: {
    ...{ "accumulation-steps": "accum", "early-stopping-patience": "patience", "ema-decay": "ema", "lr-lora": "lr" },
    ...{ "lr-trunk": "lr", "rank": "lora-rank", "scheduler": "schedule", "target-modules": "lora-targets" },
    ...{ "unfreeze-last-n": "unfreeze-blocks", "warmup-steps": "warmup" },
  },
  without: ["config", "resume", "dry-run", "device", "json", "force"],
};

/** Adds `denofold finetune`. */
export function register(program: Command): void {
  const { fit } = FINETUNE_DEFAULTS;
  const finetune = program.command("finetune")
    .description("fine-tune AlphaFold 2 for affinities or other labels of proteins: head, LoRA, partial or full")
    .option("--config <recipe>", "YAML or JSON file with flags; those of the command line count more")
    .optionsGroup("Input:")
    .option("--data <table>", "table with names and labels")
    .option("--features <dir>", "feature files of prep")
    .option("--structures <paths...>", "structures named after the rows")
    .addOption(new Option("--pdbs <paths...>", "the same as --structures").hideHelp())
    .option("--msas <paths...>", "alignments named after the rows")
    .option("--task <kinds>", `what is learned, comma-separated: ${TASK_KINDS.join(", ")}`, taskKinds, ["regression"])
    .option("--label <columns>", "columns with the labels, comma-separated (default: affinity, label, value, y, …)")
    .option("--task-weights <numbers>", "of the columns' losses, then the structures' (default: 1 each)", weights)
    .option("--unit <text>", "unit of the labels, for people", "")
    .addOption(boundsOption())
    .addOption(
      new Option("--structure-input <what>", "each row's structure as its template").choices(["template", "none"])
        .default("none"),
    )
    .option("--weights <file>", "base weights: file, folder, or random:SEED", Deno.env.get("DENOFOLD_WEIGHTS"))
    .addOption(
      new Option("--model <preset>", "the weights' preset (default: by name and shapes)").choices(ALPHAFOLD_PRESETS),
    )
    .option("--sizes <file>", "JSON with other sizes than the preset's, for small networks")
    .option("--demo", "8 random proteins of 32 residues and a small random network, unless --weights are given")
    .optionsGroup("Strategy:")
    .addOption(
      new Option("--strategy <name>", "what is trained; auto chooses by the number of samples").choices([
        ...STRATEGIES,
        "auto",
      ]).default("lora"),
    )
    .option("--lora-rank <n>", "rank of the adapters (default: 8)", positiveInteger)
    .option("--lora-alpha <x>", "their product counts by alpha / rank (default: 2 · rank)", positiveNumber)
    .option("--lora-dropout <p>", "dropout of what they read", numberBetween(0, 0.99), 0)
    .option("--lora-targets <names>", "linear maps that get one, comma-separated names or patterns", names)
    .option("--adapters <dir>", "adapters to begin with, as PEFT keeps them; they say rank, alpha and targets")
    .option("--rslora", "alpha counts by the root of the rank")
    .option("--dora", "magnitudes of rows are trained apart")
    .option("--unfreeze-blocks <n>", "last blocks that partial trains", positiveInteger, 4)
    .option("--unfreeze-structure-module", "partial trains the structure module too")
    .addOption(
      aliasedOption(
        "--learning-rate, --lr <rate>",
        "lr",
        "learning rate (default: lora 1e-4, head_only 1e-3, partial and full 1e-5)",
      ).argParser(positiveNumber),
    )
    .option("--lr-head <rate>", "learning rate of the head (default: 10 times the other)", positiveNumber)
    .option("--lr-embedder <rate>", "of the input embedder in full (default: below the first block's)", positiveNumber)
    .option("--lr-structure-module <rate>", "of the structure module in full (default: --lr)", positiveNumber)
    .option("--layer-lr-decay <x>", "in full, a block's rate by the next one's", numberBetween(0.01, 1), 0.95)
    .addOption(
      new Option("--head-input <what>", "single representation of the head").choices(["evoformer", "structure"]),
    )
    .addOption(
      new Option("--pooling <what>", "how residues become a protein").choices(["mean", "attention"]).default("mean"),
    )
    .option("--pair-fusion", "the head reads the mean of the pair representation too")
    .option("--hidden <n>", "hidden channels of the head", positiveInteger, 128)
    .option("--head-dropout <p>", "dropout of the head", numberBetween(0, 0.99), 0.1)
    .option(
      "--standardize",
      "the head reads and predicts in units of the training set's spread (default: of head_only)",
    )
    .option("--no-standardize", "it reads representations as they come")
    .optionsGroup("Training:")
    .addOption(
      new Option("--loss <name>", "pearson and ranking need batches of several").choices(REGRESSION_LOSSES).default(
        "mse",
      ),
    )
    .option("--epochs <n>", "passes over the training set", positiveInteger, fit.epochs)
    .addOption(
      aliasedOption("--batch, --batch-size <n>", "batchSize", "samples whose loss is taken together")
        .argParser(positiveInteger).default(fit.batchSize),
    )
    .addOption(
      aliasedOption("--accumulate, --accum <n>", "accum", "batches of a step").argParser(positiveInteger)
        .default(fit.accumulate),
    )
    .addOption(
      aliasedOption(
        "--lr-warmup-steps, --warmup <n>",
        "warmup",
        `steps until the full learning rate (default: ${fit.warmup}; demo 0)`,
      ).argParser(nonNegativeInteger),
    )
    .addOption(
      new Option("--schedule <kind>", "learning rate after that").choices(["cosine", "linear", "constant"]).default(
        fit.schedule,
      ),
    )
    .option(
      "--ema <decay>",
      "moving average that validation runs on; 0: none",
      numberBetween(0, 0.999999),
      fit.emaDecay,
    )
    .addOption(
      aliasedOption("--max-norm, --grad-clip <norm>", "gradClip", "largest norm of gradients; 0: any")
        .argParser(nonNegativeNumber).default(fit.maxNorm),
    )
    .option("--weight-decay <x>", "of AdamW", nonNegativeNumber, fit.weightDecay)
    .option(
      "--patience <epochs>",
      "ends after so many without a smaller validation loss; 0: never",
      nonNegativeInteger,
      0,
    )
    .option("--masked-msa-weight <x>", "of the loss of the alignment's hidden letters", nonNegativeNumber, 0)
    .addOption(
      new Option("--amp [type]", "frozen weights in f16, kept representations in f16 or bf16 (more range), sums in f32")
        .choices(HALF_TYPES).preset("f16"),
    )
    .option("--bucket", "batches of like lengths, padded and run as one")
    .option("--network-dropout", "the network's own dropout is on")
    .option("--num-recycles <n>", "iterations of the network after the first", nonNegativeInteger, 0)
    .option("--max-msa <n>", "most rows in the main stack (default: the preset's)", positiveInteger)
    .option("--max-extra-msa <n>", "most rows in the extra stack (default: the preset's)", positiveInteger)
    .option(
      "--crop <n>",
      "most residues in training, some that follow each other, anew in each epoch (default: all)",
      positiveInteger,
    )
    .option("--seed <n>", "decides split, order, fresh parameters and dropout", nonNegativeInteger, fit.seed)
    .optionsGroup("Sets:")
    .addOption(
      new Option("--split <how>", "what is kept together").choices(["random", "identity", "family", "time"]).default(
        "random",
      ),
    )
    .option("--identity <x>", "identity from which sequences are related", numberBetween(0.1, 1), 0.3)
    .option("--val <part>", "part of the rows for validation", numberBetween(0, 0.9), 0.1)
    .option("--test <part>", "part of the rows for the test", numberBetween(0, 0.9), 0.1)
    .optionsGroup("Run:")
    .option("--cache <dir>", "what the network gave each protein, for head_only (default: OUTPUT/representations)")
    .option("--no-cache", "keep it in memory alone")
    .addOption(aliasedOption("--out, --output <dir>", "output", "folder of the run").default("runs/finetune"))
    .option("--save-every <steps>", "checkpoints within an epoch; 0: at its end alone", nonNegativeInteger, 0)
    .option("--resume <dir>", "go on with a run, with its own choices (but for --weights)")
    .option("--force", "go on although the base weights have another hash than those the run was begun with")
    .option("--dry-run", "tell counts, memory, time and the first batch, and stop")
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .enablePositionalOptions()
    .action(run);
  registerCompare(finetune);
  registerExport(finetune);
}

interface Flags {
  config?: string;
  data?: string;
  features?: string;
  structures?: string[];
  pdbs?: string[];
  msas?: string[];
  task: TaskKind[];
  taskWeights?: number[];
  label?: string;
  unit: string;
  bounds: BoundsPolicy;
  structureInput: "template" | "none";
  weights?: string;
  model?: AlphaFoldPreset;
  sizes?: string;
  demo?: boolean;
  strategy: StrategyName | "auto";
  loraRank?: number;
  loraAlpha?: number;
  loraDropout: number;
  loraTargets?: string[];
  adapters?: string;
  rslora?: boolean;
  dora?: boolean;
  unfreezeBlocks: number;
  unfreezeStructureModule?: boolean;
  lr?: number;
  lrHead?: number;
  lrEmbedder?: number;
  lrStructureModule?: number;
  layerLrDecay: number;
  headInput?: HeadInput;
  pooling: Pooling;
  pairFusion?: boolean;
  hidden: number;
  headDropout: number;
  standardize?: boolean;
  loss: RegressionLoss;
  epochs: number;
  batchSize: number;
  accum: number;
  warmup?: number;
  schedule: FitSettings["schedule"];
  ema: number;
  gradClip: number;
  weightDecay: number;
  patience: number;
  maskedMsaWeight: number;
  amp?: HalfType;
  bucket?: boolean;
  networkDropout?: boolean;
  numRecycles: number;
  maxMsa?: number;
  maxExtraMsa?: number;
  crop?: number;
  seed: number;
  split: SplitBy;
  identity: number;
  val: number;
  test: number;
  cache?: string | boolean;
  output: string;
  saveEvery: number;
  resume?: string;
  force?: boolean;
  dryRun?: boolean;
  device: string;
  precision: Precision;
  json?: boolean;
}

function taskKinds(value: string): TaskKind[] {
  return value.split(",").map((name) => {
    const kind = TASK_KINDS.find((kind) => kind === name.trim());
    if (!kind) throw new InvalidArgumentError(`Expected some of ${TASK_KINDS.join(", ")}.`);
    return kind;
  });
}

function weights(value: string): number[] {
  return value.split(",").map((text) => positiveNumber(text.trim()));
}

function names(value: string): string[] {
  const found = value.split(/,(?![^{]*\})/).map((name) => name.trim());
  if (found.some((name) => !name)) throw new InvalidArgumentError("Expected names with commas between them.");
  return found;
}

async function run({ config }: Flags, command: Command): Promise<void> {
  if (config !== undefined) await applyRecipe(command, config, RECIPE);
  const flags = command.opts<Flags>();
  const resuming = flags.resume !== undefined;
  const { options, ...request } = resuming
    ? await resumed(flags.resume!, command.getOptionValueSource("weights") === "cli" ? flags.weights : undefined)
    : await runOf(flags);
  const { adapter, notes } = await ensureAdapter({ device: flags.device, install: true });
  const device = await openDevice(adapter, { precision: flags.precision, long: true });
  for (const note of notes) console.error(`note: ${note}`);
  using interrupt = onInterrupt();
  const view = finetuneView({ epochs: options.fit.epochs, demo: flags.demo, silent: flags.json });
  let result: FinetuneResult;
  try {
    const how = { ...request, resume: resuming, force: flags.force, dryRun: flags.dryRun };
    const recipe = resuming ? undefined : recipeText(command, RECIPE);
    result = await finetune(device, options, { ...view.events, stop: () => interrupt.poll() }, { ...how, recipe });
  } finally {
    view.end();
    device.close();
  }
  if (flags.json) return console.log(JSON.stringify(result, undefined, 2));
  console.log(result.dry ? dryText(result.dry, options) : textOf(result, options));
  if (result.end === "stopped") Deno.exitCode = EXIT.interrupted;
}

/** What a dry run found. */
function dryText(
  { peakBytes, longest, batchSeconds, seconds, firstBatch, loss }: DryRun,
  { fit }: FinetuneOptions,
): string {
  const batch = firstBatch.map(({ id, residues, label }) =>
    `${id} (${residues} residues${label === undefined ? "" : `, label ${label}`})`
  );
  return [
    `Memory: ${gibibytes(peakBytes)} of GPU memory at the peak, for ${longest} residues`,
    `Time: ${batchSeconds.toPrecision(2)} s for the first batch, about ${duration(seconds)} for ${fit.epochs} epochs`,
    `First batch: ${batch.join(", ")}; its loss is ${loss.toPrecision(4)}`,
    "Nothing was trained: --dry-run",
  ].join("\n");
}

function textOf({ end, metrics, taskMetrics = {}, best, files }: FinetuneResult, { output }: FinetuneOptions): string {
  if (end === "stopped") return `Stopped; \`denofold finetune --resume ${output}\` goes on`;
  // Of one label, or of equal ones, there is no correlation.
  const shown = (x: number, digits = 3) => Number.isNaN(x) ? "–" : x.toFixed(digits);
  const interval = ([low, high]: readonly [number, number]) =>
    Number.isNaN(low + high) ? "" : ` (${shown(low, 2)} to ${shown(high, 2)})`;
  const lines = Object.entries(metrics).map(([name, { n, pearson, spearman, rmse, mae, r2, intervals }]) =>
    `  ${name.padEnd(10)} ${TASK}: n=${n} pearson=${shown(pearson)}${interval(intervals.pearson)} ` +
    `spearman=${shown(spearman)} rmse=${shown(rmse)} mae=${shown(mae)} r2=${shown(r2)}`
  );
  const ofTasks = Object.entries(taskMetrics).flatMap(([task, sets]) =>
    Object.entries(sets).map(([set, found]) =>
      `  ${set.padEnd(10)} ${task}: ` +
      Object.entries(found).map(([name, x]) => `${name}=${name === "n" ? x : shown(x)}`).join(" ")
    )
  );
  const which = best ? `Best epoch ${best.epoch}` : "Last epoch";
  return [
    `${which}${end === "patience" ? ", ended early" : ""}:`,
    ...lines,
    ...ofTasks,
    "Files:",
    ...files.map((f) => `  ${f}`),
  ]
    .join("\n");
}

/** A run, and what it is begun with. */
type RunRequest = { readonly options: FinetuneOptions } & Pick<FinetuneRequest, "given" | "adapters">;

/** The run in a folder. */
async function resumed(folder: string, weights: string | undefined): Promise<RunRequest> {
  const { facts: { options } } = await readCheckpoint(folder, "last");
  if (!options.data) throw new UsageError("A demo is not gone on with: begin it anew");
  return { options: { ...options, output: folder, ...(weights !== undefined && { weights }) } };
}

/** The run that flags mean. */
async function runOf(flags: Flags): Promise<RunRequest> {
  const { data, weights, demo } = flags;
  if (!demo && data === undefined) throw new UsageError("--data is missing: a table with names and labels, or --demo");
  if (!demo && weights === undefined) {
    throw new UsageError("--weights are missing: a file, a folder, or random:SEED for a network without meaning");
  }
  const given = demo ? await demoSets(flags.seed, weights) : undefined;
  const adapters = flags.adapters === undefined
    ? undefined
    : { source: flags.adapters, values: await readPeftFolder(flags.adapters) };
  const lora: LoraOptions = adapters?.values.config ?? {
    ...(flags.loraRank !== undefined && { rank: flags.loraRank }),
    ...(flags.loraAlpha !== undefined && { alpha: flags.loraAlpha }),
    ...(flags.loraTargets && { targets: flags.loraTargets }),
    ...(flags.rslora && { rankStabilized: true }),
    ...(flags.dora && { magnitudes: true }),
  };
  const options: FinetuneOptions = {
    ...FINETUNE_DEFAULTS,
    ...{ data: data ?? "", features: flags.features, msas: flags.msas ?? [], label: flags.label, unit: flags.unit },
    ...{ tasks: flags.task, taskWeights: flags.taskWeights },
    ...{ structures: [...flags.structures ?? [], ...flags.pdbs ?? []], bounds: flags.bounds, lora },
    ...{ structureInput: flags.structureInput, weights: weights ?? `random:${flags.seed}`, preset: flags.model },
    ...{ sizes: given?.sizes ?? await readSizes(flags.sizes), strategy: flags.strategy, loss: flags.loss },
    ...{ unfreezeBlocks: demo ? Math.min(flags.unfreezeBlocks, 2) : flags.unfreezeBlocks, hidden: flags.hidden },
    unfreezeStructureModule: flags.unfreezeStructureModule ?? false,
    ...{ learningRate: flags.lr, headLearningRate: flags.lrHead, headInput: flags.headInput, pooling: flags.pooling },
    ...{ embedderLearningRate: flags.lrEmbedder, structureLearningRate: flags.lrStructureModule },
    ...{ layerDecay: flags.layerLrDecay, maskedMsaWeight: flags.maskedMsaWeight },
    cache: flags.cache === true ? undefined : flags.cache,
    ...{
      pairFusion: flags.pairFusion ?? false,
      headDropout: flags.headDropout,
      standardize: flags.standardize,
      split: flags.split,
    },
    ...{ identity: flags.identity, validation: flags.val, test: flags.test, recycles: flags.numRecycles },
    ...{
      maxMsa: flags.maxMsa,
      maxExtraMsa: flags.maxExtraMsa,
      crop: flags.crop,
      output: flags.output,
      saveEvery: flags.saveEvery,
    },
    fit: {
      ...FIT_DEFAULTS,
      ...{ epochs: flags.epochs, batchSize: flags.batchSize, accumulate: flags.accum, schedule: flags.schedule },
      ...{ warmup: flags.warmup ?? (demo ? 0 : FIT_DEFAULTS.warmup), maxNorm: flags.gradClip, seed: flags.seed },
      ...{ weightDecay: flags.weightDecay, emaDecay: flags.ema, patience: flags.patience },
      ...{ adapterDropout: flags.loraDropout, networkDropout: flags.networkDropout ?? false },
      ...{ amp: flags.amp ?? false, bucket: flags.bucket ?? false },
    },
  };
  return { options, ...(given && { given }), ...(adapters && { adapters }) };
}
