/** Networks as a training run sees them. */
import type { Device, Shape, Tensor, Tree } from "../../core/mod.ts";
import type { OptimizerOptions } from "../../finetune/mod.ts";
import type { PredictionInput } from "../fold/predict.ts";
import type { BatchSource } from "./batches.ts";
import type { Example } from "./examples.ts";
import type { TrainFlags } from "./options.ts";
import type { ModelSettings, TrainingSettings, TrainSettings } from "./settings.ts";

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
  /** Fresh parameters, owned by the current scope. */
  init(device: Device, seed: number): P;
  /** Parameters from the numbers found by path, owned by the current scope. */
  load(device: Device, find: (path: string, shape: Shape) => ArrayLike<number>): P;
  /** Puts a batch on the device, in the current scope, and gives its loss, a scalar, as a function of the parameters. */
  lossOf(device: Device, batch: B): (params: P) => Tensor;
  /** Distances of a chain in Å, `[N_res, N_res]`, of networks that learn from the structures of a family. */
  predictDistances?(device: Device, params: P, input: PredictionInput): Promise<Float32Array>;
}

/** A network and where its batches come from. */
export interface Learning<P, B> {
  /** What is trained. */
  readonly network: Network<P, B>;
  /** What it learns from. */
  readonly source: BatchSource<B>;
  /** Batches whose loss is watched. @default none */
  readonly watched?: readonly B[];
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
   * @throws {InputError} If sizes do not fit together.
   */
  network(model: M): Network<P, B>;
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
