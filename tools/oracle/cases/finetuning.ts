/** Adapters of low rank, whole runs of fine-tuning with them or without, and what goes with that. */
import { dirname, join } from "node:path";
import { combine, type Device, entries, partition, pullback, type Shape, type Tensor } from "../../../core/mod.ts";
import {
  ExponentialMovingAverage,
  isAdapter,
  labelHead,
  labelHeadConfig,
  type LabelHeadParams,
  learningRateFactor,
  loraLayers,
  loraScale,
  type ParameterGroup,
  type ScheduleKind,
  Trainer,
  withAdapters,
} from "../../../finetune/mod.ts";
import { alphafold, type AlphaFoldConfig, type AlphaFoldParams } from "../../../model/alphafold/mod.ts";
import { evoformerBlock, type EvoformerBlockParams, evoformerBlockShapes } from "../../../model/evoformer/mod.ts";
import { loadParams } from "../../../model/layers/params.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { linear, type LinearParams, mergedWeight, reshape, square, subtract } from "../../../ops/mod.ts";
import { hashed } from "../../bench/hashed.ts";
import { compare, type Comparison } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import { Golden, recordOf } from "../golden.ts";
import { EXACT, type Tolerance } from "../tolerance.ts";
import {
  alphafoldConfigOf,
  featuresOf,
  hashedAlphaFoldParameter,
  inputsOfIteration,
  inputsUnder,
} from "./_alphafold.ts";
import { differentiate, input, parameter } from "./_differentiate.ts";
import { load, namedShapes, weightsOf } from "./alphafold_model.ts";
import { batched, configOf } from "./evoformer.ts";

/** Name of a part of a parameter in the cases, where adapters have PyTorch's names. */
function goldenName(path: string): string {
  return snakeCase(path).replace(/^model\./, "").replace(/\.adapter\.down$/, ".lora_A").replace(
    /\.adapter\.up$/,
    ".lora_B",
  );
}

function goldenNames(results: Results): Results {
  return new Map([...results].map(([name, numbers]) => [goldenName(name), numbers]));
}

/** The adapters of a case by the names of their maps. */
function adaptersUnder(device: Device, golden: Golden, prefix: string, scale: number) {
  const names = golden.names(prefix).flatMap((name) =>
    name.endsWith(".lora_A") ? [name.slice(0, -".lora_A".length)] : []
  );
  const read = (name: string) => device.tensor(golden.data(prefix + name), golden.shape(prefix + name));
  return new Map(names.map((name) => [name, { down: read(`${name}.lora_A`), up: read(`${name}.lora_B`), scale }]));
}

const LORA_LINEAR: Family = {
  prefix: "lora_linear",
  matches: ({ description }) => description.group === "lora",
  async run(device, golden) {
    const scale = golden.number("scale");
    const x = input(device, golden, "x");
    const map = {
      weight: device.tensor(golden.data("param/lin.weight"), golden.shape("param/lin.weight")),
      bias: device.tensor(golden.data("param/lin.bias"), golden.shape("param/lin.bias")),
      adapter: adaptersUnder(device, golden, "param/", scale).get("lin")!,
    };
    const [trained, frozen] = partition<Tensor, LinearParams>(map, isAdapter);
    const results = await differentiate(
      device,
      golden,
      { params: { lin: trained as never }, inputs: { x } },
      ({ params, inputs }) => ({ y: linear(inputs.x, combine<Tensor, LinearParams>(params.lin, frozen)) }),
    );
    return goldenNames(results).set("out/merged_weight", await mergedWeight(map).read());
  },
};

const EVOFORMER_BLOCK: Family = {
  prefix: "evoformer_block_lora",
  matches: ({ description }) => description.group === "lora",
  async run(device, golden) {
    const config = configOf(golden, {});
    const scale = loraScale({ rank: 4, alpha: 8, rankStabilized: false });
    const base = loadParams(
      device,
      evoformerBlockShapes(config),
      (path, shape) => parameter(golden, path, shape),
    ) as EvoformerBlockParams;
    const whole = withAdapters(base, adaptersUnder(device, golden, "param/", scale));
    const [trained, frozen] = partition<Tensor, EvoformerBlockParams>(whole, isAdapter);
    const [m, z, msaMask, pairMask] = ["m", "z", "msa_mask", "pair_mask"].map((name) => batched(device, golden, name));
    const results = await differentiate(
      device,
      golden,
      { params: trained as never, inputs: { m, z } },
      ({ params, inputs: { m, z } }) => {
        const block = combine<Tensor, EvoformerBlockParams>(params, frozen);
        return { ...evoformerBlock(block, { m, z, msaMask, pairMask }, config) };
      },
    );
    return goldenNames(results);
  },
};

