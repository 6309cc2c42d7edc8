import { tinyOpenFoldConfig } from "../../../model/tiny_openfold/mod.ts";
import { multiplyScalar } from "../../../ops/mod.ts";
import { Stopwatch } from "../measure.ts";
import { atMost, type Measurement, round, timeFields } from "../record.ts";
import { countAwaits } from "./awaits.ts";
import type { BenchContext } from "./mod.ts";
import { hashedTrainer } from "./tiny_train.ts";

const REPEATS = 50;

/** How long it takes to learn one number that the GPU has computed, and how often a training step waits for one. */
export async function* readback({ device }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  const x = device.tensor([3], [1]);
  const once = async () => {
    using _inner = device.scope("scalar");
    await multiplyScalar(x, 2).item();
  };
  for (let i = 0; i < 3; i++) await once();
  const watch = new Stopwatch();
  for (let i = 0; i < REPEATS; i++) await watch.time(once);
  const fields = timeFields(watch.times, { software: device.traits.software });
  yield {
    workload: "readback",
    sizes: { elements: 1 },
    dtype: "f32",
    mode: "one kernel, awaited read",
    ...fields,
    peak_bytes: null,
    bars: [atMost("ms", round(watch.times.msMin), 1)],
  };

  const config = tinyOpenFoldConfig({ msaDim: 16, pairDim: 32, nBlocks: 1, nSeqs: 4, maxSeqLen: 16 });
  const { trainer, batch } = hashedTrainer(device, config, 1);
  using _owned = trainer;
  await trainer.step(batch);
  using awaits = countAwaits(device);
  await trainer.step(batch);
  const awaitsPerStep = awaits.count;
  yield {
    workload: "readback",
    sizes: { batch: 1, seqs: config.nSeqs, seq_len: config.maxSeqLen, blocks: config.nBlocks },
    dtype: "f32",
    mode: "awaits of a training step",
    ms_min: null,
    ms_median: null,
    gflops: null,
    gflops_per_cpu_s: null,
    peak_bytes: null,
    awaits_per_step: awaitsPerStep,
    bars: [atMost("awaits a step", awaitsPerStep, 1)],
  };
  void scope;
}
