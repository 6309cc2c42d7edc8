import { entries, type Tensor } from "../../../core/mod.ts";
import { Trainer } from "../../../finetune/mod.ts";
import {
  trunk2021,
  trunk2021DistogramLoss,
  trunk2021Edges,
  type Trunk2021Params,
  trunk2021Shapes,
} from "../../../model/trunk2021/mod.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { compare } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";
import { EXACT } from "../tolerance.ts";
import { input } from "./_differentiate.ts";
import { isTrunk2021 } from "./_distance_geometry.ts";
import { finalParameters } from "./tiny_openfold_training.ts";
import { configOf, goldenParams } from "./trunk2021.ts";

/** What the description calls the tolerance of the small Evoformer's training. */
const FINAL = "abs err < 2e-4 for >=99% of entries, and < 20*lr*1e-1 elsewhere";

/** A pair that the original's loss passes over. */
const IGNORED = -100;

type Batch = { readonly seq: Tensor; readonly mask: Tensor; readonly distances: Tensor; readonly known: Tensor };

/** Å between all pairs of atoms, and 1 where both are there. */
function pairsOf(golden: Golden, name: string): { distances: Float32Array; known: Float32Array } {
  const at = golden.data64(`in/${name}_coords`), mask = golden.data(`in/${name}_mask`);
  const n = mask.length;
  const pairs = Array.from({ length: n * n }, (_, k) => [Math.floor(k / n), k % n] as const);
  const distance = ([i, j]: readonly [number, number]) =>
    Math.hypot(...[0, 1, 2].map((axis) => at[3 * i + axis] - at[3 * j + axis]));
  return {
    distances: Float32Array.from(pairs, distance),
    known: Float32Array.from(pairs, ([i, j]) => mask[i] * mask[j]),
  };
}

/** The bin of every pair, as the original's loss takes it. */
function buckets({ distances, known }: { distances: Float32Array; known: Float32Array }): number[] {
  const edges = trunk2021Edges();
  return Array.from(distances, (d, k) => (known[k] ? edges.filter((edge) => edge < d).length : IGNORED));
}

/** Some steps of the original's training script; gradients of the batches of a step are summed. */
export const TRUNK_2021_TRAINING: Family = {
  prefix: "luc_train_pre",
  matches: isTrunk2021,
  async run(device, golden) {
    const config = configOf(golden);
    const params = goldenParams<Trunk2021Params>(device, golden, trunk2021Shapes(config));
    const trainer = new Trainer<Trunk2021Params, Batch>(device, {
      params,
      loss: (params, { seq, mask, distances, known }) =>
        trunk2021DistogramLoss(trunk2021(params, { seq, mask }, config), distances, known),
      optimizer: { kind: "adam", learningRate: golden.number("lr"), weightDecay: 0 },
    });
    try {
      const results: Results = new Map();
      const losses: number[] = [];
      for (let step = 0; step < golden.number("steps"); step++) {
        using _ = device.scope(`step ${step}`);
        for (let batch = 0; batch < golden.number("accumulate"); batch++) {
          const name = `s${step}a${batch}`;
          const pairs = pairsOf(golden, name);
          results.set(`out/${name}_buckets`, buckets(pairs));
          const shape = [1, ...golden.shape(`in/${name}_mask`).slice(1), golden.shape(`in/${name}_mask`)[1]];
          await trainer.accumulate({
            seq: input(device, golden, `${name}_seq`, "i32"),
            mask: input(device, golden, `${name}_mask`),
            distances: device.tensor(pairs.distances, shape),
            known: device.tensor(pairs.known, shape),
          });
        }
        losses.push(...(await trainer.apply()).losses);
      }
      results.set("out/losses", losses);
      for (const [path, tensor] of entries<Tensor>(params)) {
        results.set(`out/final_param/${snakeCase(path)}`, await tensor.read());
      }
      return results;
    } finally {
      trainer[Symbol.dispose]();
    }
  },
  special(golden, results) {
    const named = (pattern: RegExp) => golden.results.filter((name) => pattern.test(name));
    return [
      ...named(/_buckets$/).map((name) => compare(name, results.get(name), golden.data(name), EXACT)),
      ...finalParameters(golden, results, named(/^out\/final_param\//), FINAL),
    ];
  },
};
