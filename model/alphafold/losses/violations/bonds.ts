import { defineOp, elementGrid, type Tensor } from "../../../../core/mod.ts";
import { add, maximum, multiplyScalar, pad, reshape, slice, sum } from "../../../../ops/mod.ts";
import { checkShape } from "../../../layers/check_shape.ts";
import { ATOM14_SLOTS } from "../../../protein/residue_constants.ts";
import { PEPTIDE_BOND } from "../../../protein/residue_geometry.ts";
import { maskedMean } from "../masked_mean.ts";
import { bondTermsKernel, bondTermsVjpKernel } from "./bonds.wgsl.ts";

/** Which atoms there are, and which residues follow each other. */
export type ChainFacts = {
  /** 1 for atoms of the residue types, `[batch, N_res, 14]`. */
  readonly exists: Tensor;
  /** Residue types, i32 `[batch, N_res]`. */
  readonly aatype: Tensor;
  /** Numbers of the residues, i32 `[batch, N_res]`: those that follow each other by 1 are bonded. */
  readonly residueIndex: Tensor;
  /** Chains, i32 `[batch, N_res]`: residues of different chains are not bonded. @default one chain */
  readonly asymId?: Tensor;
};

/** Choices of {@linkcode betweenResidueBonds}. */
export interface BondOptions {
  /** Standard deviations that cost nothing. @default 12 */
  readonly toleranceSoft?: number;
  /** Standard deviations beyond which there is a violation. @default 12 */
  readonly toleranceHard?: number;
  /**
   * Whose standard deviation the cosine of CA-C-N has: that of the bond length C-N, as in OpenFold and in AlphaFold
   * until 2025 (0.014), or that of the cosine, as in AlphaFold since then (0.0311). @default "bond"
   */
  readonly angleDeviation?: "bond" | "cosine";
  /** Added to squares and to the numbers of bonds. @default 1e-6 */
  readonly eps?: number;
}

/** What is wrong with the bonds between residues. */
export type BondViolations = {
  /** Mean over the bonds of how far the length of C-N passes the tolerance in Å, `[batch]`. */
  readonly cnLoss: Tensor;
  /** The same of cos(CA-C-N). */
  readonly caCNLoss: Tensor;
  /** The same of cos(C-N-CA). */
  readonly cNCaLoss: Tensor;
  /** Of each residue half of what both its bonds have, whether or not they count, `[batch, N_res]`. */
  readonly perResidueLoss: Tensor;
  /** 1 for residues with a bond that violates the hard tolerance, `[batch, N_res]`. */
  readonly perResidueViolation: Tensor;
};

type Inputs = {
  readonly positions: Tensor;
  readonly aatype: Tensor;
  readonly exists: Tensor;
  readonly residueIndex: Tensor;
  readonly asymId: Tensor | undefined;
};

interface Attributes {
  readonly soft: number;
  readonly hard: number;
  readonly eps: number;
  readonly cosCaCNStddev: number;
}

/** Operations of a junction. */
const OPERATIONS = 90;

const op = defineOp<Inputs, "positions" | "aatype", Record<never, never>, Attributes>({
  name: "bondTerms",
  needs: { positions: ["positions", "aatype"] },
  forward({ asymId, ...inputs }, attributes, { device }) {
    const { aatype } = inputs;
    const n = aatype.size, residues = aatype.shape[1];
    const terms = device.empty([9, ...aatype.shape]);
    device.run(bondTermsKernel, {
      bindings: { ...inputs, asymId: asymId ?? inputs.residueIndex, terms },
      uniforms: { n, residues, chains: Number(!!asymId), ...attributes },
      grid: elementGrid(n, 64),
      flops: OPERATIONS * n,
    });
    return { out: terms };
  },
  vjp({ device, inputs, attributes, wanted }, d) {
    if (!wanted.positions) return {};
    const { positions, aatype } = inputs;
    const dPositions = device.zeros(positions.shape);
    const n = aatype.size, residues = aatype.shape[1];
    device.run(bondTermsVjpKernel, {
      bindings: { ...inputs, d, dPositions },
      uniforms: { n, residues, chains: 0, ...attributes },
      grid: elementGrid(n, 64),
      flops: 4 * OPERATIONS * n,
    });
    return { positions: dPositions };
  },
});

/**
 * How far bonds between residues, and the angles at them, are from what they should be.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.11, equations 44 and 45; Engh and Huber (2001).
 *
 * @param positions Å, `[batch, N_res, 14, 3]`.
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function betweenResidueBonds(positions: Tensor, facts: ChainFacts, options: BondOptions = {}): BondViolations {
  const of = "betweenResidueBonds";
  checkShape(of, "positions", positions, ["batch", "N_res", ATOM14_SLOTS, 3]);
  const { device, shape: [batch, nRes] } = positions;
  const { exists, aatype, residueIndex, asymId } = facts;
  checkShape(of, "exists", exists, [batch, nRes, ATOM14_SLOTS]);
  checkShape(of, "aatype", aatype, [batch, nRes], "i32");
  checkShape(of, "residueIndex", residueIndex, [batch, nRes], "i32");
  if (asymId) checkShape(of, "asymId", asymId, [batch, nRes], "i32");
  using scope = device.scope(of);
  const { toleranceSoft: soft = 12, toleranceHard: hard = 12, angleDeviation = "bond", eps = 1e-6 } = options;
  const { length, cosCaCN } = PEPTIDE_BOND;
  const cosCaCNStddev = angleDeviation === "bond" ? length.other.stddev : cosCaCN.stddev;
  const terms = op({ positions, aatype, exists, residueIndex, asymId }, { soft, hard, eps, cosCaCNStddev });
  const row = (k: number) => reshape(slice(terms, [k, 0, 0], [k + 1, batch, nRes]), [batch, nRes]);
  const mean = (k: number) => maskedMean(row(k), row(k + 3), eps);
  /** What junctions have, for the residues after them. */
  const shifted = (x: Tensor) => pad(slice(x, [0, 0], [batch, nRes - 1]), [0, 1], [0, 0]);
  const losses = sum(slice(terms, [0, 0, 0], [3, batch, nRes]), { axes: [0] });
  const violates = maximum(row(6), maximum(row(7), row(8)));
  return scope.keep({
    cnLoss: mean(0),
    caCNLoss: mean(1),
    cNCaLoss: mean(2),
    perResidueLoss: multiplyScalar(add(losses, shifted(losses)), 0.5),
    perResidueViolation: maximum(violates, shifted(violates)),
  });
}
