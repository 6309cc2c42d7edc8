/** Profiles some steps of a training run while it goes on. */
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { type Device, type Profile, Profiler } from "../../core/mod.ts";
import { kernelChoiceOf } from "../../ops/mod.ts";
import { makeFolder, readFileBytes, writeFileAtomic } from "../files.ts";
import type { StepRecord } from "../train/history.ts";
import type { TrainView } from "../train/view.ts";
import { withProfiler } from "./performance_summary.ts";
import type { ProfileData, ProfileParts, Roofs } from "./profile_data.ts";
import { cachedRoofs } from "./roofs.ts";
import { ALL_PARTS, STEP_MARK, summarize } from "./summarize.ts";
import { writeProfile } from "./write_profile.ts";

/** Which steps are profiled, and what of them. */
export interface ProfiledSteps {
  /** Steps that are left out first: they compile kernels. */
  readonly warmup: number;
  /** Steps that are profiled then. */
  readonly steps: number;
  /** What is looked at. @default all */
  readonly parts?: ProfileParts;
}

/** Where a training run's profile goes. */
export interface TrainProfileFiles {
  /** Sizes and choices of the run. */
  readonly settings: ProfileData["settings"];
  /** Folder for the profile, and of the run's `performance_summary.json`. */
  readonly folder: string;
  /** Order of the table. */
  readonly sortBy: string;
}

/** A view of a training run that has some of its steps profiled, and shows the run through another view. */
export class TrainProfile implements TrainView {
  readonly #device: Device;
  readonly #view: TrainView;
  readonly #wanted: ProfiledSteps;
  readonly #roofs: Roofs | null;
  #counting = false;
  #made = 0;
  #profiler: Profiler | undefined;
  #profile: Promise<Profile> | undefined;

  private constructor(device: Device, view: TrainView, wanted: ProfiledSteps, roofs: Roofs | null) {
    this.#device = device;
    this.#view = view;
    this.#wanted = wanted;
    this.#roofs = roofs;
  }

  /** Sees to the adapter's roofs, so that the run itself is not disturbed. */
  static async open(device: Device, view: TrainView, wanted: ProfiledSteps): Promise<TrainProfile> {
    const roofs = wanted.parts?.kernels === false ? null : await cachedRoofs(device);
    return new TrainProfile(device, view, wanted, roofs);
  }

  /** Shows a line. */
  say(line: string): void {
    this.#view.say(line);
  }

  /** A number of steps begins. */
  begin(label: string, total: number, done: number): void {
    this.#view.begin(label, total, done);
    this.#counting = label === "step";
    if (this.#counting && this.#wanted.warmup === 0) this.#start();
  }

  /** A step was made. */
  step(done: number, record?: StepRecord): void {
    this.#view.step(done, record);
    if (!this.#counting) return;
    this.#made++;
    const { warmup, steps } = this.#wanted;
    if (this.#made === warmup) this.#start();
    else if (this.#made === warmup + steps) this.#stop();
    else this.#profiler?.mark(STEP_MARK);
  }

  /** The steps are over. */
  end(): void {
    this.#view.end();
    this.#counting = false;
    this.#stop();
  }

  /**
   * Writes the profile beside the run's files, and notes in its performance summary how it was profiled.
   *
   * @returns The summary and the files; undefined if the run ended before the first profiled step.
   * @throws {InputError} If the folder cannot be written.
   */
  async finish(
    { settings, folder, sortBy }: TrainProfileFiles,
  ): Promise<{ data: ProfileData; files: readonly string[] } | undefined> {
    const profile = await this.#profile;
    if (!profile) return undefined;
    const data = summarize(profile, {
      ...{ workload: "train", settings, warmup: this.#wanted.warmup, roofs: this.#roofs, parts: this.#wanted.parts },
      ...{ kernels: kernelChoiceOf(this.#device), version: config.version, now: new Date() },
    });
    await makeFolder(folder);
    const files = await writeProfile(folder, profile, data);
    const summary = join(folder, "performance_summary.json");
    if (await exists(summary)) { // a run without recorded steps has none
      const text = new TextDecoder().decode(await readFileBytes(summary));
      await writeFileAtomic(summary, withProfiler(text, { folder, sortBy, data }));
    }
    return { data, files };
  }

  #start(): void {
    this.#profiler = Profiler.start(this.#device, this.#wanted.parts ?? ALL_PARTS);
    this.#profiler.mark(STEP_MARK);
  }

  #stop(): void {
    const profiler = this.#profiler;
    if (!profiler) return;
    this.#profiler = undefined;
    profiler.mark("end");
    this.#profile = profiler.stop();
    this.#profile.catch(() => {}); // told by finish()
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}
