/** A step of training beside the same one in PyTorch, in turns. */
import type { Tensor, Tree } from "../../core/mod.ts";
import type { Trainer } from "../../finetune/mod.ts";
import { agree } from "./hashed.ts";
import { Stopwatch } from "./measure.ts";
import type { PeerRecord } from "./peers.ts";
import { atMost, type Measurement, onIdleMachine, round, timeFields } from "./record.ts";
import type { BenchContext } from "./workloads/mod.ts";

/** What is compared. */
export interface TorchStep {
  /** Name of the workload. */
  readonly workload: string;
  readonly sizes: Readonly<Record<string, number>>;
  /** The script and its flags. */
  readonly peer: readonly [script: string, ...flags: string[]];
  /** So many times PyTorch's time are as many as may be, on a software driver; on a GPU 1. */
  readonly most: number;
}

/**
 * Measures a trainer's step, beside the peer where PyTorch is there; after two steps of both their losses must agree. On a
 * software driver the ratio is one of processor times, which other programs disturb less. Disposes of the trainer.
 */
export async function* stepBesideTorch<P extends Tree<Tensor>, B extends Tree<Tensor>>(
  { device, rounds, torch, note }: BenchContext,
  trainer: Trainer<P, B>,
  { workload, sizes, peer: [script, ...flags], most }: TorchStep,
): AsyncIterable<Measurement> {
  const { software } = device.traits;
  try {
    const step = async () => (await trainer.step({} as B)).loss;
    const losses = [await step(), await step()];
    const watch = new Stopwatch();
    const theirs: PeerRecord[] = [];
    device.resetPeakMemory();
    for (let turn = 0; turn < rounds; turn++) {
      await watch.time(async () => void await step());
      if (!torch) continue;
      note(`  ${workload} step: ${torch.name}`);
      theirs.push(...await torch.own(script, ...flags));
    }
    const { times } = watch;
    const least = (of: (record: PeerRecord) => number) => Math.min(...theirs.map(of));
    const ratio = software
      ? times.cpuMsMin / least(({ cpu_ms_min, ms_min }) => cpu_ms_min ?? ms_min)
      : times.msMin / least(({ ms_min }) => ms_min);
    const bar = atMost("times PyTorch eager", round(ratio), software ? most : 1);
    yield {
      ...{ workload, sizes, dtype: "f32", mode: "train step", ...timeFields(times, { software }) },
      ...{ peak_bytes: device.memory.peakAllocatedBytes, losses: losses.map(round) },
      ...(theirs.length > 0 && {
        ...{ peer: theirs[0].engine, peer_ms_min: round(least(({ ms_min }) => ms_min)), ratio: round(ratio) },
        agrees: theirs.every(({ checksum = [] }) => agree(losses, checksum, 1e-3)),
      }),
      bars: theirs.length > 0 ? [software ? bar : onIdleMachine(bar)] : [],
    };
  } finally {
    trainer[Symbol.dispose]();
  }
}
