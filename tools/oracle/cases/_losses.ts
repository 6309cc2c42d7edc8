/** What the golden cases of AlphaFold's losses have in common, with one chain and with several. */
import type { Tensor } from "../../../core/mod.ts";
import {
  alphafoldLoss,
  type AlphaFoldLossConfig,
  alphafoldLossConfig,
  type ClashViolations,
  type WithinViolations,
} from "../../../model/alphafold/losses/mod.ts";
import type { WeightedFape } from "../../../model/multimer/mod.ts";
import { framesFromMatrices, reshape, slice } from "../../../ops/mod.ts";
import { truthOf } from "../../train/alphafold/loss_truth.ts";
import type { Family, Results } from "../family.ts";
import { type Golden, recordOf } from "../golden.ts";
import { moduleFamily, type Tensors } from "./_module.ts";

/** Where OpenFold's losses are. */
export const LOSS = /^openfold\/utils\/loss\.py/;

/** A loss, whose cases have no parameters. */
export function loss(
  prefix: string,
  inputs: readonly string[],
  constants: Readonly<Record<string, "f32" | "i32">>,
  run: (inputs: Tensors, constants: Tensors, golden: Golden) => Record<string, Tensor>,
  more: { readonly special?: Family["special"]; readonly complexes?: boolean } = {},
): Family {
  return moduleFamily({
    ...{ prefix, source: LOSS, inputs, constants },
    run: (_, own, fixed, golden) => run(own, fixed, golden),
    ...more,
  });
}

/** Entries of a trajectory `[1, iterations, …]`, each `[1, …]`. */
export function iterations(x: Tensor): Tensor[] {
  const [, count, ...rest] = x.shape;
  return Array.from({ length: count }, (_, i) => {
    const part = slice(x, x.shape.map(() => 0).with(1, i), x.shape.with(1, i + 1));
    return reshape(part, [1, ...rest]);
  });
}

export const clashResults = (clashes: ClashViolations) => ({
  mean_loss: clashes.meanLoss,
  per_atom_loss_sum: clashes.perAtomLoss,
  per_atom_clash_mask: clashes.perAtomViolation,
  per_atom_num_clash: clashes.perAtomClashes,
});

export const withinResults = (within: WithinViolations) => ({
  per_atom_loss_sum: within.perAtomLoss,
  per_atom_violations: within.perAtomViolation,
  per_atom_num_clash: within.perAtomClashes,
});

/** Results under the names that they have in a summary. */
export const under = (prefix: string, results: Record<string, Tensor>) =>
  Object.fromEntries(Object.entries(results).map(([name, tensor]) => [`${prefix}${name}`, tensor]));

/** A term's part of a golden configuration, with what its keys are called here. */
function term<K extends keyof AlphaFoldLossConfig>(name: K, golden: unknown): AlphaFoldLossConfig[K] {
  const given = recordOf(golden);
  const known = alphafoldLossConfig("initial")[name];
  const { min_resolution: min, max_resolution: max } = given;
  const renamed: Record<string, unknown> = {
    weight: given.weight,
    eps: given.eps,
    chiWeight: given.chi_weight,
    angleNormWeight: given.angle_norm_weight,
    cutoff: given.cutoff,
    maxBin: given.max_bin,
    toleranceFactor: given.violation_tolerance_factor,
    overlapTolerance: given.clash_overlap_tolerance,
    averageClashes: given.average_clashes,
    ...("min_resolution" in given && { resolutionRange: { min, max } }),
    ...("min_bin" in given && { range: { min: given.min_bin, max: given.max_bin } }),
  };
  const own = Object.entries(renamed).filter(([key, value]) =>
    value !== undefined && (key in known || key === "weight")
  );
  return { ...known, ...Object.fromEntries(own) };
}

