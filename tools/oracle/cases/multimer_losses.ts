import {
  backboneFapeLoss,
  betweenResidueClashes,
  maskedMsaLoss,
  renamedGroundTruth,
  sidechainFapeLoss,
  structuralViolations,
  tmLoss,
  violationLoss,
} from "../../../model/alphafold/losses/mod.ts";
import type { Device, Tensor } from "../../../core/mod.ts";
import {
  alignChains,
  chainCenterOfMassLoss,
  multimerBackboneFape,
  sameChain,
  truthRows,
  type WeightedFape,
} from "../../../model/multimer/mod.ts";
import { SLOT } from "../../../model/protein/mod.ts";
import { add, addScalar, framesFromMatrices, multiplyScalar, negate } from "../../../ops/mod.ts";
import { TRUTH_FEATURES } from "../../train/alphafold/loss_truth.ts";
import { compare } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import { type Golden, recordOf } from "../golden.ts";
import { EXACT } from "../tolerance.ts";
import {
  clashResults,
  fapeOf,
  iterations,
  LOSS,
  loss as lossOf,
  lossConfigOf,
  under,
  wholeLoss,
  withinResults,
  withZeroGradients,
} from "./_losses.ts";
import { differentiate } from "./_differentiate.ts";
import { goldenTensor, isOfComplexes, type Tensors } from "./_module.ts";
import { stack } from "./_frames.ts";

/** A loss of complexes, whose cases have no parameters. */
const loss = (...[prefix, inputs, constants, run]: Parameters<typeof lossOf>) =>
  lossOf(prefix, inputs, constants, run, { complexes: true });

/** Frames of each iteration, of matrices. */
const framesOf = (x: Tensor) => iterations(x).map(framesFromMatrices);

const ATOMS: Readonly<Record<string, "f32">> = {
  ...{ atom14_gt_positions: "f32", atom14_alt_gt_positions: "f32", atom14_gt_exists: "f32" },
  ...{ atom14_alt_gt_exists: "f32", atom14_atom_is_ambiguous: "f32" },
} as const;

const renamedOf = (positions: Tensor, fixed: Tensors) =>
  renamedGroundTruth(positions, {
    positions: fixed.atom14_gt_positions,
    altPositions: fixed.atom14_alt_gt_positions,
    exists: fixed.atom14_gt_exists,
    altExists: fixed.atom14_alt_gt_exists,
    ambiguous: fixed.atom14_atom_is_ambiguous,
  });

const LOGITS = ["distogram", "masked_msa", "experimentally_resolved", "lddt", "tm"].map((name) => `${name}_logits`);
const STATES = ["sm_frames", "sm_sidechain_frames", "sm_angles", "sm_unnormalized_angles", "sm_positions"];

/** The whole loss. */
const TOTAL: Family = {
  prefix: "alphafold_loss_total_multimer",
  matches: (golden) => LOSS.test(golden.source) && isOfComplexes(golden),
  async run(device: Device, golden: Golden): Promise<Results> {
    const own = Object.fromEntries(
      [...STATES, ...LOGITS].map((name) => [`model/${name}`, goldenTensor(device, golden, `model/${name}`)]),
    );
    const fixed = Object.fromEntries(
      Object.entries({ ...TRUTH_FEATURES, asym_id: "i32" as const }).filter(([name]) => golden.has(`in/batch/${name}`))
        .map((
          [name, dtype],
        ) => [name, goldenTensor(device, golden, `batch/${name}`, { dtype })]),
    );
    const positions = goldenTensor(device, golden, "model/final_atom_positions");
    const results = await differentiate(
      device,
      golden,
      { params: {}, inputs: { ...own, "model/final_atom_positions": positions } },
      ({ inputs }) => {
        const given = Object.fromEntries(Object.entries(inputs).map(([name, x]) => [name.slice("model/".length), x]));
        return wholeLoss(given, fixed, {
          frames: framesOf(given.sm_frames),
          atomPositions: given.final_atom_positions,
          config: lossConfigOf(golden.config),
        });
      },
    );
    return withZeroGradients(golden, results);
  },
};

