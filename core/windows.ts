/** Tensors larger than a kernel may see at once: their rows are gone through in windows. */
import type { Device } from "./device.ts";
import { type Shape, sizeOf } from "./shapes.ts";
import { type Tensor, WINDOW_STEP } from "./tensor.ts";

/** Most elements of a tensor that a kernel of this device may see; whole vec4s. */
export function mostVisible({ traits }: Device): number {
  return Math.floor(traits.maxBindingBytes / 16) * 4;
}

/** Whether a kernel may see all of a tensor. */
export function isVisible({ device, size }: Tensor): boolean {
  return size <= mostVisible(device);
}

/** Some neighbouring elements of a tensor to read: a window where one can begin there, else a copy. */
export function readable(tensor: Tensor, first: number, shape: Shape): Tensor {
  const { device, dtype } = tensor;
  if (first % WINDOW_STEP === 0) return device.window(tensor, first, shape);
  const copy = device.empty(shape, dtype);
  device.copy(tensor, copy, { fromElement: first, count: sizeOf(shape) });
  return copy;
}

/**
 * What a kernel that can begin at any element is given to get at some elements of a tensor: the tensor, or a window of
 * it where the whole is too large, and the place of the first element in that.
 */
export function within(tensor: Tensor, first: number, count: number): { part: Tensor; at: number } {
  if (isVisible(tensor) || count === tensor.size) return { part: tensor, at: first };
  const at = first % WINDOW_STEP;
  return { part: tensor.device.window(tensor, first - at, [at + count]), at };
}

/**
 * Runs a kernel that works row by row: on all rows at once where it may see all of every tensor, else window by window.
 *
 * @param rows Number of rows; every tensor has `size / rows` elements in each.
 * @param reads What the kernel reads, by name; what is undefined is left out.
 * @param writes What it writes, each row in full; it may read it too where a row is one element.
 * @param unit Windows begin at multiples of so many rows. @default 1
 * @param run Gets those tensors that are given, or windows of them (flat), the number of rows and the first one.
 */
export function inWindows(
  device: Device,
  rows: number,
  { reads = {}, writes = {}, unit = 1 }: {
    readonly reads?: Readonly<Record<string, Tensor | undefined>>;
    readonly writes?: Readonly<Record<string, Tensor | undefined>>;
    readonly unit?: number;
  },
  run: (tensors: Record<string, Tensor>, rows: number, first: number) => void,
): void {
  const inputs = given(reads), outputs = given(writes);
  const all = [...inputs, ...outputs];
  if (all.every(([, tensor]) => isVisible(tensor))) return run(Object.fromEntries(all), rows, 0);
  const widths = all.map(([, { size }]) => size / rows);
  const most = Math.floor(mostVisible(device) / Math.max(...widths));
  const aligned = Math.max(...widths.map(alignedRows)) * unit;
  const step = most < aligned ? unit : aligned;
  const perWindow = Math.max(step, most - most % step);
  for (let first = 0; first < rows; first += perWindow) {
    using _ = device.scope("window");
    const count = Math.min(perWindow, rows - first);
    const part = ({ size }: Tensor) => ({ at: first * size / rows, n: count * size / rows });
    const tensors: Record<string, Tensor> = {};
    for (const [name, tensor] of inputs) {
      const { at, n } = part(tensor);
      tensors[name] = readable(tensor, at, [n]);
    }
    for (const [name, tensor] of outputs) {
      const { at, n } = part(tensor);
      tensors[name] = at % WINDOW_STEP === 0 ? device.window(tensor, at, [n]) : device.empty([n], tensor.dtype);
    }
    run(tensors, count, first);
    for (const [name, tensor] of outputs) {
      const { at } = part(tensor);
      if (at % WINDOW_STEP !== 0) device.copy(tensors[name], tensor, { toElement: at });
    }
  }
}

/** Fewest rows after which a tensor has a place where a window can begin. */
function alignedRows(width: number): number {
  let rows = WINDOW_STEP;
  while (rows > 1 && (rows / 2) * width % WINDOW_STEP === 0) rows /= 2;
  return rows;
}

function given(tensors: Readonly<Record<string, Tensor | undefined>>): [string, Tensor][] {
  return Object.entries(tensors).filter((entry): entry is [string, Tensor] => entry[1] !== undefined);
}
