/** Networks as a training run sees them. */
import type { Device, Shape, Tensor } from "../../core/mod.ts";
import type { OptimizerOptions } from "../../finetune/mod.ts";
import type { BatchSource } from "./batches.ts";
import type { NetworkName } from "./settings.ts";

/** What a training run must know of a network with parameters `P` that learns from batches `B`. */
export interface Network<P, B> {
  /** Its name in checkpoints. */
  readonly name: NetworkName;
  /** Its sizes, as checkpoints keep them. */
  readonly config: object;
  /** Its sizes as `performance_summary.json` names them. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Number of its parameters. */
  readonly parameters: number;
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
}

/** A network and where its batches come from. */
export interface Learning<P, B> {
  /** What is trained. */
  readonly network: Network<P, B>;
  /** What it learns from. */
  readonly source: BatchSource<B>;
}
