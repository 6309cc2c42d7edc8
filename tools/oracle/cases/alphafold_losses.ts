import type { Tensor } from "../../../core/mod.ts";
import {
  alphafoldLoss,
  type AlphaFoldLossConfig,
  alphafoldLossConfig,
  backboneFapeLoss,
  betweenResidueBonds,
  betweenResidueClashes,
  type BondOptions,
  type BondViolations,
  type ClashViolations,
  distogramLoss,
  experimentallyResolvedLoss,
  type FapeOptions,
  lddtCa,
  lddtLoss,
  maskedMsaLoss,
  renamedGroundTruth,
  sidechainFapeLoss,
  structuralViolations,
  supervisedChiLoss,
  tmLoss,
  violationLoss,
  withinResidues,
  type WithinViolations,
} from "../../../model/alphafold/losses/mod.ts";
import type { WeightedFape } from "../../../model/multimer/mod.ts";
import { atom14DistanceBounds, SLOT } from "../../../model/protein/mod.ts";
import { addScalar, divide, framesFromMatrices, multiply, reshape, slice, sum } from "../../../ops/mod.ts";
import { TRUTH_FEATURES, truthOf } from "../../train/alphafold/loss_truth.ts";
import { compare } from "../compare.ts";
import type { Family } from "../family.ts";
import { type Golden, recordOf } from "../golden.ts";
import { moduleFamily, type Tensors } from "./_module.ts";

const LOSS = /^openfold\/utils\/loss\.py/;

