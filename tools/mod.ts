/**
 * Files, reports and drivers: readers and writers of structures and alignments, preparation of features, search and
 * splitting, the HTML reports, the choice of adapter.
 *
 * @module
 */
export * from "./align/align_sequences.ts";
export * from "./align/collect_sequences.ts";
export * from "./attention/attention_model.ts";
export * from "./attention/capture.ts";
export * from "./attention/hamming.ts";
export * from "./attention/ward.ts";
export * from "./check_data/check_data.ts";
export * from "./check_data/distribution.ts";
export * from "./data/mod.ts";
export { FineTuned, type FineTunedLoadOptions, type LabelPrediction } from "./finetune/fine_tuned.ts";
export type { FinetuneFacts } from "./finetune/checkpoint.ts";
export { type LabelTask, type LearnedTasks, TASK_KINDS, type TaskKind } from "./finetune/label_tasks.ts";
export type { FinetuneOptions } from "./finetune/options.ts";
export type { TaskPrediction } from "./finetune/task_outcome.ts";
export * from "./fold/baselines.ts";
export type { DistanceModel } from "./fold/distance_model.ts";
export * from "./fold/evaluate.ts";
export * from "./fold/features.ts";
export * from "./fold/find_row.ts";
export * from "./fold/fold.ts";
export * from "./fold/predict.ts";
export * from "./fold/report_target.ts";
export * from "./fold/scale.ts";
export * from "./fold/write_fold.ts";
export * from "./inspect/html.ts";
export * from "./inspect/inspect.ts";
export * from "./inspect/inspection.ts";
export * from "./platform/driver.ts";
export { prepareEnvironment, vectorWidth } from "./platform/environment.ts";
export type { VectorWidth, WidthTimes } from "./platform/vector_width.ts";
export type { PlannedModel } from "./predict/planned_model.ts";
export * from "./prep/collect_targets.ts";
export * from "./prep/list_targets.ts";
export * from "./prep/manifest.ts";
export * from "./prep/prep.ts";
export * from "./prep/prepare_job.ts";
export * from "./prep/prepare_target.ts";
export * from "./prep/read_target.ts";
export * from "./prep/sources.ts";
export * from "./report/report.ts";
export * from "./score/score.ts";
export type { Pairing } from "./score/pair_residues.ts";
export * from "./search/msa_server.ts";
export * from "./search/program.ts";
export * from "./search/search_files.ts";
export * from "./search/search_msa.ts";
export * from "./search/search_templates.ts";
export * from "./split/cluster_records.ts";
export * from "./split/clusters.ts";
export * from "./split/identity.ts";
export * from "./split/records.ts";
export * from "./split/split.ts";
export { openArchive } from "./weights/archive.ts";
export * from "./weights/compare_weights.ts";
export * from "./weights/convert_weights.ts";
export * from "./weights/download.ts";
export * from "./weights/open_weights.ts";
export * from "./weights/published.ts";
export * from "./weights/write_weights.ts";
