/** Predicts what a model needs on an adapter, without running it. */
import { type AdapterTraits, Device, type KernelRun, Profiler } from "../../core/mod.ts";
import { setTuning, type Tuning } from "../../ops/mod.ts";
import { InputError } from "../errors.ts";
import type { KernelRow, LiveRow, ProfileData, Roofs } from "../profile/profile_data.ts";
import { memoryOf, moduleOf, roofMs } from "../profile/summarize.ts";
import { camelKeys } from "../words.ts";
import type { PlannedWorkload } from "./models.ts";

/** What a plan is made for. */
export interface PlanRequest {
  /** What would run. */
  readonly planned: PlannedWorkload;
  /** The adapter. */
  readonly traits: AdapterTraits;
  /** How it cuts matrix products. @default as usual for such an adapter */
  readonly tuning?: Tuning;
  /** Its measured roofs; null: no time is predicted. */
  readonly roofs: Roofs | null;
  /** Memory there is for it, in bytes. @default not known */
  readonly memoryBytes?: number;
  /** Kernels of a step above which it is not planned. @default 1,000,000 */
  readonly mostKernels?: number;
  /** A profile on this adapter, whose kernels' shares of the roofs are expected again. @default none */
  readonly like?: ProfileData;
  /** Version of denofold. */
  readonly version: string;
}

/** A kernel of the plan over one step. */
export type PlannedKernel = {
  /** Its name. */
  kernel: string;
  /** How often it runs. */
  count: number;
  /** Operations, two for a multiply-add. */
  flops: number | null;
  /** Bytes read and written at least. */
  bytes: number;
  /** The least time under the roofs; null without roofs. */
  roofMs: number | null;
};

/** What a model needs: plain JSON, times in milliseconds, sizes in bytes. */
export type Plan = {
  /** Tells this from other files. */
  format: "denofold plan 1";
  /** Version of denofold. */
  version: string;
  /** What would run. */
  workload: string;
  /** Its sizes and choices. */
  settings: Record<string, string | number | boolean>;
  /** The adapter. */
  adapter: string;
  /** Whether it fits the adapter's limits and the memory. */
  fits: boolean;
  /** Why it does not. */
  problems: string[];
  /** The adapter's limits, and the memory for it; null: not known. */
  limits: { bufferBytes: number; bindingBytes: number; memoryBytes: number | null };
  /** What tensors take at the peak; `allocated` counts pooled buffers and mirrors too. */
  memory: { peakBytes: number; peakAllocatedBytes: number; largestTensorBytes: number; atPeak: LiveRow[] };
  /** Sums of one step. */
  step: { kernels: number; flops: number; bytes: number; copiedBytes: number; pipelines: number };
  /** Time of a step: the least under the roofs, and what a profile makes likely; null where it cannot be told. */
  time: { roofMs: number | null; likelyMs: number | null };
  /** The measured roofs. */
  roofs: Roofs | null;
  /** Kernels of one step, most time (or operations) first. */
  kernels: readonly PlannedKernel[];
};

/**
 * Sends a model's steps through a device that does nothing, and counts.
 *
 * @throws {InputError} If the model cannot have such sizes, on any adapter, or a step has too many kernels to go through.
 */
export async function planModel(request: PlanRequest): Promise<Plan> {
  const { traits, roofs, memoryBytes, like, version } = request;
  const { maxBindingBytes, maxBufferBytes } = traits;
  const problems: string[] = [];
  let seen: Seen;
  try {
    seen = await goThrough(request, traits);
  } catch (error) {
    if (error instanceof TooManyKernels || !(error instanceof RangeError || error instanceof InputError)) throw error;
    seen = await goThrough(request, { ...traits, maxBindingBytes: Infinity, maxBufferBytes: Infinity });
    problems.push(error.message.replace(/ \(denofold plan .*\)$/, "")); // a limit, as it goes without
  }
  const { peakAllocatedBytes } = seen;
  if (memoryBytes !== undefined && peakAllocatedBytes > memoryBytes) {
    problems.push(`It needs ${gibibytes(peakAllocatedBytes)} of GPU memory, there are ${gibibytes(memoryBytes)}`);
  }
  const { memory, kernels } = seen;
  const sum = (of: (kernel: PlannedKernel) => number) => kernels.reduce((total, kernel) => total + of(kernel), 0);
  const { copiedBytes } = seen;
  const copyMs = roofs && roofMs({ flops: 0, bytes: 2 * copiedBytes }, roofs);
  return {
    format: "denofold plan 1",
    version,
    workload: request.planned.name,
    settings: camelKeys(request.planned.values),
    adapter: traits.description,
    fits: problems.length === 0,
    problems,
    limits: { bufferBytes: maxBufferBytes, bindingBytes: maxBindingBytes, memoryBytes: memoryBytes ?? null },
    memory: {
      peakBytes: memory.peakBytes,
      peakAllocatedBytes,
      largestTensorBytes: seen.largestTensorBytes,
      atPeak: byModule(memory.atPeak),
    },
    step: {
      kernels: sum(({ count }) => count),
      flops: sum(({ flops }) => flops ?? 0),
      bytes: sum(({ bytes }) => bytes),
      copiedBytes,
      pipelines: seen.pipelines,
    },
    time: {
      roofMs: copyMs === null ? null : sum(({ roofMs }) => roofMs ?? 0) + copyMs,
      likelyMs: copyMs === null || !like ? null : likelyMs(kernels, like) + copyMs,
    },
    roofs,
    kernels,
  };
}

