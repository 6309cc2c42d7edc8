/**
 * Shapes of the 20 amino acids: where their atoms are in the frames of their rigid groups, bonds, angles, radii.
 *
 * Source: rigid groups: AlphaFold's ideal positions, Jumper et al. (2021), Suppl. 1.8.1 and Table 2. Bonds and angles:
 * Engh and Huber (2001), International Tables for Crystallography F, 18.3, as AlphaFold and OpenStructure list them.
 * Radii: Bondi (1964), "van der Waals Volumes and Radii".
 */
import {
  ATOM14_NAMES,
  ATOM14_SLOTS,
  ATOM37_TO_ATOM14,
  CHI_ANGLES,
  CHI_ATOMS,
  CHI_EXISTS,
  RESIDUE_TYPES,
  RIGID_GROUPS,
} from "./residue_constants.ts";
import { ATOM_SLOTS, RESIDUE_LETTERS } from "./residues.ts";

/** Atoms with their coordinates in Å in the frame of their rigid group; coordinates not given, and C-alpha, are 0. */
const POSITIONS: Readonly<Record<string, string>> = {
  A: "N -0.525 1.363, C 1.526, O 0.627 1.062, CB -0.529 -0.774 -1.205",
  R: "N -0.524 1.362, C 1.525, O 0.626 1.062, CB -0.524 -0.778 -1.209, CG 0.616 1.39, CD 0.564 1.414, NE 0.539 1.357, " +
    "CZ 0.758 1.093, NH1 0.206 2.301, NH2 2.078 0.978",
  N: "N -0.536 1.357, C 1.526, O 0.625 1.062, CB -0.531 -0.787 -1.2, CG 0.584 1.399, OD1 0.633 1.059, " +
    "ND2 0.593 -1.188 0.001",
  D: "N -0.525 1.362, C 1.527, O 0.626 1.062, CB -0.526 -0.778 -1.208, CG 0.593 1.398, OD1 0.61 1.091, " +
    "OD2 0.592 -1.101 -0.003",
  C: "N -0.522 1.362, C 1.524, O 0.625 1.062, CB -0.519 -0.773 -1.212, SG 0.728 1.653",
  Q: "N -0.526 1.361, C 1.526, O 0.626 1.062, CB -0.525 -0.779 -1.207, CG 0.615 1.393, CD 0.587 1.399, " +
    "OE1 0.634 1.06, NE2 0.593 -1.189 -0.001",
  E: "N -0.528 1.361, C 1.526, O 0.626 1.062, CB -0.526 -0.781 -1.207, CG 0.615 1.392, CD 0.6 1.397, OE1 0.607 1.095, " +
    "OE2 0.589 -1.104 -0.001",
  G: "N -0.572 1.337, C 1.517, O 0.626 1.062",
  H: "N -0.527 1.36, C 1.525, O 0.625 1.063, CB -0.525 -0.778 -1.208, CG 0.6 1.37, ND1 0.744 1.16, " +
    "CD2 0.889 -1.021 0.003, CE1 2.03 0.851 0.002, NE2 2.145 -0.466 0.004",
  I: "N -0.493 1.373, C 1.527, O 0.627 1.062, CB -0.536 -0.793 -1.213, CG1 0.534 1.437, CG2 0.54 -0.785 -1.199, " +
    "CD1 0.619 1.391",
  L: "N -0.52 1.363, C 1.525, O 0.625 1.063, CB -0.522 -0.773 -1.214, CG 0.678 1.371, CD1 0.53 1.43, " +
    "CD2 0.535 -0.774 1.2",
  K: "N -0.526 1.362, C 1.526, O 0.626 1.062, CB -0.524 -0.778 -1.208, CG 0.619 1.39, CD 0.559 1.417, CE 0.56 1.416, " +
    "NZ 0.554 1.387",
  M: "N -0.521 1.364, C 1.525, O 0.625 1.062, CB -0.523 -0.776 -1.21, CG 0.613 1.391, SD 0.703 1.695, CE 0.32 1.786",
  F: "N -0.518 1.363, C 1.524, O 0.626 1.062, CB -0.525 -0.776 -1.212, CG 0.607 1.377, CD1 0.709 1.195, " +
    "CD2 0.706 -1.196, CE1 2.102 1.198, CE2 2.098 -1.201, CZ 2.794 -0.003 -0.001",
  P: "N -0.566 1.351, C 1.527, O 0.621 1.066, CB -0.546 -0.611 -1.293, CG 0.382 1.445, CD 0.477 1.424",
  S: "N -0.529 1.36, C 1.525, O 0.626 1.062, CB -0.518 -0.777 -1.211, OG 0.503 1.325",
  T: "N -0.517 1.364, C 1.526, O 0.626 1.062, CB -0.516 -0.793 -1.215, OG1 0.472 1.353, CG2 0.55 -0.718 -1.228",
  W: "N -0.521 1.363, C 1.525, O 0.627 1.062, CB -0.523 -0.776 -1.212, CG 0.609 1.37, CD1 0.824 1.091, " +
    "CD2 0.854 -1.148 -0.005, NE1 2.14 0.69 -0.004, CE2 2.186 -0.678 -0.007, CE3 0.622 -2.53 -0.007, " +
    "CZ2 3.283 -1.543 -0.011, CZ3 1.715 -3.389 -0.011, CH2 3.028 -2.89 -0.013",
  Y: "N -0.522 1.362, C 1.524, O 0.627 1.062, CB -0.522 -0.776 -1.213, CG 0.607 1.382, CD1 0.716 1.195, " +
    "CD2 0.713 -1.194 -0.001, CE1 2.107 1.2 -0.002, CE2 2.104 -1.201 -0.003, CZ 2.791 -0.001 -0.003, " +
    "OH 4.168 -0.002 -0.005",
  V: "N -0.494 1.373, C 1.527, O 0.627 1.062, CB -0.533 -0.795 -1.213, CG1 0.54 1.429, CG2 0.533 -0.776 1.203",
};

