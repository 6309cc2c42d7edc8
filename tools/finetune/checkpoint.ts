/** Checkpoints of fine-tuning: what was trained, as a difference to named base weights, and all that it needs to go on. */
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { type Device, entries, type Tensor, type Tree } from "../../core/mod.ts";
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  findParameter,
  type FineTuner,
  type FitProgress,
  type StrategyName,
  type TrainerState,
} from "../../finetune/mod.ts";
import type { AlphaFoldPreset } from "../../model/alphafold/mod.ts";
import { asInputError, InputError } from "../errors.ts";
import { makeFolder, readFileBytes, writeFileAtomic } from "../files.ts";
import type { FinetuneOptions } from "./options.ts";

/** Name of the file in the folders `best` and `last`. */
export const CHECKPOINT_NAME = "checkpoint.safetensors";

/** What a checkpoint says besides numbers. */
export interface FinetuneFacts {
  /** The choices of the run. */
  readonly options: FinetuneOptions;
  /** The weights that it began with. */
  readonly base: {
    /** Their preset. */
    readonly preset: AlphaFoldPreset;
    /** Name and SHA-256, or that they are random. */
    readonly weights: string;
  };
  /** The strategy; that of `auto` too. */
  readonly strategy: StrategyName;
  /** The data. */
  readonly data: {
    /** SHA-256 of names, sequences and labels in their sets. */
    readonly fingerprint: string;
    /** Names in each set. */
    readonly sets: Readonly<Record<string, readonly string[]>>;
    /** Of the training labels. */
    readonly labels: { readonly n: number; readonly min: number; readonly max: number; readonly mean: number };
  };
  /** Where the loop stood. */
  readonly progress: FitProgress;
}

/** A checkpoint read back. */
export interface SavedFinetune {
  /** The file. */
  readonly source: string;
  readonly facts: FinetuneFacts;
  readonly checkpoint: Checkpoint;
  readonly trainer: TrainerState;
}

const MODEL = "alphafold-labels";

/**
 * Writes a checkpoint: a temporary file, then a rename, so that the old one stays whole whatever happens.
 *
 * @param folder `best` or `last` of a run.
 * @throws {InputError} If it cannot be written.
 */
export async function writeCheckpoint(
  folder: string,
  tuner: FineTuner,
  facts: Omit<FinetuneFacts, "progress">,
): Promise<void> {
  const { progress, trainer } = await tuner.state();
  const all = { model: MODEL, denofold: manifest.version, facts: { ...facts, progress } };
  const bytes = await encodeCheckpoint(tuner.trained as Tree<Tensor>, all, trainer);
  await makeFolder(folder);
  await writeFileAtomic(join(folder, CHECKPOINT_NAME), bytes);
}

/**
 * Reads a checkpoint.
 *
 * @param path The file, its folder, or that of a run, whose best one is read; else its last one.
 * @param which The one to read of a run. @default "best"
 * @throws {InputError} If there is none, or it is damaged or another program's.
 */
export async function readCheckpoint(path: string, which: "best" | "last" = "best"): Promise<SavedFinetune> {
  const source = await findCheckpoint(path, which);
  if (source === undefined) {
    throw new InputError(`${path} has no checkpoint: expected the folder of a run, or ${CHECKPOINT_NAME}`);
  }
  const bytes = await readFileBytes(source);
  const checkpoint = asInputError(() => decodeCheckpoint(bytes, source));
  const { model, facts } = checkpoint.facts as { model?: string; facts?: FinetuneFacts };
  if (model !== MODEL || !facts || !checkpoint.trainer) {
    throw new InputError(
      `${source} is no checkpoint of \`denofold finetune\`: its model is ${JSON.stringify(model) ?? "not named"}`,
    );
  }
  return { source, facts, checkpoint, trainer: checkpoint.trainer };
}

/** The file that {@linkcode readCheckpoint} reads; undefined where there is none. */
export async function findCheckpoint(path: string, which: "best" | "last"): Promise<string | undefined> {
  const isFile = (at: string) => Deno.stat(at).then((info) => info.isFile, () => false);
  const folders = which === "best" ? ["", "best", "last"] : ["", "last"];
  for (const at of [path, ...folders.map((folder) => join(path, folder, CHECKPOINT_NAME))]) {
    if (await isFile(at)) return at;
  }
  return undefined;
}

/**
 * Writes the trained numbers of a checkpoint into parameters of the same strategy.
 *
 * @throws {InputError} If the checkpoint lacks one, or has one of another shape.
 */
export function restoreTrained(device: Device, trained: Tree<Tensor>, { checkpoint, source }: SavedFinetune): void {
  for (const [path, tensor] of entries<Tensor>(trained)) {
    try {
      device.write(tensor, findParameter(checkpoint, path, tensor.shape, source));
    } catch (error) {
      if (error instanceof TypeError) throw new InputError(error.message);
      throw error;
    }
  }
}

/**
 * @throws {InputError} If a checkpoint was trained from other weights.
 */
export function checkBase({ source, facts: { base } }: SavedFinetune, preset: AlphaFoldPreset, weights: string): void {
  if (base.preset === preset && sameWeights(base.weights, weights)) return;
  throw new InputError(
    `${source} was trained from ${base.preset} with ${base.weights}, these are ${preset} with ${weights}; --force uses ` +
      "them all the same",
  );
}

/** Whether two descriptions mean the same numbers: by their hash where there is one. */
function sameWeights(a: string, b: string): boolean {
  const hash = (text: string) => /SHA-256 ([0-9a-f]{64})/.exec(text)?.[1] ?? text;
  return hash(a) === hash(b);
}
