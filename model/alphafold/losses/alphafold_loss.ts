import { noGrad, type Tensor } from "../../../core/mod.ts";
import { add, clamp, mean, multiply, multiplyScalar, sqrt } from "../../../ops/mod.ts";
import { multimerBackboneFape } from "../../multimer/losses/backbone_fape.ts";
import { chainCenterOfMassLoss } from "../../multimer/losses/chain_center_of_mass_loss.ts";
import type { StructureIteration } from "../structure/structure_module.ts";
import { backboneFapeLoss, type BackboneTruth } from "./backbone_fape_loss.ts";
import type { AlphaFoldLossConfig } from "./config.ts";
import { distogramLoss } from "./distogram_loss.ts";
import { experimentallyResolvedLoss } from "./experimentally_resolved_loss.ts";
import { lddtLoss } from "./lddt_loss.ts";
import { maskedMsaLoss } from "./masked_msa_loss.ts";
import { type AtomTruth, renamedGroundTruth } from "./renamed_ground_truth.ts";
import { type RigidGroupTruth, sidechainFapeLoss } from "./sidechain_fape_loss.ts";
import { type ChiTruth, supervisedChiLoss } from "./supervised_chi_loss.ts";
import { tmLoss } from "./tm_loss.ts";
import type { ChainFacts } from "./violations/bonds.ts";
import { structuralViolations, violationLoss } from "./violations/structural_violations.ts";

/** What the loss reads of the network. */
export type LossOutputs = {
  /** All iterations of the structure module. */
  readonly trajectory: readonly Omit<StructureIteration, "state">[];
  /** Atoms of the last one under 37 names, Å, `[batch, N_res, 37, 3]`. */
  readonly atomPositions: Tensor;
  readonly plddtLogits: Tensor;
  readonly distogramLogits: Tensor;
  readonly maskedMsaLogits: Tensor;
  readonly experimentallyResolvedLogits: Tensor;
  /** Absent in models without pTM. */
  readonly tmLogits?: Tensor;
};

/** What is true of the examples; everything is batch first, lengths in Å. */
export type LossTruth = ChiTruth & Pick<ChainFacts, "residueIndex" | "asymId"> & {
  readonly backbone: BackboneTruth;
  readonly atoms: AtomTruth;
  readonly rigidGroups: RigidGroupTruth;
  /** Atoms under 37 names, `[batch, N_res, 37, 3]`. */
  readonly allAtomPositions: Tensor;
  /** 1 for atoms that are known, `[batch, N_res, 37]`. */
  readonly allAtomMask: Tensor;
  /** 1 for atoms of the residue types, `[batch, N_res, 14]`. */
  readonly atom14Exists: Tensor;
  /** 1 for atoms of the residue types, `[batch, N_res, 37]`. */
  readonly atom37Exists: Tensor;
  /** `[batch, N_res, 3]` */
  readonly pseudoBeta: Tensor;
  /** `[batch, N_res]` */
  readonly pseudoBetaMask: Tensor;
  /** Letters before masking, i32 `[batch, N_seq, N_res]`. */
  readonly trueMsa: Tensor;
  /** `[batch, N_seq, N_res]` */
  readonly bertMask: Tensor;
  /** Å, `[batch]`; 0 where there is none. */
  readonly resolution: Tensor;
  /** Residues of the whole chain, before a crop, `[batch]`, f32. */
  readonly seqLength: Tensor;
  /** How much of the clamped backbone error counts, `[batch]`. @default 1 */
  readonly useClampedFape?: Tensor;
};

/** Names of the loss's terms. */
export type LossTerm = keyof AlphaFoldLossConfig;

/** The loss and what it is made of. */
export type AlphaFoldLoss = {
  /** Mean over the batch of the weighted terms, each example's times √min(its length, N_res), a scalar. */
  readonly loss: Tensor;
  /** Mean over the batch of the weighted terms alone, a scalar. */
  readonly unscaled: Tensor;
  /** Terms before they are weighed, `[batch]`: those that count, and with `report` the others too. */
  readonly terms: Partial<Record<LossTerm, Tensor>>;
};

/**
 * AlphaFold 2's loss, and that of AlphaFold-Multimer where the truth tells chains.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9, equation 7; Evans et al. (2021), Suppl. 7.4; the factor for the length is of the published code.
 *
 * @param options `report`: whether terms that do not count are computed as well (@default false).
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together, or aligned errors count and the outputs have none.
 */
