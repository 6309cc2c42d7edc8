/** Probes of the kernels of violations, and what they compute in float64. */
import { noise, type Probe } from "../../../../core/mod.ts";
import { dot, type Vector } from "../../../../ops/_battery/frames.ts";
import { gradientOf } from "../../../../ops/_battery/gradient.ts";
import { ATOM14_SLOTS } from "../../../protein/residue_constants.ts";
import { PEPTIDE_BOND } from "../../../protein/residue_geometry.ts";
import { RESIDUE_LETTERS } from "../../../protein/residues.ts";
import { distance64 } from "../_probes.ts";

type Numbers = Readonly<Record<string, Float64Array>>;

const workgroups = (invocations: number) => [Math.ceil(invocations / 64) + 1, 1, 1] as const;
const at = (x: Float64Array, i: number) => x.subarray(3 * i, 3 * i + 3);
const some = (size: number, seed: number) => noise(size, seed).map((x) => (x > -0.6 ? 1 : 0));

/** What a bond between residues hangs on: CA and C, then N and CA of the next one. */
export type Junction64 = Readonly<Record<"ca" | "c" | "n" | "nextCa", Vector>>;

/** How far length and angles of a bond between residues are from what they should be, and the standard deviations. */
export function junction64(
  { ca, c, n, nextCa }: Junction64,
  proline: boolean,
  { eps, cosCaCNStddev }: { readonly eps: number; readonly cosCaCNStddev: number },
): { errors: number[]; deviations: number[] } {
  const { length, cosCaCN, cosCNCa } = PEPTIDE_BOND;
  const bond = proline ? length.proline : length.other;
  const unit = (from: Vector, to: Vector) => {
    const apart = distance64(from, to, eps);
    return [0, 1, 2].map((k) => (to[k] - from[k]) / apart);
  };
  const values = [
    distance64(c, n, eps) - bond.mean,
    dot(unit(c, ca), unit(c, n)) - cosCaCN.mean,
    -dot(unit(c, n), unit(n, nextCa)) - cosCNCa.mean,
  ];
  return {
    errors: values.map((x) => Math.sqrt(x * x + eps)),
    deviations: [bond.stddev, cosCaCNStddev, cosCNCa.stddev],
  };
}

const RESIDUES = 14, ALL = 5 * RESIDUES;
const BONDS = { n: ALL, residues: RESIDUES, soft: 20, hard: 30, eps: 2 ** -10, cosCaCNStddev: 0.03125 };
const PROLINE = RESIDUE_LETTERS.indexOf("P");
const hasNext = (i: number) => i % RESIDUES + 1 < RESIDUES;

const bondInputs = () => ({
  positions: noise(3 * ATOM14_SLOTS * ALL, 1).map((x) => 1.5 * x),
  aatype: Array.from({ length: ALL }, (_, i) => (i % 3 ? i % 20 : PROLINE)),
});

/** How far bond and angles of the junction after a residue pass the soft tolerance, and whether the hard one. */
function termsOf(place: (residue: number, slot: number) => Vector, aatype: Float64Array, i: number) {
  const atoms = { ca: place(i, 1), c: place(i, 2), n: place(i + 1, 0), nextCa: place(i + 1, 1) };
  const { errors, deviations } = junction64(atoms, aatype[i + 1] === PROLINE, BONDS);
  return {
    loss: errors.map((x, k) => Math.max(0, x - BONDS.soft * deviations[k])),
    violates: errors.map((x, k) => x > BONDS.hard * deviations[k]),
  };
}

/** Bonds, some of which do not count. */
export function bondTermsProbes(): readonly Probe[] {
  return [0, 1].map((chains): Probe => ({
    before: {
      ...bondInputs(),
      exists: some(ATOM14_SLOTS * ALL, 2),
      residueIndex: Array.from({ length: ALL }, (_, i) => i + Math.floor(i / 5)),
      asymId: Array.from({ length: ALL }, (_, i) => Math.floor(i / 4)),
    },
    uniforms: { ...BONDS, chains },
    grid: workgroups(ALL),
    after({ positions, aatype, exists, residueIndex, asymId }) {
      const terms = new Float64Array(9 * ALL);
      for (let i = 0; i < ALL; i++) {
        if (!hasNext(i)) continue;
        const { loss, violates } = termsOf((r, slot) => at(positions, r * ATOM14_SLOTS + slot), aatype, i);
        const bonded = residueIndex[i + 1] - residueIndex[i] === 1 && (!chains || asymId[i + 1] === asymId[i]);
        const own = (slot: number) => exists[ATOM14_SLOTS * i + slot];
        const bond = Number(bonded) * own(2) * own(ATOM14_SLOTS);
        [bond, bond * own(1), bond * own(ATOM14_SLOTS + 1)].forEach((counts, k) => {
          terms[k * ALL + i] = loss[k];
          terms[(k + 3) * ALL + i] = counts;
          terms[(k + 6) * ALL + i] = violates[k] ? counts : 0;
        });
      }
      return { terms };
    },
  }));
}

