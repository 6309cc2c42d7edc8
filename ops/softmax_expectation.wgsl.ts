import { kernelFamily } from "../core/mod.ts";
import { expectationProbes, expectationVjpProbes } from "./_battery/rows.ts";
import {
  alongRow,
  inputType,
  outputType,
  reader,
  rowDeclarations,
  rowPlace,
  type RowStructure,
  turnsAlongRow,
} from "./_rows.ts";

const UNIFORMS = { rows: "u32", columns: "u32", first: "u32", perGroup: "u32" } as const;

/** Where the row's values begin; a table of one row serves all. */
const VALUES = "let values0 = (row + u.first) / u.perGroup * u.columns;";

/** Largest logit `top` of the row, sum `total_` of exponentials, and `mean` of the values. */
const weigh = (s: RowStructure) => `
var tops = ${reader(s, "x", "base")};
${alongRow(s, `tops = larger(tops, ${reader(s, "x", "i")});`)}
let top = row_max(lane, greatest(tops));
var sums = V();
var weighed = V();
${
  alongRow(
    s,
    `let e = exponential(${reader(s, "x", "i")} - top); sums += e; weighed += e * ${
      reader(s, "centers", "values0 + j")
    };`,
  )
}
let whole = row_sum(lane, total(sums));
let mean = row_sum(lane, total(weighed)) / whole;`;

/** out[row] = Σ softmax(x)[row, c] centers[group, c]. */
export const expectationKernel = kernelFamily((s: RowStructure) => ({
  name: "softmaxExpectation",
  bindings: { x: inputType(s), centers: inputType(s), out: "write f32" },
  uniforms: UNIFORMS,
  turns: turnsAlongRow(s, 2, 3),
  declarations: rowDeclarations(s),
  subgroups: s.subgroup,
  body: `${rowPlace(s)}
${VALUES}
${weigh(s)}
if (live && part == 0u) { out[row] = mean; }`,
}), expectationProbes);

/** dx = d[row] softmax(x) (centers - mean). */
export const expectationVjpKernel = kernelFamily((s: RowStructure) => ({
  name: "softmaxExpectation.vjp",
  bindings: { x: inputType(s), centers: inputType(s), d: "read f32", dx: outputType(s) },
  uniforms: UNIFORMS,
  turns: turnsAlongRow(s, 3, 3),
  declarations: rowDeclarations(s),
  subgroups: s.subgroup,
  body: `${rowPlace(s)}
${VALUES}
${weigh(s)}
let scale = d[row] / whole;
if (live) {
${
    alongRow(
      s,
      `dx[i] = exp(${reader(s, "x", "i")} - top) * scale * (${reader(s, "centers", "values0 + j")} - mean);`,
    )
  }
}`,
}), expectationVjpProbes);
