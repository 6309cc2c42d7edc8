/** How far results with 16-bit intermediates, and perhaps representations, are from those with 32 bits. */
import { type Device, entries, type Key, leaves, type Tensor, type Tree } from "../../core/mod.ts";
import type { StorageError } from "./profile_data.ts";

/**
 * Runs a network with 32-bit, then with 16-bit intermediates and compares its outputs, by their names.
 *
 * @param run What it returns is freed. The device keeps 16 bits afterwards.
 * @param options `all`: whether representations are of 16 bits too (@default false).
 */
export async function storageErrors(
  device: Device,
  run: () => Tree<Tensor>,
  { all = false }: { readonly all?: boolean } = {},
): Promise<Record<string, StorageError>> {
  const read = async (dtype: "f32" | "f16") => {
    device.intermediates = dtype;
    if (all) device.representations = dtype;
    using scope = device.scope("outputs");
    void scope;
    const outputs = entries<Tensor>(run());
    return await Promise.all(outputs.map(async ([name, x]) => [name, await x.read()] as const));
  };
  const whole = await read("f32"), half = await read("f16");
  return Object.fromEntries(whole.map(([name, numbers], i) => [name, difference(half[i][1], numbers)]));
}

function difference(actual: ArrayLike<number>, expected: ArrayLike<number>): StorageError {
  let errors = 0, squares = 0, max = 0;
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs(actual[i] - expected[i]);
    if (!(error <= max)) max = error; // NaN stays
    errors += error * error;
    squares += expected[i] ** 2;
  }
  return { relativeRms: Math.sqrt(errors / squares), max, rms: Math.sqrt(squares / expected.length) };
}

/**
 * Gives random numbers to matrices of zeros, so that no part of a network is idle: fresh ones end many modules so.
 *
 * @returns What makes them zeros again.
 */
export async function fillZeros(device: Device, params: Tree<Tensor>, key: Key): Promise<() => void> {
  const idle: Tensor[] = [];
  for (const tensor of leaves<Tensor>(params)) {
    if (tensor.shape.length > 1 && (await tensor.read()).every((x) => x === 0)) idle.push(tensor);
  }
  for (const [i, tensor] of idle.entries()) {
    const scale = 1 / Math.sqrt(tensor.shape.at(-1)!);
    device.write(tensor, key.at(i).normal(tensor.size).map((x) => scale * x));
  }
  return () => {
    for (const tensor of idle) device.write(tensor, new Float32Array(tensor.size));
  };
}
