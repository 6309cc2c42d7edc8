import { defineOp, noGrad, resolveAxis, sizeOf, type Tensor, WINDOW_STEP } from "../core/mod.ts";
import { joinColumns, splitColumns } from "./_join.ts";

type Parts = { readonly [number: string]: Tensor | undefined };

/** An axis, and the sizes along it of what lies there one behind the other. */
interface Attributes {
  readonly axis: number;
  readonly sizes: readonly number[];
}

const concatOp = defineOp<Parts, never, Record<never, never>, Attributes>({
  name: "concat",
  needs: [],
  forward: (parts, { axis, sizes }) => ({ out: joined(sizes.map((_, i) => parts[i]), axis, sizes) }),
  vjp({ wanted, attributes: { axis, sizes } }, dOut) {
    const parts = apart(dOut, axis, sizes, { wanted: sizes.map((_, i) => !!wanted[i]), share: true });
    return Object.fromEntries(parts.entries());
  },
});

function joined(parts: readonly (Tensor | null | undefined)[], axis: number, sizes: readonly number[]): Tensor {
  const { device, dtype, shape } = parts.find((part) => !!part)!;
  const out = device.empty(shape.with(axis, sizes.reduce((sum, n) => sum + n, 0)), dtype);
  const inner = sizeOf(shape.slice(axis + 1));
  joinColumns(
    out,
    sizeOf(shape.slice(0, axis)),
    sizes.map((n, i) => ({ part: parts[i] ?? undefined, width: n * inner })),
  );
  return out;
}

/** The parts of a tensor along an axis that are wanted; with `share` those that can be are windows of it. */
function apart(
  x: Tensor,
  axis: number,
  sizes: readonly number[],
  { wanted, share = false }: { readonly wanted?: readonly boolean[]; readonly share?: boolean } = {},
): (Tensor | undefined)[] {
  const { device, dtype, shape } = x;
  const rows = sizeOf(shape.slice(0, axis)), inner = sizeOf(shape.slice(axis + 1));
  let end = 0;
  const columns = sizes.map((n, i) => {
    const width = n * inner, first = end;
    end += width;
    if (wanted && !wanted[i]) return { width };
    if (share && rows === 1 && first % WINDOW_STEP === 0) {
      return { width, window: device.window(x, first, shape.with(axis, n)) };
    }
    return { width, part: device.empty(shape.with(axis, n), dtype) };
  });
  splitColumns(x, rows, columns);
  return columns.map(({ part, window }) => part ?? window);
}

/**
 * Joins tensors along an axis.
 *
 * @param tensors At least one; sizes agree but for the axis, dtypes agree.
 * @param axis From the front (0 …) or the back (-1 …).
 * @throws {TypeError} If there is no tensor, or shapes or dtypes do not agree.
 * @throws {RangeError} If there is no such axis.
 */
export function concat(tensors: readonly Tensor[], axis: number): Tensor {
  if (!tensors.length) throw new TypeError("concat needs at least one tensor");
  const [{ shape, dtype }] = tensors;
  const along = resolveAxis(axis, shape);
  for (const tensor of tensors) {
    const agrees = tensor.shape.length === shape.length && tensor.dtype === dtype &&
      tensor.shape.every((n, i) => i === along || n === shape[i]);
    if (!agrees) {
      throw new TypeError(
        `Cannot concat along axis ${axis}: a tensor is ${dtype} [${shape}], another ${tensor.dtype} [${tensor.shape}]`,
      );
    }
  }
  return concatOp(Object.fromEntries(tensors.entries()), {
    axis: along,
    sizes: tensors.map(({ shape }) => shape[along]),
  });
}

/**
 * {@linkcode concat} along the first axis, of tensors some of which are zeros.
 *
 * @param tensors At least one is given.
 * @param sizes The sizes of all along the axis.
 */
export function concatOrZeros(tensors: readonly (Tensor | undefined)[], sizes: readonly number[]): Tensor {
  return concatOp(Object.fromEntries(tensors.entries()), { axis: 0, sizes });
}

/**
 * Cuts a tensor into parts along an axis: {@linkcode concat} undone.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { split } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
 * const [left, right] = split(x, [1, 2], -1);
 * assert.deepEqual([...await left.read()], [1, 4]);
 * assert.deepEqual([...await right.read()], [2, 3, 5, 6]);
 * ```
 *
 * @param sizes Sizes of the parts along the axis; their sum is that of the tensor.
 * @param axis From the front (0 …) or the back (-1 …).
 * @returns Copies, owned by the current scope.
 * @throws {TypeError} If the sizes do not add up to that of the axis.
 * @throws {RangeError} If there is no such axis.
 */
export function split(x: Tensor, sizes: readonly number[], axis: number): Tensor[] {
  const { device, shape } = x;
  const along = resolveAxis(axis, shape);
  const fits = sizes.every((n) => Number.isInteger(n) && n >= 0) &&
    sizes.reduce((sum, n) => sum + n, 0) === shape[along];
  if (!fits) throw new TypeError(`Cannot split [${shape}] along axis ${axis} into [${sizes}]`);
  using scope = device.scope("split");
  const parts = noGrad(device, () => scope.keep(apart(x, along, sizes) as Tensor[]));
  if (device.tape?.tracks(x)) {
    device.tape.record({
      name: device.profiler?.placeOf(scope) ?? "split",
      inputs: [x],
      outputs: parts,
      held: [],
      backward: (dParts) => [joined(dParts, along, sizes)],
    });
  }
  return parts;
}
