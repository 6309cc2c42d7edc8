/** What can be profiled. */
import type { Device } from "../../../core/mod.ts";
import type { ProfileData, StorageError } from "../profile_data.ts";

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
  /** Whether only a forward pass takes another value than the usual one. @default false */
  readonly forwardOnly?: boolean;
  /** Least number that may be given. @default 1 */
  readonly least?: 0 | 1;
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
