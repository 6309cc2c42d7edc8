/** Everything that decides the numbers of a training run; a checkpoint keeps it, so that a run can go on. */
import type { ScheduleKind } from "../../finetune/mod.ts";
import { type TinyOpenFoldConfig, tinyOpenFoldConfig } from "../../model/tiny_openfold/mod.ts";
import type { Trunk2021Config } from "../../model/trunk2021/mod.ts";
import { InputError } from "../errors.ts";
import { TINY_OPENFOLD } from "../fold/predict.ts";

/** The name in checkpoints of the Flax notebook's Evoformer block. */
export const NNX_EVOFORMER = "nnx-evoformer";

/** The name in checkpoints of the trunk of 2021. */
export const TRUNK_2021 = "trunk2021";

/** Sizes of every model. */
interface CommonSettings {
  /** Which network, by its name in checkpoints. */
  readonly network: string;
  /** Most sequences of an alignment that go into one sample. */
  readonly numSeqs: number;
  /** Most residues. */
  readonly seqLen: number;
}

interface EvoformerSizes {
  /** Channels of the MSA representation. */
  readonly msaDim: number;
  /** Channels of the pair representation. */
  readonly pairDim: number;
  /** Evoformer blocks. */
  readonly numBlocks: number;
}

/** The choices of the trunk of 2021 that are not of data. */
type TrunkSizes = Omit<Trunk2021Config, "numTokens" | "numEmbedds" | "distogramBuckets" | "quirks">;

/** Sizes of a model, under the names of the command line's flags; a network has those of its kind, and all of them. */
export type ModelSettings = CommonSettings & Partial<EvoformerSizes> & Partial<TrunkSizes>;

/** Sizes of an Evoformer. */
export type EvoformerSettings = CommonSettings & EvoformerSizes;

/** Sizes and choices of the trunk of 2021. */
export type Trunk2021Settings = CommonSettings & TrunkSizes;

/** How the model is trained. */
export interface TrainingSettings {
  /** Steps that are recorded. */
  readonly numSteps: number;
  /** Samples a batch. */
  readonly batchSize: number;
  /** Batches whose gradients make a step together, by their mean. */
  readonly accumulate: number;
  /** Base learning rate of Adam or AdamW. */
  readonly learningRate: number;
  /** Decoupled weight decay of AdamW. */
  readonly weightDecay: number;
  /** How the learning rate goes on after its warm-up. */
  readonly schedule: ScheduleKind;
  /** Steps over which the learning rate rises. */
  readonly lrWarmupSteps: number;
  /** Global norm to which gradients are clipped; null: no clipping. */
  readonly maxNorm: number | null;
  /** Decay of the moving average of the parameters; null: none is kept. */
  readonly ema: number | null;
  /** Most residues that each sample loses at random at either end; null: none. */
  readonly cropEnds: number | null;
  /** Seed of everything random. */
  readonly seed: number;
  /** Steps between two measurements of the watched loss; null: 15 in a run. */
  readonly validationEvery?: number | null;
  /** Measurements without a lower watched loss after which the run ends; null: it goes on. */
  readonly patience?: number | null;
}

/** Which of the data are learnt from. */
export interface DataChoice {
  /** File with the names to learn from; null: all that are not kept out. */
  readonly list?: string | null;
  /** File with the names whose loss is watched; null: none. */
  readonly validation?: string | null;
  /** Whether what cannot be learnt from is left out; else it is an error. */
  readonly skipBad?: boolean;
}

/** What the model learns from. */
export type DataSettings =
  | {
    /** Noise, as the reference recipe or the notebook draws it. */
    readonly kind: "synthetic";
  }
  | DataChoice & {
    /** Structures of families and their alignments. */
    readonly kind: "structures";
    /** Files and folders, `FILE:CHAIN` for a chain of several. */
    readonly structures: readonly string[];
    /** Alignment with a row for each structure, or a folder of alignments; null: none, for networks that do without. */
    readonly msa: string | null;
    /** Names of the structures that are kept out. */
    readonly holdOut: readonly string[];
  }
  | DataChoice & {
    /** Feature files of targets with structures. */
    readonly kind: "features";
    /** Folder that `denofold prep` wrote. */
    readonly folder: string;
    /** Names of the targets that are kept out and predicted at the end. @default none */
    readonly holdOut?: readonly string[];
  };

