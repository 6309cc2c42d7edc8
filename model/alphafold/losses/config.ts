import type { WeightedFape } from "../../multimer/losses/backbone_fape.ts";
import type { CenterOfMassOptions } from "../../multimer/losses/chain_center_of_mass_loss.ts";
import { DISTOGRAM_RANGE } from "../heads/distogram_head.ts";
import { MAX_ALIGNED_ERROR_BIN } from "../heads/tm_head.ts";
import type { DistogramLossOptions } from "./distogram_loss.ts";
import type { ResolvedLossOptions } from "./experimentally_resolved_loss.ts";
import type { FapeOptions } from "./fape.ts";
import type { LddtLossOptions } from "./lddt_loss.ts";
import { RESOLUTION_RANGE } from "./resolution_gate.ts";
import type { SupervisedChiOptions } from "./supervised_chi_loss.ts";
import type { TmLossOptions } from "./tm_loss.ts";
import type { ViolationLossOptions, ViolationOptions } from "./violations/structural_violations.ts";

/** A term of the loss. */
export interface WeightedTerm {
  /** How much it counts; 0 leaves it out. */
  readonly weight: number;
}

/** Weights and choices of the loss. */
export interface AlphaFoldLossConfig {
  /**
   * Frame-aligned point errors, their parts weighed by themselves. Of complexes the backbone's part is that within chains, and
   * `interface` that between them.
   */
  readonly fape: WeightedTerm & FapeOptions & {
    readonly backboneWeight: number;
    readonly sidechainWeight: number;
    readonly interface?: WeightedFape;
  };
  /** Side chains' torsions. */
  readonly supervisedChi: WeightedTerm & SupervisedChiOptions;
  /** Distances between C-betas. */
  readonly distogram: WeightedTerm & DistogramLossOptions;
  /** Letters of the alignment that were masked; `eps` is added to half their number. */
  readonly maskedMsa: WeightedTerm & { readonly eps: number };
  /** Confidence of residues. */
  readonly plddt: WeightedTerm & LddtLossOptions;
  /** Atoms that the experiment shows. */
  readonly experimentallyResolved: WeightedTerm & ResolvedLossOptions;
  /** Bonds, clashes, distances inside residues. */
  readonly violation: WeightedTerm & ViolationOptions & ViolationLossOptions;
  /** Aligned errors. */
  readonly tm: WeightedTerm & TmLossOptions;
  /** Chains of a complex that are too close. */
  readonly chainCenterOfMass: WeightedTerm & CenterOfMassOptions;
}

const resolutionRange = RESOLUTION_RANGE;
const eps = 1e-8;

const INITIAL: AlphaFoldLossConfig = {
  fape: { weight: 1, backboneWeight: 0.5, sidechainWeight: 0.5, clampDistance: 10, lengthScale: 10, eps: 1e-4 },
  supervisedChi: { weight: 1, chiWeight: 0.5, angleNormWeight: 0.01, eps },
  distogram: { weight: 0.3, range: DISTOGRAM_RANGE, eps },
  maskedMsa: { weight: 2, eps },
  plddt: { weight: 0.01, cutoff: 15, resolutionRange, eps },
  experimentallyResolved: { weight: 0, resolutionRange, eps },
  violation: {
    weight: 0,
    toleranceFactor: 12,
    overlapTolerance: 1.5,
    averageClashes: false,
    angleDeviation: "bond",
    eps,
  },
  tm: { weight: 0, maxBin: MAX_ALIGNED_ERROR_BIN, resolutionRange, eps },
  chainCenterOfMass: { weight: 0 },
};

/** Terms that say nothing of the structure itself. */
const AUXILIARY = ["distogram", "maskedMsa", "plddt", "experimentallyResolved", "tm"] as const;

/** Choices of {@linkcode alphafoldLossConfig}. */
export interface LossChoices {
  /** Whether the model has the head for aligned errors. @default false */
  readonly tm?: boolean;
  /** Whether the network is for complexes: errors between chains, and chains that are too close, then count. @default false */
  readonly multimer?: boolean;
  /** Whether there are losses besides those of the structure; the study of the paper does without. @default true */
  readonly auxiliary?: boolean;
}

/**
 * The loss of a stage of training: fine-tuning adds violations and what the experiment shows; models with pTM add aligned
 * errors.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9, equation 7, and 1.9.7; of complexes Evans et al. (2021), Suppl. 7.4, with OpenFold's
 * weights.
 */
export function alphafoldLossConfig(
  stage: "initial" | "finetuning",
  { tm = false, multimer = false, auxiliary = true }: LossChoices = {},
): AlphaFoldLossConfig {
  const initial = tm ? { ...INITIAL, tm: { ...INITIAL.tm, weight: 0.1 } } : INITIAL;
  const monomer = stage === "initial" ? initial : {
    ...initial,
    experimentallyResolved: { ...initial.experimentallyResolved, weight: 0.01 },
    violation: { ...initial.violation, weight: 1 },
  };
  const config = !multimer ? monomer : {
    ...monomer,
    fape: { ...monomer.fape, interface: { weight: 0.5, clampDistance: 30, lengthScale: 20, eps: 1e-4 } },
    violation: { ...monomer.violation, weight: 0.03, averageClashes: true },
    chainCenterOfMass: { weight: 0.05 },
  };
  if (auxiliary) return config;
  return { ...config, ...Object.fromEntries(AUXILIARY.map((term) => [term, { ...config[term], weight: 0 }])) };
}
