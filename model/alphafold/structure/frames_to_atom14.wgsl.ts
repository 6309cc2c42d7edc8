import { type Kernel, kernel } from "../../../core/mod.ts";
import { FRAME_ITEMS, FRAME_WGSL } from "../../../ops/frames.wgsl.ts";
import { atom14Probes, atom14VjpProbes } from "./_probes.ts";

const { load, store } = FRAME_ITEMS.frame;

/** positions [n, 14, 3]: an invocation has an atom; 0 where the residue type has none. */
export const atom14Kernel: Kernel = kernel({
  name: "framesToAtom14",
  bindings: {
    frames: "read vec4f", // [n, 8, 3, 4]
    aatype: "read i32", // [n]
    groupOf: "read i32", // [21, 14]
    atoms: "read vec4f", // [21, 14, 4]
    positions: "write f32",
  },
  uniforms: { n: "u32" },
  declarations: FRAME_WGSL,
  body: `
if (index < u.n) {
  let residue = index / 14u;
  let entry = u32(clamp(aatype[residue], 0, 20)) * 14u + index % 14u;
  let at = (residue * 8u + u32(groupOf[entry])) * 3u;
  let atom = atoms[entry];
  let p = applied(${load("frames", "at")}, atom.xyz) * atom.w;
  positions[3u * index] = p.x;
  positions[3u * index + 1u] = p.y;
  positions[3u * index + 2u] = p.z;
}`,
}, atom14Probes);

/** dFrames [n, 8, 3, 4]: an invocation has a rigid group, and adds what comes of its atoms. */
export const atom14VjpKernel: Kernel = kernel({
  name: "framesToAtom14.vjp",
  bindings: {
    d: "read f32", // [n, 14, 3]
    aatype: "read i32",
    groupOf: "read i32",
    atoms: "read vec4f",
    dFrames: "write vec4f",
  },
  uniforms: { n: "u32" },
  declarations: FRAME_WGSL,
  body: `
if (index < u.n) {
  let residue = index / 8u;
  let first = u32(clamp(aatype[residue], 0, 20)) * 14u;
  var sum = Frame();
  for (var slot = 0u; slot < 14u; slot++) {
    if (u32(groupOf[first + slot]) == index % 8u) {
      let atom = atoms[first + slot];
      let at = (residue * 14u + slot) * 3u;
      let slope = vec3f(d[at], d[at + 1u], d[at + 2u]) * atom.w;
      sum += outer(slope, atom.xyz, slope);
    }
  }
  ${store("dFrames", "index * 3u", "sum")}
}`,
}, atom14VjpProbes);