/**
 * A plan; null where a step has too many kernels to go through.
 *
 * @throws {InputError} If the model cannot have such sizes, on any adapter.
 */
export async function planIfPossible(request: PlanRequest): Promise<Plan | null> {
  try {
    return await planModel(request);
  } catch (error) {
    if (error instanceof TooManyKernels) return null;
    throw error;
  }
}

/**
 * A second step is gone through if the first has fewer kernels: pooled buffers are then as in any later one. It makes up
 * to 4 % of a small model's peak, and nothing of a large one's.
 */
const MANY_KERNELS = 20_000;

/** A step with more kernels is not gone through: it would take minutes, and much of the CPU's own memory. */
const MOST_KERNELS = 1_000_000;

/** A step has too many kernels to go through one by one. */
class TooManyKernels extends InputError {}

interface Seen {
  readonly memory: ProfileData["memory"];
  readonly kernels: readonly PlannedKernel[];
  readonly copiedBytes: number;
  readonly pipelines: number;
  readonly peakAllocatedBytes: number;
  readonly largestTensorBytes: number;
}

async function goThrough(
  { planned: { name, workload, values }, tuning, roofs, mostKernels = MOST_KERNELS }: PlanRequest,
  traits: AdapterTraits,
): Promise<Seen> {
  const device = Device.dry(traits);
  if (tuning) setTuning(device, tuning);
  let kernels = new Map<string, PlannedKernel>(), count = 0;
  const profiler = Profiler.start(device, {
    onKernel(run) {
      if (++count > mostKernels) {
        throw new TooManyKernels(
          `Cannot plan ${name}: a step of these sizes has more than ${mostKernels.toLocaleString("en")} kernels; ` +
            "choose fewer blocks, residues or sequences",
        );
      }
      countKernel(kernels, run, roofs);
    },
  });
  using opened = workload.open(device, values);
  let steps = 0;
  do {
    [kernels, count] = [new Map(), 0];
    await opened.step();
    steps++;
  } while (steps < 2 && device.dispatches < MANY_KERNELS);
  const profile = await profiler.stop();
  return {
    memory: memoryOf(profile),
    kernels: [...kernels.values()].sort((a, b) => (b.roofMs ?? b.flops ?? 0) - (a.roofMs ?? a.flops ?? 0)),
    copiedBytes: Math.round(profile.copies.bytes / steps),
    pipelines: profile.host.filter(({ kind }) => kind === "compile").length,
    peakAllocatedBytes: device.memory.peakAllocatedBytes,
    largestTensorBytes: profile.memory.reduce((most, { bytes }) => Math.max(most, bytes), 0),
  };
}

function countKernel(kernels: Map<string, PlannedKernel>, run: KernelRun, roofs: Roofs | null): void {
  const { kernel, flops, bytesRead, bytesWritten } = run;
  let row = kernels.get(kernel);
  if (!row) kernels.set(kernel, row = { kernel, count: 0, flops: null, bytes: 0, roofMs: roofs && 0 });
  const bytes = bytesRead + bytesWritten;
  row.count++;
  row.bytes += bytes;
  if (flops !== null) row.flops = (row.flops ?? 0) + flops;
  if (row.roofMs !== null && roofs) row.roofMs += roofMs({ flops: flops ?? 0, bytes }, roofs);
}

/** Each kernel at the share of the roofs that it had in the profile; others at that of the whole profile. */
function likelyMs(kernels: readonly PlannedKernel[], { rows, gpuMs }: ProfileData): number {
  const ideal = (row: KernelRow) => row.totalMs * (row.roofShare ?? 0);
  const mean = rows.kernel.reduce((sum, row) => sum + ideal(row), 0) / gpuMs;
  const shares = new Map(rows.kernel.map((row) => [row.kernel, row.roofShare]));
  return kernels.reduce((sum, { kernel, roofMs }) => sum + (roofMs ?? 0) / (shares.get(kernel) || mean), 0);
}

function byModule(rows: readonly LiveRow[]): LiveRow[] {
  const found = new Map<string, LiveRow>();
  for (const { place: at, bytes, count } of rows) {
    const place = moduleOf(at);
    const row = found.get(place) ?? { place, bytes: 0, count: 0 };
    found.set(place, { place, bytes: row.bytes + bytes, count: row.count + count });
  }
  return [...found.values()].sort((a, b) => b.bytes - a.bytes);
}

/** Bytes as GiB. */
export function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
