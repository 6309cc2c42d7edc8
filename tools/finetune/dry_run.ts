/** What a run will take: memory by a device that computes nothing, time by a batch that is forgotten. */
import { Device, Key } from "../../core/mod.ts";
import {
  type FineTunedConfig,
  type FineTunedParams,
  FineTuner,
  type FitSettings,
  headInputsOf,
  initTaskHeads,
  type LabelledSet,
  type Strategy,
  withStrategy,
} from "../../finetune/mod.ts";
import { emptyWeights } from "../../model/weights/load_weights.ts";
import { paramsOf } from "../predict/network.ts";
import { namedShapes } from "../weights/presets.ts";
import { networkSample, trainedNames } from "./network.ts";
import type { FinetuneOptions } from "./options.ts";
import { SETS, type Sets } from "./sets.ts";
import type { ReadableTarget } from "./targets.ts";

/** What a dry run finds. */
export interface DryRun {
  /** GPU memory at the peak of the longest protein's step, in bytes. */
  readonly peakBytes: number;
  /** Residues of the longest protein. */
  readonly longest: number;
  /** Seconds of the first batch, there and back. */
  readonly batchSeconds: number;
  /** Seconds of all epochs, if time goes with the square of the length. */
  readonly seconds: number;
  /** The first batch of the first epoch. */
  readonly firstBatch: readonly { readonly id: string; readonly residues: number; readonly label?: number }[];
  /** Its loss before training. */
  readonly loss: number;
}

/** A run that is ready to begin. */
interface Planned {
  readonly params: FineTunedParams;
  readonly strategy: Strategy;
  readonly config: FineTunedConfig;
  readonly options: FinetuneOptions;
  readonly sets: Sets;
  readonly train: LabelledSet;
  /** Samples of the first epoch's batches. */
  readonly order: readonly (readonly number[])[];
}

/** Makes a run's first batch, twice, as the first time compiles kernels. What it trains is of no use afterwards. */
export async function dryRun(
  device: Device,
  { params, strategy, config, options, sets, train, order }: Planned,
): Promise<DryRun> {
  const { fit } = options;
  const [first] = order;
  const batch: LabelledSet = { size: first.length, load: (i, draw) => train.load(first[i], draw) };
  const settings: FitSettings = { ...fit, epochs: 2, accumulate: 1, batchSize: first.length, patience: 0 };
  const times: number[] = [], losses: number[] = [];
  let started = performance.now();
  using tuner = new FineTuner(device, { params, strategy, config, settings, train: batch });
  await tuner.run({
    step({ losses: [loss] }) {
      times.push((performance.now() - started) / 1000);
      losses.push(loss);
      started = performance.now();
    },
  });
  const targets = first.map((i) => sets.train[i]);
  type Proteins = readonly { readonly sequence: string }[];
  const squares = (all: Proteins) => all.reduce((sum, { sequence: { length } }) => sum + length ** 2, 0);
  const trainedSquares = (all: Proteins) =>
    all.reduce((sum, { sequence }) => sum + trainedResidues(sequence, options) ** 2, 0);
  const everyone = SETS.flatMap((name) => sets[name]);
  const longest = everyone.reduce((a, b) => (b.sequence.length > a.sequence.length ? b : a));
  const isHeadAlone = strategy.name === "head_only";
  // A head alone needs the network once for each protein: that is what the first time had to do.
  const perSquare = times[isHeadAlone ? 0 : 1] / trainedSquares(targets);
  const batches = Math.ceil(sets.train.length / fit.batchSize);
  return {
    peakBytes: await peakOf(device, strategy, config, options, longest),
    longest: longest.sequence.length,
    batchSeconds: times[1],
    seconds: isHeadAlone
      ? perSquare * squares(everyone) + times[1] * batches * fit.epochs
      : perSquare * (trainedSquares(sets.train) + FORWARD * squares(sets.validation)) * fit.epochs,
    firstBatch: targets.map(({ id, sequence: { length }, rows: [{ label }] }) => ({ id, residues: length, label })),
    loss: losses[0],
  };
}

/** Residues of a protein that training sees at once. */
function trainedResidues({ length }: string, { crop = Infinity }: Pick<FinetuneOptions, "crop">): number {
  return Math.min(length, crop);
}

/** Part of a batch's time that the way there alone takes. */
const FORWARD = 1 / 3;

/** Bytes of all buffers at the peak of a step of a protein, weights and the optimizer's memory included. */
async function peakOf(
  { traits }: Device,
  strategy: Strategy,
  config: FineTunedConfig,
  options: FinetuneOptions,
  target: ReadableTarget,
): Promise<number> {
  const { fit } = options;
  const prepared = await target.load();
  using device = Device.dry(traits);
  using _ = device.scope("plan");
  const dtype = fit.amp ? "f16" : "f32", exact = trainedNames(config.network, strategy);
  const model = paramsOf(config.network, emptyWeights(device, namedShapes(config.network), dtype, exact));
  const heads = initTaskHeads(device, config.tasks, Key.fromSeed(fit.seed));
  const params = withStrategy({ model, heads }, strategy, Key.fromSeed(fit.seed));
  const read = (draw?: number) => networkSample(device, prepared, config.network, options, fit.seed, draw);
  const load = () => ({
    input: read(0),
    labels: Object.fromEntries(
      Object.entries(config.tasks).map(([name, { head: { level } }]) => [
        name,
        new Array<number>(level === "residue" ? trainedResidues(prepared.sequence, options) : 1).fill(0),
      ]),
    ),
  });
  if (strategy.name === "head_only") headInputsOf(params.model, read(), config);
  else {
    const settings: FitSettings = { ...fit, epochs: 1, accumulate: Math.min(2, fit.accumulate) };
    const train = { size: settings.batchSize * settings.accumulate, load };
    using tuner = new FineTuner(device, { params, strategy, config, settings, train });
    await tuner.run();
    if (options.crop !== undefined) headInputsOf(params.model, read(), config); // validation sees the whole
  }
  return device.memory.peakAllocatedBytes;
}