/** Lengths of bonds and their standard deviations in Å, of all residues that have none of their own. */
const COMMON_BONDS = "N-CA 1.459 0.02, CA-C 1.525 0.026, C-O 1.229 0.019";

/** Lengths of bonds and their standard deviations in Å. */
const BONDS: Readonly<Record<string, string>> = {
  A: "CA-CB 1.52 0.021",
  R: "CA-CB 1.535 0.022, CB-CG 1.521 0.027, CG-CD 1.515 0.025, CD-NE 1.46 0.017, NE-CZ 1.326 0.013, " +
    "CZ-NH1 1.326 0.013, CZ-NH2 1.326 0.013",
  N: "CA-CB 1.527 0.026, CB-CG 1.506 0.023, CG-OD1 1.235 0.022, CG-ND2 1.324 0.025",
  D: "CA-CB 1.535 0.022, CB-CG 1.513 0.021, CG-OD1 1.249 0.023, CG-OD2 1.249 0.023",
  C: "CA-CB 1.526 0.013, CB-SG 1.812 0.016",
  Q: "CA-CB 1.535 0.022, CB-CG 1.521 0.027, CG-CD 1.506 0.023, CD-OE1 1.235 0.022, CD-NE2 1.324 0.025",
  E: "CA-CB 1.535 0.022, CB-CG 1.517 0.019, CG-CD 1.515 0.015, CD-OE1 1.252 0.011, CD-OE2 1.252 0.011",
  G: "N-CA 1.456 0.015, CA-C 1.514 0.016, C-O 1.232 0.016",
  H: "CA-CB 1.535 0.022, CB-CG 1.492 0.016, CG-ND1 1.369 0.015, CG-CD2 1.353 0.017, ND1-CE1 1.343 0.025, " +
    "CD2-NE2 1.415 0.021, CE1-NE2 1.322 0.023",
  I: "CA-CB 1.544 0.023, CB-CG1 1.536 0.028, CB-CG2 1.524 0.031, CG1-CD1 1.5 0.069",
  L: "CA-CB 1.533 0.023, CB-CG 1.521 0.029, CG-CD1 1.514 0.037, CG-CD2 1.514 0.037",
  K: "CA-CB 1.535 0.022, CB-CG 1.521 0.027, CG-CD 1.52 0.034, CD-CE 1.508 0.025, CE-NZ 1.486 0.025",
  M: "CA-CB 1.535 0.022, CB-CG 1.509 0.032, CG-SD 1.807 0.026, SD-CE 1.774 0.056",
  F: "CA-CB 1.535 0.022, CB-CG 1.509 0.017, CG-CD1 1.383 0.015, CG-CD2 1.383 0.015, CD1-CE1 1.388 0.02, " +
    "CD2-CE2 1.388 0.02, CE1-CZ 1.369 0.019, CE2-CZ 1.369 0.019",
  P: "CA-CB 1.531 0.02, CB-CG 1.495 0.05, CG-CD 1.502 0.033, CD-N 1.474 0.014, N-CA 1.468 0.017, CA-C 1.524 0.02, " +
    "C-O 1.228 0.02",
  S: "CA-CB 1.525 0.015, CB-OG 1.418 0.013",
  T: "CA-CB 1.529 0.026, CB-OG1 1.428 0.02, CB-CG2 1.519 0.033",
  W: "CA-CB 1.535 0.022, CB-CG 1.498 0.018, CG-CD1 1.363 0.014, CG-CD2 1.432 0.017, CD1-NE1 1.375 0.017, " +
    "NE1-CE2 1.371 0.013, CD2-CE2 1.409 0.012, CD2-CE3 1.399 0.015, CE2-CZ2 1.393 0.017, CE3-CZ3 1.38 0.017, " +
    "CZ2-CH2 1.369 0.019, CZ3-CH2 1.396 0.016",
  Y: "CA-CB 1.535 0.022, CB-CG 1.512 0.015, CG-CD1 1.387 0.013, CG-CD2 1.387 0.013, CD1-CE1 1.389 0.015, " +
    "CD2-CE2 1.389 0.015, CE1-CZ 1.381 0.013, CE2-CZ 1.381 0.013, CZ-OH 1.374 0.017",
  V: "CA-CB 1.543 0.021, CB-CG1 1.524 0.021, CB-CG2 1.524 0.021",
};

