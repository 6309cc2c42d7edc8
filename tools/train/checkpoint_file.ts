/** The checkpoint of a training run: one file with all that is needed to go on to the same bits. */
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { type Checkpoint, decodeCheckpoint, type TrainerState } from "../../finetune/mod.ts";
import { InputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import { TINY_OPENFOLD } from "../fold/predict.ts";
import { packHistory, type StepRecord, unpackHistory } from "./history.ts";
import { modelConfig, type TrainSettings } from "./settings.ts";

/** Name of the file in a run's folder. */
export const CHECKPOINT_FILE = "checkpoint.safetensors";

/** What a checkpoint of a run holds besides parameters and the trainer's memory. */
export interface RunFacts {
  /** Model, training and data. */
  readonly settings: TrainSettings;
  /** What the data were, in a few words. */
  readonly dataDescription: string;
  /** Tells two data sets apart. */
  readonly dataFingerprint: string;
  /** What the data source needs to go on. */
  readonly order?: string;
  /** All steps so far. */
  readonly history: readonly StepRecord[];
}

/** A checkpoint read back. */
export interface SavedRun extends RunFacts {
  /** The file. */
  readonly source: string;
  /** Parameters. */
  readonly checkpoint: Checkpoint;
  /** The trainer's memory. */
  readonly trainer: TrainerState;
}

/** A checkpoint's facts as plain JSON. */
export function factsOf(run: RunFacts): Record<string, unknown> {
  return {
    model: TINY_OPENFOLD,
    config: modelConfig(run.settings.model),
    denofold: config.version,
    seed: run.settings.training.seed,
    settings: run.settings,
    data: { description: run.dataDescription, fingerprint: run.dataFingerprint },
    order: run.order ?? null,
    history: packHistory(run.history),
  };
}

/**
 * Reads the checkpoint of a run.
 *
 * @param path The run's folder, or the file itself.
 * @throws {InputError} If it is missing, damaged, or cannot be gone on from.
 */
export async function readRun(path: string): Promise<SavedRun> {
  const source = await checkpointPath(path);
  const checkpoint = decoded(await readFileBytes(source), source);
  const { facts, trainer } = checkpoint;
  if (facts.model !== TINY_OPENFOLD) {
    throw new InputError(
      `Cannot resume from ${source}: its model is ${text(facts.model)}, expected "${TINY_OPENFOLD}"`,
    );
  }
  const { settings, data } = facts as { settings?: TrainSettings; data?: { description: string; fingerprint: string } };
  const history = unpackHistory(facts.history);
  if (!trainer || !settings?.model || !settings.training || !settings.data || !data || !history) {
    throw new InputError(
      `Cannot resume from ${source}: it holds parameters but not the state of a training run of \`denofold train\``,
    );
  }
  return {
    ...{ source, checkpoint, trainer, settings, history },
    dataDescription: data.description,
    dataFingerprint: data.fingerprint,
    order: typeof facts.order === "string" ? facts.order : undefined,
  };
}

async function checkpointPath(path: string): Promise<string> {
  const isFolder = await Deno.stat(path).then((info) => info.isDirectory, () => false);
  return isFolder ? join(path, CHECKPOINT_FILE) : path;
}

function decoded(bytes: Uint8Array, source: string): Checkpoint {
  try {
    return decodeCheckpoint(bytes, source);
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(error.message);
    throw error;
  }
}

function text(value: unknown): string {
  return value === undefined ? "not named" : JSON.stringify(value);
}
