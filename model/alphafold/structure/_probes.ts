/** Probes of the structure module's kernels, and what they compute in float64. */
import { noise, type Probe } from "../../../core/mod.ts";
import { applied, composed, dot, type Vector } from "../../../ops/_battery/frames.ts";
import { gradientOf } from "../../../ops/_battery/gradient.ts";
import { ATOM14_SLOTS, RESIDUE_TYPES, RIGID_GROUPS } from "../../protein/residue_constants.ts";
import type { PointLogitsStructure } from "./_point_logits.wgsl.ts";

type Numbers = Readonly<Record<string, Float64Array>>;

const workgroups = (invocations: number) => [Math.ceil(invocations / 64) + 1, 1, 1] as const;

/** Two examples of three heads, without the first matrix. */
const BATCH = 2, HEADS = 3, FIRST = 1, MATRICES = BATCH * HEADS - FIRST;

/**
 * Logits of invariant point attention, as {@linkcode pointLogits} has them.
 *
 * @param inputs Of the matrices from `first` on, `[m, n, …]`; the mask, if any, is that of all examples, `[batch, n]`.
 * @returns `[m, n, n]`.
 */
export function pointLogits64(
  { q, k, qPoints, kPoints, weights, bias, mask }: Numbers,
  { n, heads, first, scale, inf }: Readonly<Record<"n" | "heads" | "first" | "scale" | "inf", number>>,
): Float64Array {
  const rows = bias.length / n, channels = q.length / rows, coordinates = qPoints.length / rows;
  return bias.map((b, at) => {
    const j = at % n, row = Math.floor(at / n), i = row % n, key = row - i + j, matrix = first + (row - i) / n;
    let product = 0, square = 0;
    for (let c = 0; c < channels; c++) product += q[row * channels + c] * k[key * channels + c];
    for (let c = 0; c < coordinates; c++) {
      square += (qPoints[row * coordinates + c] - kPoints[key * coordinates + c]) ** 2;
    }
    const example = Math.floor(matrix / heads) * n;
    const masked = mask ? inf * (mask[example + i] * mask[example + j] - 1) : 0;
    return scale * product - weights[matrix % heads] / 2 * square + b + masked;
  });
}

/** Logits of a few matrices whose last tiles are not whole. */
export function pointLogitsProbes(
  { channelVectors, pointVectors, masked, rowVectors }: PointLogitsStructure,
): readonly Probe[] {
  const n = rowVectors ? 16 : 13, channels = channelVectors ? 8 : 3, coordinates = pointVectors ? 12 : 6;
  const blocks = Math.ceil(n / 4), count = MATRICES * blocks ** 2, rows = MATRICES * n;
  const sizes = { n, heads: HEADS, first: FIRST, scale: 0.375, inf: 3 };
  return [{
    before: {
      ...{ q: noise(rows * channels, 1), k: noise(rows * channels, 2) },
      ...{ qPoints: noise(rows * coordinates, 3), kPoints: noise(rows * coordinates, 4) },
      ...{ weights: noise(HEADS, 5), bias: noise(rows * n, 6) },
      ...(masked && { mask: noise(BATCH * n, 7).map((x) => (x > -0.5 ? 1 : 0)) }),
    },
    uniforms: {
      ...{ ...sizes, count, blocks, channels: channelVectors ? channels / 4 : channels },
      coordinates: pointVectors ? coordinates / 4 : coordinates,
    },
    grid: workgroups(count),
    after: (before) => ({ logits: pointLogits64(before, sizes) }),
  }];
}

/** Gradient of the points of queries or keys: -weight Σ d (p - p'). */
export function pointGradientProbes(
  { pointVectors, transposed }: { readonly pointVectors: boolean; readonly transposed: boolean },
): readonly Probe[] {
  const n = 13, width = pointVectors ? 4 : 1, parts = pointVectors ? 3 : 8, coordinates = parts * width;
  const count = MATRICES * n * parts;
  return [{
    before: {
      ...{ d: noise(MATRICES * n * n, 1), weights: noise(HEADS, 2) },
      ...{ own: noise(count * width, 3), others: noise(count * width, 4) },
    },
    uniforms: { count, n, heads: HEADS, first: FIRST, coordinates: parts },
    grid: workgroups(count),
    after({ d, weights, own, others }) {
      const dOwn = new Float64Array(count * width), squares = new Float64Array(count);
      own.forEach((x, at) => {
        const row = Math.floor(at / coordinates), i = row % n, m = (row - i) / n;
        for (let j = 0; j < n; j++) {
          const apart = x - others[(m * n + j) * coordinates + at % coordinates];
          const slope = d[m * n * n + (transposed ? j * n + i : i * n + j)];
          dOwn[at] -= weights[(m + FIRST) % HEADS] * slope * apart;
          squares[Math.floor(at / width)] += slope * apart ** 2;
        }
      });
      return { dOwn, ...(!transposed && { squares }) };
    },
  }];
}

