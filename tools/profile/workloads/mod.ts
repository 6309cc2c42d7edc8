/** What can be profiled, by the names of the command line. */
import type { Device } from "../../../core/mod.ts";
import type { ProfileData, StorageError } from "../profile_data.ts";
import { alphafold } from "./alphafold.ts";
import { evoformer } from "./evoformer.ts";
import { nnx } from "./nnx.ts";
import { tiny } from "./tiny.ts";
import { nnxTrainStep, trainStep } from "./train_step.ts";

/** A choice of a workload, as a flag of the command line. */
export interface WorkloadFlag {
  /** Flag without dashes, `n-seq`. */
  readonly name: string;
  /** What it means. */
  readonly description: string;
  /** Value where the flag is not given; a flag with neither number nor choices is off. */
  readonly value: number | string | false;
  /** What may be given, where it is no number. */
  readonly choices?: readonly string[];
}

/** Flags' values by their names. */
export type WorkloadValues = Readonly<Record<string, number | string | boolean>>;

/** A workload on a device; dispose of it to free its tensors. */
export interface OpenWorkload extends Disposable {
  /** Makes one step; what it made is freed. */
  step(): Promise<void>;
  /** What 16-bit intermediates cost in accuracy, by output; undefined with 32 bits. */
  storageError?(): Promise<Record<string, StorageError> | undefined>;
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
  "nnx-train-step": nnxTrainStep,
  "alphafold": alphafold,
  "evoformer": evoformer,
  "tiny": tiny,
  "nnx": nnx,
};
