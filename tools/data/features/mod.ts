/**
 * AlphaFold's features, under its names, as plain arrays.
 *
 * @module
 */
export type { AtomInputs } from "./_check.ts";
export * from "./atom14.ts";
export * from "./chain.ts";
export * from "./clusters.ts";
export { type ChainPlace, placeChains } from "./complex/chain_places.ts";
export {
  type ChainInputs,
  type Complex,
  type ComplexFeatures,
  type ComplexOptions,
  makeComplexFeatures,
} from "./complex/complex_features.ts";
export {
  type ComplexDraws,
  type ComplexInputOptions,
  type ComplexInputs,
  jaxDraws,
  makeComplexInputs,
} from "./complex/complex_inputs.ts";
export * from "./complex/crop.ts";
export { type PairableMsa, type PairingOptions, pairRowsBySpecies } from "./complex/pair_rows.ts";
export * from "./frames.ts";
export * from "./masked_msa.ts";
export * from "./msa.ts";
export * from "./msa_feat.ts";
export * from "./network_inputs.ts";
export * from "./pseudo_beta.ts";
export * from "./template_feats.ts";
export * from "./templates.ts";
export * from "./torsions.ts";
export * from "./window.ts";
