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
  type TrainingSettings,
  type TrainSettings,
} from "./settings.ts";

/** Flags that say what to do on which data. */
export interface RunFlags {
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
  & Partial<ModelSettings>
  & { -readonly [Name in keyof TrainingSettings]?: NonNullable<TrainingSettings[Name]> };

/** Flags that a run cannot change when it goes on, as they stand in its settings. */
const FIXED: readonly (keyof ModelSettings | keyof TrainingSettings)[] = [
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

/** The structure that the demo holds out. */
export const DEMO_HOLD_OUT = "1znf";

/**
 * Checks that the flags fit together, whatever their values.
 *
 * @throws {UsageError} If they do not.
 */
export function checkFlags(flags: TrainFlags): void {
  const { structures, msa, synthetic, demo, holdOut, leaveOneOut, validateSetup, resume } = flags;
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
  if (resume) return;
  if (sources.length === 0) {
    throw new UsageError("Nothing to train on: give --structures and --msa, or --synthetic, or --demo");
  }
  const structuresOnly = holdOut ? "--hold-out" : leaveOneOut ? "--leave-one-out" : flags.cropEnds ? "--crop-ends" : "";
  if (synthetic && structuresOnly) both("--synthetic", structuresOnly);
}

/**
 * The settings of a run: what was given, else what the run that is gone on from had, else the demo's, else the defaults.
 *
 * @param examples Folder of the examples, for the demo.
 * @param saved Settings of the run that is gone on from.
 * @throws {InputError} If the run cannot be gone on with under these flags, or values do not fit together.
 */
export function resolveSettings(flags: TrainFlags, { examples, saved }: {
  examples?: string;
  saved?: TrainSettings;
}): TrainSettings {
  const base = saved ??
    (flags.demo
      ? { model: DEMO_MODEL, training: DEMO_TRAINING, data: demoData(examples ?? "examples") }
      : { model: DEFAULT_MODEL, training: DEFAULT_TRAINING, data: { kind: "synthetic" } as const });
  const model = overlay(base.model, flags);
  const training = overlay(base.training, flags);
  if (saved) checkFixed(flags, saved);
  modelConfig(model);
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
  for (const name of FIXED) {
    const given = flags[name];
    if (given === undefined || given === had[name]) continue;
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const before = had[name] === null ? `without ${flag}` : `with ${flag} ${had[name]}`;
    throw new InputError(`Cannot resume from ${flags.resume} with ${flag} ${given}: the run was started ${before}`);
  }
}
