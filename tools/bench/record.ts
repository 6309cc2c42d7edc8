import type { Roofs } from "../profile/profile_data.ts";
import type { BlockPeer } from "./block_peers.ts";
import type { Times } from "./measure.ts";
import type { KernelShare } from "./products.ts";

/** What one of several peers measured, or why it did not. */
export interface PeerResult {
  /** As it is chosen on the command line. */
  readonly name: string;
  readonly kind: BlockPeer["kind"];
  /** Name, version and device. */
  readonly engine: string;
  readonly dtype: string;
  readonly ms_min?: number;
  readonly ms_median?: number;
  /** Our shortest time over its. */
  readonly ratio?: number;
  readonly checksum?: readonly number[];
  /** Whether its checksum is the same as ours up to rounding; judged in f32 alone. */
  readonly agrees?: boolean;
  readonly failure?: string;
}

/** What a number should reach. */
export interface Bar {
  /** What is measured, such as "GF/cpu-s". */
  readonly what: string;
  readonly value: number;
  /** At least this; one of `least` and `most` is given. */
  readonly least?: number;
  /** At most this. */
  readonly most?: number;
  /** Whether it is judged on an idle machine alone: a wall-clock time, or a ratio of two. */
  readonly idle?: true;
  /** Null where the machine was too busy to say. */
  readonly met: boolean | null;
}

/** What a workload measured. Fields are as they stand in the JSON lines. */
export interface Measurement {
  readonly workload: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly dtype: "f32" | "f64" | "text";
  readonly mode: string;
  /** Wall-clock time; null where the record is not about time. */
  readonly ms_min: number | null;
  readonly ms_median: number | null;
  /** Floating-point operations of the matrix products (2 per multiply-add) over the shortest time, in 10⁹ a second. */
  readonly gflops: number | null;
  /** The same over the process's CPU time; null where the adapter does not compute on the CPU. */
  readonly gflops_per_cpu_s: number | null;
  /** Most bytes of GPU buffers at once. */
  readonly peak_bytes: number | null;
  /** Most memory of a process that does this, beyond one that does not; null where the system does not tell. */
  readonly host_peak_bytes?: number | null;
  /** Least CPU time of the process, all threads added. */
  readonly cpu_ms_min?: number;
  readonly repeats?: number;
  readonly samples_per_s?: number;
  readonly mb_per_s?: number;
  /** Parameters, moments, gradients and saved activations: what a training step cannot do without. */
  readonly counted_bytes?: number;
  /** Parameters, moments and gradients alone. */
  readonly parameter_bytes?: number;
  /** Activations kept for the backward pass alone. */
  readonly saved_bytes?: number;
  /** Smallest and largest relative difference of a step's loss from that in f32. */
  readonly loss_error?: readonly [number, number];
  /** Smallest and largest distance of a step's gradient from that in f32, in parts of its length. */
  readonly gradient_error?: readonly [number, number];
  /** Times the CPU waits for the GPU in one training step. */
  readonly awaits_per_step?: number;
  readonly losses?: readonly number[];
  readonly checksum?: readonly number[];
  /** Name, version and device of what is compared with. */
  readonly peer?: string;
  readonly peer_ms_min?: number;
  /** ms_min over the peer's. */
  readonly ratio?: number;
  /** Whether the peer's checksum or losses, or those of all peers, are the same up to rounding. */
  readonly agrees?: boolean;
  /** Where there are several. */
  readonly peers?: readonly PeerResult[];
  /** What the adapter was measured to do in this run. */
  readonly roofs?: Roofs;
  /**
   * Of a block's outputs (of its inputs' gradients, on the way back) computed on matrix units: smallest and largest distance
   * from those computed without, in parts of their length.
   */
  readonly unit_error?: readonly [number, number];
  /** Speed of all matrix products of the block, of the measured multiply-add rate. */
  readonly product_share?: number;
  /** What an op is set against: the adapter's rate of multiply-adds, or that of copies. */
  readonly roof?: "operations" | "bytes";
  /** What its working kernels reach of it together. */
  readonly roof_share?: number;
  /** Each kernel's part, slowest first. */
  readonly kernels?: readonly KernelShare[];
  /** Of a cold start: from the first kernel to the first output. */
  readonly first_forward_ms?: number;
  readonly bars?: readonly Bar[];
}

/** A measurement with what it was made on: one JSON line. */
export type BenchRecord =
  & {
    readonly engine: string;
    readonly adapter: string;
  }
  & Measurement
  & {
    /** Processes that wanted the processor in the last minute, before and after the workload. */
    readonly load_before: number;
    readonly load_after: number;
    /** Processors that other programs kept busy meanwhile; null where the system does not say. */
    readonly others: number | null;
    /** Whether other programs took part of the processors. */
    readonly busy: boolean;
  };

/** A bar of at least `least`. */
export function atLeast(what: string, value: number, least: number): Bar {
  return { what, value, least, met: value >= least };
}

/** A bar of at most `most`. */
export function atMost(what: string, value: number, most: number): Bar {
  return { what, value, most, met: value <= most };
}

/** The bar, to be judged on an idle machine alone. */
export function onIdleMachine(bar: Bar): Bar {
  return { ...bar, idle: true };
}

/** The bars as a machine in this state lets them be judged. */
export function judge(bars: readonly Bar[], busy: boolean): Bar[] {
  return bars.map((bar) => busy && bar.idle ? { ...bar, met: null } : bar);
}

/** The fields of a measurement that follow from its times. */
export function timeFields(
  times: Times,
  { flops, software }: { flops?: number; software: boolean },
): Pick<Measurement, "ms_min" | "ms_median" | "gflops" | "gflops_per_cpu_s" | "cpu_ms_min" | "repeats"> {
  const rate = (ms: number) => flops ? round(flops / ms / 1e6) : null;
  return {
    ms_min: round(times.msMin),
    ms_median: round(times.msMedian),
    gflops: rate(times.msMin),
    gflops_per_cpu_s: software ? rate(times.cpuMsMin) : null,
    cpu_ms_min: round(times.cpuMsMin),
    repeats: times.repeats,
  };
}

/** Four digits, which is more than a measurement is worth. */
export function round(value: number): number {
  return Number(value.toPrecision(4));
}
