/** The flags by which a training run is profiled, under the reference recipe's names and a short one for all. */
import { type Command, Option } from "commander";
import type { Device } from "../../core/mod.ts";
import { UsageError } from "../errors.ts";
import { type ProfileParts, profileText, SORT_KEYS } from "../profile/table.ts";
import { TrainProfile } from "../profile/train_profile.ts";
import type { TrainSettings } from "../train/settings.ts";
import type { TrainView } from "../train/view.ts";
import { nonNegativeInteger, positiveInteger } from "./_shared.ts";

/** The flags' values. */
export type ProfileFlags = {
  profile?: boolean;
  enableAllProfiling?: boolean;
  enableProfiler?: boolean;
  enableMemoryProfiling?: boolean;
  warmupSteps: number;
  profileSteps: number;
  sortBy: string;
};

const ROWS = 20;

/** Adds the flags to a command. */
export function addProfileOptions(command: Command): void {
  command.optionsGroup("Profile:")
    .option("--profile", "profile some steps: kernels and memory (files: profile.json, .trace.json, .html)")
    .option("--enable-profiler", "the same, but print the table of kernels alone")
    .option("--enable-memory-profiling", "the same, but print memory alone")
    .option("--enable-all-profiling", "the same as --profile")
    .option("--warmup-steps <n>", "steps before the profiled ones, which compile kernels", nonNegativeInteger, 3)
    .option("--profile-steps <n>", "steps profiled", positiveInteger, 5)
    .addOption(new Option("--sort-by <key>", "order of the table").choices(Object.keys(SORT_KEYS)).default("time"));
}

/** What of a profile the flags ask for; undefined if they ask for none. */
function partsOf(flags: ProfileFlags): ProfileParts | undefined {
  if (flags.profile || flags.enableAllProfiling) return { kernels: true, memory: true };
  const [kernels, memory] = [flags.enableProfiler ?? false, flags.enableMemoryProfiling ?? false];
  return kernels || memory ? { kernels, memory } : undefined;
}

/**
 * Checks that a profile goes with the other flags.
 *
 * @param others Flags that it does not go with, and whether they were given.
 * @throws {UsageError} If it does not.
 */
export function checkProfileFlags(flags: ProfileFlags, others: Readonly<Record<string, unknown>>): void {
  if (!partsOf(flags)) return;
  for (const [name, given] of Object.entries(others)) {
    if (given) throw new UsageError(`profiling and ${name} exclude each other`);
  }
}

/** A run's profile as the flags ask for it. */
export interface FlaggedProfile {
  /** Shows the run, and profiles its steps. */
  readonly view: TrainView;
  /** Writes the profile into a folder and prints it, unless that is not wanted. @returns The files. */
  finish(settings: TrainSettings, folder: string, silent: boolean): Promise<readonly string[]>;
}

/** Prepares the profile that the flags ask for; undefined if they ask for none. */
export async function openProfile(
  flags: ProfileFlags,
  device: Device,
  view: TrainView,
): Promise<FlaggedProfile | undefined> {
  const parts = partsOf(flags);
  if (!parts) return undefined;
  const { warmupSteps, profileSteps, sortBy } = flags;
  const profile = await TrainProfile.open(device, view, { warmup: warmupSteps, steps: profileSteps });
  return {
    view: profile,
    async finish({ model, training: { batchSize } }, folder, silent) {
      const settings = { ...model, batchSize };
      const written = await profile.finish({ settings, folder, sortBy, parts });
      if (!written) {
        console.error(`No step was profiled: the run ended within the first ${warmupSteps} steps (--warmup-steps).`);
        return [];
      }
      if (!silent) console.log(`\n${profileText(written.data, { by: "kernel", sortBy, top: ROWS, parts })}`);
      return written.files;
    },
  };
}
