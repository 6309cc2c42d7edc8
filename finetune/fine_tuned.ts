/** AlphaFold 2 with heads for labels: predictions, and the loss that fine-tuning follows. */
import { type Device, type Key, noGrad, type Part, partition, type Tensor } from "../core/mod.ts";
import {
  alphafold,
  type AlphaFoldConfig,
  type AlphaFoldFeatures,
  type AlphaFoldParams,
  alphafoldRepresentations,
  atomPositions,
  lossOutputs,
  recycleForTraining,
  type Samples,
} from "../model/alphafold/mod.ts";
import { maskedMsaHead } from "../model/alphafold/heads/mod.ts";
import {
  alphafoldLoss,
  type AlphaFoldLossConfig,
  lddtCa,
  type LossTruth,
  maskedMsaLoss,
} from "../model/alphafold/losses/mod.ts";
import type { Recompute } from "../model/evoformer/pair_stack.ts";
import { SLOT } from "../model/protein/residues.ts";
import { add, concat, divide, mean, multiply, multiplyScalar, reshape, slice, sum } from "../ops/mod.ts";
import type { LabelHeadInputs } from "./heads/label_head.ts";
import {
  checkTasks,
  hasLabels,
  predictTasks,
  type TaskHeads,
  type TaskLabels,
  taskLoss,
  type Tasks,
} from "./heads/tasks.ts";
import { addLora, withAdapterDropout } from "./lora.ts";
import { labelRows, labelsOf } from "./_labels.ts";
import { stackSamples } from "./stack_samples.ts";
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
  /** AlphaFold's own loss of structures, and by what it counts beside the labels'. @default structures are not learned */
  readonly structure?: { readonly loss: AlphaFoldLossConfig; readonly weight: number };
  /**
   * By what the cross entropy of the alignment's hidden letters counts beside the other losses, where the network runs; it
   * keeps the trunk from forgetting what alignments are like. @default 0
   */
  readonly maskedMsaWeight?: number;
}

/** What is true of a structure; of the alignment see {@linkcode HiddenLetters}. */
export type StructureTruth = Omit<LossTruth, keyof HiddenLetters>;

/** Letters of an alignment that were hidden, or might have been. */
export type HiddenLetters = Pick<LossTruth, "trueMsa" | "bertMask">;

/** A protein as the network reads it. */
export interface NetworkSample {
  /** Of the last iteration, which is differentiated. */
  readonly features: AlphaFoldFeatures;
  /** Of the iterations before it, without gradient. @default none: there is one iteration */
  readonly before?: readonly Samples[];
  /** Of the last iteration's alignment, for the masked-MSA loss, which is a part of that of structures too. */
  readonly hidden?: HiddenLetters;
  /** Its structure, to learn from. */
  readonly truth?: StructureTruth;
}

/** A protein with its labels: as the network reads it, or as the heads do where the network was run before. */
export interface LabelledSample {
  /** What is read. */
  readonly input: NetworkSample | LabelHeadInputs;
  /**
   * Of each task one number, or one a residue where residues have labels; NaN where it is not known. Padding has none: there
   * may be fewer labels than residues. Several where the protein was labelled more than once: the network runs once, and each
   * counts in the losses.
   */
  readonly labels: TaskLabels | readonly TaskLabels[];
  /** Residues that are no padding, which lies behind them. @default all are none */
  readonly residues?: number;
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
  /**
   * Whether the proteins of a batch run as one, the shorter ones padded and masked, instead of one after the other. Their
   * loss is the same but for dropout, which then is drawn for all together. @default false
   */
  readonly stacked?: boolean;
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
  sample: NetworkSample,
  config: FineTunedConfig,
  options: FineTunedOptions = {},
): LabelHeadInputs {
  using scope = sample.features.aatype.device.scope("headInputs");
  const { heads: { mask, ...read } } = runNetwork(model, sample, labelsAlone(config), options);
  return { ...scope.keep(read), ...(mask && { mask }) };
}

