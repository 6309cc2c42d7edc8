/** The flags by which a command is profiled, under the reference recipe's names and a short one for all. */
import { type Command, Option } from "commander";
import type { Device } from "../../core/mod.ts";
import { UsageError } from "../errors.ts";
import type { ProfileData, ProfileParts } from "../profile/profile_data.ts";
import { profileCommand, type ProfiledCommand } from "../profile/profile_command.ts";
import { profileText, SORT_KEYS } from "../profile/table.ts";
import { TrainProfile } from "../profile/train_profile.ts";
import type { ModelSettings, TrainSettings } from "../train/settings.ts";
import type { TrainView } from "../train/view.ts";
import { nonNegativeInteger, positiveInteger } from "./_shared.ts";

/** Values of the flags that say what is profiled. */
export type PartFlags = { enableAllProfiling?: boolean; enableProfiler?: boolean; enableMemoryProfiling?: boolean };

/** Values of the flags that every profiled command has. */
export type ProfileFlags = PartFlags & { profile?: boolean; sortBy: string; top: number };

/** Values of those that a command of steps has besides. */
export type StepProfileFlags = ProfileFlags & { warmupSteps: number; profileSteps: number };

/** Adds the flags to a command that makes steps, some of which are profiled. */
export function addStepProfileOptions(command: Command): void {
  command.optionsGroup("Profile:");
  addParts(command, "some steps");
  command
    .option("--warmup-steps <n>", "steps before the profiled ones, which compile kernels", nonNegativeInteger, 3)
    .option("--profile-steps <n>", "steps profiled", positiveInteger, 5);
  addTable(command);
}

/** Adds the flags to a command that is profiled as a whole, what it compiles included. */
export function addProfileOptions(command: Command): void {
  command.optionsGroup("Profile:");
  addParts(command, "what runs on the device");
  command.option("--profile-dir <dir>", "folder for the profile (default: that of --out)");
  addTable(command);
}

function addParts(command: Command, what: string): void {
  command
    .option("--profile", `profile ${what}: kernels and memory (files: profile.json, .trace.json, .html)`)
    .option("--enable-profiler", "the same, but times of kernels alone")
    .option("--enable-memory-profiling", "the same, but memory alone; kernels are not timed")
    .option("--enable-all-profiling", "the same as --profile");
}

function addTable(command: Command): void {
  command
    .addOption(sortByOption())
    .option("--top <n>", "rows of the table", positiveInteger, 20);
}

/** The flag by which tables of kernels are sorted. */
export function sortByOption(): Option {
  return new Option("--sort-by <key>", "order of the table").choices(Object.keys(SORT_KEYS)).default("time");
}

/** The flag by which a command looks for NaN and infinity; its value goes to `Device.checkNumerics`. */
export function numericsOption(): Option {
  return new Option(
    "--check-numerics",
    "stop at the first NaN or infinity and name its scope, kernel and tensor (slow)",
  );
}

/** What of a profile the flags ask for; undefined if they ask for none. */
export function partsOf(flags: PartFlags & { profile?: boolean }): ProfileParts | undefined {
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
  flags: StepProfileFlags,
  device: Device,
  view: TrainView,
): Promise<FlaggedProfile | undefined> {
  const parts = partsOf(flags);
  if (!parts) return undefined;
  const { warmupSteps, profileSteps, sortBy } = flags;
  const profile = await TrainProfile.open(device, view, { warmup: warmupSteps, steps: profileSteps, parts });
  return {
    view: profile,
    async finish({ model, training: { batchSize } }, folder, silent) {
      const written = await profile.finish({ settings: { ...plainSizes(model), batchSize }, folder, sortBy });
      if (!written) {
        console.error(`No step was profiled: the run ended within the first ${warmupSteps} steps (--warmup-steps).`);
        return [];
      }
      if (!silent) printProfile(flags, written.data);
      return written.files;
    },
  };
}

/** Sizes and choices of a model, lists of choices as text. */
function plainSizes(model: ModelSettings): Record<string, string | number | boolean> {
  return Object.fromEntries(
    Object.entries(model).map(([name, value]) => [name, Array.isArray(value) ? `${value}` : value]),
  );
}

/** What {@link withProfile} is told of a command. */
export type CommandFacts = Omit<ProfiledCommand, "parts"> & {
  /** Whether nothing is printed. */
  readonly silent?: boolean;
};

/**
 * Runs what a command does on the device, under the profiler if the flags ask for it, and prints the profile.
 *
 * @returns What it returned, and the profile's files.
 */
export async function withProfile<T>(
  flags: ProfileFlags,
  device: Device,
  { silent = false, ...command }: CommandFacts,
  run: () => Promise<T>,
): Promise<{ result: T; files: readonly string[] }> {
  const parts = partsOf(flags);
  if (!parts) return { result: await run(), files: [] };
  const { result, data, files } = await profileCommand(device, { ...command, parts }, run);
  if (!silent) printProfile(flags, data);
  return { result, files };
}

function printProfile({ sortBy, top }: ProfileFlags, data: ProfileData): void {
  console.log(`\n${profileText(data, { by: "kernel", sortBy, top })}\n`);
}
