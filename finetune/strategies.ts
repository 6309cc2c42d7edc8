/** Which parameters of a network and its heads are trained, and how fast. */
import { nearNames } from "../core/mod.ts";
import { isStandard } from "./heads/head_standard.ts";
import { isAdapter, type LoraConfig, loraConfig, type LoraOptions } from "./lora.ts";
import type { ParameterGroup } from "./optimizer.ts";

/** Ways of fine-tuning, from the fewest to the most trained parameters. */
export const STRATEGIES = ["head_only", "lora", "partial", "full"] as const;

/** Name of a way of fine-tuning. */
export type StrategyName = typeof STRATEGIES[number];

/** Single representation that heads read: the Evoformer's, or the structure module's last one. */
export type HeadInput = "evoformer" | "structure";

/** Choices of a strategy. */
export interface StrategyOptions {
  /** Learning rate of what is trained of the network; that of the heads in `head_only`. @default see {@linkcode STRATEGY_RATES} */
  readonly learningRate?: number;
  /** Learning rate of the heads. @default 10 times the other one, which it is in `head_only` */
  readonly headLearningRate?: number;
  /**
   * What the heads read. @default "structure" where the structure module is trained and gets its gradient from there alone,
   * else "evoformer"
   */
  readonly headInput?: HeadInput;
  /** Whether AlphaFold's own loss is learned too: its gradient reaches the structure module, whatever the heads read. @default false */
  readonly structureLoss?: boolean;
  /** Adapters of `lora`. */
  readonly lora?: LoraOptions;
  /** `partial` trains so many of the Evoformer's last blocks. @default 4 */
  readonly unfreezeBlocks?: number;
  /** `partial` trains the structure module too. @default false */
  readonly unfreezeStructureModule?: boolean;
  /** In `full`, the rate of a block is so many times that of the next. @default 0.95 */
  readonly layerDecay?: number;
  /** Learning rate of the input embedder in `full`. @default that of a block before the first */
  readonly embedderLearningRate?: number;
  /** Learning rate of the structure module in `full`. @default that of the last block */
  readonly structureLearningRate?: number;
}

/** Parameters that are trained at one rate. */
export type StrategyGroup = ParameterGroup & { readonly learningRate: number };

/** A strategy for a network, ready for an optimizer. */
export interface Strategy {
  /** Its name. */
  readonly name: StrategyName;
  /** What the heads read. */
  readonly headInput: HeadInput;
  /** In the order of reports. What belongs to none is frozen. */
  readonly groups: readonly StrategyGroup[];
  /** Adapters that the network needs first. */
  readonly lora?: LoraConfig;
}

/** Learning rates by default. */
export const STRATEGY_RATES: Readonly<Record<StrategyName, number>> = {
  head_only: 1e-3,
  lora: 1e-4,
  partial: 1e-5,
  full: 1e-5,
};

/** Paths begin with it where parameters are the network's, and with the other where they are the heads'. */
const NETWORK = "model.", HEADS = "heads.";

/**
 * A strategy for a network with so many Evoformer blocks. Paths are those of `{ model, heads }`.
 *
 * | strategy | trained | groups |
 * |---|---|---|
 * | `head_only` | heads | head |
 * | `lora` | heads, adapters | head at 10 r, lora at r |
 * | `partial` | heads, the last blocks, the structure module if asked | trunk at r, head at 10 r |
 * | `full` | everything | embedder at r dᴺ, block i at r dᴺ⁻¹⁻ⁱ, structure module and the rest at r, head at 10 r |
 *
 * The structure module is trained only where its single representation feeds the heads or structures are learned: it
 * would get no gradient otherwise.
 *
 * @example
 * ```ts
 * import { strategyOf } from "@denofold/denofold/finetune";
 * import assert from "node:assert/strict";
 *
 * const { groups, headInput } = strategyOf("lora", 48);
 * assert.deepEqual(groups.map(({ name, learningRate }) => [name, learningRate]), [["head", 1e-3], ["lora", 1e-4]]);
 * assert.equal(headInput, "evoformer");
 * ```
 *
 * @throws {RangeError} If there is no such strategy, a number is out of range, or the structure module is to be trained
 * and the heads to read the Evoformer.
 */
export function strategyOf(name: StrategyName, nBlock: number, options: StrategyOptions = {}): Strategy {
  if (!STRATEGIES.includes(name)) {
    const near = nearNames(`${name}`, STRATEGIES, 1);
    throw new RangeError(
      `There is no strategy ${name}: choose one of ${STRATEGIES.join(", ")}${near.length ? ` (${near[0]}?)` : ""}`,
    );
  }
  const rate = options.learningRate ?? STRATEGY_RATES[name];
  const headRate = options.headLearningRate ?? (name === "head_only" ? rate : times10(rate));
  const { embedderLearningRate, structureLearningRate, layerDecay = 0.95 } = options;
  for (const [what, value] of Object.entries({ rate, headRate, embedderLearningRate, structureLearningRate })) {
    if (value !== undefined && !(value > 0 && value < Infinity)) {
      throw new RangeError(`A learning rate (${what}) is above 0, got ${value}`);
    }
  }
  if (!(layerDecay > 0 && layerDecay <= 1)) {
    throw new RangeError(`The decay of learning rates from block to block is above 0 and at most 1, got ${layerDecay}`);
  }
  const head = group("head", headRate, (path) => path.startsWith(HEADS) && !isStandard(path));
  const { headInput = "evoformer" } = options;
  switch (name) {
    case "head_only":
      return { name, headInput, groups: [head] };
    case "lora": {
      const adapters = group("lora", rate, (path) => path.startsWith(NETWORK) && isAdapter(path));
      return { name, headInput, groups: [head, adapters], lora: loraConfig(options.lora) };
    }
    case "partial":
      return partial(nBlock, rate, head, options);
    case "full": {
      const { structureLoss = false, headInput: input = structureLoss ? "evoformer" : "structure" } = options;
      const groups = fullGroups(nBlock, rate, layerDecay, { embedderLearningRate, structureLearningRate });
      const reached = groups.filter(({ name }) =>
        name !== "structure_module" || input === "structure" || structureLoss
      );
      return { name, headInput: input, groups: [...reached, head] };
    }
  }
}

