import { add, mean, multiply } from "../../../ops/mod.ts";
import type { Tensor } from "../../../core/mod.ts";
import { Trainer } from "../../../finetune/mod.ts";
import { evoformerStack, type EvoformerStackParams, loadEvoformer } from "../../../model/evoformer/mod.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { alphafoldConfigOf, alphafoldDefaults } from "../../train/alphafold/options.ts";
import { agree, hashedParameter, hashedTensor } from "../hashed.ts";
import { Stopwatch } from "../measure.ts";
import { atMost, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import { EVOFORMER } from "./evoformer.ts";
import type { BenchContext } from "./mod.ts";

/** A crop of the reduced network's initial stage. */
const SIZES = { nSeq: 16, nRes: 64 } as const;
const LEARNING_RATE = 1e-4;

/**
 * A training step of the reduced AlphaFold's Evoformer blocks at a crop's sizes: forward, gradients of all parameters, Adam;
 * beside PyTorch's step of the same blocks with the same numbers.
 */
export async function* alphafoldStep({ device, rounds, torch, note }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  void scope;
  const { model, own } = alphafoldDefaults({ size: "reduced" });
  const { evoformer: config } = alphafoldConfigOf(model, own);
  const params = loadEvoformer(device, config, (path, shape) => hashedParameter(snakeCase(path), shape));
  const { nSeq, nRes } = SIZES;
  const m = hashedTensor(device, "m", [1, nSeq, nRes, config.cM]),
    z = hashedTensor(device, "z", [1, nRes, nRes, config.cZ]);
  const squares = (x: Tensor) => mean(multiply(x, x));
  using trainer = new Trainer<EvoformerStackParams, null>(device, {
    params,
    loss(params) {
      const out = evoformerStack(params, { m, z }, config);
      return add(squares(out.m), squares(out.z));
    },
    optimizer: { kind: "adam", learningRate: LEARNING_RATE, weightDecay: 0, eps: 1e-6 },
  });
  const losses = [(await trainer.step(null)).loss, (await trainer.step(null)).loss];
  const watch = new Stopwatch();
  let theirs: number | undefined, name: string | undefined, same: boolean | undefined;
  device.resetPeakMemory();
  for (let turn = 0; turn < rounds; turn++) {
    for (let i = 0; i < 3; i++) await watch.time(async () => void await trainer.step(null));
    if (!torch) continue;
    note(`  step of ${config.nBlock} reduced Evoformer blocks: ${torch.name}`);
    const sizes = {
      ...{ c_m: config.cM, c_z: config.cZ, c_msa: config.cHiddenMsaAtt, heads_msa: config.nHeadMsa },
      ...{ c_pair: config.cHiddenPairAtt, heads_pair: config.nHeadPair, c_opm: config.cHiddenOpm },
      ...{ c_mul: config.cHiddenMul, transition: config.transitionN },
    };
    const [record] = await torch.own(
      "torch_evoformer_step.py",
      ...["--sizes", Object.entries(sizes).map((pair) => pair.join("=")).join()],
      ...["--blocks", `${config.nBlock}`, "--n-seq", `${nSeq}`, "--n-res", `${nRes}`],
      ...["--learning-rate", `${LEARNING_RATE}`],
    );
    theirs = Math.min(theirs ?? Infinity, record.ms_min);
    [name, same] = [record.engine, agree(losses, record.checksum ?? [], 1e-3)];
  }
  const { times } = watch;
  const { software } = device.traits;
  const ratio = theirs && round(times.msMin / theirs);
  const most = software ? EVOFORMER.bars.timesTorch!.train : 1;
  yield {
    ...{ workload: "alphafold-step", dtype: "f32", mode: "train step" },
    sizes: { n_seq: nSeq, n_res: nRes, blocks: config.nBlock, c_m: config.cM, c_z: config.cZ },
    ...timeFields(times, { software }),
    ...{ peak_bytes: device.memory.peakAllocatedBytes, losses: losses.map(round) },
    ...(ratio && { peer: name, peer_ms_min: round(theirs!), ratio, agrees: same }),
    bars: ratio ? [onIdleMachine(atMost("times PyTorch eager", ratio, most))] : [],
  };
}
