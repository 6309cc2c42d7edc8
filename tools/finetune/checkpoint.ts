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
  type FitSettings,
  type HeadStandards,
  type StrategyName,
  type TrainerState,
} from "../../finetune/mod.ts";
import { asInputError, InputError } from "../errors.ts";
import { makeFolder, readFileBytes, writeFileAtomic } from "../files.ts";
import type { LearnedTasks } from "./label_tasks.ts";
import { FINETUNE_DEFAULTS, type FinetuneOptions } from "./options.ts";

/** Name of the file in the folders `best` and `last`. */
export const CHECKPOINT_NAME = "checkpoint.safetensors";

/** What a checkpoint says besides numbers. */
export interface FinetuneFacts {
  /** The choices of the run. */
  readonly options: FinetuneOptions;
  /** The weights that it began with. */
  readonly base: {
    /** Their preset. */
    readonly preset: string;
    /** Name and SHA-256, or that they are random. */
    readonly weights: string;
    /** The weights that the run was begun with, where others were forced upon it later. */
    readonly insteadOf?: string;
  };
  /** The strategy; that of `auto` too. */
  readonly strategy: StrategyName;
  /** The data. */
  readonly data: {
    /** SHA-256 of names, sequences and labels in their sets. */
    readonly fingerprint: string;
    /** Names in each set. */
    readonly sets: Readonly<Record<string, readonly string[]>>;
    /** What is learned of them, where that is not one number a protein. */
    readonly learned?: LearnedTasks;
    /** Units in which heads read and predict, by task. @default as it comes */
    readonly standards?: HeadStandards;
    /** Of the training labels, where they are one number a protein. */
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
 * Writes the checkpoints of a run: a temporary file, then a rename, so that the old one stays whole whatever happens. A
 * disk that is full costs no training: what could not be written is kept, and tried again with the next one.
 */
export class CheckpointWriter {
  readonly #output: string;
  readonly #facts: Omit<FinetuneFacts, "progress">;
  readonly #warn: (message: string) => void;
  /** What could not be written, by folder. */
  readonly #waiting = new Map<string, Uint8Array>();

  /**
   * A writer into the folders `best` and `last` of a run.
   *
   * @param warn Is told of what could not be written.
   */
  constructor(output: string, facts: Omit<FinetuneFacts, "progress">, warn: (message: string) => void) {
    [this.#output, this.#facts, this.#warn] = [output, facts, warn];
  }

  /** Writes a checkpoint, and those that wait. */
  async save(which: "best" | "last", tuner: FineTuner): Promise<void> {
    const { progress, trainer } = await tuner.state();
    const all = { model: MODEL, denofold: manifest.version, facts: { ...this.#facts, progress } };
    this.#waiting.set(which, await encodeCheckpoint(tuner.trained as Tree<Tensor>, all, trainer));
    await this.#write((message) => `${message} Training goes on, and the next checkpoint tries again.`);
  }

  /** Tries once more to write what waits, and tells of what is lost. */
  async finish(): Promise<void> {
    await this.#write((message) => `${message} What was there before stays; --resume goes on from it.`);
  }

  async #write(tell: (message: string) => string): Promise<void> {
    for (const [folder, bytes] of [...this.#waiting]) {
      try {
        await makeFolder(join(this.#output, folder));
        await writeFileAtomic(join(this.#output, folder, CHECKPOINT_NAME), bytes);
        this.#waiting.delete(folder);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        this.#warn(tell(error.message));
      }
    }
  }

  /**
   * Reads a checkpoint back, from memory where it could not be written.
   *
   * @throws {InputError} If there is none.
   */
  async read(which: "best" | "last"): Promise<SavedFinetune> {
    const bytes = this.#waiting.get(which), folder = join(this.#output, which);
    return bytes ? savedOf(bytes, folder) : await readCheckpoint(folder);
  }
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
  return savedOf(await readFileBytes(source), source);
}

function savedOf(bytes: Uint8Array, source: string): SavedFinetune {
  const checkpoint = asInputError(() => decodeCheckpoint(bytes, source));
  const { model, facts } = checkpoint.facts as { model?: string; facts?: FinetuneFacts };
  if (model !== MODEL || !facts || !checkpoint.trainer) {
    throw new InputError(
      `${source} is no checkpoint of \`denofold finetune\`: its model is ${JSON.stringify(model) ?? "not named"}`,
    );
  }
  // Choices that there were none of when it was written are as by default.
  const { fit } = facts.options;
  const amp = (fit.amp as FitSettings["amp"] | true) === true ? "f16" : fit.amp; // as it was before there were two
  const options = { ...FINETUNE_DEFAULTS, ...facts.options, fit: { ...fit, amp } };
  return { source, facts: { ...facts, options }, checkpoint, trainer: checkpoint.trainer };
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
export function checkBase({ source, facts: { base } }: SavedFinetune, preset: string, weights: string): void {
  if (sameBase(base, { preset, weights })) return;
  throw new InputError(
    `${source} was trained from ${base.preset} with ${base.weights}, these are ${preset} with ${weights}; --force uses ` +
      "them all the same",
  );
}

/** Whether two descriptions mean the same network: by the hash of the weights where there is one. */
export function sameBase(
  a: Pick<FinetuneFacts["base"], "preset" | "weights">,
  b: Pick<FinetuneFacts["base"], "preset" | "weights">,
): boolean {
  const hash = (text: string) => /SHA-256 ([0-9a-f]{64})/.exec(text)?.[1] ?? text;
  return a.preset === b.preset && hash(a.weights) === hash(b.weights);
}