/** Residues, and types of which some are outside: what follows the first few repeats them. */
const RESIDUES = 67, DIFFERENT = 3;
const TYPES = Array.from({ length: RESIDUES }, (_, i) => [3, -1, 25][i % DIFFERENT]);
const typeOf = (residue: number) => Math.min(Math.max(TYPES[residue], 0), RESIDUE_TYPES - 1);

/** Numbers of all residues, those of the first few repeated. */
function repeated(width: number, seed: number): Float32Array {
  const few = noise(DIFFERENT * width, seed);
  return Float32Array.from({ length: RESIDUES * width }, (_, i) => few[i % few.length]);
}

/** Computes something of the first few residues, and repeats it. */
function ofResidues(width: number, compute: (residue: number) => Vector): Float64Array {
  const few = Array.from({ length: DIFFERENT }, (_, residue) => compute(residue));
  return Float64Array.from({ length: RESIDUES * width }, (_, i) => few[Math.floor(i / width) % DIFFERENT][i % width]);
}

const part = (x: Float64Array, width: number, i: number) => x.subarray(i * width, (i + 1) * width);

/**
 * Frames of a residue's rigid groups, `[8, 3, 4]`. Source: Jumper et al. (2021), Suppl. Alg. 24, lines 1-10.
 *
 * @param backbone `[3, 4]`.
 * @param angles `[7, 2]`.
 * @param rest Frames of the groups at rest, `[8, 3, 4]`.
 */
export function rigidGroups64(backbone: Vector, angles: Vector, rest: Float64Array): number[] {
  let before: number[] = [];
  return Array.from({ length: RIGID_GROUPS }, (_, g) => {
    const [sin, cos] = g === 0 ? [0, 1] : [angles[2 * g - 2], angles[2 * g - 1]];
    const turned = composed(part(rest, 12, g), [1, 0, 0, 0, 0, cos, -sin, 0, 0, sin, cos, 0]);
    before = g > 4 ? composed(before, turned) : turned;
    return composed(backbone, before);
  }).flat();
}

const torsionInputs = () => ({
  ...{ backbone: repeated(12, 1), angles: repeated(14, 2), aatype: TYPES },
  table: noise(RESIDUE_TYPES * RIGID_GROUPS * 12, 3),
});

const groupsOf = (table: Float64Array, residue: number) => part(table, 12 * RIGID_GROUPS, typeOf(residue));

/** Frames of all groups. */
export function torsionFramesProbes(): readonly Probe[] {
  return [{
    before: torsionInputs(),
    uniforms: { n: RESIDUES },
    grid: workgroups(RESIDUES),
    after: ({ backbone, angles, table }) => ({
      frames: ofResidues(
        12 * RIGID_GROUPS,
        (i) => rigidGroups64(part(backbone, 12, i), part(angles, 14, i), groupsOf(table, i)),
      ),
    }),
  }];
}

/** Their way back. */
export function torsionFramesVjpProbes(): readonly Probe[] {
  return [{
    before: { ...torsionInputs(), d: repeated(12 * RIGID_GROUPS, 4) },
    uniforms: { n: RESIDUES },
    grid: workgroups(RESIDUES),
    after({ backbone, angles, table, d }) {
      const both = Array.from({ length: DIFFERENT }, (_, i) =>
        gradientOf(
          (x) =>
            dot(part(d, 12 * RIGID_GROUPS, i), rigidGroups64(x.subarray(0, 12), x.subarray(12), groupsOf(table, i))),
          [...part(backbone, 12, i), ...part(angles, 14, i)],
        ));
      return {
        dBackbone: ofResidues(12, (i) => both[i].subarray(0, 12)),
        dAngles: ofResidues(14, (i) => both[i].subarray(12)),
      };
    },
  }];
}

