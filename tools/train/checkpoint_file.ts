/** The checkpoint of a training run: one file with all that is needed to go on to the same bits. */
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import { type Checkpoint, decodeCheckpoint, type TrainerState } from "../../finetune/mod.ts";
import type { KernelChoice } from "../../ops/mod.ts";
import { asInputError, InputError } from "../errors.ts";
import { readFileBytes } from "../files.ts";
import { packHistory, type StepRecord, unpackHistory } from "./history.ts";
import type { TrainSettings } from "./settings.ts";

/** Name of the file in a run's folder. */
export const CHECKPOINT_FILE = "checkpoint.safetensors";

/** Name of the file that says what a leave-one-out run is made of, and its results so far. */
export const LEAVE_ONE_OUT_FILE = "leave_one_out.json";

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
  /** What it was computed with: the same gives the same bits. Absent in checkpoints that do not say. */
  readonly computedWith?: ComputedWith;
}

/** An adapter, and the kernels that were used on it. */
export interface ComputedWith {
  /** The adapter's name. */
  readonly adapter: string;
  /** Its driver, as far as it can be known. */
  readonly driver: string;
  /** Preferred kernels, and those passed over. */
  readonly kernels: KernelChoice;
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

/** A checkpoint's facts as plain JSON; `config` is the network's. */
export function factsOf(run: RunFacts, config: object): Record<string, unknown> {
  return {
    model: run.settings.model.network,
    config,
    denofold: manifest.version,
    seed: run.settings.training.seed,
    settings: run.settings,
    data: { description: run.dataDescription, fingerprint: run.dataFingerprint },
    order: run.order ?? null,
    computedWith: run.computedWith ?? null,
    history: packHistory(run.history),
  };
}

/**
 * Reads the checkpoint of a run.
 *
 * @param path The run's folder, or the file itself.
 * @param known Names of the networks whose runs can go on.
 * @throws {InputError} If it is missing, damaged, or cannot be gone on from.
 */
export async function readRun(path: string, known: readonly string[]): Promise<SavedRun> {
  const source = await checkpointPath(path);
  const bytes = await readFileBytes(source);
  const checkpoint = asInputError(() => decodeCheckpoint(bytes, source));
  const { facts, trainer } = checkpoint;
  const network = known.find((name) => name === facts.model);
  if (network === undefined) {
    const expected = known.map((name) => `"${name}"`).join(" or ");
    throw new InputError(`Cannot resume from ${source}: its model is ${text(facts.model)}, expected ${expected}`);
  }
  const { settings, data } = facts as { settings?: TrainSettings; data?: { description: string; fingerprint: string } };
  const history = unpackHistory(facts.history);
  if (!trainer || !settings?.model || !settings.training || !settings.data || !data || !history) {
    throw new InputError(
      `Cannot resume from ${source}: it holds parameters but not the state of a training run of \`denofold train\``,
    );
  }
  return {
    ...{ source, checkpoint, trainer, history },
    settings: { ...settings, model: { ...settings.model, network } },
    dataDescription: data.description,
    dataFingerprint: data.fingerprint,
    order: typeof facts.order === "string" ? facts.order : undefined,
    computedWith: computedWithIn(facts.computedWith),
  };
}

/** What a checkpoint says of that; the kernels themselves are looked at by the device that is to use them. */
function computedWithIn(fact: unknown): ComputedWith | undefined {
  const { adapter, driver, kernels } = Object(fact) as Partial<ComputedWith>;
  const { tuning, avoided } = Object(kernels) as Partial<KernelChoice>;
  if (typeof adapter !== "string" || typeof driver !== "string" || !tuning || !Array.isArray(avoided)) return undefined;
  return { adapter, driver, kernels: { tuning, avoided: avoided.map(String) } };
}

async function checkpointPath(path: string): Promise<string> {
  const isFolder = await Deno.stat(path).then((info) => info.isDirectory, () => false);
  return isFolder ? join(path, CHECKPOINT_FILE) : path;
}

function text(value: unknown): string {
  return value === undefined ? "not named" : JSON.stringify(value);
}
