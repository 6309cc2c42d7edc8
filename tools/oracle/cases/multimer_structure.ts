import type { Tensor } from "../../../core/mod.ts";
import {
  backboneUpdate,
  type BackboneUpdateParams,
  backboneUpdateShapes,
  type StructureConfig,
  structureConfig,
  structureModule,
  type StructureModuleParams,
  structureModuleShapes,
} from "../../../model/alphafold/structure/mod.ts";
import { constant, linearShapes } from "../../../model/layers/params.ts";
import {
  moveFrames,
  multimerPointAttention,
  type MultimerPointAttentionParams,
  multimerPointAttentionShapes,
  pointProjection,
  quatRigid,
  scaleTranslations,
} from "../../../model/multimer/mod.ts";
import {
  add,
  addScalar,
  applyFrames,
  atan2,
  clamp,
  composeFrames,
  concat,
  divide,
  framesFromQuaternions,
  framesFromThreePoints,
  invertApplyFrames,
  invertFrames,
  type LinearParams,
  matricesFromFrames,
  multiply,
  multiplyScalar,
  negate,
  reshape,
  slice,
  sqrt,
  subtract,
  sum,
} from "../../../ops/mod.ts";
import type { Family } from "../family.ts";
import type { Golden } from "../golden.ts";
import { framesOf, rotationsOf, stack } from "./_frames.ts";
import { structureConfigOf } from "./alphafold_structure.ts";
import { moduleFamily, type Tensors } from "./_module.ts";

const GEOMETRY = /^openfold\/utils\/geometry\//;
const MODULE = /^openfold\/model\/structure_module\.py/;
const BIAS = { bias: constant(0) };

/** Operations on vectors and frames, whose cases have no parameters. */
function geometry(
  prefix: string,
  inputs: readonly string[],
  run: (inputs: Tensors, golden: Golden) => Record<string, Tensor>,
): Family {
  return moduleFamily({
    prefix,
    source: GEOMETRY,
    complexes: true,
    inputs,
    batched: false,
    run: (_, tensors, __, golden) => run(tensors, golden),
  });
}

/** Sum of products along the last axis, `[…, 1]`. */
const dot = (a: Tensor, b: Tensor) => sum(multiply(a, b), { axes: [-1], keepDims: true });

const component = (x: Tensor, k: number) => slice(x, x.shape.map(() => 0).with(-1, k), x.shape.with(-1, k + 1));

function cross(a: Tensor, b: Tensor): Tensor {
  const part = (i: number, j: number) =>
    subtract(multiply(component(a, i), component(b, j)), multiply(component(a, j), component(b, i)));
  return concat([part(1, 2), part(2, 0), part(0, 1)], -1);
}

/** Lengths, `[…, 1]`, at least eps. */
const lengthOf = (x: Tensor, eps: number) => sqrt(clamp(dot(x, x), eps ** 2, Infinity));

/** Dihedral angles of four points in radians, `[…, 1]`. */
function dihedral(p0: Tensor, p1: Tensor, p2: Tensor, p3: Tensor): Tensor {
  const [v1, v2, v3] = [subtract(p0, p1), subtract(p1, p2), subtract(p3, p2)];
  const c1 = cross(v1, v2), c2 = cross(v3, v2);
  return atan2(dot(cross(c2, c1), v2), multiply(sqrt(dot(v2, v2)), dot(c1, c2)));
}

const flat = (x: Tensor) => reshape(x, x.shape.slice(0, -1));

const withMultimer = (golden: Golden, own: Parameters<typeof structureConfigOf>[1] = {}): StructureConfig =>
  structureConfig({ ...structureConfigOf(golden, own), multimer: true });

