/** Networks as a training run sees them. */
import type { Device, Shape, Tensor, Tree } from "../../core/mod.ts";
import type { OptimizerOptions, Schedule } from "../../finetune/mod.ts";
import type { FloatType } from "../../ops/mod.ts";
import type { PredictionInput } from "../fold/predict.ts";
import type { BatchSource } from "./batches.ts";
import type { Example } from "./examples.ts";
import type { TrainFlags } from "./options.ts";
import type { FeatureFile } from "../prep/feature_file.ts";
import type { Prediction } from "../predict/prediction.ts";
import type { ModelSettings, OwnSettings, OwnValue, TrainingSettings, TrainSettings } from "./settings.ts";

/** What a training run must know of a network with parameters `P` that learns from batches `B`. */
export interface Network<P, B> {
  /** Its name in checkpoints. */
  readonly name: string;
  /** What it is, as the title of a report begins. */
  readonly title: string;
  /** Its sizes, as checkpoints keep them. */
  readonly config: object;
  /** Its sizes as `performance_summary.json` names them. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Its own sizes for the summary before a run, name and number. */
  readonly lines: readonly (readonly [name: string, value: string | number])[];
  /** The same in a few words, `4 Evoformer blocks, 64 MSA and 128 pair channels`. */
  readonly inWords: string;
  /** Number of its parameters. */
  readonly parameters: number;
  /** Lines about its parameters for the summary before a run. @default none */
  readonly notes?: readonly string[];
  /** What the loss is, with its unit. */
  readonly lossLabel: string;
  /** Kind of the optimizer. */
  readonly optimizer: OptimizerOptions["kind"];
  /** What else is particular to its training. @default nothing */
  readonly protocol?: TrainingProtocol;
  /** Fresh parameters, owned by the current scope. */
  init(device: Device, seed: number): P;
  /** Parameters from the numbers found by path, owned by the current scope. */
  load(device: Device, find: (path: string, shape: Shape) => ArrayLike<number>): P;
  /**
   * Puts a batch on the device, in the current scope, and gives its loss, a scalar, as a function of the parameters.
   *
   * @param report Is given the terms that the loss is made of, scalars of the scope that is current then. @default nobody is
   */
  lossOf(device: Device, batch: B, report?: (terms: Readonly<Record<string, Tensor>>) => void): (params: P) => Tensor;
  /**
   * Decides what the truth of a batch depends on the parameters for, before its loss: which of equal chains is which.
   * @default the truth depends on nothing
   */
  settle?(device: Device, params: P, batch: B): Promise<B>;
  /** The samples of a batch, with their names, where each has a gradient of its own. @default a batch has one gradient */
  samplesOf?(batch: B): readonly { readonly id: string; readonly batch: B }[];
  /** Measures of watched batches besides the loss, by their names in tables. @default none */
  measure?(device: Device, params: P, batch: B): Promise<Readonly<Record<string, number>>>;
  /** Distances of a chain in Å, `[N_res, N_res]`, of networks that learn from the structures of a family. */
  predictDistances?(device: Device, params: P, input: PredictionInput): Promise<Float32Array>;
  /** The structure of a target, of networks that learn from feature files to predict whole structures. */
  predictStructure?(device: Device, params: P, target: FeatureFile): Promise<Prediction>;
}

/** What is particular to the training of a network. */
export interface TrainingProtocol {
  /** Optimizer's choices besides those of the settings. */
  readonly optimizer?: Pick<OptimizerOptions, "betas" | "eps">;
  /** From when on the learning rate is multiplied by what. @default it never is */
  readonly drop?: Schedule["drop"];
  /** Whether gradients are clipped sample by sample, instead of their sum. @default false */
  readonly clipsSamples?: boolean;
  /** How checkpoints on the way back keep representations. @default "f32" */
  readonly activations?: FloatType;
  /** So many steps in a row that were skipped are an error. @default the trainer's */
  readonly maxSkipped?: number;
}

/** A choice that one network alone has, as a flag. */
export interface OwnOption {
  /** Its name in camel case; the flag is `--its-name`. */
  readonly name: string;
  /** What the command's help calls its value, `<n>`; none for a switch. */
  readonly value?: string;
  /** One line for the help; the default is put behind it. */
  readonly description: string;
  /** From the text of the command line. @throws {RangeError} If it is none; the message begins with what was expected. */
  readonly parse: (text: string) => OwnValue;
  /** The values that it may have. @default all that can be parsed */
  readonly choices?: readonly string[];
  /** Whether it names a file. @default false */
  readonly isPath?: boolean;
}