/** Angles between bonds and their standard deviations in degrees, of all residues that have none of their own. */
const COMMON_ANGLES = "N-CA-C 111 2.7, CA-C-O 120.1 2.1";

/** Angles between bonds and their standard deviations in degrees. */
const ANGLES: Readonly<Record<string, string>> = {
  A: "N-CA-CB 110.1 1.4, CB-CA-C 110.1 1.5",
  R: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.4 2.2, CB-CG-CD 111.6 2.6, CG-CD-NE 111.8 2.1, " +
    "CD-NE-CZ 123.6 1.4, NE-CZ-NH1 120.3 0.5, NE-CZ-NH2 120.3 0.5, NH1-CZ-NH2 119.4 1.1",
  N: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.4 2.2, CB-CG-ND2 116.7 2.4, CB-CG-OD1 121.6 2, " +
    "ND2-CG-OD1 121.9 2.3",
  D: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.4 2.2, CB-CG-OD1 118.3 0.9, CB-CG-OD2 118.3 0.9, " +
    "OD1-CG-OD2 123.3 1.9",
  C: "N-CA-CB 110.8 1.5, CB-CA-C 111.5 1.2, CA-CB-SG 114.2 1.1",
  Q: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.4 2.2, CB-CG-CD 111.6 2.6, CG-CD-OE1 121.6 2, " +
    "CG-CD-NE2 116.7 2.4, OE1-CD-NE2 121.9 2.3",
  E: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.4 2.2, CB-CG-CD 114.2 2.7, CG-CD-OE1 118.3 2, " +
    "CG-CD-OE2 118.3 2, OE1-CD-OE2 123.3 1.2",
  G: "N-CA-C 113.1 2.5, CA-C-O 120.6 1.8",
  H: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.6 1.7, CB-CG-ND1 123.2 2.5, CB-CG-CD2 130.8 3.1, " +
    "CG-ND1-CE1 108.2 1.4, ND1-CE1-NE2 109.9 2.2, CE1-NE2-CD2 106.6 2.5, NE2-CD2-CG 109.2 1.9, CD2-CG-ND1 106 1.4",
  I: "N-CA-CB 110.8 2.3, CB-CA-C 111.6 2, CA-CB-CG1 111 1.9, CB-CG1-CD1 113.9 2.8, CA-CB-CG2 110.9 2, " +
    "CG1-CB-CG2 111.4 2.2",
  L: "N-CA-CB 110.4 2, CB-CA-C 110.2 1.9, CA-CB-CG 115.3 2.3, CB-CG-CD1 111 1.7, CB-CG-CD2 111 1.7, CD1-CG-CD2 110.5 3",
  K: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.4 2.2, CB-CG-CD 111.6 2.6, CG-CD-CE 111.9 3, CD-CE-NZ 111.7 2.3",
  M: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.3 1.7, CB-CG-SD 112.4 3, CG-SD-CE 100.2 1.6",
  F: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.9 2.4, CB-CG-CD1 120.8 0.7, CB-CG-CD2 120.8 0.7, " +
    "CD1-CG-CD2 118.3 1.3, CG-CD1-CE1 120.8 1.1, CG-CD2-CE2 120.8 1.1, CD1-CE1-CZ 120.1 1.2, CD2-CE2-CZ 120.1 1.2, " +
    "CE1-CZ-CE2 120 1.8",
  P: "N-CA-CB 103.3 1.2, CB-CA-C 111.7 2.1, CA-CB-CG 104.8 1.9, CB-CG-CD 106.5 3.9, CG-CD-N 103.2 1.5, " +
    "CA-N-CD 111.7 1.4, N-CA-C 112.1 2.6, CA-C-O 120.2 2.4",
  S: "N-CA-CB 110.5 1.5, CB-CA-C 110.1 1.9, CA-CB-OG 111.2 2.7",
  T: "N-CA-CB 110.3 1.9, CB-CA-C 111.6 2.7, CA-CB-OG1 109 2.1, CA-CB-CG2 112.4 1.4, OG1-CB-CG2 110 2.3",
  W: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.7 1.9, CB-CG-CD1 127 1.3, CB-CG-CD2 126.6 1.3, " +
    "CD1-CG-CD2 106.3 0.8, CG-CD1-NE1 110.1 1, CD1-NE1-CE2 109 0.9, NE1-CE2-CD2 107.3 1, CE2-CD2-CG 107.3 0.8, " +
    "CG-CD2-CE3 133.9 0.9, NE1-CE2-CZ2 130.4 1.1, CE3-CD2-CE2 118.7 1.2, CD2-CE2-CZ2 122.3 1.2, CE2-CZ2-CH2 117.4 1, " +
    "CZ2-CH2-CZ3 121.6 1.2, CH2-CZ3-CE3 121.2 1.1, CZ3-CE3-CD2 118.8 1.3",
  Y: "N-CA-CB 110.6 1.8, CB-CA-C 110.4 2, CA-CB-CG 113.4 1.9, CB-CG-CD1 121 0.6, CB-CG-CD2 121 0.6, " +
    "CD1-CG-CD2 117.9 1.1, CG-CD1-CE1 121.3 0.8, CG-CD2-CE2 121.3 0.8, CD1-CE1-CZ 119.8 0.9, CD2-CE2-CZ 119.8 0.9, " +
    "CE1-CZ-CE2 119.8 1.6, CE1-CZ-OH 120.1 2.7, CE2-CZ-OH 120.1 2.7",
  V: "N-CA-CB 111.5 2.2, CB-CA-C 111.4 1.9, CA-CB-CG1 110.9 1.5, CA-CB-CG2 110.9 1.5, CG1-CB-CG2 110.9 1.6",
};

