import type { Device, Key, Shape } from "../../core/mod.ts";
import {
  evoformerShapes,
  type EvoformerStackParams,
  extraMsaShapes,
  type ExtraMsaStackParams,
} from "../evoformer/params.ts";
import { countParams, initParams, loadParams, type ParamShapes } from "../layers/params.ts";
import type { AlphaFoldConfig } from "./config.ts";
import {
  type ExtraMsaEmbedderParams,
  extraMsaEmbedderShapes,
  type InputEmbedderParams,
  inputEmbedderShapes,
  type RecyclingEmbedderParams,
  recyclingEmbedderShapes,
} from "./embedders/params.ts";
import { type MultimerTemplateEmbedderParams, multimerTemplateEmbedderShapes } from "../multimer/templates/params.ts";
import { type HeadsParams, headsShapes } from "./heads/params.ts";
import { type StructureModuleParams, structureModuleShapes } from "./structure/params.ts";
import { type TemplateEmbedderParams, templateEmbedderShapes } from "./templates/params.ts";

/** The whole network, under OpenFold's names. */
export type AlphaFoldParams = {
  readonly inputEmbedder: InputEmbedderParams;
  readonly recyclingEmbedder: RecyclingEmbedderParams;
  /** Absent where no templates are read. */
  readonly templateEmbedder?: TemplateEmbedderParams | MultimerTemplateEmbedderParams;
  /** Absent, as the stack, where the alignment's rows are not read. */
  readonly extraMsaEmbedder?: ExtraMsaEmbedderParams;
  readonly extraMsaStack?: ExtraMsaStackParams;
  readonly evoformer: EvoformerStackParams;
  readonly structureModule: StructureModuleParams;
  readonly auxHeads: HeadsParams;
};

/**
 * Shapes of all parameters. Paths in snake case are the names in OpenFold's state dict.
 *
 * @example
 * ```ts
 * import { alphafoldConfig, alphafoldShapes, shapesByPath, snakeCase } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const shapes = shapesByPath(alphafoldShapes(alphafoldConfig("model_1_ptm")));
 * const names = new Map([...shapes].map(([path, shape]) => [snakeCase(path), shape]));
 * assert.deepEqual(names.get("evoformer.blocks.47.outer_product_mean.linear_out.weight"), [128, 1024]);
 * ```
 */
export function alphafoldShapes(config: AlphaFoldConfig): ParamShapes {
  const { templates, extraMsa, evoformer, structure, heads, embedders, multimer } = config;
  const ofTemplates = multimer ? multimerTemplateEmbedderShapes : templateEmbedderShapes;
  return {
    inputEmbedder: inputEmbedderShapes(config),
    recyclingEmbedder: recyclingEmbedderShapes(config),
    ...(templates && { templateEmbedder: ofTemplates(config, templates) }),
    ...(extraMsa && {
      extraMsaEmbedder: extraMsaEmbedderShapes(extraMsa.cM, embedders.extraMsaChannels),
      extraMsaStack: extraMsaShapes(extraMsa),
    }),
    evoformer: evoformerShapes(evoformer),
    structureModule: structureModuleShapes(structure),
    auxHeads: headsShapes(heads),
  };
}

/** Number of parameters: 93,237,338 of `model_1_ptm`, 93,223,705 of `model_1_multimer_v3`. */
export function alphafoldParameterCount(config: AlphaFoldConfig): number {
  return countParams(alphafoldShapes(config));
}

/**
 * Fresh parameters, as the published model's began: what modules add starts at zero, gates open, logits equal.
 *
 * Source: Jumper et al. (2021), Suppl. 1.11.4.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initAlphaFold(device: Device, config: AlphaFoldConfig, key: Key): AlphaFoldParams {
  return initParams(device, alphafoldShapes(config), key) as AlphaFoldParams;
}

/**
 * Parameters from given numbers.
 *
 * @param find The numbers of the parameter at a path such as `evoformer.blocks.0.msaAttRow.mha.linearQ.weight`.
 * @returns Owned by the current scope.
 */
export function loadAlphaFold(
  device: Device,
  config: AlphaFoldConfig,
  find: (path: string, shape: Shape) => ArrayLike<number>,
): AlphaFoldParams {
  return loadParams(device, alphafoldShapes(config), find) as AlphaFoldParams;
}
