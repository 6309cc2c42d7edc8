import { type BindingType, type Kernel, kernelFamily, type UniformType } from "../core/mod.ts";
import { coordinatesWgsl, placeWgsl } from "./_strides.ts";

/** What the text of a copy depends on. */
export interface CopyStructure {
  /**
   * What an invocation copies: one f32, one integer, one vec4 along the last axis, or a 4×4 block whose rows lie along
   * one axis in the source and along another in the target (a transposition).
   */
  readonly unit: "single" | "integer" | "vector" | "block";
  readonly rank: number;
}

const ELEMENT = { single: "f32", integer: "u32", vector: "vec4f", block: "vec4f" } as const;

/** Copies a box of `n` units between two tensors, from `fromAt` with strides f0 … to `toAt` with strides t0 … */
export const copyKernel: (structure: CopyStructure) => Kernel = kernelFamily(({ unit, rank }: CopyStructure) => {
  const element = ELEMENT[unit];
  const bindings: Record<string, BindingType> = { source: `read ${element}`, result: `write ${element}` };
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
let m = transpose(mat4x4f(source[a], source[a + u.fromStep], source[a + 2u * u.fromStep], source[a + 3u * u.fromStep]));
result[b] = m[0];
result[b + u.toStep] = m[1];
result[b + 2u * u.toStep] = m[2];
result[b + 3u * u.toStep] = m[3];`
    : "result[b] = source[a];";
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
});
