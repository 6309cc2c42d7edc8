/** The part of `performance_summary.json` that tells how a run was profiled. */
import type { ProfileData } from "./profile_data.ts";

/** What {@linkcode withProfiler} notes. */
export interface ProfilerNote {
  /** Folder of the profile. */
  readonly folder: string;
  /** Order of the table. */
  readonly sortBy: string;
  /** The profile. */
  readonly data: ProfileData;
}

/**
 * A performance summary with what the profiler did, under the reference recipe's names as far as they fit.
 *
 * @param text The summary as training writes it.
 */
export function withProfiler(text: string, { folder, sortBy, data }: ProfilerNote): string {
  const summary: Record<string, unknown> = JSON.parse(text);
  summary.profiler_config = {
    enable_pytorch_profiler: data.parts.kernels, // the reference recipe's name of the field
    enable_memory_profiling: data.parts.memory,
    profile_operators: data.parts.kernels,
    profile_dir: folder,
    sort_by: sortBy,
    warmup_steps: data.warmup,
    profile_steps: data.stepMs.length,
    export_chrome_trace: true,
    export_stacks: false,
  };
  return `${JSON.stringify(summary, undefined, 2)}\n`;
}
