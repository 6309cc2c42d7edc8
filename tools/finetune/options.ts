/** Choices of a fine-tuning run: plain data, saved with it. */
import {
  FIT_DEFAULTS,
  type FitSettings,
  type HeadInput,
  type Pooling,
  type RegressionLoss,
} from "../../finetune/mod.ts";
import type { LoraOptions, StrategyName } from "../../finetune/mod.ts";
import type { AlphaFoldChoices, AlphaFoldPreset } from "../../model/alphafold/mod.ts";
import type { BoundsPolicy } from "../data/bounds.ts";
import type { SplitBy } from "../split/split.ts";
import type { TaskKind } from "./label_tasks.ts";

/** All choices of a run. */
export interface FinetuneOptions {
  /** Table with names and labels. */
  readonly data: string;
  /** Folder with feature files of `denofold prep`. @default features are made of structures and alignments */
  readonly features?: string;
  /** Files and folders of structures. */
  readonly structures: readonly string[];
  /** Files and folders of alignments. */
  readonly msas: readonly string[];
  /** What is learned: a kind for each column of labels, or one for all; and structures. */
  readonly tasks: readonly TaskKind[];
  /** Column with the labels, or several with commas between them. @default the usual names */
  readonly label?: string;
  /** By what the losses of the tasks count, in their order. @default 1 each */
  readonly taskWeights?: readonly number[];
  /** Unit of the labels, for people. */
  readonly unit: string;
  /** What becomes of labels that are bounds or estimates. */
  readonly bounds: BoundsPolicy;
  /** Whether each target's structure is a template of it. */
  readonly structureInput: "template" | "none";
  /** File, folder, or `random:SEED`. */
  readonly weights: string;
  /** Preset of the weights. @default the one that they fit */
  readonly preset?: AlphaFoldPreset;
  /** Other sizes than the preset's. */
  readonly sizes: AlphaFoldChoices;
  /** What is trained. */
  readonly strategy: StrategyName | "auto";
  /** Adapters. */
  readonly lora: LoraOptions;
  /** Last blocks that `partial` trains. */
  readonly unfreezeBlocks: number;
  /** Whether `partial` trains the structure module too. */
  readonly unfreezeStructureModule: boolean;
  /** Learning rate of what is trained of the network. @default by strategy */
  readonly learningRate?: number;
  /** Learning rate of the head. @default by strategy */
  readonly headLearningRate?: number;
  /** Learning rate of the input embedder in `full`. @default by strategy */
  readonly embedderLearningRate?: number;
  /** Learning rate of the structure module in `full`. @default by strategy */
  readonly structureLearningRate?: number;
  /** In `full`, the rate of a block is so many times that of the next. @default 0.95 */
  readonly layerDecay?: number;
  /** What the head reads. @default by strategy */
  readonly headInput?: HeadInput;
  /** How residues become a protein. */
  readonly pooling: Pooling;
  /** Whether the head reads the mean of the pair representation too. */
  readonly pairFusion: boolean;
  /** Hidden channels of the head. */
  readonly hidden: number;
  /** Dropout of the head. */
  readonly headDropout: number;
  /**
   * Whether heads read channels, and predict labels, in units of their deviation from their mean over the training set.
   *
   * @default where heads alone are trained
   */
  readonly standardize?: boolean;
  /** Loss of the predictions. */
  readonly loss: RegressionLoss;
  /** By what the loss of the alignment's hidden letters counts beside it. */
  readonly maskedMsaWeight: number;
  /** The loop. */
  readonly fit: FitSettings;
  /** How the sets are made. */
  readonly split: SplitBy;
  /** Identity from which sequences are related. */
  readonly identity: number;
  /** Part of the rows for validation. */
  readonly validation: number;
  /** Part of the rows for the test. */
  readonly test: number;
  /** Iterations of the network after the first. */
  readonly recycles: number;
  /** Most rows of the alignment in the main stack. @default the preset's */
  readonly maxMsa?: number;
  /** Most rows in the extra stack. @default the preset's */
  readonly maxExtraMsa?: number;
  /** Most residues of a protein in training, those of longer ones being drawn anew in each epoch. @default all */
  readonly crop?: number;
  /** Folder of known representations, which runs of heads alone may share; false: none. @default that of the run */
  readonly cache?: string | false;
  /** Folder of the run. */
  readonly output: string;
  /** Steps between checkpoints within an epoch; 0: at its end alone. */
  readonly saveEvery: number;
}

/** What is not given. */
export const FINETUNE_DEFAULTS = {
  ...{
    tasks: ["regression"],
    structures: [],
    msas: [],
    unit: "",
    bounds: "drop",
    structureInput: "none",
    sizes: {},
    strategy: "lora",
  },
  ...{ lora: {}, unfreezeBlocks: 4, unfreezeStructureModule: false, pooling: "mean", pairFusion: false, hidden: 128 },
  ...{
    headDropout: 0.1,
    loss: "mse",
    maskedMsaWeight: 0,
    fit: FIT_DEFAULTS,
    split: "random",
    identity: 0.3,
    validation: 0.1,
    test: 0.1,
  },
  ...{ recycles: 0, saveEvery: 0 },
} as const satisfies Partial<FinetuneOptions>;
