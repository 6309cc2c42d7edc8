import { type Kernel, kernelFamily } from "../core/mod.ts";
import { reduceProbes } from "./_battery/sums.ts";
import { EXTREMA, SPECIAL_VALUES, valueTypes } from "./_functions.wgsl.ts";

/** What becomes of the elements that are reduced. */
export type ReduceOperation = "sum" | "max" | "min";

/** What the text of a reduction depends on. */
export interface ReduceStructure {
  readonly operation: ReduceOperation;
  /**
   * `rows`: along the last axis, four elements at a time, down to one number;
   * `columns`: along another axis, four neighbours at a time; `single`: either, one element at a time.
   */
  readonly layout: "rows" | "columns" | "single";
}

/** Elements of a block. */
const BLOCK = 16;

/** What an empty reduction gives: sum, max and min begin with it. */
export const IDENTITY = { sum: 0, max: -Infinity, min: Infinity } as const;

/** WGSL of two numbers made one. */
const COMBINED = {
  sum: (a: string, b: string) => `${a} + ${b}`,
  max: (a: string, b: string) => `larger(${a}, ${b})`,
  min: (a: string, b: string) => `smaller(${a}, ${b})`,
} as const;

/**
 * x [outer, length, inner] → out [outer, chunks, inner]: an invocation takes every chunks-th element of one column.
 * Sums go in blocks of 16, and blocks into the total, so that rounding errors stay small. `rows` counts `length` in
 * vec4s and leaves elements from `valid` on out. `identity` is {@linkcode IDENTITY}: WGSL cannot write an infinity.
 */
export const reduceKernel: (structure: ReduceStructure) => Kernel = kernelFamily(
  ({ operation, layout }: ReduceStructure) => {
    const rows = layout === "rows";
    const V = layout === "single" ? "f32" : "vec4f";
    const combine = COMBINED[operation];
    const across = `let pairs = ${combine("total", "total.yxwz")}; let all = ${combine("pairs", "pairs.zwxy")};`;
    return {
      name: operation,
      bindings: { x: `read ${V}`, out: rows ? "write f32" : `write ${V}` },
      uniforms: {
        outer: "u32",
        length: "u32",
        inner: "u32",
        chunks: "u32",
        valid: "u32",
        scale: "f32",
        identity: "f32",
      },
      turns: ({ length, chunks }) => Math.ceil(length / chunks) + 2 * Math.ceil(length / chunks / BLOCK) + 1,
      declarations: valueTypes(V) + (operation === "sum" ? "" : SPECIAL_VALUES + EXTREMA),
      body: `
if (index < u.outer * u.chunks * u.inner) {
  let i = index % u.inner;
  let chunk = (index / u.inner) % u.chunks;
  let o = index / (u.inner * u.chunks);
  let nothing = V(u.identity);
  var total = nothing;
  var r = chunk;
  while (r < u.length) {
    var block = nothing;
    for (var k = 0u; k < ${BLOCK}u && r < u.length; k++) {
      let value = x[(o * u.length + r) * u.inner + i];
      ${
        rows
          ? `block = ${
            combine("block", "select(nothing, value, vec4u(4u * r) + vec4u(0u, 1u, 2u, 3u) < vec4u(u.valid))")
          };`
          : `block = ${combine("block", "value")};`
      }
      r += u.chunks;
    }
    total = ${combine("total", "block")};
  }
  ${rows ? across : ""}
  out[index] = ${rows ? "all.x" : "total"}${operation === "sum" ? " * u.scale" : ""};
}`,
    };
  },
  reduceProbes,
);
