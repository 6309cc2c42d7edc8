/**
 * Networks and what they are measured by: one published algorithm a file, a folder for each system.
 *
 * @module
 */
export * from "./cross_trunk/mod.ts";
export * from "./layers/attention.ts";
export * from "./layers/layer_norm.ts";
export * from "./layers/transition.ts";
export * from "./tiny_openfold/mod.ts";
export * from "./weights/names.ts";
export * from "./weights/npy.ts";
export * from "./weights/safetensors.ts";