/** Which true chain each predicted one stands for. */
const PERMUTATION: Family = {
  prefix: "permutation",
  matches: isOfComplexes,
  run(_device, golden) {
    const alphas = (name: string, width: number) => {
      const all = golden.data(name), n = all.length / 37 / width;
      return Float64Array.from(
        { length: n * width },
        (_, i) => all[(Math.floor(i / width) * 37 + SLOT.CA) * width + i % width],
      );
    };
    const predicted = {
      positions: alphas("in/final_atom_positions", 3),
      mask: alphas("in/final_atom_mask", 1),
      asymId: golden.data("in/asym_id"),
      entityId: golden.data("in/entity_id"),
      residueIndex: golden.data("in/residue_index"),
    };
    const truth = {
      positions: alphas("in/ground_truth/all_atom_positions", 3),
      mask: alphas("in/ground_truth/all_atom_mask", 1),
      asymId: golden.data("in/ground_truth/asym_id"),
      entityId: golden.data("in/ground_truth/entity_id"),
    };
    const { random_choices } = golden.description;
    const picked = recordOf(Array.isArray(random_choices) ? random_choices[0] : undefined).picked;
    const pairs = alignChains(predicted, truth, () => Number(picked));
    const rows = truthRows(predicted, truth, pairs);
    const merged = (name: string, width: number) => {
      const all = golden.data(`in/ground_truth/${name}`);
      return Array.from(rows).flatMap((row) =>
        row < 0 ? new Array<number>(width).fill(0) : [...all.subarray(row * width, (row + 1) * width)]
      );
    };
    return new Map<string, ArrayLike<number>>([
      ["out/align", pairs.flat()],
      ["out/merged/all_atom_positions", merged("all_atom_positions", 37 * 3)],
      ["out/merged/all_atom_mask", merged("all_atom_mask", 37)],
      ["out/merged/asym_id", merged("asym_id", 1)],
      ["out/merged/aatype", merged("aatype", 1)],
    ]);
  },
  // What OpenFold answers is another, and the chains that may be laid on are an input of it.
  special: (golden, results) =>
    golden.results.map((name) =>
      /openfold_align|anchor_pred_asym_ids/.test(name)
        ? compare(name, golden.data(name), golden.data(name), EXACT)
        : compare(name, results.get(name), golden.data(name), EXACT)
    ),
};

