/** Torsion angles of residues, from the experiment's atoms. */
import { CHI_ANGLES, CHI_ATOMS, CHI_EXISTS, CHI_IS_PERIODIC } from "../../../model/protein/residue_constants.ts";
import { ATOM_SLOTS, SLOT } from "../../../model/protein/residues.ts";
import { type AtomInputs, checkAtoms } from "./_check.ts";
import { frameFrom3Points, type Point, toLocal } from "../../../model/protein/frames.ts";

/** Torsions of a residue: pre-omega, phi, psi, chi 1 to 4. */
export const TORSIONS = 7;

/** Sine and cosine of the seven torsions. */
export interface TorsionAngles {
  /** `[N_res, 7, 2]`; of no meaning where the mask is 0. */
  readonly torsion_angles_sin_cos: Float32Array;
  /** `[N_res, 7, 2]`, with half a turn added to the chi for which that changes nothing but names. */
  readonly alt_torsion_angles_sin_cos: Float32Array;
  /** 1 where all four atoms were seen, `[N_res, 7]`. */
  readonly torsion_angles_mask: Float32Array;
}

/** Sine and cosine of the side chain's torsions. */
export interface ChiAngles {
  /** `[N_res, 4, 2]`; of no meaning where the mask is 0. */
  readonly chi_angles_sin_cos: Float32Array;
  /** `[N_res, 4]` */
  readonly chi_mask: Float32Array;
}

/** Å² and its like, added under square roots. */
const EPS = 1e-8;

const OXYGEN = 4;

/**
 * Torsion angles of all residues.
 *
 * Psi is measured to the oxygen and its sign turned, because the next residue's nitrogen stands opposite to it. The first
 * residue has no pre-omega and no phi; others take the residue before them in the arrays, whatever their numbers.
 *
 * Source: AlphaFold's `atom37_to_torsion_angles`; Jumper et al. (2021), Suppl. Table 2.
 *
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a residue type is not 0 … 20.
 */
export function atom37ToTorsionAngles(atoms: AtomInputs): TorsionAngles {
  const { aatype, all_atom_positions, all_atom_mask } = atoms;
  const n = checkAtoms("atom37ToTorsionAngles", atoms);
  const angles = new Float32Array(n * TORSIONS * 2);
  const altAngles = new Float32Array(n * TORSIONS * 2);
  const mask = new Float32Array(n * TORSIONS);
  const nowhere: Point = [[0, 0, 0], 0];
  for (let i = 0; i < n; i++) {
    const own = i * ATOM_SLOTS;
    const before = own - ATOM_SLOTS; // less than 0 for the first residue: no atom there
    const [nitrogen, alpha, carbon] = [own + SLOT.N, own + SLOT.CA, own + SLOT.C];
    const quadruples = [
      [before + SLOT.CA, before + SLOT.C, nitrogen, alpha],
      [before + SLOT.C, nitrogen, alpha, carbon],
      [nitrogen, alpha, carbon, own + OXYGEN],
    ];
    for (let chi = 0; chi < CHI_ANGLES; chi++) {
      const table = (aatype[i] * CHI_ANGLES + chi) * 4;
      quadruples.push(Array.from(CHI_ATOMS.subarray(table, table + 4), (slot) => own + slot));
    }
    quadruples.forEach((slots, torsion) => {
      const at = i * TORSIONS + torsion;
      const chi = aatype[i] * CHI_ANGLES + torsion - 3;
      const there = torsion < 3 ? 1 : CHI_EXISTS[chi];
      mask[at] = slots.reduce((product, slot) => product * (slot < 0 ? 0 : all_atom_mask[slot]), there);
      const [p0, p1, p2, p3] = slots.map((slot): Point => slot < 0 ? nowhere : [all_atom_positions, 3 * slot]);
      const [, y, z] = toLocal(frameFrom3Points(p1, p2, p0, EPS), p3);
      const length = Math.sqrt(y * y + z * z + EPS) * (torsion === 2 ? -1 : 1);
      const mirror = torsion >= 3 && CHI_IS_PERIODIC[chi] ? -1 : 1;
      [z, y].forEach((part, k) => {
        angles[2 * at + k] = part / length;
        altAngles[2 * at + k] = mirror * part / length;
      });
    });
  }
  return { torsion_angles_sin_cos: angles, alt_torsion_angles_sin_cos: altAngles, torsion_angles_mask: mask };
}

/** The side chain's torsions among all of them. */
export function chiAngles(torsions: TorsionAngles): ChiAngles {
  const n = torsions.torsion_angles_mask.length / TORSIONS;
  const chi_angles_sin_cos = new Float32Array(n * CHI_ANGLES * 2);
  const chi_mask = new Float32Array(n * CHI_ANGLES);
  for (let i = 0; i < n; i++) {
    const [from, to] = [i * TORSIONS + 3, (i + 1) * TORSIONS];
    chi_angles_sin_cos.set(torsions.torsion_angles_sin_cos.subarray(2 * from, 2 * to), 2 * CHI_ANGLES * i);
    chi_mask.set(torsions.torsion_angles_mask.subarray(from, to), CHI_ANGLES * i);
  }
  return { chi_angles_sin_cos, chi_mask };
}
