/** The atom that stands for a residue: C-beta, C-alpha for glycine. */
import { ATOM_SLOTS, RESIDUE_LETTERS, SLOT } from "../../../model/protein/residues.ts";
import { type AtomInputs, checkAtoms } from "./_check.ts";

/** One atom a residue. */
export interface PseudoBeta {
  /** Å, `[N_res, 3]`. */
  readonly pseudo_beta: Float32Array;
  /** 1 where the atom was seen, `[N_res]`. */
  readonly pseudo_beta_mask: Float32Array;
}

const GLYCINE = RESIDUE_LETTERS.indexOf("G");

/**
 * C-beta atoms, C-alpha for glycine.
 *
 * Source: AlphaFold's `make_pseudo_beta`; Jumper et al. (2021), Suppl. 1.9.8.
 *
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a residue type is not 0 … 20.
 */
export function makePseudoBeta(atoms: AtomInputs): PseudoBeta {
  const n = checkAtoms("makePseudoBeta", atoms);
  const pseudo_beta = new Float32Array(n * 3);
  const pseudo_beta_mask = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const slot = i * ATOM_SLOTS + (atoms.aatype[i] === GLYCINE ? SLOT.CA : SLOT.CB);
    pseudo_beta.set(atoms.all_atom_positions.subarray(3 * slot, 3 * slot + 3), 3 * i);
    pseudo_beta_mask[i] = atoms.all_atom_mask[slot];
  }
  return { pseudo_beta, pseudo_beta_mask };
}
