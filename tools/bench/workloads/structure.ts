import { pullback, type Tensor } from "../../../core/mod.ts";
import { evoformerBlock, evoformerConfig, loadEvoformer } from "../../../model/evoformer/mod.ts";
import { loadStructureModule, structureConfig, structureModule } from "../../../model/alphafold/structure/mod.ts";
import { RESIDUE_TYPES } from "../../../model/protein/residue_constants.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { MODES, type Pass } from "../block_peers.ts";
import { structureModuleFlops } from "../flops.ts";
import { hashedParameter, hashedTensor } from "../hashed.ts";
import { Stopwatch } from "../measure.ts";
import { atMost, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

const N_RES = 256;
/** Sequences of the Evoformer block beside it. */
const N_SEQ = 128;
/** Most time of the way there, in the block's. */
const MOST = 0.5;

/** AlphaFold 2's structure module, all iterations, beside one Evoformer block of the same number of residues. */
export async function* structure({ device, rounds, note }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  void scope;
  const config = structureConfig();
  const params = loadStructureModule(device, config, (path, shape) => hashedParameter(snakeCase(path), shape));
  const s = hashedTensor(device, "s", [1, N_RES, config.cS]),
    z = hashedTensor(device, "z", [1, N_RES, N_RES, config.cZ]);
  const types = Int32Array.from({ length: N_RES }, (_, i) => i % RESIDUE_TYPES);
  const aatype = device.tensor(types, [1, N_RES], "i32");
  type Primals = { readonly inputs: { readonly s: Tensor; readonly z: Tensor }; readonly params: typeof params };
  const run = ({ inputs, params }: Primals) => structureModule(params, { ...inputs, aatype }, config).last.positions;
  const primals: Primals = { inputs: { s, z }, params };
  const steps: Record<Pass, () => unknown> = {
    forward: () => run(primals),
    train() {
      const back = pullback(device, run, primals);
      return back.pullLeaves([back.output]);
    },
  };
  const blockConfig = evoformerConfig({ nBlock: 1 });
  const find = (path: string, shape: readonly number[]) => hashedParameter(snakeCase(path), shape);
  const [block] = loadEvoformer(device, blockConfig, find).blocks;
  const m = hashedTensor(device, "m", [1, N_SEQ, N_RES, blockConfig.cM]);
  const beside = () => evoformerBlock(block, { m, z }, blockConfig);

  const once = (step: () => unknown) => async () => {
    {
      using scope = device.scope("step");
      void scope;
      step();
    }
    await device.finish();
  };
  const watches = { forward: new Stopwatch(), train: new Stopwatch(), block: new Stopwatch() };
  const peaks: Partial<Record<Pass, number>> = {};
  for (const pass of ["forward", "train"] as const) { // compiles
    device.resetPeakMemory();
    await once(steps[pass])();
    peaks[pass] = device.memory.peakAllocatedBytes;
  }
  await once(beside)();
  for (let turn = 0; turn < rounds; turn++) {
    note(`  structure module, N_res ${N_RES}, and an Evoformer block of ${N_SEQ} sequences: turn ${turn + 1}`);
    for (let i = 0; i < 3; i++) await watches.forward.time(once(steps.forward));
    await watches.train.time(once(steps.train));
    await watches.block.time(once(beside));
  }
  const blockTimes = watches.block.times;
  const { software } = device.traits;
  for (const pass of ["forward", "train"] as const) {
    const { times } = watches[pass];
    const ratio = round(times.msMin / blockTimes.msMin);
    const what = "times an Evoformer block";
    yield {
      workload: "structure module",
      sizes: { n_res: N_RES, iterations: config.nBlock },
      dtype: "f32",
      mode: MODES[pass],
      ...timeFields(times, { flops: structureModuleFlops(N_RES) * (pass === "train" ? 3 : 1), software }),
      peak_bytes: peaks[pass] ?? null,
      peer: `our Evoformer block, ${N_SEQ} sequences, forward`,
      peer_ms_min: round(blockTimes.msMin),
      ratio,
      bars: pass === "train" ? [] : [
        onIdleMachine(atMost(what, ratio, MOST)),
        ...(software ? [atMost(`${what} by CPU time`, round(times.cpuMsMin / blockTimes.cpuMsMin), MOST)] : []),
      ],
    };
  }
}
