import { type Kernel, kernel } from "../core/mod.ts";
import { packBfloat16Probes, unpackBfloat16Probes } from "./_battery/maps.ts";

/** Two numbers a word as bfloat16, rounded to the nearest, ties to even; NaN stays NaN. */
export const packBfloat16Kernel: Kernel = kernel({
  name: "packBfloat16",
  bindings: { x: "load vec4f", words: "write u32" },
  uniforms: { n: "u32" },
  declarations: `
fn upper(number: f32) -> u32 {
  let bits = bitcast<u32>(number);
  let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
  return select(rounded, (bits >> 16u) | 0x40u, (bits & 0x7fffffffu) > 0x7f800000u);
}`,
  body: `
if (index < u.n) {
  let v = x_at(index);
  words[2u * index] = upper(v.x) | (upper(v.y) << 16u);
  words[2u * index + 1u] = upper(v.z) | (upper(v.w) << 16u);
}`,
}, packBfloat16Probes);

/** The numbers of {@linkcode packBfloat16Kernel}'s words. */
export const unpackBfloat16Kernel: Kernel = kernel({
  name: "unpackBfloat16",
  bindings: { words: "read u32", out: "store vec4f" },
  uniforms: { n: "u32" },
  body: `
if (index < u.n) {
  let a = words[2u * index];
  let b = words[2u * index + 1u];
  out_put(index, bitcast<vec4f>(vec4u(a << 16u, a & 0xffff0000u, b << 16u, b & 0xffff0000u)));
}`,
}, unpackBfloat16Probes);