const atomTables = () => ({
  aatype: TYPES,
  groupOf: Array.from({ length: RESIDUE_TYPES * ATOM14_SLOTS }, (_, i) => (5 * i + Math.floor(i / 14)) % RIGID_GROUPS),
  atoms: noise(RESIDUE_TYPES * ATOM14_SLOTS * 4, 1).map((x, i) => (i % 4 < 3 ? x : Number(x > -0.5))),
});

/** A residue's atoms: the group of each, and its place there with its existence. */
function atomsOf({ groupOf, atoms }: Numbers, residue: number): { group: number; atom: Float64Array }[] {
  const first = typeOf(residue) * ATOM14_SLOTS;
  return Array.from({ length: ATOM14_SLOTS }, (_, slot) => ({
    group: groupOf[first + slot],
    atom: part(atoms, 4, first + slot),
  }));
}

/** Atoms of frames. */
export function atom14Probes(): readonly Probe[] {
  const n = RESIDUES * ATOM14_SLOTS;
  return [{
    before: { ...atomTables(), frames: repeated(12 * RIGID_GROUPS, 2) },
    uniforms: { n },
    grid: workgroups(n),
    after: ({ frames, ...tables }) => ({
      positions: ofResidues(
        3 * ATOM14_SLOTS,
        (residue) =>
          atomsOf(tables, residue).flatMap(({ group, atom }) =>
            applied(part(frames, 12, residue * RIGID_GROUPS + group), atom).map((x) => x * atom[3])
          ),
      ),
    }),
  }];
}

/** Their way back. */
export function atom14VjpProbes(): readonly Probe[] {
  const n = RESIDUES * RIGID_GROUPS;
  return [{
    before: { ...atomTables(), d: repeated(3 * ATOM14_SLOTS, 2) },
    uniforms: { n },
    grid: workgroups(n),
    after: ({ d, ...tables }) => ({
      dFrames: ofResidues(12 * RIGID_GROUPS, (residue) => {
        const out = new Float64Array(12 * RIGID_GROUPS);
        atomsOf(tables, residue).forEach(({ group, atom: [x, y, z, exists] }, slot) => {
          part(d, 3, residue * ATOM14_SLOTS + slot).forEach((slope, r) =>
            [x, y, z, 1].forEach((along, c) => (out[12 * group + 4 * r + c] += exists * slope * along))
          );
        });
        return out;
      }),
    }),
  }];
}

/** Rows of a narrow and a wide table, and slots of which some are outside. */
const ROWS = 14, NARROW = 5, WIDE = 7;
const SLOTS = Array.from({ length: ROWS * WIDE }, (_, i) => i * 4 % (NARROW + 2) - 1);
const slotOf = (i: number) => Math.floor(i / WIDE) * NARROW + Math.min(Math.max(SLOTS[i], 0), NARROW - 1);
const wideExists = () => noise(SLOTS.length, 1).map((x) => (x > -0.4 ? 1 : 0));

/** Atoms under their names. */
export function atom37Probes(): readonly Probe[] {
  const n = ROWS * WIDE;
  return [{
    before: { narrow: noise(ROWS * NARROW * 3, 2), slot: SLOTS, exists: wideExists() },
    uniforms: { n, narrow: NARROW, wide: WIDE },
    grid: workgroups(n),
    after: ({ narrow, exists }) => ({
      positions: Float64Array.from(
        { length: 3 * n },
        (_, i) => exists[Math.floor(i / 3)] * narrow[3 * slotOf(Math.floor(i / 3)) + i % 3],
      ),
    }),
  }];
}

/** Its transpose. */
export function atom37VjpProbes(): readonly Probe[] {
  const n = ROWS * NARROW;
  return [{
    before: { d: noise(ROWS * WIDE * 3, 2), slot: SLOTS, exists: wideExists() },
    uniforms: { n, narrow: NARROW, wide: WIDE },
    grid: workgroups(n),
    after({ d, exists }) {
      const dNarrow = new Float64Array(3 * n);
      d.forEach((x, i) => (dNarrow[3 * slotOf(Math.floor(i / 3)) + i % 3] += exists[Math.floor(i / 3)] * x));
      return { dNarrow };
    },
  }];
}
