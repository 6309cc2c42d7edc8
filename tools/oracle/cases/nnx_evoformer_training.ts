import { entries, type Tensor, valueAndGrad } from "../../../core/mod.ts";
import { Trainer } from "../../../finetune/mod.ts";
import {
  nnxEvoformerBlock,
  type NnxEvoformerParams,
  nnxEvoformerParamShapes,
  nnxEvoformerShapes,
  nnxLoss,
  type NnxRepresentations,
} from "../../../model/nnx_evoformer/mod.ts";
import { compare } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";
import type { Tolerance } from "../tolerance.ts";
import { input } from "./_differentiate.ts";
import { asFlax, configOf, flaxParams, isNnxEvoformer } from "./nnx_evoformer.ts";

/** The description states no tolerance for gradients; this is the one of the notebook's other cases. */
const GRADIENT: Tolerance = { rtol: 1e-3, atol: 0, atolOfMax: 1e-4 };

/** Some steps of the notebook's training, each on a batch of its own. */
export const NNX_EVOFORMER_TRAINING: Family = {
  prefix: "nnx_train_adam3",
  matches: isNnxEvoformer,
  async run(device, golden) {
    const config = configOf(golden);
    const shapes = nnxEvoformerParamShapes(config);
    const params = flaxParams<NnxEvoformerParams>(device, golden, nnxEvoformerShapes(config));
    const loss = (params: NnxEvoformerParams, batch: NnxRepresentations) =>
      nnxLoss(nnxEvoformerBlock(params, batch, config));
    const batch = (step: number) => ({
      msa: input(device, golden, `step${step}_msa`),
      pairs: input(device, golden, `step${step}_pairs`),
    });
    const results: Results = new Map();
    const read = async (prefix: string, tree: Readonly<Record<string, unknown>>) => {
      const numbers = new Map<string, ArrayLike<number>>();
      for (const [path, tensor] of entries<Tensor>(tree as never)) numbers.set(path, await tensor.read());
      for (const [name, data] of asFlax(numbers, shapes)) results.set(`${prefix}/${name}`, data);
    };
    const first = batch(0);
    await read("grad_param", valueAndGrad(device, (p) => loss(p, first), params).grads);
    const trainer = new Trainer<NnxEvoformerParams, NnxRepresentations>(device, {
      params,
      loss,
      optimizer: { kind: "adam", ...optimizerOf(golden) },
    });
    try {
      const losses: number[] = [];
      while (golden.has(`in/step${losses.length}_msa`)) {
        using _ = device.scope(`batch ${losses.length}`);
        losses.push((await trainer.step(batch(losses.length))).loss);
      }
      results.set("out/losses", losses);
      await read("out/final_param", params);
    } finally {
      trainer[Symbol.dispose]();
    }
    return results;
  },
  special(golden, results) {
    const { share, atol, elsewhere } = finalTolerance(golden);
    const all = (prefix: string) => golden.results.filter((name) => name.startsWith(prefix));
    const finals = all("out/final_param/");
    const join = (find: (name: string) => ArrayLike<number>) =>
      Float32Array.from(finals.flatMap((name) => Array.from(find(name))));
    const ours = join((name) => results.get(name) ?? golden.data(name).map(() => NaN));
    const near = { rtol: 0, atol, atolOfMax: 0, share, elsewhere }, far = { rtol: 0, atol: elsewhere, atolOfMax: 0 };
    const floor = 1e-6 * golden.largestGradient; // some gradients are zero but for rounding
    return [
      compare("out/final_param", ours, join((name) => golden.data(name)), near),
      ...finals.map((name) => compare(name, results.get(name), golden.data(name), far)),
      ...all("grad_param/").map((name) => compare(name, results.get(name), golden.data(name), GRADIENT, { floor })),
    ];
  },
};

/** `optax.adam(1e-3) b1=.9 b2=.999 eps=1e-8 …` */
function optimizerOf(golden: Golden): { learningRate: number; betas: [number, number]; eps: number } {
  const text = String(golden.config.optimizer);
  const found = /adam\((?<lr>[\d.e-]+)\)\s+b1=(?<b1>[\d.e-]+)\s+b2=(?<b2>[\d.e-]+)\s+eps=(?<eps>[\d.e-]+)/.exec(text);
  if (!found?.groups) {
    throw new TypeError(`config.optimizer is ${JSON.stringify(text)}, expected optax.adam(lr) b1=… b2=… eps=…`);
  }
  const { lr, b1, b2, eps } = found.groups;
  return { learningRate: Number(lr), betas: [Number(b1), Number(b2)], eps: Number(eps) };
}

/** `abs 1e-4 for >=99% of entries; entries with … may differ by up to 3*lr` */
function finalTolerance(golden: Golden): { share: number; atol: number; elsewhere: number } {
  const text = golden.toleranceText("final_params") ?? "";
  const found = /abs ([\d.e-]+) for >=([\d.]+)% of entries.* up to ([\d.]+)\*lr/.exec(text);
  if (!found) throw new SyntaxError(`the tolerance "${text}" of final_params is none that is understood`);
  const [atol, percent, rates] = found.slice(1).map(Number);
  return { atol, share: percent / 100, elsewhere: rates * optimizerOf(golden).learningRate };
}
