import type { Device, Key, Shape } from "../../../core/mod.ts";
import type { LinearParams } from "../../../ops/mod.ts";
import type { LayerNormParams } from "../../layers/layer_norm.ts";
import {
  constant,
  fanIn,
  initParams,
  layerNormShapes,
  linearShapes,
  loadParams,
  type ParamShapes,
} from "../../layers/params.ts";
import { ATOM_SLOTS } from "../../protein/residues.ts";
import type { HeadsConfig } from "./config.ts";

/** The pLDDT head: two hidden layers. */
export type PlddtHeadParams = {
  readonly layerNorm: LayerNormParams;
  readonly linear_1: LinearParams;
  readonly linear_2: LinearParams;
  readonly linear_3: LinearParams;
};

/** A head of one linear map. */
export type LinearHeadParams = { readonly linear: LinearParams };

/** All heads, under OpenFold's names. */
export type HeadsParams = {
  readonly plddt: PlddtHeadParams;
  readonly distogram: LinearHeadParams;
  readonly maskedMsa: LinearHeadParams;
  readonly experimentallyResolved: LinearHeadParams;
  /** Absent in the models without pTM. */
  readonly tm?: LinearHeadParams;
};

const RELU = { weight: fanIn(2), bias: constant(0) };
/** What ends in logits starts with equal probabilities. */
const FINAL = { weight: constant(0), bias: constant(0) };

/** Shapes of the heads' parameters. */
export function headsShapes(config: HeadsConfig): ParamShapes {
  const { cM, cZ, cS, plddtBins, plddtHidden, distogramBins, msaClasses, tm, tmBins } = config;
  const head = (out: number, c: number) => ({ linear: linearShapes(out, c, FINAL) });
  return {
    plddt: {
      layerNorm: layerNormShapes(cS),
      linear_1: linearShapes(plddtHidden, cS, RELU),
      linear_2: linearShapes(plddtHidden, plddtHidden, RELU),
      linear_3: linearShapes(plddtBins, plddtHidden, FINAL),
    },
    distogram: head(distogramBins, cZ),
    maskedMsa: head(msaClasses, cM),
    experimentallyResolved: head(ATOM_SLOTS, cS),
    ...(tm && { tm: head(tmBins, cZ) }),
  };
}

/**
 * Fresh parameters: every head starts with equal probabilities.
 *
 * Source: Jumper et al. (2021), Suppl. 1.11.4.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initHeads(device: Device, config: HeadsConfig, key: Key): HeadsParams {
  return initParams(device, headsShapes(config), key) as HeadsParams;
}

/**
 * The heads' parameters from given numbers.
 *
 * @param find The numbers of the parameter at a path such as `plddt.linear_1.weight`.
 * @returns Owned by the current scope.
 */
export function loadHeads(
  device: Device,
  config: HeadsConfig,
  find: (path: string, shape: Shape) => ArrayLike<number>,
): HeadsParams {
  return loadParams(device, headsShapes(config), find) as HeadsParams;
}
