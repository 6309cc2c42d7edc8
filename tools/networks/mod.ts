/** The networks. A new one is a file and a line here; no command names one. */
import type { Workload } from "../profile/workloads/workload.ts";
import type { AnyTrainable } from "../train/network.ts";
import { alphafold } from "./alphafold.ts";
import { evoformer } from "./evoformer.ts";
import type { NetworkRow } from "./network_row.ts";
import { nnx } from "./nnx.ts";
import { tiny } from "./tiny.ts";
import { trunk2021 } from "./trunk2021.ts";

/** Networks by the names that `--model` takes. */
export const NETWORKS: Readonly<Record<string, NetworkRow>> = { tiny, nnx, evoformer, alphafold, trunk2021 };

/** Everything that can be profiled, by the names of `denofold profile`. */
export const WORKLOADS: Readonly<Record<string, Workload>> = Object.assign(
  {},
  ...Object.values(NETWORKS).map(({ workloads }) => workloads),
);

/** Networks that can be trained, by the names that `--model` takes. */
export const TRAINABLE: Readonly<Record<string, AnyTrainable>> = Object.fromEntries(
  Object.entries(NETWORKS).flatMap(([name, { training }]) => training ? [[name, training]] : []),
);

/** Names that checkpoints of runs have for their networks. */
export const CHECKPOINT_NAMES: readonly string[] = Object.values(TRAINABLE).map(({ model }) => model.network);

/**
 * The network of a run.
 *
 * @param network Its name in checkpoints.
 * @throws {RangeError} If there is none of that name.
 */
export function trainableOf(network: string): AnyTrainable {
  const found = Object.values(TRAINABLE).find(({ model }) => model.network === network);
  if (!found) throw new RangeError(`There is no network ${network}: expected ${CHECKPOINT_NAMES.join(" or ")}`);
  return found;
}
