import { type Kernel, kernelFamily } from "../core/mod.ts";

/** What the text of a reduction depends on. */
export interface ReduceStructure {
  readonly operation: "sum" | "max";
  /**
   * `rows`: along the last axis, four elements at a time, down to one number;
   * `columns`: along another axis, four neighbours at a time; `single`: either, one element at a time.
   */
  readonly layout: "rows" | "columns" | "single";
}

/**
 * x [outer, length, inner] → out [outer, chunks, inner]: an invocation takes every chunks-th element of one column.
 * Sums go in blocks of 16, and blocks into the total, so that rounding errors stay small. `rows` counts `length` in
 * vec4s and leaves elements from `valid` on out.
 */
export const reduceKernel: (structure: ReduceStructure) => Kernel = kernelFamily(
  ({ operation, layout }: ReduceStructure) => {
    const sum = operation === "sum";
    const rows = layout === "rows";
    const V = layout === "single" ? "f32" : "vec4f";
    const identity = sum ? "V(0.0)" : "V(-3.4028234e38)";
    const combine = (a: string, b: string) => (sum ? `${a} + ${b}` : `max(${a}, ${b})`);
    const across = combine(combine("total.x", "total.y"), `(${combine("total.z", "total.w")})`);
    return {
      name: operation,
      bindings: { x: `read ${V}`, out: rows ? "write f32" : `write ${V}` },
      uniforms: { outer: "u32", length: "u32", inner: "u32", chunks: "u32", valid: "u32", scale: "f32" },
      declarations: `alias V = ${V};`,
      body: `
if (index < u.outer * u.chunks * u.inner) {
  let i = index % u.inner;
  let chunk = (index / u.inner) % u.chunks;
  let o = index / (u.inner * u.chunks);
  var total = ${identity};
  var r = chunk;
  while (r < u.length) {
    var block = ${identity};
    for (var k = 0u; k < 16u && r < u.length; k++) {
      let value = x[(o * u.length + r) * u.inner + i];
      ${
        rows
          ? `block = ${
            combine("block", `select(${identity}, value, vec4u(4u * r) + vec4u(0u, 1u, 2u, 3u) < vec4u(u.valid))`)
          };`
          : `block = ${combine("block", "value")};`
      }
      r += u.chunks;
    }
    total = ${combine("total", "block")};
  }
  out[index] = ${rows ? `(${across})` : "total"}${sum ? " * u.scale" : ""};
}`,
    };
  },
);