/** The loss's configuration from the golden one. */
export function lossConfigOf(given: Readonly<Record<string, unknown>>): AlphaFoldLossConfig {
  const fape = recordOf(given.fape), sidechain = recordOf(fape.sidechain);
  const backbone = recordOf(fape.backbone ?? fape.intra_chain_backbone), across = fape.interface_backbone;
  const center = recordOf(given.chain_center_of_mass);
  if (backbone.clamp_distance !== sidechain.clamp_distance || backbone.loss_unit_distance !== sidechain.length_scale) {
    throw new TypeError("the golden configuration clamps or scales backbone and side chains differently");
  }
  return {
    fape: {
      ...term("fape", fape),
      backboneWeight: Number(backbone.weight),
      sidechainWeight: Number(sidechain.weight),
      clampDistance: Number(backbone.clamp_distance),
      lengthScale: Number(backbone.loss_unit_distance),
      ...(across !== undefined && { interface: { ...fapeOf(across), eps: Number(fape.eps) } }),
    },
    supervisedChi: term("supervisedChi", given.supervised_chi),
    distogram: term("distogram", given.distogram),
    maskedMsa: term("maskedMsa", given.masked_msa),
    plddt: term("plddt", given.plddt_loss),
    experimentallyResolved: term("experimentallyResolved", given.experimentally_resolved),
    violation: term("violation", given.violation),
    tm: term("tm", given.tm),
    chainCenterOfMass: center.enabled === true
      ? { weight: Number(center.weight), factor: Number(center.weight), tolerance: -Number(center.clamp_distance) }
      : { weight: 0 },
  };
}

/** A part of the error of frames, and how much it counts. */
export function fapeOf(given: unknown): WeightedFape {
  const { weight, clamp_distance, loss_unit_distance } = recordOf(given);
  return { weight: Number(weight), clampDistance: Number(clamp_distance), lengthScale: Number(loss_unit_distance) };
}

/**
 * The whole loss of a structure module's iterations and of the heads, and its terms, under the golden names.
 *
 * @param given What was predicted, and is differentiated.
 * @param fixed What is true.
 */
export function wholeLoss(
  given: Tensors,
  fixed: Tensors,
  { frames, atomPositions, config }: {
    /** Of the backbone, an iteration each. */
    readonly frames: readonly Tensor[];
    readonly atomPositions: Tensor;
    readonly config: AlphaFoldLossConfig;
  },
): Record<string, Tensor> {
  const groups = iterations(given.sm_sidechain_frames), atoms = iterations(given.sm_positions);
  const angles = iterations(given.sm_angles), raw = iterations(given.sm_unnormalized_angles);
  const { loss, unscaled, terms } = alphafoldLoss(
    {
      trajectory: frames.map((frames, i) => ({
        ...{ frames, sidechainFrames: framesFromMatrices(groups[i]), positions: atoms[i] },
        ...{ angles: angles[i], unnormalizedAngles: raw[i] },
      })),
      atomPositions,
      plddtLogits: given.lddt_logits,
      distogramLogits: given.distogram_logits,
      maskedMsaLogits: given.masked_msa_logits,
      experimentallyResolvedLogits: given.experimentally_resolved_logits,
      tmLogits: given.tm_logits,
    },
    truthOf(fixed),
    config,
    { report: true },
  );
  return {
    loss,
    breakdown_loss: loss,
    breakdown_unscaled_loss: unscaled,
    breakdown_fape: terms.fape!,
    breakdown_supervised_chi: terms.supervisedChi!,
    breakdown_distogram: terms.distogram!,
    breakdown_masked_msa: terms.maskedMsa!,
    breakdown_plddt_loss: terms.plddt!,
    breakdown_experimentally_resolved: terms.experimentallyResolved!,
    breakdown_violation: terms.violation!,
    breakdown_tm: terms.tm!,
    ...(terms.chainCenterOfMass && { breakdown_chain_center_of_mass: terms.chainCenterOfMass }),
  };
}

/** With the gradients of terms of no weight, and of what only says what a head should have predicted: zeros. */
export function withZeroGradients(golden: Golden, results: Results): Results {
  const missing = golden.results.filter((name) => name.startsWith("grad_in/") && !results.has(name));
  return new Map([...results, ...missing.map((name) => [name, new Float32Array(golden.data(name).length)] as const)]);
}
