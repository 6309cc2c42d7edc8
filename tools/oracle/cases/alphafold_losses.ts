import type { Tensor } from "../../../core/mod.ts";
import {
  backboneFapeLoss,
  betweenResidueBonds,
  betweenResidueClashes,
  type BondOptions,
  type BondViolations,
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
} from "../../../model/alphafold/losses/mod.ts";
import { atom14DistanceBounds, SLOT } from "../../../model/protein/mod.ts";
import { addScalar, divide, framesFromMatrices, multiply, reshape, slice, sum } from "../../../ops/mod.ts";
import { TRUTH_FEATURES } from "../../train/alphafold/loss_truth.ts";
import { compare } from "../compare.ts";
import type { Family } from "../family.ts";
import { type Golden, recordOf } from "../golden.ts";
import {
  clashResults,
  iterations,
  LOSS,
  loss,
  lossConfigOf,
  under,
  wholeLoss,
  withinResults,
  withZeroGradients,
} from "./_losses.ts";
import { moduleFamily, type Tensors } from "./_module.ts";

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
    {
      special: (golden, results) =>
        golden.names("out_af2025/").map((name) =>
          compare(
            `out_af2025/${name}`,
            results.get(`out/${SINCE_2025}${name}`),
            golden.data(`out_af2025/${name}`),
            golden.tolerance(`out/${name}`),
          )
        ),
    },
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

const TOTAL = moduleFamily({
  prefix: "alphafold_loss_total",
  source: LOSS,
  inputs: [
    ...["sm_frames", "sm_sidechain_frames", "sm_angles", "sm_unnormalized_angles", "sm_positions"],
    ...["distogram_logits", "masked_msa_logits", "experimentally_resolved_logits", "lddt_logits", "tm_logits"],
  ],
  constants: { ...TRUTH_FEATURES, final_atom_positions: "f32" },
  run(_, own, fixed, golden) {
    return wholeLoss(own, fixed, {
      frames: iterations(own.sm_frames),
      atomPositions: fixed.final_atom_positions,
      config: lossConfigOf(recordOf(golden.config.loss)),
    });
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
    run: async (device, golden) => withZeroGradients(golden, await TOTAL.run(device, golden)),
  },
];
