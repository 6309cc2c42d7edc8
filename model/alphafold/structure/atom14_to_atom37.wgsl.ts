import { type Kernel, kernel } from "../../../core/mod.ts";
import { atom37Probes, atom37VjpProbes } from "./_probes.ts";

const UNIFORMS = { n: "u32", narrow: "u32", wide: "u32" } as const;

/** positions [rows, to, 3] = narrow [rows, slot, 3] of each slot [rows, to], times whether the atom exists. */
export const atom37Kernel: Kernel = kernel({
  name: "atom14ToAtom37",
  bindings: { narrow: "read f32", slot: "read i32", exists: "read f32", positions: "write f32" },
  uniforms: UNIFORMS,
  body: `
if (index < u.n) {
  let row = index / u.wide;
  let at = 3u * (row * u.narrow + u32(clamp(slot[index], 0, i32(u.narrow) - 1)));
  for (var axis = 0u; axis < 3u; axis++) {
    positions[3u * index + axis] = select(0.0, narrow[at + axis] * exists[index], exists[index] != 0.0);
  }
}`,
}, atom37Probes);

/** The transpose: an invocation has a narrow slot and adds what was made of it. */
export const atom37VjpKernel: Kernel = kernel({
  name: "atom14ToAtom37.vjp",
  bindings: { d: "read f32", slot: "read i32", exists: "read f32", dNarrow: "write f32" },
  uniforms: UNIFORMS,
  turns: ({ wide }) => wide + 1,
  body: `
if (index < u.n) {
  let first = index / u.narrow * u.wide;
  var sum = vec3f(0.0);
  for (var k = first; k < first + u.wide; k++) {
    if (u32(clamp(slot[k], 0, i32(u.narrow) - 1)) == index % u.narrow) {
      sum += exists[k] * vec3f(d[3u * k], d[3u * k + 1u], d[3u * k + 2u]);
    }
  }
  dNarrow[3u * index] = sum.x;
  dNarrow[3u * index + 1u] = sum.y;
  dNarrow[3u * index + 2u] = sum.z;
}`,
}, atom37VjpProbes);
