/**
 * AlphaFold's features, under its names, as plain arrays.
 *
 * @module
 */
export type { AtomInputs } from "./_check.ts";
export * from "./atom14.ts";
export * from "./chain.ts";
export * from "./clusters.ts";
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
