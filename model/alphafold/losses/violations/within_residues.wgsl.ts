import { type BindingType, type Kernel, kernel } from "../../../../core/mod.ts";
import { withinResiduesProbes, withinResiduesVjpProbes } from "./_probes.ts";

const BINDINGS = {
  positions: "read f32", // [n, 3], 14 atoms a residue
  exists: "read f32", // [n]
  lower: "read f32", // [n, 14]
  upper: "read f32", // [n, 14]
} as const satisfies Record<string, BindingType>;

/** Goes from one atom along the others of its residue: `above` and `below` are how far the bounds are passed, both ways. */
const eachOther = (statement: string) => `
if (index < u.n) {
  let first = index / 14u * 14u;
  let own = index - first;
  let p = vec3f(positions[3u * index], positions[3u * index + 1u], positions[3u * index + 2u]);
  var sums = vec3f(0.0);
  for (var s = 0u; s < 14u; s++) {
    let other = first + s;
    if (s != own && exists[index] * exists[other] != 0.0) {
      let apart = p - vec3f(positions[3u * other], positions[3u * other + 1u], positions[3u * other + 2u]);
      let distance = sqrt(dot(apart, apart) + 1e-10);
      let least = vec2f(lower[14u * index + s], lower[14u * other + own]);
      let most = vec2f(upper[14u * index + s], upper[14u * other + own]);
      let below = max(least + u.tighten - distance, vec2f(0.0));
      let above = max(distance - (most - u.tighten), vec2f(0.0));
      ${statement}
    }
  }`;

/** counts [2, n]: of each atom how far its distances pass their bounds in Å, and how many do. */
export const withinResiduesKernel: Kernel = kernel({
  name: "withinResidues",
  bindings: { ...BINDINGS, counts: "write f32" },
  uniforms: { n: "u32", tighten: "f32" },
  body: `${
    eachOther(
      `let passed = select(vec2f(0.0), vec2f(1.0), (vec2f(distance) < least) | (vec2f(distance) > most));
      let loss = below + above;
      sums += vec3f(loss.x + loss.y, passed.x + passed.y, 0.0);`,
    )
  }
  counts[index] = sums.x;
  counts[u.n + index] = sums.y;
}`,
}, withinResiduesProbes);

/** dPositions [n, 3] from d [n] of how far bounds are passed. */
export const withinResiduesVjpKernel: Kernel = kernel({
  name: "withinResidues.vjp",
  bindings: { ...BINDINGS, d: "read f32", dPositions: "write f32" },
  uniforms: { n: "u32", tighten: "f32" },
  body: `${
    eachOther(
      `let slopes = select(vec2f(0.0), vec2f(1.0), above > vec2f(0.0)) - select(vec2f(0.0), vec2f(1.0), below > vec2f(0.0));
      sums += apart * ((slopes.x + slopes.y) * (d[index] + d[other]) / distance);`,
    )
  }
  for (var axis = 0u; axis < 3u; axis++) { dPositions[3u * index + axis] = sums[axis]; }
}`,
}, withinResiduesVjpProbes);
