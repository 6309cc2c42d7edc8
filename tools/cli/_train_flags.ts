/** The flags of `denofold train`. */
import type { Precision } from "../../core/mod.ts";
import { type Command, InvalidArgumentError, Option } from "commander";
import { resolve } from "node:path";
import type { Fusion } from "../../ops/mod.ts";
import { TRAINABLE } from "../networks/mod.ts";
import type { OwnOption } from "../train/network.ts";
import { DEFAULT_NETWORK, flagOf, type TrainFlags } from "../train/options.ts";
import {
  DEMO_MODEL,
  DEMO_TRAINING,
  type ModelSettings,
  type OwnSettings,
  type OwnValue,
  type TrainingSettings,
} from "../train/settings.ts";
import { overwriteOption } from "./_folder.ts";
import type { RecipeNames } from "./_recipe.ts";
import { aliasedOption, networkSizeOption } from "./_sizes.ts";
import { fusionOption } from "./_fusion.ts";
import {
  deviceOption,
  nonNegativeInteger,
  nonNegativeNumber,
  numberBetween,
  positiveInteger,
  positiveNumber,
  precisionOption,
} from "./_shared.ts";
import { addStepProfileOptions, numericsOption, type StepProfileFlags } from "./_profile_flags.ts";

const OTHERS = Object.keys(TRAINABLE).filter((name) => name !== DEFAULT_NETWORK);
const T = TRAINABLE[DEFAULT_NETWORK].training;

/** Says a flag's defaults for the networks that heed it. */
function defaults(flag: keyof ModelSettings | keyof TrainingSettings): string {
  const valueOf = (name: string) => ({ ...TRAINABLE[name].model, ...TRAINABLE[name].training })[flag];
  const heeded = Object.keys(TRAINABLE).filter((name) =>
    valueOf(name) !== undefined && !TRAINABLE[name].unused?.flags.some((unused) => unused === flag)
  );
  const values = heeded.map((name) => name === DEFAULT_NETWORK ? `${valueOf(name)}` : `${name}: ${valueOf(name)}`);
  return `(default: ${values.join("; ")})`;
}

const HELP = `
Files in DIR: checkpoint.safetensors (to go on from, or to predict with), loss_history.csv, performance_summary.json;
recipe.json (all choices, which --config takes again), report.html; with --ema model.safetensors (the averaged parameters); with --validation best.safetensors (the parameters of the
lowest loss of these, to predict with); with held-out structures ID.cif, ID.pdb,
ID_distances.npy, ID_coordinates.npy and metrics.json; with --leave-one-out a folder for each structure, and leave_one_out.csv.

Structures and alignment belong together by name: each structure has a row with the name of its file or entry, or NAME_CHAIN,
whose residues are the chain's; ranges (/1-80), endings (.pdb) and capitals do not count, X fits every residue. FILE:CHAIN
picks a chain. In a folder of alignments, of several families, a structure belongs to the alignment whose file has its name
(the first row is then its own, if none has the name), else to the one with a row of its name. Distances are
those of C-beta atoms (C-alpha for glycine), up to 20 Å; those of residues that are none of the 20 amino acids (X) are not learnt.

--validate-setup makes three steps on noise and writes nothing. It prints "Validation successful! Environment ready." or
"Validation failed: ..."; in the latter case the exit code is 1 (it is 0 in the reference recipe).
Memory in the lines of the steps is the GPU memory allocated after the step, in MiB.

${
  OTHERS.flatMap((name) => TRAINABLE[name].help ? [`--model ${name} ${TRAINABLE[name].help}\n\n`] : []).join("")
}--demo is short for the built-in zinc fingers (15 structures) with --hold-out 1znf --msa-dim ${DEMO_MODEL.msaDim} --pair-dim ${DEMO_MODEL.pairDim}
--num-blocks ${DEMO_MODEL.numBlocks} --num-steps ${DEMO_TRAINING.numSteps} --batch-size ${DEMO_TRAINING.batchSize} --learning-rate ${DEMO_TRAINING.learningRate} --schedule ${DEMO_TRAINING.schedule}
--lr-warmup-steps ${DEMO_TRAINING.lrWarmupSteps} --max-norm ${DEMO_TRAINING.maxNorm} --crop-ends ${DEMO_TRAINING.cropEnds} --out demo; other flags go before these.

Examples:
  denofold train --demo
  denofold train --demo --hold-out 1sp1 --out demo_1sp1
  denofold train --demo --leave-one-out --out all_fingers
  denofold train --structures fingers/ --msa fingers.a3m --hold-out 1znf --num-steps 300 --out run
  denofold train --structures structures/ --msa alignments/ --validation val.txt --out families
  denofold train --features features/ --list split/train.csv --validation split/val.csv --patience 5 --out run
  denofold train --synthetic --num-steps 30 --out noise
  denofold train --resume run --num-steps 600${
  OTHERS.filter((name) => TRAINABLE[name].learnsNoise).map((name) =>
    `\n  denofold train --model ${name} --num-steps 8 --out ${name}`
  ).join("")
}`;

