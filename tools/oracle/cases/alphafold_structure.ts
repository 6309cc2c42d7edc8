import type { Tensor } from "../../../core/mod.ts";
import {
  angleResnet,
  type AngleResnetParams,
  angleResnetShapes,
  atom14ToAtom37,
  backboneUpdate,
  type BackboneUpdateParams,
  backboneUpdateShapes,
  framesToAtom14,
  invariantPointAttention,
  type InvariantPointAttentionParams,
  invariantPointAttentionShapes,
  residueTables,
  type StructureConfig,
  structureConfig,
  structureModule,
  type StructureModuleParams,
  structureModuleShapes,
  structureTransition,
  type StructureTransitionParams,
  structureTransitionShapes,
  torsionAnglesToFrames,
} from "../../../model/alphafold/structure/mod.ts";
import { quaternionFromRotation } from "../../../model/protein/mod.ts";
import {
  applyFrames,
  composeFrames,
  concat,
  framesFromMatrices,
  framesFromQuaternions,
  framesFromThreePoints,
  invertApplyFrames,
  invertFrames,
  matricesFromFrames,
  multiplyQuaternions,
  normalizeQuaternions,
  pad,
  reshape,
  updateQuaternions,
  updateTranslations,
} from "../../../ops/mod.ts";
import type { Family } from "../family.ts";
import type { Golden } from "../golden.ts";
import { framesOf, rotationsOf, stack } from "./_frames.ts";
import { moduleFamily, type Tensors } from "./_module.ts";

const RIGID = /^openfold\/utils\/rigid_utils\.py/;
const FEATS = /^openfold\/utils\/feats\.py/;
const MODULE = /^openfold\/model\/structure_module\.py/;

/** Keys of the golden configuration and what they are called here; a case has some of them. */
const KEYS: Readonly<Record<string, keyof StructureConfig>> = {
  c_s: "cS",
  c_z: "cZ",
  c_ipa: "cIpa",
  c_resnet: "cResnet",
  no_heads_ipa: "nHeadIpa",
  no_heads: "nHeadIpa",
  no_qk_points: "nQkPoints",
  no_v_points: "nVPoints",
  no_blocks: "nBlock",
  no_transition_layers: "nTransition",
  no_resnet_blocks: "nResnetBlock",
  dropout_rate: "dropout",
  trans_scale_factor: "transScale",
};

type Own = Readonly<Record<string, keyof StructureConfig>>;

/** The configuration; `own` says what keys mean in this case that mean something else in others. */
export function structureConfigOf({ config }: Golden, own: Own = {}): StructureConfig {
  const given = Object.entries(config).flatMap(([key, value]) => {
    const name = own[key] ?? KEYS[key];
    return name ? [[name, value]] : [];
  });
  return structureConfig(Object.fromEntries(given));
}

/** A family of operations on frames, whose golden inputs are rotations and translations of their own. */
function rigid(
  prefix: string,
  inputs: readonly string[],
  run: (inputs: Tensors, golden: Golden) => Record<string, Tensor>,
): Family {
  return moduleFamily({
    prefix,
    source: RIGID,
    inputs,
    batched: false,
    run: (_, tensors, __, golden) => run(tensors, golden),
  });
}

const RIGIDS: readonly Family[] = [
  rigid("rigid_apply", ["rot1", "trans1", "rot2", "trans2", "pts"], ({ rot1, trans1, rot2, trans2, pts }) => {
    const [a, b] = [framesOf(rot1, trans1), framesOf(rot2, trans2)];
    const perPoint = reshape(a, [a.shape[0], 1, 3, 4]);
    return {
      apply: applyFrames(perPoint, pts),
      invert_apply: invertApplyFrames(perPoint, pts),
      invert_4x4: matricesFromFrames(invertFrames(a)),
      compose_4x4: matricesFromFrames(composeFrames(a, b)),
    };
  }),
  rigid("quat_to_rot", ["quat"], ({ quat }) => ({ rot: rotationsOf(framesFromQuaternions(quat, origins(quat))) })),
  rigid("quat_normalize_to_rot", ["quat"], ({ quat }) => ({
    rot: rotationsOf(framesFromQuaternions(normalizeQuaternions(quat), origins(quat))),
  })),
  rigid("quat_multiply", ["q1", "q2", "v"], ({ q1, q2, v }) => ({
    q1q2: multiplyQuaternions(q1, q2),
    q1v: multiplyQuaternions(q1, pad(v, v.shape.map(() => 0).with(-1, 1), v.shape.map(() => 0))),
  })),
  rigid("compose_q_update_vec", ["quat", "trans", "update"], ({ quat, trans, update }) => {
    const before = normalizeQuaternions(quat);
    const quaternions = updateQuaternions(before, update);
    const translations = updateTranslations(trans, before, update);
    return {
      quat: quaternions,
      trans: translations,
      rot: rotationsOf(framesFromQuaternions(quaternions, translations)),
      tensor7: concat([quaternions, translations], -1),
    };
  }),
  rigid("from_3_points", ["p_neg_x", "origin", "p_xy"], ({ p_neg_x, origin, p_xy }, golden) => ({
    rigid_4x4: matricesFromFrames(
      framesFromThreePoints(p_xy, origin, p_neg_x, { xAxis: "away", eps: golden.number("eps") }),
    ),
  })),
  rigid("make_transform_from_reference", ["n", "ca", "c"], ({ n, ca, c }, golden) => ({
    rigid_4x4: matricesFromFrames(framesFromThreePoints(n, ca, c, { eps: golden.number("eps") })),
  })),
  {
    prefix: "rot_to_quat",
    matches: ({ source }) => RIGID.test(source),
    run(_device, golden) {
      const rotations = golden.data64("in/rot");
      const quaternions = Array.from(
        { length: rotations.length / 9 },
        (_, i) => quaternionFromRotation(rotations.subarray(9 * i, 9 * i + 9)),
      );
      return new Map([["out/quat", quaternions.flatMap((q) => [...q])]]);
    },
  },
];

