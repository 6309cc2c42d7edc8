/** Brings weights to the device. */
import { fromBfloat16, toBfloat16 } from "../../core/bfloat16.ts";
import type { Device, Shape, Tensor } from "../../core/mod.ts";
import { toFloat32 } from "./safetensors.ts";
import { release, type WeightEntry } from "./weight_file.ts";

/** What a file lacks, has too much of, or has in another size, seen from a network. */
export interface WeightsFit {
  /** Parameters of the network that the file lacks. */
  readonly missing: readonly string[];
  /** Parameters of the file that the network does not have. */
  readonly surplus: readonly string[];
  /** Parameters of other sizes. */
  readonly misshapen: readonly { readonly name: string; readonly found: Shape; readonly expected: Shape }[];
}

/** Compares a file's parameters with those that a network has. */
export function fitOf(
  entries: ReadonlyMap<string, Pick<WeightEntry, "shape">>,
  shapes: ReadonlyMap<string, Shape>,
): WeightsFit {
  const misshapen = [...shapes].flatMap(([name, expected]) => {
    const found = entries.get(name)?.shape;
    return found && String(found) !== String(expected) ? [{ name, found, expected }] : [];
  });
  return {
    missing: [...shapes.keys()].filter((name) => !entries.has(name)),
    surplus: [...entries.keys()].filter((name) => !shapes.has(name)),
    misshapen,
  };
}

/** Whether a file is exactly what a network needs. */
export function fits({ missing, surplus, misshapen }: WeightsFit): boolean {
  return missing.length + surplus.length + misshapen.length === 0;
}

/** How {@linkcode loadWeights} goes about it. */
export interface LoadWeightsOptions {
  /** How matrices of blocks are held on the device. @default "f32" */
  readonly dtype?: WeightsDtype;
  /** Whether a parameter, by its name, stays f32 in any case, as what is trained does. @default none does */
  readonly exact?: (name: string) => boolean;
  /** Called after each tensor with how many are there, of how many. */
  readonly progress?: (done: number, total: number) => void;
  /** Told of each matrix that is held in 16 bits what rounding it costs. */
  readonly onRounded?: (name: string, error: RoundingError) => void;
}

/**
 * How weights are held on the device: as they are, or rounded to the 11 significant bits of float16 or the 8 of bfloat16.
 * Either is held in 16 bits, which hold bfloat16's numbers exactly from 2^-17 up, and smaller ones to 2^-25.
 */
export type WeightsDtype = "f32" | "f16" | "bf16";

/** All of them. */
export const WEIGHTS_DTYPES: readonly WeightsDtype[] = ["f32", "f16", "bf16"];

/** What rounding a matrix costs. */
export interface RoundingError {
  /** Largest difference, in parts of the largest number. */
  readonly largest: number;
  /** Root mean square of the differences, in parts of that of the numbers. */
  readonly rms: number;
}

/**
 * How a parameter is held: matrices of blocks, whose rows are whole vec4s, in 16 bits where that is chosen; all else, few
 * numbers and many of them sensitive, in f32.
 *
 * @param name OpenFold's.
 */
export function heldAs(name: string, shape: Shape, dtype: WeightsDtype): "f32" | "f16" {
  const inBlock = /(?:^|\.)blocks\.\d+\./.test(name);
  return dtype !== "f32" && inBlock && shape.length === 2 && shape[1] % 4 === 0 ? "f16" : "f32";
}

/** Tensors for parameters, without content; owned by the current scope. */
export function emptyWeights(
  device: Device,
  shapes: ReadonlyMap<string, Shape>,
  dtype: WeightsDtype = "f32",
  exact: (name: string) => boolean = () => false,
): Map<string, Tensor> {
  const typeOf = (name: string, shape: Shape) => exact(name) ? "f32" : heldAs(name, shape, dtype);
  return new Map(Array.from(shapes, ([name, shape]) => [name, device.empty(shape, typeOf(name, shape))]));
}

/**
 * Reads the parameters of a network from a file and writes each to the device as it comes, so that the memory of the
 * host holds little more than one.
 *
 * @param entries The file's parameters; read in its own order.
 * @param shapes Those wanted.
 * @returns Tensors by name, owned by the scope that is current when this is called.
 * @throws {TypeError} If one is missing, has another size, or a number that 16 bits cannot hold.
 */
export async function loadWeights(
  device: Device,
  entries: ReadonlyMap<string, WeightEntry>,
  shapes: ReadonlyMap<string, Shape>,
  { dtype = "f32", exact, progress, onRounded }: LoadWeightsOptions = {},
): Promise<Map<string, Tensor>> {
  const { missing, misshapen } = fitOf(entries, shapes);
  if (missing.length + misshapen.length > 0) {
    throw new TypeError(`Cannot load the weights: ${fitText(missing, misshapen)}`);
  }
  // All tensors are made at once, before anything is awaited: the scope that is current then owns them.
  const tensors = emptyWeights(device, shapes, dtype, exact);
  let done = 0;
  for (const [name, entry] of entries) {
    const tensor = tensors.get(name);
    if (!tensor) continue;
    const { data, ...array } = await entry.read();
    const numbers = toFloat32({ ...array, data });
    if (tensor.dtype === "f32") device.write(tensor, numbers);
    else {
      const held = rounded(numbers, dtype);
      const error = roundingError(numbers, held);
      if (!Number.isFinite(error.largest)) {
        throw new TypeError(`Cannot hold ${name} in 16 bits: it has numbers above 65504, or that are not finite`);
      }
      onRounded?.(name, error);
      device.write(tensor, held);
    }
    if (entry.fresh || numbers !== data) release(numbers);
    if (entry.fresh) release(data);
    progress?.(++done, shapes.size);
  }
  return tensors;
}

/** Numbers rounded to those that 16 bits hold. */
function rounded(numbers: Float32Array, dtype: WeightsDtype): Float16Array<ArrayBuffer> {
  return Float16Array.from(dtype === "bf16" ? fromBfloat16(toBfloat16(numbers)) : numbers);
}

function roundingError(numbers: Float32Array, held: Float16Array): RoundingError {
  let most = 0, apart = 0, squares = 0, errors = 0;
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i], difference = Math.abs(held[i] - number);
    if (Math.abs(number) > most) most = Math.abs(number);
    if (!(difference <= apart)) apart = difference; // NaN too
    squares += number * number;
    errors += difference * difference;
  }
  return { largest: most > 0 ? apart / most : apart, rms: squares > 0 ? Math.sqrt(errors / squares) : 0 };
}

/** The first few faults in a line. */
export function fitText(missing: readonly string[], misshapen: WeightsFit["misshapen"]): string {
  const MOST = 5;
  const some = (names: readonly string[]) =>
    `${names.slice(0, MOST).join(", ")}${names.length > MOST ? ` and ${names.length - MOST} more` : ""}`;
  return [
    ...(missing.length ? [`it lacks ${some(missing)}`] : []),
    ...(misshapen.length
      ? [`${some(misshapen.map(({ name, found, expected }) => `${name} is [${found}], expected [${expected}]`))}`]
      : []),
  ].join("; ");
}
