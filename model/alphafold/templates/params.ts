import type { LinearParams } from "../../../ops/mod.ts";
import { type PairStackParams, pairStackShapes } from "../../evoformer/params.ts";
import type { AttentionParams } from "../../layers/cross_attention.ts";
import type { LayerNormParams } from "../../layers/layer_norm.ts";
import {
  constant,
  fanIn,
  glorotUniform,
  layerNormShapes,
  linearShapes,
  type ParamShapes,
} from "../../layers/params.ts";
import type { AlphaFoldConfig, TemplateConfig } from "../config.ts";

/** Two linear maps with a relu between them, weights `[c_m, 57]` and `[c_m, c_m]`. */
export type TemplateSingleEmbedderParams = { readonly linear_1: LinearParams; readonly linear_2: LinearParams };

/** Weight `[c_t, 88]`: of features of pairs. */
export type TemplatePairEmbedderParams = { readonly linear: LinearParams };

/** The stack, whose blocks are the pair halves of Evoformer blocks in another order. */
export type TemplatePairStackParams = {
  readonly blocks: readonly PairStackParams[];
  readonly layerNorm: LayerNormParams;
};

/** Attention of pairs to their templates, without a gate. */
export type TemplatePointwiseAttentionParams = { readonly mha: AttentionParams };

/** The template embedder, under OpenFold's names. */
export type TemplateEmbedderParams = {
  /** Absent where templates' angles are not read. */
  readonly templateSingleEmbedder?: TemplateSingleEmbedderParams;
  readonly templatePairEmbedder: TemplatePairEmbedderParams;
  readonly templatePairStack: TemplatePairStackParams;
  readonly templatePointwiseAtt: TemplatePointwiseAttentionParams;
};

/** Residue types of templates: 20, unknown, gap. */
export const TEMPLATE_TYPES = 22;

/** Features of a residue of a template: its type, sine and cosine of seven angles, the same of their others, masks. */
export const TEMPLATE_ANGLE_FEATURES: number = TEMPLATE_TYPES + 14 + 14 + 7;

/** Features of a pair: class of distance, C-betas known, type of j, type of i, direction (3), backbones known. */
export function templatePairFeatures({ bins }: Pick<TemplateConfig, "bins">): number {
  return bins + 1 + 2 * TEMPLATE_TYPES + 3 + 1;
}

const ZEROS = constant(0);
const RELU = { weight: fanIn(2), bias: ZEROS };
const GLOROT = { weight: glorotUniform };

/** Shapes of the parameters of the embedder of templates' angles. */
export function templateSingleEmbedderShapes(cM: number): ParamShapes {
  return { linear_1: linearShapes(cM, TEMPLATE_ANGLE_FEATURES, RELU), linear_2: linearShapes(cM, cM, RELU) };
}

/** Shapes of the parameters of the embedder of templates' pairs. */
export function templatePairEmbedderShapes(config: TemplateConfig): ParamShapes {
  return { linear: linearShapes(config.cT, templatePairFeatures(config), RELU) };
}

/** Shapes of the template stack's parameters. */
export function templatePairStackShapes(config: TemplateConfig, triangles = true): ParamShapes {
  const { cT: cZ, cHiddenTriMul: cHiddenMul, cHiddenTriAtt: cHiddenPairAtt, nHead: nHeadPair } = config;
  const { transitionN, fusedTriangles } = config;
  const block = () => {
    const shapes = pairStackShapes({
      ...{ cZ, cHiddenMul, cHiddenPairAtt, nHeadPair, transitionN, triangles, fusedTriangles },
    });
    const { triAttStart, triAttEnd, ...rest } = shapes;
    return { triAttStart, triAttEnd, ...rest };
  };
  return { blocks: Array.from({ length: config.nBlock }, block), layerNorm: layerNormShapes(cZ) };
}

/** Shapes of the parameters of pairs' attention to their templates. */
export function templatePointwiseAttentionShapes(config: TemplateConfig, cZ: number): ParamShapes {
  const { cT, cHiddenPointwise, nHeadPointwise } = config;
  const hidden = cHiddenPointwise * nHeadPointwise;
  return {
    mha: {
      linearQ: linearShapes(hidden, cZ, GLOROT),
      linearK: linearShapes(hidden, cT, GLOROT),
      linearV: linearShapes(hidden, cT, GLOROT),
      linearO: linearShapes(cZ, hidden, { weight: ZEROS, bias: ZEROS }),
    },
  };
}

/** Shapes of the template embedder's parameters. */
export function templateEmbedderShapes(
  { cM, cZ, ablations }: Pick<AlphaFoldConfig, "cM" | "cZ" | "ablations">,
  config: TemplateConfig,
): ParamShapes {
  return {
    ...(config.embedAngles && { templateSingleEmbedder: templateSingleEmbedderShapes(cM) }),
    templatePairEmbedder: templatePairEmbedderShapes(config),
    templatePairStack: templatePairStackShapes(config, ablations.triangles),
    templatePointwiseAtt: templatePointwiseAttentionShapes(config, cZ),
  };
}
