import { sizeOf, type Storage, type Tensor, WINDOW_STEP } from "../core/mod.ts";
import { runLinear } from "./_linear.ts";
import { placed, type PlacedAdapter } from "./_low_rank.ts";
import { checkAdapter, isComposed } from "./adapter.ts";
import { concat, concatOrZeros } from "./concat.ts";
import { intermediateType } from "./_intermediate.ts";
import { isTracked } from "./_parts.ts";
import { linear, type LinearParams } from "./linear.ts";

/** Storages of the biases of packed maps, one for each row of their weights: zeros for the maps that have none. */
const PACKED_BIASES = new WeakSet<Storage>();

/**
 * Lays the weights of linear maps of one input one behind the other, and their biases likewise, so that
 * {@linkcode packedLinear} can see all of them as one map without copying them. The maps stay what they are: writing to
 * one writes to what is packed.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { linear, packedLinear, packLinears } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const q = { weight: device.tensor(new Float32Array(256).fill(1), [64, 4]) };
 * const v = { weight: device.tensor(new Float32Array(256).fill(2), [64, 4]) };
 * const x = device.tensor([1, 2, 3, 4], [1, 4]);
 * const both = await packedLinear(x, packLinears([q, v])).read();
 * assert.deepEqual([both[0], both[64]], [10, 20]);
 * ```
 *
 * @param parts Weights `[cOut_i, cIn]`, biases `[cOut_i]`.
 * @returns The same maps with copies of the tensors, owned by the current scope. The maps themselves where that cannot be:
 * if weights are of different widths or types, or of sizes that are no multiples of 128.
 */
export function packLinears<P extends LinearParams>(parts: readonly P[]): readonly P[] {
  const layout = layoutOf(parts);
  if (!layout) return parts;
  const { device } = parts[0].weight;
  const { first, k, weights, biases } = layout;
  using scope = device.scope("packLinears");
  const placedAt = (tensor: Tensor, whole: Tensor, toElement: number) => {
    device.copy(tensor, whole, { toElement });
    return scope.keep(device.window(whole, toElement, tensor.shape));
  };
  const packed = parts.map((part, i) => ({
    ...part,
    weight: placedAt(part.weight, weights, first[i] * k),
    ...(biases && part.bias && { bias: placedAt(part.bias, biases, first[i]) }),
  }));
  for (const tensor of [weights, biases]) tensor?.dispose();
  return packed;
}

/**
 * {@linkcode packLinears} of maps that are not needed where they are: their tensors are moved, and take no more memory than
 * before. Maps that cannot be packed stay where they are.
 *
 * @param parts Weights `[cOut_i, cIn]`, biases `[cOut_i]`.
 */
export function layOutLinears(parts: readonly LinearParams[]): void {
  const layout = layoutOf(parts);
  if (!layout) return;
  const { first, k, weights, biases } = layout;
  const { device } = weights;
  for (const [i, { weight, bias }] of parts.entries()) {
    device.move(weight, weights, first[i] * k);
    if (biases && bias) device.move(bias, biases, first[i]);
  }
  for (const tensor of [weights, biases]) tensor?.dispose();
}

/** Room for the weights, and for the biases if there are any and their places allow it; undefined where weights do not fit together. */
function layoutOf(parts: readonly LinearParams[]) {
  const [{ weight: { device, dtype, shape: [, k] } }] = parts;
  const fits = parts.every(({ weight: { shape, dtype: own, size } }) =>
    shape[1] === k && own === dtype && size % WINDOW_STEP === 0
  );
  if (!fits || parts.length === 1) return undefined;
  const first = rowsBefore(parts);
  const rows = first[parts.length];
  const biased = parts.flatMap(({ bias }, i) => (bias ? [i] : []));
  const withBiases = biased.length > 0 && biased.every((i) => first[i] % WINDOW_STEP === 0);
  const weights = device.empty([rows, k], dtype);
  const biases = withBiases ? device.zeros([rows]) : undefined;
  if (biases) PACKED_BIASES.add(biases.storage);
  return { first, k, weights, biases };
}

