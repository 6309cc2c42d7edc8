import { type BindingType, type Kernel, kernel, MOST_TURNS } from "../../../../core/mod.ts";
import { ATOM14_SLOTS } from "../../../protein/residue_constants.ts";
import { clashesProbes, clashesVjpProbes, spheresProbes } from "./_probes.ts";

/** Slots of C, N, and of what is SG in cysteine. */
const C = 2, N = 0, SG = 5;

const UNIFORMS = {
  n: "u32", // invocations: chunks * batch * N_res * 14
  residues: "u32",
  atoms: "u32", // batch * N_res * 14
  perChunk: "u32",
  chains: "u32",
  soft: "f32",
  hard: "f32",
} as const;

/** Turns of a residue and its atoms, and of what comes after all of them. */
const PER_RESIDUE = 1 + ATOM14_SLOTS + 1, REST = 1 + 4;
const turns = ({ perChunk }: Readonly<Record<string, number>>) => PER_RESIDUE * perChunk + REST;

/** Residues of the longest chunk. */
export const LONGEST_CHUNK: number = Math.floor((MOST_TURNS - REST) / PER_RESIDUE);

const BINDINGS = {
  spheres: "load vec4f", // [batch, N_res, 14, 4]: place and radius, which is negative where there is no atom
  residueIndex: "read i32", // [batch, N_res]
  asymId: "read i32", // [batch, N_res], or anything where there are no chains
} as const satisfies Record<string, BindingType>;

/** spheres [n, 4] of positions [n, 3], radii [n] and whether there is an atom [n]. */
export const spheresKernel: Kernel = kernel({
  name: "spheres",
  bindings: { positions: "read f32", radii: "read f32", exists: "read f32", spheres: "write vec4f" },
  uniforms: { n: "u32" },
  body: `
if (index < u.n) {
  let radius = select(-1.0, radii[index], exists[index] != 0.0);
  spheres[index] = vec4f(positions[3u * index], positions[3u * index + 1u], positions[3u * index + 2u], radius);
}`,
}, spheresProbes);

/**
 * Goes from one atom along those of other residues, a chunk of them. C and N of residues that follow each other are
 * bonded, and so may two atoms of slot 5 be (SG of cysteine; the published code asks for no residue type). Residues of one
 * number do not see each other.
 */
const eachPair = (statement: string) => `
if (index < u.n) {
  let at = index % u.atoms;
  let slot = at % 14u;
  let residue = at / 14u;
  let first = residue / u.residues * u.residues + index / u.atoms * u.perChunk;
  let last = min(first + u.perChunk, (residue / u.residues + 1u) * u.residues);
  let own = spheres_at(at);
  let number = residueIndex[residue];
  var sums = vec4f(0.0);
  if (own.w >= 0.0) {
    for (var other = first; other < last; other++) {
      let step = residueIndex[other] - number;
      let bonded = abs(step) == 1 && (u.chains == 0u || asymId[other] == asymId[residue]);
      if (step != 0) {
        for (var s = 0u; s < 14u; s++) {
          let sphere = spheres_at(other * 14u + s);
          let peptide = bonded && select(slot == ${N}u && s == ${C}u, slot == ${C}u && s == ${N}u, step > 0);
          if (sphere.w >= 0.0 && !peptide && !(slot == ${SG}u && s == ${SG}u)) {
            let apart = own.xyz - sphere.xyz;
            let distance = sqrt(dot(apart, apart) + 1e-10);
            let least = own.w + sphere.w;
            ${statement}
          }
        }
      }
    }
  }`;

/** partial [chunks, 3, atoms]: of each atom overlaps beyond the soft tolerance in Å, clashes, and pairs that count. */
export const clashesKernel: Kernel = kernel({
  name: "clashes",
  bindings: { ...BINDINGS, partial: "write f32" },
  uniforms: UNIFORMS,
  turns,
  body: `${
    eachPair(
      "sums += vec4f(max(least - u.soft - distance, 0.0), select(0.0, 1.0, distance < least - u.hard), 1.0, 0.0);",
    )
  }
  let begin = index / u.atoms * 3u * u.atoms + at;
  for (var k = 0u; k < 3u; k++) { partial[begin + k * u.atoms] = sums[k]; }
}`,
}, clashesProbes);

/** partial [chunks, atoms, 3]: gradient of the positions, for d [atoms, …] of the overlaps. */
export const clashesVjpKernel: Kernel = kernel({
  name: "clashes.vjp",
  bindings: { ...BINDINGS, d: "read f32", partial: "write f32" },
  uniforms: UNIFORMS,
  turns,
  body: `${
    eachPair(
      "if (least - u.soft > distance) { sums -= vec4f(apart * ((d[at] + d[other * 14u + s]) / distance), 0.0); }",
    )
  }
  for (var axis = 0u; axis < 3u; axis++) { partial[3u * index + axis] = sums[axis]; }
}`,
}, clashesVjpProbes);
