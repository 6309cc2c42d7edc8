import { defineOp, elementGrid, type Tensor } from "../../../../core/mod.ts";
import { clamp, reshape, slice } from "../../../../ops/mod.ts";
import { checkShape } from "../../../layers/check_shape.ts";
import { ATOM14_SLOTS } from "../../../protein/residue_constants.ts";
import { withinResiduesKernel, withinResiduesVjpKernel } from "./within_residues.wgsl.ts";

/** Å between which distances of the atoms of a residue may be, each `[batch, N_res, 14, 14]`. */
export type ResidueBounds = { readonly lower: Tensor; readonly upper: Tensor };

/** Which atoms of one residue are too near to or too far from each other. */
export type WithinViolations = {
  /** By how much the distances of each atom pass their bounds in Å, each pair twice, `[batch, N_res, 14]`. */
  readonly perAtomLoss: Tensor;
  /** How many do, each pair twice, `[batch, N_res, 14]`. */
  readonly perAtomClashes: Tensor;
  /** 1 for atoms of which one does, `[batch, N_res, 14]`. */
  readonly perAtomViolation: Tensor;
};

type Inputs = {
  readonly positions: Tensor;
  readonly exists: Tensor;
  readonly lower: Tensor;
  readonly upper: Tensor;
};

const op = defineOp<Inputs, keyof Inputs, Record<never, never>, { readonly tighten: number }>({
  name: "withinResidues",
  needs: { positions: ["positions", "exists", "lower", "upper"] },
  forward(inputs, { tighten }, { device }) {
    const n = inputs.exists.size;
    const counts = device.empty([2, ...inputs.exists.shape]);
    device.run(withinResiduesKernel, {
      bindings: { ...inputs, counts },
      uniforms: { n, tighten },
      grid: elementGrid(n, 64),
      flops: 14 * 26 * n,
    });
    return { out: counts };
  },
  vjp({ device, inputs, attributes: { tighten }, wanted }, d) {
    if (!wanted.positions) return {};
    const n = inputs.exists.size;
    const dPositions = device.empty(inputs.positions.shape);
    device.run(withinResiduesVjpKernel, {
      bindings: { ...inputs, d, dPositions },
      uniforms: { n, tighten },
      grid: elementGrid(n, 64),
      flops: 14 * 30 * n,
    });
    return { positions: dPositions };
  },
});

/**
 * Distances inside residues that pass their bounds.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.11.
 *
 * @param positions Å, `[batch, N_res, 14, 3]`.
 * @param exists 1 for atoms of the residue types, `[batch, N_res, 14]`.
 * @param tighten Å by which the bounds are narrowed for the loss. @default 0
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function withinResidues(
  positions: Tensor,
  exists: Tensor,
  { lower, upper }: ResidueBounds,
  tighten = 0,
): WithinViolations {
  const of = "withinResidues";
  checkShape(of, "positions", positions, ["batch", "N_res", ATOM14_SLOTS, 3]);
  const perAtom = [...positions.shape.slice(0, 2), ATOM14_SLOTS];
  checkShape(of, "exists", exists, perAtom);
  checkShape(of, "lower", lower, [...perAtom, ATOM14_SLOTS]);
  checkShape(of, "upper", upper, [...perAtom, ATOM14_SLOTS]);
  using scope = positions.device.scope(of);
  const counts = op({ positions, exists, lower, upper }, { tighten });
  const row = (k: number) => reshape(slice(counts, [k, 0, 0, 0], [k + 1, ...perAtom]), perAtom);
  const clashes = row(1);
  return scope.keep({ perAtomLoss: row(0), perAtomClashes: clashes, perAtomViolation: clamp(clashes, 0, 1) });
}
