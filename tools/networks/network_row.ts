/** What the commands know of a network. */
import { type Shape, sizeOf } from "../../core/mod.ts";
import type { Checkpoint } from "../../finetune/mod.ts";
import type { DistanceModel } from "../fold/distance_model.ts";
import type { AttentionModel, ParameterFile } from "../attention/attention_model.ts";
import type { Workload, WorkloadValues } from "../profile/workloads/workload.ts";
import type { AnyTrainable } from "../train/network.ts";

/** A network as a row of the table: all that commands ask of it, so that another one is a file and a line. */
export interface NetworkRow {
  /** What it is, in a few words, `the small Evoformer`. */
  readonly title: string;
  /** Its workloads by the names that `denofold profile` takes. */
  readonly workloads: Readonly<Record<string, Workload>>;
  /** How `denofold plan` runs it. */
  readonly plan: PlanRow;
  /** How `denofold train` trains it. @default it does not */
  readonly training?: AnyTrainable;
  /** A checkpoint of it, whose facts name it, for `denofold predict-distances`. @default it predicts none */
  readonly distances?: (checkpoint: Checkpoint, source: string) => DistanceModel;
  /** Opens a file of its parameters for `denofold attention`; undefined: of another network's. @default none is recorded */
  readonly attention?: (file: ParameterFile) => Promise<AttentionModel | undefined>;
  /** Tells `denofold inspect` what of its arrays are; undefined: another network's. @default it tells nothing */
  readonly recognize?: (arrays: Arrays, facts?: ParameterFile["facts"]) => string | undefined;
}

/** Arrays of a file by name. */
export type Arrays = ReadonlyMap<string, { readonly shape: Shape }>;

/** A network as `denofold plan` runs it. */
export interface PlanRow {
  /** Workload of a forward pass. */
  readonly forward: string;
  /** Workload of a step of training. */
  readonly train: string;
  /** Values that differ from the workloads'. */
  readonly defaults: WorkloadValues;
  /** The workloads' flags by the sizes that plans have: `msa-dim` by `cM`. */
  readonly flags: Readonly<Record<string, string>>;
}

/** Flags of plans that every network has. */
export const PLAN_FLAGS = { nRes: "n-res", nSeq: "n-seq", batch: "batch", storage: "storage" } as const;

/** A network and the number of its parameters in words. */
export function parametersText(network: string, arrays: Arrays): string {
  const count = [...arrays.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return `${network}, ${count.toLocaleString("en")} parameters`;
}
