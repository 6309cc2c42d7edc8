import type { BindingType, KernelSource, UniformType } from "../core/mod.ts";
import { valueTypes } from "./_functions.wgsl.ts";
import { coordinatesWgsl, placeWgsl } from "./_strides.ts";

/** A formula that is applied to every element. */
export interface MapSource {
  readonly name: string;
  /** Tensors the formula reads, by the names it uses. */
  readonly args: readonly string[];
  /** Numbers it reads as `u.NAME`. */
  readonly parameters?: readonly string[];
  /** WGSL over values of type `V`, which is `vec4f` or `f32`: constants are written `V(0.5)`. */
  readonly expression: string;
  /** Functions it calls. */
  readonly declarations?: string;
}

/** How an argument is read: a vec4 an invocation, one number for all four lanes, or one number an invocation. */
export type ArgMode = "vector" | "splat" | "scalar";

/** What the text of a map's kernel depends on besides its source. */
export interface MapStructure {
  readonly modes: readonly ArgMode[];
  readonly rank: number;
}

/** The kernel of a map: one invocation for each vec4 (or each element) of the result. */
export function mapKernel(source: MapSource, { modes, rank }: MapStructure): KernelSource {
  const { name, args, parameters = [], expression, declarations = "" } = source;
  const scalar = modes.includes("scalar");
  const V = scalar ? "f32" : "vec4f";
  const uniforms: Record<string, UniformType> = { n: "u32" };
  for (let axis = 0; axis < rank; axis++) uniforms[`s${axis}`] = "u32";
  const flat = rank === 1 && !modes.includes("splat");
  for (const arg of flat ? [] : args) for (let axis = 0; axis < rank; axis++) uniforms[`${arg}${axis}`] = "u32";
  for (const parameter of parameters) uniforms[parameter] = "f32";
  const bindings: Record<string, BindingType> = {};
  args.forEach((arg, i) => (bindings[arg] = modes[i] === "vector" ? "read vec4f" : "read f32"));
  bindings.result = `write ${V}`;
  const values = args.map((arg, i) => {
    const value = `${arg}[${flat ? "index" : placeWgsl(arg, rank)}]`;
    return modes[i] === "splat" ? `V(${value})` : value;
  });
  return {
    name,
    bindings,
    uniforms,
    declarations: `
${valueTypes(V)}
${declarations.trim()}
fn formula(${args.map((arg) => `${arg}: V`).join(", ")}) -> V {
  return ${expression};
}`,
    body: `
if (index < u.n) {
${flat ? "" : coordinatesWgsl(rank)}
result[index] = formula(${values.join(", ")});
}`,
  };
}
