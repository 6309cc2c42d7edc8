/** What can be measured, by the names of the command line. */
import type { Device } from "../../../core/mod.ts";
import type { Torch } from "../peers.ts";
import type { Measurement } from "../record.ts";
import { data } from "./data.ts";
import { matmul } from "./matmul.ts";
import { mds } from "./mds.ts";
import { readback } from "./readback.ts";
import { tinyTrain } from "./tiny_train.ts";

/** What a workload works with. */
export interface BenchContext {
  readonly device: Device;
  /** The peer, if it is there and wished for. */
  readonly torch: Torch | null;
  /** How many times we and the peer take turns. */
  readonly rounds: number;
}

/** Measures; tells each measurement as soon as it is made. */
export type Workload = (context: BenchContext) => AsyncIterable<Measurement>;

/** All workloads, in the order in which they run. */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
  "matmul": matmul,
  "tiny-train": tinyTrain,
  "readback": readback,
  "mds": mds,
  "data": data,
};