/** One flag, or one for each layer: yes, true or 1; no, false or 0. */
function layerFlags(value: string): boolean | boolean[] {
  const words = value.split(",").map((word) => word.trim().toLowerCase());
  const flags = words.map((word) => /^(1|true|yes|on)$/.test(word) || (/^(0|false|no|off)$/.test(word) ? false : null));
  if (flags.includes(null)) {
    throw new InvalidArgumentError("expected yes or no (1 or 0), or one for each layer with commas between");
  }
  return flags.length === 1 ? flags[0]! : flags as boolean[];
}

/** One flag. */
function yesOrNo(value: string): boolean {
  const flag = layerFlags(value);
  if (typeof flag === "boolean") return flag;
  throw new InvalidArgumentError("expected yes or no");
}

/** Gives the command its description, flags and help. */
export function addTrainFlags(command: Command): void {
  const collect = (value: string, before: string[] = []) => [...before, ...value.split(",")];
  command.description(
    `train a network: ${Object.values(TRAINABLE).map(({ description }) => description).join(", ")}; or run the demo`,
  )
    .option(
      "--config <recipe>",
      "YAML or JSON file with flags, such as recipe.json of a run; those of the command line count more",
    )
    .optionsGroup("Data:")
    .option("--structures <paths...>", "mmCIF or PDB files (FILE:CHAIN for one chain of several) and folders of them")
    .option(
      "--msa <path>",
      "their alignment: A3M, A2M, aligned FASTA, Stockholm or CLUSTAL (denofold align makes one); or a folder of alignments",
    )
    .option(
      "--features <dir>",
      "instead of these two: feature files that denofold prep made, of targets with structures",
    )
    .option("--list <file>", "names to learn from: a table, FASTA, or .txt with a name a line (default: all)")
    .option("--validation <file>", "names whose loss is watched and that are not learnt from, likewise")
    .option("--skip-bad", "leave out what cannot be learnt from, with a warning, instead of ending")
    .option(
      "--hold-out <id>",
      "a structure to keep out and to predict at the end; several with commas, or given several times",
      collect,
    )
    .option("--leave-one-out", "train once for every structure without it, predict it, and print the table")
    .option("--synthetic", "the reference recipe's noise, for timing and comparison")
    .option("--demo", "the built-in zinc fingers, one held out, with small settings")
    .optionsGroup("Model:")
    .addOption(
      new Option("--model <name>", `the network (default: ${DEFAULT_NETWORK})`)
        .choices(Object.keys(TRAINABLE)),
    )
    .addOption(networkSizeOption("c-m", "msaDim", `channels of the MSA representation ${defaults("msaDim")}`))
    .addOption(networkSizeOption("c-z", "pairDim", `channels of the pair representation ${defaults("pairDim")}`))
    .addOption(networkSizeOption("blocks", "numBlocks", `Evoformer blocks ${defaults("numBlocks")}`))
    .addOption(
      networkSizeOption("n-seq", "numSeqs", `most sequences of the alignment ${defaults("numSeqs")}`),
    )
    .addOption(networkSizeOption(
      "n-res",
      "seqLen",
      `most residues ${defaults("seqLen").replace(/\)$/, ", or the longest chain of the data)")}`,
    ))
    .option("--dim <n>", `channels of both representations ${defaults("dim")}`, positiveInteger)
    .option("--depth <n>", `layers ${defaults("depth")}`, positiveInteger)
    .option("--heads <n>", `heads of every attention ${defaults("heads")}`, positiveInteger)
    .option("--dim-head <n>", `channels of a head ${defaults("dimHead")}`, positiveInteger)
    .option("--max-seq-len <n>", `most positions of residues ${defaults("maxSeqLen")}`, positiveInteger)
    .option("--max-num-msa <n>", `most positions of rows of the MSA ${defaults("maxNumMsa")}`, positiveInteger)
    .option("--reversible", "compute activations again on the way back: memory does not grow with --depth")
    .option(
      "--sparse-self-attn [flags]",
      "block-sparse self attention in all layers, or one flag a layer, 1,0,1,0",
      layerFlags,
    )
    .option("--sparse-cross-attn [flags]", "the same of cross attention", layerFlags)
    .option(
      "--cross-attn-compress-ratio <n>",
      `keys of cross attention that are made one ${defaults("crossAttnCompressRatio")}`,
      positiveInteger,
    )
    .option(
      "--inter-msa-self-attn <yes|no>",
      `whether the MSA attends across its rows ${defaults("interMsaSelfAttn")}`,
      yesOrNo,
    )
    .optionsGroup("Training:")
    .option("--num-steps <n>", `recorded steps ${defaults("numSteps")}`, positiveInteger)
    .addOption(networkSizeOption("batch", "batchSize", `samples a step ${defaults("batchSize")}`))
    .addOption(
      aliasedOption(
        "--accum, --accumulate <n>",
        "accumulate",
        `batches whose gradients make a step together ${defaults("accumulate")}`,
      ).argParser(positiveInteger),
    )
    .addOption(
      aliasedOption(
        "--lr, --learning-rate <x>",
        "learningRate",
        `learning rate of Adam or AdamW ${defaults("learningRate")}`,
      ).argParser(positiveNumber),
    )
    .option("--weight-decay <x>", `weight decay of AdamW (default: ${T.weightDecay})`, nonNegativeNumber)
    .addOption(
      new Option("--schedule <kind>", `learning rate after its warm-up (default: ${T.schedule})`)
        .choices(["constant", "linear", "cosine"]),
    )
    .addOption(
      aliasedOption(
        "--warmup, --lr-warmup-steps <n>",
        "lrWarmupSteps",
        "steps over which the learning rate rises (default: 0)",
      ).argParser(nonNegativeInteger),
    )
    .addOption(
      aliasedOption(
        "--grad-clip, --max-norm <x>",
        "maxNorm",
        "clip gradients to this global norm (default: no clipping)",
      ).argParser(positiveNumber),
    )
    .option("--ema <decay>", "predict with a moving average of the parameters (default: none)", numberBetween(0, 1))
    .option(
      "--crop-ends <n>",
      "each sample loses 0 to this many residues at either end, at random (default: none)",
      nonNegativeInteger,
    )
    .option("--seed <n>", `seed of everything random ${defaults("seed")}`, nonNegativeInteger)
    .option(
      "--validation-every <n>",
      "steps between two measurements of the watched loss (default: 15 in a run)",
      positiveInteger,
    )
    .option("--patience <n>", "end early after this many measurements without a lower one", positiveInteger)
    .optionsGroup("Run:")
    .option("--out <dir>", "folder for the files (default: training, or training-2 where that holds a run, ...)")
    .addOption(overwriteOption())
    .option("--profile-dir <dir>", "folder for performance_summary.json (default: that of --out)")
    .option("--checkpoint-every <n>", "steps between checkpoints (default: 50)", positiveInteger)
    .option("--resume <dir>", "go on with the run in this folder, with its settings; --num-steps may raise the goal")
    .option("--dry-run", "say what would be trained on what, the memory and the time it takes, and write nothing")
    .option("--validate-setup", "three steps on noise, to see whether everything works")
    .addOption(deviceOption())
    .addOption(precisionOption())
    .addOption(fusionOption())
    .addOption(numericsOption())
    .option("--quiet", "no line for each step")
    .option("--json", "print one JSON object at the end instead of text")
    .addHelpText("after", HELP);
  addStepProfileOptions(command);
  const all = Object.entries(TRAINABLE);
  const ownersOf = (option: OwnOption) => all.filter(([, { own }]) => own?.includes(option)).map(([name]) => name);
  const shared = new Set(all.flatMap(([, { own = [] }]) => own).filter((option) => ownersOf(option).length > 1));
  command.optionsGroup("Training:");
  for (const option of shared) {
    const owners = ownersOf(option).join(" and ");
    command.addOption(ownOption({ ...option, description: `${option.description} (${owners})` }, undefined));
  }
  for (const [name, { own = [], defaultsFor, description }] of all) {
    const usual = defaultsFor?.({}).own ?? {};
    if (own.length > 0) command.optionsGroup(`Training of ${description} (--model ${name}):`);
    for (const option of own.filter((option) => !shared.has(option))) {
      command.addOption(ownOption(option, usual[option.name]));
    }
  }
}

