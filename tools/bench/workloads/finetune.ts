/** What fine-tuning costs beside what it cannot do without. */
import { combine, Key, mapTree, type Part, partition, type Tensor, valueAndGrad } from "../../../core/mod.ts";
import {
  addLora,
  FineTuner,
  FIT_DEFAULTS,
  initTaskHeads,
  isAdapter,
  labelHeadConfig,
  Optimizer,
  parameterCountOf,
  strategyOf,
  Trainer,
} from "../../../finetune/mod.ts";
import { alphafoldConfig, type AlphaFoldParams, alphafoldShapes } from "../../../model/alphafold/mod.ts";
import {
  evoformerConfig,
  evoformerStack,
  type EvoformerStackParams,
  loadEvoformer,
} from "../../../model/evoformer/mod.ts";
import { packProjections } from "../../../model/layers/packed_linear.ts";
import type { ParamShape } from "../../../model/layers/params.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { mean, square } from "../../../ops/mod.ts";
import { knownSet } from "../../finetune/known_set.ts";
import { hashedParameter, hashedTensor } from "../hashed.ts";
import { Stopwatch } from "../measure.ts";
import { atMost, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

/** The reduced trunk: channels of both representations, blocks, residues, rows of the alignment. */
const TRUNK = { channels: 64, nBlock: 8, nRes: 64, nSeq: 16 };
const RANK = 8;
/** Most time of a step that trains adapters, in the way there and back of the same trunk without any parameter's gradient. */
const MOST_LORA = 1.15;

/** A training step of adapters on queries and values, beside the way there and back of the trunk they are on. */
export async function* lora({ device, rounds, note }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  void scope;
  const { channels, nBlock, nRes, nSeq } = TRUNK;
  const config = evoformerConfig({ cM: channels, cZ: channels, nBlock });
  const base = packProjections(
    loadEvoformer(device, config, (path, shape) => hashedParameter(snakeCase(path), shape)) as EvoformerStackParams,
  );
  const m = hashedTensor(device, "m", [1, nSeq, nRes, channels]);
  const z = hashedTensor(device, "z", [1, nRes, nRes, channels]);
  type Inputs = { readonly m: Tensor; readonly z: Tensor };
  const loss = (params: EvoformerStackParams, inputs: Inputs) => {
    const { s } = evoformerStack(params, inputs, config);
    return mean(square(s));
  };
  const [trained, frozen] = partition<Tensor, EvoformerStackParams>(
    addLora(base, Key.fromSeed(1), { within: "blocks.**", rank: RANK }),
    isAdapter,
  );
  using trainer = new Trainer<Part<Tensor, EvoformerStackParams>, Inputs>(device, {
    params: trained,
    loss: (trained, inputs) => loss(combine<Tensor, EvoformerStackParams>(trained, frozen), inputs),
    optimizer: { learningRate: 1e-4, maxNorm: 1 },
    emaDecay: 0.999,
  });
  const steps: Readonly<Record<string, () => Promise<unknown>>> = {
    frozen: async () => {
      using _ = device.scope("step");
      const { value } = valueAndGrad<Inputs>(device, (inputs) => loss(base, inputs), { m, z });
      await value.item();
    },
    adapters: () => trainer.step({ m, z }),
  };
  const watches = { frozen: new Stopwatch(), adapters: new Stopwatch() };
  const peaks: Record<string, number> = {};
  for (const [name, step] of Object.entries(steps)) { // compiles
    device.resetPeakMemory();
    await step();
    peaks[name] = device.memory.peakAllocatedBytes;
  }
  for (let turn = 0; turn < rounds; turn++) {
    note(`  a trunk of ${nBlock} blocks, frozen and with adapters of rank ${RANK}: turn ${turn + 1}`);
    for (let i = 0; i < 3; i++) {
      await watches.frozen.time(steps.frozen as () => Promise<void>);
      await watches.adapters.time(async () => void await steps.adapters());
    }
  }
  const { software } = device.traits;
  const [without, times] = [watches.frozen.times, watches.adapters.times];
  const sizes = { blocks: nBlock, c_m: channels, c_z: channels, n_res: nRes, n_seq: nSeq };
  yield {
    workload: "lora",
    sizes,
    dtype: "f32",
    mode: "forward and backward of the frozen trunk",
    ...timeFields(without, { software }),
    peak_bytes: peaks.frozen,
  };
  const what = "times the frozen trunk";
  const ratio = round(times.msMin / without.msMin);
  yield {
    workload: "lora",
    sizes: { ...sizes, rank: RANK, parameters: parameterCountOf(trained) },
    dtype: "f32",
    mode: "step of adapters on queries and values",
    ...timeFields(times, { software }),
    peak_bytes: peaks.adapters,
    ratio,
    bars: [
      onIdleMachine(atMost(what, ratio, MOST_LORA)),
      ...(software ? [atMost(`${what} by CPU time`, round(times.cpuMsMin / without.cpuMsMin), MOST_LORA)] : []),
    ],
  };
}

/** Proteins of a set whose representations are known, and their residues. */
const KNOWN = { targets: 500, nRes: 300 };
/** Most time of an epoch over them. */
const MOST_EPOCH_MS = 5000;

/** An epoch of a head alone, whose representations are in memory, as they are from the second epoch on. */
export async function* headOnly({ device, rounds, note }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  void scope;
  const { targets, nRes } = KNOWN;
  const network = alphafoldConfig("model_1_ptm");
  const tasks = { affinity: { head: labelHeadConfig(network.cS) } };
  const known = Array.from({ length: targets }, (_, i) => Key.fromSeed(i).normal(nRes * network.cS));
  const watch = new Stopwatch();
  const params = { model: {} as AlphaFoldParams, heads: initTaskHeads(device, tasks, Key.fromSeed(1)) };
  const config = { network, tasks, headInput: "evoformer" as const };
  const labelled = (i: number) => ({ labels: { affinity: [i % 7] } });
  const set = {
    size: targets,
    labelled,
    load: (i: number) => ({ input: { s: device.tensor(known[i], [1, nRes, network.cS]) }, ...labelled(i) }),
  };
  const ofRun = known.map((_, i) => ({ id: `${i}`, load: () => Promise.reject(new TypeError("there is no network")) }));
  using tuner = new FineTuner(device, {
    ...{ params, config },
    strategy: strategyOf("head_only", network.evoformer.nBlock),
    settings: { ...FIT_DEFAULTS, epochs: rounds + 1 },
    train: knownSet(device, params, config, set, ofRun),
  });
  let epochs = 0;
  const epoch = async () => void await tuner.run({ epoch: () => void epochs++, stop: () => epochs > wanted });
  let wanted = 0;
  await epoch(); // compiles
  for (let turn = 0; turn < rounds; turn++) {
    note(`  an epoch of a head over ${targets} proteins of ${nRes} residues: turn ${turn + 1}`);
    wanted++;
    await watch.time(epoch);
  }
  const { times } = watch;
  yield {
    workload: "head-only",
    sizes: { targets, n_res: nRes },
    dtype: "f32",
    mode: "epoch over known representations",
    ...timeFields(times, { software: device.traits.software }),
    peak_bytes: device.memory.peakAllocatedBytes,
    bars: [
      onIdleMachine(atMost("ms an epoch", round(times.msMin), MOST_EPOCH_MS)),
      ...(device.traits.software ? [atMost("CPU ms an epoch", round(times.cpuMsMin), MOST_EPOCH_MS)] : []),
    ],
  };
}

/** Most time of an optimizer's step, in that of copying parameters, gradients and both moments once. */
const MOST_OPTIMIZER = 2.5;

/** A step of AdamW over as many parameters as AlphaFold 2 has, beside copying what it reads. */
export async function* optimizer({ device, rounds, note }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  void scope;
  const shapes = alphafoldShapes(alphafoldConfig("model_1_ptm"));
  const params = mapTree<ParamShape, Tensor>(shapes, ({ shape }) => device.zeros(shape));
  using adam = new Optimizer(device, params, { maxNorm: 1 });
  const size = adam.bytes / 8;
  const [g, other] = [device.zeros([size]), device.zeros([size])];
  const step = async () => {
    {
      using _ = device.scope("step");
      adam.apply(g, () => true);
    }
    await device.finish();
  };
  const copies = async () => {
    for (let i = 0; i < 2; i++) {
      device.copy(g, other);
      device.copy(other, g);
    }
    await device.finish();
  };
  await step();
  await copies();
  const watches = { step: new Stopwatch(), copies: new Stopwatch() };
  for (let turn = 0; turn < rounds; turn++) {
    note(`  AdamW over ${size} numbers, and copies of them: turn ${turn + 1}`);
    for (let i = 0; i < 3; i++) {
      await watches.step.time(step);
      await watches.copies.time(copies);
    }
  }
  const { times } = watches.step, copied = watches.copies.times;
  const ratio = round(times.msMin / copied.msMin);
  yield {
    workload: "optimizer",
    sizes: { parameters: parameterCountOf(params) },
    dtype: "f32",
    mode: "AdamW step",
    ...timeFields(times, { software: device.traits.software }),
    peak_bytes: device.memory.peakAllocatedBytes,
    peer: "copies of parameters, gradients and moments",
    peer_ms_min: round(copied.msMin),
    ratio,
    bars: [onIdleMachine(atMost("times copying all once", ratio, MOST_OPTIMIZER))],
  };
}