/** AlphaFold-Multimer's losses as OpenFold computes them. */
export const MULTIMER_LOSSES: readonly Family[] = [
  loss(
    "fape_backbone_multimer",
    ["traj"],
    { backbone_rigid_tensor: "f32", backbone_rigid_mask: "f32", asym_id: "i32" },
    ({ traj }, { backbone_rigid_tensor, backbone_rigid_mask: mask, asym_id }, golden) => {
      const frames = framesOf(traj), truth = { frames: framesFromMatrices(backbone_rigid_tensor), mask };
      const eps = golden.number("eps");
      const within = sameChain(asym_id), between = addScalar(negate(within), 1);
      const of = (blocks: readonly Tensor[], pairMask: Tensor, { weight: _, ...options }: WeightedFape) =>
        backboneFapeLoss(blocks, truth, { ...options, eps, pairMask });
      const intra = fapeOf(golden.config.intra), across = fapeOf(golden.config.interface);
      const each = (pairMask: Tensor, options: WeightedFape) =>
        stack(frames.map((frames) => of([frames], pairMask, options)));
      return {
        intra: of(frames, within, intra),
        interface: of(frames, between, across),
        interface_deepmind_clamp_1000: of(frames, between, { ...across, clampDistance: 1000 }),
        intra_per_block: each(within, intra),
        interface_per_block: each(between, across),
      };
    },
  ),
  loss(
    "fape_loss_multimer",
    ["sm_frames", "sm_sidechain_frames", "sm_positions"],
    {
      ...{ asym_id: "i32", backbone_rigid_tensor: "f32", backbone_rigid_mask: "f32", ...ATOMS },
      ...{ rigidgroups_gt_frames: "f32", rigidgroups_alt_gt_frames: "f32", rigidgroups_gt_exists: "f32" },
    },
    ({ sm_frames, sm_sidechain_frames, sm_positions }, fixed, golden) => {
      const config = lossConfigOf({ fape: golden.config }).fape;
      const { backboneWeight, sidechainWeight, interface: across, ...options } = config;
      const truth = { frames: framesFromMatrices(fixed.backbone_rigid_tensor), mask: fixed.backbone_rigid_mask };
      const last = iterations(sm_positions).at(-1)!;
      const renamed = renamedOf(last, fixed);
      const backbone = multimerBackboneFape(framesOf(sm_frames), truth, fixed.asym_id, {
        intra: { ...options, weight: backboneWeight },
        across: across!,
      });
      const sidechain = sidechainFapeLoss(
        framesOf(sm_sidechain_frames).at(-1)!,
        last,
        {
          frames: framesFromMatrices(fixed.rigidgroups_gt_frames),
          altFrames: framesFromMatrices(fixed.rigidgroups_alt_gt_frames),
          exists: fixed.rigidgroups_gt_exists,
        },
        renamed,
        options,
      );
      return {
        fape: add(backbone, multiplyScalar(sidechain, sidechainWeight)),
        alt_naming_is_better: renamed.altIsBetter,
      };
    },
  ),
  loss(
    "chain_center_of_mass_loss",
    ["all_atom_pred_pos"],
    { all_atom_positions: "f32", all_atom_mask: "f32", asym_id: "i32" },
    ({ all_atom_pred_pos: positions }, { all_atom_positions: truth, all_atom_mask: mask, asym_id }, golden) => {
      const tolerance = -golden.number("clamp_distance");
      const of = (factor: number) => chainCenterOfMassLoss(positions, truth, mask, asym_id, { tolerance, factor });
      return { loss: of(golden.number("weight")), loss_weight_1: of(1) };
    },
  ),
  loss(
    "between_residue_clash_loss_multimer",
    ["atom14_pred_positions"],
    { atom14_atom_exists: "f32", atom14_atom_radius: "f32", residue_index: "i32", asym_id: "i32" },
    ({ atom14_pred_positions }, fixed, golden) =>
      clashResults(betweenResidueClashes(atom14_pred_positions, fixed.atom14_atom_radius, {
        exists: fixed.atom14_atom_exists,
        residueIndex: fixed.residue_index,
        asymId: fixed.asym_id,
      }, {
        toleranceSoft: golden.number("overlap_tolerance_soft"),
        toleranceHard: golden.number("overlap_tolerance_hard"),
      })),
  ),
  loss(
    "find_structural_violations_multimer",
    ["atom14_pred_positions"],
    { atom14_atom_exists: "f32", residue_index: "i32", aatype: "i32", asym_id: "i32" },
    ({ atom14_pred_positions }, { atom14_atom_exists: exists, residue_index, aatype, asym_id }, golden) => {
      const facts = { exists, residueIndex: residue_index, aatype, asymId: asym_id };
      const violations = structuralViolations(atom14_pred_positions, facts, {
        toleranceFactor: golden.number("violation_tolerance_factor"),
        overlapTolerance: golden.number("clash_overlap_tolerance"),
      });
      const { bonds, clashes, within } = violations, eps = golden.number("eps");
      const prefix = "between_residues/";
      return {
        ...under(prefix, {
          bonds_c_n_loss_mean: bonds.cnLoss,
          angles_ca_c_n_loss_mean: bonds.caCNLoss,
          angles_c_n_ca_loss_mean: bonds.cNCaLoss,
          connections_per_residue_loss_sum: bonds.perResidueLoss,
          connections_per_residue_violation_mask: bonds.perResidueViolation,
        }),
        ...under(`${prefix}clashes_`, clashResults(clashes)),
        ...under("within_residues/", withinResults(within)),
        total_per_residue_violations_mask: violations.perResidue,
        violation_loss: violationLoss(violations, exists, { eps }),
        violation_loss_average_clashes: violationLoss(violations, exists, { averageClashes: true, eps }),
      };
    },
  ),
  loss(
    "masked_msa_loss_multimer",
    ["logits"],
    { true_msa: "i32", bert_mask: "f32" },
    ({ logits }, { true_msa, bert_mask }, golden) => ({
      loss: maskedMsaLoss(logits, true_msa, bert_mask, golden.number("eps")),
    }),
  ),
  loss(
    "tm_loss_multimer",
    ["logits"],
    {
      ...{ backbone_rigid_tensor: "f32", backbone_rigid_mask: "f32", resolution: "f32", final_affine_tensor: "f32" },
    },
    ({ logits }, { backbone_rigid_tensor, backbone_rigid_mask, resolution, final_affine_tensor }, golden) => ({
      loss: tmLoss(
        ...[logits, framesFromMatrices(final_affine_tensor), framesFromMatrices(backbone_rigid_tensor)] as const,
        ...[backbone_rigid_mask, resolution, { maxBin: golden.number("max_bin"), eps: golden.number("eps") }] as const,
      ),
    }),
  ),
  TOTAL,
  PERMUTATION,
];
