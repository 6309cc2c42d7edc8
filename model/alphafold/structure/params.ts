import type { Device, Key, Shape, Tensor } from "../../../core/mod.ts";
import type { LinearParams } from "../../../ops/mod.ts";
import type { LayerNormParams } from "../../layers/layer_norm.ts";
import {
  constant,
  fanIn,
  glorotUniform,
  initParams,
  layerNormShapes,
  linearShapes,
  loadParams,
  ParamShape,
  type ParamShapes,
} from "../../layers/params.ts";
import { type MultimerPointAttentionParams, multimerPointAttentionShapes } from "../../multimer/structure/params.ts";
import { type StructureConfig, TORSION_ANGLES } from "./config.ts";

/** Invariant point attention; H heads, C channels, P points of queries and keys, V of values. */
export type InvariantPointAttentionParams = {
  /** What softplus makes the weights of points of, `[H]`. */
  readonly headWeights: Tensor;
  /** Weight `[H C, c_s]`. */
  readonly linearQ: LinearParams;
  /** Weight `[2 H C, c_s]`: for each head C channels of keys, then C of values. */
  readonly linearKv: LinearParams;
  /** Weight `[3 H P, c_s]`: all x, then all y, then all z. */
  readonly linearQPoints: { readonly linear: LinearParams };
  /** Weight `[3 H (P + V), c_s]`: of each coordinate, for each head P keys, then V values. */
  readonly linearKvPoints: { readonly linear: LinearParams };
  /** Weight `[H, c_z]`. */
  readonly linearB: LinearParams;
  /** Weight `[c_s, H (C + 4 V + c_z)]`. */
  readonly linearOut: LinearParams;
};

/** Plain attention of residues, where point attention is left out; H heads, C channels. */
export type SingleAttentionParams = {
  /** Weights `[H C, c_s]`. */
  readonly linearQ: LinearParams;
  readonly linearK: LinearParams;
  readonly linearV: LinearParams;
  /** Weight `[H, c_z]`. */
  readonly linearB: LinearParams;
  /** Weight `[c_s, H C]`. */
  readonly linearOut: LinearParams;
};

/** A layer of the transition: three linear maps, each `[c_s, c_s]`. */
export type StructureTransitionLayerParams = {
  readonly linear_1: LinearParams;
  readonly linear_2: LinearParams;
  readonly linear_3: LinearParams;
};

/** The transition, and the layer normalization after it. */
export type StructureTransitionParams = {
  readonly layers: readonly StructureTransitionLayerParams[];
  readonly layerNorm: LayerNormParams;
};

/** The linear map to six numbers a residue, weight `[6, c_s]`. */
export type BackboneUpdateParams = { readonly linear: LinearParams };

/** The network for torsion angles. */
export type AngleResnetParams = {
  readonly linearIn: LinearParams;
  readonly linearInitial: LinearParams;
  readonly layers: readonly { readonly linear_1: LinearParams; readonly linear_2: LinearParams }[];
  /** Weight `[14, cResnet]`: sine and cosine of each angle. */
  readonly linearOut: LinearParams;
};

/** The structure module, under OpenFold's names. */
export type StructureModuleParams = {
  readonly layerNormS: LayerNormParams;
  readonly layerNormZ: LayerNormParams;
  readonly linearIn: LinearParams;
  /** Absent where residues attend without points. */
  readonly ipa?: InvariantPointAttentionParams | MultimerPointAttentionParams;
  /** What stands in for it. */
  readonly attention?: SingleAttentionParams;
  readonly layerNormIpa: LayerNormParams;
  readonly transition: StructureTransitionParams;
  readonly bbUpdate: BackboneUpdateParams;
  readonly angleResnet: AngleResnetParams;
};

const ZEROS = constant(0);
const DEFAULT = { bias: ZEROS };
const RELU = { weight: fanIn(2), bias: ZEROS };
/** A residual update starts at zero. */
const FINAL = { weight: ZEROS, bias: ZEROS };
/** The inverse of softplus at 1. */
const SOFTPLUS_TO_ONE = Math.log(Math.E - 1);