type Head = LabelHeadParams;
type Params = { readonly model: AlphaFoldParams; readonly head: Head };
type Sample = { readonly features: ReturnType<typeof featuresOf>; readonly label: number };

/** Prediction of the cases' head, which has no dropout. */
function predict(head: Head, s: Tensor, mask: Tensor): Tensor {
  const [hidden, cS] = head.linear_1.weight.shape;
  return reshape(labelHead(head, { s, mask }, labelHeadConfig(cS, { hidden, dropout: 0 })), []);
}

/** Which parameters are trained in which groups, by the strategy. */
function groupsOf(strategy: unknown, blocks: number): (ParameterGroup & { readonly learningRate: number })[] {
  const lr = 1e-4, decay = 0.95;
  const under = (prefix: string) => (path: string) => goldenName(path).startsWith(prefix);
  const head = { name: "head", has: under("head."), learningRate: 10 * lr };
  if (strategy === "lora") return [head, { name: "lora", has: isAdapter, learningRate: lr }];
  if (strategy === "partial") {
    return [{ name: "trunk", has: under(`evoformer.blocks.${blocks - 1}.`), learningRate: lr }, head];
  }
  if (strategy !== "full") {
    throw new TypeError(`the strategy is ${JSON.stringify(strategy)}, expected lora, partial or full`);
  }
  const block = (i: number) => ({
    ...{ name: `block_${i}`, has: under(`evoformer.blocks.${i}.`), learningRate: lr * decay ** (blocks - 1 - i) },
  });
  return [
    { name: "embedder", has: under("input_embedder."), learningRate: lr * decay ** blocks },
    ...Array.from({ length: blocks }, (_, i) => block(i)),
    { name: "structure_module", has: under("structure_module."), learningRate: lr },
    { name: "rest", has: (path) => !head.has(path), learningRate: lr },
    head,
  ];
}

/** The small network of the other cases, which these are trained from. */
async function baseOf(device: Device, golden: Golden): Promise<{ params: AlphaFoldParams; config: AlphaFoldConfig }> {
  const path = join(dirname(golden.file), "../../openfold/model/tiny_model_1_ptm");
  const model = new Golden(await Deno.readTextFile(`${path}.json`), await Deno.readFile(`${path}.safetensors`), path);
  const { preset, config_model } = model.description;
  const config = alphafoldConfigOf(String(preset), recordOf(config_model));
  const weights = await weightsOf(model, "tiny_model_1_ptm.pt", namedShapes(config));
  return { params: load(device, config, (name) => weights.get(name)), config };
}

