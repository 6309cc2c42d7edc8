/** Profiles what a command does on the device, from its beginning to its end. */
import config from "../../deno.json" with { type: "json" };
import { type Device, Profiler } from "../../core/mod.ts";
import { kernelChoiceOf } from "../../ops/mod.ts";
import { makeFolder } from "../files.ts";
import type { ProfileData, ProfileParts } from "./profile_data.ts";
import { cachedRoofs } from "./roofs.ts";
import { STEP_MARK, summarize } from "./summarize.ts";
import { writeProfile } from "./write_profile.ts";

/** A command that is profiled. */
export interface ProfiledCommand {
  /** Its name. */
  readonly name: string;
  /** Sizes and choices. */
  readonly settings: ProfileData["settings"];
  /** Folder for the profile's files. */
  readonly folder: string;
  /** What is looked at. */
  readonly parts: ProfileParts;
}

/**
 * Runs something under the profiler, as one step, and writes what was seen.
 *
 * @returns What it returned, the summary, and the files.
 * @throws {InputError} If the folder cannot be written.
 */
export async function profileCommand<T>(
  device: Device,
  { name, settings, folder, parts }: ProfiledCommand,
  run: () => Promise<T>,
): Promise<{ result: T; data: ProfileData; files: readonly string[] }> {
  const roofs = parts.kernels ? await cachedRoofs(device) : null;
  const profiler = Profiler.start(device, parts);
  profiler.mark(STEP_MARK);
  let result: T;
  try {
    result = await run();
  } catch (error) {
    profiler.cancel();
    throw error;
  }
  profiler.mark("end");
  const profile = await profiler.stop();
  const data = summarize(profile, {
    ...{ workload: name, settings, kernels: kernelChoiceOf(device), parts, warmup: 0, roofs },
    ...{ version: config.version, now: new Date() },
  });
  await makeFolder(folder); // none is left where the command fails
  return { result, data, files: await writeProfile(folder, profile, data) };
}
