/** A trained AlphaFold as a small package: 16-bit weights and a model card. */
import { join } from "node:path";
import { encodeParameters } from "../../finetune/mod.ts";
import { type NamedArray, toFloat32 } from "../../model/weights/safetensors.ts";
import { InputError } from "../errors.ts";
import type { TrainedModel } from "../predict/checkpoint_model.ts";
import { MODEL_FILE, readTrained } from "../predict/trained_model.ts";
import { type CardRun, modelCard } from "./model_card.ts";

/** Name of the model card. */
export const CARD_FILE = "MODEL_CARD.md";

/** What a package says of itself. */
export interface PackOptions {
  /** What the network is called. */
  readonly name: string;
  /** A sentence without its full stop that stands beside all that it predicts. */
  readonly notice: string;
  /** Paragraphs for the card, as Markdown: what it can and cannot do. @default none */
  readonly about?: string;
}

/** A package: its files, and what rounding cost. */
export interface PackedModel {
  readonly files: ReadonlyMap<string, Uint8Array | string>;
  readonly parameters: number;
  /** Bytes of the weights' file. */
  readonly bytes: number;
  /** Root mean square error of the rounded parameters, over their own root mean square. */
  readonly roundingError: number;
}

/**
 * Packs what a run of `denofold train` learnt: the average in 16 bits, with the choices that predicting needs, and a card with
 * data, recipe, losses, measures of what was held out, and hashes; the runs that it began with are told too.
 *
 * @param run Folder of a run of AlphaFold, or its checkpoint.
 * @throws {InputError} If it is none, or a number is too large for 16 bits.
 */
export async function packModel(run: string, { name, notice, about }: PackOptions): Promise<PackedModel> {
  const trained = await mustRead(run);
  const { params, config, facts } = trained;
  const halves = new Map<string, NamedArray>();
  let errors = 0, squares = 0, parameters = 0;
  for (const [key, array] of params) {
    const numbers = toFloat32(array), rounded = Float16Array.from(numbers);
    for (let i = 0; i < numbers.length; i++) {
      if (!Number.isFinite(rounded[i])) {
        throw new InputError(`Cannot pack ${trained.path}: ${key} has the number ${numbers[i]}, too large for 16 bits`);
      }
      errors += (rounded[i] - numbers[i]) ** 2;
      squares += numbers[i] ** 2;
    }
    parameters += numbers.length;
    halves.set(key, { dtype: "F16", shape: array.shape, data: new Uint16Array(rounded.buffer) });
  }
  const roundingError = Math.sqrt(errors / Math.max(squares, Number.MIN_VALUE));
  const bytes = encodeParameters(halves, {
    model: facts.model,
    config,
    denofold: facts.denofold,
    packed: { name, notice },
  });
  const runs = await runsOf(trained, run);
  const card = modelCard({
    ...{ name, notice, about, config, parameters, roundingError, runs },
    weights: { file: MODEL_FILE, bytes },
  });
  return {
    files: new Map<string, Uint8Array | string>([[MODEL_FILE, bytes], [CARD_FILE, card]]),
    ...{ parameters, bytes: bytes.length, roundingError },
  };
}

async function mustRead(path: string): Promise<TrainedModel> {
  const found = await readTrained(path);
  if (found) return found;
  throw new InputError(`${path} is no run of denofold train --model alphafold: it has no checkpoint`);
}

/** The run and those that it began with, the first first. */
async function runsOf(trained: TrainedModel, path: string): Promise<CardRun[]> {
  const { settings, data, history, computedWith } = trained.facts as unknown as Omit<CardRun, "metrics">;
  if (!settings?.own || !data || !history) {
    throw new InputError(
      `Cannot pack ${trained.path}: it does not say how it was trained, as runs of denofold train do`,
    );
  }
  const own: CardRun = { settings, data, history, computedWith, metrics: await readMetrics(path) };
  const { init } = settings.own;
  const before = typeof init === "string" ? await readTrained(init).catch(() => undefined) : undefined;
  return before?.facts.settings ? [...await runsOf(before, init as string), own] : [own];
}

/** Measures of what was held out, where the run has been through. */
async function readMetrics(folder: string): Promise<CardRun["metrics"]> {
  const text = await Deno.readTextFile(join(folder, "metrics.json")).catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text).targets;
}