const FINETUNE: Family = {
  prefix: "finetune",
  matches: ({ description }) => description.group === "lora" && typeof description.strategy === "string",
  async run(device, golden) {
    const { strategy, head_input, labels } = golden.description;
    using base = device.scope("base");
    void base;
    const { params: model, config } = await baseOf(device, golden);
    const read = (name: string) => device.tensor(golden.data(`in/init/${name}`), golden.shape(`in/init/${name}`));
    const map = (name: string) => ({ weight: read(`${name}.weight`), bias: read(`${name}.bias`) });
    const adapters = strategy === "lora" ? adaptersUnder(device, golden, "in/init/", 2) : new Map();
    const params: Params = {
      model: withAdapters(model, adapters),
      head: { linear_1: map("head.linear_1"), linear_2: map("head.linear_2") },
    };
    const groups = groupsOf(strategy, config.evoformer.nBlock);
    const [trained, frozen] = partition<Tensor, Params>(params, (path) => groups.some(({ has }) => has(path)));
    const samples = await samplesOf(device, golden, labels as number[]);
    const output = (params: Params, { features }: Sample) => {
      const { s, structure } = alphafold(params.model, features, undefined, config);
      return predict(params.head, head_input === "structure" ? structure.single : s, features.seqMask!);
    };
    const loss = (params: Params, sample: Sample) => {
      const label = device.tensor([sample.label], []);
      return square(subtract(output(params, sample), label));
    };
    using trainer = new Trainer<typeof trained, Sample>(device, {
      params: trained,
      loss: (trained, sample) => loss(combine<Tensor, Params>(trained, frozen), sample),
      optimizer: { groups, weightDecay: 0.01, maxNorm: 1, withoutGradient: "decay" },
      schedule: { kind: "cosine", warmup: 2, total: 6, min: 1e-6 },
      emaDecay: 0.9,
    });
    const results: Results = new Map();
    const put = async (prefix: string, tensors: Iterable<[string, Tensor]>) => {
      for (const [path, tensor] of tensors) {
        const name = `out/${prefix}/${goldenName(path)}`;
        if (golden.has(name)) results.set(name, await tensor.read());
      }
    };
    const validate = async () => {
      using _ = device.scope("validate");
      return await loss(combine<Tensor, Params>(trained, frozen), samples[4]).item();
    };
    const record: Record<string, number[]> = {
      micro_losses: [],
      grad_norm: [],
      lr: [],
      val_loss_ema: [],
      val_loss_live: [],
    };
    const steps = (recordOf(golden.description.record).grad_norm as number[]).length;
    for (let k = 1; k <= steps; k++) {
      using _ = device.scope("golden step");
      for (const i of [0, 1]) await trainer.accumulate(samples[(2 * (k - 1) + i) % 4], 1 / 2);
      await put(`grad${k}`, trainer.gradientsByPath());
      const { losses, gradNorm, learningRates } = await trainer.apply();
      record.micro_losses.push(...losses);
      record.grad_norm.push(gradNorm);
      record.lr.push(...Object.values(learningRates));
      await put(`step${k}`, entries<Tensor>(trained as never));
      if (k % 2 === 0) record.val_loss_live.push(await validate());
      using average = trainer.ema!.apply(trained as never);
      void average;
      await put(`ema${k}`, entries<Tensor>(trained as never));
      if (k % 2 === 0) record.val_loss_ema.push(await validate());
    }
    for (const [name, numbers] of Object.entries(record)) results.set(`record/${name}`, numbers);
    return results;
  },
  special(golden, results) {
    const scalars: Tolerance = { rtol: 1e-4, atol: 1e-7, atolOfMax: 0 };
    // Adam divides by a gradient's size, so that the rounding of the smallest shows: with the kernels of adapters without
    // subgroups, one element of all is 4.5e-5 of its tensor's way off, 1.5 times what the case allows; 1e-4 of it is none.
    const tensors = golden.results.filter((name) => /^out\/(step|ema)/.test(name)).map((name) => {
      const { max_move: way } = recordOf(recordOf(golden.description.tensors)[name]);
      return compare(name, results.get(name), golden.data(name), golden.tolerance(name), {
        floor: typeof way === "number" ? 1e-4 * way : 0,
      });
    });
    const record = Object.entries(recordOf(golden.description.record)).flatMap(([name, numbers]): Comparison[] => {
      const ours = results.get(`record/${name}`);
      if (!ours) return [];
      const tolerance = name === "lr" ? { rtol: 1e-8, atol: 0, atolOfMax: 0 } : scalars;
      return [compare(`record/${name}`, ours, (numbers as (number | number[])[]).flat(), tolerance)];
    });
    return [...tensors, ...record];
  },
};

async function samplesOf(device: Device, golden: Golden, labels: readonly number[]): Promise<Sample[]> {
  // Every case trains on the samples that stand in the first one.
  const path = join(dirname(golden.file), "finetune_lora");
  const first = golden.has("in/sample0/aatype")
    ? golden
    : new Golden(await Deno.readTextFile(`${path}.json`), await Deno.readFile(`${path}.safetensors`), path);
  return labels.map((label, i) => ({ features: featuresOf(inputsUnder(device, first, `sample${i}/`)), label }));
}

