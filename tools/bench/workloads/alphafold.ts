import { Key, type Tensor } from "../../../core/mod.ts";
import { alphafold as runAlphaFold, alphafoldConfig, confidence } from "../../../model/alphafold/mod.ts";
import { evoformerBlock, extraMsaBlock } from "../../../model/evoformer/mod.ts";
import { loadNetwork } from "../../predict/network.ts";
import { randomWeights } from "../../predict/random_weights.ts";
import { noiseFeatures } from "../../profile/workloads/alphafold_noise.ts";
import { namedShapes } from "../../weights/presets.ts";
import { timeOrFail } from "../block_peers.ts";
import { evoformerFlops } from "../flops.ts";
import { hashedTensor } from "../hashed.ts";
import { Stopwatch } from "../measure.ts";
import { atMost, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

const SIZES = { batch: 1, nRes: 64, nSeq: 32, nExtra: 64, nTemplates: 0 } as const;
/** Most time, in that of the network's blocks by themselves. */
const MOST = 1.25;
/** Most memory beside the weights, bytes. */
const MOST_BYTES = 100e6;

/**
 * An iteration of the full-size network with random weights, without templates and recycling, and its confidence; beside
 * 48 times one of its Evoformer blocks and 4 times one of its extra-MSA blocks.
 */
export async function* alphafold({ device, peers, rounds, note }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  void scope;
  const config = alphafoldConfig("model_1_ptm");
  const { params, held } = await loadNetwork(device, config, randomWeights(namedShapes(config), 1));
  const features = noiseFeatures(device, config, SIZES, Key.fromSeed(1));
  const { nRes, nSeq, nExtra } = SIZES;
  const { evoformer, extraMsa } = config;
  const m = hashedTensor(device, "m", [1, nSeq, nRes, config.cM]);
  const extra = hashedTensor(device, "extra", [1, nExtra, nRes, extraMsa!.cM]);
  const z = hashedTensor(device, "z", [1, nRes, nRes, config.cZ]);
  const steps = {
    network(): Tensor {
      const outputs = runAlphaFold(params, features, undefined, config, { msa: false, trajectory: false });
      return confidence(params.auxHeads, outputs, features.seqMask).plddt;
    },
    block: () => evoformerBlock(params.evoformer.blocks[0], { m, z }, evoformer),
    extra: () => extraMsaBlock(params.extraMsaStack!.blocks[0], { m: extra, z }, extraMsa!),
  };
  const times = (count: number, step: () => unknown) => async () => {
    for (let i = 0; i < count; i++) {
      using scope = device.scope("step");
      void scope;
      step();
    }
    await device.finish();
  };
  for (const step of [steps.block, steps.extra, steps.network]) await times(1, step)(); // compiles
  device.trim();
  const before = device.memory.allocatedBytes;
  device.resetPeakMemory();
  await times(1, steps.network)();
  const peakBytes = device.memory.peakAllocatedBytes, beside = peakBytes - before;
  const watches = { network: new Stopwatch(), block: new Stopwatch(), extra: new Stopwatch() };
  const torch = peers.find(({ name }) => name === "torch");
  let torchMs = Infinity, engine = "";
  for (let turn = 0; turn < rounds; turn++) {
    note(`  AlphaFold 2, N_res ${nRes}, and its blocks: turn ${turn + 1}`);
    for (const [name, step] of Object.entries(steps)) {
      const inner = name === "network" ? 1 : 8;
      for (let i = 0; i < 2; i++) await watches[name as keyof typeof steps].time(times(inner, step), inner);
    }
    const { records, failures } = torch
      ? await timeOrFail(torch, "evoformer", { nSeq, nRes }, ["forward"])
      : { records: [], failures: [] };
    for (const { error } of failures) note(`  PyTorch was not measured: ${error}`);
    for (const record of records) {
      torchMs = Math.min(torchMs, record.ms_min);
      engine = `${record.engine}, ${record.device}`;
    }
  }
  const { software } = device.traits;
  const own = watches.network.times, [block, rows] = [watches.block.times, watches.extra.times];
  const blocks = (of: "msMin" | "cpuMsMin") => evoformer.nBlock * block[of] + extraMsa!.nBlock * rows[of];
  const ratio = round(own.msMin / blocks("msMin"));
  const what = "times its blocks by themselves";
  yield {
    workload: "alphafold",
    sizes: { n_res: nRes, n_seq: nSeq, n_extra: nExtra, parameters_mb: Math.round(held.bytes / 1e6) },
    dtype: "f32",
    mode: "forward",
    ...timeFields(own, { flops: evoformer.nBlock * evoformerFlops(nSeq, nRes), software }),
    peak_bytes: peakBytes,
    peer: torch && torchMs < Infinity
      ? `its 48 + 4 blocks, ours; ${engine} takes ${round(48 * torchMs)} ms for the 48`
      : "its 48 + 4 blocks, ours",
    peer_ms_min: round(blocks("msMin")),
    ratio,
    bars: [
      onIdleMachine(atMost(what, ratio, MOST)),
      ...(software ? [atMost(`${what} by CPU time`, round(own.cpuMsMin / blocks("cpuMsMin")), MOST)] : []),
      atMost("bytes beside the weights", beside, MOST_BYTES),
    ],
  };
}
