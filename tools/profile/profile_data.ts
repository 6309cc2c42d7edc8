/**
 * What `profile.json` holds: plain JSON, times in milliseconds, sizes in bytes; `null` where something is not known.
 *
 * @module
 */

import type { KernelChoice } from "../../ops/mod.ts";

/** How the kernels of a row are put together: by name, by module over all blocks, by exact place. */
export type Grouping = "kernel" | "module" | "place";

/** Kernels that belong together, over all profiled steps. */
export type KernelRow = {
  /** Name of the kernel; `*` where a row holds several. */
  kernel: string;
  /** Scopes without those of the way there and back; block numbers are `*` in rows by module, all is `*` by kernel. */
  place: string;
  /** `forward`, `backward`, `recompute` (the way there once more, for the way back), or empty outside of them. */
  phase: string;
  /** How often it ran. */
  count: number;
  /** Time of all runs. */
  totalMs: number;
  /** The fastest run. */
  minMs: number;
  /** The run in the middle. */
  medianMs: number;
  /** Part of the time of all kernels, 0 to 1. */
  share: number;
  /** Operations of all runs, two for a multiply-add. */
  flops: number | null;
  /** Size of the tensors read, all runs. */
  bytesRead: number;
  /** Size of the tensors written, all runs. */
  bytesWritten: number;
  /** Operations per nanosecond. */
  gflops: number | null;
  /** Bytes read and written per nanosecond. */
  gbs: number | null;
  /** Operations per byte. */
  intensity: number | null;
  /** Speed as a part of what the adapter's roofs allow at this intensity. */
  roofShare: number | null;
};

/** The most an adapter did in our probes. */
export type Roofs = {
  /** f32 multiply-adds, two operations each, per nanosecond. */
  gflops: number;
  /** Bytes read and written per nanosecond while copying. */
  gbs: number;
};

/** Tensors at the moment of most memory, by place. */
export type LiveRow = {
  /** Where they were made; empty: before the profile began. */
  place: string;
  /** Their size. */
  bytes: number;
  /** How many storages. */
  count: number;
};

/** What was looked at. */
export type ProfileParts = {
  /** Times of kernels. */
  kernels: boolean;
  /** Memory of tensors. */
  memory: boolean;
};

/** How far an output with 16-bit intermediates is from that with 32 bits, for random weights. */
export type StorageError = {
  /** Root mean square of the differences, as a part of that of the output. */
  relativeRms: number;
  /** The largest difference. */
  max: number;
  /** Root mean square of the output. */
  rms: number;
};

/** A whole profile, summarised. */
export type ProfileData = {
  /** Tells this file from others. */
  format: "denofold profile 1";
  /** ISO 8601. */
  created: string;
  /** Version of denofold. */
  version: string;
  /** What ran. */
  workload: string;
  /** Its sizes and choices. */
  settings: Record<string, string | number | boolean>;
  /** The adapter's name. */
  adapter: string;
  /** The kernels it was computed with; absent in profiles that do not say. */
  kernels?: KernelChoice;
  /** Where kernels' times come from; with `wall` they contain a submission and a wait each. */
  clock: "timestamps" | "wall" | "none";
  /** What was looked at; the rest is empty or 0. */
  parts: ProfileParts;
  /** Steps before the profile began. */
  warmup: number;
  /** Wall-clock time of each profiled step. */
  stepMs: number[];
  /** Wall-clock time of all. */
  wallMs: number;
  /** Time of all kernels. */
  gpuMs: number;
  /** The CPU's share. */
  host: { encodeMs: number; submitMs: number; submits: number; waitMs: number; waits: number };
  /** Pipelines made while profiling, slowest first. */
  compilations: { count: number; totalMs: number; slowest: { kernel: string; ms: number }[] };
  /** Kernels verified while profiling; the driver compiles many only then. */
  verifications?: { count: number; totalMs: number };
  /** Copies and fills between kernels, which no timestamp covers. */
  copies: { count: number; bytes: number };
  /** The adapter's measured roofs. */
  roofs: Roofs | null;
  /** Rows by each grouping, slowest first. */
  rows: { [G in Grouping]: KernelRow[] };
  /** Memory of tensors; `allocated` counts pooled buffers too. */
  memory: {
    startBytes: number;
    peakBytes: number;
    peakAllocatedBytes: number;
    curve: { atMs: number[]; liveBytes: number[]; allocatedBytes: number[] };
    atPeak: LiveRow[];
  };
  /** What 16-bit intermediates cost in accuracy, by output; left out with 32 bits. */
  storageError?: Record<string, StorageError>;
  /** Kernels of the last step: index into `rows.place`, begin (from that of the step's first), duration. */
  timeline: [place: number, startMs: number, ms: number][];
};
