/** Between the two ways of keeping atoms: `atom37`, a slot a name, and `atom14`, a slot an atom of the residue. */
import {
  ATOM14_EXCHANGE,
  ATOM14_EXISTS,
  ATOM14_SLOTS,
  ATOM14_TO_ATOM37,
  ATOM37_EXISTS,
  ATOM37_TO_ATOM14,
} from "../../../model/protein/residue_constants.ts";
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";
import { type AtomInputs, checkAtoms, checkTypes } from "./_check.ts";

/** Which atoms residues have, and where each way of keeping them has the other's. */
export interface Atom14Masks {
  /** 1 where the residue type has an atom, `[N_res, 14]`. */
  readonly atom14_atom_exists: Float32Array;
  /** Slot in `atom37`, `[N_res, 14]`; 0 where there is no atom. */
  readonly residx_atom14_to_atom37: Int32Array;
  /** Slot in `atom14`, `[N_res, 37]`; 0 where there is no atom. */
  readonly residx_atom37_to_atom14: Int32Array;
  /** 1 where the residue type has an atom, `[N_res, 37]`. */
  readonly atom37_atom_exists: Float32Array;
}

/** Atoms of the experiment in `atom14` slots, and under the names they could have as well. */
export interface Atom14Positions {
  /** 1 where the atom was seen, `[N_res, 14]`. */
  readonly atom14_gt_exists: Float32Array;
  /** Å, `[N_res, 14, 3]`; 0 where it was not seen. */
  readonly atom14_gt_positions: Float32Array;
  /** Å, `[N_res, 14, 3]`, with exchangeable names exchanged. */
  readonly atom14_alt_gt_positions: Float32Array;
  /** `[N_res, 14]`, with exchangeable names exchanged. */
  readonly atom14_alt_gt_exists: Float32Array;
  /** 1 where the name is exchangeable, `[N_res, 14]`. */
  readonly atom14_atom_is_ambiguous: Float32Array;
}

/**
 * Maps and masks of the atoms that residues have by their type.
 *
 * Source: AlphaFold's `make_atom14_masks`.
 *
 * @param aatype Residue types, `[N_res]`.
 * @throws {RangeError} If a residue type is not 0 … 20.
 */
export function makeAtom14Masks(aatype: ArrayLike<number>): Atom14Masks {
  checkTypes("makeAtom14Masks", aatype);
  return {
    atom14_atom_exists: takeRows(ATOM14_EXISTS, ATOM14_SLOTS, aatype, Float32Array),
    residx_atom14_to_atom37: takeRows(ATOM14_TO_ATOM37, ATOM14_SLOTS, aatype, Int32Array),
    residx_atom37_to_atom14: takeRows(ATOM37_TO_ATOM14, ATOM_SLOTS, aatype, Int32Array),
    atom37_atom_exists: takeRows(ATOM37_EXISTS, ATOM_SLOTS, aatype, Float32Array),
  };
}

/**
 * The experiment's atoms in `atom14` slots, and the same where exchangeable names are exchanged.
 *
 * Source: AlphaFold's `make_atom14_positions`; Jumper et al. (2021), Suppl. 1.8.5.
 *
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a residue type is not 0 … 20.
 */
export function makeAtom14Positions(atoms: AtomInputs): Atom14Positions {
  const { aatype, all_atom_positions, all_atom_mask } = atoms;
  const n = checkAtoms("makeAtom14Positions", atoms);
  const exists = new Float32Array(n * ATOM14_SLOTS);
  const positions = new Float32Array(n * ATOM14_SLOTS * 3);
  const altExists = new Float32Array(n * ATOM14_SLOTS);
  const altPositions = new Float32Array(n * ATOM14_SLOTS * 3);
  const ambiguous = new Float32Array(n * ATOM14_SLOTS);
  for (let i = 0; i < n; i++) {
    const table = aatype[i] * ATOM14_SLOTS;
    for (let slot = 0; slot < ATOM14_SLOTS; slot++) {
      const other = ATOM14_EXCHANGE[table + slot];
      const at = i * ATOM14_SLOTS + slot;
      const alt = i * ATOM14_SLOTS + other;
      if (other !== slot) ambiguous[at] = 1;
      const from = i * ATOM_SLOTS + ATOM14_TO_ATOM37[table + slot];
      const there = ATOM14_EXISTS[table + slot] * all_atom_mask[from];
      exists[at] = altExists[alt] = there;
      for (let axis = 0; axis < 3; axis++) {
        positions[3 * at + axis] = altPositions[3 * alt + axis] = there * all_atom_positions[3 * from + axis];
      }
    }
  }
  return {
    atom14_gt_exists: exists,
    atom14_gt_positions: positions,
    atom14_alt_gt_positions: altPositions,
    atom14_alt_gt_exists: altExists,
    atom14_atom_is_ambiguous: ambiguous,
  };
}

/** Rows of a table, one a residue. */
function takeRows<T extends Float32Array | Int32Array>(
  table: T,
  width: number,
  aatype: ArrayLike<number>,
  Type: new (size: number) => T,
): T {
  const rows = new Type(aatype.length * width);
  for (let i = 0; i < aatype.length; i++) {
    rows.set(table.subarray(aatype[i] * width, (aatype[i] + 1) * width), i * width);
  }
  return rows;
}
