/** AlphaFold 2 with heads for labels: predictions, and the loss that fine-tuning follows. */
import { type Device, type Key, type Part, partition, type Tensor } from "../core/mod.ts";
import {
  alphafold,
  type AlphaFoldConfig,
  type AlphaFoldFeatures,
  type AlphaFoldParams,
  alphafoldRepresentations,
  recycleForTraining,
  type Samples,
} from "../model/alphafold/mod.ts";
import type { Recompute } from "../model/evoformer/pair_stack.ts";
import { concat, reshape } from "../ops/mod.ts";
import type { LabelHeadInputs } from "./heads/label_head.ts";
import { checkTasks, predictTasks, type TaskHeads, type TaskLabels, taskLoss, type Tasks } from "./heads/tasks.ts";
import { addLora, withAdapterDropout } from "./lora.ts";
import type { HeadInput, Strategy } from "./strategies.ts";

/** Parameters of a network and of the heads on it. */
export type FineTunedParams = { readonly model: AlphaFoldParams; readonly heads: TaskHeads };

/** A network with heads. */
export interface FineTunedConfig {
  /** The network. */
  readonly network: AlphaFoldConfig;
  /** What the heads predict. */
  readonly tasks: Tasks;
  /** What the heads read. */
  readonly headInput: HeadInput;
}

/** A protein as the network reads it. */
export interface NetworkSample {
  /** Of the last iteration, which is differentiated. */
  readonly features: AlphaFoldFeatures;
  /** Of the iterations before it, without gradient. @default none: there is one iteration */
  readonly before?: readonly Samples[];
}

/** A protein with its labels: as the network reads it, or as the heads do where the network was run before. */
export interface LabelledSample {
  /** What is read. */
  readonly input: NetworkSample | LabelHeadInputs;
  /** Of each task one number, or one a residue where residues have labels; NaN where it is not known. */
  readonly labels: TaskLabels;
}

/** How a network with heads runs. */
export interface FineTunedOptions {
  /** Makes dropout's decisions; it is not used up. @default no dropout */
  readonly key?: Key;
  /** Dropout of the adapters, where there is a key. @default 0 */
  readonly adapterDropout?: number;
  /** Whether, where there is a key, the network's own dropout is on. @default false */
  readonly networkDropout?: boolean;
  /** What is computed again on the way back instead of being kept. @default "nothing" */
  readonly recompute?: Recompute;
}

/** Numbers from which keys are derived. */
const KEYS = { heads: 0, adapters: 1, network: 2 } as const;

/**
 * The parameters that a strategy trains and freezes, with adapters where it has them.
 *
 * @param key Source of the adapters' random numbers; used up.
 * @returns Adapters are owned by the current scope; the other tensors are those given.
 * @throws {RangeError} If adapters do not fit the network, or it has some already.
 */
export function withStrategy(params: FineTunedParams, { lora }: Strategy, key: Key): FineTunedParams {
  return lora ? { ...params, model: addLora(params.model, key, lora) } : params;
}

/** What a strategy trains, and what it freezes; `combine` puts the two together again. */
export function trainedPart(
  params: FineTunedParams,
  { groups }: Strategy,
): [trained: Part<Tensor, FineTunedParams>, frozen: Part<Tensor, FineTunedParams>] {
  return partition<Tensor, FineTunedParams>(params, (path) => groups.some(({ has }) => has(path)));
}

