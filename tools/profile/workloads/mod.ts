/** What can be profiled, by the names of the command line. */
import type { Device } from "../../../core/mod.ts";
import type { ProfileData } from "../profile_data.ts";
import { evoformer } from "./evoformer.ts";
import { trainStep } from "./train_step.ts";

/** A choice of a workload, as a flag of the command line. */
export interface WorkloadFlag {
  /** Flag without dashes, `n-seq`. */
  readonly name: string;
  /** What it means. */
  readonly description: string;
  /** Value where the flag is not given; a flag without a number is off. */
  readonly value: number | false;
}

/** Flags' values by their names. */
export type WorkloadValues = Readonly<Record<string, number | boolean>>;

/** A workload on a device; dispose of it to free its tensors. */
export interface OpenWorkload extends Disposable {
  /** Makes one step; what it made is freed. */
  step(): Promise<void>;
  /** Files of its own, made at the end, by name. */
  files?(facts: WorkloadFacts): ReadonlyMap<string, string>;
}

/** What a workload's files say besides. */
export interface WorkloadFacts {
  /** The adapter's name. */
  readonly adapter: string;
  /** Folder of the files. */
  readonly out: string;
  /** The profile. */
  readonly data: ProfileData;
  /** By what the table is sorted. */
  readonly sortBy: string;
}

/** Something that can be profiled. */
export interface Workload {
  /** One line for the help. */
  readonly description: string;
  /** Its choices. */
  readonly flags: readonly WorkloadFlag[];
  /**
   * Makes parameters and inputs, all of random numbers.
   *
   * @throws {InputError} If sizes do not fit together.
   */
  open(device: Device, values: WorkloadValues): OpenWorkload;
}

/** All workloads. A new one needs a file and a line here. */
export const WORKLOADS: Readonly<Record<string, Workload>> = {
  "train-step": trainStep,
  "evoformer": evoformer,
};
