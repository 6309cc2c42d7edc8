import { type Device, Key, leaves, pullback, type Tensor, type Tree } from "../../../core/mod.ts";
import { Trainer } from "../../../finetune/mod.ts";
import {
  blockSparseLayout,
  couplingsOf,
  initTrunk2021,
  layersOf,
  loadTrunk2021,
  partsOfLayer,
  randomBlocks,
  trunk2021,
  type Trunk2021AttentionParams,
  trunk2021AttentionShapes,
  type Trunk2021Config,
  trunk2021Config,
  trunk2021CrossAttention,
  trunk2021DistogramLoss,
  type Trunk2021Params,
} from "../../../model/trunk2021/mod.ts";
import { initParams } from "../../../model/layers/params.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { attention, type BlockLayout } from "../../../ops/mod.ts";
import { hashed, hashedParameter } from "../hashed.ts";
import { Stopwatch, type Times } from "../measure.ts";
import { atMost, type Bar, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import { stepBesideTorch } from "../torch_step.ts";
import type { BenchContext } from "./mod.ts";

/** The original documentation's first example. */
const EXAMPLE = { nRes: 128, nSeq: 5, columns: 64, dim: 256, depth: 2 };

/** The trunk of 2021: a step of training beside PyTorch, reversible layers, compressed keys, blocks of a layout. */
export async function* trunk2021Bench(context: BenchContext): AsyncIterable<Measurement> {
  yield* reversible(context);
  yield* compressed(context);
  yield* sparse(context);
  yield* trainStep(context);
}

/** Time and memory of layers whose activations are computed again, beside those of layers that keep them. */
async function* reversible({ device, rounds }: BenchContext): AsyncIterable<Measurement> {
  const sizes = { n_res: 64, n_seq: 5, dim: 128, heads: 4, dim_head: 64 }; // half as wide and long as the example
  const inputs = (device: Device) => ({
    seq: tokens(device, "seq", [1, sizes.n_res]),
    msa: tokens(device, "msa", [1, sizes.n_seq, sizes.n_res]),
  });
  using scope = device.scope("bench");
  void scope;
  const open = (depth: number, reversible: boolean) => {
    const { dim, heads, dim_head: dimHead } = sizes;
    const config = trunk2021Config({ dim, heads, dimHead, depth, reversible, maxSeqLen: 64 });
    const params = initTrunk2021(device, config, Key.fromSeed(1)), given = inputs(device);
    const cotangent = device.tensor(hashed("cot", sizes.n_res ** 2 * 37), [1, sizes.n_res, sizes.n_res, 37]);
    const step = () => {
      pullback(device, (params: Trunk2021Params) => trunk2021(params, given, config), params).pullLeaves([cotangent]);
    };
    return { step, parameterBytes: 4 * leaves<Tensor>(params).reduce((sum, { size }) => sum + size, 0) };
  };
  const [shallow, deep] = [open(2, true), open(12, true)];
  const peaks: number[] = [];
  for (const { step, parameterBytes } of [shallow, deep]) {
    const peak = await peakBytes(device, step);
    peaks.push(peak - parameterBytes); // its gradients
  }
  yield {
    ...{ workload: "trunk2021", sizes: { ...sizes, depth: 12 }, dtype: "f32", mode: "reversible, memory" },
    ...{ ms_min: null, ms_median: null, gflops: null, gflops_per_cpu_s: null, peak_bytes: peaks[1] },
    bars: [atMost("times the memory of depth 2, parameters aside", round(peaks[1] / peaks[0]), 1.1)],
  };
  const { depth } = EXAMPLE;
  const kept = keepingActivations(device, sizes, depth);
  const [own, same, plain] = await inTurns(device, rounds, [open(depth, true).step, kept, open(depth, false).step]);
  const { software } = device.traits;
  yield {
    ...{ workload: "trunk2021", sizes: { ...sizes, depth }, dtype: "f32", mode: "reversible, forward+backward" },
    ...{ ...timeFields(own, { software: device.traits.software }), peak_bytes: null },
    bars: [
      ...ratioBars("times that of the same layers with activations kept", own, same, 1.6, software),
      ...ratioBars(
        "times that of a trunk that is not reversible, with half the feed-forward maps",
        own,
        plain,
        1.6,
        software,
      ),
    ],
  };
}

/** A step through the layers of a reversible trunk as any other network's: all activations are kept. */
function keepingActivations(
  device: Device,
  { n_res: n, n_seq: rows, dim, heads, dim_head: dimHead }: Readonly<Record<string, number>>,
  depth: number,
): () => void {
  const config = trunk2021Config({ dim, heads, dimHead, depth, reversible: true, maxSeqLen: 64 });
  const { net } = initTrunk2021(device, config, Key.fromSeed(1));
  const x = device.tensor(hashed("x", n * n * dim), [1, n, n, dim]);
  const m = device.tensor(hashed("m", rows * n * dim), [1, rows, n, dim]);
  return () => {
    const back = pullback(device, (primals: { net: Trunk2021Params["net"]; x: Tensor; m: Tensor }) => {
      const state = [primals.x, primals.x, primals.m, primals.m];
      const parts = layersOf(primals).flatMap((layer) => partsOfLayer(layer, config, true));
      for (const { target, sources, params, update } of couplingsOf(parts)) {
        const reads = { params, sources: sources.map((i) => state[i]), constants: {}, residual: state[target] };
        state[target] = update(reads);
      }
      return state.slice(0, 2);
    }, { net, x, m });
    back.pullLeaves([x, x]);
  };
}

/**
 * Cross attention with three keys made one: of as many as there are keys, and of the pairs of 64 residues. The projections,
 * which compression does not shorten, are counted: by operations alone 1,024 queries of 1,024 keys take 0.59 of all keys' time.
 */
async function* compressed({ device, rounds }: BenchContext): AsyncIterable<Measurement> {
  for (const [queries, keys] of [[1024, 1024], [4096, 1024], [2048, 2048]]) {
    using scope = device.scope("bench");
    void scope;
    const heads = 8, ratio = 3;
    const sizes = { dim: 256, heads, dimHead: 64 };
    const params = initParams(
      device,
      trunk2021AttentionShapes(sizes, ratio),
      Key.fromSeed(1),
    ) as Trunk2021AttentionParams;
    const x = device.tensor(hashed("x", 256 * queries), [1, 1, queries, 256]);
    const context = device.tensor(hashed("context", 256 * keys), [1, 1, keys, 256]);
    const run = (compressRatio: number) => () => {
      trunk2021CrossAttention(params, x, context, { heads, compressRatio });
    };
    const [own, all] = await inTurns(device, rounds, [run(ratio), run(1)]);
    yield {
      ...{ workload: "trunk2021", sizes: { queries, keys, ratio }, dtype: "f32", mode: "compressed cross attention" },
      ...{ ...timeFields(own, { software: device.traits.software }), peak_bytes: null },
      bars: ratioBars("times that of all keys", own, all, 0.5, device.traits.software),
    };
  }
}

/** Attention over the blocks of the documentation's layout, of 2,048 tokens. */
async function* sparse({ device, rounds }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  void scope;
  const length = 2048, heads = 8, channels = 64, blocks = 128;
  const layout = blockSparseLayout(blocks, blocks, { random: randomBlocks(Key.fromSeed(1), blocks) });
  const share = layout.visited.reduce((sum, list) => sum + list.length, 0) / blocks ** 2;
  const [q, k, v, d] = ["q", "k", "v", "d"].map((name) =>
    device.tensor(hashed(name, length * heads * channels), [1, 1, length, heads * channels])
  );
  const options = { heads, axis: 2 } as const;
  const forward = (layout?: BlockLayout) => () => void attention({ q, k, v }, { ...options, layout });
  const train = (layout?: BlockLayout) => () => {
    pullback(device, (all: Readonly<Record<"q" | "k" | "v", Tensor>>) => attention(all, { ...options, layout }), {
      ...{ q, k, v },
    }).pullLeaves([d]);
  };
  for (const [mode, step] of [["forward", forward], ["forward+backward", train]] as const) {
    const [own, dense] = await inTurns(device, rounds, [step(layout), step()]);
    const peak = await peakBytes(device, step(layout));
    const bars = ratioBars(`times ${round(share)}, the share of blocks, of dense attention`, own, dense, 1.5, {
      ...{ software: device.traits.software, share },
    });
    // No tensor has an element for every pair of tokens: all inputs, gradients and what is kept take less than one would.
    const square = atMost("of a tensor of all pairs in bytes", round(peak / (4 * length ** 2 * heads)), 0.99);
    yield {
      ...{ workload: "trunk2021", sizes: { length, heads, channels }, dtype: "f32", mode: `sparse attention, ${mode}` },
      ...{ ...timeFields(own, { software: device.traits.software }), peak_bytes: peak },
      bars: [...bars, square],
    };
  }
}

/** A step of training in the sizes of the documentation's first example. */
async function* trainStep(context: BenchContext): AsyncIterable<Measurement> {
  const { device } = context, { nRes, nSeq, columns, dim, depth } = EXAMPLE;
  const config: Trunk2021Config = trunk2021Config({ dim, depth, heads: 8, dimHead: 64 });
  using scope = device.scope("bench");
  void scope;
  const params = loadTrunk2021(device, config, (path, shape) => hashedParameter(snakeCase(path), shape));
  const inputs = { seq: tokens(device, "seq", [1, nRes]), msa: tokens(device, "msa", [1, nSeq, columns]) };
  const distances = device.tensor(units("distances", nRes ** 2).map((x) => 25 * x), [1, nRes, nRes]);
  const trainer = new Trainer<Trunk2021Params, Tree<Tensor>>(device, {
    params,
    loss: (params) => trunk2021DistogramLoss(trunk2021(params, inputs, config), distances),
    optimizer: { kind: "adam", learningRate: 3e-4, weightDecay: 0 },
  });
  yield* stepBesideTorch(context, trainer, {
    ...{ workload: "trunk2021", sizes: { n_res: nRes, n_seq: nSeq, columns, dim, depth }, most: 3 },
    peer: ["torch_trunk2021.py", "--repeats", "2"],
  });
}

/** Times of several steps, each measured once a round, in turns. */
async function inTurns(device: Device, rounds: number, steps: readonly (() => void)[]): Promise<Times[]> {
  const watches = steps.map(() => new Stopwatch());
  const runs = steps.map((step) => async () => {
    using scope = device.scope("step");
    void scope;
    step();
    await device.finish();
  });
  for (const run of runs) await run(); // compiles
  for (let round = 0; round < 2 * rounds; round++) {
    for (const [i, run] of runs.entries()) await watches[i].time(run);
  }
  return watches.map(({ times }) => times);
}

/** Most bytes of tensors beyond those there before. */
async function peakBytes(device: Device, step: () => void): Promise<number> {
  const before = device.memory.liveBytes;
  device.resetPeakMemory();
  {
    using scope = device.scope("step");
    void scope;
    step();
  }
  await device.finish();
  return device.memory.peakBytes - before;
}

/** A ratio of times; on a software driver that of processor times, which other programs disturb less. */
function ratioBars(
  what: string,
  own: Times,
  other: Times,
  most: number,
  given: boolean | { readonly software: boolean; readonly share: number },
): Bar[] {
  const { software, share } = typeof given === "boolean" ? { software: given, share: 1 } : given;
  const ratio = software ? own.cpuMsMin / other.cpuMsMin : own.msMin / other.msMin;
  const bar = atMost(what, round(ratio / share), most);
  return [software ? bar : onIdleMachine(bar)];
}

/** Numbers between 0 and 1. */
function units(name: string, count: number): Float32Array {
  return hashed(name, count, { std: 1 / Math.sqrt(12), mean: 0.5 });
}

function tokens(device: Device, name: string, shape: readonly number[]): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  return device.tensor(Int32Array.from(units(name, count), (x) => Math.min(20, Math.floor(21 * x))), shape, "i32");
}