/**
 * What the heads read of a protein: the last iteration's single representation, and its pair representation where a head
 * reads it.
 *
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function headInputsOf(
  model: AlphaFoldParams,
  { features, before = [] }: NetworkSample,
  { network, tasks, headInput }: FineTunedConfig,
  { key, adapterDropout = 0, networkDropout = false, recompute }: FineTunedOptions = {},
): LabelHeadInputs {
  const { device } = features.aatype;
  using scope = device.scope("headInputs");
  const recycled = recycleForTraining(model, before, network);
  const params = withAdapterDropout(model, adapterDropout, key?.at(KEYS.adapters));
  const options = { recompute, msa: false, ...(networkDropout && { key: key?.at(KEYS.network) }) };
  const { s, z } = headInput === "structure" ? structure() : representations();
  const pairs = Object.values(tasks).some(({ head }) => head.cZ !== undefined);
  const { seqMask } = features;
  return { ...scope.keep({ s, ...(pairs && { z }) }), ...(seqMask && { mask: seqMask }) };

  function structure() {
    const { structure: { single }, z } = alphafold(params, features, recycled, network, {
      ...{ ...options, trajectory: false },
    });
    return { s: single, z };
  }

  function representations() {
    return alphafoldRepresentations(params, features, recycled, network, options);
  }
}

/**
 * Predictions of all tasks for a protein, as `labelHead` gives them.
 *
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function fineTuned(
  { model, heads }: FineTunedParams,
  input: NetworkSample | LabelHeadInputs,
  config: FineTunedConfig,
  options: FineTunedOptions = {},
): Record<string, Tensor> {
  const known = "s" in input ? input : headInputsOf(model, input, config, options);
  return predictTasks(heads, known, config.tasks, { key: options.key?.at(KEYS.heads) });
}

/**
 * The loss of some proteins together, whatever their lengths: what an optimizer follows.
 *
 * @example
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { alphafoldConfig, type AlphaFoldParams } from "@denofold/denofold/model";
 * import { fineTuningLoss, initTaskHeads, labelHeadConfig } from "@denofold/denofold/finetune";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const tasks = { affinity: { head: labelHeadConfig(8, { hidden: 4 }) } };
 * const heads = initTaskHeads(device, tasks, Key.fromSeed(1));
 * const network = alphafoldConfig("model_1_ptm", { cS: 8 });
 * const model = {} as AlphaFoldParams; // not run here: the representations of two proteins are known
 * const known = [3, 5].map((nRes) => ({ input: { s: device.zeros([1, nRes, 8]) }, labels: { affinity: [6.5] } }));
 * const loss = fineTuningLoss({ model, heads }, known, { network, tasks, headInput: "evoformer" });
 * assert.deepEqual(loss.shape, []);
 * ```
 *
 * @param options Each protein gets a key of its own.
 * @returns `[]`, owned by the current scope.
 * @throws {TypeError} If there is no protein, labels are not as many as predictions, or none is known.
 */
export function fineTuningLoss(
  params: FineTunedParams,
  batch: readonly LabelledSample[],
  config: FineTunedConfig,
  options: FineTunedOptions = {},
): Tensor {
  if (!batch.length) throw new TypeError("There is no protein to learn from");
  checkTasks(config.tasks);
  const device = deviceOf(batch[0].input);
  using scope = device.scope("fineTuningLoss");
  const each = batch.map(({ input }, i) =>
    fineTuned(params, input, config, { ...options, ...(options.key && { key: options.key.at(i) }) })
  );
  const predictions: Record<string, Tensor> = {}, labels: Record<string, number[]> = {};
  for (const [name, { head: { classes } }] of Object.entries(config.tasks)) {
    const rows = each.map(({ [name]: prediction }) => {
      const count = prediction.size / (classes ?? 1);
      return reshape(prediction, classes === undefined ? [count] : [count, classes]);
    });
    predictions[name] = rows.length === 1 ? rows[0] : concat(rows, 0);
    labels[name] = batch.flatMap(({ labels }, i) => labelsOf(labels, name, rows[i].shape[0]));
  }
  return scope.keep(taskLoss(predictions, labels, config.tasks));
}

/** Labels of a protein, NaN where it has none of a task. */
function labelsOf(labels: TaskLabels, name: string, count: number): number[] {
  const given = labels[name];
  if (given === undefined) return new Array(count).fill(NaN);
  if (given.length !== count) {
    throw new TypeError(`A protein has ${given.length} labels of ${name}, its predictions are ${count}`);
  }
  return Array.from(given);
}

function deviceOf(input: NetworkSample | LabelHeadInputs): Device {
  return ("s" in input ? input.s : input.features.aatype).device;
}
