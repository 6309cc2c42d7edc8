/** Made-up predictions. */
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";
import type { Prediction, ResidueNaming } from "../../../tools/predict/prediction.ts";

/** Residues numbered from 5, the third with an insertion code. */
export const NAMING: ResidueNaming = {
  chainId: "B",
  residueNumbers: Int32Array.of(5, 6, 6, 7),
  insertionCodes: ["", "", "A", ""],
};

/** A prediction of four residues with N, CA, C and O on a line. */
export function madeUp(
  preset: string,
  { seed = 0, confidence = 80, ptm = 0.5 as number | null } = {},
): Prediction {
  const sequence = "GAWM", n = sequence.length;
  const atomPositions = new Float32Array(n * ATOM_SLOTS * 3), atomMask = new Float32Array(n * ATOM_SLOTS);
  for (let i = 0; i < n; i++) {
    for (const slot of [0, 1, 2, 4]) {
      atomMask[i * ATOM_SLOTS + slot] = 1;
      atomPositions.set([3.8 * i + slot / 4, slot, seed], 3 * (i * ATOM_SLOTS + slot));
    }
  }
  const plddt = Float32Array.from({ length: n }, (_, i) => confidence + i);
  const alphas = Float32Array.from({ length: 3 * n }, (_, i) => i);
  return {
    preset,
    seed,
    sequence,
    atomPositions,
    atomMask,
    plddt,
    ...(ptm !== null && { ptm, maxPae: 31.75, pae: Float32Array.from({ length: n * n }, (_, i) => i + 0.26) }),
    distances: new Float32Array(n * n).fill(5),
    recycles: [{ meanPlddt: confidence, ptm, distanceChange: null, alphas, plddt }],
    trajectory: [alphas],
    seconds: { features: 0.5, network: 2 },
  };
}
