import { type Command, InvalidArgumentError, Option } from "commander";
import { FIT_DEFAULTS, REGRESSION_LOSSES, STRATEGIES } from "../../finetune/mod.ts";
import type { FitSettings, HeadInput, LoraOptions, Pooling, RegressionLoss, StrategyName } from "../../finetune/mod.ts";
import { ALPHAFOLD_PRESETS, type AlphaFoldChoices, type AlphaFoldPreset } from "../../model/alphafold/mod.ts";
import type { BoundsPolicy } from "../data/bounds.ts";
import { InputError, UsageError } from "../errors.ts";
import { DEMO_RESIDUES, demoSets } from "../finetune/demo.ts";
import { readCheckpoint } from "../finetune/checkpoint.ts";
import { finetune, type FinetuneResult, type GivenSets } from "../finetune/finetune.ts";
import { FINETUNE_DEFAULTS, type FinetuneOptions } from "../finetune/options.ts";
import { TASK } from "../finetune/network.ts";
import { ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import type { SplitBy } from "../split/split.ts";
import { readFileBytes } from "../files.ts";
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
} from "./_shared.ts";
import { applyRecipe, type RecipeNames, recipeText } from "./_recipe.ts";
import { aliasedOption } from "./_sizes.ts";

const HELP = `
DATA is a table (pdb_id,affinity[,sequence,year,family,…]) or an INDEX file of PDBbind. Each row's protein comes from --features
(files of "denofold prep", read again in every epoch: best for large sets) or is made of --structures, --msas and the table's
sequences. Rows without them are errors, none is left out in silence.

The head sees the protein alone, no ligand: affinities of different ligands to one protein look the same to it.

OUTPUT gets best/ and last/ (what was trained, its average, optimizer and place in the data; --resume goes on to the bit),
history.jsonl, history.csv, config.json, and at the end predictions.csv and metrics.json with intervals.

Examples:
  denofold finetune --demo
  denofold finetune --data table.csv --structures pdbs/ --weights finetuning_ptm_2.pt --strategy lora --lora-rank 8 --output runs/lora
  denofold finetune --data table.csv --features features/ --weights model_1_ptm.pt --strategy auto --split identity --output runs/x
  denofold finetune --config recipe.yaml --epochs 5 --output runs/y
  denofold finetune --resume runs/x`;

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
  program.command("finetune")
    .description("fine-tune AlphaFold 2 for affinities or other labels of proteins: head, LoRA, partial or full")
    .option("--config <recipe>", "YAML or JSON file with flags; those of the command line count more")
    .optionsGroup("Input:")
    .option("--data <table>", "table with names and labels")
    .option("--features <dir>", "feature files of prep")
    .option("--structures <paths...>", "structures named after the rows")
    .addOption(new Option("--pdbs <paths...>", "the same as --structures").hideHelp())
    .option("--msas <paths...>", "alignments named after the rows")
    .option("--label <column>", "column with the labels (default: affinity, label, value, y, …)")
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
    .option("--rslora", "alpha counts by the root of the rank")
    .option("--dora", "magnitudes of rows are trained apart")
    .option("--unfreeze-blocks <n>", "last blocks that partial trains", positiveInteger, 4)
    .option("--unfreeze-structure-module", "partial trains the structure module too")
    .option("--lr <rate>", "learning rate (default: lora 1e-4, head_only 1e-3, partial and full 1e-5)", positiveNumber)
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
    .optionsGroup("Training:")
    .addOption(
      new Option("--loss <name>", "pearson and ranking need batches of several").choices(REGRESSION_LOSSES).default(
        "mse",
      ),
    )
    .option("--epochs <n>", "passes over the training set", positiveInteger, fit.epochs)
    .option("--batch-size <n>", "samples whose loss is taken together", positiveInteger, fit.batchSize)
    .option("--accum <n>", "batches of a step", positiveInteger, fit.accumulate)
    .option("--warmup <n>", `steps until the full learning rate (default: ${fit.warmup}; demo 0)`, nonNegativeInteger)
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
    .option("--grad-clip <norm>", "largest norm of gradients; 0: any", nonNegativeNumber, fit.maxNorm)
    .option("--weight-decay <x>", "of AdamW", nonNegativeNumber, fit.weightDecay)
    .option(
      "--patience <epochs>",
      "ends after so many without a smaller validation loss; 0: never",
      nonNegativeInteger,
      0,
    )
    .option("--masked-msa-weight <x>", "of the loss of the alignment's hidden letters", nonNegativeNumber, 0)
    .option("--amp", "frozen weights and kept representations in 16 bits, sums in 32")
    .option("--bucket", "batches of like lengths, padded and run as one")
    .option("--network-dropout", "the network's own dropout is on")
    .option("--num-recycles <n>", "iterations of the network after the first", nonNegativeInteger, 0)
    .option("--max-msa <n>", "most rows in the main stack (default: the preset's)", positiveInteger)
    .option("--max-extra-msa <n>", "most rows in the extra stack (default: the preset's)", positiveInteger)
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
    .option("--resume <dir>", "go on with a run, with its own choices")
    .option("--dry-run", "make all ready, predict one sample, and stop")
    .addOption(deviceOption())
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
}

