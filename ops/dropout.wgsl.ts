import { type Kernel, kernelFamily } from "../core/mod.ts";
import { THREEFRY_WGSL } from "../core/random.ts";
import { dropoutProbes } from "./_battery/maps.ts";

/**
 * Four elements an invocation, `first` being the vec4 it all begins with: `scale` where an element is kept, else 0, times x where `applied`. Elements 2 i and
 * 2 i + 1 take the two words of Threefry's counter (i, 0); an element is kept if the upper 24 bits of its word reach
 * `threshold`.
 */
export const dropoutKernel: (structure: { applied: boolean }) => Kernel = kernelFamily(
  ({ applied }: { applied: boolean }) => ({
    name: "dropout",
    bindings: { ...(applied ? { x: "read vec4f" as const } : {}), out: "write vec4f" },
    uniforms: { n: "u32", first: "u32", k0: "u32", k1: "u32", threshold: "u32", scale: "f32" },
    declarations: THREEFRY_WGSL,
    body: `
if (index < u.n) {
  let key = vec2u(u.k0, u.k1);
  let pair = 2u * (u.first + index);
  let words = vec4u(threefry(key, vec2u(pair, 0u)), threefry(key, vec2u(pair + 1u, 0u)));
  let kept = (words >> vec4u(8u)) >= vec4u(u.threshold);
  out[index] = select(vec4f(0.0), ${applied ? "x[index] * u.scale" : "vec4f(u.scale)"}, kept);
}`,
  }),
  dropoutProbes,
);
