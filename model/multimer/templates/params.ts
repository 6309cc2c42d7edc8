import type { LinearParams } from "../../../ops/mod.ts";
import type { AlphaFoldConfig, TemplateConfig } from "../../alphafold/config.ts";
import {
  TEMPLATE_TYPES,
  type TemplatePairStackParams,
  templatePairStackShapes,
} from "../../alphafold/templates/params.ts";
import type { LayerNormParams } from "../../layers/layer_norm.ts";
import { constant, fanIn, layerNormShapes, linearShapes, type ParamShapes } from "../../layers/params.ts";

/** What embeds templates' pairs: a linear map of each kind of feature, each with a bias. */
export type MultimerTemplatePairEmbedderParams = {
  /** Weight `[c_t, 39]`: class of distance between C-betas. */
  readonly dgramLinear: LinearParams;
  /** Weight `[c_t, 1]`: both C-betas are known. */
  readonly pseudoBetaMaskLinear: LinearParams;
  /** Weight `[c_t, 22]`: residue type of j. */
  readonly aatypeLinear_1: LinearParams;
  /** Weight `[c_t, 22]`: residue type of i. */
  readonly aatypeLinear_2: LinearParams;
  /** Weights `[c_t, 1]`: direction from i to j in i's frame. */
  readonly xLinear: LinearParams;
  readonly yLinear: LinearParams;
  readonly zLinear: LinearParams;
  /** Weight `[c_t, 1]`: both backbones are known. */
  readonly backboneMaskLinear: LinearParams;
  readonly queryEmbeddingLayerNorm: LayerNormParams;
  /** Weight `[c_t, c_z]`: the pair representation. */
  readonly queryEmbeddingLinear: LinearParams;
};

/** Two linear maps with a relu between them, weights `[c_m, 34]` and `[c_m, c_m]`. */
export type MultimerTemplateSingleEmbedderParams = {
  readonly templateSingleEmbedder: LinearParams;
  readonly templateProjector: LinearParams;
};

/** The template embedder of AlphaFold-Multimer, under OpenFold's names. */
export type MultimerTemplateEmbedderParams = {
  readonly templatePairEmbedder: MultimerTemplatePairEmbedderParams;
  /** Absent where templates' angles are not read. */
  readonly templateSingleEmbedder?: MultimerTemplateSingleEmbedderParams;
  readonly templatePairStack: TemplatePairStackParams;
  /** Weight `[c_z, c_t]`: of the mean over templates. */
  readonly linearT: LinearParams;
};

/** Features of a residue of a template: its type, sine and cosine of four side-chain angles, their masks. */
export const MULTIMER_TEMPLATE_ANGLE_FEATURES: number = TEMPLATE_TYPES + 4 + 4 + 4;

const RELU = { weight: fanIn(2), bias: constant(0) };
const DEFAULT = { bias: constant(0) };

/** Shapes of the parameters of the embedder of templates' pairs. */
export function multimerTemplatePairEmbedderShapes({ cT, bins }: TemplateConfig, cZ: number): ParamShapes {
  const one = () => linearShapes(cT, 1, RELU);
  return {
    dgramLinear: linearShapes(cT, bins, RELU),
    pseudoBetaMaskLinear: one(),
    aatypeLinear_1: linearShapes(cT, TEMPLATE_TYPES, RELU),
    aatypeLinear_2: linearShapes(cT, TEMPLATE_TYPES, RELU),
    xLinear: one(),
    yLinear: one(),
    zLinear: one(),
    backboneMaskLinear: one(),
    queryEmbeddingLayerNorm: layerNormShapes(cZ),
    queryEmbeddingLinear: linearShapes(cT, cZ, RELU),
  };
}

/** Shapes of the parameters of the embedder of templates' angles. */
export function multimerTemplateSingleEmbedderShapes(cM: number): ParamShapes {
  return {
    templateSingleEmbedder: linearShapes(cM, MULTIMER_TEMPLATE_ANGLE_FEATURES, RELU),
    templateProjector: linearShapes(cM, cM, DEFAULT),
  };
}

/** Shapes of the template embedder's parameters. */
export function multimerTemplateEmbedderShapes(
  { cM, cZ, ablations }: Pick<AlphaFoldConfig, "cM" | "cZ" | "ablations">,
  config: TemplateConfig,
): ParamShapes {
  return {
    templatePairEmbedder: multimerTemplatePairEmbedderShapes(config, cZ),
    ...(config.embedAngles && { templateSingleEmbedder: multimerTemplateSingleEmbedderShapes(cM) }),
    templatePairStack: templatePairStackShapes(config, ablations.triangles),
    linearT: linearShapes(cZ, config.cT, DEFAULT),
  };
}
