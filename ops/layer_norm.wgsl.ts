import { kernelFamily } from "../core/mod.ts";
import { layerNormAffineProbes, layerNormGradientProbes, layerNormProbes } from "./_battery/rows.ts";
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

/** What the layer norm's kernels depend on. */
export interface LayerNormStructure extends RowStructure {
  readonly gamma: boolean;
  readonly beta: boolean;
  /**
   * Whether rows of a part of a tensor are read, where uniforms tell that they are; nothing is kept of them then. Rows are
   * whole vec4s. @default false
   */
  readonly part?: boolean;
}

const FIRST = (s: LayerNormStructure) => (s.vector ? `x_at(${FROM(s)}).x` : `x[${FROM(s)}]`);

/** Where the row that is read begins. */
const FROM = ({ part }: LayerNormStructure) => (part ? "origin" : "base");

/** The number of x at place `j` of the row. */
const X = (s: LayerNormStructure) => reader(s, "x", s.part ? "origin + j" : "i");

/**
 * y = (x - mean) · rstd · gamma + beta. All is computed of x less the row's first element, so that a large common
 * offset costs no digits; `stats` holds that element, the mean of the differences and rstd.
 */
export const layerNormKernel = kernelFamily((s: LayerNormStructure) => ({
  name: "layerNorm",
  bindings: {
    x: s.part ? "gather vec4f" as const : inputType(s),
    ...(s.gamma ? { gamma: inputType(s) } : {}),
    ...(s.beta ? { beta: inputType(s) } : {}),
    out: outputType(s),
    ...(s.part ? {} : { stats: "write vec4f" as const }),
  },
  uniforms: {
    ...{ rows: "u32", columns: "u32", inverse_c: "f32", eps: "f32" },
    ...(s.part ? { first: "u32" as const, block: "u32" as const, step: "u32" as const } : {}),
  },
  turns: turnsAlongRow(s, 3, 2),
  declarations: rowDeclarations(s),
  subgroups: s.subgroup,
  body: `${rowPlace(s)}
${s.part ? "let origin = (u.first + row / u.block * u.step + row % u.block) * u.columns;" : ""}
let shift = ${FIRST(s)};
var sum = V();
${alongRow(s, `sum += ${X(s)} - shift;`)}
let mean = row_sum(lane, total(sum)) * u.inverse_c;
var squares = V();
${alongRow(s, `let d = (${X(s)} - shift) - mean; squares += d * d;`)}
let rstd = inverseSqrt(row_sum(lane, total(squares)) * u.inverse_c + u.eps);
if (live) {
${s.part ? "" : "if (part == 0u) { stats[row] = vec4f(shift, mean, rstd, 0.0); }"}
${
    alongRow(
      s,
      `out[i] = ((${X(s)} - shift) - mean) * rstd${s.gamma ? ` * ${reader(s, "gamma", "j")}` : ""}${
        s.beta ? ` + ${reader(s, "beta", "j")}` : ""
      };`,
    )
  }
}`,
}), layerNormProbes);

/** dx = rstd · (g - mean(g) - x̂ · mean(g · x̂)), g = dOut · gamma. */
export const layerNormGradientKernel = kernelFamily((s: RowStructure & { readonly gamma: boolean }) => {
  const values = `let n = ((${reader(s, "x", "i")} - stat.x) - stat.y) * stat.z; let g = ${reader(s, "d_out", "i")}${
    s.gamma ? ` * ${reader(s, "gamma", "j")}` : ""
  };`;
  return {
    name: "layerNormGradient",
    bindings: {
      x: inputType(s),
      d_out: inputType(s),
      ...(s.gamma ? { gamma: inputType(s) } : {}),
      stats: "load vec4f" as const,
      dx: outputType(s),
    },
    uniforms: { rows: "u32", columns: "u32", inverse_c: "f32" },
    turns: turnsAlongRow(s, 2, 2),
    declarations: rowDeclarations(s),
    subgroups: s.subgroup,
    body: `${rowPlace(s)}
let stat = stats_at(row);
var sum = V();
var dot = V();
${alongRow(s, `${values} sum += g; dot += g * n;`)}
let mean_g = row_sum(lane, total(sum)) * u.inverse_c;
let mean_gn = row_sum(lane, total(dot)) * u.inverse_c;
if (live) {
${alongRow(s, `${values} dx[i] = stat.z * (g - mean_g - n * mean_gn);`)}
}`,
  };
}, layerNormGradientProbes);

/** Sums of dOut · x̂ and, behind them, of dOut over a chunk of rows, column by column: [chunks, 2, columns]. */
export const layerNormAffineKernel = kernelFamily((s: { readonly vector: boolean }) => ({
  name: "layerNormAffineGradient",
  bindings: {
    x: inputType(s),
    d_out: inputType(s),
    stats: "load vec4f" as const,
    d_affine: outputType(s),
  },
  uniforms: { rows: "u32", columns: "u32", chunks: "u32", chunk: "u32" },
  turns: ({ chunk }) => chunk + 1,
  declarations: `alias V = ${s.vector ? "vec4f" : "f32"};`,
  body: `
if (index >= u.columns * u.chunks) { return; }
let column = index % u.columns;
let chunk = index / u.columns;
let first = chunk * u.chunk;
let end = min(first + u.chunk, u.rows);
var gamma_sum = V();
var beta_sum = V();
for (var row = first; row < end; row++) {
  let stat = stats_at(row);
  let i = row * u.columns + column;
  let d = ${reader(s, "d_out", "i")};
  gamma_sum += d * (((${reader(s, "x", "i")} - stat.x) - stat.y) * stat.z);
  beta_sum += d;
}
let at = 2u * chunk * u.columns + column;
d_affine[at] = gamma_sum;
d_affine[at + u.columns] = beta_sum;`,
}), layerNormAffineProbes);