/** Shapes of the parameters of invariant point attention. */
export function invariantPointAttentionShapes(config: StructureConfig): ParamShapes {
  const { cS, cZ, cIpa, nHeadIpa: H, nQkPoints, nVPoints } = config;
  return {
    headWeights: new ParamShape([H], constant(SOFTPLUS_TO_ONE)),
    linearQ: linearShapes(H * cIpa, cS, DEFAULT),
    linearKv: linearShapes(2 * H * cIpa, cS, DEFAULT),
    linearQPoints: { linear: linearShapes(3 * H * nQkPoints, cS, DEFAULT) },
    linearKvPoints: { linear: linearShapes(3 * H * (nQkPoints + nVPoints), cS, DEFAULT) },
    linearB: linearShapes(H, cZ, DEFAULT),
    linearOut: linearShapes(cS, H * (cIpa + 4 * nVPoints + cZ), FINAL),
  };
}

/** Shapes of the parameters of plain attention. */
export function singleAttentionShapes({ cS, cZ, cIpa, nHeadIpa: H }: StructureConfig): ParamShapes {
  const glorot = () => linearShapes(H * cIpa, cS, { weight: glorotUniform });
  return {
    linearQ: glorot(),
    linearK: glorot(),
    linearV: glorot(),
    linearB: linearShapes(H, cZ),
    linearOut: linearShapes(cS, H * cIpa, FINAL),
  };
}

/** Shapes of the transition's parameters. */
export function structureTransitionShapes({ cS, nTransition }: StructureConfig): ParamShapes {
  const layer = () => ({
    linear_1: linearShapes(cS, cS, RELU),
    linear_2: linearShapes(cS, cS, RELU),
    linear_3: linearShapes(cS, cS, FINAL),
  });
  return { layers: Array.from({ length: nTransition }, layer), layerNorm: layerNormShapes(cS) };
}

/** Shapes of the backbone update's parameters: a new one moves nothing. */
export function backboneUpdateShapes({ cS }: StructureConfig): ParamShapes {
  return { linear: linearShapes(6, cS, FINAL) };
}

/** Shapes of the parameters of the network for torsion angles. */
export function angleResnetShapes({ cS, cResnet, nResnetBlock }: StructureConfig): ParamShapes {
  const block = () => ({
    linear_1: linearShapes(cResnet, cResnet, RELU),
    linear_2: linearShapes(cResnet, cResnet, FINAL),
  });
  return {
    linearIn: linearShapes(cResnet, cS, DEFAULT),
    linearInitial: linearShapes(cResnet, cS, DEFAULT),
    layers: Array.from({ length: nResnetBlock }, block),
    linearOut: linearShapes(2 * TORSION_ANGLES, cResnet, DEFAULT),
  };
}

/** Shapes of the structure module's parameters. */
export function structureModuleShapes(config: StructureConfig): ParamShapes {
  const { cS, cZ, multimer } = config;
  const pointAttentionShapes = multimer ? multimerPointAttentionShapes : invariantPointAttentionShapes;
  return {
    layerNormS: layerNormShapes(cS),
    layerNormZ: layerNormShapes(cZ),
    linearIn: linearShapes(cS, cS, DEFAULT),
    ...(config.pointAttention ? { ipa: pointAttentionShapes(config) } : { attention: singleAttentionShapes(config) }),
    layerNormIpa: layerNormShapes(cS),
    transition: structureTransitionShapes(config),
    bbUpdate: backboneUpdateShapes(config),
    angleResnet: angleResnetShapes(config),
  };
}

/**
 * Fresh parameters. A new module moves no residue: what updates frames and representation starts at zero.
 *
 * Source: Jumper et al. (2021), Suppl. 1.11.4.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initStructureModule(device: Device, config: StructureConfig, key: Key): StructureModuleParams {
  return initParams(device, structureModuleShapes(config), key) as StructureModuleParams;
}

/**
 * The structure module's parameters from given numbers.
 *
 * @param find The numbers of the parameter at a path such as `ipa.linearQ.weight`.
 * @returns Owned by the current scope.
 */
export function loadStructureModule(
  device: Device,
  config: StructureConfig,
  find: (path: string, shape: Shape) => ArrayLike<number>,
): StructureModuleParams {
  return loadParams(device, structureModuleShapes(config), find) as StructureModuleParams;
}
