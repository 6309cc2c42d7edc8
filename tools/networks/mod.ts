/** The networks. A new one is a file and a line here; no command names one. */
import type { Workload } from "../profile/workloads/workload.ts";
import { alphafold } from "./alphafold.ts";
import { evoformer } from "./evoformer.ts";
import type { NetworkRow } from "./network_row.ts";
import { nnx } from "./nnx.ts";
import { tiny } from "./tiny.ts";

/** Networks by the names that `--model` takes. */
export const NETWORKS: Readonly<Record<string, NetworkRow>> = { tiny, nnx, evoformer, alphafold };

/** Everything that can be profiled, by the names of `denofold profile`. */
export const WORKLOADS: Readonly<Record<string, Workload>> = Object.assign(
  {},
  ...Object.values(NETWORKS).map(({ workloads }) => workloads),
);