/** Radii of the elements in Å. */
export const VAN_DER_WAALS_RADII: Readonly<Record<string, number>> = { C: 1.7, N: 1.55, O: 1.52, S: 1.8 };

/** The bond between residues: length in Å, cosines of the angles at both ends, each with its standard deviation. */
export const PEPTIDE_BOND = {
  /** C-N, to any residue and to proline. */
  length: { other: { mean: 1.329, stddev: 0.014 }, proline: { mean: 1.341, stddev: 0.016 } },
  /** cos(CA-C-N), of 116.568°. */
  cosCaCN: { mean: -0.4473, stddev: 0.0311 },
  /** cos(C-N-CA), of 121.352°. */
  cosCNCa: { mean: -0.5203, stddev: 0.0353 },
} as const;

/** A bond of a residue. */
export interface Bond {
  /** Names of its two atoms. */
  readonly atoms: readonly [string, string];
  /** Å */
  readonly length: number;
  /** Å */
  readonly stddev: number;
}

/** An angle between two bonds of a residue. */
export interface BondAngle {
  /** Names of its three atoms, the vertex in the middle. */
  readonly atoms: readonly [string, string, string];
  /** Radians. */
  readonly angle: number;
  /** Radians. */
  readonly stddev: number;
}

/** How far the atoms of one residue may be apart; 0 where a residue type has not both atoms. */
export interface DistanceBounds {
  /** Å, `[21, 14, 14]`. */
  readonly lower_bound: Float32Array;
  /** Å, `[21, 14, 14]`; 1e10 where only a clash is forbidden. */
  readonly upper_bound: Float32Array;
  /** Å, `[21, 14, 14]`; 0 but for bonds and the far ends of angles. */
  readonly stddev: Float32Array;
}

/** Rigid group of each atom, `[21, 14]`. */
export const ATOM14_GROUP: Int32Array = new Int32Array(RESIDUE_TYPES * ATOM14_SLOTS);

