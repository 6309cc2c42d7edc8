/** From the flags that were given to the settings of a run. */
import { join } from "node:path";
import { InputError, UsageError } from "../errors.ts";
import { TRAINABLE, trainableOf } from "../networks/mod.ts";
import type { AnyTrainable } from "./network.ts";
import {
  type DataChoice,
  type DataSettings,
  DEMO_MODEL,
  DEMO_TRAINING,
  type ModelSettings,
  type OwnSettings,
  type TrainingSettings,
  type TrainSettings,
} from "./settings.ts";

/** The network that is trained where none is named. */
export const DEFAULT_NETWORK: string = Object.keys(TRAINABLE)[0];

/** Flags that say what to do on which data. */
export interface RunFlags {
  /** Which network, one of {@linkcode TRAINABLE}. */
  model?: string;
  /** Files and folders. */
  structures?: string[];
  /** Their alignment, or a folder of alignments. */
  msa?: string;
  /** Folder of feature files, instead of these two. */
  features?: string;
  /** File with the names to learn from. */
  list?: string;
  /** File with the names whose loss is watched. */
  validation?: string;
  /** What cannot be learnt from is left out. */
  skipBad?: boolean;
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
  /** Choices that one network alone has, those that were given. */
  own?: OwnSettings;
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
  "dim",
  "depth",
  "heads",
  "dimHead",
  "maxSeqLen",
  "maxNumMsa",
  "reversible",
  "sparseSelfAttn",
  "sparseCrossAttn",
  "crossAttnCompressRatio",
  "interMsaSelfAttn",
  "batchSize",
  "accumulate",
  "ema",
  "cropEnds",
  "seed",
];

/** Sizes and choices that some network has. */
const MODEL_FLAGS = [...new Set(Object.values(TRAINABLE).flatMap(({ model }) => Object.keys(model)))]
  .filter((name) => name !== "network") as Exclude<keyof ModelSettings, "network">[];

/** Flags that choose among data. */
const CHOICE = ["list", "validation", "skipBad"] as const;

/** The structure that the demo holds out. */
export const DEMO_HOLD_OUT = "1znf";

/**
 * Checks that the flags fit together, whatever their values.
 *
 * @throws {UsageError} If they do not.
 */
export function checkFlags(flags: TrainFlags): void {
  const { structures, msa, synthetic, demo, holdOut, leaveOneOut, validateSetup, resume } = flags;
  const { learnsNoise, withoutMsa, holdsOutTargets } = checkUnused(flags, flags.model ?? DEFAULT_NETWORK);
  const sources = [
    structures || msa ? "--structures" : "",
    flags.features ? "--features" : "",
    synthetic ? "--synthetic" : "",
    demo ? "--demo" : "",
  ].filter((name) => name !== "");
  const both = (one: string, other: string) => {
    throw new UsageError(`${one} and ${other} exclude each other`);
  };
  if (sources.length > 1) both(sources[0], sources[1]);
  if (msa && !structures) throw new UsageError("--msa needs --structures beside it");
  if (structures && !msa) {
    const family = holdOut ? "--hold-out" : leaveOneOut ? "--leave-one-out" : "";
    if (!withoutMsa) throw new UsageError("--structures needs --msa FILE beside it");
    if (family) throw new UsageError(`${family} needs --msa FILE beside --structures, the alignment to predict from`);
  }
  if (holdOut && leaveOneOut) both("--hold-out", "--leave-one-out");
  if (validateSetup) {
    const other = holdOut ? "--hold-out" : leaveOneOut ? "--leave-one-out" : resume ? "--resume" : sources[0];
    if (other && other !== "--synthetic") both("--validate-setup", other);
    return;
  }
  if (resume && demo) both("--resume", "--demo");
  if (resume && leaveOneOut) both("--resume", "--leave-one-out");
  if (resume || learnsNoise) return;
  if (sources.length === 0) {
    throw new UsageError(
      "Nothing to train on: give --structures and --msa, or --features, or --synthetic, or --demo",
    );
  }
  const structuresOnly = holdOut ? "--hold-out" : leaveOneOut ? "--leave-one-out" : "";
  const choice = CHOICE.find((name) => flags[name] !== undefined);
  const dataOnly = structuresOnly || (choice ? flagOf(choice) : flags.cropEnds ? "--crop-ends" : "");
  if (synthetic && dataOnly) both("--synthetic", dataOnly);
  if (flags.features && structuresOnly && !holdsOutTargets) both("--features", structuresOnly);
  if (leaveOneOut && choice) both("--leave-one-out", flagOf(choice));
  for (const name of ["patience", "validationEvery"] as const) {
    if (
      flags[name] !== undefined && !flags.validation &&
      !(name === "validationEvery" && (holdOut || demo || leaveOneOut))
    ) {
      throw new UsageError(`${flagOf(name)} needs --validation FILE beside it`);
    }
  }
}

/**
 * Checks that all flags say something to a network.
 *
 * @param name As `--model` takes it.
 */
