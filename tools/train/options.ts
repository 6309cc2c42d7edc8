/** From the flags that were given to the settings of a run. */
import { join } from "node:path";
import { InputError, UsageError } from "../errors.ts";
import {
  type DataSettings,
  DEFAULT_MODEL,
  DEFAULT_TRAINING,
  DEMO_MODEL,
  DEMO_TRAINING,
  modelConfig,
  type ModelSettings,
  NNX_EVOFORMER,
  NNX_MODEL,
  NNX_TRAINING,
  type TrainingSettings,
  type TrainSettings,
} from "./settings.ts";

/** Networks by the names that `--model` takes. */
export const NETWORKS: Readonly<Record<"tiny" | "nnx", ModelSettings["network"]>> = {
  tiny: DEFAULT_MODEL.network,
  nnx: NNX_EVOFORMER,
};

/** Flags that say what to do on which data. */
export interface RunFlags {
  /** Which network. */
  model?: keyof typeof NETWORKS;
  /** Files and folders. */
  structures?: string[];
  /** Their alignment. */
  msa?: string;
  /** Noise instead. */
  synthetic?: boolean;
  /** The built-in example instead, with small settings. */
  demo?: boolean;
  /** Structures to keep out. */
  holdOut?: string[];
  /** Each structure is kept out in turn. */
  leaveOneOut?: boolean;
  /** Three steps to see whether everything works. */
  validateSetup?: boolean;
  /** A run to go on with. */
  resume?: string;
}

/** Flags of the command as they were given; what was not given is undefined. */
export type TrainFlags =
  & RunFlags
  & Partial<Omit<ModelSettings, "network">>
  & { -readonly [Name in keyof TrainingSettings]?: NonNullable<TrainingSettings[Name]> };

/** Flags that a run cannot change when it goes on, as they stand in its settings. */
const FIXED: readonly (Exclude<keyof ModelSettings, "network"> | keyof TrainingSettings)[] = [
  "msaDim",
  "pairDim",
  "numBlocks",
  "numSeqs",
  "seqLen",
  "batchSize",
  "ema",
  "cropEnds",
  "seed",
];

/** Flags that say nothing to the notebook's network. */
const NOT_FOR_NNX: readonly (keyof TrainFlags)[] = [
  "structures",
  "msa",
  "holdOut",
  "leaveOneOut",
  "demo",
  "validateSetup",
  "numBlocks",
  "weightDecay",
  "cropEnds",
];

/** The structure that the demo holds out. */
export const DEMO_HOLD_OUT = "1znf";

/**
 * Checks that the flags fit together, whatever their values.
 *
 * @throws {UsageError} If they do not.
 */
export function checkFlags(flags: TrainFlags): void {
  const { structures, msa, synthetic, demo, holdOut, leaveOneOut, validateSetup, resume } = flags;
  if (flags.model === "nnx") checkNnxFlags(flags);
  const sources = [structures || msa ? "--structures" : "", synthetic ? "--synthetic" : "", demo ? "--demo" : ""]
    .filter((name) => name !== "");
  const both = (one: string, other: string) => {
    throw new UsageError(`${one} and ${other} exclude each other`);
  };
  if (sources.length > 1) both(sources[0], sources[1]);
  if (Boolean(structures) !== Boolean(msa)) {
    throw new UsageError(structures ? "--structures needs --msa FILE beside it" : "--msa needs --structures beside it");
  }
  if (holdOut && leaveOneOut) both("--hold-out", "--leave-one-out");
  if (validateSetup) {
    const other = holdOut ? "--hold-out" : leaveOneOut ? "--leave-one-out" : resume ? "--resume" : sources[0];
    if (other && other !== "--synthetic") both("--validate-setup", other);
    return;
  }
  if (resume && demo) both("--resume", "--demo");
  if (resume && leaveOneOut) both("--resume", "--leave-one-out");
  if (resume || flags.model === "nnx") return;
  if (sources.length === 0) {
    throw new UsageError("Nothing to train on: give --structures and --msa, or --synthetic, or --demo");
  }
  const structuresOnly = holdOut ? "--hold-out" : leaveOneOut ? "--leave-one-out" : flags.cropEnds ? "--crop-ends" : "";
  if (synthetic && structuresOnly) both("--synthetic", structuresOnly);
}

