/** A network with heads on the device, and proteins as it reads them. */
import { type Device, Key } from "../../core/mod.ts";
import {
  adviseStrategy,
  type FineTunedConfig,
  type FineTunedParams,
  headInputsOf,
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
import type { AlphaFoldConfig } from "../../model/alphafold/mod.ts";
import { InputError } from "../errors.ts";
import { makeNetworkInputs } from "../data/features/network_inputs.ts";
import { loadNetwork } from "../predict/network.ts";
import { deviceFeatures, firstTemplates, paddedSizes } from "../predict/network_inputs.ts";
import type { PlannedModel } from "../predict/models.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import type { FinetuneOptions } from "./options.ts";
import type { ReadableTarget } from "./targets.ts";

/** Name of the one label of a table. */
export const TASK = "affinity";

/** Numbers from which keys are derived: those of the loop are 0 and 1. */
const KEYS = { heads: 2, adapters: 3, features: 4 } as const;

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
  const { lora, unfreezeBlocks, unfreezeStructureModule, learningRate, headLearningRate, headInput } = options;
  const advice = options.strategy === "auto" ? adviseStrategy(samples) : undefined;
  try {
    const strategy = strategyOf(advice?.name ?? options.strategy as StrategyName, network.evoformer.nBlock, {
      ...{ learningRate, headLearningRate, headInput, unfreezeBlocks, unfreezeStructureModule },
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
  { pooling, pairFusion, hidden, headDropout, loss }: FinetuneOptions,
): FineTunedConfig {
  const head = labelHeadConfig(network.cS, {
    ...{ pooling, hidden, dropout: headDropout },
    ...(pairFusion && { cZ: network.cZ }),
  });
  return { network, headInput: strategy.headInput, tasks: { [TASK]: { head, loss } } };
}

/**
 * The base network with fresh heads and, where the strategy has them, fresh adapters.
 *
 * @returns Owned by the scope that is current when this is called.
 */
export async function loadFineTuned(
  device: Device,
  model: PlannedModel,
  strategy: Strategy,
  { network, tasks }: FineTunedConfig,
  seed: number,
): Promise<FineTunedParams> {
  using opened = await model.open();
  const { params } = await loadNetwork(device, network, opened.entries);
  const heads = initTaskHeads(device, tasks, Key.fromSeed(seed).at(KEYS.heads));
  try {
    return withStrategy({ model: params, heads }, strategy, Key.fromSeed(seed).at(KEYS.adapters));
  } catch (error) {
    if (error instanceof RangeError || error instanceof SyntaxError) throw new InputError(error.message);
    throw error;
  }
}

/** How much of a protein's data the network reads. */
export type SampleOptions = Pick<FinetuneOptions, "recycles" | "maxMsa" | "maxExtraMsa">;

/**
 * A protein as the network reads it; what is drawn at random of its alignment depends on seed and name alone.
 *
 * @returns Owned by the current scope.
 */
export function networkSample(
  device: Device,
  { id, features, sequence }: PreparedTarget,
  config: AlphaFoldConfig,
  { recycles, maxMsa, maxExtraMsa }: SampleOptions,
  seed: number,
): NetworkSample {
  const templates = config.templates ? firstTemplates(features, config.data.maxTemplates) : undefined;
  // Rows of templates take places of the alignment's, as in the published pipeline.
  const templateRows = config.templates?.embedAngles ? config.data.maxTemplates : 0;
  const clusters = Math.max(1, (maxMsa ?? config.data.maxMsaClusters) - templateRows);
  const key = Key.fromSeed(seed).at(KEYS.features).at(hashOf(id));
  const iterations = Array.from({ length: recycles + 1 }, (_, i) => {
    const drawn = { maxMsaClusters: clusters, maxExtraMsa: maxExtraMsa ?? config.data.maxExtraMsa };
    const inputs = makeNetworkInputs(features, features, key.at(i), drawn);
    return deviceFeatures(
      device,
      inputs,
      templates,
      paddedSizes({
        residues: sequence.length,
        clusters: inputs.msa_row_mask.length,
        extra: inputs.extra_msa_row_mask.length,
        templates: templates?.template_mask.length ?? 0,
      }),
    );
  });
  return { features: iterations[recycles], before: iterations.slice(0, recycles) };
}

/** A name as a whole number of 32 bits (FNV-1a). */
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Proteins as a training set reads them. */
export function targetSet(
  device: Device,
  targets: readonly ReadableTarget[],
  config: AlphaFoldConfig,
  options: SampleOptions,
  seed: number,
): LabelledSet {
  return {
    size: targets.length,
    async load(index): Promise<LabelledSample> {
      const { label = NaN, load } = targets[index];
      return { input: networkSample(device, await load(), config, options, seed), labels: { [TASK]: [label] } };
    },
  };
}

/**
 * The same proteins as the heads read them: the network runs once for each, when it is first needed, and what heads read
 * is kept in memory. For heads alone, where the network does not change.
 */
export function knownSet(
  device: Device,
  params: FineTunedParams,
  config: FineTunedConfig,
  set: LabelledSet,
): LabelledSet {
  type Numbers = { readonly shape: readonly number[]; readonly data: Float32Array };
  const known = new Map<
    number,
    { readonly numbers: Record<string, Numbers>; readonly labels: LabelledSample["labels"] }
  >();
  const run = async (index: number) => {
    using _ = device.scope("known");
    const { input, labels } = await set.load(index);
    const read = "s" in input ? input : headInputsOf(params.model, input, config);
    const numbers: Record<string, Numbers> = {};
    for (const [name, tensor] of Object.entries(read)) {
      if (tensor) numbers[name] = { shape: tensor.shape, data: (await tensor.read() as Float32Array).slice() };
    }
    return { numbers, labels };
  };
  return {
    size: set.size,
    async load(index) {
      let found = known.get(index);
      if (!found) known.set(index, found = await run(index));
      const tensors = Object.entries(found.numbers).map((
        [name, { shape, data }],
      ) => [name, device.tensor(data, shape)]);
      return { input: Object.fromEntries(tensors), labels: found.labels };
    },
  };
}
