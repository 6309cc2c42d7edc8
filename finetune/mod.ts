/** Training: heads, adapters, optimizer, schedule, moving average, trainer, checkpoints. */
export { applyAverage, type Checkpoint, decodeCheckpoint, encodeCheckpoint, findParameter } from "./checkpoint.ts";
export { ExponentialMovingAverage } from "./ema.ts";
export * from "./fine_tuned.ts";
export * from "./fit.ts";
export * from "./heads/label_head.ts";
export * from "./heads/label_loss.ts";
export * from "./heads/tasks.ts";
export * from "./lora.ts";
export * from "./metrics.ts";
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
export * from "./strategies.ts";
export { type StepReport, Trainer, type TrainerOptions, type TrainerState } from "./trainer.ts";
