/** AlphaFold's parameters as `denofold train` leaves them in files and folders. */
import { join } from "node:path";
import { asInputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import { openWeights } from "../weights/open_weights.ts";
import { sha256OfFile } from "../weights/download.ts";
import { decodeTrained, isCheckpoint, plannedTrained, type TrainedModel } from "./checkpoint_model.ts";
import type { PlannedModel } from "./planned_model.ts";

/** Name of a file with the parameters that predict, and nothing to go on from. */
export const MODEL_FILE = "model.safetensors";

/** What is read of a run's folder, the first that is there: the average, the best, what it goes on from. */
const FILES = [MODEL_FILE, "best.safetensors", "checkpoint.safetensors"];

/**
 * Reads AlphaFold's parameters from a checkpoint of `denofold train`, or from the folder of a run.
 *
 * @returns undefined for what is neither.
 * @throws {InputError} If the checkpoint is damaged, or another network's.
 */
export async function readTrained(given: string): Promise<TrainedModel | undefined> {
  const path = await checkpointPath(given);
  if (path === undefined) return undefined;
  {
    using opened = await openWeights(path);
    if (!isCheckpoint(opened.file.metadata)) return undefined;
  }
  const bytes = await readFileBytes(path);
  return asInputError(() => decodeTrained(bytes, path));
}

async function checkpointPath(path: string): Promise<string | undefined> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (!info) return undefined;
  if (!info.isDirectory) return path.endsWith(".safetensors") ? path : undefined;
  for (const file of FILES) {
    const there = await Deno.stat(join(path, file)).then(({ isFile }) => isFile, () => false);
    if (there) return join(path, file);
  }
  return undefined;
}

/** {@linkcode readTrained} as a network to predict with. */
export async function trainedModel(given: string): Promise<PlannedModel | undefined> {
  const trained = await readTrained(given);
  if (!trained) return undefined;
  return plannedTrained(trained, await sha256OfFile(trained.path));
}
