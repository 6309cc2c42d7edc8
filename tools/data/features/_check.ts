/** Checks that the features share. */
import { RESIDUE_TYPES } from "../../../model/protein/residue_constants.ts";
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";

/** Residues and their atoms. */
export interface AtomInputs {
  /** Residue types, 0 … 20, `[N_res]`. */
  readonly aatype: Int32Array;
  /** Å, `[N_res, 37, 3]`. */
  readonly all_atom_positions: Float32Array;
  /** 1 where an atom is there, `[N_res, 37]`. */
  readonly all_atom_mask: Float32Array;
}

/** @returns N_res */
export function checkAtoms(owner: string, { aatype, all_atom_positions, all_atom_mask }: AtomInputs): number {
  const n = aatype.length;
  checkTypes(owner, aatype);
  checkSize(owner, "all_atom_positions", all_atom_positions, n * ATOM_SLOTS * 3);
  checkSize(owner, "all_atom_mask", all_atom_mask, n * ATOM_SLOTS);
  return n;
}

/** Throws unless all are residue types. */
export function checkTypes(owner: string, aatype: ArrayLike<number>): void {
  checkTokens(owner, "aatype", aatype, RESIDUE_TYPES);
}

/** Throws unless all are integers from 0 to below a number of classes. */
export function checkTokens(owner: string, name: string, tokens: ArrayLike<number>, classes: number): void {
  for (let i = 0; i < tokens.length; i++) {
    if (Number.isInteger(tokens[i]) && tokens[i] >= 0 && tokens[i] < classes) continue;
    throw new RangeError(`Cannot run ${owner} as ${name}[${i}] is ${tokens[i]}: expected 0 to ${classes - 1}`);
  }
}

/** Throws unless an array has so many numbers. */
export function checkSize(owner: string, name: string, array: ArrayLike<number>, size: number): void {
  if (array.length === size) return;
  throw new TypeError(`Cannot run ${owner} as ${name} has ${array.length} numbers: expected ${size}`);
}

/** Rows of a table of so many columns; throws unless they are whole. */
export function rowCount(owner: string, name: string, table: ArrayLike<number>, columns: number): number {
  const rows = columns === 0 ? 0 : table.length / columns;
  if (Number.isInteger(rows)) return rows;
  throw new TypeError(
    `Cannot run ${owner} as ${name} has ${table.length} numbers: expected whole rows of ${columns} columns`,
  );
}
