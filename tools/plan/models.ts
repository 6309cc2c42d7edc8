/** What can be planned, by the names of the command line. */
import { UsageError } from "../errors.ts";
import { type Workload, WORKLOADS, type WorkloadValues } from "../profile/workloads/mod.ts";

/** Sizes and choices of a plan; what is not given has the model's own value. */
export type PlanSizes = {
  /** Residues. */
  nRes?: number;
  /** Sequences. */
  nSeq?: number;
  /** Sequences of the extra stack. */
  nExtra?: number;
  /** Templates. */
  nTemplates?: number;
  /** Which of the published models. */
  preset?: string;
  /** Blocks. */
  blocks?: number;
  /** Samples at once. */
  batch?: number;
  /** Channels of the MSA representation. */
  cM?: number;
  /** Channels of the pair representation. */
  cZ?: number;
  /** What the way back computes again instead of keeping it. */
  recompute?: string;
  /** How modules keep what they need on the way, `f32` or `f16`. */
  storage?: string;
};

/** A model, as the workloads that `denofold profile` runs know it. */
interface PlannedModel {
  /** Workload of a forward pass, and of a step of training. */
  readonly forward: string;
  readonly train: string;
  /** Values that differ from the workloads'. */
  readonly defaults: WorkloadValues;
  /** The workloads' flags for the sizes it has. */
  readonly flags: Readonly<{ [K in keyof PlanSizes]: string }>;
}

const FLAGS = { nRes: "n-res", nSeq: "n-seq", batch: "batch", storage: "storage" } as const;

/** The models. */
const MODELS: Readonly<Record<string, PlannedModel>> = {
  alphafold: {
    forward: "alphafold",
    train: "alphafold",
    defaults: { blocks: 48 },
    flags: {
      ...FLAGS,
      ...{ nExtra: "n-extra", nTemplates: "n-templates", preset: "preset" },
      ...{ blocks: "blocks", recompute: "recompute" },
    },
  },
  evoformer: {
    forward: "evoformer",
    train: "evoformer",
    defaults: { blocks: 48 },
    flags: { ...FLAGS, blocks: "blocks", cM: "c-m", cZ: "c-z", recompute: "recompute" },
  },
  tiny: {
    forward: "tiny",
    train: "train-step",
    defaults: {},
    flags: { ...FLAGS, blocks: "blocks", cM: "msa-dim", cZ: "pair-dim" },
  },
  nnx: { forward: "nnx", train: "nnx-train-step", defaults: {}, flags: { ...FLAGS, cM: "c-m", cZ: "c-z" } },
};

/** Names of the models. */
export const MODEL_NAMES: readonly string[] = Object.keys(MODELS);

/** A workload with its values. */
export interface PlannedWorkload {
  /** Its name. */
  readonly name: string;
  /** What runs. */
  readonly workload: Workload;
  /** Its sizes and choices. */
  readonly values: WorkloadValues;
}

/**
 * The workload of a model, as `denofold profile` measures it.
 *
 * @param train A whole step of training instead of a forward pass.
 * @throws {UsageError} If the model has no such size or choice.
 */
export function plannedWorkload(model: string, sizes: PlanSizes, train: boolean): PlannedWorkload {
  const { forward, train: training, defaults, flags } = MODELS[model];
  const name = train ? training : forward;
  const workload = WORKLOADS[name];
  const known = new Set(workload.flags.map((flag) => flag.name));
  const values: Record<string, number | string | boolean> = {
    ...Object.fromEntries(workload.flags.map((flag) => [flag.name, flag.value])),
    ...defaults,
    ...(known.has("train") && { train }),
  };
  for (const [size, value] of Object.entries(sizes) as [keyof PlanSizes, number | string | undefined][]) {
    if (value === undefined) continue;
    const flag = flags[size];
    if (flag === undefined || !known.has(flag)) {
      throw new UsageError(`--${kebabCase(size)} does not go with --model ${model}${train ? " --train" : ""}`);
    }
    values[flag] = value;
  }
  return { name, workload, values };
}

/** The workload's name of a size, `n-res` of residues. */
export function flagOf(model: string, size: keyof PlanSizes): string | undefined {
  return MODELS[model].flags[size];
}

function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
