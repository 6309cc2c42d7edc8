/** What a screen will cost, before anything is computed. */
import type { Device } from "../../core/mod.ts";
import type { WeightsDtype } from "../../model/weights/load_weights.ts";
import { memoryNeed, PART_BYTES } from "../predict/fit_memory.ts";
import type { PlannedModel } from "../predict/planned_model.ts";
import { type PaddedSizes, paddedSizes } from "../predict/network_inputs.ts";
import type { Roofs } from "../profile/profile_data.ts";
import { roofMs } from "../profile/summarize.ts";
import type { ScreenPair } from "./pairs.ts";

/** What a pair will cost. */
export interface PairForecast {
  readonly bait: string;
  readonly prey: string;
  /** Residues of both. */
  readonly residues: number;
  /** GPU memory at the peak, weights included, in bytes; of the network that needs most. Infinite past the adapter's limits. */
  readonly peakBytes: number;
  /** Whether that is there; null where it is not known how much there is, and no limit is passed. */
  readonly fits: boolean | null;
  /** Operations of all networks, seeds and recyclings, two for a multiply-add. */
  readonly flops: number;
  /** Seconds that these take at least, at the adapter's measured roofs; null where they are not known. */
  readonly seconds: number | null;
}

/** Choices of {@linkcode forecastScreen}. */
export interface ForecastOptions {
  /** Iterations after the first. @default as configured */
  readonly maxRecycles?: number;
  /** Predictions of each network. */
  readonly seeds: number;
  /** Most rows in the main stack. @default as configured */
  readonly maxMsaClusters?: number;
  /** Most rows in the extra stack. @default as configured */
  readonly maxExtraMsa?: number;
  /** How weights are held. */
  readonly weightsDtype: WeightsDtype;
  /** The adapter's roofs. */
  readonly roofs: Roofs | null;
  /** What memory there is. @default not known */
  readonly memoryBytes?: number;
  /** Told of the sizes that are gone through. */
  readonly onSizes?: (done: number, all: number) => void;
}

/**
 * What each pair will cost where the alignments fill the networks' rows: sizes are sent once through a device that computes
 * nothing.
 */
export function forecastScreen(
  device: Device,
  pairs: readonly ScreenPair[],
  models: readonly PlannedModel[],
  options: ForecastOptions,
): PairForecast[] {
  const { memoryBytes, roofs } = options;
  const known = new Map<string, Need>();
  const wanted = new Map(pairs.flatMap(({ residues }) =>
    models.map((model) => {
      const sizes = sizesOf(model, residues, options);
      return [keyOf(model, sizes), { model, sizes }];
    })
  ));
  for (const [key, { model, sizes }] of wanted) {
    known.set(key, needOf(device, model, sizes, options));
    options.onSizes?.(known.size, wanted.size);
  }
  return pairs.map(({ bait, prey, residues }): PairForecast => {
    let peakBytes = 0, flops = 0, ms = 0;
    for (const model of models) {
      const need = known.get(keyOf(model, sizesOf(model, residues, options)))!;
      const times = options.seeds * (1 + (options.maxRecycles ?? model.config.recycling.maxRecycles));
      peakBytes = Math.max(peakBytes, need.peakBytes);
      flops += times * need.flops;
      ms += times * need.ms;
    }
    const fits = memoryBytes !== undefined ? peakBytes <= memoryBytes : peakBytes < Infinity ? null : false;
    return { ...{ bait, prey, residues, peakBytes, fits, flops }, seconds: roofs ? ms / 1000 : null };
  });
}

/** What an iteration needs. */
interface Need {
  readonly peakBytes: number;
  readonly flops: number;
  readonly ms: number;
}

function needOf(device: Device, model: PlannedModel, sizes: PaddedSizes, options: ForecastOptions): Need {
  let need: Need = { peakBytes: Infinity, flops: 0, ms: 0 };
  for (const partBytes of PART_BYTES) {
    try {
      need = needWith(device, model, sizes, partBytes, options);
      if (need.peakBytes <= (options.memoryBytes ?? Infinity)) return need;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // a limit of the adapter, which smaller parts may not pass
    }
  }
  return need;
}

function needWith(
  device: Device,
  { config }: PlannedModel,
  sizes: PaddedSizes,
  partBytes: number,
  { weightsDtype, roofs }: ForecastOptions,
): Need {
  const { intermediates, representations } = device;
  let flops = 0, ms = 0;
  const { peakBytes } = memoryNeed(device.traits, config, sizes, partBytes, weightsDtype, {
    ...{ intermediates, representations },
    onKernel(run) {
      flops += run.flops ?? 0;
      if (roofs) ms += roofMs({ flops: run.flops ?? 0, bytes: run.bytesRead + run.bytesWritten }, roofs);
    },
  });
  return { peakBytes, flops, ms };
}

function sizesOf({ config }: PlannedModel, residues: number, options: ForecastOptions): PaddedSizes {
  const { data } = config;
  return paddedSizes({
    residues,
    clusters: options.maxMsaClusters ?? data.maxMsaClusters,
    extra: options.maxExtraMsa ?? data.maxExtraMsa,
    templates: config.templates ? data.maxTemplates : 0,
  });
}

const keyOf = ({ config }: PlannedModel, sizes: PaddedSizes) => JSON.stringify([{ ...config, name: undefined }, sizes]);