/** Rows of the weights before each map, and of all. */
function rowsBefore(parts: readonly LinearParams[]): number[] {
  const rows = [0];
  for (const { weight } of parts) rows.push(rows[rows.length - 1] + weight.shape[0]);
  return rows;
}

/**
 * Linear maps of one input as one product, their outputs side by side. Weights that {@linkcode packLinears} laid out are
 * used where they are; others are copied together.
 *
 * @param x `[..., cIn]`.
 * @param parts Weights `[cOut_i, cIn]`, biases `[cOut_i]`; a map without bias among others with one has zeros.
 * @param options `intermediate`: whether the device may keep the result in 16 bits (@default false).
 * @returns `[..., Σ cOut_i]`.
 * @throws {TypeError} If shapes do not fit.
 */
export function packedLinear(
  x: Tensor,
  parts: readonly LinearParams[],
  { intermediate = false }: { readonly intermediate?: boolean } = {},
): Tensor {
  if (parts.length === 1) return linear(x, parts[0], { intermediate });
  if (parts.some(({ adapter }) => adapter && isComposed(adapter))) {
    using scope = x.device.scope("packedLinear");
    return scope.keep(concat(parts.map((part) => linear(x, part)), -1));
  }
  const k = x.shape.at(-1);
  for (const { weight, bias, adapter } of parts) {
    if (weight.shape.length !== 2 || weight.shape[1] !== k || (bias && bias.size !== weight.shape[0])) {
      throw new TypeError(
        `Cannot run packedLinear on x [${x.shape}] with weight [${weight.shape}] and bias [${
          bias?.shape ?? "none"
        }]: they must be [..., cIn], [cOut, cIn], [cOut]`,
      );
    }
    if (adapter) checkAdapter(weight, adapter);
  }
  const first = rowsBefore(parts);
  const rows = first[parts.length];
  const adapters = parts.flatMap(({ adapter }, i): PlacedAdapter[] => adapter ? [placed(adapter, first[i])] : []);
  using scope = x.device.scope("packedLinear");
  return scope.keep(runLinear(x, packedWeight(parts, rows), adapters, {
    bias: packedBias(parts, rows),
    activation: "none",
    dtype: intermediate ? intermediateType(x.device, sizeOf(x.shape.slice(0, -1)), rows) : "f32",
  }));
}

function packedWeight(parts: readonly LinearParams[], rows: number): Tensor {
  const weights = parts.map(({ weight }) => weight);
  const [{ device, dtype, storage, offset, shape: [, k] }] = weights;
  return !isTracked(...weights) && areAdjacent(parts)
    ? device.within(storage, offset, [rows, k], dtype)
    : concat(weights, 0);
}

function packedBias(parts: readonly LinearParams[], rows: number): Tensor | undefined {
  const biases = parts.flatMap(({ bias }) => bias ?? []);
  if (!biases.length) return undefined;
  const [{ weight: { device, offset, shape: [, k] } }] = parts;
  const { storage } = biases[0];
  const begin = offset / k, first = rowsBefore(parts);
  const own = PACKED_BIASES.has(storage) && begin % WINDOW_STEP === 0 && !isTracked(...biases) && areAdjacent(parts) &&
    parts.every(({ bias }, i) => !bias || (bias.storage === storage && bias.offset === begin + first[i]));
  if (own) return device.within(storage, begin, [rows]);
  return concatOrZeros(parts.map(({ bias }) => bias), parts.map(({ weight }) => weight.shape[0]));
}

/** Whether the weights lie one behind the other in one storage. */
function areAdjacent(parts: readonly LinearParams[]): boolean {
  const [{ weight: { storage, dtype, offset } }] = parts;
  let end = offset;
  return parts.every(({ weight }) => {
    const follows = weight.storage === storage && weight.dtype === dtype && weight.offset === end;
    end += weight.size;
    return follows;
  });
}