export function alphafoldLoss(
  outputs: LossOutputs,
  truth: LossTruth,
  config: AlphaFoldLossConfig,
  { report = false }: { readonly report?: boolean } = {},
): AlphaFoldLoss {
  const { trajectory, tmLogits } = outputs;
  const { device } = outputs.atomPositions;
  const last = trajectory.at(-1);
  if (!last) throw new TypeError("alphafoldLoss needs at least one iteration of the structure module");
  if (config.tm.weight > 0 && !tmLogits) {
    throw new TypeError("alphafoldLoss: aligned errors count (tm.weight), but the outputs have no tmLogits");
  }
  using scope = device.scope("alphafoldLoss");
  const { resolution } = truth;
  const computed: Record<LossTerm, () => Tensor | undefined> = {
    fape() {
      const { backboneWeight, sidechainWeight, interface: across, ...options } = config.fape;
      const frames = trajectory.map(({ frames }) => frames);
      const clamped = truth.useClampedFape;
      const renamed = renamedGroundTruth(last.positions, truth.atoms);
      const sidechain = sidechainFapeLoss(last.sidechainFrames, last.positions, truth.rigidGroups, renamed, options);
      const backbone = across && truth.asymId
        ? multimerBackboneFape(frames, truth.backbone, truth.asymId, {
          ...{ intra: { ...options, weight: backboneWeight }, across, clamped },
        })
        : multiplyScalar(backboneFapeLoss(frames, truth.backbone, { ...options, clamped }), backboneWeight);
      return add(backbone, multiplyScalar(sidechain, sidechainWeight));
    },
    supervisedChi: () =>
      supervisedChiLoss(
        trajectory.map(({ angles }) => angles),
        trajectory.map(({ unnormalizedAngles }) => unnormalizedAngles),
        truth,
        config.supervisedChi,
      ),
    distogram: () => distogramLoss(outputs.distogramLogits, truth.pseudoBeta, truth.pseudoBetaMask, config.distogram),
    maskedMsa: () => maskedMsaLoss(outputs.maskedMsaLogits, truth.trueMsa, truth.bertMask, config.maskedMsa.eps),
    plddt() {
      const { allAtomPositions, allAtomMask } = truth;
      return lddtLoss(
        outputs.plddtLogits,
        outputs.atomPositions,
        allAtomPositions,
        allAtomMask,
        resolution,
        config.plddt,
      );
    },
    experimentallyResolved: () =>
      experimentallyResolvedLoss(
        outputs.experimentallyResolvedLogits,
        truth.allAtomMask,
        truth.atom37Exists,
        resolution,
        config.experimentallyResolved,
      ),
    violation() {
      const facts = { ...truth, exists: truth.atom14Exists };
      const violations = structuralViolations(last.positions, facts, config.violation);
      return violationLoss(violations, truth.atom14Exists, config.violation);
    },
    tm: () =>
      tmLogits &&
      tmLoss(tmLogits, last.frames, truth.backbone.frames, truth.backbone.mask, resolution, config.tm),
    chainCenterOfMass: () =>
      truth.asymId && chainCenterOfMassLoss(
        outputs.atomPositions,
        truth.allAtomPositions,
        truth.allAtomMask,
        truth.asymId,
        config.chainCenterOfMass,
      ),
  };
  const terms: Partial<Record<LossTerm, Tensor>> = {};
  let total: Tensor | undefined;
  for (const name of Object.keys(computed) as LossTerm[]) {
    const { weight } = config[name];
    if (weight === 0 && !report) continue;
    using part = device.scope(name);
    const term = weight === 0 ? noGrad(device, computed[name]) : computed[name]();
    if (!term) continue;
    terms[name] = part.keep(term);
    if (weight === 0) continue;
    const weighed = multiplyScalar(term, weight);
    total = part.keep(total ? add(total, weighed) : weighed);
  }
  if (!total) throw new TypeError("alphafoldLoss: no term of the loss has a weight above 0");
  const nRes = truth.seqMask.shape[1];
  const scale = noGrad(device, () => sqrt(clamp(truth.seqLength, 0, nRes)));
  return scope.keep({ loss: mean(multiply(total, scale)), unscaled: mean(total), terms });
}
