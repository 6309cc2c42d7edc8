/** Matrices side by side in one, and apart again: several by one dispatch. */
import { elementGrid, isVisible, type Tensor } from "../core/mod.ts";
import { copyBox } from "./_copy.ts";
import { joinKernel, MOST_PARTS, splitKernel } from "./_join.wgsl.ts";
import { numbered } from "./_strides.ts";

/** Some columns of a matrix, and the matrix `[rows, width]` that has them alone, if there is one. */
export interface Columns {
  readonly part?: Tensor;
  readonly width: number;
}

/** Writes matrices side by side into one; columns that there is no matrix for become 0. Records no gradient. */
export function joinColumns(whole: Tensor, rows: number, parts: readonly Columns[]): void {
  const { device } = whole;
  if (whole.size === 0) return;
  if (!areSeen(whole, parts)) {
    for (const [{ part, width }, at] of placed(parts)) {
      const from = part
        ? { tensor: part, strides: [width, 1] }
        : { tensor: device.zeros([1], whole.dtype), strides: [0, 0] };
      copyBox([rows, width], from, { tensor: whole, at, strides: [whole.size / rows, 1] });
    }
    return;
  }
  for (const group of groups(whole, rows, parts)) {
    const any = group.tensors[0] ?? device.empty([4]);
    dispatch(joinKernel, whole, group, () => any);
  }
}

/** Copies the columns of a matrix to those matrices that there are. Records no gradient. */
export function splitColumns(whole: Tensor, rows: number, parts: readonly Columns[]): void {
  const { device } = whole;
  if (whole.size === 0) return;
  if (!areSeen(whole, parts)) {
    for (const [{ part, width }, at] of placed(parts)) {
      if (!part) continue;
      const from = { tensor: whole, at, strides: [whole.size / rows, 1] };
      copyBox([rows, width], from, { tensor: part, strides: [width, 1] });
    }
    return;
  }
  for (const group of groups(whole, rows, parts)) {
    if (group.tensors.length > 0) dispatch(splitKernel, whole, group, () => device.empty([4])); // no two may be one
  }
}

/** Whether the kernels can see all; else there is a copy for each part. */
function areSeen(whole: Tensor, parts: readonly Columns[]): boolean {
  return parts.length > 1 && whole.dtype !== "f16" && isVisible(whole); // the parts are no larger
}

/** Columns with the place of their first element. */
function placed(parts: readonly Columns[]): (readonly [Columns, number])[] {
  let end = 0;
  return parts.filter(({ width }) => width > 0).map((columns) => {
    end += columns.width;
    return [columns, end - columns.width] as const;
  });
}

/** Neighbouring columns that one dispatch takes. */
interface Group {
  readonly vector: boolean;
  /** The matrices that there are, in order. */
  readonly tensors: readonly Tensor[];
  readonly uniforms: Readonly<Record<string, number>> & { readonly n: number };
}

/** The dispatches for all columns: neighbouring ones as long as there are not too many tensors. */
function groups(whole: Tensor, rows: number, parts: readonly Columns[]): Group[] {
  const vector = whole.dtype === "f32" && parts.every(({ width }) => width % 4 === 0);
  const unit = vector ? 4 : 1, step = whole.size / rows / unit;
  const found: { first: number; width: number; begins: number[]; widths: number[]; tensors: Tensor[] }[] = [];
  for (const [{ part, width }, at] of placed(parts)) {
    let group = found.at(-1);
    if (!group || (part && group.tensors.length === MOST_PARTS)) {
      found.push(group = { first: at / unit, width: 0, begins: [], widths: [], tensors: [] });
    }
    if (part) {
      group.begins.push(group.width);
      group.widths.push(width / unit);
      group.tensors.push(part);
    }
    group.width += width / unit;
  }
  return found.map(({ first, width, begins, widths, tensors }) => ({
    vector,
    tensors,
    uniforms: {
      ...{ n: rows * width, first, width, step },
      ...numbered("begin", PARTS.map((i) => begins[i] ?? 0)),
      ...numbered("width", PARTS.map((i) => widths[i] ?? 0)),
    },
  }));
}

const PARTS = Array.from({ length: MOST_PARTS }, (_, i) => i);

/** @param standIn What stands where a kernel has room for a further part; it is left alone. */
function dispatch(
  kernelOf: typeof joinKernel,
  whole: Tensor,
  { vector, tensors, uniforms }: Group,
  standIn: () => Tensor,
): void {
  const bytes = uniforms.n * (vector ? 16 : 4);
  whole.device.run(kernelOf({ vector }), {
    bindings: { ...Object.fromEntries(PARTS.map((i) => [`part${i}`, tensors[i] ?? standIn()])), whole },
    uniforms,
    grid: elementGrid(uniforms.n, 64),
    ...{ flops: 0, bytesRead: bytes, bytesWritten: bytes },
  });
}
