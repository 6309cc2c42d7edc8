import { type Kernel, kernelFamily } from "../core/mod.ts";
import { sparseCrossEntropyProbes, sparseCrossEntropyVjpProbes } from "./_battery/rows.ts";
import { alongRow, inputType, reader, rowDeclarations, rowPlace, type RowStructure, turnsAlongRow } from "./_rows.ts";

/** One number of a row that is read at once. */
const pick = (s: RowStructure, name: string, c: string) =>
  s.vector ? `${name}_at(base + (${c}) / 4u)[(${c}) % 4u]` : `${name}[base + ${c}]`;

/** loss[row] = log Σ exp(x) - x[goal]; `sums` gets the logarithm. */
export const sparseCrossEntropyKernel: (structure: RowStructure) => Kernel = kernelFamily((s: RowStructure) => ({
  name: "sparseCrossEntropy",
  bindings: { x: inputType(s), goal: "read i32", loss: "write f32", sums: "write f32" },
  uniforms: { rows: "u32", columns: "u32", classes: "u32" },
  turns: turnsAlongRow(s, 2, 2),
  declarations: rowDeclarations(s),
  subgroups: s.subgroup,
  body: `${rowPlace(s)}
var tops = ${reader(s, "x", "base")};
${alongRow(s, `tops = larger(tops, ${reader(s, "x", "i")});`)}
let top = row_max(lane, greatest(tops));
var sums_ = V();
${alongRow(s, `sums_ += exponential(${reader(s, "x", "i")} - top);`)}
let above = log(row_sum(lane, total(sums_)));
if (live && part == 0u) {
  let c = u32(clamp(goal[row], 0, i32(u.classes) - 1));
  loss[row] = above - (${pick(s, "x", "c")} - top);
  sums[row] = top + above;
}`,
}), sparseCrossEntropyProbes);

/** dx = d[row] (softmax(x) - one-hot(goal)). */
export const sparseCrossEntropyVjpKernel: (structure: { vector: boolean }) => Kernel = kernelFamily(
  ({ vector }: { vector: boolean }) => ({
    name: "sparseCrossEntropy.vjp",
    bindings: {
      x: inputType({ vector }),
      goal: "read i32",
      sums: "read f32",
      d: "read f32",
      dx: vector ? "write vec4f" : "write f32",
    },
    uniforms: { n: "u32", columns: "u32", classes: "u32" },
    body: `
if (index < u.n) {
  let row = index / u.columns;
  let p = exp(${reader({ vector }, "x", "index")} - sums[row]);
  let c = u32(clamp(goal[row], 0, i32(u.classes) - 1));
  let at = index % u.columns;
  let hit = ${
      vector
        ? "select(vec4f(0.0), vec4f(1.0), vec4u(4u * at) + vec4u(0u, 1u, 2u, 3u) == vec4u(c))"
        : "select(0.0, 1.0, at == c)"
    };
  dx[index] = d[row] * (p - hit);
}`,
  }),
  sparseCrossEntropyVjpProbes,
);
