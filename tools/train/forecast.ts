/** What a run will take, told before it begins. */
import config from "../../deno.json" with { type: "json" };
import type { Device, Tensor, Tree } from "../../core/mod.ts";
import { tuningOf } from "../../ops/mod.ts";
import { TRAINABLE } from "../networks/mod.ts";
import { flagOf, plannedWorkload } from "../plan/models.ts";
import { gibibytes, type Plan, planIfPossible } from "../plan/plan.ts";
import type { Roofs } from "../profile/profile_data.ts";
import { cachedRoofs } from "../profile/roofs.ts";
import { constantBatch, openSession } from "../profile/workloads/train_step.ts";
import type { Workload } from "../profile/workloads/workload.ts";
import { checkFits } from "./check_fits.ts";
import { type RunData, trainDataOf } from "./data.ts";
import type { Learning } from "./network.ts";
import { duration } from "./run_facts.ts";
import type { TrainSettings } from "./settings.ts";

/** Time and memory of a run, by planning a step of its largest batch. */
export interface Forecast {
  /** GPU memory at the peak, in bytes. */
  readonly peakBytes: number;
  /** Least time of a step under the adapter's roofs, in s; null where these cannot be measured. */
  readonly stepSeconds: number | null;
  /** The same of all steps that are left. */
  readonly seconds: number | null;
  /** Why it does not fit; empty where it does. */
  readonly problems: readonly string[];
  /** Changes that make a step quicker, with the part of its operations that is left. */
  readonly quicker: readonly { readonly flags: string; readonly part: number }[];
}

/** Runs shorter than this need no advice, in s. */
const SHORT = 60;

/**
 * Plans a run.
 *
 * @param steps Steps that are left.
 * @returns undefined where the network cannot be planned in these sizes.
 * @throws {InputError} If the adapter cannot hold a batch of noise.
 */
export async function forecastRun(
  device: Device,
  settings: TrainSettings,
  data: RunData | undefined,
  steps: number,
): Promise<Forecast | undefined> {
  const { model, training } = settings;
  const name = Object.keys(TRAINABLE).find((name) => TRAINABLE[name].model.network === model.network);
  if (name === undefined) return undefined;
  if (!data) checkFits(device, ...TRAINABLE[name].noiseShapes(settings));
  const examples = [...data?.examples ?? [], ...data?.validation ?? []];
  const sizes: Record<string, number | boolean> & { nRes: number; nSeq: number; batch: number } = {
    nRes: examples.length > 0 ? Math.max(...examples.map(({ sequence }) => sequence.length)) : model.seqLen,
    nSeq: Math.min(model.numSeqs, ...(examples.length > 0 ? [Math.max(...examples.map(({ depth }) => depth))] : [])),
    batch: training.batchSize,
    ...TRAINABLE[name].planSizes(model),
  };
  const roofs = await cachedRoofs(device);
  if (data && TRAINABLE[name].own) {
    const learning = await TRAINABLE[name].open(settings, trainDataOf(data));
    if (learning.planned) return await forecastSamples(device, settings, learning, roofs, steps);
  }
  const plan = (changed: Partial<typeof sizes> = {}): Promise<Plan | null> => {
    const all = Object.entries({ ...sizes, ...changed });
    const own = Object.fromEntries(all.filter(([size]) => flagOf(name, size) !== undefined));
    return planIfPossible({
      ...{ planned: plannedWorkload(name, own, true), traits: device.traits, tuning: tuningOf(device), roofs },
      memoryBytes: device.traits.software ? Deno.systemMemoryInfo().total : undefined,
      version: config.version,
    });
  };
  const found = await plan();
  if (!found) return undefined;
  const { time: { roofMs }, memory, problems, step } = found;
  const stepSeconds = roofMs === null ? null : roofMs / 1000;
  const seconds = stepSeconds === null ? null : stepSeconds * steps;
  const quicker: Forecast["quicker"][number][] = [];
  if (seconds === null || seconds >= SHORT || problems.length > 0) {
    const half = (size: number) => Math.ceil(size / 2);
    const changes: [flags: string, changed: Partial<typeof sizes>][] = [
      [`--num-seqs ${half(sizes.nSeq)}`, { nSeq: half(sizes.nSeq) }],
      ...(["blocks", "depth"] as const).flatMap((size): [string, Partial<typeof sizes>][] => {
        const count = sizes[size];
        const flag = size === "blocks" ? "num-blocks" : size;
        return typeof count === "number" ? [[`--${flag} ${half(count)}`, { [size]: half(count) }]] : [];
      }),
      [`--batch-size ${half(sizes.batch)}`, { batch: half(sizes.batch) }],
    ];
    for (const [flags, changed] of changes) {
      const [[size, value]] = Object.entries(changed) as [keyof typeof sizes, number][];
      if (value === sizes[size] || flagOf(name, size) === undefined) continue;
      const other = await plan(changed);
      if (other) quicker.push({ flags, part: other.step.flops / step.flops });
    }
  }
  return { peakBytes: memory.peakAllocatedBytes, stepSeconds, seconds, problems, quicker };
}

