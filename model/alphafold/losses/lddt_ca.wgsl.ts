import { type Kernel, kernel, MOST_TURNS } from "../../../core/mod.ts";
import { lddtCountsProbes, lddtScoresProbes } from "./_probes.ts";

/** Most residues that an invocation goes along at once. */
export const LONGEST_WAY: number = MOST_TURNS - 1;

/**
 * counts [2, n]: of each residue the pairs that count, and four times how many of them are kept, each distance at four
 * tolerances. An invocation has a residue, and goes along those `begin` … `end` - 1 of its example; but for the first, it adds
 * to what is there. Whole numbers, so that a bin of lDDT does not hang on rounding.
 */
export const lddtCountsKernel: Kernel = kernel({
  name: "lddtCounts",
  bindings: { predicted: "read f32", expected: "read f32", mask: "read f32", counts: "write i32" },
  uniforms: { n: "u32", residues: "u32", cutoff: "f32", begin: "u32", end: "u32" },
  turns: ({ begin, end }) => end - begin + 1,
  declarations: `
fn at(i: u32) -> vec3f { return vec3f(predicted[3u * i], predicted[3u * i + 1u], predicted[3u * i + 2u]); }
fn trueAt(i: u32) -> vec3f { return vec3f(expected[3u * i], expected[3u * i + 1u], expected[3u * i + 2u]); }`,
  body: `
if (index < u.n) {
  let own = at(index);
  let trueOwn = trueAt(index);
  let first = index / u.residues * u.residues;
  var pairs = 0;
  var kept = 0;
  if (mask[index] != 0.0) {
    for (var j = first + u.begin; j < first + u.end; j++) {
      let distance = length(trueOwn - trueAt(j));
      if (j != index && mask[j] != 0.0 && distance < u.cutoff) {
        let error = abs(distance - length(own - at(j)));
        pairs += 1;
        kept += select(0, 1, error < 0.5) + select(0, 1, error < 1.0) + select(0, 1, error < 2.0) + select(0, 1, error < 4.0);
      }
    }
  }
  if (u.begin > 0u) {
    pairs += counts[index];
    kept += counts[u.n + index];
  }
  counts[index] = pairs;
  counts[u.n + index] = kept;
}`,
}, lddtCountsProbes);

/** scores [n] = kept / 4 pairs, and 1 without pairs; the pairs as floats; bins [n] = floor(score · count), at most count - 1. */
export const lddtScoresKernel: Kernel = kernel({
  name: "lddtScores",
  bindings: { counts: "read i32", scores: "write f32", pairs: "write f32", bins: "write i32" },
  uniforms: { n: "u32", count: "i32" },
  body: `
if (index < u.n) {
  let all = 4 * counts[index];
  let kept = select(counts[u.n + index], 1, all == 0);
  let whole = max(all, 1);
  pairs[index] = f32(counts[index]);
  scores[index] = f32(kept) / f32(whole);
  bins[index] = min(kept * u.count / whole, u.count - 1);
}`,
}, lddtScoresProbes);
