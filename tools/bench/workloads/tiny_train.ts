import type { Device } from "../../../core/mod.ts";
import { Trainer } from "../../../finetune/mod.ts";
import {
  distanceLoss,
  loadTinyOpenFold,
  MAX_DISTANCE_ANGSTROM,
  tinyOpenFold,
  type TinyOpenFoldConfig,
  tinyOpenFoldConfig,
} from "../../../model/tiny_openfold/mod.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { agree, hashed, hashedParameter } from "../hashed.ts";
import { Stopwatch } from "../measure.ts";
import { bestOf, type PeerRecord } from "../peers.ts";
import { atMost, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import { countAwaits } from "./awaits.ts";
import type { BenchContext } from "./mod.ts";

const BATCH = 4;
/** Steps a round, of ours and of the peer's. */
const STEPS = 3;

/** One training step (forward, backward, AdamW) of the small Evoformer at its default size. */
export async function* tinyTrain({ device, torch, rounds }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  const config = tinyOpenFoldConfig();
  const { trainer, batch } = hashedTrainer(device, config, BATCH);
  using _owned = trainer;

  const losses = [(await trainer.step(batch)).loss]; // also compiles
  device.resetPeakMemory();
  using awaits = countAwaits(device);
  const { loss, savedBytes } = await trainer.step(batch);
  losses.push(loss);
  const awaitsPerStep = awaits.count;
  const peakBytes = device.memory.peakAllocatedBytes;
  const countedBytes = savedBytes + trainer.parameterBytes;

  const watch = new Stopwatch();
  const peerRecords: PeerRecord[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < STEPS; i++) await watch.time(async () => void await trainer.step(batch));
    if (torch) {
      const flags = ["--batch", String(BATCH), "--warmup", "1", "--repeats", String(STEPS)];
      peerRecords.push(...await torch.time("tiny-train", ...flags));
    }
  }
  const [theirs] = await torch?.numbers("tiny-train") ?? [];
  const sizes = { batch: BATCH, seqs: config.nSeqs, seq_len: config.maxSeqLen, blocks: config.nBlocks };
  const { msMin } = watch.times;
  const { software } = device.traits;
  const peerMs = bestOf(peerRecords, sizes);
  const ratio = peerMs === undefined ? undefined : round(msMin / peerMs);
  yield {
    workload: "tiny-train",
    sizes,
    dtype: "f32",
    mode: "train-step",
    ...timeFields(watch.times, { flops: trainStepFlops(config, BATCH), software }),
    peak_bytes: peakBytes,
    counted_bytes: countedBytes,
    parameter_bytes: trainer.parameterBytes,
    saved_bytes: savedBytes,
    samples_per_s: round(BATCH / msMin * 1e3),
    awaits_per_step: awaitsPerStep,
    losses: losses.map((x) => Number(x.toPrecision(7))),
    ...(torch && ratio !== undefined && { peer: torch.name, peer_ms_min: peerMs, ratio }),
    ...(theirs && { agrees: agree(losses, theirs.values) }),
    bars: [
      ...(ratio !== undefined && software ? [onIdleMachine(atMost("times PyTorch", ratio, 2.5))] : []),
      atMost("times counted bytes", round(peakBytes / countedBytes), 1.2),
      atMost("awaits a step", awaitsPerStep, 1),
    ],
  };
  void scope;
}

/** A trainer and a batch whose numbers every engine can compute; parameters by their names in the state dict. */
export function hashedTrainer(device: Device, config: TinyOpenFoldConfig, batchSize: number) {
  const { nSeqs, maxSeqLen: length, vocabSize, pairInputDim } = config;
  const params = loadTinyOpenFold(device, config, (path, shape) => hashedParameter(snakeCase(path), shape));
  const unit = hashed("msa_tokens", batchSize * nSeqs * length, { std: 1 / Math.sqrt(12), mean: 0.5 });
  const tokens = Int32Array.from(unit, (x) => Math.min(vocabSize - 1, Math.floor(x * vocabSize)));
  const pairs = batchSize * length * length;
  const half = MAX_DISTANCE_ANGSTROM / 2;
  const targets = hashed("target_distances", pairs, { std: MAX_DISTANCE_ANGSTROM / Math.sqrt(12), mean: half });
  const batch = {
    msaTokens: device.tensor(tokens, [batchSize, nSeqs, length], "i32"),
    pairFeatures: device.tensor(hashed("pair_features", pairs * pairInputDim), [
      batchSize,
      length,
      length,
      pairInputDim,
    ]),
  };
  const target = device.tensor(targets, [batchSize, length, length, 1]);
  const trainer = new Trainer(device, {
    params,
    loss: (p: typeof params, inputs: typeof batch) => distanceLoss(tinyOpenFold(p, inputs, config).distances, target),
  });
  return { trainer, batch };
}

/**
 * Floating-point operations of the matrix products of a training step, 2 per multiply-add: the way back takes twice as
 * many as the way there, but for the pair features, which have no gradient.
 */
export function trainStepFlops(config: TinyOpenFoldConfig, batch: number): number {
  const { msaDim: m, pairDim: z, outerProductDim: o, nSeqs: s, maxSeqLen: n } = config;
  const msa = (from: number, to: number) => 2 * s * n * from * to;
  const pair = (from: number, to: number) => 2 * n * n * from * to;
  const rows = 4 * msa(m, m) + pair(z, config.nHeadsMsa) + 4 * s * n * n * m;
  const columns = 4 * msa(m, m) + 4 * s * s * n * m;
  const msaTransition = 2 * msa(m, config.msaIntermediateDim);
  const outerProduct = msa(m, o) + 2 * n * n * s * o * o + pair(o * o, z);
  const triangleMultiplication = 6 * pair(z, z) + 2 * n ** 3 * z;
  const triangleAttention = 4 * pair(z, z) + 4 * n ** 3 * z;
  const pairTransition = 2 * pair(z, config.pairIntermediateDim);
  const block = rows + columns + msaTransition + outerProduct + 2 * triangleMultiplication + 2 * triangleAttention +
    pairTransition;
  const embedding = pair(config.pairInputDim, z);
  const forward = embedding + config.nBlocks * block + pair(z, 1);
  return batch * (3 * forward - embedding);
}
