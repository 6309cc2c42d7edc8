import { ATOM_INDEX, ATOM_SLOTS } from "../residues.ts";

/** Residues with all their atoms, in the 37 slots. */
export interface AtomsOfResidues {
  /** One letter a residue, `[N_res]`. */
  readonly sequence: string;
  /** Å, `[N_res, 37, 3]`. */
  readonly positions: ArrayLike<number>;
  /** 1 where an atom is there, `[N_res, 37]`. */
  readonly mask: ArrayLike<number>;
}

/** What `allAtomLddt` returns. */
export interface AllAtomLddt {
  /** All pairs together, between 0 and 1; `null` where the reference has none. */
  readonly overall: number | null;
  /** The same for the pairs of each residue's atoms, NaN where there is none, `[N_res]`. */
  readonly perResidue: Float64Array;
  /** Pairs of atoms that were compared. */
  readonly pairs: number;
}

/** Å; pairs that are farther apart in the reference are not compared. */
const CUTOFF = 15;

/** Differences of distance that count as kept, Å. */
const THRESHOLDS = [0.5, 1, 2, 4] as const;

/** Atoms whose names may be exchanged, since they are alike chemically. */
const EXCHANGED: Readonly<Record<string, string>> = {
  D: "OD1 OD2",
  E: "OE1 OE2",
  F: "CD1 CD2 CE1 CE2",
  L: "CD1 CD2",
  R: "NH1 NH2",
  V: "CG1 CG2",
  Y: "CD1 CD2 CE1 CE2",
};

/**
 * lDDT of all heavy atoms: how many distances between atoms of different residues, below 15 Å in the reference, the model
 * keeps within 0.5, 1, 2 and 4 Å; the mean of the four parts, over all pairs.
 *
 * An atom that the model lacks keeps no distance. In Asp, Glu, Phe, Leu, Arg, Val and Tyr the names of atoms that are alike
 * are taken as they are or exchanged, whichever keeps more distances to the atoms of which that is not in doubt; where the
 * residues' letters differ they are taken as they are. The checks of stereochemistry, which the published program makes
 * first, are left out.
 *
 * Source: Mariani et al. (2013), Bioinformatics 29, 2722-2728.
 *
 * @param model Residues that stand for the reference's, in its order; `X` without atoms where there is none.
 * @param reference The true structure.
 * @throws {TypeError} If sizes differ.
 *
 * @example
 * ```ts
 * import { allAtomLddt } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const positions = new Float64Array(2 * 37 * 3), mask = new Float32Array(2 * 37);
 * mask[1] = mask[37 + 1] = 1; // C-alpha atoms
 * positions[3 * (37 + 1)] = 3.8;
 * const moved = positions.map((x) => 1.4 * x); // 1.52 Å longer: kept at 2 and 4 Å
 * const reference = { sequence: "GG", positions, mask };
 * assert.equal(allAtomLddt({ ...reference, positions: moved }, reference).overall, 0.5);
 * ```
 */
export function allAtomLddt(model: AtomsOfResidues, reference: AtomsOfResidues): AllAtomLddt {
  const n = reference.sequence.length;
  for (const [name, { sequence, positions, mask }] of Object.entries({ model, reference })) {
    if (sequence.length === n && mask.length === n * ATOM_SLOTS && positions.length === 3 * mask.length) continue;
    throw new TypeError(
      `Cannot compute allAtomLddt: the ${name} has ${sequence.length} residues, ${positions.length} coordinates and ` +
        `${mask.length} masks, expected ${n}, ${n * ATOM_SLOTS * 3} and ${n * ATOM_SLOTS}`,
    );
  }
  const exchange = exchanges(model.sequence, reference.sequence);
  const chosen = Int32Array.from(exchange.keys());
  // Of each residue in doubt: what its two kinds of names keep, as they are less exchanged.
  const gain = new Int32Array(n);
  forEachPair(reference, (i, j, distance) => {
    const [inDoubt, other] = exchange[i] !== i ? [i, j] : [j, i];
    if (exchange[inDoubt] === inDoubt || exchange[other] !== other) return;
    gain[residueOf(inDoubt)] += keptThresholds(model, inDoubt, other, distance) -
      keptThresholds(model, exchange[inDoubt], other, distance);
  });
  for (let i = 0; i < chosen.length; i++) if (gain[residueOf(i)] < 0) chosen[i] = exchange[i];
  const sums = new Float64Array(n), counts = new Float64Array(n);
  let sum = 0, pairs = 0;
  forEachPair(reference, (i, j, distance) => {
    const share = keptThresholds(model, chosen[i], chosen[j], distance) / THRESHOLDS.length;
    sum += share;
    pairs++;
    for (const atom of [i, j]) {
      sums[residueOf(atom)] += share;
      counts[residueOf(atom)]++;
    }
  });
  return { overall: pairs === 0 ? null : sum / pairs, perResidue: sums.map((total, r) => total / counts[r]), pairs };
}

function residueOf(slot: number): number {
  return Math.floor(slot / ATOM_SLOTS);
}

/** The slot that each may be exchanged with, itself where none, `[N_res · 37]`. */
function exchanges(model: string, reference: string): Int32Array {
  const slots = new Int32Array(reference.length * ATOM_SLOTS).map((_, slot) => slot);
  Array.from(reference, (letter, r) => {
    const names = model[r] === letter ? EXCHANGED[letter]?.split(" ") ?? [] : [];
    const own = names.map((name) => r * ATOM_SLOTS + ATOM_INDEX.get(name)!);
    own.forEach((slot, k) => slots[slot] = own[k ^ 1]);
  });
  return slots;
}

/** How many thresholds the model's distance keeps; none if it lacks an atom. */
function keptThresholds({ positions, mask }: AtomsOfResidues, i: number, j: number, expected: number): number {
  if (mask[i] === 0 || mask[j] === 0) return 0;
  const difference = Math.abs(distanceOf(positions, i, j) - expected);
  let kept = 0;
  for (const threshold of THRESHOLDS) if (difference < threshold) kept++;
  return kept;
}

/** Calls with every pair of atoms of different residues that are nearer than the cutoff, and their distance. */
function forEachPair(
  { positions, mask }: AtomsOfResidues,
  use: (i: number, j: number, distance: number) => void,
): void {
  const atoms = Array.from({ length: mask.length }, (_, slot) => slot).filter((slot) => mask[slot] !== 0)
    .sort((a, b) => positions[3 * a] - positions[3 * b]);
  for (const [p, i] of atoms.entries()) {
    for (let q = p + 1; q < atoms.length && positions[3 * atoms[q]] - positions[3 * i] < CUTOFF; q++) {
      const j = atoms[q];
      if (residueOf(i) === residueOf(j)) continue;
      const distance = distanceOf(positions, i, j);
      if (distance < CUTOFF) use(i, j, distance);
    }
  }
}

function distanceOf(positions: ArrayLike<number>, i: number, j: number): number {
  const x = positions[3 * i] - positions[3 * j];
  const y = positions[3 * i + 1] - positions[3 * j + 1];
  const z = positions[3 * i + 2] - positions[3 * j + 2];
  return Math.sqrt(x * x + y * y + z * z);
}
