import { type Kernel, kernel, kernelFamily } from "../../core/mod.ts";
import { pullProbes, spreadProbes } from "./_probes.ts";

/**
 * For every point i of every start: the pull R_i = Σ_j w_ij (p_ij / d_ij - 1) (x_i - x_j) on it, and its share
 * Σ_j w_ij (d_ij - p_ij)² of twice the stress. Writes x_i + factor · R_i, or R_i alone where `weighted`.
 *
 * Planes x, y, z, share of `m` points each, a start after the other; `m` is the number of points rounded up to whole
 * vec4s. Without `weighted` every pair weighs 1 and a target below 0 marks a pair that is none.
 */
export const pullKernel: (structure: { readonly weighted: boolean }) => Kernel = kernelFamily(
  ({ weighted }: { readonly weighted: boolean }) => ({
    name: weighted ? "mdsPullWeighted" : "mdsPull",
    bindings: {
      points: "load vec4f", // [starts, 4, m]
      wanted: "load vec4f", // [m, m], Å
      ...(weighted ? { weights: "load vec4f" as const } : {}), // [m, m]
      out: "write f32", // [starts, 4, m]
    },
    uniforms: { starts: "u32", m: "u32", factor: "f32" },
    turns: ({ m }) => m / 4 + 1,
    body: `if (index < u.starts * u.m) {
let i = index % u.m;
let m4 = u.m / 4u;
let first = (index / u.m) * u.m; // vec4s before this start's planes
let at = first + i / 4u;
let xi = points_at(at)[i % 4u];
let yi = points_at(at + m4)[i % 4u];
let zi = points_at(at + 2u * m4)[i % 4u];
var rx = vec4f();
var ry = vec4f();
var rz = vec4f();
var share = vec4f();
for (var j = 0u; j < m4; j++) {
  let p = wanted_at(i * m4 + j);
  let w = ${weighted ? "weights_at(i * m4 + j)" : "select(vec4f(), vec4f(1.0), p >= vec4f())"};
  let dx = xi - points_at(first + j);
  let dy = yi - points_at(first + m4 + j);
  let dz = zi - points_at(first + 2u * m4 + j);
  let d = sqrt(dx * dx + dy * dy + dz * dz);
  let pull = w * (p / select(d, vec4f(1e-7), d == vec4f()) - 1.0);
  share += w * (d - p) * (d - p);
  rx += pull * dx;
  ry += pull * dy;
  rz += pull * dz;
}
let r = vec3f(dot(rx, vec4f(1.0)), dot(ry, vec4f(1.0)), dot(rz, vec4f(1.0)));
let x = ${weighted ? "r" : "vec3f(xi, yi, zi) + u.factor * r"};
let to = 4u * first + i;
out[to] = x.x;
out[to + u.m] = x.y;
out[to + 2u * u.m] = x.z;
out[to + 3u * u.m] = dot(share, vec4f(1.0));
}`,
  }),
  pullProbes,
);

/** x_i + Σ_j V⁺_ij R_j for every point of every start; the fourth plane passes unchanged. Planes as in `pullKernel`. */
export const spreadKernel: Kernel = kernel({
  name: "mdsSpread",
  bindings: {
    points: "load vec4f", // [starts, 4, m]
    pulls: "load vec4f", // [starts, 4, m]
    inverse: "load vec4f", // [m, m]
    out: "write f32", // [starts, 4, m]
  },
  uniforms: { starts: "u32", m: "u32" },
  turns: ({ m }) => m / 4 + 1,
  body: `if (index < u.starts * u.m) {
let i = index % u.m;
let m4 = u.m / 4u;
let first = (index / u.m) * u.m;
var sx = vec4f();
var sy = vec4f();
var sz = vec4f();
for (var j = 0u; j < m4; j++) {
  let v = inverse_at(i * m4 + j);
  sx += v * pulls_at(first + j);
  sy += v * pulls_at(first + m4 + j);
  sz += v * pulls_at(first + 2u * m4 + j);
}
let at = first + i / 4u;
let to = 4u * first + i;
out[to] = points_at(at)[i % 4u] + dot(sx, vec4f(1.0));
out[to + u.m] = points_at(at + m4)[i % 4u] + dot(sy, vec4f(1.0));
out[to + 2u * u.m] = points_at(at + 2u * m4)[i % 4u] + dot(sz, vec4f(1.0));
out[to + 3u * u.m] = pulls_at(at + 3u * m4)[i % 4u];
}`,
}, spreadProbes);
