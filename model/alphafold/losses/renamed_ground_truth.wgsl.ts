import { type Kernel, kernel, MOST_TURNS } from "../../../core/mod.ts";
import { renamingProbes } from "./_probes.ts";

/** Most atoms that an invocation goes along at once. */
export const LONGEST_WAY: number = MOST_TURNS - 1;

/**
 * gains [n]: how much farther from the prediction all distances of an atom whose name may be exchanged are under the other
 * name; 0 for other atoms. An invocation has an atom, and goes along those whose names are certain, from `begin` to `end` - 1
 * of its example; but for the first, it adds to what is there.
 */
export const renamingKernel: Kernel = kernel({
  name: "renaming",
  bindings: {
    predicted: "read f32", // [n, 3]
    expected: "read f32",
    renamed: "read f32",
    exists: "read f32", // [n]
    ambiguous: "read f32",
    gains: "write f32",
  },
  uniforms: { n: "u32", atoms: "u32", begin: "u32", end: "u32" },
  turns: ({ begin, end }) => end - begin + 1,
  declarations: `
fn predictedAt(i: u32) -> vec3f { return vec3f(predicted[3u * i], predicted[3u * i + 1u], predicted[3u * i + 2u]); }
fn expectedAt(i: u32) -> vec3f { return vec3f(expected[3u * i], expected[3u * i + 1u], expected[3u * i + 2u]); }
fn renamedAt(i: u32) -> vec3f { return vec3f(renamed[3u * i], renamed[3u * i + 1u], renamed[3u * i + 2u]); }`,
  body: `
if (index < u.n) {
  var gain = 0.0;
  if (u.begin > 0u) { gain = gains[index]; }
  if (exists[index] * ambiguous[index] != 0.0) {
    let first = index / u.atoms * u.atoms;
    let own = predictedAt(index);
    let ownExpected = expectedAt(index);
    let ownRenamed = renamedAt(index);
    for (var j = first + u.begin; j < first + u.end; j++) {
      if (exists[j] != 0.0 && ambiguous[j] == 0.0) {
        let distance = length(own - predictedAt(j));
        gain += abs(distance - length(ownRenamed - renamedAt(j))) - abs(distance - length(ownExpected - expectedAt(j)));
      }
    }
  }
  gains[index] = gain;
}`,
}, renamingProbes);
