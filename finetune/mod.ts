/** Training: heads, adapters, optimizer, schedule, moving average, trainer, checkpoints. */
export {
  applyAverage,
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  encodeParameters,
  findParameter,
} from "./checkpoint.ts";
export { ExponentialMovingAverage } from "./ema.ts";
export * from "./evaluate_set.ts";
export * from "./fine_tuned.ts";
export * from "./fit.ts";
export * from "./fit_progress.ts";
export { FIT_DEFAULTS, type FitSettings, HALF_TYPES, type HalfType } from "./fit_settings.ts";
export type { HeadStandard, HeadStandardParams } from "./heads/head_standard.ts";
export * from "./heads/label_head.ts";
export * from "./heads/label_loss.ts";
export * from "./heads/tasks.ts";
export type { LabelledSet } from "./labelled_set.ts";
export * from "./lora.ts";
export * from "./metrics.ts";
export { labelRows } from "./_labels.ts";
export { packFrozen } from "./mixed_precision.ts";
export {
  globalNorm,
  type GroupReport,
  Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  type OptimizerStep,
  type ParameterGroup,
} from "./optimizer.ts";
export { decodePeft, encodePeft, loadPeft, type PeftAdapters, type PeftFiles } from "./peft.ts";
export { learningRateFactor, type Schedule, type ScheduleKind } from "./schedule.ts";
export { stackSamples } from "./stack_samples.ts";
export * from "./standardize.ts";
export * from "./strategies.ts";
export { type StepReport, Trainer, type TrainerOptions, type TrainerState } from "./trainer.ts";