interface Flags {
  config?: string;
  data?: string;
  features?: string;
  structures?: string[];
  pdbs?: string[];
  msas?: string[];
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
  amp?: boolean;
  bucket?: boolean;
  networkDropout?: boolean;
  numRecycles: number;
  maxMsa?: number;
  maxExtraMsa?: number;
  seed: number;
  split: SplitBy;
  identity: number;
  val: number;
  test: number;
  cache?: string | boolean;
  output: string;
  saveEvery: number;
  resume?: string;
  dryRun?: boolean;
  device: string;
  json?: boolean;
}

function names(value: string): string[] {
  const found = value.split(/,(?![^{]*\})/).map((name) => name.trim());
  if (found.some((name) => !name)) throw new InvalidArgumentError("Expected names with commas between them.");
  return found;
}

async function run({ config }: Flags, command: Command): Promise<void> {
  if (config !== undefined) await applyRecipe(command, config, RECIPE);
  const flags = command.opts<Flags>();
  const { options, given } = await runOf(flags);
  const { adapter, notes } = await ensureAdapter({ device: flags.device, install: true });
  const device = await openDevice(adapter, { long: true });
  const say = (text: string) => flags.json || console.log(text);
  for (const note of notes) console.error(`note: ${note}`);
  using interrupt = onInterrupt();
  let result: FinetuneResult;
  try {
    result = await finetune(device, options, {
      warn: (message) => console.error(`warning: ${message}`),
      plan({ model, strategy, sets, parameters, reason }, groups, totalSteps) {
        const count = (n: number) => n.toLocaleString("en-US");
        const { train, validation, test } = sets;
        if (flags.demo) {
          say(`Demo mode: ${train.length} train / ${validation.length} val (synthetic, seq_len=${DEMO_RESIDUES})`);
        } else say(`Data: ${train.length} train / ${validation.length} val / ${test.length} test`);
        say(`Model: ${model.preset} (${count(parameters)} params), ${model.weights}`);
        if (reason) say(`Strategy by ${reason}`);
        const main = groups.find(({ name }) => name !== "head") ?? groups[0];
        say(`Strategy: ${strategy.name} (lr=${main.learningRate.toExponential(1)})`);
        const many = groups.length > 6 ? [...groups.slice(0, 2), ...groups.slice(-3)] : groups;
        for (const { name, learningRate, parameters } of many) {
          say(`  ${name.padEnd(17)} ${count(parameters).padStart(12)} params at ${learningRate.toPrecision(3)}`);
        }
        say(`\nTraining for ${options.fit.epochs} epochs, ${totalSteps} steps...`);
      },
      step({ skipped, losses }, names) {
        if (!skipped) return;
        const bad = losses.flatMap((loss, i) => (Number.isFinite(loss) ? [] : names[i]));
        console.error(`warning: a step was skipped, its ${bad.length ? `loss of ${bad}` : "gradient"} is not finite`);
      },
      epoch({ epoch, trainLoss, validationLoss, learningRates }, best) {
        const number = (x: number | null) => x === null ? "none" : x.toPrecision(4);
        const rate = Math.max(...Object.values(learningRates));
        say(
          `  epoch ${String(epoch).padStart(3)}  train_loss=${number(trainLoss)}  val_loss=${
            number(validationLoss)
          }  ` +
            `lr=${rate.toExponential(2)}${best ? "  best" : ""}`,
        );
      },
      stop: () => interrupt.poll(),
    }, { resume: flags.resume !== undefined, dryRun: flags.dryRun, given });
  } finally {
    device.close();
  }
  if (flags.json) return console.log(JSON.stringify(result, undefined, 2));
  say(textOf(result, options));
  if (result.end === "stopped") Deno.exitCode = EXIT.interrupted;
}

