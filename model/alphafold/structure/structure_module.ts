import type { Key, Tensor } from "../../../core/mod.ts";
import { dropout, linear } from "../../../ops/mod.ts";
import { pairBias } from "../../layers/attention.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { normalize } from "../../layers/layer_norm.ts";
import { normalizedAsKept } from "../../layers/representation.ts";
import { step } from "../../layers/step.ts";
import { multimerPointAttention } from "../../multimer/structure/invariant_point_attention.ts";
import { framesOfPose, movedPose, type Pose, poseInAngstrom, restingPose, withoutRotationGradient } from "./_pose.ts";
import { angleResnet } from "./angle_resnet.ts";
import { backboneUpdate } from "./backbone_update.ts";
import type { StructureConfig } from "./config.ts";
import { framesToAtom14 } from "./frames_to_atom14.ts";
import { invariantPointAttention, pointAttentionBias } from "./invariant_point_attention.ts";
import type { StructureModuleParams } from "./params.ts";
import { type ResidueTables, residueTables } from "./residue_tables.ts";
import { singleAttention } from "./single_attention.ts";
import { structureTransition } from "./structure_transition.ts";
import { torsionAnglesToFrames } from "./torsion_angles_to_frames.ts";

/** What the structure module reads. */
export type StructureInputs = {
  /** The Evoformer's single representation, `[batch, N_res, c_s]`. */
  readonly s: Tensor;
  /** Pair representation, `[batch, N_res, N_res, c_z]`. */
  readonly z: Tensor;
  /** Residue types, i32 `[batch, N_res]`, 0 … 20. */
  readonly aatype: Tensor;
  /** 1 for residues that are there, 0 for padding: `[batch, N_res]`. @default all are */
  readonly mask?: Tensor;
};

/** How the structure module runs. */
export interface StructureOptions {
  /** Makes dropout's decisions; it is not used up, keys are derived from it. @default no dropout */
  readonly key?: Key;
  /** Whether all iterations make atoms, as losses need; else the last one alone. @default true */
  readonly trajectory?: boolean;
  /** Whether the inside of each iteration is computed again on the way back instead of being kept. @default false */
  readonly recompute?: boolean;
}

/** The structure after an iteration; lengths in Å. */
export type StructureIteration = {
  /**
   * Backbone frames, `[batch, N_res, 7]`: a quaternion (w, x, y, z) of length 1 and a translation; in a network for
   * complexes `[batch, N_res, 3, 4]`, see `ops/frames.ts`.
   */
  readonly frames: Tensor;
  /** Frames of all rigid groups, `[batch, N_res, 8, 3, 4]`. */
  readonly sidechainFrames: Tensor;
  /** Sine and cosine of the torsion angles, `[batch, N_res, 7, 2]`. */
  readonly angles: Tensor;
  /** The same before they were scaled to length 1. */
  readonly unnormalizedAngles: Tensor;
  /** Atoms, `[batch, N_res, 14, 3]`; 0 where a residue has none. */
  readonly positions: Tensor;
  /** Single representation, `[batch, N_res, c_s]`. */
  readonly state: Tensor;
};

/** What the structure module gives. */
export type StructureOutputs = {
  /** All iterations, or the last one alone. */
  readonly trajectory: readonly StructureIteration[];
  /** The last one. */
  readonly last: StructureIteration;
  /** The last single representation, for the pLDDT head: `[batch, N_res, c_s]`. */
  readonly single: Tensor;
};

/** What passes from one iteration to the next. */
type State = {
  readonly s: Tensor;
  readonly pose: Pose;
};

/** What all iterations read. */
type Shared = {
  readonly params: StructureModuleParams;
  readonly sInitial: Tensor;
  readonly z: Tensor;
  readonly bias: Tensor;
  readonly aatype: Tensor;
  readonly mask: Tensor | undefined;
  readonly tables: ResidueTables;
};

/**
 * Moves the residues, which start in one place, from iteration to iteration, and puts their atoms in.
 *
 * Gradients do not flow through the rotations from one iteration to those before, as in the published code.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 20 "StructureModule".
 *
 * @example
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { initStructureModule, structureConfig, structureModule } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const config = structureConfig({ cS: 8, cZ: 4, cIpa: 4, cResnet: 6, nHeadIpa: 2, nBlock: 2 });
 * const params = initStructureModule(device, config, Key.fromSeed(1));
 * const inputs = { s: device.zeros([1, 3, 8]), z: device.zeros([1, 3, 3, 4]), aatype: device.zeros([1, 3], "i32") };
 * const { last } = structureModule(params, inputs, config);
 * assert.deepEqual(last.positions.shape, [1, 3, 14, 3]);
 * const [w, x, y, z, ...origin] = (await last.frames.read()).slice(0, 7);
 * assert.deepEqual([w, x, y, z, ...origin], [1, 0, 0, 0, 0, 0, 0]); // fresh parameters move nothing
 * ```
 *
 * @returns Owned by the current scope. Masked residues have no meaning.
 * @throws {TypeError} If shapes do not fit together.
 */
