import { ATOM14_NAMES, ATOM14_SLOTS, ATOM14_TO_ATOM37 } from "../residue_constants.ts";
import { ATOM14_RADIUS, atom14DistanceBounds, PEPTIDE_BOND } from "../residue_geometry.ts";
import { ATOM_SLOTS, RESIDUE_LETTERS } from "../residues.ts";

/** A chain whose chemistry is looked at. */
export interface ViolationInput {
  /** One letter a residue. */
  readonly sequence: string;
  /** Å, `[N_res, 37, 3]`. */
  readonly positions: ArrayLike<number>;
  /** Not 0 where there is an atom, `[N_res, 37]`. */
  readonly mask: ArrayLike<number>;
  /** Numbers of the residues, `[N_res]`: those that follow each other by 1 are bonded. @default 0, 1, … */
  readonly residueIndex?: ArrayLike<number>;
}

/** Residues whose chemistry is violated. */
export interface Violations {
  /** 1 for residues with a violation of any kind, `[N_res]`. */
  readonly perResidue: Uint8Array<ArrayBuffer>;
  /** Residues with a wrong bond, or angle at it, to the residue before or behind. */
  readonly bonds: number;
  /** Residues with an atom that is too near one of another residue. */
  readonly clashes: number;
  /** Residues with two atoms too near or too far from each other. */
  readonly within: number;
}

/** Standard deviations that bonds and angles may be off, and Å by which atoms may overlap. */
const TOLERANCE_FACTOR = 12, OVERLAP_TOLERANCE = 1.5;

/** Slots among 14. */
const N = 0, CA = 1, C = 2, SG = 5;

/** Added to squares of distances, as in the published code. */
const BOND_EPS = 1e-6, ATOM_EPS = 1e-10;

/** Radii are never larger, Å: atoms farther apart than two of them do not clash. */
const MOST_RADIUS = Math.max(...ATOM14_RADIUS);

/**
 * Violations of bonds between residues, clashes between them, and distances inside them, as AlphaFold counts them after
 * relaxation.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.11; AlphaFold's `find_structural_violations`, whose standard deviation of cos(CA-C-N)
 * was until 2025 that of the bond.
 */
export function structureViolations({ sequence, positions, mask, residueIndex }: ViolationInput): Violations {
  const n = sequence.length;
  const types = Array.from(sequence, (letter) => Math.max(0, RESIDUE_LETTERS.indexOf(letter)));
  const unknown = Array.from(sequence, (letter) => ATOM14_NAMES[RESIDUE_LETTERS.indexOf(letter)] === undefined);
  const number = (i: number) => residueIndex?.[i] ?? i;
  const points = new Float64Array(n * ATOM14_SLOTS * 3), there = new Uint8Array(n * ATOM14_SLOTS);
  for (let i = 0; i < n; i++) {
    const count = unknown[i] ? 0 : ATOM14_NAMES[types[i]].length;
    for (let slot = 0; slot < count; slot++) {
      const from = i * ATOM_SLOTS + ATOM14_TO_ATOM37[types[i] * ATOM14_SLOTS + slot], to = i * ATOM14_SLOTS + slot;
      if (!mask[from]) continue;
      there[to] = 1;
      for (let k = 0; k < 3; k++) points[3 * to + k] = positions[3 * from + k];
    }
  }
  const atom = (i: number, slot: number) => i * ATOM14_SLOTS + slot;
  const between = (a: number, b: number) => [0, 1, 2].map((k) => points[3 * b + k] - points[3 * a + k]);
  const distance = (a: number, b: number) => Math.sqrt(between(a, b).reduce((sum, x) => sum + x * x, ATOM_EPS));

  const bonds = new Uint8Array(n), clashes = new Uint8Array(n), within = new Uint8Array(n);
  for (let i = 0; i + 1 < n; i++) {
    if (number(i + 1) - number(i) !== 1 || !there[atom(i, C)] || !there[atom(i + 1, N)]) continue;
    const [toCa, toN, toNextCa] = [
      between(atom(i, C), atom(i, CA)),
      between(atom(i, C), atom(i + 1, N)),
      between(atom(i + 1, N), atom(i + 1, CA)),
    ];
    const { length, cosCNCa, cosCaCN } = PEPTIDE_BOND;
    const bond = sequence[i + 1] === "P" ? length.proline : length.other;
    const size = (v: readonly number[]) => Math.sqrt(v.reduce((sum, x) => sum + x * x, BOND_EPS));
    const cosine = (a: readonly number[], b: readonly number[]) =>
      a.reduce((sum, x, k) => sum + x * b[k], 0) / size(a) / size(b);
    const off = (found: number, mean: number, stddev: number) =>
      Math.sqrt((found - mean) ** 2 + BOND_EPS) > TOLERANCE_FACTOR * stddev;
    const wrong = off(size(toN), bond.mean, bond.stddev) ||
      (there[atom(i, CA)] && off(cosine(toCa, toN), cosCaCN.mean, length.other.stddev)) ||
      (there[atom(i + 1, CA)] && off(-cosine(toN, toNextCa), cosCNCa.mean, cosCNCa.stddev));
    if (wrong) bonds[i] = bonds[i + 1] = 1;
  }

  const centre = (i: number) => there[atom(i, CA)] ? atom(i, CA) : there.indexOf(1, atom(i, 0));
  const reach = Array.from({ length: n }, (_, i) => {
    let most = 0;
    for (let s = 0; s < ATOM14_SLOTS; s++) {
      if (there[atom(i, s)]) most = Math.max(most, distance(centre(i), atom(i, s)));
    }
    return most;
  });
  const isEmpty = Array.from({ length: n }, (_, i) => !there.subarray(atom(i, 0), atom(i + 1, 0)).includes(1));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const step = number(i) - number(j);
      if (step === 0 || isEmpty[i] || isEmpty[j]) continue;
      if (distance(centre(i), centre(j)) > reach[i] + reach[j] + 2 * MOST_RADIUS) continue;
      for (let a = 0; a < ATOM14_SLOTS; a++) {
        for (let b = 0; b < ATOM14_SLOTS; b++) {
          if (!there[atom(i, a)] || !there[atom(j, b)] || (a === SG && b === SG)) continue;
          if ((step === 1 && a === N && b === C) || (step === -1 && a === C && b === N)) continue; // bonded
          const radii = ATOM14_RADIUS[types[i] * ATOM14_SLOTS + a] + ATOM14_RADIUS[types[j] * ATOM14_SLOTS + b];
          if (distance(atom(i, a), atom(j, b)) < radii - OVERLAP_TOLERANCE) clashes[i] = clashes[j] = 1;
        }
      }
    }
  }

  const { lower_bound, upper_bound } = atom14DistanceBounds(OVERLAP_TOLERANCE, TOLERANCE_FACTOR);
  for (let i = 0; i < n; i++) {
    for (let a = 0; a < ATOM14_SLOTS; a++) {
      for (let b = 0; b < a; b++) {
        if (!there[atom(i, a)] || !there[atom(i, b)]) continue;
        const at = (types[i] * ATOM14_SLOTS + a) * ATOM14_SLOTS + b;
        const apart = distance(atom(i, a), atom(i, b));
        if (apart < lower_bound[at] || apart > upper_bound[at]) within[i] = 1;
      }
    }
  }
  const count = (residues: Uint8Array) => residues.reduce((sum, x) => sum + x, 0);
  return {
    perResidue: Uint8Array.from({ length: n }, (_, i) => bonds[i] | clashes[i] | within[i]),
    bonds: count(bonds),
    clashes: count(clashes),
    within: count(within),
  };
}
