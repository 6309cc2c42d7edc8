/** Runs a workload under the profiler and writes what was seen. */
import config from "../../deno.json" with { type: "json" };
import { type Device, type Profile, Profiler } from "../../core/mod.ts";
import { kernelChoiceOf } from "../../ops/mod.ts";
import { makeFolder } from "../files.ts";
import type { ProfileData, ProfileParts } from "./profile_data.ts";
import { cachedRoofs } from "./roofs.ts";
import { ALL_PARTS, STEP_MARK, summarize } from "./summarize.ts";
import { WORKLOADS } from "../networks/mod.ts";
import { camelKeys } from "../words.ts";
import type { WorkloadValues } from "./workloads/workload.ts";
import { writeProfile } from "./write_profile.ts";

/** What to profile. */
export interface ProfileRequest {
  /** Name of the workload. */
  readonly workload: string;
  /** Its flags. */
  readonly values: WorkloadValues;
  /** What else the summary says of the run. @default nothing */
  readonly settings?: Readonly<Record<string, string>>;
  /** Profiled steps. */
  readonly steps: number;
  /** Steps before, which compile kernels and fill the buffer pool. */
  readonly warmup: number;
  /** What is looked at. @default all */
  readonly parts?: ProfileParts;
  /** Order of the tables. */
  readonly sortBy: string;
  /** Folder for the files; undefined: none are written. */
  readonly out?: string;
  /** Whether the adapter's roofs are measured again. */
  readonly measureRoofs?: boolean;
}

/** What was seen, and the files written. */
export interface ProfileOutcome {
  /** The summary. */
  readonly data: ProfileData;
  /** Paths of the files. */
  readonly files: readonly string[];
}

/**
 * Profiles a workload.
 *
 * @throws {InputError} If its sizes do not fit together or the folder cannot be written.
 */
export async function profileWorkload(device: Device, request: ProfileRequest): Promise<ProfileOutcome> {
  const { workload: name, values, steps, warmup, out, parts = ALL_PARTS } = request;
  const roofs = parts.kernels ? await cachedRoofs(device, { again: request.measureRoofs }) : null;
  using workload = WORKLOADS[name].open(device, values);
  for (let i = 0; i < warmup; i++) await workload.step();
  await device.finish();
  if (out !== undefined) await makeFolder(out); // not before sizes are known to do
  const profile = await record(device, parts, steps, () => workload.step());
  const version = config.version;
  const settings = { ...camelKeys(values), ...request.settings };
  const kernels = kernelChoiceOf(device);
  const facts = { workload: name, settings, kernels, parts, warmup, roofs, version, now: new Date() };
  const summary = summarize(profile, facts);
  const storageError = await workload.storageError?.();
  const data: ProfileData = storageError ? { ...summary, storageError } : summary;
  if (out === undefined) return { data, files: [] };
  const adapter = device.traits.description;
  const more = workload.files?.({ adapter, out, data, sortBy: request.sortBy }) ?? [];
  return { data, files: await writeProfile(out, profile, data, more) };
}

/** Makes steps under a profiler. */
async function record(device: Device, parts: ProfileParts, steps: number, step: () => Promise<void>): Promise<Profile> {
  const profiler = Profiler.start(device, parts);
  try {
    for (let i = 0; i < steps; i++) {
      profiler.mark(STEP_MARK);
      await step();
    }
    profiler.mark("end");
  } catch (error) {
    profiler.cancel();
    throw error;
  }
  return await profiler.stop();
}