/** A value of a choice that one network alone has. */
export type OwnValue = number | string | boolean | null;

/** Choices that one network alone has, by their names; those of AlphaFold's training, say. */
export type OwnSettings = Readonly<Record<string, OwnValue>>;

/** Model, training and data together. */
export interface TrainSettings<M extends ModelSettings = ModelSettings> {
  /** Sizes of the model. */
  readonly model: M;
  /** How it is trained. */
  readonly training: TrainingSettings;
  /** What it learns from. */
  readonly data: DataSettings;
  /** Choices that the network alone has. @default it has none */
  readonly own?: OwnSettings;
}

/** Sizes of the reference recipe. */
export const DEFAULT_MODEL: EvoformerSettings = {
  network: TINY_OPENFOLD,
  msaDim: 64,
  pairDim: 128,
  numBlocks: 4,
  numSeqs: 16,
  seqLen: 64,
};

/** Training of the reference recipe. */
export const DEFAULT_TRAINING: TrainingSettings = {
  numSteps: 50,
  batchSize: 4,
  accumulate: 1,
  learningRate: 3e-4,
  weightDecay: 0.01,
  schedule: "constant",
  lrWarmupSteps: 0,
  maxNorm: null,
  ema: null,
  cropEnds: null,
  seed: 42,
  validationEvery: null,
  patience: null,
};

/** Sizes of the Flax notebook. */
export const NNX_MODEL: EvoformerSettings = {
  network: NNX_EVOFORMER,
  msaDim: 32,
  pairDim: 30,
  numBlocks: 1,
  numSeqs: 50,
  seqLen: 100,
};

/** Training of the Flax notebook, with Adam. */
export const NNX_TRAINING: TrainingSettings = {
  ...DEFAULT_TRAINING,
  numSteps: 3,
  batchSize: 2,
  learningRate: 1e-3,
  weightDecay: 0,
  seed: 0,
};

/** The first example of the trunk's documentation. */
export const TRUNK_2021_MODEL: Trunk2021Settings = {
  network: TRUNK_2021,
  numSeqs: 5,
  seqLen: 128,
  dim: 256,
  depth: 2,
  heads: 8,
  dimHead: 64,
  maxSeqLen: 2048,
  maxNumMsa: 20,
  reversible: false,
  sparseSelfAttn: false,
  sparseCrossAttn: false,
  crossAttnCompressRatio: 1,
  interMsaSelfAttn: true,
};

/** The trunk's training script, with Adam: one sample a batch, 16 batches a step. */
export const TRUNK_2021_TRAINING: TrainingSettings = {
  ...DEFAULT_TRAINING,
  batchSize: 1,
  accumulate: 16,
  learningRate: 3e-4,
  weightDecay: 0,
};

/** Sizes of the model of the demo. */
export const DEMO_MODEL: EvoformerSettings = { ...DEFAULT_MODEL, msaDim: 32, pairDim: 64, numBlocks: 2 };

/** Training of the demo. */
export const DEMO_TRAINING: TrainingSettings = {
  ...DEFAULT_TRAINING,
  numSteps: 320,
  batchSize: 2,
  learningRate: 3e-3,
  schedule: "cosine",
  lrWarmupSteps: 10,
  maxNorm: 1,
  cropEnds: 6,
};

/**
 * The small Evoformer's configuration.
 *
 * @throws {InputError} If sizes do not fit together.
 */
export function modelConfig({ msaDim, pairDim, numBlocks, numSeqs, seqLen }: EvoformerSettings): TinyOpenFoldConfig {
  try {
    return tinyOpenFoldConfig({ msaDim, pairDim, nBlocks: numBlocks, nSeqs: numSeqs, maxSeqLen: seqLen });
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(error.message);
    throw error;
  }
}

/** What the report of the demo says besides. */
export const DEMO_NOTE =
  "The demo's settings were chosen while looking at its results for 1znf and 1sp1; for a table over all 15 structures " +
  "run denofold train --demo --leave-one-out.";
