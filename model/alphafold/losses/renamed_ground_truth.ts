import { elementGrid, noGrad, type Tensor } from "../../../core/mod.ts";
import { less, reshape, sum, where } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { ATOM14_SLOTS } from "../../protein/residue_constants.ts";
import { LONGEST_WAY, renamingKernel } from "./renamed_ground_truth.wgsl.ts";

/** True atoms under both names that they may have. */
export type AtomTruth = {
  /** Å, `[batch, N_res, 14, 3]`. */
  readonly positions: Tensor;
  /** 1 for atoms that are known, `[batch, N_res, 14]`. */
  readonly exists: Tensor;
  /** Under the other names. */
  readonly altPositions: Tensor;
  /** Under the other names. */
  readonly altExists: Tensor;
  /** 1 for atoms whose name may be exchanged with another's, `[batch, N_res, 14]`. */
  readonly ambiguous: Tensor;
};

/** True atoms under the names that fit the prediction better. */
export type RenamedTruth = {
  /** 1 for residues whose names were exchanged, `[batch, N_res]`. */
  readonly altIsBetter: Tensor;
  /** Å, `[batch, N_res, 14, 3]`. */
  readonly positions: Tensor;
  /** `[batch, N_res, 14]`. */
  readonly exists: Tensor;
};

/**
 * Exchanges the names of atoms that look the same, such as OD1 and OD2 of aspartate, in residues where that brings the
 * true distances to the other atoms nearer to the predicted ones. No gradient.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 26 "renameSymmetricGroundTruthAtoms".
 *
 * @param predicted Å, `[batch, N_res, 14, 3]`.
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function renamedGroundTruth(predicted: Tensor, truth: AtomTruth): RenamedTruth {
  const of = "renamedGroundTruth";
  checkShape(of, "predicted", predicted, ["batch", "N_res", ATOM14_SLOTS, 3]);
  const { device, shape: [batch, nRes] } = predicted;
  const perAtom = [batch, nRes, ATOM14_SLOTS];
  for (const name of ["positions", "altPositions"] as const) checkShape(of, name, truth[name], predicted.shape);
  for (const name of ["exists", "altExists", "ambiguous"] as const) checkShape(of, name, truth[name], perAtom);
  using scope = device.scope(of);
  return scope.keep(noGrad(device, () => {
    const { positions, altPositions, exists, altExists, ambiguous } = truth;
    const gains = device.empty(perAtom);
    const n = gains.size, atoms = nRes * ATOM14_SLOTS;
    for (let begin = 0; begin < atoms; begin += LONGEST_WAY) {
      const end = Math.min(begin + LONGEST_WAY, atoms);
      device.run(renamingKernel, {
        bindings: { predicted, expected: positions, renamed: altPositions, exists, ambiguous, gains },
        uniforms: { n, atoms, begin, end },
        grid: elementGrid(n, 64),
        flops: 32 * n * (end - begin) / 10, // a tenth of the atoms or less are ambiguous
      });
    }
    const altIsBetter = less(sum(gains, { axes: [-1] }), device.zeros([]));
    return {
      altIsBetter,
      positions: where(reshape(altIsBetter, [batch, nRes, 1, 1]), altPositions, positions),
      exists: where(reshape(altIsBetter, [batch, nRes, 1]), altExists, exists),
    };
  }));
}