/** A loss, whose cases have no parameters. */
export function loss(
  prefix: string,
  inputs: readonly string[],
  constants: Readonly<Record<string, "f32" | "i32">>,
  run: (inputs: Tensors, constants: Tensors, golden: Golden) => Record<string, Tensor>,
  special?: Family["special"],
): Family {
  return moduleFamily({
    prefix,
    source: LOSS,
    inputs,
    constants,
    run: (_, own, fixed, golden) => run(own, fixed, golden),
    special,
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

/** C-alphas of `[1, N, 37, …]`. */
function alphas(x: Tensor): Tensor {
  const [batch, n, , ...rest] = x.shape;
  const part = slice(x, x.shape.map(() => 0).with(2, SLOT.CA), x.shape.with(2, SLOT.CA + 1));
  return reshape(part, [batch, n, ...rest]);
}

const renamed = (constants: Tensors) => ({
  altIsBetter: constants.alt_naming_is_better,
  positions: constants.renamed_atom14_gt_positions,
  exists: constants.renamed_atom14_gt_exists,
});

const fapeOptions = ({ config }: Golden): FapeOptions => ({
  clampDistance: config.clamp_distance as number,
  lengthScale: (config.loss_unit_distance ?? config.length_scale) as number,
  eps: config.eps as number,
});

const bondResults = (bonds: BondViolations) => ({
  c_n_loss_mean: bonds.cnLoss,
  ca_c_n_loss_mean: bonds.caCNLoss,
  c_n_ca_loss_mean: bonds.cNCaLoss,
  per_residue_loss_sum: bonds.perResidueLoss,
  per_residue_violation_mask: bonds.perResidueViolation,
});

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

/** How names begin of what AlphaFold computes since 2025. */
const SINCE_2025 = "af2025/";

const VIOLATIONS: readonly Family[] = [
  loss(
    "between_residue_bond_loss",
    ["positions"],
    { atom14_atom_exists: "f32", residue_index: "i32", aatype: "i32" },
    ({ positions }, { atom14_atom_exists: exists, residue_index: residueIndex, aatype }, golden) => {
      const options: BondOptions = {
        toleranceSoft: golden.number("tolerance_factor_soft"),
        toleranceHard: golden.number("tolerance_factor_hard"),
        eps: golden.number("eps"),
      };
      const facts = { exists, residueIndex, aatype };
      const newer = betweenResidueBonds(positions, facts, { ...options, angleDeviation: "cosine" });
      return {
        ...bondResults(betweenResidueBonds(positions, facts, options)),
        ...under(SINCE_2025, bondResults(newer)),
      };
    },
    (golden, results) =>
      golden.names("out_af2025/").map((name) =>
        compare(
          `out_af2025/${name}`,
          results.get(`out/${SINCE_2025}${name}`),
          golden.data(`out_af2025/${name}`),
          golden.tolerance(`out/${name}`),
        )
      ),
  ),
  loss(
    "between_residue_clash_loss",
    ["positions"],
    { atom14_atom_exists: "f32", residue_index: "i32", atom14_atom_radius: "f32" },
    ({ positions }, { atom14_atom_exists: exists, residue_index: residueIndex, atom14_atom_radius: radii }, golden) => {
      const tolerance = golden.number("overlap_tolerance");
      return clashResults(betweenResidueClashes(positions, radii, { exists, residueIndex }, {
        ...{ toleranceSoft: tolerance, toleranceHard: tolerance },
      }));
    },
  ),
  loss(
    "within_residue_violations",
    ["positions"],
    { atom14_atom_exists: "f32", lower: "f32", upper: "f32" },
    ({ positions }, { atom14_atom_exists: exists, lower, upper }) =>
      withinResults(withinResidues(positions, exists, { lower, upper })),
  ),
  loss(
    "find_structural_violations",
    ["positions"],
    { atom14_atom_exists: "f32", residue_index: "i32", aatype: "i32" },
    ({ positions }, { atom14_atom_exists: exists, residue_index: residueIndex, aatype }, golden) => {
      const violations = structuralViolations(positions, { exists, residueIndex, aatype }, {
        toleranceFactor: golden.number("violation_tolerance_factor"),
        overlapTolerance: golden.number("clash_overlap_tolerance"),
      });
      const { bonds, clashes, within } = violations;
      return {
        "between_residues.bonds_c_n_loss_mean": bonds.cnLoss,
        "between_residues.angles_ca_c_n_loss_mean": bonds.caCNLoss,
        "between_residues.angles_c_n_ca_loss_mean": bonds.cNCaLoss,
        "between_residues.connections_per_residue_loss_sum": bonds.perResidueLoss,
        "between_residues.connections_per_residue_violation_mask": bonds.perResidueViolation,
        ...under("between_residues.clashes_", clashResults(clashes)),
        ...under("within_residues.", withinResults(within)),
        total_per_residue_violations_mask: violations.perResidue,
        violation_loss: violationLoss(violations, exists, {
          averageClashes: golden.config.average_clashes === true,
          eps: golden.number("eps"),
        }),
      };
    },
  ),
  {
    prefix: "atom14_dists_bounds_table",
    matches: ({ source }) => /^openfold\/np\/residue_constants\.py/.test(source),
    run(_device, golden) {
      const { lower_bound, upper_bound, stddev } = atom14DistanceBounds(
        golden.number("overlap_tolerance"),
        golden.number("bond_length_tolerance_factor"),
      );
      return new Map([["out/lower_bound", lower_bound], ["out/upper_bound", upper_bound], ["out/stddev", stddev]]);
    },
  },
];

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

const TOTAL = moduleFamily({
  prefix: "alphafold_loss_total",
  source: LOSS,
  inputs: [
    ...["sm_frames", "sm_sidechain_frames", "sm_angles", "sm_unnormalized_angles", "sm_positions"],
    ...["distogram_logits", "masked_msa_logits", "experimentally_resolved_logits", "lddt_logits", "tm_logits"],
  ],
  constants: { ...TRUTH_FEATURES, final_atom_positions: "f32" },
  run(_, own, fixed, golden) {
    const frames = iterations(own.sm_frames), groups = iterations(own.sm_sidechain_frames);
    const angles = iterations(own.sm_angles), raw = iterations(own.sm_unnormalized_angles);
    const atoms = iterations(own.sm_positions);
    const all = alphafoldLoss(
      {
        trajectory: frames.map((frames, i) => ({
          frames,
          sidechainFrames: framesFromMatrices(groups[i]),
          angles: angles[i],
          unnormalizedAngles: raw[i],
          positions: atoms[i],
        })),
        atomPositions: fixed.final_atom_positions,
        plddtLogits: own.lddt_logits,
        distogramLogits: own.distogram_logits,
        maskedMsaLogits: own.masked_msa_logits,
        experimentallyResolvedLogits: own.experimentally_resolved_logits,
        tmLogits: own.tm_logits,
      },
      truthOf(fixed),
      lossConfigOf(recordOf(golden.config.loss)),
      { report: true },
    );
    return {
      loss: all.loss,
      breakdown_loss: all.loss,
      breakdown_unscaled_loss: all.unscaled,
      breakdown_fape: all.terms.fape!,
      breakdown_supervised_chi: all.terms.supervisedChi!,
      breakdown_distogram: all.terms.distogram!,
      breakdown_masked_msa: all.terms.maskedMsa!,
      breakdown_plddt_loss: all.terms.plddt!,
      breakdown_experimentally_resolved: all.terms.experimentallyResolved!,
      breakdown_violation: all.terms.violation!,
      breakdown_tm: all.terms.tm!,
    };
  },
});

/** AlphaFold 2's losses as OpenFold computes them. */
export const ALPHAFOLD_LOSSES: readonly Family[] = [
  loss(
    "fape_backbone",
    ["sm_frames"],
    { backbone_rigid_tensor: "f32", backbone_rigid_mask: "f32", use_clamped_fape: "f32" },
    ({ sm_frames }, { backbone_rigid_tensor, backbone_rigid_mask: mask, use_clamped_fape }, golden) => {
      const truth = { frames: framesFromMatrices(backbone_rigid_tensor), mask };
      const run = (clamped?: Tensor) =>
        backboneFapeLoss(iterations(sm_frames), truth, { ...fapeOptions(golden), clamped });
      return { clamped: run(), unclamped: run(mask.device.zeros([1])), mixed: run(use_clamped_fape) };
    },
  ),
  loss(
    "compute_renamed_ground_truth",
    [],
    {
      ...{ atom14_gt_positions: "f32", atom14_alt_gt_positions: "f32", atom14_gt_exists: "f32", positions: "f32" },
      ...{ atom14_alt_gt_exists: "f32", atom14_atom_is_ambiguous: "f32" },
    },
    (_, fixed) => {
      const { altIsBetter, positions, exists } = renamedGroundTruth(fixed.positions, {
        positions: fixed.atom14_gt_positions,
        altPositions: fixed.atom14_alt_gt_positions,
        exists: fixed.atom14_gt_exists,
        altExists: fixed.atom14_alt_gt_exists,
        ambiguous: fixed.atom14_atom_is_ambiguous,
      });
      return {
        alt_naming_is_better: altIsBetter,
        renamed_atom14_gt_positions: positions,
        renamed_atom14_gt_exists: exists,
      };
    },
  ),
  loss(
    "fape_sidechain",
    ["sm_sidechain_frames", "sm_positions"],
    {
      ...{ rigidgroups_gt_frames: "f32", rigidgroups_alt_gt_frames: "f32", rigidgroups_gt_exists: "f32" },
      ...{ renamed_atom14_gt_positions: "f32", renamed_atom14_gt_exists: "f32", alt_naming_is_better: "f32" },
    },
    ({ sm_sidechain_frames, sm_positions }, fixed, golden) => ({
      loss: sidechainFapeLoss(
        framesFromMatrices(iterations(sm_sidechain_frames).at(-1)!),
        iterations(sm_positions).at(-1)!,
        {
          frames: framesFromMatrices(fixed.rigidgroups_gt_frames),
          altFrames: framesFromMatrices(fixed.rigidgroups_alt_gt_frames),
          exists: fixed.rigidgroups_gt_exists,
        },
        renamed(fixed),
        fapeOptions(golden),
      ),
    }),
  ),
  loss(
    "supervised_chi_loss",
    ["sm_angles", "sm_unnormalized_angles"],
    { aatype: "i32", seq_mask: "f32", chi_mask: "f32", chi_angles_sin_cos: "f32" },
    ({ sm_angles, sm_unnormalized_angles }, fixed, golden) => ({
      loss: supervisedChiLoss(
        iterations(sm_angles),
        iterations(sm_unnormalized_angles),
        {
          aatype: fixed.aatype,
          seqMask: fixed.seq_mask,
          chiMask: fixed.chi_mask,
          chiAnglesSinCos: fixed.chi_angles_sin_cos,
        },
        {
          chiWeight: golden.number("chi_weight"),
          angleNormWeight: golden.number("angle_norm_weight"),
          eps: golden.number("eps"),
        },
      ),
    }),
  ),
  loss(
    "distogram_loss",
    ["logits"],
    { pseudo_beta: "f32", pseudo_beta_mask: "f32" },
    ({ logits }, { pseudo_beta, pseudo_beta_mask }, golden) => ({
      loss: distogramLoss(logits, pseudo_beta, pseudo_beta_mask, {
        range: { min: golden.number("min_bin"), max: golden.number("max_bin") },
        eps: golden.number("eps"),
      }),
    }),
  ),
  loss(
    "masked_msa_loss",
    ["logits"],
    { true_msa: "i32", bert_mask: "f32" },
    ({ logits }, { true_msa, bert_mask }, golden) => ({
      loss: maskedMsaLoss(logits, true_msa, bert_mask, golden.number("eps")),
    }),
  ),
  loss(
    "lddt_loss",
    ["logits"],
    { all_atom_positions: "f32", all_atom_mask: "f32", resolution: "f32", final_atom_positions: "f32" },
    ({ logits }, { all_atom_positions, all_atom_mask, resolution, final_atom_positions }, golden) => {
      const [cutoff, bins] = [golden.number("cutoff"), golden.number("no_bins")];
      const { scores, pairs } = lddtCa(
        ...[alphas(final_atom_positions), alphas(all_atom_positions), alphas(all_atom_mask)] as const,
        { cutoff, bins },
      );
      const kept = sum(multiply(scores, pairs));
      const global = divide(addScalar(kept, golden.number("lddt_ca_eps")), addScalar(sum(pairs), 1e-10));
      return {
        loss: lddtLoss(
          ...[logits, final_atom_positions, all_atom_positions, all_atom_mask, resolution] as const,
          { cutoff, eps: golden.number("eps") },
        ),
        lddt_ca_per_residue: scores,
        lddt_ca_global: global,
      };
    },
  ),
  loss(
    "experimentally_resolved_loss",
    ["logits"],
    { atom37_atom_exists: "f32", all_atom_mask: "f32", resolution: "f32" },
    ({ logits }, { atom37_atom_exists, all_atom_mask, resolution }) => ({
      loss: experimentallyResolvedLoss(logits, all_atom_mask, atom37_atom_exists, resolution),
    }),
  ),
  loss(
    "tm_loss",
    ["logits"],
    {
      ...{ backbone_rigid_tensor: "f32", backbone_rigid_mask: "f32", resolution: "f32" },
      final_affine_tensor: "f32",
    },
    ({ logits }, { backbone_rigid_tensor, backbone_rigid_mask, resolution, final_affine_tensor }, golden) => ({
      loss: tmLoss(
        ...[logits, final_affine_tensor, framesFromMatrices(backbone_rigid_tensor)] as const,
        ...[backbone_rigid_mask, resolution, { maxBin: golden.number("max_bin"), eps: golden.number("eps") }] as const,
      ),
    }),
  ),
  ...VIOLATIONS,
  {
    ...TOTAL,
    async run(device, golden) {
      const results = await TOTAL.run(device, golden);
      // Terms of no weight, and what only says what a head should have predicted, have no gradient: there it is zero.
      for (const name of golden.results) {
        if (name.startsWith("grad_in/") && !results.has(name)) {
          results.set(name, new Float32Array(golden.data(name).length));
        }
      }
      return results;
    },
  },
];
