/** Parameters that a training of the trunk of 2021 starts from. */
import { join } from "node:path";
import type { Device } from "../../core/mod.ts";
import type { EndToEndConfig, EndToEndParams, Trunk2021Config } from "../../model/trunk2021/mod.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { InputError } from "../errors.ts";
import { fileNames } from "../files.ts";
import { readCheckpoint } from "../fold/distance_model.ts";
import { trunkDistanceModel } from "../fold/trunk2021.ts";
import { CHECKPOINT_FILE, LEAVE_ONE_OUT_FILE } from "./checkpoint_file.ts";
import { TRUNK_2021 } from "./settings.ts";

/** Choices without which parameters mean something else. */
const SAME = [
  ...["dim", "depth", "heads", "dimHead", "maxSeqLen", "maxNumMsa", "reversible", "crossAttnCompressRatio"],
  "interMsaSelfAttn",
] as const satisfies readonly (keyof Trunk2021Config)[];

/** What a training starts from. */
export interface TrunkInitial {
  /** What it is of it, a sentence. */
  readonly words: string;
  /** Fresh parameters with those of the file in their place, owned by the current scope. */
  put(device: Device, fresh: EndToEndParams): EndToEndParams;
}

/**
 * Reads a trunk, and its refiner where the same one is to be trained.
 *
 * @param path A checkpoint of `denofold train`, of a trunk trained in either way, or the folder of a run; of one that left
 * out one structure after the other, the run is meant that left the same one out.
 * @param holdOut Structures that are left out.
 * @throws {InputError} If it cannot be read, is of another network, or its trunk has other choices.
 */
export async function readTrunkInitial(
  path: string,
  config: Trunk2021Config | EndToEndConfig,
  holdOut: readonly string[] = [],
): Promise<TrunkInitial> {
  const file = await checkpointOf(path, holdOut);
  const checkpoint = await readCheckpoint(file);
  const { model } = checkpoint.facts;
  if (model !== TRUNK_2021) {
    throw new InputError(
      `Cannot start from ${file}: its model is ${JSON.stringify(model)}, expected ${JSON.stringify(TRUNK_2021)}`,
    );
  }
  const { config: theirs, load } = trunkDistanceModel(checkpoint, file);
  const other = SAME.find((name) => theirs[name] !== config[name]);
  if (other) {
    throw new InputError(
      `Cannot start from ${file}: its trunk has --${snakeCase(other).replaceAll("_", "-")} ${theirs[other]}, expected ${
        config[other]
      }`,
    );
  }
  const refiner = "endToEnd" in config ? config.endToEnd.refiner : null;
  const same = refiner && "endToEnd" in theirs && JSON.stringify(theirs.endToEnd.refiner) === JSON.stringify(refiner);
  return {
    words: `Starts from the trunk of ${file}` +
      (same ? " and its refiner" : refiner ? "; the refiner is fresh" : ""),
    put(device, fresh) {
      const { refiner: trained, ...trunk } = load(device) as EndToEndParams;
      if (!refiner) return trunk;
      return { ...trunk, refiner: same ? trained : fresh.refiner };
    },
  };
}

async function checkpointOf(path: string, holdOut: readonly string[]): Promise<string> {
  const stat = await Deno.stat(path).catch(() => undefined);
  if (!stat) throw new InputError(`Cannot start from ${path}: there is no such file or folder`);
  if (!stat.isDirectory) return path;
  const isOneOfMany = await Deno.stat(join(path, LEAVE_ONE_OUT_FILE)).then(() => true, () => false);
  if (!isOneOfMany) return join(path, CHECKPOINT_FILE);
  if (holdOut.length === 1) return join(path, fileNames(holdOut)[0], CHECKPOINT_FILE);
  throw new InputError(
    `Cannot start from ${path}: it left out one structure after the other, so start from it with --leave-one-out, or ` +
      `with one of its structures held out; ${holdOut.length || "none"} are`,
  );
}