function origins(quaternions: Tensor): Tensor {
  return quaternions.device.zeros(quaternions.shape.with(-1, 3));
}

/** AlphaFold 2's structure module as OpenFold computes it. */
export const ALPHAFOLD_STRUCTURE: readonly Family[] = [
  ...RIGIDS,
  moduleFamily({
    prefix: "torsion_angles_to_frames",
    source: FEATS,
    inputs: ["bb_rot", "bb_trans", "angles"],
    constants: { aatype: "i32" },
    run: (_, { bb_rot, bb_trans, angles }, { aatype }) => ({
      frames_4x4: matricesFromFrames(
        torsionAnglesToFrames(framesOf(bb_rot, bb_trans), angles, aatype, residueTables(aatype.device)),
      ),
    }),
  }),
  moduleFamily({
    prefix: "frames_to_atom14",
    source: FEATS,
    inputs: ["frames_4x4"],
    constants: { aatype: "i32" },
    run: (_, { frames_4x4 }, { aatype }) => ({
      atom14_positions: framesToAtom14(framesFromMatrices(frames_4x4), aatype, residueTables(aatype.device)),
    }),
  }),
  moduleFamily({
    prefix: "atom14_to_atom37",
    source: FEATS,
    inputs: ["atom14"],
    constants: { residx_atom37_to_atom14: "i32", atom37_atom_exists: "f32" },
    run: (_, { atom14 }, { residx_atom37_to_atom14: slots, atom37_atom_exists: exists }) => ({
      atom37: atom14ToAtom37(atom14, slots, exists),
    }),
  }),
  moduleFamily<InvariantPointAttentionParams>({
    prefix: "invariant_point_attention",
    source: MODULE,
    shapes: (golden) => invariantPointAttentionShapes(structureConfigOf(golden, { c_hidden: "cIpa" })),
    inputs: ["s", "z", "rot", "trans"],
    constants: { mask: "f32" },
    run: (params, { s, z, rot, trans }, { mask }, golden) => ({
      s_update: invariantPointAttention(
        params,
        s,
        { z, frames: framesOf(rot, trans), mask },
        structureConfigOf(golden, { c_hidden: "cIpa" }),
      ),
    }),
  }),
  moduleFamily<BackboneUpdateParams>({
    prefix: "backbone_update",
    source: MODULE,
    shapes: (golden) => backboneUpdateShapes(structureConfigOf(golden)),
    inputs: ["s"],
    run: (params, { s }) => ({ update: backboneUpdate(params, s) }),
  }),
  moduleFamily<AngleResnetParams>({
    prefix: "angle_resnet",
    source: MODULE,
    shapes: (golden) =>
      angleResnetShapes(structureConfigOf(golden, { c_in: "cS", c_hidden: "cResnet", no_blocks: "nResnetBlock" })),
    inputs: ["s", "s_initial"],
    run(params, { s, s_initial }) {
      const { angles, unnormalizedAngles } = angleResnet(params, s, s_initial);
      return { unnormalized_angles: unnormalizedAngles, angles };
    },
  }),
  moduleFamily<StructureTransitionParams>({
    prefix: "structure_module_transition",
    source: MODULE,
    shapes: (golden) => structureTransitionShapes(structureConfigOf(golden, { c: "cS", num_layers: "nTransition" })),
    inputs: ["s"],
    run: (params, { s }) => ({ s: structureTransition(params, s) }),
  }),
  moduleFamily<StructureModuleParams>({
    prefix: "structure_module",
    source: MODULE,
    shapes: (golden) => structureModuleShapes(structureConfigOf(golden)),
    inputs: ["single", "pair"],
    constants: { aatype: "i32", mask: "f32" },
    run(params, { single: s, pair: z }, { aatype, mask }, golden): Record<string, Tensor> {
      const all = structureModule(params, { s, z, aatype, mask }, structureConfigOf(golden));
      const { trajectory } = all;
      if (golden.has("out/positions_last")) return { positions_last: all.last.positions };
      return {
        frames: stack(trajectory.map(({ frames }) => frames)),
        sidechain_frames: stack(trajectory.map(({ sidechainFrames }) => matricesFromFrames(sidechainFrames))),
        unnormalized_angles: stack(trajectory.map(({ unnormalizedAngles }) => unnormalizedAngles)),
        angles: stack(trajectory.map(({ angles }) => angles)),
        positions: stack(trajectory.map(({ positions }) => positions)),
        states: stack(trajectory.map(({ state }) => state)),
        single: all.single,
      };
    },
  }),
];
