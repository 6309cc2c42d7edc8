/** Brings weights to the device. */
import type { Device, Dtype, Shape, Tensor } from "../../core/mod.ts";
import { toFloat32 } from "./safetensors.ts";
import type { WeightEntry } from "./weight_file.ts";

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
  /** How matrices are kept on the device; vectors stay f32. @default "f32" */
  readonly dtype?: Dtype & ("f32" | "f16");
  /** Called after each tensor with how many are there, of how many. */
  readonly progress?: (done: number, total: number) => void;
}

/**
 * Reads the parameters of a network from a file and writes each to the device as it comes, so that the memory of the
 * host holds little more than one.
 *
 * @param entries The file's parameters; read in its own order.
 * @param shapes Those wanted.
 * @returns Tensors by name, owned by the scope that is current when this is called.
 * @throws {TypeError} If one is missing or has another size.
 */
export async function loadWeights(
  device: Device,
  entries: ReadonlyMap<string, WeightEntry>,
  shapes: ReadonlyMap<string, Shape>,
  { dtype = "f32", progress }: LoadWeightsOptions = {},
): Promise<Map<string, Tensor>> {
  const { missing, misshapen } = fitOf(entries, shapes);
  if (missing.length + misshapen.length > 0) {
    throw new TypeError(`Cannot load the weights: ${fitText(missing, misshapen)}`);
  }
  const kindOf = (shape: Shape) => (shape.length > 1 ? dtype : "f32");
  // All tensors are made at once, before anything is awaited: the scope that is current then owns them.
  const tensors = new Map([...shapes].map(([name, shape]) => [name, device.empty(shape, kindOf(shape))]));
  let done = 0;
  for (const [name, entry] of entries) {
    const tensor = tensors.get(name);
    if (!tensor) continue;
    device.write(tensor, toFloat32(await entry.read()));
    progress?.(++done, shapes.size);
  }
  return tensors;
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
