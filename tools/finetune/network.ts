/** A network with heads on the device, and proteins as it reads them. */
import { fnv1a } from "../../core/fnv1a.ts";
import { type Device, Key } from "../../core/mod.ts";
import {
  adviseStrategy,
  type FineTunedConfig,
  type FineTunedParams,
  initTaskHeads,
  labelHeadConfig,
  type LabelledSample,
  type LabelledSet,
  type NetworkSample,
  type Strategy,
  type StrategyName,
  strategyOf,
  withStrategy,
} from "../../finetune/mod.ts";
import { type AlphaFoldConfig, alphafoldShapes } from "../../model/alphafold/mod.ts";
import { shapesByPath } from "../../model/layers/params.ts";
import { snakeCase } from "../../model/weights/names.ts";
import { alphafoldLossConfig } from "../../model/alphafold/losses/mod.ts";
import { InputError } from "../errors.ts";
import { cropInputs, cropTemplates } from "../data/features/crop.ts";
import { makeNetworkInputs } from "../data/features/network_inputs.ts";
import { type AxisWindow, drawCrop } from "../data/features/window.ts";
import { makeComplexInputs } from "../data/features/complex/complex_inputs.ts";
import { cropComplexInputs, cropComplexTemplates } from "../data/features/complex/residue_rows.ts";
import { complexDraws, complexFeatures, hasCopies, isComplex } from "../predict/complex_inputs.ts";
import { loadNetwork, placesOf } from "../predict/network.ts";
import { deviceFeatures, deviceHidden, firstTemplates, paddedSizes } from "../predict/network_inputs.ts";
import type { PlannedModel } from "../predict/planned_model.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import { headTasks, type LabelTask, type LearnedTasks, ofResidues, TASK } from "./label_tasks.ts";
import type { FinetuneOptions } from "./options.ts";
import type { ReadableTarget } from "./targets.ts";
import { deviceTruth } from "../train/alphafold/loss_truth.ts";

/** Numbers from which keys are derived: those of the loop are 0 and 1. */
const KEYS = { heads: 2, adapters: 3, features: 4, crop: 5 } as const;

/**
 * The strategy of a run; that of `auto` by its number of training samples, with the reason.
 *
 * @throws {InputError} If a choice is out of range.
 */
export function chosenStrategy(
  options: FinetuneOptions,
  network: AlphaFoldConfig,
  samples: number,
): { readonly strategy: Strategy; readonly reason?: string } {
  const { lora, unfreezeBlocks, unfreezeStructureModule, headInput } = options;
  const { learningRate, headLearningRate, embedderLearningRate, structureLearningRate, layerDecay } = options;
  const advice = options.strategy === "auto" ? adviseStrategy(samples) : undefined;
  try {
    const strategy = strategyOf(advice?.name ?? options.strategy as StrategyName, network.evoformer.nBlock, {
      ...{ learningRate, headLearningRate, embedderLearningRate, structureLearningRate, layerDecay },
      ...{ headInput, unfreezeBlocks, unfreezeStructureModule, structureLoss: options.tasks.includes("structure") },
      lora: { ...(advice?.rank && { rank: advice.rank }), ...lora },
    });
    return { strategy, ...(advice && { reason: advice.reason }) };
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(error.message);
    throw error;
  }
}

