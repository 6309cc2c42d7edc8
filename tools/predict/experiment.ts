/** A prediction beside the experimental structure of the same chain, where one was given. */
import { applyMotion, kabsch } from "../../model/protein/metrics/mod.ts";
import { ATOM_SLOTS, SLOT } from "../../model/protein/residues.ts";
import type { Chain } from "../data/structure.ts";
import { formatMmcif } from "../data/write_mmcif.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import { evaluatePrediction } from "./evaluate.ts";
import type { Prediction, ResidueNaming } from "./prediction.ts";
import type { ExperimentData } from "./report_data.ts";

/**
 * Measures a prediction by its target's experimental structure, and lays that on it.
 *
 * @returns null where the target has none.
 * @throws {InputError} If the structure shows fewer than three whole backbones.
 */
export function compareWithExperiment(
  prediction: Prediction,
  target: PreparedTarget,
  naming: ResidueNaming,
): ExperimentData | null {
  if (!target.supervised) return null;
  const { measures, residueLddt } = evaluatePrediction(prediction, target);
  return { measures, lddt: [...residueLddt], cif: formatMmcif(laidOn(prediction, target, naming)) };
}

/** The experimental structure, its C-alphas superposed on the predicted ones. */
function laidOn({ atomPositions: predicted }: Prediction, { id, sequence, supervised }: PreparedTarget, {
  chainId,
  residueNumbers,
  insertionCodes,
}: ResidueNaming) {
  const { all_atom_positions: positions, all_atom_mask: atomMask } = supervised!;
  const alphas = (from: Float32Array) =>
    Float32Array.from(
      { length: 3 * sequence.length },
      (_, at) => from[3 * (Math.floor(at / 3) * ATOM_SLOTS + SLOT.CA) + at % 3],
    );
  const mask = Float32Array.from(sequence, (_, i) => atomMask[i * ATOM_SLOTS + SLOT.CA]);
  const motion = kabsch(alphas(positions), alphas(predicted), { mask });
  const moved = applyMotion(motion, positions);
  const chain: Chain = {
    ...{ id: chainId, labelId: chainId, sequence, residueNumbers, insertionCodes, atomMask },
    atomPositions: Float32Array.from(moved, (x, at) => atomMask[Math.floor(at / 3)] > 0 ? x : 0),
    bFactors: new Float32Array(atomMask.length),
  };
  return { id, source: id, chains: [chain] };
}