/** Position of each atom in the frame of its rigid group in Å, `[21, 14, 3]`. */
export const ATOM14_LOCAL_POSITIONS: Float32Array = new Float32Array(RESIDUE_TYPES * ATOM14_SLOTS * 3);

/** Van der Waals radius of each atom in Å, `[21, 14]`; 0 where there is none. */
export const ATOM14_RADIUS: Float32Array = new Float32Array(RESIDUE_TYPES * ATOM14_SLOTS);

/**
 * Frame of each rigid group at torsion 0 in the frame before it, `[21, 8, 4, 4]`: the backbone for pre-omega, phi, psi and
 * chi 1, else the chi before; 0 where there is none.
 */
export const RIGID_GROUP_DEFAULT_FRAMES: Float32Array = new Float32Array(RESIDUE_TYPES * RIGID_GROUPS * 16);

fillAtoms();
fillFrames();

/** Bonds of a residue by its letter; none for `X`. */
export function residueBonds(letter: string): Bond[] {
  return records(COMMON_BONDS, BONDS[letter]).map(({ atoms: [a, b], mean, stddev }) => ({
    atoms: [a, b],
    length: mean,
    stddev,
  }));
}

/** Angles between the bonds of a residue by its letter; none for `X`. */
export function residueAngles(letter: string): BondAngle[] {
  return records(COMMON_ANGLES, ANGLES[letter]).map(({ atoms: [a, b, c], mean, stddev }) => ({
    atoms: [a, b, c],
    angle: mean * Math.PI / 180,
    stddev: stddev * Math.PI / 180,
  }));
}

/**
 * Bounds of the distances inside residues: of bonds and the far ends of angles some standard deviations around the mean, of
 * other atoms no overlap of their radii.
 *
 * Source: AlphaFold's `make_atom14_dists_bounds`; Jumper et al. (2021), Suppl. 1.9.11.
 *
 * @param overlapTolerance Å by which radii may overlap. @default 1.5
 * @param toleranceFactor Standard deviations. @default 15
 */
export function atom14DistanceBounds(overlapTolerance = 1.5, toleranceFactor = 15): DistanceBounds {
  const size = RESIDUE_TYPES * ATOM14_SLOTS * ATOM14_SLOTS;
  const lower_bound = new Float32Array(size);
  const upper_bound = new Float32Array(size);
  const stddevs = new Float32Array(size);
  ATOM14_NAMES.forEach((names, type) => {
    const set = (i: number, j: number, lower: number, upper: number, stddev: number) => {
      for (const [a, b] of [[i, j], [j, i]]) {
        const at = (type * ATOM14_SLOTS + a) * ATOM14_SLOTS + b;
        [lower_bound[at], upper_bound[at], stddevs[at]] = [lower, upper, stddev];
      }
    };
    for (let i = 0; i < names.length; i++) {
      for (let j = 0; j < i; j++) {
        const radii = ATOM14_RADIUS[type * ATOM14_SLOTS + i] + ATOM14_RADIUS[type * ATOM14_SLOTS + j];
        set(i, j, radii - overlapTolerance, 1e10, 0);
      }
    }
    for (const { atoms: [a, b], length, stddev } of [...bondsOf(type), ...farEndsOf(type)]) {
      const margin = toleranceFactor * stddev;
      set(names.indexOf(a), names.indexOf(b), length - margin, length + margin, stddev);
    }
  });
  return { lower_bound, upper_bound, stddev: stddevs };
}

function bondsOf(type: number): Bond[] {
  return residueBonds(RESIDUE_LETTERS[type]);
}

/** Distances of the ends of angles, as bonds that are not there. */
function farEndsOf(type: number): Bond[] {
  const bonds = bondsOf(type);
  const find = (a: string, b: string): Bond => {
    const bond = bonds.find(({ atoms }) => atoms.includes(a) && atoms.includes(b));
    if (bond === undefined) throw new RangeError(`${RESIDUE_LETTERS[type]} has no bond ${a}-${b}`);
    return bond;
  };
  return residueAngles(RESIDUE_LETTERS[type]).map(({ atoms: [a, b, c], angle, stddev }) => {
    const [p, q] = [find(a, b), find(b, c)];
    const length = Math.sqrt(p.length ** 2 + q.length ** 2 - 2 * p.length * q.length * Math.cos(angle));
    const errors = [
      stddev * p.length * q.length * Math.sin(angle),
      p.stddev * (p.length - q.length * Math.cos(angle)),
      q.stddev * (q.length - p.length * Math.cos(angle)),
    ];
    return { atoms: [a, c], length, stddev: Math.hypot(...errors) / length };
  });
}

