/** Cuts complexes to a number of residues for training. */
import { ATOM_SLOTS, SLOT } from "../../../../model/protein/residues.ts";

/** What a crop is chosen by. */
export interface CropInputs {
  /** Number of the chain, from 1, `[N_res]`. */
  readonly asym_id: ArrayLike<number>;
  /** Å, `[N_res, 37, 3]`. */
  readonly all_atom_positions: ArrayLike<number>;
  /** `[N_res, 37]` */
  readonly all_atom_mask: ArrayLike<number>;
}

/** Random choices of {@linkcode cropComplex}, in the order in which they are made. */
export interface CropDraws {
  /** A number of [0, 1): whether the crop is spatial. */
  uniform(): number;
  /** An order of `n` chains. */
  permutation(n: number): ArrayLike<number>;
  /** A whole number from `lower` to `upper`, both included. */
  integer(lower: number, upper: number): number;
}

/** Choices of {@linkcode cropComplex}. */
export interface CropOptions {
  /** Residues that are left. */
  readonly cropSize: number;
  /** How often the crop is around a residue of an interface. @default 0.5 */
  readonly spatialProbability?: number;
  /** Å within which atoms of the same name in different chains make an interface. @default 10 */
  readonly interfaceThreshold?: number;
}

/**
 * Residues of a crop, ascending: parts of the chains one after the other ("contiguous"), or those nearest to a residue of an
 * interface ("spatial"); contiguous too where there is no interface, or none but the first residue. All where they are few
 * enough.
 *
 * Source: Evans et al. (2021), Suppl. Alg. 1 and 2; OpenFold's `random_crop_to_size`, whose interfaces are of atoms of one name.
 */
export function cropComplex(
  inputs: CropInputs,
  { cropSize, spatialProbability = 0.5, interfaceThreshold = 10 }: CropOptions,
  draws: CropDraws,
): Int32Array {
  const n = inputs.asym_id.length;
  const isSpatial = draws.uniform() < spatialProbability;
  if (n <= cropSize) return Int32Array.from({ length: n }, (_, i) => i);
  if (isSpatial) {
    const found = interfaceResidues(inputs, interfaceThreshold);
    if (found.some((residue) => residue !== 0)) {
      return spatialCrop(inputs, found[draws.integer(0, found.length - 1)], cropSize);
    }
  }
  return contiguousCrop(inputs.asym_id, cropSize, draws);
}

/** Residues with an atom near the atom of the same name in a residue of another chain. */
export function interfaceResidues(
  { asym_id, all_atom_positions: x, all_atom_mask: mask }: CropInputs,
  threshold: number,
): Int32Array {
  const n = asym_id.length;
  const touches = (i: number, j: number): boolean => {
    for (let slot = 0; slot < ATOM_SLOTS; slot++) {
      const [p, q] = [i * ATOM_SLOTS + slot, j * ATOM_SLOTS + slot];
      if (mask[p] && mask[q] && distance(x, p, q) < threshold) return true;
    }
    return false;
  };
  const isInterface = (i: number): boolean => {
    for (let j = 0; j < n; j++) if (asym_id[i] !== asym_id[j] && touches(i, j)) return true;
    return false;
  };
  return Int32Array.from({ length: n }, (_, i) => i).filter(isInterface);
}

/** Residues whose C-alphas are nearest to that of one; those whose C-alpha is not known come last. */
function spatialCrop(
  { all_atom_positions: x, all_atom_mask: mask }: CropInputs,
  target: number,
  size: number,
): Int32Array {
  const TIE = 1e-3; // Å, so that of equally near residues the first comes first
  const n = mask.length / ATOM_SLOTS;
  const alpha = (i: number) => i * ATOM_SLOTS + SLOT.CA;
  const far = Float64Array.from(
    { length: n },
    (_, i) => mask[alpha(i)] && mask[alpha(target)] ? distance(x, alpha(i), alpha(target)) + TIE * i : Infinity,
  );
  const order = Array.from(far, (_, i) => i).sort((a, b) => (far[a] === far[b] ? a - b : far[a] - far[b]));
  return Int32Array.from(order.slice(0, size)).sort();
}

/** A part of every chain, the chains in random order. */
function contiguousCrop(asymId: ArrayLike<number>, cropSize: number, draws: CropDraws): Int32Array {
  const chains = [...Map.groupBy(Array.from(asymId, (_, i) => i), (i) => asymId[i])].sort(([a], [b]) => a - b)
    .map(([, rows]) => rows);
  const order = draws.permutation(chains.length);
  let budget = cropSize, remaining = asymId.length;
  const kept: number[] = [];
  for (const k of Array.from(order)) {
    const rows = chains[k];
    remaining -= rows.length;
    const most = Math.min(budget, rows.length), least = Math.min(rows.length, Math.max(0, budget - remaining));
    const length = draws.integer(least, most);
    budget -= length;
    const start = draws.integer(0, rows.length - length);
    kept.push(...rows.slice(start, start + length));
  }
  return Int32Array.from(kept).sort();
}

function distance(x: ArrayLike<number>, p: number, q: number): number {
  return Math.hypot(x[3 * p] - x[3 * q], x[3 * p + 1] - x[3 * q + 1], x[3 * p + 2] - x[3 * q + 2]);
}

/**
 * Templates of a training example: as many of all as chance has it, in random order.
 *
 * Source: OpenFold's `random_crop_to_size`.
 *
 * @param count Templates there are.
 * @param most Most that are kept.
 * @returns Their indices; without draws the first ones.
 */
export function cropTemplates(
  count: number,
  most: number,
  draws?: Pick<CropDraws, "integer" | "permutation">,
): Int32Array {
  if (!draws) return Int32Array.from({ length: Math.min(count, most) }, (_, i) => i);
  const start = draws.integer(0, count);
  return Int32Array.from(Array.from(draws.permutation(count)).slice(start, start + most));
}
