/** Finds what a run can go on from. */
import { InputError } from "../errors.ts";
import { CHECKPOINT_NAMES } from "../networks/mod.ts";
import { readRun, type SavedRun } from "./checkpoint_file.ts";
import { readLeaveOneOut } from "./leave_one_out.ts";
import type { TrainSettings } from "./settings.ts";

/** A run that can go on. */
export interface Resumable {
  /** Its settings. */
  readonly settings: TrainSettings;
  /** Its checkpoint; a leave-one-out run has one in each structure's folder instead. */
  readonly saved?: SavedRun;
}

/**
 * Reads the run in a folder.
 *
 * @throws {InputError} If there is none, or it is damaged.
 */
export async function readResumable(path: string): Promise<Resumable> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (!info) throw new InputError(`Cannot resume from ${path}: there is no such folder`);
  const settings = info.isDirectory ? await readLeaveOneOut(path) : undefined;
  if (settings) return { settings };
  const saved = await readRun(path, CHECKPOINT_NAMES);
  return { settings: saved.settings, saved };
}
