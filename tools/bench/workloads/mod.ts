/** What can be measured, by the names of the command line. */
import type { Device } from "../../../core/mod.ts";
import type { BlockPeer, BlockSize } from "../block_peers.ts";
import type { Torch } from "../peers.ts";
import type { Measurement } from "../record.ts";
import { alphafold } from "./alphafold.ts";
import { alphafoldStep } from "./alphafold_step.ts";
import { alphafoldOverfit } from "./alphafold_overfit.ts";
import { amp } from "./amp.ts";
import { coldStart } from "./cold_start.ts";
import { data } from "./data.ts";
import { evoformer } from "./evoformer.ts";
import { headOnly, lora, optimizer } from "./finetune.ts";
import { kernels } from "./kernels.ts";
import { loadWeights } from "./load_weights.ts";
import { matmul } from "./matmul.ts";
import { mds } from "./mds.ts";
import { multimer } from "./multimer.ts";
import { pairBlock } from "./pair_block.ts";
import { prep } from "./prep.ts";
import { readback } from "./readback.ts";
import { se3Transformer } from "./se3_transformer.ts";
import { structure } from "./structure.ts";
import { tinyTrain } from "./tiny_train.ts";
import { triangle } from "./triangle.ts";
import { trunk2021Bench } from "./trunk2021.ts";

/** What a workload works with. */
export interface BenchContext {
  readonly device: Device;
  /** The peer of products and training, if it is there and wished for. */
  readonly torch: Torch | null;
  /** The peers of blocks. */
  readonly peers: readonly BlockPeer[];
  /** How many times we and the peers take turns. */
  readonly rounds: number;
  /** Sizes of blocks' inputs. */
  readonly sizes: readonly BlockSize[];
  /** Tells what takes long. */
  note(line: string): void;
}

/** Measures; tells each measurement as soon as it is made. */
export type Workload = (context: BenchContext) => AsyncIterable<Measurement>;

/** Workloads of an hour or so, which run when they are named alone. */
export const LONG: ReadonlySet<string> = new Set(["alphafold-overfit"]);

/** All workloads, in the order in which they run. */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
  "matmul": matmul,
  "kernels": kernels,
  "evoformer": evoformer,
  "pair-block": pairBlock,
  "triangle": triangle,
  "structure": structure,
  "alphafold": alphafold,
  "multimer": multimer,
  "alphafold-step": alphafoldStep,
  "alphafold-overfit": alphafoldOverfit,
  "load-weights": loadWeights,
  "lora": lora,
  "optimizer": optimizer,
  "head-only": headOnly,
  "amp": amp,
  "cold-start": coldStart,
  "tiny-train": tinyTrain,
  "trunk2021": trunk2021Bench,
  "se3-transformer": se3Transformer,
  "readback": readback,
  "mds": mds,
  "data": data,
  "prep": prep,
};