/** A choice of one network as a flag. */
function ownOption({ name, value, description, parse, choices }: OwnOption, usual: OwnValue | undefined): Option {
  const isGiven = usual !== undefined && usual !== null;
  const option = new Option(
    value === undefined ? flagOf(name) : `${flagOf(name)} ${value}`,
    isGiven ? `${description} (default: ${usual})` : description,
  );
  if (choices) return option.choices(choices);
  return option.argParser((text: string) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof RangeError) throw new InvalidArgumentError(`Expected ${error.message}.`);
      throw error;
    }
  });
}

/** The choices of one network that were given, whichever it is. */
export function ownFlags(flags: object): OwnSettings | undefined {
  const given = flags as Readonly<Record<string, OwnValue | undefined>>;
  const known = Object.values(TRAINABLE).flatMap(({ own = [] }) => own);
  const found = known.flatMap(({ name, isPath }) => {
    const value = given[name];
    if (value === undefined) return [];
    return [[name, isPath && typeof value === "string" ? resolve(value) : value] as const];
  });
  return found.length > 0 ? Object.fromEntries(found) : undefined;
}

/** Keys of recipes: flags but those that say where and how. */
export const TRAIN_RECIPE: RecipeNames = {
  aliases: {},
  without: [
    ...["config", "out", "overwrite", "profile-dir", "checkpoint-every", "resume", "dry-run", "validate-setup"],
    ...["device", "quiet", "json", "demo", "leave-one-out"],
  ],
};

/** All flags of the command. */
export type TrainCommandFlags = TrainFlags & StepProfileFlags & {
  config?: string;
  out?: string;
  overwrite?: boolean;
  dryRun?: boolean;
  profileDir?: string;
  checkpointEvery?: number;
  checkNumerics?: boolean;
  device: string;
  precision: Precision;
  fusion: readonly Fusion[];
  quiet?: boolean;
  json?: boolean;
};
