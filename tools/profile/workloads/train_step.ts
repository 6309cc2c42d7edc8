import { type Device, Key } from "../../../core/mod.ts";
import { RELATIVE_POSITION_CLASSES } from "../../fold/features.ts";
import config from "../../../deno.json" with { type: "json" };
import type { BatchSource } from "../../train/batches.ts";
import { performanceJson, summarize } from "../../train/performance.ts";
import { TrainingSession } from "../../train/session.ts";
import { DEFAULT_MODEL, DEFAULT_TRAINING, type ModelSettings, type TrainSettings } from "../../train/settings.ts";
import { withProfiler } from "../performance_summary.ts";
import type { OpenWorkload, Workload, WorkloadFacts, WorkloadValues } from "./mod.ts";

/** Tokens of the amino acids and of what is unknown. */
const TOKENS = 21;
const MAX_ANGSTROM = 20;

/** One step of training the small Evoformer: forward, backward, update. */
export const trainStep: Workload = {
  description: "a training step of the small Evoformer (forward, backward, AdamW) on noise",
  flags: [
    { name: "blocks", description: "Evoformer blocks", value: DEFAULT_MODEL.numBlocks },
    { name: "n-seq", description: "sequences", value: DEFAULT_MODEL.numSeqs },
    { name: "n-res", description: "residues", value: DEFAULT_MODEL.seqLen },
    { name: "batch", description: "samples", value: DEFAULT_TRAINING.batchSize },
    { name: "msa-dim", description: "channels of the MSA representation", value: DEFAULT_MODEL.msaDim },
    { name: "pair-dim", description: "channels of the pair representation", value: DEFAULT_MODEL.pairDim },
  ],
  open(device: Device, values: WorkloadValues): OpenWorkload {
    const size = (name: string) => Number(values[name]);
    const model: ModelSettings = {
      msaDim: size("msa-dim"),
      pairDim: size("pair-dim"),
      numBlocks: size("blocks"),
      numSeqs: size("n-seq"),
      seqLen: size("n-res"),
    };
    const training = { ...DEFAULT_TRAINING, batchSize: size("batch"), numSteps: Number.MAX_SAFE_INTEGER };
    const settings: TrainSettings = { model, training, data: { kind: "synthetic" } };
    const [paramsKey, dataKey] = Key.fromSeed(training.seed).split(2);
    const session = new TrainingSession(device, settings, noise(model, training.batchSize, dataKey), paramsKey);
    return {
      step: async () => void await session.advance(),
      files: (facts) => new Map([["performance_summary.json", performance(session, facts)]]),
      [Symbol.dispose]: () => session[Symbol.dispose](),
    };
  },
};

/** The same batch of noise for every step. */
function noise({ numSeqs, seqLen }: ModelSettings, batchSize: number, key: Key): BatchSource {
  const pairChannels = RELATIVE_POSITION_CLASSES;
  const [tokensKey, featuresKey, distancesKey] = key.split(3);
  const pairs = batchSize * seqLen * seqLen;
  const batch = {
    ...{ size: batchSize, numSeqs, numRes: seqLen, pairChannels },
    msaTokens: Int32Array.from(tokensKey.uniform(batchSize * numSeqs * seqLen), (x) => Math.floor(TOKENS * x)),
    pairFeatures: featuresKey.normal(pairs * pairChannels),
    distances: distancesKey.uniform(pairs).map((x) => MAX_ANGSTROM * x),
  };
  return {
    ...{ description: "one batch of noise", fingerprint: "noise", warmupSteps: 0 },
    batch: () => batch,
    saveOrder: () => undefined,
    restoreOrder() {},
  };
}

/** The summary that training writes, of the profiled steps, with what the profiler did. */
function performance(session: TrainingSession, { adapter, out, data, sortBy }: WorkloadFacts): string {
  const steps = session.history.slice(data.warmup);
  const { batchSize, learningRate } = session.settings.training;
  const text = performanceJson({
    ...{ config: session.config, profileDir: out, batchSize, learningRate, adapter },
    summary: summarize(steps, batchSize),
    numSteps: steps.length,
    version: config.version,
    now: new Date(data.created),
  });
  return withProfiler(text, { folder: out, sortBy, data });
}
