/**
 * Files, reports and drivers: readers and writers of structures and alignments, the HTML report, the choice of adapter.
 *
 * @module
 */
export * from "./data/alignment.ts";
export * from "./data/family.ts";
export * from "./data/fasta.ts";
export * from "./data/features/mod.ts";
export * from "./data/hhr.ts";
export * from "./data/matrix.ts";
export * from "./data/mmcif.ts";
export * from "./data/pdb.ts";
export * from "./data/read_alignment.ts";
export * from "./data/read_structure.ts";
export * from "./data/residue_constants.ts";
export * from "./data/residues.ts";
export * from "./data/structure.ts";
export * from "./data/synthetic.ts";
export * from "./data/write_mmcif.ts";
export * from "./data/write_pdb.ts";
export * from "./errors.ts";
export * from "./fold/baselines.ts";
export * from "./fold/evaluate.ts";
export * from "./fold/features.ts";
export * from "./fold/fold.ts";
export * from "./fold/predict.ts";
export * from "./fold/report_target.ts";
export * from "./fold/scale.ts";
export * from "./fold/write_fold.ts";
export * from "./platform/driver.ts";
export * from "./report/report.ts";
