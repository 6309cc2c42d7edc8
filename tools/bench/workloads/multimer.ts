import { Key, type Tensor } from "../../../core/mod.ts";
import { alphafold as runAlphaFold, alphafoldConfig, confidence } from "../../../model/alphafold/mod.ts";
import { memoryNeed } from "../../predict/fit_memory.ts";
import { loadNetwork } from "../../predict/network.ts";
import { randomWeights } from "../../predict/random_weights.ts";
import { noiseFeatures } from "../../profile/workloads/alphafold_noise.ts";
import { namedShapes } from "../../weights/presets.ts";
import { Stopwatch } from "../measure.ts";
import { atMost, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

const SIZES = { batch: 1, nRes: 64, nSeq: 32, nExtra: 64 } as const;
/** Residues and rows whose memory is planned. */
const PLANNED = { residues: 384, clusters: 512, extra: 1024 } as const;
const PART_BYTES = 2 ** 27;
/** Most time, in that of the network for single chains. */
const MOST = 1.15;
/** Most memory beside the weights, likewise. */
const MOST_MEMORY = 1.05;

/**
 * An iteration of the full-size network for complexes on two chains of 32 residues, with random weights and an empty place
 * for templates, as it is predicted without any; beside that for single chains on 64 residues with the same rows. And the
 * memory beside the weights that both need for 384 residues.
 */
export async function* multimer({ device, rounds, note }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  void scope;
  const { traits } = device;
  const chains = { single: 1, complex: 2 }, places = { single: 0, complex: 1 };
  const configs = { single: alphafoldConfig("model_1_ptm"), complex: alphafoldConfig("model_1_multimer_v3") };
  const names = ["single", "complex"] as const;
  const watches = { single: new Stopwatch(), complex: new Stopwatch() };
  const steps: Partial<Record<typeof names[number], () => Tensor>> = {};
  for (const name of names) {
    const config = configs[name];
    const { params } = await loadNetwork(device, config, randomWeights(namedShapes(config), 1));
    const sizes = { ...SIZES, nTemplates: places[name], chains: chains[name] };
    const features = noiseFeatures(device, config, sizes, Key.fromSeed(1));
    steps[name] = () => {
      const outputs = runAlphaFold(params, features, undefined, config, { msa: false, trajectory: false });
      return confidence(params.auxHeads, outputs, features.seqMask, features.asymId).plddt;
    };
  }
  const once = (step: () => unknown) => async () => {
    using scope = device.scope("step");
    void scope;
    step();
    await device.finish();
  };
  for (const name of names) await once(steps[name]!)(); // compiles
  for (let turn = 0; turn < rounds; turn++) {
    note(`  ${SIZES.nRes} residues in one chain and in two: turn ${turn + 1}`);
    for (const name of names) for (let i = 0; i < 2; i++) await watches[name].time(once(steps[name]!));
  }
  const [single, complex] = names.map((name) => watches[name].times);
  const beside = names.map((name) => {
    const need = memoryNeed(traits, configs[name], { ...PLANNED, templates: places[name] }, PART_BYTES);
    return need.peakBytes - need.weightBytes;
  });
  const ratio = round(complex.msMin / single.msMin), what = "times one chain of as many residues";
  yield {
    workload: "multimer",
    sizes: { n_res: SIZES.nRes, chains: 2, n_seq: SIZES.nSeq, n_extra: SIZES.nExtra },
    dtype: "f32",
    mode: "forward",
    ...timeFields(complex, { software: traits.software }),
    peak_bytes: null,
    peer: "the network for single chains, ours",
    peer_ms_min: round(single.msMin),
    ratio,
    bars: [
      onIdleMachine(atMost(what, ratio, MOST)),
      ...(traits.software ? [atMost(`${what} by CPU time`, round(complex.cpuMsMin / single.cpuMsMin), MOST)] : []),
      atMost(
        `memory beside the weights, times that of one chain, N_res ${PLANNED.residues}`,
        round(beside[1] / beside[0]),
        MOST_MEMORY,
      ),
    ],
  };
}
