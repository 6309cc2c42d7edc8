import { entries, type Tensor } from "../../../core/mod.ts";
import { type OptimizerOptions, Trainer } from "../../../finetune/mod.ts";
import { distanceLoss, tinyOpenFold, type TinyOpenFoldParams } from "../../../model/tiny_openfold/mod.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { compare, type Comparison } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import { type Golden, recordOf } from "../golden.ts";
import { input } from "./_differentiate.ts";
import { configOf, isTinyOpenFold, modelParams } from "./tiny_openfold.ts";

/** The description states no tolerance for the moments: the first is an average of gradients, the second of squares. */
const FIRST_MOMENT = { rtol: 1e-3, atol: 0, atolOfMax: 1e-4 };
const SECOND_MOMENT = { rtol: 2e-3, atol: 0, atolOfMax: 2e-4 };

type Batch = { readonly msaTokens: Tensor; readonly pairFeatures: Tensor; readonly target: Tensor };

/** Some steps of training with Adam or AdamW. */
export const TINY_OPENFOLD_TRAINING: Family = {
  prefix: "tof_train",
  matches: isTinyOpenFold,
  async run(device, golden) {
    const config = configOf(golden);
    const params = modelParams(device, golden, config);
    const trainer = new Trainer<TinyOpenFoldParams, Batch>(device, {
      params,
      loss: (params, { target, ...inputs }) => distanceLoss(tinyOpenFold(params, inputs, config).distances, target),
      optimizer: optimizerOf(golden),
    });
    try {
      const losses: number[] = [], gradNorms: number[] = [];
      for (let step = 0; step < golden.number("steps"); step++) {
        using batch = device.scope(`batch ${step}`);
        const { loss, gradNorm } = await trainer.step({
          msaTokens: input(device, golden, `step${step}_msa_tokens`, "i32"),
          pairFeatures: input(device, golden, `step${step}_pair_features`),
          target: input(device, golden, `step${step}_target_distances`),
        });
        void batch;
        losses.push(loss);
        gradNorms.push(gradNorm);
      }
      const results: Results = new Map([["out/losses", losses], ["out/grad_norms", gradNorms]]);
      const { optimizer: { m, v } } = await trainer.state();
      let offset = 0;
      for (const [path, tensor] of entries<Tensor>(params)) {
        const name = snakeCase(path);
        results.set(`out/final_param/${name}`, await tensor.read() as Float32Array);
        results.set(`out/exp_avg/${name}`, m.subarray(offset, offset + tensor.size));
        results.set(`out/exp_avg_sq/${name}`, v.subarray(offset, offset + tensor.size));
        offset += Math.ceil(tensor.size / 4) * 4;
      }
      return results;
    } finally {
      trainer[Symbol.dispose]();
    }
  },
  special(golden, results) {
    const named = (prefix: string) => golden.results.filter((name) => name.startsWith(`out/${prefix}/`));
    const moments = ([["exp_avg", FIRST_MOMENT], ["exp_avg_sq", SECOND_MOMENT]] as const).flatMap(
      ([prefix, tolerance]) =>
        named(prefix).map((name) => compare(name, results.get(name), golden.data(name), tolerance)),
    );
    return [...moments, ...finalParameters(golden, results, named("final_param"))];
  },
};

/** The tolerance allows a share of all parameters to be farther away, so they are compared as one long list too. */
export function finalParameters(
  golden: Golden,
  results: Results,
  names: readonly string[],
  text: string | undefined = golden.toleranceText("final_params"),
): Comparison[] {
  if (text === undefined) throw new SyntaxError("the description states no tolerance for final_params");
  const { share, elsewhere, ...near } = golden.parseTolerance(text);
  const each = names.map((name) => {
    const far = elsewhere === undefined ? near : { rtol: 0, atol: elsewhere, atolOfMax: 0 };
    return compare(name, results.get(name), golden.data(name), far);
  });
  if (share === undefined) return each;
  const join = (find: (name: string) => ArrayLike<number>) =>
    Float32Array.from(names.flatMap((name) => Array.from(find(name))));
  const actual = join((name) => results.get(name) ?? golden.data(name).map(() => NaN));
  const all = compare("out/final_param", actual, join((name) => golden.data(name)), { ...near, share, elsewhere });
  return [...each, all];
}

function optimizerOf(golden: Golden): OptimizerOptions {
  const { kind, lr, weight_decay: weightDecay, betas, eps } = recordOf(golden.config.optimizer);
  const clip = golden.config.grad_clip;
  if (kind !== "AdamW" && kind !== "Adam") {
    throw new TypeError(`config.optimizer.kind is ${JSON.stringify(kind)}, expected "AdamW" or "Adam"`);
  }
  if (![lr, weightDecay, eps].every((x) => typeof x === "number") || !Array.isArray(betas) || betas.length !== 2) {
    throw new TypeError("config.optimizer must have the numbers lr, weight_decay, eps and two betas");
  }
  return {
    kind: kind === "AdamW" ? "adamw" : "adam",
    learningRate: Number(lr),
    weightDecay: Number(weightDecay),
    eps: Number(eps),
    betas: [Number(betas[0]), Number(betas[1])],
    ...(typeof clip === "number" ? { maxNorm: clip } : {}),
  };
}
