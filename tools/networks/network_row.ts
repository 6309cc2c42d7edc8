/** What the commands know of a network. */
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
}

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