/** What the heads predict, and what they read. */
export function fineTunedConfig(
  network: AlphaFoldConfig,
  strategy: Strategy,
  { pooling, pairFusion, hidden, headDropout, loss, maskedMsaWeight, crop }: FinetuneOptions,
  { labels, structureWeight }: LearnedTasks,
): FineTunedConfig {
  const head = (task: LabelTask) =>
    labelHeadConfig(network.cS, {
      ...{ pooling, hidden, dropout: headDropout, classes: task.classes?.length },
      ...(ofResidues(task) ? { level: "residue" } : pairFusion && { cZ: network.cZ }),
    });
  const learnsStructures = structureWeight !== undefined;
  if (learnsStructures && strategy.name === "head_only") {
    throw new InputError("Structures are no label of a head: learn them with --strategy lora, partial or full");
  }
  if (maskedMsaWeight > 0 && strategy.name === "head_only") {
    throw new InputError("The masked-MSA loss trains the network, which head_only freezes: leave its weight out");
  }
  if (crop !== undefined && strategy.name === "head_only") {
    throw new InputError("The network of head_only reads each protein once, as a whole: leave --crop out");
  }
  return {
    ...{ network, headInput: strategy.headInput, tasks: headTasks(labels, head, loss), maskedMsaWeight },
    ...(learnsStructures && {
      structure: {
        loss: alphafoldLossConfig("finetuning", { tm: network.heads.tm, multimer: network.multimer !== undefined }),
        weight: structureWeight,
      },
    }),
  };
}

/**
 * The base network with fresh heads and, where the strategy has them, fresh adapters.
 *
 * @param amp Whether frozen matrices of blocks are held in 16 bits. @default false
 * @returns Owned by the scope that is current when this is called.
 */
export async function loadFineTuned(
  device: Device,
  model: PlannedModel,
  strategy: Strategy,
  { network, tasks }: FineTunedConfig,
  seed: number,
  amp = false,
): Promise<FineTunedParams> {
  using opened = await model.open();
  const { params } = await loadNetwork(device, network, opened.entries, {
    ...(amp && { dtype: "f16", exact: trainedNames(network, strategy) }),
  }).catch((error) => {
    throw error instanceof TypeError ? new InputError(error.message) : error;
  });
  const heads = initTaskHeads(device, tasks, Key.fromSeed(seed).at(KEYS.heads));
  try {
    return withStrategy({ model: params, heads }, strategy, Key.fromSeed(seed).at(KEYS.adapters));
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) throw new InputError(error.message);
    throw error;
  }
}

/** Whether a strategy trains a parameter, by its name in OpenFold's state dict. */
export function trainedNames(network: AlphaFoldConfig, { groups }: Strategy): (name: string) => boolean {
  const paths = [...shapesByPath(alphafoldShapes(network)).keys()];
  const names = new Set(paths.filter((path) => groups.some(({ has }) => has(`model.${path}`))).map(snakeCase));
  return (name) => names.has(name);
}

/** How much of a protein's data the network reads, and what it learns of its alignment. */
export type SampleOptions = Pick<
  FinetuneOptions,
  "recycles" | "maxMsa" | "maxExtraMsa" | "maskedMsaWeight" | "tasks" | "crop"
>;

/**
 * A protein as the network reads it; what is drawn at random of its alignment depends on seed and name alone.
 *
 * @param draw Draws otherwise for each of these. @default what validation and predictions see
 * @returns Owned by the current scope.
 */
