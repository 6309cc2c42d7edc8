import type { LinearParams } from "../../../ops/mod.ts";
import type { LayerNormParams } from "../../layers/layer_norm.ts";
import { constant, layerNormShapes, linearShapes, type ParamShapes } from "../../layers/params.ts";
import { relativeFeatures } from "../../multimer/config.ts";
import type { AlphaFoldConfig } from "../config.ts";

/** What the features of the target and of its clusters are embedded with, under OpenFold's names. */
export type InputEmbedderParams = {
  /** Weight `[c_z, 22]`: of the first residue of a pair. */
  readonly linearTfZI: LinearParams;
  /** Weight `[c_z, 22]`: of the second. */
  readonly linearTfZJ: LinearParams;
  /** Weight `[c_m, 22]` */
  readonly linearTfM: LinearParams;
  /** Weight `[c_m, 49]` */
  readonly linearMsaM: LinearParams;
  /** Weight `[c_z, 65]`: a column for each distance along the chain; `[c_z, 73]` in a complex, see `relativeEncoding`. */
  readonly linearRelpos: LinearParams;
};

/** What the last iteration's representations are embedded with. */
export type RecyclingEmbedderParams = {
  /** Weight `[c_z, 15]`: a column for each class of distance. */
  readonly linear: LinearParams;
  readonly layerNormM: LayerNormParams;
  readonly layerNormZ: LayerNormParams;
};

/** What rows of the extra MSA are embedded with, weight `[c_e, 25]`. */
export type ExtraMsaEmbedderParams = { readonly linear: LinearParams };

const DEFAULT = { bias: constant(0) };

/** Shapes of the input embedder's parameters. */
export function inputEmbedderShapes({ cM, cZ, embedders, multimer }: AlphaFoldConfig): ParamShapes {
  const { targetChannels, msaChannels, maxRelativePosition } = embedders;
  const positions = multimer
    ? relativeFeatures(maxRelativePosition, multimer.maxRelativeChain)
    : 2 * maxRelativePosition + 1;
  return {
    linearTfZI: linearShapes(cZ, targetChannels, DEFAULT),
    linearTfZJ: linearShapes(cZ, targetChannels, DEFAULT),
    linearTfM: linearShapes(cM, targetChannels, DEFAULT),
    linearMsaM: linearShapes(cM, msaChannels, DEFAULT),
    linearRelpos: linearShapes(cZ, positions, DEFAULT),
  };
}

/** Shapes of the recycling embedder's parameters. */
export function recyclingEmbedderShapes({ cM, cZ, recycling }: AlphaFoldConfig): ParamShapes {
  return {
    linear: linearShapes(cZ, recycling.bins, DEFAULT),
    layerNormM: layerNormShapes(cM),
    layerNormZ: layerNormShapes(cZ),
  };
}

/** Shapes of the extra-MSA embedder's parameters. */
export function extraMsaEmbedderShapes(cExtra: number, extraMsaChannels: number): ParamShapes {
  return { linear: linearShapes(cExtra, extraMsaChannels, DEFAULT) };
}