function textOf({ end, metrics, best, files }: FinetuneResult, { output }: FinetuneOptions): string {
  if (end === "planned") return "Nothing was trained: --dry-run";
  if (end === "stopped") return `Stopped; \`denofold finetune --resume ${output}\` goes on`;
  // Of one label, or of equal ones, there is no correlation.
  const shown = (x: number, digits = 3) => Number.isNaN(x) ? "–" : x.toFixed(digits);
  const interval = ([low, high]: readonly [number, number]) =>
    Number.isNaN(low + high) ? "" : ` (${shown(low, 2)} to ${shown(high, 2)})`;
  const lines = Object.entries(metrics).map(([name, { n, pearson, spearman, rmse, mae, r2, intervals }]) =>
    `  ${name.padEnd(10)} ${TASK}: n=${n} pearson=${shown(pearson)}${interval(intervals.pearson)} ` +
    `spearman=${shown(spearman)} rmse=${shown(rmse)} mae=${shown(mae)} r2=${shown(r2)}`
  );
  const which = best ? `Best epoch ${best.epoch}` : "Last epoch";
  return [`${which}${end === "patience" ? ", ended early" : ""}:`, ...lines, "Files:", ...files.map((f) => `  ${f}`)]
    .join("\n");
}

/** The run that flags mean. */
async function runOf(flags: Flags): Promise<{ options: FinetuneOptions; given?: GivenSets }> {
  if (flags.resume !== undefined) {
    const { facts: { options } } = await readCheckpoint(flags.resume, "last");
    if (!options.data) throw new UsageError("A demo is not gone on with: begin it anew");
    return { options: { ...options, output: flags.resume } };
  }
  const { data, weights, demo } = flags;
  if (!demo && data === undefined) throw new UsageError("--data is missing: a table with names and labels, or --demo");
  if (!demo && weights === undefined) {
    throw new UsageError("--weights are missing: a file, a folder, or random:SEED for a network without meaning");
  }
  const given = demo ? await demoSets(flags.seed, weights) : undefined;
  const lora: LoraOptions = {
    ...(flags.loraRank !== undefined && { rank: flags.loraRank }),
    ...(flags.loraAlpha !== undefined && { alpha: flags.loraAlpha }),
    ...(flags.loraTargets && { targets: flags.loraTargets }),
    ...(flags.rslora && { rankStabilized: true }),
    ...(flags.dora && { magnitudes: true }),
  };
  const options: FinetuneOptions = {
    ...FINETUNE_DEFAULTS,
    ...{ data: data ?? "", features: flags.features, msas: flags.msas ?? [], label: flags.label, unit: flags.unit },
    ...{ structures: [...flags.structures ?? [], ...flags.pdbs ?? []], bounds: flags.bounds, lora },
    ...{ structureInput: flags.structureInput, weights: weights ?? `random:${flags.seed}`, preset: flags.model },
    ...{ sizes: given?.sizes ?? await sizesOf(flags.sizes), strategy: flags.strategy, loss: flags.loss },
    ...{ unfreezeBlocks: demo ? Math.min(flags.unfreezeBlocks, 2) : flags.unfreezeBlocks, hidden: flags.hidden },
    unfreezeStructureModule: flags.unfreezeStructureModule ?? false,
    ...{ learningRate: flags.lr, headLearningRate: flags.lrHead, headInput: flags.headInput, pooling: flags.pooling },
    ...{ embedderLearningRate: flags.lrEmbedder, structureLearningRate: flags.lrStructureModule },
    ...{ layerDecay: flags.layerLrDecay, maskedMsaWeight: flags.maskedMsaWeight },
    cache: flags.cache === true ? undefined : flags.cache,
    ...{ pairFusion: flags.pairFusion ?? false, headDropout: flags.headDropout, split: flags.split },
    ...{ identity: flags.identity, validation: flags.val, test: flags.test, recycles: flags.numRecycles },
    ...{ maxMsa: flags.maxMsa, maxExtraMsa: flags.maxExtraMsa, output: flags.output, saveEvery: flags.saveEvery },
    fit: {
      ...FIT_DEFAULTS,
      ...{ epochs: flags.epochs, batchSize: flags.batchSize, accumulate: flags.accum, schedule: flags.schedule },
      ...{ warmup: flags.warmup ?? (demo ? 0 : FIT_DEFAULTS.warmup), maxNorm: flags.gradClip, seed: flags.seed },
      ...{ weightDecay: flags.weightDecay, emaDecay: flags.ema, patience: flags.patience },
      ...{ adapterDropout: flags.loraDropout, networkDropout: flags.networkDropout ?? false },
      ...{ amp: flags.amp ?? false, bucket: flags.bucket ?? false },
    },
  };
  return { options, ...(given && { given }) };
}

async function sizesOf(path: string | undefined): Promise<AlphaFoldChoices> {
  if (path === undefined) return {};
  const text = new TextDecoder().decode(await readFileBytes(path));
  try {
    const value = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // told below
  }
  throw new InputError(`${path} is no JSON object with sizes of the network`);
}