/** The parameters to start from, a choice of several networks. */
export const INIT_OPTION: OwnOption = {
  ...{ name: "init", value: "<file>", parse: (text) => text, isPath: true },
  description: "parameters to start from: published weights, a checkpoint (its average), or the folder of a run",
};

/** What a network is trained with where nothing is given. */
export interface TrainingDefaults<M extends ModelSettings = ModelSettings> {
  /** Sizes. */
  readonly model: M;
  /** Training. */
  readonly training: TrainingSettings;
  /** Choices that it alone has. @default none */
  readonly own?: OwnSettings;
}

/** A network and where its batches come from. */
export interface Learning<P, B> {
  /** What is trained. */
  readonly network: Network<P, B>;
  /** What it learns from. */
  readonly source: BatchSource<B>;
  /** Batches whose loss is watched. @default none */
  readonly watched?: readonly B[];
  /**
   * The cheapest and the dearest sample of a run, as batches: what is planned instead of the network's own workload.
   * @default that workload
   */
  readonly planned?: readonly [cheapest: B, dearest: B];
  /** What of the data is doubtful, a sentence each. @default nothing */
  readonly warnings?: readonly string[];
}

/** What a run is given beside its settings. */
export interface TrainData {
  /** What is learnt from. @default noise */
  readonly examples?: readonly Example[];
  /** What they are, in a few words. */
  readonly description?: string;
  /** What goes into the samples besides, for fingerprints. @default nothing */
  readonly identity?: readonly string[];
  /** Examples whose loss is watched. @default none */
  readonly watched?: readonly Example[];
  /** Told now and then the part of the data that is made, in [0, 1]; where that takes its time. */
  readonly onProgress?: (done: number) => void;
}

/** How `denofold train` trains a network; every network that it trains has one. */
export interface Trainable<P, B, M extends ModelSettings = ModelSettings> {
  /** Sizes where the user gives none; the network's name in checkpoints is among them. */
  readonly model: M;
  /** Training where the user chooses none. */
  readonly training: TrainingSettings;
  /** Choices that it alone has. @default none */
  readonly own?: readonly OwnOption[];
  /** The defaults where some of its own choices, a preset say, decide the others. @default `model` and `training` */
  defaultsFor?(own: OwnSettings): TrainingDefaults<M>;
  /** Whether chains longer than the most residues are cut by it; else they are refused. @default false */
  readonly cropsChains?: boolean;
  /** Whether targets of feature files can be held out and predicted at the end. @default false */
  readonly holdsOutTargets?: boolean;
  /** One line for the help. */
  readonly description: string;
  /** A paragraph for the help. @default none */
  readonly help?: string;
  /** Flags that say nothing to it, and why. @default none */
  readonly unused?: { readonly flags: readonly (keyof TrainFlags)[]; readonly because: string };
  /** Whether it learns from structures without an alignment too. @default false */
  readonly withoutMsa?: boolean;
  /** Whether it is trained on noise where no data are given; else they must be. @default false */
  readonly learnsNoise?: boolean;
  /** Shapes of the largest arrays of a batch of noise. */
  noiseShapes(settings: TrainSettings<M>): readonly Shape[];
  /** Its sizes as plans name them, besides those of the data. */
  planSizes(model: M): Readonly<Record<string, number | boolean>>;
  /**
   * The network of given sizes.
   *
   * @param own Choices that it alone has. @default its defaults
   * @throws {InputError} If sizes do not fit together.
   */
  network(model: M, own?: OwnSettings): Network<P, B>;
  /**
   * The network with the source of its batches.
   *
   * @throws {InputError} If sizes do not fit together, or data cannot be used.
   */
  open(settings: TrainSettings<M>, data: TrainData): Promise<Learning<P, B>>;
}

/** A trainable network of whose parameters and batches nobody else knows the kind. */
export type AnyTrainable = Trainable<Tree<Tensor>, unknown>;

/** Closes a network's types: its batches and parameters meet nobody but itself. */
export function trainable<P extends Tree<Tensor>, B, M extends ModelSettings>(
  network: Trainable<P, B, M>,
): AnyTrainable {
  return network as unknown as AnyTrainable;
}