export function structureModule(
  params: StructureModuleParams,
  inputs: StructureInputs,
  config: StructureConfig,
  { key, trajectory = true, recompute = false }: StructureOptions = {},
): StructureOutputs {
  const { device } = inputs.s;
  const { cS, cZ } = config;
  checkShape("structureModule", "s", inputs.s, ["batch", "N_res", cS]);
  const [batch, nRes] = inputs.s.shape;
  checkShape("structureModule", "z", inputs.z, [batch, nRes, nRes, cZ]);
  checkShape("structureModule", "aatype", inputs.aatype, [batch, nRes], "i32");
  if (inputs.mask) checkShape("structureModule", "mask", inputs.mask, [batch, nRes]);
  using scope = device.scope("structureModule");
  const sInitial = normalize(params.layerNormS, inputs.s); // line 1
  const z = normalizedAsKept(params.layerNormZ, inputs.z); // line 2
  const bias = attentionBias(params, z); // the same in all iterations
  const { aatype, mask } = inputs;
  const shared: Shared = { params, sInitial, z, bias, aatype, mask, tables: residueTables(device) };
  let state: State = {
    s: linear(sInitial, params.linearIn), // line 3
    pose: restingPose(device, batch, nRes, config), // line 4
  };
  const iterations: StructureIteration[] = [];
  for (let i = 0; i < config.nBlock; i++) { // line 5
    const makesAtoms = trajectory || i === config.nBlock - 1;
    const { next, atoms } = step(
      device,
      `iteration/${i}`,
      { shared, state },
      ({ shared, state }) => {
        const next = move(shared, state, config, key?.at(i));
        return { next, atoms: makesAtoms ? putAtoms(shared, next, config) : undefined };
      },
      recompute,
    );
    state = { s: next.s, pose: withoutRotationGradient(next.pose) }; // line 20
    if (atoms) iterations.push({ ...atoms, state: next.s });
  }
  const last = iterations.at(-1)!;
  return scope.keep({ trajectory: iterations, last, single: last.state });
}

/** Biases of the heads of either attention. */
function attentionBias({ ipa, attention }: StructureModuleParams, z: Tensor): Tensor {
  if (ipa) return pointAttentionBias(ipa, z);
  if (attention) return pairBias(attention.linearB, z);
  throw new TypeError("Cannot run structureModule: its parameters have no attention of either kind");
}

/** Updates the single representation, and moves the frames by it. */
function move(
  { params, z, bias, mask }: Shared,
  { s, pose }: State,
  config: StructureConfig,
  key: Key | undefined,
): State {
  const drop = (index: number) => (key && { rate: config.dropout, key: key.at(index) });
  const frames = framesOfPose(pose);
  const inputs = { z, frames, mask, bias, residual: s };
  const attended = !params.ipa // line 6
    ? singleAttention(params.attention!, s, { mask, bias, residual: s }, config.nHeadIpa)
    : "linearKv" in params.ipa
    ? invariantPointAttention(params.ipa, s, inputs, config)
    : multimerPointAttention(params.ipa, s, inputs, config);
  const dropped = drop(0);
  const normed = normalize(params.layerNormIpa, dropped ? dropout(attended, dropped) : attended); // line 7
  const updated = structureTransition(params.transition, normed, drop(1)); // lines 8 and 9
  const updates = backboneUpdate(params.bbUpdate, updated); // line 10
  return { s: updated, pose: movedPose(pose, updates) };
}

/** The structure at a state. */
function putAtoms(
  { params, sInitial, aatype, tables }: Shared,
  { s, pose }: State,
  { transScale }: StructureConfig,
): Omit<StructureIteration, "state"> {
  const torsions = angleResnet(params.angleResnet, s, sInitial); // lines 11-14
  const { backbone, frames } = poseInAngstrom(pose, transScale);
  const sidechainFrames = torsionAnglesToFrames(backbone, torsions.angles, aatype, tables); // line 24
  const positions = framesToAtom14(sidechainFrames, aatype, tables);
  return { frames, sidechainFrames, ...torsions, positions };
}
