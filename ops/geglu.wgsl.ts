import { kernelFamily } from "../core/mod.ts";
import { GELU_SLOPE, NORMAL_CDF, valueTypes } from "./_functions.wgsl.ts";
import { gegluGradientProbes, gegluProbes } from "./_battery/maps.ts";

/** What the texts depend on: whether half a row is read four elements at a time. */
export interface GegluStructure {
  readonly vector: boolean;
}

const value = ({ vector }: GegluStructure) => vector ? "vec4f" as const : "f32" as const;

/** Where the two halves of the row stand that element (or vec4) `index` of the result belongs to. */
const PLACES = `
let at = (index / u.columns) * 2u * u.columns + index % u.columns;
let a = x_at(at);
let g = x_at(at + u.columns);`;

/** `x_at`, of vec4s as the device loads them best, of single numbers as they are. */
const scalarLoad = ({ vector }: GegluStructure) => vector ? "" : "fn x_at(i: u32) -> f32 { return x[i]; }";

/** out = a · gelu(g) of the halves a and g of every row; `columns` and `n` in elements, or vec4s, of the result. */
export const gegluKernel = kernelFamily((structure: GegluStructure) => ({
  name: "geglu",
  bindings: structure.vector
    ? { x: "load vec4f" as const, out: "write vec4f" as const }
    : { x: "read f32" as const, out: "write f32" as const },
  uniforms: { n: "u32", columns: "u32" },
  declarations: valueTypes(value(structure)) + NORMAL_CDF + scalarLoad(structure),
  body: `if (index < u.n) {${PLACES}
out[index] = a * g * normalCdf(g);
}`,
}), gegluProbes);

/** Gradients of both halves. */
export const gegluGradientKernel = kernelFamily((structure: GegluStructure) => ({
  name: "gegluGradient",
  bindings: structure.vector
    ? { x: "load vec4f" as const, d_out: "load vec4f" as const, dx: "write vec4f" as const }
    : { x: "read f32" as const, d_out: "read f32" as const, dx: "write f32" as const },
  uniforms: { n: "u32", columns: "u32" },
  declarations: valueTypes(value(structure)) + NORMAL_CDF + GELU_SLOPE + scalarLoad(structure) +
    (structure.vector ? "" : "fn d_out_at(i: u32) -> f32 { return d_out[i]; }"),
  body: `if (index < u.n) {${PLACES}
let d = d_out_at(index);
dx[at] = d * g * normalCdf(g);
dx[at + u.columns] = d * a * geluSlope(g);
}`,
}), gegluGradientProbes);