/** What a run of the network gives. */
type NetworkRun = {
  /** What the heads read. */
  readonly heads: LabelHeadInputs;
  /** The loss of the alignment's hidden letters, `[batch]`, where it counts. */
  readonly maskedMsa?: Tensor;
  /** The loss of the structures and how much of them is right, where they are learned. */
  readonly structure?: { readonly loss: Tensor; readonly lddt: Tensor };
};

/** Runs the network on a protein, or on several stacked. */
function runNetwork(
  model: AlphaFoldParams,
  { features, before = [], hidden, truth }: NetworkSample,
  { network, tasks, headInput, maskedMsaWeight = 0, structure: learned }: FineTunedConfig,
  { key, adapterDropout = 0, networkDropout = false, recompute }: FineTunedOptions,
): NetworkRun {
  const recycled = recycleForTraining(model, before, network);
  const params = withAdapterDropout(model, adapterDropout, key?.at(KEYS.adapters));
  const learns = learned && truth;
  const letters = maskedMsaWeight > 0 || learns ? hidden : undefined;
  if ((maskedMsaWeight > 0 || learns) && !letters) {
    throw new TypeError("The masked-MSA loss and that of structures need to know which letters were hidden");
  }
  const options = { recompute, msa: !!letters, ...(networkDropout && { key: key?.at(KEYS.network) }) };
  const outputs = learns || headInput === "structure"
    ? alphafold(params, features, recycled, network, { ...options, trajectory: !!learns })
    : undefined;
  const { m, z, s } = outputs ?? alphafoldRepresentations(params, features, recycled, network, options);
  const pairs = Object.values(tasks).some(({ head }) => head.cZ !== undefined);
  return {
    heads: {
      s: headInput === "structure" ? outputs!.structure.single : s,
      ...(pairs && { z }),
      ...(features.seqMask && { mask: features.seqMask }),
    },
    ...(maskedMsaWeight > 0 && { maskedMsa: maskedMsa() }),
    ...(learns && { structure: structure() }),
  };

  function maskedMsa(): Tensor {
    return maskedMsaLoss(maskedMsaHead(params.auxHeads.maskedMsa, m!), letters!.trueMsa, letters!.bertMask);
  }

  function structure(): { loss: Tensor; lddt: Tensor } {
    const { positions } = outputs!;
    const { loss } = alphafoldLoss(lossOutputs(params.auxHeads, outputs!), { ...truth!, ...letters! }, learned!.loss);
    const { allAtomPositions, allAtomMask } = truth!;
    const [batch, nRes] = allAtomMask.shape;
    const mask = reshape(slice(allAtomMask, [0, 0, SLOT.CA], [batch, nRes, SLOT.CA + 1]), [batch, nRes]);
    const lddt = noGrad(loss.device, () => {
      const { scores } = lddtCa(atomPositions(positions, SLOT.CA), atomPositions(allAtomPositions, SLOT.CA), mask);
      return divide(sum(multiply(scores, mask), { axes: [1] }), sum(mask, { axes: [1] }));
    });
    return { loss, lddt };
  }
}

/** What is predicted of a protein, and how its structure fits the truth. */
export type FineTunedOutputs = {
  /** By task, as `labelHead` gives them. */
  readonly predictions: Record<string, Tensor>;
  /** Loss of the alignment's hidden letters, `[batch]`; where it counts. */
  readonly maskedMsa?: Tensor;
  /** AlphaFold's loss, `[]`, and the mean lDDT of C-alphas, 0 … 1, `[batch]`; where structures are learned and this one is known. */
  readonly structure?: { readonly loss: Tensor; readonly lddt: Tensor };
};

