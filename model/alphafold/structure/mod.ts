/**
 * AlphaFold 2's structure module: from representations to atoms. Everything is batch first.
 *
 * `structureModule(params, { s, z, aatype, mask }, config, options)` reads the Evoformer's single `s` `[batch, N_res, c_s]`
 * and pair representation `z` `[batch, N_res, N_res, c_z]`, residue types i32 `[batch, N_res]` and a mask `[batch, N_res]`;
 * it gives
 *
 * - `trajectory`: an entry an iteration with `frames` `[batch, N_res, 7]` (quaternion w x y z, translation; in a network for
 *   complexes `[batch, N_res, 3, 4]`),
 *   `sidechainFrames` `[batch, N_res, 8, 3, 4]`, `angles` and `unnormalizedAngles` `[batch, N_res, 7, 2]` (sine, cosine),
 *   `positions` `[batch, N_res, 14, 3]` and `state` `[batch, N_res, c_s]`, lengths in Å; with `trajectory: false`
 *   the last iteration alone;
 * - `last`, the last of them, and `single`, its state, which the pLDDT head reads.
 *
 * Positions under 37 names: `atom14ToAtom37(last.positions, residx_atom37_to_atom14, atom37_atom_exists)`. Frames of
 * tensors are `[…, 3, 4]`, see `ops/frames.ts`.
 *
 * @module
 */
export { angleResnet, type TorsionAngles } from "./angle_resnet.ts";
export { atom14ToAtom37 } from "./atom14_to_atom37.ts";
export { backboneUpdate } from "./backbone_update.ts";
export { backboneFrames } from "./_pose.ts";
export { type StructureConfig, structureConfig, TORSION_ANGLES } from "./config.ts";
export { framesToAtom14 } from "./frames_to_atom14.ts";
export {
  invariantPointAttention,
  type InvariantPointAttentionInputs,
  pointAttentionBias,
} from "./invariant_point_attention.ts";
export {
  type AngleResnetParams,
  angleResnetShapes,
  type BackboneUpdateParams,
  backboneUpdateShapes,
  initStructureModule,
  type InvariantPointAttentionParams,
  invariantPointAttentionShapes,
  loadStructureModule,
  type SingleAttentionParams,
  singleAttentionShapes,
  type StructureModuleParams,
  structureModuleShapes,
  type StructureTransitionLayerParams,
  type StructureTransitionParams,
  structureTransitionShapes,
} from "./params.ts";
export { singleAttention, type SingleAttentionInputs } from "./single_attention.ts";
export { type ResidueTables, residueTables } from "./residue_tables.ts";
export {
  type StructureInputs,
  type StructureIteration,
  structureModule,
  type StructureOptions,
  type StructureOutputs,
} from "./structure_module.ts";
export { structureTransition } from "./structure_transition.ts";
export { torsionAnglesToFrames } from "./torsion_angles_to_frames.ts";
