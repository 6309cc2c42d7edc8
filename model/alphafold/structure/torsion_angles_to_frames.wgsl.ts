import { type BindingType, type Kernel, kernel, unroll } from "../../../core/mod.ts";
import { FRAME_ITEMS, FRAME_WGSL } from "../../../ops/frames.wgsl.ts";
import { torsionFramesProbes, torsionFramesVjpProbes } from "./_probes.ts";

/** Rigid groups that a torsion angle turns: group g turns by angle g - 1, and chi 2 to 4 in the chi before. */
const TURNED = [1, 2, 3, 4, 5, 6, 7];
const FIRST_CHI = 4;

const { load, store } = FRAME_ITEMS.frame;

const BINDINGS = {
  backbone: "read vec4f", // [n, 3, 4]
  angles: "read f32", // [n, 7, 2]
  aatype: "read i32", // [n]
  table: "read vec4f", // [21, 8, 3, 4]
} as const satisfies Record<string, BindingType>;

const DECLARATIONS = `${FRAME_WGSL}
fn aboutX(a: vec2f) -> Frame {
  return Frame(vec3f(1.0, 0.0, 0.0), vec3f(0.0, a.y, a.x), vec3f(0.0, -a.x, a.y), vec3f());
}
// Gradient of (sine, cosine).
fn aboutXBack(d: Frame) -> vec2f { return vec2f(d[1].z - d[2].y, d[1].y + d[2].z); }`;

/** A residue's groups: at rest in what they turn in, \`t\`; turned, \`f\`; in the backbone, \`l\`. */
const GROUPS = `
let type_ = u32(clamp(aatype[index], 0, 20)) * 24u;
let bone = ${load("backbone", "index * 3u")};
let l0 = ${load("table", "type_")};
${
  TURNED.map((g) => {
    const angle = (component: number) => `angles[index * 14u + ${2 * (g - 1) + component}u]`;
    return `let t${g} = ${load("table", `type_ + ${3 * g}u`)};
let f${g} = composed(t${g}, aboutX(vec2f(${angle(0)}, ${angle(1)})));
let l${g} = ${g > FIRST_CHI ? `composed(l${g - 1}, f${g})` : `f${g}`};`;
  }).join("\n")
}`;

/** frames [n, 8, 3, 4] of all groups in global coordinates: an invocation has a residue. */
export const torsionFramesKernel: Kernel = kernel({
  name: "torsionAnglesToFrames",
  bindings: { ...BINDINGS, frames: "write vec4f" },
  uniforms: { n: "u32" },
  declarations: DECLARATIONS,
  body: `
if (index < u.n) {
${GROUPS}
${unroll(8, (g) => `{ ${store("frames", `(index * 8u + ${g}u) * 3u`, `composed(bone, l${g})`)} }`)}
}`,
}, torsionFramesProbes);

/** Gradients of the backbone [n, 3, 4] and of the angles [n, 7, 2]. */
export const torsionFramesVjpKernel: Kernel = kernel({
  name: "torsionAnglesToFrames.vjp",
  bindings: { ...BINDINGS, d: "read vec4f", dBackbone: "write vec4f", dAngles: "write f32" },
  uniforms: { n: "u32" },
  declarations: DECLARATIONS,
  body: `
if (index < u.n) {
${GROUPS}
var dBone = Frame();
${
    unroll(8, (g) =>
      `let d${g} = ${load("d", `(index * 8u + ${g}u) * 3u`)};
dBone += composedFirst(l${g}, d${g});
var dl${g} = composedSecond(bone, d${g});`)
  }
${
    TURNED.toReversed().map((g) =>
      `{
${
        g > FIRST_CHI
          ? `let df = composedSecond(l${g - 1}, dl${g}); dl${g - 1} += composedFirst(f${g}, dl${g});`
          : `let df = dl${g};`
      }
let a = aboutXBack(composedSecond(t${g}, df));
dAngles[index * 14u + ${2 * (g - 1)}u] = a.x;
dAngles[index * 14u + ${2 * (g - 1) + 1}u] = a.y;
}`
    ).join("\n")
  }
${store("dBackbone", "index * 3u", "dBone")}
}`,
}, torsionFramesVjpProbes);