/** One step of adapters on the full-size network whose parameters are hashes of their names. */
const FULL_MODEL: Family = {
  prefix: "lora_step_model",
  matches: ({ source }) => /LoRA \+ affinity head/.test(source),
  async run(device, golden) {
    const path = join(dirname(golden.file), "model_1_ptm_hashed");
    const model = new Golden(await Deno.readTextFile(`${path}.json`), await Deno.readFile(`${path}.safetensors`), path);
    const { preset, config_model, salt = "" } = model.description;
    const config = alphafoldConfigOf(String(preset), recordOf(config_model));
    const base = load(device, config, (name, shape) => hashedAlphaFoldParameter(name, shape, String(salt)));
    const fill = (name: string, shape: Shape, std: number) =>
      device.tensor(hashed(String(salt) + name, shape.reduce((a, b) => a * b, 1), { std }), shape);
    const rank = 8;
    const adapters = new Map(
      loraLayers(base, { rank }).map(({ name, shape: [n, k] }) => [name, {
        down: fill(`${name}.lora_A`, [rank, k], 1 / Math.sqrt(k)),
        up: fill(`${name}.lora_B`, [n, rank], 0.05),
        scale: 2,
      }]),
    );
    const params: Params = {
      model: withAdapters(base, adapters),
      head: {
        linear_1: {
          weight: fill("head.linear_1.weight", [128, 384], 1 / Math.sqrt(384)),
          bias: fill("head.linear_1.bias", [128], 0.1),
        },
        linear_2: {
          weight: fill("head.linear_2.weight", [1, 128], 0.5 / Math.sqrt(128)),
          bias: fill("head.linear_2.bias", [1], 0.1),
        },
      },
    };
    const [trained, frozen] = partition<Tensor, Params>(params, (path) => isAdapter(path) || path.startsWith("head."));
    const features = featuresOf(inputsOfIteration(device, model, 0));
    const label = device.tensor([Number(golden.description.label)], []);
    const run = (trained: Params) => {
      const { model, head } = combine<Tensor, Params>(trained, frozen);
      const { s } = alphafold(model, features, undefined, config, { recompute: "block" });
      const prediction = predict(head, s, features.seqMask!);
      return { loss: square(subtract(prediction, label)), prediction, single: s };
    };
    const back = pullback<Params, ReturnType<typeof run>>(device, run, trained as never);
    const { loss, prediction, single } = back.output;
    const results: Results = new Map([
      ["out/loss", await loss.read()],
      ["out/prediction", await prediction.read()],
      ["out/single", await single.read()],
    ]);
    const grads = back.pullLeaves([device.tensor([1], []), null, null]);
    for (const [i, [path]] of entries<Tensor>(trained as never).entries()) {
      const name = goldenName(path);
      const grad = grads[i];
      if (grad) results.set(`grad_param/${name}`, await grad.read());
    }
    return results;
  },
  special(golden, results) {
    // The gradients of 48 blocks are smooth piece by piece alone: a tensor counts by its norm.
    const errors = recordOf(golden.description.grad_l2_lora);
    return golden.results.filter((name) => name.startsWith("grad_param/")).map((name) => {
      const expected = golden.data(name), ours = results.get(name);
      if (!ours) return compare(name, ours, expected, EXACT);
      const norm = (x: Iterable<number>) => Math.hypot(...x);
      const error = norm(Array.from(expected, (x, i) => x - ours[i])) / norm(expected);
      const listed = (errors[name.replace("grad_param/", "")] as number[] | undefined) ?? [0, 0, 0];
      const most = Math.max(1e-2, 5 * Math.max(listed[1], listed[2]));
      return { tensor: name, worst: error / most, detail: `its relative error is ${error}, at most ${most}` };
    });
  },
};

type Table = { kind: ScheduleKind; warmup: number; total: number; min: number; step: number[]; factor: number[] };

const CLOSE: Tolerance = { rtol: 1e-9, atol: 1e-12, atolOfMax: 0 };

const SCHEDULES: Family = {
  prefix: "schedules",
  matches: ({ description }) => Array.isArray(description.tables),
  run: () => new Map(),
  special: (golden) =>
    (golden.description.tables as Table[]).map(({ step, factor, ...schedule }, i) => {
      const ours = step.map((k) => learningRateFactor(k, schedule));
      return compare(`tables/${i}`, ours, factor, CLOSE);
    }),
};

type Target = { decay: number; start: number; target: number; n: number[]; value: number[] };
type Sequence = { decay: number; initial: number; values: number[]; shadow: number[] };

const EMA: Family = {
  prefix: "ema",
  matches: ({ description }) => Array.isArray(description.constant_target),
  async run(device, golden) {
    const results: Results = new Map();
    /** The averages after some of the steps. */
    const follow = async (decay: number, start: number, values: readonly number[], after: readonly number[]) => {
      const params = { x: device.tensor([start], [1]) };
      using ema = new ExponentialMovingAverage(device, params, decay);
      const shadows: number[] = [];
      for (const [i, value] of values.entries()) {
        if (value !== values[i - 1]) device.write(params.x, [value]);
        ema.update(params);
        if (after.includes(i + 1)) shadows.push((await ema.state())[0]);
      }
      return shadows;
    };
    for (const [i, { decay, start, target, n }] of (golden.description.constant_target as Target[]).entries()) {
      results.set(`constant/${i}`, await follow(decay, start, new Array<number>(n.at(-1)!).fill(target), n));
    }
    const { decay, initial, values } = golden.description.sequence as Sequence;
    return results.set("sequence", await follow(decay, initial, values, values.map((_, i) => i + 1)));
  },
  special: (golden, results) => [
    ...(golden.description.constant_target as Target[]).map(({ value }, i) =>
      compare(`constant/${i}`, results.get(`constant/${i}`), value, { rtol: 2e-5, atol: 0, atolOfMax: 0 })
    ),
    compare("sequence", results.get("sequence"), (golden.description.sequence as Sequence).shadow, {
      ...{ rtol: 1e-5, atol: 1e-7, atolOfMax: 0 },
    }),
  ],
};

/** Fine-tuning as PyTorch does it. */
export const FINETUNING: readonly Family[] = [LORA_LINEAR, EVOFORMER_BLOCK, FINETUNE, FULL_MODEL, SCHEDULES, EMA];
