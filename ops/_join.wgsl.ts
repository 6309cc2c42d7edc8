import { type BindingType, type Kernel, kernelFamily, type UniformType, unroll } from "../core/mod.ts";
import { joinProbes, splitProbes } from "./_battery/maps.ts";

/** Most tensors that are joined, or that one is split into, by one dispatch. */
export const MOST_PARTS = 4;

/** What the text depends on: whether rows are copied by vec4s, or by words of whatever type. */
export interface JoinStructure {
  readonly vector: boolean;
}

const PARTS = Array.from({ length: MOST_PARTS }, (_, i) => `part${i}`);

/**
 * Of the rows of a tensor `[rows, step]` those columns that begin at `first`, `width` of them: part i has the columns from
 * `begin`i on there, `width`i of them; a part that there is not has none.
 */
const UNIFORMS: Readonly<Record<string, UniformType>> = {
  ...{ n: "u32", first: "u32", width: "u32", step: "u32" },
  ...Object.fromEntries(PARTS.flatMap((_, i) => [[`begin${i}`, "u32" as const], [`width${i}`, "u32" as const]])),
};

/** Statements for the part in which column `i` of a row lies. */
function inEach(text: (part: string, at: string) => string): string {
  return unroll(
    MOST_PARTS,
    (k) => `if (i - u.begin${k} < u.width${k}) { ${text(PARTS[k], `row * u.width${k} + i - u.begin${k}`)} }`,
  );
}

/** Joins the columns of up to four tensors; columns that belong to none become 0. */
export const joinKernel: (structure: JoinStructure) => Kernel = kernelFamily(({ vector }: JoinStructure) => {
  const element = vector ? "vec4f" : "u32";
  return {
    name: "join",
    bindings: {
      ...Object.fromEntries(PARTS.map((part): [string, BindingType] => [part, `read ${element}`])),
      whole: `write ${element}`,
    },
    uniforms: UNIFORMS,
    body: `
if (index < u.n) {
let row = index / u.width;
let i = index % u.width;
var value = ${element}();
${inEach((part, at) => `value = ${part}[${at}];`)}
whole[row * u.step + u.first + i] = value;
}`,
  };
}, joinProbes);

/** Splits the columns of a tensor into up to four. */
export const splitKernel: (structure: JoinStructure) => Kernel = kernelFamily(({ vector }: JoinStructure) => {
  const element = vector ? "vec4f" : "u32";
  return {
    name: "split",
    bindings: {
      whole: `read ${element}`,
      ...Object.fromEntries(PARTS.map((part): [string, BindingType] => [part, `write ${element}`])),
    },
    uniforms: UNIFORMS,
    body: `
if (index < u.n) {
let row = index / u.width;
let i = index % u.width;
let value = whole[row * u.step + u.first + i];
${inEach((part, at) => `${part}[${at}] = value;`)}
}`,
  };
}, splitProbes);
