import { kernelFamily } from "../core/mod.ts";
import { softmaxGradientProbes, softmaxProbes } from "./_battery/rows.ts";
import { alongRow, inputType, outputType, reader, rowDeclarations, type RowStructure, turnsAlongRow } from "./_rows.ts";

/** What the softmax kernels depend on. */
export interface SoftmaxStructure extends RowStructure {
  /** Whether four neighbouring lines go side by side: the axis is not the last, and the axes after it divide by four. */
  readonly across: boolean;
}

const UNIFORMS = { lines: "u32", columns: "u32", stride: "u32" } as const;

const STEP = " * u.stride";

/** A line's place: `base` is its first element, each next one `stride` further. */
const place = ({ rowLanes }: SoftmaxStructure) => `
let live = index / ${rowLanes}u < u.lines;
let line = min(index / ${rowLanes}u, u.lines - 1u);
let part = lane % ${rowLanes}u;
let base = line / u.stride * u.columns * u.stride + line % u.stride;`;

const along = (s: SoftmaxStructure, statement: string) => alongRow(s, statement, STEP);
const sumOf = ({ across }: SoftmaxStructure, v: string) => (across ? v : `row_sum(lane, total(${v}))`);

/** exp(x - max) / Σ exp(x - max). */
export const softmaxKernel = kernelFamily((s: SoftmaxStructure) => ({
  name: "softmax",
  bindings: { x: inputType(s), out: outputType(s) },
  uniforms: UNIFORMS,
  turns: turnsAlongRow(s, 3, 2),
  declarations: rowDeclarations(s),
  subgroups: s.subgroup,
  body: `${place(s)}
var tops = ${reader(s, "x", "base")};
${along(s, `tops = larger(tops, ${reader(s, "x", "i")});`)}
let top = ${s.across ? "tops" : "row_max(lane, greatest(tops))"};
var sums = V();
${along(s, `sums += exponential(${reader(s, "x", "i")} - top);`)}
let scale = 1.0 / ${sumOf(s, "sums")};
if (live) {
${along(s, `out[i] = exponential(${reader(s, "x", "i")} - top) * scale;`)}
}`,
}), softmaxProbes);

/** dx = out · (dOut - Σ dOut · out). */
export const softmaxGradientKernel = kernelFamily((s: SoftmaxStructure) => ({
  name: "softmaxGradient",
  bindings: { y: inputType(s), d_out: inputType(s), dx: outputType(s) },
  uniforms: UNIFORMS,
  turns: turnsAlongRow(s, 2, 1),
  declarations: rowDeclarations(s),
  subgroups: s.subgroup,
  body: `${place(s)}
var dots = V();
${along(s, `dots += ${reader(s, "y", "i")} * ${reader(s, "d_out", "i")};`)}
let dot = ${sumOf(s, "dots")};
if (live) {
${along(s, `dx[i] = ${reader(s, "y", "i")} * (${reader(s, "d_out", "i")} - dot);`)}
}`,
}), softmaxGradientProbes);