export function networkSample(
  device: Device,
  { id, features, sequence, supervised }: PreparedTarget,
  config: AlphaFoldConfig,
  { recycles, maxMsa, maxExtraMsa, maskedMsaWeight, tasks, crop }: SampleOptions,
  seed: number,
  draw?: number,
): NetworkSample {
  const length = sequence.length, { multimer } = config;
  if (isComplex(features) && !multimer) {
    throw new InputError(
      `${config.name} is for single chains, ${id} is a complex: take weights of a multimer preset, such as ` +
        "model_1_multimer_v3",
    );
  }
  const ofTarget = Key.fromSeed(seed).at(KEYS.features).at(fnv1a(id));
  const part = cropOf({ id, sequence }, crop, seed, draw);
  const first = config.templates ? firstTemplates(features, config.data.maxTemplates) : undefined;
  const rows = multimer && Int32Array.from({ length: part.size }, (_, i) => part.start + i);
  const templates = first && (rows ? cropComplexTemplates(first, length, rows) : cropTemplates(first, length, part));
  // Rows of templates take places of the alignment's, as in the published pipeline.
  const templateRows = config.templates?.embedAngles ? config.data.maxTemplates : 0;
  const clusters = Math.max(1, (maxMsa ?? config.data.maxMsaClusters) - templateRows);
  // Letters that are learned are hidden anew in each epoch; else each protein looks the same every time.
  const learnsLetters = maskedMsaWeight > 0 || tasks.includes("structure");
  const key = draw === undefined || !learnsLetters ? ofTarget : ofTarget.at(FIRST_DRAW + draw);
  const iterations = Array.from({ length: recycles + 1 }, (_, i) => {
    const drawn = { maxMsaClusters: clusters, maxExtraMsa: maxExtraMsa ?? config.data.maxExtraMsa };
    const inputs = rows
      ? cropComplexInputs(makeComplexInputs(complexFeatures(features), complexDraws(key.at(i)), drawn), rows)
      : cropInputs(makeNetworkInputs(features, features, key.at(i), drawn), part);
    const padded = paddedSizes({
      residues: part.size,
      clusters: inputs.msa_row_mask.length,
      extra: inputs.extra_msa_row_mask.length,
      templates: multimer && templates ? placesOf(templates, config) : templates?.template_mask.length ?? 0,
    });
    return { inputs, padded, features: deviceFeatures(device, inputs, templates, padded) };
  });
  const { inputs, padded, features: last } = iterations[recycles];
  const sample = { features: last, before: iterations.slice(0, recycles).map(({ features }) => features) };
  if (!tasks.includes("structure") || !supervised) {
    return { ...sample, ...(maskedMsaWeight > 0 && { hidden: deviceHidden(device, inputs, padded) }) };
  }
  if (multimer && hasCopies(features)) {
    throw new InputError(
      `${id} has equal chains, whose structure is learnt by denofold train alone (--init WEIGHTS): which is which depends on ` +
        "what is predicted",
    );
  }
  const whole = { start: part.start, length, clamped: true };
  const { trueMsa, bertMask, ...truth } = deviceTruth(device, supervised, inputs, whole, padded);
  return { ...sample, hidden: { trueMsa, bertMask }, truth };
}

/**
 * The residues that training sees of a protein: all, or where there are more than `crop` some that follow each other, drawn
 * anew for each number of an epoch.
 */
function cropOf(
  { id, sequence: { length } }: Pick<PreparedTarget, "id" | "sequence">,
  crop: number | undefined,
  seed: number,
  draw: number | undefined,
): AxisWindow {
  if (crop === undefined || draw === undefined) return { start: 0, size: length };
  return drawCrop(length, crop, true, Key.fromSeed(seed).at(KEYS.crop).at(fnv1a(id)).at(draw));
}

/** Keys from here on are those of draws; those before, of iterations. */
const FIRST_DRAW = 1000;

/** Proteins as a training set reads them. */
export interface TargetSet extends LabelledSet {
  /** What is known of one of them besides what the network reads. */
  labelled(index: number): Omit<LabelledSample, "input">;
}

/** Proteins as the network reads them. */
export function targetSet(
  device: Device,
  targets: readonly ReadableTarget[],
  config: AlphaFoldConfig,
  options: SampleOptions,
  seed: number,
): TargetSet {
  const labelled = (index: number, part?: AxisWindow) => {
    const { rows, sequence } = targets[index];
    const { start, size } = part ?? { start: 0, size: sequence.length };
    const cut = ([name, all]: [string, readonly number[]]) =>
      [name, all.length === sequence.length ? all.slice(start, start + size) : all] as const; // those of residues
    const labels = rows.map(({ label = NaN, labels = { [TASK]: [label] } }) =>
      Object.fromEntries(Object.entries(labels).map(cut))
    );
    return { labels, residues: size };
  };
  return {
    size: targets.length,
    residues: (index) => Math.min(targets[index].sequence.length, options.crop ?? Infinity),
    labelled,
    async load(index, draw): Promise<LabelledSample> {
      const target = await targets[index].load();
      const input = networkSample(device, target, config, options, seed, draw);
      return { input, ...labelled(index, cropOf(target, options.crop, seed, draw)) };
    },
  };
}
