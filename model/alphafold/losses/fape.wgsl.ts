import { type BindingType, type Kernel, kernelFamily, MOST_TURNS } from "../../../core/mod.ts";
import { FRAME_ITEMS, FRAME_WGSL } from "../../../ops/frames.wgsl.ts";
import { fapeFramesProbes, fapePointsProbes, fapeProbes } from "./_probes.ts";

/** What the texts depend on: whether pairs have a mask of their own. */
export interface FapeStructure {
  readonly paired: boolean;
}

/** A frame of a binding that is loaded. */
const load = (name: string, first: string) =>
  `transpose(mat3x4f(${[0, 1, 2].map((row) => `${name}_at(${first} + ${row}u)`).join(", ")}))`;

const bindings = ({ paired }: FapeStructure) => ({
  frames: "load vec4f", // [rows, F, 3, 4]
  points: "read f32", // [rows, P, 3]
  // [batch, F, 4, 4]: a true frame, and a row with its mask and how much of the clamped distance counts
  trueFrames: "load vec4f",
  truePoints: "load vec4f", // [batch, P, 4]: a true point and its mask
  ...(paired && { pairMask: "read f32" as const }), // [batch, F, P]
} as const satisfies Record<string, BindingType>);

const UNIFORMS = {
  n: "u32", // invocations: rows * own * chunks
  chunks: "u32",
  perChunk: "u32",
  frameCount: "u32",
  pointCount: "u32",
  batch: "u32",
  clampAt: "f32",
  scale: "f32",
  eps: "f32",
} as const;

const turns = ({ perChunk }: Readonly<Record<string, number>>) => perChunk + 1;

/** Longest chunk. */
export const LONGEST_CHUNK: number = MOST_TURNS - 1;

const DECLARATIONS = `${FRAME_WGSL}
struct Pair { apart: vec3f, distance: f32 }
fn pairOf(frame: Frame, point: vec3f, trueFrame: Frame, truePoint: vec3f) -> Pair {
  let apart = seenFrom(frame, point) - seenFrom(trueFrame, truePoint);
  return Pair(apart, sqrt(dot(apart, apart) + u.eps));
}
// Gradient of a pair's loss by the point as the frame sees it.
fn slopeOf(pair: Pair, clamped: f32) -> vec3f {
  return pair.apart * ((select(0.0, clamped, pair.distance <= u.clampAt) + 1.0 - clamped) / pair.distance);
}`;

const point = (at: string) => `vec3f(points[3u * ${at}], points[3u * ${at} + 1u], points[3u * ${at} + 2u])`;

/** Splits the flat index: `chunk`, which of the `own` things, `row` and its example `b`. */
const place = (own: "frameCount" | "pointCount") => `
  let i = index % u.${own};
  let chunk = index / u.${own} % u.chunks;
  let row = index / u.${own} / u.chunks;
  let b = row % u.batch;
  let from_ = chunk * u.perChunk;`;

/** What a frame has, for loops over points. */
const FRAME = `
  let frame = ${load("frames", "(row * u.frameCount + i) * 3u")};
  let truth = (b * u.frameCount + i) * 4u;
  let trueFrame = ${load("trueFrames", "truth")};
  let own = trueFrames_at(truth + 3u).x * u.scale;
  let share = trueFrames_at(truth + 3u).y;
  let to_ = min(from_ + u.perChunk, u.pointCount);`;

const eachPoint = ({ paired }: FapeStructure, statement: string) => `
  for (var j = from_; j < to_; j++) {
    let truePoint = truePoints_at(b * u.pointCount + j);
    let counts = truePoint.w${paired ? " * pairMask[(b * u.frameCount + i) * u.pointCount + j]" : ""};
    if (counts != 0.0) {
      let x = ${point("(row * u.pointCount + j)")};
      let pair = pairOf(frame, x, trueFrame, truePoint.xyz);
      ${statement}
    }
  }`;

/** partial [rows, chunks, F] = Σ over the chunk's points of a frame's losses. An invocation has a frame and a chunk. */
export const fapeKernel: (structure: FapeStructure) => Kernel = kernelFamily((s: FapeStructure) => ({
  name: "fape",
  bindings: { ...bindings(s), partial: "write f32" },
  uniforms: UNIFORMS,
  turns,
  declarations: DECLARATIONS,
  body: `
if (index < u.n) {
${place("frameCount")}
${FRAME}
  var total = 0.0;
  if (own != 0.0) {
${eachPoint(s, "total += counts * (share * min(pair.distance, u.clampAt) + (1.0 - share) * pair.distance);")}
  }
  partial[index] = own * total;
}`,
}), fapeProbes);

/** partial [rows, chunks, F, 3, 4]: gradient of the frames, for d [rows]. */
export const fapeFramesKernel: (structure: FapeStructure) => Kernel = kernelFamily((s: FapeStructure) => ({
  name: "fape.vjp.frames",
  bindings: { ...bindings(s), d: "read f32", partial: "write vec4f" },
  uniforms: UNIFORMS,
  turns,
  declarations: DECLARATIONS,
  body: `
if (index < u.n) {
${place("frameCount")}
${FRAME}
  var sum = Frame();
  if (own != 0.0) {
${
    eachPoint(
      s,
      "let slope = counts * slopeOf(pair, share); sum += outer(x - frame[3], slope, vec3f()); sum[3] += slope;",
    )
  }
    sum[3] = -turned(frame, sum[3]);
    sum = sum * (own * d[row]);
  }
  ${FRAME_ITEMS.frame.store("partial", "3u * index", "sum")}
}`,
}), fapeFramesProbes);

/** partial [rows, chunks, P, 3]: gradient of the points, for d [rows]. An invocation has a point and a chunk of frames. */
export const fapePointsKernel: (structure: FapeStructure) => Kernel = kernelFamily((s: FapeStructure) => ({
  name: "fape.vjp.points",
  bindings: { ...bindings(s), d: "read f32", partial: "write f32" },
  uniforms: UNIFORMS,
  turns,
  declarations: DECLARATIONS,
  body: `
if (index < u.n) {
${place("pointCount")}
  let x = ${point("(row * u.pointCount + i)")};
  let truePoint = truePoints_at(b * u.pointCount + i);
  let own = truePoint.w * u.scale;
  let to_ = min(from_ + u.perChunk, u.frameCount);
  var sum = vec3f(0.0);
  if (own != 0.0) {
    for (var j = from_; j < to_; j++) {
      let truth = (b * u.frameCount + j) * 4u;
      let facts = trueFrames_at(truth + 3u);
      let counts = facts.x${s.paired ? " * pairMask[(b * u.frameCount + j) * u.pointCount + i]" : ""};
      if (counts != 0.0) {
        let frame = ${load("frames", "(row * u.frameCount + j) * 3u")};
        let pair = pairOf(frame, x, ${load("trueFrames", "truth")}, truePoint.xyz);
        sum += counts * turned(frame, slopeOf(pair, facts.y));
      }
    }
  }
  let slope = own * d[row] * sum;
  partial[3u * index] = slope.x;
  partial[3u * index + 1u] = slope.y;
  partial[3u * index + 2u] = slope.z;
}`,
}), fapePointsProbes);
