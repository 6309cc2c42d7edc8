/** Probes of the losses' kernels, and what they compute in float64. */
import { noise, type Probe } from "../../../core/mod.ts";
import { seenFrom, type Vector } from "../../../ops/_battery/frames.ts";
import { gradientOf } from "../../../ops/_battery/gradient.ts";
import type { FapeStructure } from "./fape.wgsl.ts";

const workgroups = (invocations: number) => [Math.ceil(invocations / 64) + 1, 1, 1] as const;
const part = (x: Float64Array, width: number, i: number) => x.subarray(i * width, (i + 1) * width);
const some = (size: number, seed: number, share = 0.7) => noise(size, seed).map((x) => (x < 2 * share - 1 ? 1 : 0));

/** √(|a - b|² + eps) of points. */
export function distance64(a: Vector, b: Vector, eps = 0): number {
  return Math.sqrt((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2 + eps);
}

/** What a point's distance from the truth costs, as a frame sees it: clamped in part. */
export function fapePair64(
  [frame, point]: readonly [Vector, Vector],
  [trueFrame, truePoint]: readonly [Vector, Vector],
  { clamped, clampAt, eps }: { readonly clamped: number; readonly clampAt: number; readonly eps: number },
): number {
  const d = distance64(seenFrom(frame, point), seenFrom(trueFrame, truePoint), eps);
  return clamped * Math.min(d, clampAt) + (1 - clamped) * d;
}

const FRAMES = 9, POINTS = 11, BATCH = 2, ROWS = 2 * BATCH, CHUNKS = 2;

/**
 * Sums of pairs' losses along the others of each frame or point, in chunks of which the last is shorter.
 *
 * @param result What comes of the sum over a chunk as a function of the numbers of a frame or point.
 */
function fapeProbe(
  { paired }: FapeStructure,
  own: "frames" | "points",
  backward: boolean,
  result: (sum: (x: Vector) => number, x: Float64Array) => Vector,
): Probe {
  const [count, along] = own === "frames" ? [FRAMES, POINTS] : [POINTS, FRAMES];
  const n = ROWS * CHUNKS * count, perChunk = Math.ceil(along / CHUNKS);
  const clampAt = 1.25, scale = 0.375, eps = 2 ** -10;
  const frameFacts = some(BATCH * FRAMES, 3), pointFacts = some(BATCH * POINTS, 4);
  return {
    before: {
      ...{ frames: noise(ROWS * FRAMES * 12, 1), points: noise(ROWS * POINTS * 3, 2) },
      trueFrames: noise(BATCH * FRAMES * 16, 5).map((x, i) =>
        i % 16 === 12 ? frameFacts[i >> 4] : i % 16 === 13 ? (i >> 4) % 3 / 2 : x
      ),
      truePoints: noise(BATCH * POINTS * 4, 6).map((x, i) => (i % 4 < 3 ? x : pointFacts[i >> 2])),
      ...(paired && { pairMask: some(BATCH * FRAMES * POINTS, 7) }),
      ...(backward && { d: noise(ROWS, 8) }),
    },
    uniforms: {
      n,
      chunks: CHUNKS,
      perChunk,
      frameCount: FRAMES,
      pointCount: POINTS,
      batch: BATCH,
      clampAt,
      scale,
      eps,
    },
    grid: workgroups(n),
    after({ frames, points, trueFrames, truePoints, pairMask, d }) {
      const partial: number[] = [];
      for (let at = 0; at < n; at++) {
        const i = at % count, chunk = Math.floor(at / count) % CHUNKS, row = Math.floor(at / count / CHUNKS);
        const b = row % BATCH;
        const sum = (x: Vector) => {
          let sum = 0;
          for (let j = chunk * perChunk; j < Math.min((chunk + 1) * perChunk, along); j++) {
            const [f, p] = own === "frames" ? [i, j] : [j, i];
            const truth = part(trueFrames, 16, b * FRAMES + f), goal = part(truePoints, 4, b * POINTS + p);
            const weight = truth[12] * goal[3] * (pairMask?.[(b * FRAMES + f) * POINTS + p] ?? 1);
            if (!weight) continue;
            const seen = own === "frames"
              ? [x, part(points, 3, row * POINTS + p)] as const
              : [part(frames, 12, row * FRAMES + f), x] as const;
            sum += weight * fapePair64(seen, [truth, goal], { clamped: truth[13], clampAt, eps });
          }
          return scale * (d?.[row] ?? 1) * sum;
        };
        const numbers = own === "frames" ? part(frames, 12, row * FRAMES + i) : part(points, 3, row * POINTS + i);
        partial.push(...Array.from(result(sum, numbers)));
      }
      return { partial };
    },
  };
}

/** Losses of frames. */
export function fapeProbes(structure: FapeStructure): readonly Probe[] {
  return [fapeProbe(structure, "frames", false, (sum, x) => [sum(x)])];
}

/** Gradients of frames. */
export function fapeFramesProbes(structure: FapeStructure): readonly Probe[] {
  return [fapeProbe(structure, "frames", true, gradientOf)];
}

/** Gradients of points. */
export function fapePointsProbes(structure: FapeStructure): readonly Probe[] {
  return [fapeProbe(structure, "points", true, gradientOf)];
}

/** Things of two examples, more than one workgroup, and a place at which the way along them is cut. */
const THINGS = 36, ALL = BATCH * THINGS, CUT = 20;

/** Two parts of the way along all others: the second adds to what the first has found. */
function bothParts(probe: (begin: number, end: number) => Probe): readonly Probe[] {
  return [probe(0, CUT), probe(CUT, THINGS)];
}

/**
 * How much farther from the prediction all distances of an atom are under its other name.
 *
 * @param others Those whose distances are looked at.
 */
export function renamingGain64(
  { predicted, expected, renamed, exists, ambiguous }: Readonly<Record<string, Float32Array | Float64Array>>,
  i: number,
  others: Iterable<number>,
): number {
  if (!exists[i] || !ambiguous[i]) return 0;
  const at = (x: Float32Array | Float64Array, j: number) => x.subarray(3 * j, 3 * j + 3);
  let gain = 0;
  for (const j of others) {
    if (!exists[j] || ambiguous[j]) continue;
    const d = distance64(at(predicted, i), at(predicted, j));
    gain += Math.abs(d - distance64(at(renamed, i), at(renamed, j))) -
      Math.abs(d - distance64(at(expected, i), at(expected, j)));
  }
  return gain;
}

/** The things `begin` … `end` - 1 of the example that `i` belongs to. */
export function* sameExample(i: number, count: number, begin = 0, end = count): Generator<number> {
  const first = i - i % count;
  for (let j = first + begin; j < first + end; j++) yield j;
}

/** What other names gain. */
export function renamingProbes(): readonly Probe[] {
  return bothParts((begin, end) => ({
    before: {
      ...{ predicted: noise(3 * ALL, 1), expected: noise(3 * ALL, 2), renamed: noise(3 * ALL, 3) },
      ...{ exists: some(ALL, 4), ambiguous: some(ALL, 5, 0.5) },
      ...(begin && { gains: noise(ALL, 6) }),
    },
    uniforms: { n: ALL, atoms: THINGS, begin, end },
    grid: workgroups(ALL),
    after: ({ gains, ...inputs }) => ({
      gains: Float64Array.from(
        { length: ALL },
        (_, i) => (gains?.[i] ?? 0) + renamingGain64(inputs, i, sameExample(i, THINGS, begin, end)),
      ),
    }),
  }));
}

/** lDDT of a C-alpha as whole numbers: pairs, and four times what is kept. */
export function lddt64(
  { predicted, expected, mask }: Readonly<Record<"predicted" | "expected" | "mask", Float32Array | Float64Array>>,
  i: number,
  others: Iterable<number>,
  cutoff = 15,
): { pairs: number; kept: number } {
  let pairs = 0, kept = 0;
  const at = (x: Float32Array | Float64Array, j: number) => x.subarray(3 * j, 3 * j + 3);
  for (const j of others) {
    if (j === i || !mask[i] || !mask[j]) continue;
    const d = distance64(at(expected, i), at(expected, j));
    if (d >= cutoff) continue;
    const error = Math.abs(d - distance64(at(predicted, i), at(predicted, j)));
    pairs++;
    kept += [0.5, 1, 2, 4].filter((tolerance) => error < tolerance).length;
  }
  return { pairs, kept };
}

/** Pairs, and what is kept of them. */
export function lddtCountsProbes(): readonly Probe[] {
  const cutoff = 8;
  return bothParts((begin, end) => ({
    before: {
      ...{ predicted: noise(3 * ALL, 1).map((x) => 5 * x), expected: noise(3 * ALL, 2).map((x) => 5 * x) },
      mask: some(ALL, 3),
      ...(begin && { counts: Array.from({ length: 2 * ALL }, (_, i) => i % 9) }),
    },
    uniforms: { n: ALL, residues: THINGS, cutoff, begin, end },
    grid: workgroups(ALL),
    after({ predicted, expected, mask, counts }) {
      const found = Array.from(
        { length: ALL },
        (_, i) => lddt64({ predicted, expected, mask }, i, sameExample(i, THINGS, begin, end), cutoff),
      );
      const both = [...found.map(({ pairs }) => pairs), ...found.map(({ kept }) => kept)];
      return { counts: both.map((x, i) => x + (counts?.[i] ?? 0)) };
    },
  }));
}

/** Scores and bins; some have no pairs. */
export function lddtScoresProbes(): readonly Probe[] {
  const n = 72, count = 7;
  const pairs = Array.from({ length: n }, (_, i) => i * 5 % 12);
  const kept = pairs.map((all, i) => i * 7 % (4 * all + 1));
  return [{
    before: { counts: [...pairs, ...kept] },
    uniforms: { n, count },
    grid: workgroups(n),
    after: () => ({
      scores: pairs.map((all, i) => (all ? kept[i] / (4 * all) : 1)),
      pairs,
      bins: pairs.map((all, i) => (all ? Math.min(count - 1, Math.floor(count * kept[i] / (4 * all))) : count - 1)),
    }),
  }];
}
