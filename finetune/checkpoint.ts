import { type Device, entries, type Shape, type Tensor, type Tree } from "../core/mod.ts";
import { FlatParams, readTree } from "./_flat.ts";
import { crc32 } from "../model/weights/_crc32.ts";
import { snakeCase } from "../model/weights/names.ts";
import { encodeSafetensors, type NamedArray, parseSafetensors, toFloat32 } from "../model/weights/safetensors.ts";
import type { TrainerState } from "./trainer.ts";

/** What a checkpoint file holds. */
export interface Checkpoint {
  /** Parameters by their state-dict names. */
  readonly params: ReadonlyMap<string, NamedArray>;
  /** Memory of the trainer, in checkpoints to go on from. */
  readonly trainer?: TrainerState;
  /** Plain data that whoever wrote it needs: configuration, seed, history. */
  readonly facts: Readonly<Record<string, unknown>>;
}

const FORMAT = "denofold-checkpoint-1";

/** Entries of the metadata with the CRC-32 of its other texts, and with that of the arrays. */
const TEXT_SUM = "denofold.texts.crc32";
const ARRAY_SUM = "denofold.crc32";

/**
 * Encodes parameters (and, to go on later, the trainer's memory) as a safetensors file: `param/NAME`, `optimizer/m`,
 * `optimizer/v`, `ema`, and the facts as JSON in its metadata.
 */
export async function encodeCheckpoint(
  params: Tree<Tensor>,
  facts: Readonly<Record<string, unknown>>,
  trainer?: TrainerState,
): Promise<Uint8Array> {
  const numbers = await readTree(params);
  const named = Array.from(entries<Tensor>(params), ([path, { shape }]): [string, NamedArray] => [
    snakeCase(path),
    { shape, dtype: "F32", data: numbers.get(path)! },
  ]);
  return encodeNamed(new Map(named), facts, trainer);
}

/**
 * {@linkcode encodeCheckpoint} of parameters that lie in the memory of the CPU, of any type of numbers, without anything to go
 * on from.
 */
export function encodeParameters(
  params: ReadonlyMap<string, NamedArray>,
  facts: Readonly<Record<string, unknown>>,
): Uint8Array {
  return encodeNamed(params, facts);
}

function encodeNamed(
  params: ReadonlyMap<string, NamedArray>,
  facts: Readonly<Record<string, unknown>>,
  trainer?: TrainerState,
): Uint8Array {
  const tensors = new Map(Array.from(params, ([name, array]) => [`param/${name}`, array]));
  if (trainer) {
    const { m, v } = trainer.optimizer;
    tensors.set("optimizer/m", { shape: [m.length], dtype: "F32", data: m });
    tensors.set("optimizer/v", { shape: [v.length], dtype: "F32", data: v });
    if (trainer.ema) tensors.set("ema", { shape: [trainer.ema.length], dtype: "F32", data: trainer.ema });
  }
  const steps = trainer && {
    step: trainer.step,
    skippedInARow: trainer.skippedInARow ?? 0,
    optimizerStep: trainer.optimizer.step,
  };
  const texts = { format: FORMAT, facts: JSON.stringify(facts), trainer: JSON.stringify(steps ?? null) };
  return encodeSafetensors(tensors, { ...texts, [TEXT_SUM]: sumOfTexts(texts) }, { checksum: true });
}

/**
 * Decodes what {@linkcode encodeCheckpoint} wrote.
 *
 * @param source Name of the file, for errors.
 * @throws {SyntaxError} If the bytes are damaged or are no checkpoint of denofold.
 */
export function decodeCheckpoint(bytes: Uint8Array, source: string): Checkpoint {
  const { tensors, metadata } = parseSafetensors(bytes, source);
  if (metadata.format !== FORMAT) {
    throw new SyntaxError(
      `${source} is no checkpoint of denofold: its metadata says format ${
        JSON.stringify(metadata.format?.slice(0, 40)) ?? "nothing"
      }, expected "${FORMAT}"`,
    );
  }
  if (metadata[ARRAY_SUM] === undefined || metadata[TEXT_SUM] !== sumOfTexts(metadata)) {
    throw new SyntaxError(`Cannot read ${source}: its facts do not have the checksum they were written with: damaged`);
  }
  const params = new Map<string, NamedArray>();
  for (const [name, array] of tensors) if (name.startsWith("param/")) params.set(name.slice(6), array);
  const flat = (name: string) => {
    const array = tensors.get(name);
    return array && toFloat32(array);
  };
  const steps = JSON.parse(metadata.trainer) as
    | { step: number; skippedInARow?: number; optimizerStep: number }
    | null;
  const m = flat("optimizer/m"), v = flat("optimizer/v");
  const trainer = steps && m && v
    ? {
      step: steps.step,
      skippedInARow: steps.skippedInARow ?? 0,
      optimizer: { step: steps.optimizerStep, m, v },
      ema: flat("ema"),
    }
    : undefined;
  return { params, trainer, facts: JSON.parse(metadata.facts) };
}

function sumOfTexts({ format, facts, trainer }: Readonly<Record<string, string>>): string {
  return crc32(new TextEncoder().encode([format, facts, trainer].join("\n"))).toString(16);
}

/**
 * Looks a parameter up in a checkpoint by its path in the parameter tree.
 *
 * @throws {TypeError} If it is missing or has another shape.
 */
export function findParameter(checkpoint: Checkpoint, path: string, shape: Shape, source: string): Float32Array {
  const name = snakeCase(path);
  const array = checkpoint.params.get(name);
  if (!array) throw new TypeError(`${source} has no parameter ${name}, expected one of shape [${shape}]`);
  if (array.shape.join() !== shape.join()) {
    throw new TypeError(`${source}: the parameter ${name} is [${array.shape}], this model needs [${shape}]`);
  }
  return toFloat32(array);
}

/**
 * Writes the moving average that a checkpoint keeps over parameters loaded from it; they stay as they are where it keeps
 * none. Predictions are made with the average: these are the numbers that the run itself predicted with.
 *
 * @param params The whole tree of the checkpoint's parameters, on the device.
 * @throws {TypeError} If the average is of another size.
 */
export function applyAverage(device: Device, params: Tree<Tensor>, { trainer }: Checkpoint): void {
  if (trainer?.ema === undefined) return;
  const layout = FlatParams.of(device, params);
  if (trainer.ema.length !== layout.packedSize) {
    throw new TypeError(
      `The moving average has ${trainer.ema.length} numbers, these parameters need ${layout.packedSize}`,
    );
  }
  using _ = device.scope("average");
  device.write(layout.all(), layout.spread(trainer.ema));
}