/** Plans a run whose batches are computed sample by sample: a step costs as much as its samples, and their mean as much as
 * the mean of the cheapest and the dearest, whose number of iterations differs. */
async function forecastSamples(
  device: Device,
  settings: TrainSettings,
  { network, source, planned = [] as never }: Learning<Tree<Tensor>, unknown>,
  roofs: Roofs | null,
  steps: number,
): Promise<Forecast | undefined> {
  const plans: Plan[] = [];
  for (const batch of planned) {
    const one: TrainSettings = { ...settings, training: { ...settings.training, batchSize: 1 } };
    const workload: Workload = {
      ...{ description: "", flags: [] },
      open: (device) =>
        openSession(device, one, { network, source: { ...constantBatch(batch), fingerprint: source.fingerprint } }),
    };
    const plan = await planIfPossible({
      ...{ planned: { name: "train", workload, values: {} }, traits: device.traits, tuning: tuningOf(device), roofs },
      memoryBytes: device.traits.software ? Deno.systemMemoryInfo().total : undefined,
      version: config.version,
    });
    if (!plan) return undefined;
    plans.push(plan);
  }
  const times = plans.map(({ time }) => time.roofMs);
  const mean = times.includes(null) ? null : times.reduce<number>((sum, ms) => sum + ms! / times.length, 0);
  const stepSeconds = mean === null ? null : settings.training.batchSize * mean / 1000;
  return {
    peakBytes: Math.max(...plans.map(({ memory }) => memory.peakAllocatedBytes)),
    stepSeconds,
    seconds: stepSeconds === null ? null : stepSeconds * steps,
    problems: [...new Set(plans.flatMap(({ problems }) => problems))],
    quicker: [],
  };
}

/** What is computed again, from the fastest to the least memory. */
const LESS_AND_LESS = ["nothing", "block", "nested"];

/**
 * Decides what a network that lets a plan decide computes again on the way back: as little as fits. Where the adapter's memory is
 * not known it is each block.
 *
 * @param memoryBytes What there is. @default a software adapter's: the machine's
 * @returns The settings; those given where nothing is to be decided.
 */
export async function withRecompute(
  device: Device,
  settings: TrainSettings,
  data: RunData | undefined,
  memoryBytes: number | undefined = device.traits.software ? Deno.systemMemoryInfo().total : undefined,
): Promise<TrainSettings> {
  if (settings.own?.recompute !== "auto") return settings;
  const decided = (recompute: string) => ({ ...settings, own: { ...settings.own, recompute } });
  if (memoryBytes === undefined) return decided("block");
  for (const recompute of LESS_AND_LESS) {
    const forecast = await forecastRun(device, decided(recompute), data, 1);
    if (forecast && forecast.problems.length === 0 && forecast.peakBytes <= memoryBytes) return decided(recompute);
  }
  return decided("nested");
}

/** The forecast in a few lines. */
export function forecastText(
  { peakBytes, stepSeconds, seconds, problems, quicker }: Forecast,
  software: boolean,
): string {
  const time = stepSeconds === null || seconds === null
    ? "time not known, as this adapter cannot be timed"
    : `no less than ${short(stepSeconds)} a step, ${duration(seconds)} in all`;
  const ways = quicker.map(({ flags, part }) => `${flags} (${Math.round(100 * part)} % of the operations)`);
  if (software && quicker.length > 0) ways.push("a GPU");
  return [
    `Forecast: ${gibibytes(peakBytes)} of GPU memory, ${time}`,
    ...problems.map((problem) => `   It does not fit: ${problem}`),
    ...(ways.length > 0 ? [`   Quicker: ${ways.join(", ")}`] : []),
  ].join("\n");
}

function short(seconds: number): string {
  return seconds < 1 ? `${(1000 * seconds).toPrecision(2)} ms` : `${seconds.toPrecision(2)} s`;
}