function checkNnxFlags(flags: TrainFlags): void {
  const name = NOT_FOR_NNX.find((name) => flags[name] !== undefined);
  if (name === undefined) return;
  throw new UsageError(
    `${flagOf(name)} does not apply to --model nnx: the notebook trains one block on noise with Adam`,
  );
}

/**
 * The settings of a run: what was given, else what the run that is gone on from had, else the demo's, else the defaults.
 *
 * @param examples Folder of the examples, for the demo.
 * @param saved Settings of the run that is gone on from.
 * @throws {InputError} If the run cannot be gone on with under these flags, or values do not fit together.
 * @throws {UsageError} If a flag says nothing to the network.
 */
export function resolveSettings(flags: TrainFlags, { examples, saved }: {
  examples?: string;
  saved?: TrainSettings;
}): TrainSettings {
  const base = saved ??
    (flags.demo
      ? { model: DEMO_MODEL, training: DEMO_TRAINING, data: demoData(examples ?? "examples") }
      : flags.model === "nnx"
      ? { model: NNX_MODEL, training: NNX_TRAINING, data: { kind: "synthetic" } as const }
      : { model: DEFAULT_MODEL, training: DEFAULT_TRAINING, data: { kind: "synthetic" } as const });
  if (base.model.network === NNX_EVOFORMER) checkNnxFlags(flags);
  const model = overlay(base.model, flags);
  const training = overlay(base.training, flags);
  if (saved) checkFixed(flags, saved);
  if (model.network !== NNX_EVOFORMER) modelConfig(model);
  return { model, training, data: dataOf(flags, base.data) };
}

function demoData(examples: string): DataSettings {
  const folder = join(examples, "zinc_fingers");
  return {
    kind: "structures",
    structures: [folder],
    msa: join(folder, "zinc_fingers.a3m"),
    holdOut: [DEMO_HOLD_OUT],
  };
}

function dataOf(flags: TrainFlags, base: DataSettings): DataSettings {
  const { structures, msa, synthetic, holdOut, leaveOneOut } = flags;
  if (synthetic) return { kind: "synthetic" };
  const data: DataSettings = structures && msa
    ? { kind: "structures", structures, msa, holdOut: base.kind === "structures" ? base.holdOut : [] }
    : base;
  if (data.kind === "synthetic") return data;
  return { ...data, holdOut: leaveOneOut ? [] : holdOut ?? data.holdOut };
}

/** Values of `base`, those of the same names in `flags` put over them. */
function overlay<T extends object>(base: T, flags: TrainFlags): T {
  const names = Object.keys(base) as (keyof T & keyof TrainFlags)[];
  const given = names.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]);
  return { ...base, ...Object.fromEntries(given) };
}

function checkFixed(flags: TrainFlags, { model, training }: TrainSettings): void {
  const had: Readonly<Record<string, unknown>> = { ...model, ...training };
  if (flags.model && NETWORKS[flags.model] !== model.network) {
    throw new InputError(
      `Cannot resume from ${flags.resume} with --model ${flags.model}: the run is one of ${model.network}`,
    );
  }
  for (const name of FIXED) {
    const given = flags[name];
    if (given === undefined || given === had[name]) continue;
    const flag = flagOf(name);
    const before = had[name] === null ? `without ${flag}` : `with ${flag} ${had[name]}`;
    throw new InputError(`Cannot resume from ${flags.resume} with ${flag} ${given}: the run was started ${before}`);
  }
}

function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
