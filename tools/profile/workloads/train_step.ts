import config from "../../../deno.json" with { type: "json" };
import { type Device, Key, type Shape, sizeOf, type Tensor, type Tree } from "../../../core/mod.ts";
import { RELATIVE_POSITION_CLASSES } from "../../fold/features.ts";
import type { Batch, BatchSource } from "../../train/batches.ts";
import { checkFits } from "../../train/check_fits.ts";
import type { Learning } from "../../train/network.ts";
import { type NnxBatch, nnxNetwork } from "../../train/nnx_evoformer.ts";
import { performanceJson, summarize } from "../../train/performance.ts";
import { TrainingSession } from "../../train/session.ts";
import {
  DEFAULT_TRAINING,
  type EvoformerSettings,
  NNX_MODEL,
  NNX_TRAINING,
  type TrainingSettings,
  type TrainSettings,
} from "../../train/settings.ts";
import { tinyOpenFoldNetwork } from "../../train/tiny_openfold.ts";
import { withProfiler } from "../performance_summary.ts";
import type { OpenWorkload, Workload, WorkloadFacts } from "./workload.ts";
import { nnx } from "./nnx.ts";
import { TINY_FLAGS, tinySettings } from "./tiny.ts";

/** Tokens of the amino acids and of what is unknown. */
const TOKENS = 21;
const MAX_ANGSTROM = 20;

/** One step of training the small Evoformer: forward, backward, update. */
export const trainStep: Workload = {
  description: "a training step of the small Evoformer (forward, backward, AdamW) on noise",
  flags: TINY_FLAGS,
  open(device, values) {
    const model = tinySettings(values);
    const network = tinyOpenFoldNetwork(model);
    const source = constantBatch(tinyBatch(device, model, Number(values.batch)));
    return openSession(device, { model, training: { ...DEFAULT_TRAINING, ...stepsOf(values.batch) } }, {
      network,
      source,
    });
  },
};

/** One step of training the Flax notebook's block. */
export const nnxTrainStep: Workload = {
  description: "a training step of the Flax notebook's Evoformer block (forward, backward, Adam) on noise",
  flags: nnx.flags.filter(({ value }) => value !== false),
  open(device, values) {
    const size = (name: string) => Number(values[name]);
    const [msaDim, pairDim, numSeqs, seqLen] = ["c-m", "c-z", "n-seq", "n-res"].map(size);
    const model = { ...NNX_MODEL, msaDim, pairDim, numSeqs, seqLen };
    const source = constantBatch(nnxBatch(device, model, size("batch")));
    return openSession(device, { model, training: { ...NNX_TRAINING, ...stepsOf(values.batch) } }, {
      network: nnxNetwork(model),
      source,
    });
  },
};

/** A session of single steps. */
export function stepsOf(batch: unknown): Pick<TrainingSettings, "batchSize" | "numSteps"> {
  return { batchSize: Number(batch), numSteps: Number.MAX_SAFE_INTEGER };
}

/** A training session as a workload, to be measured or planned. */
export function openSession<P extends Tree<Tensor>, B>(
  device: Device,
  settings: Omit<TrainSettings, "data">,
  learning: Learning<P, B>,
): OpenWorkload {
  const session = new TrainingSession(device, { ...settings, data: { kind: "synthetic" } }, learning);
  return {
    step: async () => void await session.advance(),
    files: (facts) => new Map([["performance_summary.json", performance(session, facts)]]),
    [Symbol.dispose]: () => session[Symbol.dispose](),
  };
}

/** The same batch for every step. */
export function constantBatch<B>(batch: B): BatchSource<B> {
  return {
    ...{ description: "one batch of noise", fingerprint: "noise", warmupSteps: 0 },
    batch: () => batch,
    saveOrder: () => undefined,
    restoreOrder() {},
  };
}

function tinyBatch(
  device: Device,
  { numSeqs, seqLen }: Pick<EvoformerSettings, "numSeqs" | "seqLen">,
  size: number,
): Batch {
  const pairChannels = RELATIVE_POSITION_CLASSES;
  const pairs = [size, seqLen, seqLen];
  if (!device.dry) checkFits(device, [...pairs, pairChannels]);
  const [tokensKey, featuresKey, distancesKey] = Key.fromSeed(DEFAULT_TRAINING.seed).split(3);
  const tokens = (n: number) => Int32Array.from(tokensKey.uniform(n), (x) => Math.floor(TOKENS * x));
  return {
    ...{ size, numSeqs, numRes: seqLen, pairChannels },
    msaTokens: numbers(device, [size, numSeqs, seqLen], tokens),
    pairFeatures: numbers(device, [...pairs, pairChannels], (n) => featuresKey.normal(n)),
    distances: numbers(device, pairs, (n) => distancesKey.uniform(n).map((x) => MAX_ANGSTROM * x)),
  };
}

function nnxBatch(device: Device, { msaDim, pairDim, numSeqs, seqLen }: EvoformerSettings, size: number): NnxBatch {
  const msaShape = [size, numSeqs, seqLen, msaDim], pairsShape = [size, seqLen, seqLen, pairDim];
  if (!device.dry) checkFits(device, pairsShape, msaShape);
  const [msaKey, pairsKey] = Key.fromSeed(NNX_TRAINING.seed).split(2);
  return {
    msa: numbers(device, msaShape, (n) => msaKey.normal(n)),
    msaShape,
    pairs: numbers(device, pairsShape, (n) => pairsKey.normal(n)),
    pairsShape,
  };
}

/** Numbers for a tensor; on a device for plans, which looks at their number alone, none. */
function numbers<A extends Float32Array | Int32Array>(device: Device, shape: Shape, draw: (n: number) => A): A {
  return device.dry ? { length: sizeOf(shape) } as A : draw(sizeOf(shape));
}

/** The summary that training writes, of the profiled steps, with what the profiler did. */
function performance<P extends Tree<Tensor>, B>(
  session: TrainingSession<P, B>,
  { adapter, out, data, sortBy }: WorkloadFacts,
): string {
  const steps = session.history.slice(data.warmup);
  const { batchSize, learningRate } = session.settings.training;
  const text = performanceJson({
    ...{ sizes: session.network.sizes, profileDir: out, batchSize, learningRate, adapter },
    summary: summarize(steps, batchSize),
    numSteps: steps.length,
    version: config.version,
    now: new Date(data.created),
  });
  return withProfiler(text, { folder: out, sortBy, data });
}
