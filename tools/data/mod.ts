/**
 * Structures, alignments, tables and AlphaFold's features: readers, writers and records, without what draws reports.
 *
 * @example Read a structure of any format and its chains
 * ```ts ignore
 * import { readStructure, selectChain } from "@denofold/denofold/data";
 *
 * const structure = await readStructure("1abc.cif.gz");
 * console.log(selectChain(structure, "A").sequence);
 * ```
 *
 * @module
 */
export * from "../errors.ts";
export * from "../prep/feature_file.ts";
export type { PreparedTarget } from "../prep/prepare_target.ts";
export type { TargetFeatures } from "../prep/target_features.ts";
export type { SourceFile } from "../prep/sources.ts";
export * from "./align_pair.ts";
export * from "./alignment.ts";
export * from "./bounds.ts";
export * from "./coevolution.ts";
export * from "./complex_a3m.ts";
export * from "./convert.ts";
export * from "./depth.ts";
export * from "./family.ts";
export * from "./fasta.ts";
export * from "./features/mod.ts";
export * from "./file_kind.ts";
export * from "./hhr.ts";
export * from "./hmmsearch.ts";
export { JaxKey } from "./jax_random.ts";
export * from "./matrix.ts";
export * from "./mmcif.ts";
export * from "./pdb.ts";
export type { Line } from "./_lines.ts";
export * from "./pdbbind.ts";
export * from "./place_chain.ts";
export * from "./read_alignment.ts";
export * from "./read_structure.ts";
export * from "./remarks.ts";
export * from "./structure.ts";
export * from "./structure_files.ts";
export * from "./synthetic.ts";
export * from "./table.ts";
export * from "./write_alignment.ts";
export * from "./write_hhr.ts";
export * from "./write_mmcif.ts";
export * from "./write_modelcif.ts";
export * from "./write_pdb.ts";
