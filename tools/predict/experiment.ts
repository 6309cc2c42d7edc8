/** A prediction beside the experimental structure of the same chain or complex, where one was given. */
import { applyMotion, kabsch } from "../../model/protein/metrics/mod.ts";
import { ATOM_SLOTS, SLOT } from "../../model/protein/residues.ts";
import type { Chain } from "../data/structure.ts";
import { formatMmcif } from "../data/write_mmcif.ts";
import { InputError } from "../errors.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import { compareChains, type Truth, truthOf } from "./complex_truth.ts";
import { evaluatePrediction } from "./evaluate.ts";
import { alphasOf, chainNames, chainsOf, type Prediction, type ResidueNaming } from "./prediction.ts";
import type { ExperimentData, TargetData } from "./report_data.ts";

/**
 * Measures a prediction by its target's experimental structure, and lays that on it. Of a complex each predicted chain is
 * compared with the true one of its sequence that it stands for; chains and interfaces are measured apart too.
 *
 * @returns null where the target has none.
 * @throws {InputError} If the structure shows fewer than three whole backbones.
 */
export function compareWithExperiment(
  prediction: Prediction,
  target: PreparedTarget,
  naming: ResidueNaming,
): ExperimentData | null {
  const { id, supervised } = target;
  if (!supervised) return null;
  const truth: Truth = prediction.chains
    ? truthOf(prediction, target)
    : { positions: supervised.all_atom_positions, mask: supervised.all_atom_mask, chains: [0] };
  const known = { all_atom_positions: truth.positions, all_atom_mask: truth.mask };
  const { measures, residueLddt } = evaluatePrediction(prediction, { id, supervised: known });
  return {
    measures,
    lddt: [...residueLddt],
    ...(prediction.chains && compareChains(prediction, truth)),
    cif: formatMmcif(laidOn(prediction, id, truth, naming)),
  };
}

/** The experimental structure, its C-alphas superposed on the predicted ones. */
function laidOn(
  prediction: Prediction,
  id: string,
  { positions, mask: atomMask }: Truth,
  { chainId, residueNumbers, insertionCodes }: ResidueNaming,
) {
  const { atomPositions: predicted, sequence } = prediction;
  const mask = Float32Array.from(sequence, (_, i) => atomMask[i * ATOM_SLOTS + SLOT.CA]);
  const motion = kabsch(alphasOf(positions), alphasOf(predicted), { mask });
  const moved = applyMotion(motion, positions);
  const atomPositions = Float32Array.from(moved, (x, at) => atomMask[Math.floor(at / 3)] > 0 ? x : 0);
  const names = chainNames(prediction);
  const chains = chainsOf(prediction).map(({ start, residues }, k): Chain => {
    const name = names[k] ?? chainId, end = start + residues;
    return {
      ...{ id: name, labelId: name, sequence: sequence.slice(start, end) },
      residueNumbers: residueNumbers.slice(start, end),
      insertionCodes: insertionCodes.slice(start, end),
      atomPositions: atomPositions.slice(start * ATOM_SLOTS * 3, end * ATOM_SLOTS * 3),
      atomMask: atomMask.slice(start * ATOM_SLOTS, end * ATOM_SLOTS),
      bFactors: new Float32Array(residues * ATOM_SLOTS),
    };
  });
  return { id, source: id, chains };
}

/** Predictions beside the target's experimental structure; none where there is none, or it shows too little. */
export function experimentsOf(
  predictions: readonly Prediction[],
  prepared: PreparedTarget,
  naming: ResidueNaming,
  warn: (message: string) => void,
): ExperimentData[] {
  try {
    return predictions.flatMap((prediction) => compareWithExperiment(prediction, prepared, naming) ?? []);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    warn(error.message);
    return [];
  }
}

/** Measures of all predictions that stand beside it, for a file. */
export function experimentJson({ predictions }: TargetData): string {
  const measured = predictions.flatMap(({ name, experiment }) =>
    experiment
      ? [[name, {
        ...experiment.measures,
        ...(experiment.chains && { chains: experiment.chains, interfaces: experiment.interfaces }),
        residueLddt: experiment.lddt,
      }]]
      : []
  );
  return `${JSON.stringify(Object.fromEntries(measured), undefined, 2)}\n`;
}
