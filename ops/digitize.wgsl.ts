import { type Kernel, kernel } from "../core/mod.ts";
import { digitizeProbes } from "./_battery/pairs.ts";

/** bins[i] = how many boundaries lie below x[i]. */
export const digitizeKernel: Kernel = kernel({
  name: "digitize",
  bindings: { x: "read f32", boundaries: "read f32", bins: "write i32" },
  uniforms: { n: "u32", count: "u32" },
  turns: ({ count }) => count + 1,
  body: `
if (index < u.n) {
  let value = x[index];
  var bin = 0;
  for (var k = 0u; k < u.count; k++) { bin += select(0, 1, value > boundaries[k]); }
  bins[index] = bin;
}`,
}, digitizeProbes);