function group(name: string, learningRate: number, has: (path: string) => boolean): StrategyGroup {
  return { name, learningRate, has };
}

/** Ten times a rate as it is written: 1e-3 for 1e-4. */
function times10(rate: number): number {
  return Number((10 * rate).toPrecision(12));
}

const STRUCTURE_MODULE = `${NETWORK}structureModule.`;

function inBlock(i: number): (path: string) => boolean {
  return (path) => path.startsWith(`${NETWORK}evoformer.blocks.${i}.`);
}

function partial(nBlock: number, rate: number, head: StrategyGroup, options: StrategyOptions): Strategy {
  const { unfreezeBlocks = 4, unfreezeStructureModule = false, structureLoss = false } = options;
  const { headInput = unfreezeStructureModule && !structureLoss ? "structure" : "evoformer" } = options;
  if (!(Number.isInteger(unfreezeBlocks) && unfreezeBlocks > 0 && unfreezeBlocks <= nBlock)) {
    throw new RangeError(`partial trains 1 to ${nBlock} blocks of this network's Evoformer, got ${unfreezeBlocks}`);
  }
  if (unfreezeStructureModule && headInput === "evoformer" && !structureLoss) {
    throw new RangeError(
      "The structure module would get no gradient while the heads read the Evoformer: let them read the structure",
    );
  }
  const blocks = Array.from({ length: unfreezeBlocks }, (_, i) => inBlock(nBlock - 1 - i));
  const trunk = group(
    "trunk",
    rate,
    (path) => blocks.some((has) => has(path)) || (unfreezeStructureModule && path.startsWith(STRUCTURE_MODULE)),
  );
  return { name: "partial", headInput, groups: [trunk, head] };
}

function fullGroups(
  nBlock: number,
  rate: number,
  decay: number,
  own: { readonly embedderLearningRate?: number; readonly structureLearningRate?: number },
): StrategyGroup[] {
  const embedder = `${NETWORK}inputEmbedder.`, blocks = `${NETWORK}evoformer.blocks.`;
  const named = [embedder, blocks, STRUCTURE_MODULE];
  return [
    group("embedder", own.embedderLearningRate ?? rate * decay ** nBlock, (path) => path.startsWith(embedder)),
    ...Array.from(
      { length: nBlock },
      (_, i) => group(`block_${i}`, rate * decay ** (nBlock - 1 - i), inBlock(i)),
    ),
    group("structure_module", own.structureLearningRate ?? rate, (path) => path.startsWith(STRUCTURE_MODULE)),
    group("rest", rate, (path) => path.startsWith(NETWORK) && !named.some((prefix) => path.startsWith(prefix))),
  ];
}

/** What is recommended for a number of samples, and why. */
export interface StrategyAdvice {
  /** The strategy. */
  readonly name: StrategyName;
  /** Rank of `lora`. */
  readonly rank?: number;
  /** One sentence. */
  readonly reason: string;
}

/**
 * The strategy for a number of training samples: `head_only` below 100, `lora` up to 5,000 (rank 4 below 200, 16 above
 * 2,000, else 8), `partial` up to 10,000, `full` above.
 *
 * @throws {RangeError} If there is no sample.
 */
export function adviseStrategy(samples: number): StrategyAdvice {
  if (!(Number.isInteger(samples) && samples > 0)) {
    throw new RangeError(`A strategy is chosen for at least one sample, got ${samples}`);
  }
  const n = `${samples.toLocaleString("en-US")} training ${samples === 1 ? "sample" : "samples"}`;
  if (samples < 100) {
    return { name: "head_only", reason: `${n}, fewer than 100: more than the head would be learned by heart` };
  }
  if (samples <= 5000) {
    const rank = samples < 200 ? 4 : samples > 2000 ? 16 : 8;
    return {
      ...{ name: "lora", rank },
      reason: `${n}, 100 to 5,000: adapters of rank ${rank} change the trunk a little and cannot undo what it knows`,
    };
  }
  if (samples <= 10_000) {
    return { name: "partial", reason: `${n}, 5,001 to 10,000: enough to train the last blocks, not the early ones` };
  }
  return { name: "full", reason: `${n}, more than 10,000: enough to train everything, early blocks more slowly` };
}
