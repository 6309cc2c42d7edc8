/** What is true of a target, on the device, as AlphaFold's loss reads it. */
import type { Device, Tensor } from "../../../core/mod.ts";
import type { LossTruth } from "../../../model/alphafold/losses/mod.ts";
import { framesFromMatrices } from "../../../ops/mod.ts";
import type { ChainFeatures } from "../../data/features/chain.ts";
import type { NetworkInputs } from "../../data/features/network_inputs.ts";
import type { ComplexInputs } from "../../data/features/complex/complex_inputs.ts";
import { type FeatureRecord, featureShape, takePlaces, windowFeatures } from "../../data/features/window.ts";
import type { PaddedSizes } from "../../predict/network_inputs.ts";

/** Features that the loss reads under AlphaFold's names, and the types of their numbers on the device. */
export const TRUTH_FEATURES: Readonly<Record<string, "f32" | "i32">> = {
  ...{ aatype: "i32", residue_index: "i32", true_msa: "i32" },
  ...{ all_atom_positions: "f32", all_atom_mask: "f32", atom14_atom_exists: "f32", atom37_atom_exists: "f32" },
  ...{ atom14_gt_exists: "f32", atom14_gt_positions: "f32", atom14_alt_gt_positions: "f32" },
  ...{ atom14_alt_gt_exists: "f32", atom14_atom_is_ambiguous: "f32", rigidgroups_gt_frames: "f32" },
  ...{ rigidgroups_gt_exists: "f32", rigidgroups_alt_gt_frames: "f32", pseudo_beta: "f32", pseudo_beta_mask: "f32" },
  ...{ backbone_rigid_tensor: "f32", backbone_rigid_mask: "f32", chi_angles_sin_cos: "f32", chi_mask: "f32" },
  ...{ seq_mask: "f32", seq_length: "f32", resolution: "f32", bert_mask: "f32", use_clamped_fape: "f32" },
};

/** What is true, from tensors under the names of {@linkcode TRUTH_FEATURES}, batch first. */
export function truthOf(fixed: Readonly<Record<string, Tensor>>): LossTruth {
  return {
    aatype: fixed.aatype,
    residueIndex: fixed.residue_index,
    ...(fixed.asym_id && { asymId: fixed.asym_id }),
    seqMask: fixed.seq_mask,
    seqLength: fixed.seq_length,
    chiAnglesSinCos: fixed.chi_angles_sin_cos,
    chiMask: fixed.chi_mask,
    backbone: { frames: framesFromMatrices(fixed.backbone_rigid_tensor), mask: fixed.backbone_rigid_mask },
    atoms: {
      positions: fixed.atom14_gt_positions,
      exists: fixed.atom14_gt_exists,
      altPositions: fixed.atom14_alt_gt_positions,
      altExists: fixed.atom14_alt_gt_exists,
      ambiguous: fixed.atom14_atom_is_ambiguous,
    },
    rigidGroups: {
      frames: framesFromMatrices(fixed.rigidgroups_gt_frames),
      altFrames: framesFromMatrices(fixed.rigidgroups_alt_gt_frames),
      exists: fixed.rigidgroups_gt_exists,
    },
    allAtomPositions: fixed.all_atom_positions,
    allAtomMask: fixed.all_atom_mask,
    atom14Exists: fixed.atom14_atom_exists,
    atom37Exists: fixed.atom37_atom_exists,
    pseudoBeta: fixed.pseudo_beta,
    pseudoBetaMask: fixed.pseudo_beta_mask,
    trueMsa: fixed.true_msa,
    bertMask: fixed.bert_mask,
    resolution: fixed.resolution,
    useClampedFape: fixed.use_clamped_fape,
  };
}

/** A part of a chain, and what is known of the whole. */
export interface TruthOptions {
  /** First residue. */
  readonly start: number;
  /** Places of the residues in the whole, where they do not follow each other. @default they do, from `start` */
  readonly rows?: Int32Array;
  /** Residues of the whole chain. */
  readonly length: number;
  /** Whether the backbone error is clamped. */
  readonly clamped: boolean;
}

/**
 * Puts what is true of a part of a chain on the device, with a batch axis of 1, filled up with what does not count.
 *
 * @param supervised Features of the whole chain.
 * @param inputs What the network reads of the part in the iteration that is learnt from: the alignment's letters are its.
 * @returns Owned by the current scope.
 */
export function deviceTruth(
  device: Device,
  supervised: ChainFeatures,
  inputs: NetworkInputs | ComplexInputs,
  { start, rows, length, clamped }: TruthOptions,
  padded: PaddedSizes,
): LossTruth {
  const residues = inputs.aatype.length;
  const put = (name: string, data: Float32Array | Int32Array, from: number, whole: number, rows?: Int32Array) => {
    const sizes = { residues: whole, clusters: inputs.msa_row_mask.length };
    const one: FeatureRecord = { [name]: data };
    const cut = rows
      ? takePlaces(one, sizes, "residues", rows)
      : windowFeatures(one, sizes, { residues: { start: from, size: residues } });
    const filled = windowFeatures(cut, { residues, clusters: inputs.msa_row_mask.length }, {
      residues: { start: 0, size: padded.residues },
      clusters: { start: 0, size: padded.clusters },
    });
    const shape = featureShape(name, { residues: padded.residues, clusters: padded.clusters });
    return device.tensor(filled[name], [1, ...shape], TRUTH_FEATURES[name] ?? "i32");
  };
  const own = ["true_msa", "bert_mask", "seq_mask", "aatype", "residue_index"];
  const drawn: Readonly<Record<string, unknown>> = { ...inputs },
    known: Readonly<Record<string, unknown>> = { ...supervised };
  const fixed: Record<string, Tensor> = {
    seq_length: device.tensor([length], [1]),
    resolution: device.tensor(supervised.resolution, [1]),
    use_clamped_fape: device.tensor([clamped ? 1 : 0], [1]),
  };
  for (const name of Object.keys(TRUTH_FEATURES)) {
    if (name in fixed) continue;
    fixed[name] = own.includes(name)
      ? put(name, drawn[name] as Float32Array, 0, residues)
      : put(name, known[name] as Float32Array, start, length, rows);
  }
  if ("asym_id" in inputs) fixed.asym_id = put("asym_id", inputs.asym_id, 0, residues);
  return truthOf(fixed);
}
