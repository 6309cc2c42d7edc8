import { noGrad, type Tensor } from "../../../../core/mod.ts";
import { add, addScalar, divide, embedding, max, maximum, sum } from "../../../../ops/mod.ts";
import { ATOM14_SLOTS, RESIDUE_TYPES } from "../../../protein/residue_constants.ts";
import { ATOM14_RADIUS, atom14DistanceBounds } from "../../../protein/residue_geometry.ts";
import { betweenResidueBonds, type BondOptions, type BondViolations, type ChainFacts } from "./bonds.ts";
import { betweenResidueClashes, type ClashViolations } from "./clashes.ts";
import { withinResidues, type WithinViolations } from "./within_residues.ts";

/** Choices of {@linkcode structuralViolations}. */
export interface ViolationOptions extends Pick<BondOptions, "angleDeviation"> {
  /** Standard deviations that bonds and angles may be off. @default 12 */
  readonly toleranceFactor?: number;
  /** Å by which atoms may overlap. @default 1.5 */
  readonly overlapTolerance?: number;
}

/** All that is wrong with a structure's chemistry. */
export type StructuralViolations = {
  readonly bonds: BondViolations;
  readonly clashes: ClashViolations;
  readonly within: WithinViolations;
  /** 1 for residues that have a violation of any kind, `[batch, N_res]`. */
  readonly perResidue: Tensor;
};

/**
 * Violations of bonds between residues, clashes between them, and distances inside them.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.11.
 *
 * @param positions Å, `[batch, N_res, 14, 3]`.
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function structuralViolations(
  positions: Tensor,
  facts: ChainFacts,
  { toleranceFactor = 12, overlapTolerance = 1.5, angleDeviation }: ViolationOptions = {},
): StructuralViolations {
  const { device } = positions;
  using scope = device.scope("structuralViolations");
  const { radii, lower, upper } = noGrad(device, () => {
    const { lower_bound, upper_bound } = atom14DistanceBounds(overlapTolerance, toleranceFactor);
    const perType = (table: ArrayLike<number>, ...rest: number[]) =>
      embedding(device.tensor(table, [RESIDUE_TYPES, ATOM14_SLOTS, ...rest]), facts.aatype);
    return {
      radii: perType(ATOM14_RADIUS),
      lower: perType(lower_bound, ATOM14_SLOTS),
      upper: perType(upper_bound, ATOM14_SLOTS),
    };
  });
  const bonds = betweenResidueBonds(positions, facts, {
    toleranceSoft: toleranceFactor,
    toleranceHard: toleranceFactor,
    angleDeviation,
  });
  const clashes = betweenResidueClashes(positions, radii, facts, {
    toleranceSoft: overlapTolerance,
    toleranceHard: overlapTolerance,
  });
  const within = withinResidues(positions, facts.exists, { lower, upper });
  const perResidue = noGrad(device, () => {
    const atoms = max(maximum(clashes.perAtomViolation, within.perAtomViolation), { axes: [-1] });
    return maximum(bonds.perResidueViolation, atoms);
  });
  return scope.keep({ bonds, clashes, within, perResidue });
}

/** Choices of {@linkcode violationLoss}. */
export interface ViolationLossOptions {
  /** Whether overlaps are divided by the number of an atom's clashes, as for complexes. @default false */
  readonly averageClashes?: boolean;
  /** Added to the numbers of atoms and of clashes. @default 1e-6 */
  readonly eps?: number;
}

/**
 * The loss of violations: bonds and angles on average over bonds, overlaps on average over atoms.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.11, equation 47.
 *
 * @param exists 1 for atoms of the residue types, `[batch, N_res, 14]`.
 * @returns `[batch]`.
 */
export function violationLoss(
  { bonds, clashes, within }: StructuralViolations,
  exists: Tensor,
  { averageClashes = false, eps = 1e-6 }: ViolationLossOptions = {},
): Tensor {
  using scope = exists.device.scope("violationLoss");
  const overlaps = add(clashes.perAtomLoss, within.perAtomLoss);
  const perAtom = averageClashes
    ? divide(overlaps, addScalar(add(clashes.perAtomClashes, within.perAtomClashes), eps))
    : overlaps;
  const mean = divide(sum(perAtom, { axes: [1, 2] }), addScalar(sum(exists, { axes: [1, 2] }), eps));
  return scope.keep(add(add(bonds.cnLoss, bonds.caCNLoss), add(bonds.cNCaLoss, mean)));
}
