/** AlphaFold's parameters in a checkpoint of `denofold train`, with the sizes and choices that they were trained with. */
import { type Checkpoint, decodeCheckpoint } from "../../finetune/checkpoint.ts";
import { type AlphaFoldConfig, alphafoldShapes } from "../../model/alphafold/mod.ts";
import { shapesByPath } from "../../model/layers/params.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { type NamedArray, toFloat32 } from "../../model/weights/safetensors.ts";
import type { WeightEntry } from "../../model/weights/weight_file.ts";
import { InputError } from "../errors.ts";
import { fileNameOf, type PlannedModel } from "./planned_model.ts";

/** What a packed network says of itself. */
export interface PackedFacts {
  /** What it is called. */
  readonly name: string;
  /** A sentence that stands beside all that it predicts. */
  readonly notice: string;
}

/** A checkpoint's network, and the parameters that predict. */
export interface TrainedModel {
  /** The file. */
  readonly path: string;
  /** Sizes and choices. */
  readonly config: AlphaFoldConfig;
  /** What the run noted: settings, data, history. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Its name and what everybody must know, of a network that `denofold weights pack` packed. */
  readonly packed?: PackedFacts;
  /** The parameters by OpenFold's names: the moving average where the file keeps one. */
  readonly params: ReadonlyMap<string, NamedArray>;
}

/** Whether the metadata of a safetensors file are those of a checkpoint. */
export function isCheckpoint(metadata: Readonly<Record<string, string>>): boolean {
  return metadata.format?.startsWith("denofold-checkpoint") ?? false;
}

/**
 * Reads the parameters that predict from the bytes of a checkpoint.
 *
 * @param path Name of the file, for messages.
 * @throws {InputError} If it is another network's.
 * @throws {SyntaxError} If it is damaged.
 */
export function decodeTrained(bytes: Uint8Array, path: string): TrainedModel {
  const checkpoint = decodeCheckpoint(bytes, path);
  const { model, config } = checkpoint.facts;
  if (model !== "alphafold") {
    throw new InputError(`${path} is a checkpoint of ${JSON.stringify(model)}, expected one of "alphafold"`);
  }
  const own = config as AlphaFoldConfig;
  const packed = packedIn(checkpoint.facts.packed);
  return {
    ...{ path, config: own, facts: checkpoint.facts, params: paramsThatPredict(checkpoint, own, path) },
    ...(packed && { packed }),
  };
}

function packedIn(fact: unknown): PackedFacts | undefined {
  const { name, notice } = Object(fact) as Partial<PackedFacts>;
  return typeof name === "string" && typeof notice === "string" ? { name, notice } : undefined;
}

function paramsThatPredict(
  { params, trainer }: Checkpoint,
  config: AlphaFoldConfig,
  path: string,
): ReadonlyMap<string, NamedArray> {
  const found = new Map<string, NamedArray>();
  let at = 0;
  for (const [name, shape] of [...shapesByPath(alphafoldShapes(config))].map(([p, s]) => [snakeCase(p), s] as const)) {
    const array = params.get(name);
    if (!array || array.shape.join() !== shape.join()) {
      throw new InputError(
        `${path}: ${array ? `${name} is [${array.shape}]` : `there is no ${name}`}, expected one of [${shape}]`,
      );
    }
    const size = array.data.length;
    const data = trainer?.ema ? trainer.ema.slice(at, at + size) : toFloat32(array);
    found.set(name, { dtype: "F32", shape: array.shape, data });
    at += Math.ceil(size / 4) * 4; // as averages are laid out in files
  }
  return found;
}

/** It as a network to predict with. */
export function plannedTrained({ path, config, params, packed }: TrainedModel, sha256: string): PlannedModel {
  const entries = new Map(Array.from(params, ([name, array]) => [name, entryOf(name, array)]));
  const name = packed ? fileNamePart(packed.name) : config.name;
  return {
    ...{ preset: name, config: { ...config, name } },
    weights: packed
      ? `${packed.name}, SHA-256 ${sha256}: ${packed.notice}`
      : `${fileNameOf(path)} of denofold train, SHA-256 ${sha256}`,
    notice: packed?.notice ?? null,
    open: () => Promise.resolve({ entries, [Symbol.dispose]() {} }),
  };
}

/** A name as a part of files' names: `denofold small` is `denofold_small`. */
function fileNamePart(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^_|_$/g, "") || "packed";
}

function entryOf(name: string, array: NamedArray): WeightEntry {
  const { dtype, shape, data } = array;
  return {
    ...{ name, dtype, shape },
    read(rows) {
      if (!rows) return Promise.resolve(array);
      const step = data.length / shape[0];
      const part = (data as Float32Array<ArrayBuffer>).slice(rows.from * step, rows.to * step);
      return Promise.resolve({ dtype, shape: [rows.to - rows.from, ...shape.slice(1)], data: part });
    },
  };
}