/** Their way back: N, CA and C of each residue are written, other atoms are not. */
export function bondTermsVjpProbes(): readonly Probe[] {
  const backbone = 9, width = 3 * ATOM14_SLOTS;
  const before = new Float64Array(width * ALL).fill(7);
  return [{
    before: { ...bondInputs(), d: noise(9 * ALL, 3), dPositions: before },
    uniforms: { ...BONDS, chains: 0 },
    grid: workgroups(ALL),
    after({ positions, aatype, d }) {
      const dPositions = before.slice();
      for (let residue = 0; residue < ALL; residue++) {
        const own = positions.subarray(width * residue, width * residue + backbone);
        const total = (x: Float64Array) => {
          const place = (r: number, slot: number) =>
            r === residue ? at(x, slot) : at(positions, r * ATOM14_SLOTS + slot);
          let sum = 0;
          for (const i of [residue - 1, residue]) {
            if (i < 0 || !hasNext(i)) continue;
            sum += dot([d[i], d[ALL + i], d[2 * ALL + i]], termsOf(place, aatype, i).loss);
          }
          return sum;
        };
        dPositions.set(gradientOf(total, own), width * residue);
      }
      return { dPositions };
    },
  }];
}

/** Places, and radii of atoms that exist. */
export function spheresProbes(): readonly Probe[] {
  const n = 71;
  return [{
    before: { positions: noise(3 * n, 1), radii: noise(n, 2), exists: some(n, 3) },
    uniforms: { n },
    grid: workgroups(n),
    after: ({ positions, radii, exists }) => ({
      spheres: Float64Array.from({ length: 4 * n }, (_, i) => {
        const atom = i >> 2;
        return i % 4 < 3 ? positions[3 * atom + i % 4] : exists[atom] ? radii[atom] : -1;
      }),
    }),
  }];
}

/**
 * The atoms of other residues that an atom may clash with.
 *
 * @param exists Whether there is an atom.
 * @param asymId Chains. @default one chain
 */
export function* neighbours64(
  i: number,
  residues: number,
  { exists, residueIndex, asymId }: {
    readonly exists: (atom: number) => boolean;
    readonly residueIndex: ArrayLike<number>;
    readonly asymId?: ArrayLike<number>;
  },
): Generator<number> {
  const residue = Math.floor(i / ATOM14_SLOTS), slot = i % ATOM14_SLOTS, first = residue - residue % residues;
  if (!exists(i)) return;
  for (let j = first * ATOM14_SLOTS; j < (first + residues) * ATOM14_SLOTS; j++) {
    const other = Math.floor(j / ATOM14_SLOTS), s = j % ATOM14_SLOTS;
    const step = residueIndex[other] - residueIndex[residue];
    if (step === 0 || !exists(j) || (slot === 5 && s === 5)) continue; // atoms of slot 5: SG of cysteine
    const chain = !asymId || asymId[residue] === asymId[other];
    const [c, n] = step > 0 ? [slot, s] : [s, slot];
    if (chain && Math.abs(step) === 1 && c === 2 && n === 0) continue;
    yield j;
  }
}

const CROWD = 3, ATOMS = 2 * CROWD * ATOM14_SLOTS, PER_CHUNK = 2, CHUNKS = 2;
const TOLERANCES = { soft: 1, hard: 1.25 };

/** Sums over the pairs of an atom and the others of a chunk of residues. */
function clashProbe(
  chains: 0 | 1,
  backward: boolean,
  result: (i: number, others: readonly number[], numbers: Numbers) => Vector,
): Probe {
  const n = CHUNKS * ATOMS;
  return {
    before: {
      spheres: noise(4 * ATOMS, 1).map((x, i) => (i % 4 < 3 ? 2 * x : i % 7 ? 1.5 + x / 8 : -1)),
      ...{ residueIndex: [4, 5, 6, 1, 1, 2], asymId: [0, 0, 1, 2, 2, 2] },
      ...(backward && { d: noise(ATOMS, 2) }),
    },
    uniforms: { n, residues: CROWD, atoms: ATOMS, perChunk: PER_CHUNK, chains, ...TOLERANCES },
    grid: workgroups(n),
    after(numbers) {
      const { spheres, residueIndex, asymId } = numbers;
      const facts = { exists: (i: number) => spheres[4 * i + 3] >= 0, residueIndex, ...(chains && { asymId }) };
      const all = Array.from({ length: ATOMS }, (_, i) => [...neighbours64(i, CROWD, facts)]);
      const partial = new Float64Array(3 * n);
      for (let at = 0; at < n; at++) {
        const i = at % ATOMS, chunk = Math.floor(at / ATOMS);
        const others = all[i].filter((j) => Math.floor(Math.floor(j / ATOM14_SLOTS) % CROWD / PER_CHUNK) === chunk);
        const found = result(i, others, numbers);
        // [chunks, 3, atoms] forward, [chunks, atoms, 3] backward
        for (let k = 0; k < 3; k++) partial[backward ? 3 * at + k : (3 * chunk + k) * ATOMS + i] = found[k];
      }
      return { partial };
    },
  };
}

