/** Frames of the rigid groups of residues, from the experiment's atoms. */
import {
  CHI_IS_PERIODIC,
  RIGID_GROUP_ATOMS,
  RIGID_GROUP_EXISTS,
  RIGID_GROUPS,
} from "../../../model/protein/residue_constants.ts";
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";
import { type AtomInputs, checkAtoms } from "./_check.ts";
import { frameFrom3Points, type Point, withSigns, writeMatrix } from "../../../model/protein/frames.ts";

/** Frames of the eight rigid groups (backbone, pre-omega, phi, psi, chi 1 to 4). */
export interface RigidGroupFrames {
  /** Homogeneous matrices, translations in Å, `[N_res, 8, 4, 4]`; of no meaning where `rigidgroups_gt_exists` is 0. */
  readonly rigidgroups_gt_frames: Float32Array;
  /** 1 where the group's three atoms were seen, `[N_res, 8]`. */
  readonly rigidgroups_gt_exists: Float32Array;
  /** 1 where the residue type has the group, `[N_res, 8]`. */
  readonly rigidgroups_group_exists: Float32Array;
  /** 1 where half a turn about the group's x axis changes nothing but names, `[N_res, 8]`. */
  readonly rigidgroups_group_is_ambiguous: Float32Array;
  /** As `rigidgroups_gt_frames`, ambiguous groups turned by half a turn, `[N_res, 8, 4, 4]`. */
  readonly rigidgroups_alt_gt_frames: Float32Array;
}

/** Frames of the backbones. */
export interface BackboneFrames {
  /** Homogeneous matrices, translations in Å, `[N_res, 4, 4]`. */
  readonly backbone_rigid_tensor: Float32Array;
  /** 1 where N, CA and C were seen, `[N_res]`. */
  readonly backbone_rigid_mask: Float32Array;
}

/** Å², added to squared lengths. */
const EPS = 1e-8;

/**
 * Frames of all rigid groups.
 *
 * Source: AlphaFold's `atom37_to_frames`; Jumper et al. (2021), Suppl. 1.8.1 and Table 2.
 *
 * @throws {TypeError} If the sizes do not fit together.
 * @throws {RangeError} If a residue type is not 0 … 20.
 */
export function atom37ToFrames(atoms: AtomInputs): RigidGroupFrames {
  const { aatype, all_atom_positions, all_atom_mask } = atoms;
  const n = checkAtoms("atom37ToFrames", atoms);
  const frames = new Float32Array(n * RIGID_GROUPS * 16);
  const altFrames = new Float32Array(n * RIGID_GROUPS * 16);
  const seen = new Float32Array(n * RIGID_GROUPS);
  const exists = new Float32Array(n * RIGID_GROUPS);
  const ambiguous = new Float32Array(n * RIGID_GROUPS);
  for (let i = 0; i < n; i++) {
    for (let group = 0; group < RIGID_GROUPS; group++) {
      const at = i * RIGID_GROUPS + group;
      const table = aatype[i] * RIGID_GROUPS + group;
      const slots = [0, 1, 2].map((k) => i * ATOM_SLOTS + RIGID_GROUP_ATOMS[3 * table + k]);
      const [a, b, c] = slots.map((slot): Point => [all_atom_positions, 3 * slot]);
      exists[at] = RIGID_GROUP_EXISTS[table];
      seen[at] = exists[at] * Math.min(...slots.map((slot) => all_atom_mask[slot]));
      if (group >= 4) ambiguous[at] = CHI_IS_PERIODIC[4 * aatype[i] + group - 4];
      const plain = frameFrom3Points(a, b, c, EPS);
      // The backbone's frame has C, not the atom before CA, on the x axis, so that it is turned about y.
      const frame = group === 0 ? withSigns(plain, [-1, 1, -1]) : plain;
      writeMatrix(frame, frames, 16 * at);
      writeMatrix(ambiguous[at] ? withSigns(frame, [1, -1, -1]) : frame, altFrames, 16 * at);
    }
  }
  return {
    rigidgroups_gt_frames: frames,
    rigidgroups_gt_exists: seen,
    rigidgroups_group_exists: exists,
    rigidgroups_group_is_ambiguous: ambiguous,
    rigidgroups_alt_gt_frames: altFrames,
  };
}

/** The backbone's frames among those of all groups. */
export function backboneFrames(groups: RigidGroupFrames): BackboneFrames {
  const n = groups.rigidgroups_gt_exists.length / RIGID_GROUPS;
  const backbone_rigid_tensor = new Float32Array(n * 16);
  const backbone_rigid_mask = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const from = i * RIGID_GROUPS;
    backbone_rigid_tensor.set(groups.rigidgroups_gt_frames.subarray(16 * from, 16 * from + 16), 16 * i);
    backbone_rigid_mask[i] = groups.rigidgroups_gt_exists[from];
  }
  return { backbone_rigid_tensor, backbone_rigid_mask };
}