/**
 * Predictions of all tasks for a protein, and what its losses need.
 *
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function fineTunedOutputs(
  { model, heads }: FineTunedParams,
  input: NetworkSample | LabelHeadInputs,
  config: FineTunedConfig,
  options: FineTunedOptions = {},
): FineTunedOutputs {
  using scope = deviceOf(input).scope("fineTuned");
  const { heads: read, ...rest } = isKnown(input) ? { heads: input } : runNetwork(model, input, config, options);
  const predictions = predictTasks(heads, read, config.tasks, { key: options.key?.at(KEYS.heads) });
  return scope.keep({ ...rest, predictions });
}

/** {@linkcode fineTunedOutputs}, the predictions alone. */
export function fineTuned(
  params: FineTunedParams,
  input: NetworkSample | LabelHeadInputs,
  config: FineTunedConfig,
  options: FineTunedOptions = {},
): Record<string, Tensor> {
  return fineTunedOutputs(params, input, labelsAlone(config), options).predictions;
}

/** What is learned without all that is no label. */
function labelsAlone({ structure: _, maskedMsaWeight: __, ...labels }: FineTunedConfig): FineTunedConfig {
  return labels;
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
  const { tasks, structure, maskedMsaWeight = 0 } = config;
  if (!structure || Object.keys(tasks).length) checkTasks(tasks);
  const device = deviceOf(batch[0].input);
  using scope = device.scope("fineTuningLoss");
  const runs = options.stacked && batch.length > 1
    ? [{ input: stackSamples(batch.map(({ input }) => input)), proteins: batch, key: options.key }]
    : batch.map((sample, i) => ({ input: sample.input, proteins: [sample], key: options.key?.at(i) }));
  const each = runs.map(({ input, key }) => fineTunedOutputs(params, input, config, { ...options, key }));
  const losses = [labelLoss(), structureLoss(), lettersLoss()].filter((loss) => loss !== undefined);
  if (!losses.length) throw new TypeError("There is neither a label nor a structure to learn from");
  return scope.keep(losses.reduce(add));

  function labelLoss(): Tensor | undefined {
    const predictions: Record<string, Tensor> = {}, labels: Record<string, number[]> = {};
    for (const [name, { head: { classes, level } }] of Object.entries(tasks)) {
      const all: Tensor[] = [];
      labels[name] = [];
      for (const [i, { predictions: { [name]: prediction } }] of each.entries()) {
        const { proteins } = runs[i];
        const rows = reshape(prediction, [
          prediction.size / (classes ?? 1),
          ...(classes === undefined ? [] : [classes]),
        ]);
        const count = rows.shape[0] / proteins.length, given = proteins.map(labelRows);
        if (given.every(({ length }) => length === 1)) all.push(rows);
        else {
          given.forEach(({ length }, p) => {
            const own = slice(rows, rows.shape.map((_, axis) => axis ? 0 : p * count), [
              (p + 1) * count,
              ...rows.shape.slice(1),
            ]);
            for (let times = 0; times < length; times++) all.push(own);
          });
        }
        labels[name].push(...given.flat().flatMap((row) => labelsOf(row, name, count, level === "residue")));
      }
      predictions[name] = all.length === 1 ? all[0] : concat(all, 0);
    }
    if (structure && !hasLabels(labels, tasks)) return undefined;
    return taskLoss(predictions, labels, tasks);
  }

  function structureLoss(): Tensor | undefined {
    const found = each.flatMap(({ structure }) => structure?.loss ?? []);
    if (!structure || !found.length) return undefined;
    return multiplyScalar(found.reduce(add), structure.weight / found.length);
  }

  function lettersLoss(): Tensor | undefined {
    const found = each.flatMap(({ maskedMsa }) => maskedMsa ? mean(maskedMsa) : []);
    return found.length ? multiplyScalar(found.reduce(add), maskedMsaWeight / found.length) : undefined;
  }
}

/** Whether the network need not run: what the heads read is known. */
export function isKnown(input: NetworkSample | LabelHeadInputs): input is LabelHeadInputs {
  return !("features" in input);
}

function deviceOf(input: NetworkSample | LabelHeadInputs): Device {
  return (isKnown(input) ? input.s : input.features.aatype).device;
}
