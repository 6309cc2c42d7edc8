import { type BindingType, type Kernel, kernelFamily, type UniformType, unroll } from "../core/mod.ts";
import { copyProbes } from "./_battery/maps.ts";
import { coordinatesWgsl, placeWgsl } from "./_strides.ts";

/** What the text of a copy depends on. */
export interface CopyStructure {
  /**
   * What an invocation copies: one f32, one integer, one vec4 along the last axis, or a 4×4 block whose rows lie along
   * one axis in the source and along another in the target (a transposition).
   */
  readonly unit: "single" | "integer" | "vector" | "block";
  readonly rank: number;
  /** Whether the elements of either side are 16-bit floats: in units of vec4s alone. */
  readonly half: boolean;
}

const ELEMENT = { single: "f32", integer: "u32", vector: "vec4f", block: "vec4f" } as const;

/** Copies a box of `n` units between two tensors, from `fromAt` with strides f0 … to `toAt` with strides t0 … */
export const copyKernel: (structure: CopyStructure) => Kernel = kernelFamily(({ unit, rank, half }: CopyStructure) => {
  const element = ELEMENT[unit];
  const bindings: Record<string, BindingType> = half
    ? { source: "load vec4f", result: "store vec4f" }
    : { source: `read ${element}`, result: `write ${element}` };
  const from = (at: string) => half ? `source_at(${at})` : `source[${at}]`;
  const put = (at: string, value: string) => half ? `result_put(${at}, ${value});` : `result[${at}] = ${value};`;
  const uniforms: Record<string, UniformType> = {
    n: "u32",
    fromAt: "u32",
    toAt: "u32",
    fromStep: "u32",
    toStep: "u32",
  };
  for (const name of ["s", "f", "t"]) for (let axis = 0; axis < rank; axis++) uniforms[`${name}${axis}`] = "u32";
  const copy = unit === "block"
    ? `
let m = transpose(mat4x4f(${[0, 1, 2, 3].map((i) => from(`a + ${i}u * u.fromStep`)).join(", ")}));
${unroll(4, (i) => put(`b + ${i}u * u.toStep`, `m[${i}]`))}`
    : put("b", from("a"));
  return {
    name: "copy",
    bindings,
    uniforms,
    body: `
if (index < u.n) {
${coordinatesWgsl(rank)}
let a = u.fromAt + ${placeWgsl("f", rank)};
let b = u.toAt + ${placeWgsl("t", rank)};
${copy.trim()}
}`,
  };
}, copyProbes);