/** By how much two spheres overlap. */
function overlap(a: Vector, b: Vector, tolerance: number): number {
  return Math.max(0, a[3] + b[3] - tolerance - distance64(a, b, 1e-10));
}

/** Overlaps, clashes and pairs. */
export function clashesProbes(): readonly Probe[] {
  return ([0, 1] as const).map((chains) =>
    clashProbe(chains, false, (i, others, { spheres }) => {
      const sphere = (j: number) => spheres.subarray(4 * j, 4 * j + 4), own = sphere(i);
      const sum = (value: (j: number) => number) => others.reduce((sum, j) => sum + value(j), 0);
      return [
        sum((j) => overlap(own, sphere(j), TOLERANCES.soft)),
        sum((j) => Number(overlap(own, sphere(j), TOLERANCES.hard) > 0)),
        others.length,
      ];
    })
  );
}

/** Their way back. */
export function clashesVjpProbes(): readonly Probe[] {
  return [clashProbe(1, true, (i, others, { spheres, d }) => {
    const sphere = (j: number) => spheres.subarray(4 * j, 4 * j + 4);
    const total = (own: Float64Array) =>
      others.reduce((sum, j) => sum + (d[i] + d[j]) * overlap(own, sphere(j), TOLERANCES.soft), 0);
    return gradientOf(total, sphere(i));
  })];
}

/** By how much the distance of two atoms of a residue passes its bounds, and whether it passes those not tightened. */
export function bounds64(
  d: number,
  lower: number,
  upper: number,
  tighten: number,
): { loss: number; passed: number } {
  return {
    loss: Math.max(0, lower + tighten - d) + Math.max(0, d - upper + tighten),
    passed: Number(d < lower || d > upper),
  };
}

const WITHIN = 5 * ATOM14_SLOTS, TIGHTEN = 0.125;

const withinInputs = () => ({
  ...{ positions: noise(3 * WITHIN, 1).map((x) => 2 * x), exists: some(WITHIN, 2) },
  lower: noise(ATOM14_SLOTS * WITHIN, 3).map((x) => 1.5 + x / 4),
  upper: noise(ATOM14_SLOTS * WITHIN, 4).map((x) => 2.5 + x / 4),
});

/** Both bounds of an atom and each other atom of its residue, were it at `place`. */
function within64({ positions, exists, lower, upper }: Numbers, i: number, place: Vector) {
  const first = i - i % ATOM14_SLOTS;
  return Array.from({ length: ATOM14_SLOTS }, (_, s) => {
    const j = first + s;
    if (i === j || !exists[i] || !exists[j]) return { j, loss: 0, passed: 0 };
    const d = distance64(place, at(positions, j), 1e-10);
    const [one, other] = [ATOM14_SLOTS * i + s, ATOM14_SLOTS * j + i - first].map((k) =>
      bounds64(d, lower[k], upper[k], TIGHTEN)
    );
    return { j, loss: one.loss + other.loss, passed: one.passed + other.passed };
  });
}

/** Bounds that are passed. */
export function withinResiduesProbes(): readonly Probe[] {
  return [{
    before: withinInputs(),
    uniforms: { n: WITHIN, tighten: TIGHTEN },
    grid: workgroups(WITHIN),
    after(numbers) {
      const counts = new Float64Array(2 * WITHIN);
      for (let i = 0; i < WITHIN; i++) {
        for (const { loss, passed } of within64(numbers, i, at(numbers.positions, i))) {
          counts[i] += loss;
          counts[WITHIN + i] += passed;
        }
      }
      return { counts };
    },
  }];
}

/** Their way back. */
export function withinResiduesVjpProbes(): readonly Probe[] {
  return [{
    before: { ...withinInputs(), d: noise(WITHIN, 5) },
    uniforms: { n: WITHIN, tighten: TIGHTEN },
    grid: workgroups(WITHIN),
    after({ d, ...numbers }) {
      const dPositions = new Float64Array(3 * WITHIN);
      for (let i = 0; i < WITHIN; i++) {
        const total = (place: Vector) =>
          within64(numbers, i, place).reduce((sum, { j, loss }) => sum + (d[i] + d[j]) * loss, 0);
        dPositions.set(gradientOf(total, at(numbers.positions, i)), 3 * i);
      }
      return { dPositions };
    },
  }];
}
