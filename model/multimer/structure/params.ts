import type { Tensor } from "../../../core/mod.ts";
import type { LinearParams } from "../../../ops/mod.ts";
import type { StructureConfig } from "../../alphafold/structure/config.ts";
import { constant, linearShapes, ParamShape, type ParamShapes } from "../../layers/params.ts";

/** Invariant point attention of AlphaFold-Multimer; H heads, C channels, P points of queries and keys, V of values. */
export type MultimerPointAttentionParams = {
  /** What softplus makes the weights of points of, `[H]`. */
  readonly headWeights: Tensor;
  /** Weights `[H C, c_s]`, without biases. */
  readonly linearQ: LinearParams;
  readonly linearK: LinearParams;
  readonly linearV: LinearParams;
  /** Weight `[3 H P, c_s]`: for each head all x, then all y, then all z. */
  readonly linearQPoints: { readonly linear: LinearParams };
  readonly linearKPoints: { readonly linear: LinearParams };
  /** Weight `[3 H V, c_s]`. */
  readonly linearVPoints: { readonly linear: LinearParams };
  /** Weight `[H, c_z]`. */
  readonly linearB: LinearParams;
  /** Weight `[c_s, H (C + 4 V + c_z)]`. */
  readonly linearOut: LinearParams;
};

const DEFAULT = { bias: constant(0) };
/** The inverse of softplus at 1. */
const SOFTPLUS_TO_ONE = Math.log(Math.E - 1);

/** Shapes of the parameters of invariant point attention. */
export function multimerPointAttentionShapes(config: StructureConfig): ParamShapes {
  const { cS, cZ, cIpa, nHeadIpa: H, nQkPoints, nVPoints } = config;
  const points = (count: number) => ({ linear: linearShapes(3 * H * count, cS, DEFAULT) });
  return {
    headWeights: new ParamShape([H], constant(SOFTPLUS_TO_ONE)),
    linearQ: linearShapes(H * cIpa, cS),
    linearK: linearShapes(H * cIpa, cS),
    linearV: linearShapes(H * cIpa, cS),
    linearQPoints: points(nQkPoints),
    linearKPoints: points(nQkPoints),
    linearVPoints: points(nVPoints),
    linearB: linearShapes(H, cZ, DEFAULT),
    linearOut: linearShapes(cS, H * (cIpa + 4 * nVPoints + cZ), { weight: constant(0), bias: constant(0) }),
  };
}