function checkUnused(flags: TrainFlags, name: string): AnyTrainable {
  const network = TRAINABLE[name];
  const foreign = MODEL_FLAGS.find((flag) => flags[flag] !== undefined && !(flag in network.model));
  if (foreign !== undefined) {
    const owners = Object.keys(TRAINABLE).filter((other) => foreign in TRAINABLE[other].model).join(" or ");
    throw new UsageError(`${flagOf(foreign)} does not apply to --model ${name}: it is a choice of ${owners}`);
  }
  const unused = network.unused?.flags.find((flag) => flags[flag] !== undefined);
  const others = Object.keys(flags.own ?? {}).find((name) => !network.own?.some((own) => own.name === name));
  if (others !== undefined) throw new UsageError(`${flagOf(others)} does not apply to --model ${name}`);
  if (unused === undefined) return network;
  throw new UsageError(`${flagOf(unused)} does not apply to --model ${name}: ${network.unused!.because}`);
}

/**
 * The settings of a run: what was given, else what the run that is gone on from had, else the demo's, else the defaults.
 *
 * @typeParam M What the model is known to have.
 * @param examples Folder of the examples, for the demo.
 * @param saved Settings of the run that is gone on from.
 * @throws {InputError} If the run cannot be gone on with under these flags, or values do not fit together.
 * @throws {UsageError} If a flag says nothing to the network.
 */
export function resolveSettings<M extends ModelSettings = ModelSettings>(flags: TrainFlags, { examples, saved }: {
  examples?: string;
  saved?: TrainSettings;
}): TrainSettings<M> {
  const base: TrainSettings = saved ??
    (flags.demo
      ? { model: DEMO_MODEL, training: DEMO_TRAINING, data: demoData(examples ?? "examples") }
      : { ...defaultsOf(flags.model ?? DEFAULT_NETWORK, flags.own), data: { kind: "synthetic" } as const });
  checkUnused(flags, nameOf(base.model));
  const model = overlay(base.model, flags);
  // A checkpoint of before some of the settings came has not all of them.
  const training = overlay({ ...trainableOf(base.model.network).training, ...base.training }, flags);
  if (saved) checkFixed(flags, saved);
  const own = base.own && { ...base.own, ...flags.own };
  trainableOf(model.network).network(model, own); // checks that sizes fit together
  return { model: model as M, training, data: dataOf(flags, base.data), ...(own && { own }) };
}

function defaultsOf(name: string, own: OwnSettings = {}): Pick<TrainSettings, "model" | "training" | "own"> {
  const { model, training, defaultsFor } = TRAINABLE[name];
  return defaultsFor?.(own) ?? { model, training };
}

/** The name that `--model` takes of a run's network. */
function nameOf({ network }: ModelSettings): string {
  return Object.keys(TRAINABLE).find((name) => TRAINABLE[name].model.network === network) ?? DEFAULT_NETWORK;
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
  const { structures, msa, features, synthetic, holdOut, leaveOneOut } = flags;
  if (synthetic) return { kind: "synthetic" };
  const before: DataChoice = base.kind === "synthetic" ? {} : base;
  const choice = {
    list: flags.list ?? before.list ?? null,
    validation: flags.validation ?? before.validation ?? null,
    skipBad: flags.skipBad ?? before.skipBad ?? false,
  };
  const kept = holdOut ?? (base.kind === "features" ? base.holdOut : undefined);
  if (features) return { kind: "features", folder: features, ...choice, ...(kept && { holdOut: kept }) };
  if (!structures && base.kind !== "structures") {
    return base.kind === "features" ? { ...base, ...choice, ...(kept && { holdOut: kept }) } : base;
  }
  const own = base.kind === "structures"
    ? base
    : { kind: "structures" as const, structures: [], msa: null, holdOut: [] };
  return {
    ...own,
    ...(structures ? { structures, msa: msa ?? null } : {}),
    ...choice,
    holdOut: leaveOneOut ? [] : holdOut ?? own.holdOut,
  };
}

/** Values of `base`, those of the same names in `flags` put over them. */
function overlay<T extends object>(base: T, flags: TrainFlags): T {
  const names = Object.keys(base) as (keyof T & keyof TrainFlags)[];
  const given = names.filter((name) => flags[name] !== undefined).map((name) => [name, flags[name]]);
  return { ...base, ...Object.fromEntries(given) };
}

function checkFixed(flags: TrainFlags, { model, training, own = {} }: TrainSettings): void {
  const had: Readonly<Record<string, unknown>> = { ...own, ...model, ...training };
  if (flags.model && TRAINABLE[flags.model].model.network !== model.network) {
    throw new InputError(
      `Cannot resume from ${flags.resume} with --model ${flags.model}: the run is one of ${model.network}`,
    );
  }
  const all = [...FIXED.map((name) => [name, flags[name]] as const), ...Object.entries(flags.own ?? {})];
  for (const [name, given] of all) {
    if (given === undefined || `${given}` === `${had[name]}`) continue;
    const flag = flagOf(name);
    const before = had[name] === null ? `without ${flag}` : `with ${flag} ${had[name]}`;
    throw new InputError(`Cannot resume from ${flags.resume} with ${flag} ${given}: the run was started ${before}`);
  }
}

/** The flag of a choice. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
