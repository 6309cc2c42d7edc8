import { pullback, type Tensor } from "../../../core/mod.ts";
import {
  evoformerConfig,
  loadEvoformer,
  triangleAttentionStartingNode,
  triangleMultiplicationOutgoing,
} from "../../../model/evoformer/mod.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { MODES, type Pass } from "../block_peers.ts";
import { triangleAttentionFlops, triangleMultiplicationFlops } from "../flops.ts";
import { hashedParameter, hashedTensor } from "../hashed.ts";
import { Stopwatch, timeQueued, type Times } from "../measure.ts";
import { atMost, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

const SIZES = [64, 128, 192];
const PASSES: readonly Pass[] = ["forward", "train"];
/** Most time, in what the operations predict from the smallest size. */
const MOST = 1.3;

/** How the time of the triangle modules grows with the number of residues, beside how their operations do. */
export async function* triangle({ device, rounds }: BenchContext): AsyncIterable<Measurement> {
  using scope = device.scope("bench");
  void scope;
  const config = evoformerConfig({ nBlock: 1 });
  const [block] = loadEvoformer(device, config, (path, shape) => hashedParameter(snakeCase(path), shape)).blocks;
  const { triAttStart } = block.pairStack;
  const triMulOut = block.pairStack.triMulOut!; // this configuration has triangles
  type Primals<P> = { readonly z: Tensor; readonly params: P };
  const multiplication = ({ z, params }: Primals<typeof triMulOut>) =>
    triangleMultiplicationOutgoing(params, z, { residual: z });
  const attention = ({ z, params }: Primals<typeof triAttStart>) =>
    triangleAttentionStartingNode(params, z, { nHead: config.nHeadPair, residual: z });
  const modules = [
    {
      workload: "triangle multiplication",
      flops: triangleMultiplicationFlops,
      forward: (z: Tensor) => void multiplication({ z, params: triMulOut }),
      train: (z: Tensor) => void pullback(device, multiplication, { z, params: triMulOut }).pullLeaves([z]),
    },
    {
      workload: "triangle attention",
      flops: triangleAttentionFlops,
      forward: (z: Tensor) => void attention({ z, params: triAttStart }),
      train: (z: Tensor) => void pullback(device, attention, { z, params: triAttStart }).pullLeaves([z]),
    },
  ];
  const inputs = SIZES.map((n) => hashedTensor(device, "z", [1, n, n, config.cZ]));
  for (const { workload, flops, ...passes } of modules) {
    for (const pass of PASSES) {
      const watches = SIZES.map(() => new Stopwatch());
      for (const z of inputs) await timeQueued(device, () => passes[pass](z), new Stopwatch()); // compiles
      for (let round = 0; round < rounds; round++) {
        for (const [i, z] of inputs.entries()) await timeQueued(device, () => passes[pass](z), watches[i]);
      }
      const measured = watches.map(({ times }) => times);
      for (const [i, n] of SIZES.entries()) {
        const { software } = device.traits;
        const growth = (of: (times: Times) => number) =>
          round(of(measured[i]) / of(measured[0]) / (flops(n) / flops(SIZES[0])));
        yield {
          workload,
          sizes: { n_res: n },
          dtype: "f32",
          mode: MODES[pass],
          ...timeFields(measured[i], { flops: flops(n) * (pass === "train" ? 3 : 1), software }),
          peak_bytes: null,
          bars: i === 0 ? [] : [
            onIdleMachine(atMost(`times what FLOPs predict from ${SIZES[0]}`, growth(({ msMin }) => msMin), MOST)),
            ...(software ? [atMost("the same by CPU time", growth(({ cpuMsMin }) => cpuMsMin), MOST)] : []),
          ],
        };
      }
    }
  }
}
