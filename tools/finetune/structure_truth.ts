/** Structures that a network learns from, on the device. */
import type { Device, Tensor } from "../../core/mod.ts";
import type { StructureTruth } from "../../finetune/mod.ts";
import type { AlphaFoldFeatures } from "../../model/alphafold/features.ts";
import { framesFromMatrices } from "../../ops/mod.ts";
import type { ChainFeatures } from "../data/features/chain.ts";
import { type PaddedSizes, paddedTensors } from "../predict/network_inputs.ts";

/**
 * What is true of a protein's structure, padded as its features are.
 *
 * @returns Owned by the current scope.
 */
export function structureTruth(
  device: Device,
  chain: ChainFeatures,
  { aatype, residueIndex, seqMask }: AlphaFoldFeatures,
  padded: PaddedSizes,
): StructureTruth {
  const residues = chain.aatype.length;
  const pad = paddedTensors(device, { residues, clusters: 0, extra: 0, templates: 0 }, padded);
  const put = (name: keyof ChainFeatures & string): Tensor => pad(name, chain[name]);
  return {
    ...{ aatype, residueIndex, seqMask: seqMask! },
    chiAnglesSinCos: put("chi_angles_sin_cos"),
    chiMask: put("chi_mask"),
    backbone: { frames: framesFromMatrices(put("backbone_rigid_tensor")), mask: put("backbone_rigid_mask") },
    atoms: {
      positions: put("atom14_gt_positions"),
      exists: put("atom14_gt_exists"),
      altPositions: put("atom14_alt_gt_positions"),
      altExists: put("atom14_alt_gt_exists"),
      ambiguous: put("atom14_atom_is_ambiguous"),
    },
    rigidGroups: {
      frames: framesFromMatrices(put("rigidgroups_gt_frames")),
      altFrames: framesFromMatrices(put("rigidgroups_alt_gt_frames")),
      exists: put("rigidgroups_gt_exists"),
    },
    allAtomPositions: put("all_atom_positions"),
    allAtomMask: put("all_atom_mask"),
    atom14Exists: put("atom14_atom_exists"),
    atom37Exists: put("atom37_atom_exists"),
    pseudoBeta: put("pseudo_beta"),
    pseudoBetaMask: put("pseudo_beta_mask"),
    resolution: device.tensor(chain.resolution, [1]),
    seqLength: device.tensor([residues], [1]),
  };
}