/** AlphaFold-Multimer's rigid arithmetic and structure module as OpenFold computes them. */
export const MULTIMER_STRUCTURE: readonly Family[] = [
  geometry("vec3_ops", ["a", "b", "c", "d"], ({ a, b, c, d }) => {
    const EPS = 1e-6;
    const apart = subtract(a, b);
    const last = addScalar(add(multiplyScalar(c, 0.3), multiplyScalar(d, 1.7)), 1);
    return {
      norm_b: flat(lengthOf(b, EPS)),
      normalized_b: divide(b, lengthOf(b, EPS)),
      sqdist_ab: flat(clamp(dot(apart, apart), EPS, Infinity)),
      dist_ab: flat(lengthOf(apart, EPS)),
      dihedral: flat(dihedral(c, b, d, last)),
      cross: cross(b, c),
      dot: flat(dot(b, c)),
    };
  }),
  geometry("rot3_from_quaternion", ["quat"], ({ quat }, golden) => {
    const { device, shape } = quat;
    const unit = divide(quat, sqrt(clamp(dot(quat, quat), golden.number("eps"), Infinity)));
    const scaled = rotationsOf(framesFromQuaternions(unit, device.zeros([...shape.slice(0, -1), 3])));
    // Ours is the rotation times the squared length; the other form has 1 in its place, where that is less.
    const lacking = addScalar(negate(dot(unit, unit)), 1);
    const identity = device.tensor([1, 0, 0, 0, 1, 0, 0, 0, 1], [3, 3]);
    return { rot: add(scaled, multiply(reshape(lacking, [...shape.slice(0, -1), 1, 1]), identity)) };
  }),
  geometry("rot3_from_two_vectors", ["e0", "e1"], ({ e0, e1 }, golden) => ({
    rot: rotationsOf(
      framesFromThreePoints(e1, e0.device.zeros(e0.shape), e0, { eps: golden.number("norm_eps") ** 2 }),
    ),
  })),
  geometry("rigid3_ops", ["rot1", "trans1", "rot2", "trans2", "pts"], ({ rot1, trans1, rot2, trans2, pts }) => {
    const [a, b] = [framesOf(rot1, trans1), framesOf(rot2, trans2)];
    return {
      apply: applyFrames(a, pts),
      apply_inverse: invertApplyFrames(a, pts),
      inverse_4x4: matricesFromFrames(invertFrames(a)),
      compose_4x4: matricesFromFrames(composeFrames(a, b)),
      compose_rotation_4x4: matricesFromFrames(composeFrames(a, framesOf(rot2, trans2.device.zeros(trans2.shape)))),
      scale_translation_4x4: matricesFromFrames(scaleTranslations(a, 20)),
    };
  }),
  moduleFamily<BackboneUpdateParams>({
    prefix: "quat_rigid",
    source: GEOMETRY,
    complexes: true,
    shapes: (golden) => backboneUpdateShapes({ ...structureConfig(), cS: golden.number("c_hidden") }),
    inputs: ["s", "rot", "trans"],
    run(params, { s, rot, trans }) {
      const updates = backboneUpdate(params, s);
      return {
        update_4x4: matricesFromFrames(quatRigid(updates)),
        composed_4x4: matricesFromFrames(moveFrames(framesOf(rot, trans), updates)),
      };
    },
  }),
  moduleFamily<{ readonly linear: LinearParams }>({
    prefix: "point_projection_multimer",
    source: MODULE,
    complexes: true,
    shapes: (golden) => {
      const rows = 3 * golden.number("no_heads") * golden.number("num_points");
      return { linear: linearShapes(rows, golden.number("c_hidden"), BIAS) };
    },
    inputs: ["s", "rot", "trans"],
    run: ({ linear }, { s, rot, trans }, _, golden) => ({
      points: pointProjection(linear, s, framesOf(rot, trans), golden.number("no_heads")),
    }),
  }),
  moduleFamily<MultimerPointAttentionParams>({
    prefix: "invariant_point_attention_multimer",
    source: MODULE,
    complexes: true,
    shapes: (golden) => multimerPointAttentionShapes(withMultimer(golden, { c_hidden: "cIpa" })),
    inputs: ["s", "z", "rot", "trans"],
    constants: { mask: "f32" },
    run: (params, { s, z, rot, trans }, { mask }, golden) => ({
      s_update: multimerPointAttention(
        params,
        s,
        { z, frames: framesOf(rot, trans), mask },
        withMultimer(golden, { c_hidden: "cIpa" }),
      ),
    }),
  }),
  moduleFamily<StructureModuleParams>({
    prefix: "structure_module_multimer",
    source: MODULE,
    complexes: true,
    shapes: (golden) => structureModuleShapes(withMultimer(golden)),
    inputs: ["single", "pair"],
    constants: { aatype: "i32", mask: "f32" },
    run(params, { single: s, pair: z }, { aatype, mask }, golden): Record<string, Tensor> {
      const { trajectory, last, single } = structureModule(params, { s, z, aatype, mask }, withMultimer(golden));
      if (golden.has("out/last_positions")) return { last_positions: last.positions };
      return {
        frames: stack(trajectory.map(({ frames }) => matricesFromFrames(frames))),
        sidechain_frames: stack(trajectory.map(({ sidechainFrames }) => matricesFromFrames(sidechainFrames))),
        unnormalized_angles: stack(trajectory.map(({ unnormalizedAngles }) => unnormalizedAngles)),
        angles: stack(trajectory.map(({ angles }) => angles)),
        positions: stack(trajectory.map(({ positions }) => positions)),
        single,
      };
    },
  }),
];
