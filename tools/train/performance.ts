/** Speed and memory of a run, in the reference recipe's words and fields. */
import { type StepRecord, wasSkipped } from "./history.ts";

/** A megabyte as the reference recipe counts it. */
export const MEGABYTE: number = 1024 * 1024;

/** Means over the recorded steps (of the loss, over those where it is finite), under the reference recipe's names; times in seconds. */
export type PerformanceSummary = {
  /** Samples of all recorded steps. */
  total_samples: number;
  /** Mean of the steps' samples per second. */
  avg_training_speed: number;
  /** Mean loss of all recorded steps; those where it is NaN or infinite are left out. */
  avg_loss: number;
  /** Loss of the last step whose loss is finite; null where there is none. */
  final_loss: number | null;
  /** Mean time of a step. */
  avg_batch_time: number;
  /** Mean time of the forward pass. */
  avg_forward_time: number;
  /** Mean time of the backward pass. */
  avg_backward_time: number;
  /** Mean time of the update. */
  avg_optimizer_time: number;
  /** The most GPU memory that was allocated at once. */
  peak_memory_mb: number;
  /** Mean of the GPU memory that was allocated after each step. */
  avg_memory_mb: number;
};

/** Summarises recorded steps; there must be at least one. */
export function summarize(history: readonly StepRecord[], batchSize: number): PerformanceSummary {
  const meanOf = (records: readonly StepRecord[], of: (record: StepRecord) => number) =>
    records.reduce((sum, r) => sum + of(r), 0) / records.length;
  const mean = (of: (record: StepRecord) => number) => meanOf(history, of);
  return {
    total_samples: history.length * batchSize,
    avg_training_speed: mean((record) => 1000 * batchSize / record.totalMs),
    avg_loss: meanOf(history.filter(({ loss }) => Number.isFinite(loss)), ({ loss }) => loss),
    final_loss: history.findLast(({ loss }) => Number.isFinite(loss))?.loss ?? null,
    avg_batch_time: mean((record) => record.totalMs) / 1000,
    avg_forward_time: mean((record) => record.forwardMs) / 1000,
    avg_backward_time: mean((record) => record.backwardMs) / 1000,
    avg_optimizer_time: mean((record) => record.optimizerMs) / 1000,
    peak_memory_mb: Math.max(...history.map((record) => record.peakBytes)) / MEGABYTE,
    avg_memory_mb: mean((record) => record.memoryBytes) / MEGABYTE,
  };
}

/** The line of a step. `Memory` is the GPU memory allocated after it; a step that was skipped says so. */
export function stepLine(record: StepRecord, numSteps: number, batchSize: number): string {
  const { step, loss, totalMs, memoryBytes } = record;
  const number = (value: number, decimals: number, width: number) => value.toFixed(decimals).padStart(width);
  return `Step ${`${step}`.padStart(3)}/${numSteps} | Loss: ${loss.toFixed(4)} | ` +
    `Speed: ${number(1000 * batchSize / totalMs, 1, 5)} samples/sec | ` +
    `Memory: ${number(memoryBytes / MEGABYTE, 1, 6)} MB | Time: ${number(totalMs, 1, 5)}ms` +
    (wasSkipped(record) ? ` | skipped (${record.skippedSteps} so far)${troubleText(record)}` : "");
}

function troubleText({ trouble }: StepRecord): string {
  return trouble === undefined ? "" : `: ${trouble}`;
}

/** The block at the end of a run. "Final loss" is the last step's; the reference recipe calls the mean so. */
export function performanceText(summary: PerformanceSummary): string {
  const ms = (seconds: number) => `${(1000 * seconds).toFixed(1)} ms`;
  return [
    "Performance Summary:",
    `   Total samples processed: ${summary.total_samples.toLocaleString("en")}`,
    `   Average training speed: ${summary.avg_training_speed.toFixed(1)} samples/sec`,
    `   Average batch time: ${ms(summary.avg_batch_time)}`,
    `   Average forward time: ${ms(summary.avg_forward_time)}`,
    `   Average backward time: ${ms(summary.avg_backward_time)}`,
    `   Average optimizer time: ${ms(summary.avg_optimizer_time)}`,
    `   Mean loss: ${summary.avg_loss.toFixed(4)}`,
    `   Final loss: ${summary.final_loss?.toFixed(4) ?? "not finite"}`,
    `   Peak memory usage: ${summary.peak_memory_mb.toFixed(1)} MB`,
  ].join("\n");
}

/** What {@link performanceJson} is made of. */
export interface PerformanceFile {
  /** The model's sizes by name. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Folder of the file, as the user named it. */
  readonly profileDir: string;
  /** The measures. */
  readonly summary: PerformanceSummary;
  /** Steps of the run. */
  readonly numSteps: number;
  /** Samples a step. */
  readonly batchSize: number;
  /** Base learning rate. */
  readonly learningRate: number;
  /** The adapter's name. */
  readonly adapter: string;
  /** Version of denofold. */
  readonly version: string;
  /** When the run ended. */
  readonly now: Date;
}

/** The text of `performance_summary.json`: the reference recipe's fields, versions of denofold and Deno in place of PyTorch's. */
export function performanceJson(file: PerformanceFile): string {
  const { now } = file;
  const iso = now.toISOString();
  const data = {
    version: `denofold ${file.version}`,
    timestamp: iso.slice(0, 19).replace(/[-:]/g, "").replace("T", "_"),
    config: file.sizes,
    profiler_config: {
      enable_pytorch_profiler: false,
      enable_memory_profiling: false,
      profile_operators: false,
      profile_dir: file.profileDir,
      sort_by: null,
      warmup_steps: 0,
      profile_steps: 0,
      export_chrome_trace: false,
      export_stacks: false,
    },
    performance_summary: file.summary,
    training_params: {
      num_steps: file.numSteps,
      batch_size: file.batchSize,
      learning_rate: file.learningRate,
      use_amp: false,
    },
    system_info: {
      device: "webgpu",
      gpu_name: file.adapter,
      denofold_version: file.version,
      deno_version: Deno.version.deno,
      timestamp_iso: iso,
    },
  };
  return `${JSON.stringify(data, undefined, 2)}\n`;
}
