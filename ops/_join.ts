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
  for (const { vector, uniforms, tensors } of groups(whole, rows, parts)) {
    const any = tensors[0] ?? device.empty([4]); // stands where there is no part, and is not read
    device.run(joinKernel({ vector }), {
      bindings: { ...named((i) => tensors[i] ?? any), whole },
      uniforms,
      ...costs(uniforms.n, vector),
    });
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
  for (const { vector, uniforms, tensors } of groups(whole, rows, parts)) {
    if (!tensors.length) continue;
    device.run(splitKernel({ vector }), {
      bindings: { ...named((i) => tensors[i] ?? device.empty([4])), whole },
      uniforms,
      ...costs(uniforms.n, vector),
    });
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

/** The dispatches for all columns: neighbouring ones as long as there are not too many tensors. */
function groups(whole: Tensor, rows: number, parts: readonly Columns[]) {
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

function named(tensorOf: (i: number) => Tensor): Record<string, Tensor> {
  return Object.fromEntries(PARTS.map((i) => [`part${i}`, tensorOf(i)]));
}

function costs(n: number, vector: boolean) {
  const bytes = n * (vector ? 16 : 4);
  return { grid: elementGrid(n, 64), flops: 0, bytesRead: bytes, bytesWritten: bytes };
}