/** Entries `A-B mean stddev` of a table, the common ones first where the residue has no other. */
function records(common: string, own: string | undefined): { atoms: string[]; mean: number; stddev: number }[] {
  if (own === undefined) return [];
  const parse = (text: string) =>
    text.split(", ").filter((entry) => entry).map((entry) => {
      const [atoms, mean, stddev] = entry.split(" ");
      return { atoms: atoms.split("-"), mean: Number(mean), stddev: Number(stddev) };
    });
  const special = parse(own);
  const isSpecial = (atoms: readonly string[]) => special.some((entry) => entry.atoms.join() === atoms.join());
  return [...parse(common).filter(({ atoms }) => !isSpecial(atoms)), ...special];
}

function fillAtoms(): void {
  ATOM14_NAMES.forEach((names, type) => {
    const chis = CHI_EXISTS.subarray(type * CHI_ANGLES, (type + 1) * CHI_ANGLES).reduce((sum, x) => sum + x, 0);
    const places = new Map(
      (POSITIONS[RESIDUE_LETTERS[type]] ?? "").split(", ").map((entry) => {
        const [name, ...numbers] = entry.split(" ");
        return [name, numbers.map(Number)];
      }),
    );
    names.forEach((name, slot) => {
      const at = type * ATOM14_SLOTS + slot;
      ATOM14_LOCAL_POSITIONS.set(places.get(name) ?? [], 3 * at);
      ATOM14_RADIUS[at] = VAN_DER_WAALS_RADII[name[0]];
      // An atom moves with the chi that ends in it; those beside such an atom with the last chi, CG2 with the first.
      const own = [...Array(chis).keys()].find((chi) => name === chiAtom(type, chi, 3));
      if (name === "O") ATOM14_GROUP[at] = 3;
      else if (slot > 4) ATOM14_GROUP[at] = 4 + (own ?? (name === "CG2" ? 0 : chis - 1));
    });
  });
}

function fillFrames(): void {
  for (let type = 0; type < RESIDUE_TYPES - 1; type++) {
    const place = (name: string): number[] => {
      const at = (type * ATOM14_SLOTS + ATOM14_NAMES[type].indexOf(name)) * 3;
      return Array.from(ATOM14_LOCAL_POSITIONS.subarray(at, at + 3));
    };
    const [n, c] = [place("N"), place("C")];
    setFrame(type, 0, [1, 0, 0], [0, 1, 0], [0, 0, 0]);
    setFrame(type, 1, [1, 0, 0], [0, 1, 0], [0, 0, 0]);
    setFrame(type, 2, n, [1, 0, 0], n);
    setFrame(type, 3, c, n.map((x) => -x), c);
    for (let chi = 0; CHI_EXISTS[type * CHI_ANGLES + chi] === 1 && chi < CHI_ANGLES; chi++) {
      const end = place(chiAtom(type, chi, 2));
      setFrame(type, 4 + chi, end, chi === 0 ? n : [-1, 0, 0], end);
    }
  }
}

function chiAtom(type: number, chi: number, index: number): string {
  const wide = CHI_ATOMS[(type * CHI_ANGLES + chi) * 4 + index];
  return ATOM14_NAMES[type][ATOM37_TO_ATOM14[type * ATOM_SLOTS + wide]];
}

/** Sets a frame from its x axis, a vector in the xy plane, and its origin. */
function setFrame(type: number, group: number, x: number[], xy: number[], origin: number[]): void {
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, axis) => sum + value * b[axis], 0);
  const unit = (a: number[]) => a.map((value) => value / Math.sqrt(dot(a, a)));
  const ex = unit(x);
  const ey = unit(xy.map((value, axis) => value - dot(xy, ex) * ex[axis]));
  const ez = [0, 1, 2].map((axis) => {
    const [u, v] = [(axis + 1) % 3, (axis + 2) % 3];
    return ex[u] * ey[v] - ex[v] * ey[u];
  });
  const at = (type * RIGID_GROUPS + group) * 16;
  for (let axis = 0; axis < 3; axis++) {
    RIGID_GROUP_DEFAULT_FRAMES.set([ex[axis], ey[axis], ez[axis], origin[axis]], at + 4 * axis);
  }
  RIGID_GROUP_DEFAULT_FRAMES[at + 15] = 1;
}
