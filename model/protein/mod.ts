/**
 * What is known of proteins: residues, atoms, rigid groups, chi angles, bounds, and the measures of structures. Facts and
 * arithmetic in float64; no device, no file.
 *
 * @module
 */
export * from "./atom_names.ts";
export { quaternionFromRotation } from "./frames.ts";
export * from "./metrics/mod.ts";
export * from "./residue_constants.ts";
export * from "./residue_geometry.ts";
export * from "./residues.ts";
