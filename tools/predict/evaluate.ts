/** How near a predicted structure is to the true one. */
import {
  applyMotion,
  type BackboneAtoms,
  backboneFape,
  gdtHa,
  gdtTs,
  kabsch,
  lddt,
  tmScore,
} from "../../model/protein/metrics/mod.ts";
import { ATOM_SLOTS, SLOT } from "../../model/protein/residues.ts";
import { InputError } from "../errors.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import type { Prediction } from "./prediction.ts";

/** Measures of a prediction: lDDT-Cα and TM-score from 0 to 1, FAPE and RMSDs in Å, predicted lDDT from 0 to 1. */
export type StructureMeasures = {
  readonly lddt: number;
  readonly fape: number;
  readonly tmScore: number;
  readonly caRmsd: number;
  readonly allAtomRmsd: number;
  readonly gdtTs: number;
  readonly gdtHa: number;
  readonly plddt: number;
  /** Mean difference of a residue's predicted lDDT from its lDDT-Cα, without sign. */
  readonly plddtError: number;
};

/** A prediction beside the truth. */
export interface Evaluation {
  /** How near it is. */
  readonly measures: StructureMeasures;
  /** All atoms of the prediction, its C-alphas superposed on the true ones, `[N_res, 37, 3]`. */
  readonly atomPositions: Float32Array;
  /** lDDT-Cα of each residue, 0 to 1, `[N_res]`; null where its C-alpha is not known or has no neighbour. */
  readonly residueLddt: readonly (number | null)[];
  /** Distance of each C-alpha from its true place, Å, `[N_res]`; null where that is not known. */
  readonly residueErrors: readonly (number | null)[];
  /** Residues that count. */
  readonly residues: number;
}

/**
 * Measures a prediction by the residues whose C-alpha is known; the all-atom RMSD after the superposition of C-alphas, by the
 * atoms that are known.
 *
 * @throws {InputError} If the structure shows fewer than three whole backbones.
 */
export function evaluatePrediction(
  prediction: Prediction,
  { id, supervised }: {
    readonly id: string;
    readonly supervised?: Pick<NonNullable<PreparedTarget["supervised"]>, "all_atom_positions" | "all_atom_mask">;
  },
): Evaluation {
  const { atomPositions, plddt } = prediction;
  const truth = supervised!.all_atom_positions, known = supervised!.all_atom_mask;
  const n = plddt.length;
  const there = (i: number, slot: number) => known[i * ATOM_SLOTS + slot] > 0;
  const mask = Float32Array.from({ length: n }, (_, i) => Number(there(i, SLOT.CA)));
  const whole = mask.map((x, i) => Number(x > 0 && there(i, SLOT.N) && there(i, SLOT.C)));
  const residues = mask.reduce((sum, x) => sum + x, 0);
  if (whole.reduce((sum, x) => sum + x, 0) < 3) {
    throw new InputError(`${id}: its structure shows fewer than three whole backbones to compare with`);
  }
  const [own, expected] = [backbone(atomPositions, n), backbone(truth, n)];
  const placed = kabsch(own.ca, expected.ca, { mask });
  const moved = Float32Array.from(applyMotion(placed, atomPositions));
  const error = (at: number) => Math.hypot(...[0, 1, 2].map((axis) => moved[3 * at + axis] - truth[3 * at + axis]));
  let squares = 0, atoms = 0;
  for (let at = 0; at < known.length; at++) {
    if (known[at] === 0 || prediction.atomMask[at] === 0) continue;
    squares += error(at) ** 2;
    atoms++;
  }
  const { overall, perPoint, neighbours } = lddt(own.ca, expected.ca, { mask });
  const residueLddt = Array.from(perPoint, (x, i) => mask[i] > 0 && neighbours[i] > 0 ? x : null);
  const plddtErrors = residueLddt.flatMap((x, i) => x === null ? [] : [Math.abs(x - plddt[i] / 100)]);
  return {
    measures: {
      lddt: overall,
      fape: backboneFape(own, expected, { mask: whole }),
      tmScore: tmScore(own.ca, expected.ca, { mask }).score,
      caRmsd: placed.rmsd,
      allAtomRmsd: Math.sqrt(squares / atoms),
      gdtTs: gdtTs(own.ca, expected.ca, { mask }),
      gdtHa: gdtHa(own.ca, expected.ca, { mask }),
      plddt: plddt.reduce((sum, value, i) => sum + value * mask[i], 0) / residues / 100,
      plddtError: plddtErrors.reduce((sum, x) => sum + x, 0) / Math.max(1, plddtErrors.length),
    },
    residueLddt,
    atomPositions: moved,
    residueErrors: Array.from(mask, (x, i) => x > 0 ? error(i * ATOM_SLOTS + SLOT.CA) : null),
    residues,
  };
}

function backbone(positions: Float32Array, n: number): BackboneAtoms {
  const atom = (slot: number) => {
    const points = new Float32Array(3 * n);
    for (let i = 0; i < n; i++) {
      const at = 3 * (i * ATOM_SLOTS + slot);
      points.set(positions.subarray(at, at + 3), 3 * i);
    }
    return points;
  };
  return { n: atom(SLOT.N), ca: atom(SLOT.CA), c: atom(SLOT.C) };
}
