/** Adapters of low rank: a parameter tree in, a parameter tree out. */
import {
  entries,
  type Key,
  leaves,
  mapBranches,
  matchPaths,
  nearNames,
  noGrad,
  pathMatcher,
  type Shape,
  sizeOf,
  type Tensor,
  type Tree,
} from "../core/mod.ts";
import { type Adapter, type LinearParams, mergedWeight, sqrt, square, sum } from "../ops/mod.ts";
import { addLowRank, placed } from "../ops/_low_rank.ts";
import { snakeCase } from "../model/weights/names.ts";

/** Which linear maps get adapters, and what these are like. */
export interface LoraOptions {
  /**
   * Patterns of the maps' names, which are those of OpenFold's state dict without `.weight`; see `pathMatcher`. One of a
   * single part, such as `linear_q`, means the maps of that name inside {@linkcode LoraOptions.within}; one with dots means
   * what it says. @default ["linear_q", "linear_v"]
   */
  readonly targets?: readonly string[];
  /** Where targets of a single part are looked for. @default "evoformer.**" */
  readonly within?: string;
  /** Rank of the adapters. @default 8 */
  readonly rank?: number;
  /** Their product counts by alpha / rank. @default 2 · rank */
  readonly alpha?: number;
  /** Probability that, in training, an element of what the adapter reads is dropped. @default 0 */
  readonly dropout?: number;
  /**
   * The product counts by alpha / √rank, which keeps its size at all ranks.
   *
   * Source: Kalajdzievski (2023), "A rank stabilization scaling factor for fine-tuning with LoRA".
   *
   * @default false
   */
  readonly rankStabilized?: boolean;
  /**
   * The lengths of the weights' rows are trained apart from their directions.
   *
   * Source: Liu et al. (2024), "DoRA: weight-decomposed low-rank adaptation".
   *
   * @default false
   */
  readonly magnitudes?: boolean;
}

/** All choices of {@linkcode LoraOptions}. */
export type LoraConfig = Required<LoraOptions>;

/** A linear map of a tree: its name in the state dict and its weight's shape. */
export interface LinearLayer {
  /** As in OpenFold's state dict, without `.weight`. */
  readonly name: string;
  /** `[cOut, cIn]`. */
  readonly shape: Shape;
}

/**
 * The choices with the defaults for what is not given.
 *
 * @throws {RangeError} If the rank is no positive whole number, alpha not positive, or dropout outside [0, 1).
 */
export function loraConfig(options: LoraOptions = {}): LoraConfig {
  const { targets = ["linear_q", "linear_v"], within = "evoformer.**", rank = 8, dropout = 0 } = options;
  const { alpha = 2 * rank, rankStabilized = false, magnitudes = false } = options;
  if (!(Number.isInteger(rank) && rank > 0)) {
    throw new RangeError(`The rank of LoRA is a whole number above 0, got ${rank}`);
  }
  if (!(alpha > 0 && alpha < Infinity)) throw new RangeError(`The alpha of LoRA is above 0, got ${alpha}`);
  if (!(dropout >= 0 && dropout < 1)) {
    throw new RangeError(`The dropout of LoRA is at least 0 and below 1, got ${dropout}`);
  }
  if (!targets.length) throw new RangeError("LoRA needs at least one target");
  return { targets, within, rank, alpha, dropout, rankStabilized, magnitudes };
}

/** By what the product of an adapter's matrices counts. */
export function loraScale(
  { rank, alpha, rankStabilized }: Pick<LoraConfig, "rank" | "alpha" | "rankStabilized">,
): number {
  return alpha / (rankStabilized ? Math.sqrt(rank) : rank);
}

/** A parameter, or what is known of one. */
export type Shaped = {
  /** Sizes of its axes. */
  readonly shape: Shape;
};

/** The linear maps of a parameter tree, or of one of shapes, in its order. */
export function linearLayers(tree: Tree<Shaped>): LinearLayer[] {
  return entries<Shaped>(tree).flatMap(([path, { shape }]) => {
    const isWeight = path.endsWith(".weight") && shape.length === 2;
    return isWeight ? [{ name: snakeCase(path.slice(0, -".weight".length)), shape }] : [];
  });
}

/**
 * The linear maps that would get adapters.
 *
 * @param tree Parameters, or their shapes.
 * @throws {RangeError} If a target fits no map (near names are told), or the rank is larger than one of them.
 */
export function loraLayers(tree: Tree<Shaped>, options: LoraOptions = {}): LinearLayer[] {
  const { targets, within, rank } = loraConfig(options);
  const all = linearLayers(tree);
  const inside = pathMatcher(within);
  const names = all.map(({ name }) => name);
  const wanted = new Set(targets.flatMap((target) => {
    const single = !target.includes(".") && target !== "**";
    const places = single ? names.filter(inside) : names;
    if (single && !places.length) throw new RangeError(`No linear map is in ${within}, where ${target} is looked for`);
    return matchPaths(places, [target], `linear map${single ? ` in ${within}` : ""}`);
  }));
  const layers = all.filter(({ name }) => wanted.has(name));
  for (const { name, shape: [n, k] } of layers) {
    if (rank > Math.min(n, k)) {
      throw new RangeError(`The rank ${rank} is larger than the linear map ${name}, whose weight is [${n},${k}]`);
    }
  }
  return layers;
}

/** Number of parameters that adapters of some maps have. */
export function loraParameterCount(layers: readonly LinearLayer[], options: LoraOptions = {}): number {
  const { rank, magnitudes } = loraConfig(options);
  return layers.reduce((count, { shape: [n, k] }) => count + rank * (n + k) + (magnitudes ? n : 0), 0);
}

/**
 * The same parameters with an adapter at each target. They compute what they did before: the second matrix is zero, and
 * magnitudes are the lengths of the rows. A is uniform in ±1/√cIn, as in PEFT.
 *
 * @example
 * ```ts
 * import { Device, Key, partition, type Tensor } from "@denofold/denofold";
 * import { evoformerConfig, initEvoformer } from "@denofold/denofold/model";
 * import { addLora, isAdapter } from "@denofold/denofold/finetune";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const config = evoformerConfig({ cM: 8, cZ: 8, cS: 8, nBlock: 2, nHeadMsa: 2, nHeadPair: 2 });
 * const trunk = initEvoformer(device, config, Key.fromSeed(1));
 * const params = addLora(trunk, Key.fromSeed(2), { targets: ["blocks.1.**.linear_{q,v}"], rank: 4 });
 * const [trained, frozen] = partition<Tensor, typeof params>(params, isAdapter);
 * assert.equal(trained.blocks[1].msaAttRow.mha.linearQ.adapter?.down?.shape[0], 4);
 * assert.equal(frozen.blocks[1].msaAttRow.mha.linearQ.adapter?.down, null);
 * ```
 *
 * @param params They stay as they are; the result shares their tensors.
 * @param key Source of the random numbers; used up.
 * @returns Adapters are owned by the current scope.
 * @throws {RangeError} If a target fits no map, the rank is larger than one, or a map has an adapter already.
 */
export function addLora<P extends Tree<Tensor>>(params: P, key: Key, options: LoraOptions = {}): P {
  const config = loraConfig(options);
  const { rank, magnitudes } = config;
  const layers = loraLayers(params, config);
  const keys = new Map(layers.map(({ name }, i) => [name, i]));
  const base = key.split(1)[0];
  const scale = loraScale(config);
  return mapLinear(params, (map, name) => {
    const index = keys.get(name);
    if (index === undefined) return map;
    if (map.adapter) throw new RangeError(`The linear map ${name} has an adapter already`);
    const { weight } = map;
    const { device, shape: [n, k] } = weight;
    const uniform = device.dry
      ? { length: rank * k }
      : base.at(index).uniform(rank * k).map((x) => (2 * x - 1) / Math.sqrt(k));
    const adapter: Adapter = {
      down: device.tensor(uniform, [rank, k]),
      up: device.zeros([n, rank]),
      scale,
      ...(magnitudes && { magnitude: rowLengths(weight) }),
    };
    return { ...map, adapter };
  });
}

/** Whether a path is that of a part of an adapter: what {@linkcode addLora} adds and training changes. */
export function isAdapter(path: string): boolean {
  return /(^|\.)adapter\.(down|up|magnitude)$/.test(path);
}

/** The adapters of a tree by the names of their maps. */
export function adaptersOf(params: Tree<Tensor>): Map<string, Adapter> {
  const found = new Map<string, Adapter>();
  mapLinear(params, (map, name) => {
    if (map.adapter) found.set(name, map.adapter);
    return map;
  });
  return found;
}

/**
 * The same parameters with given adapters, such as those of a file.
 *
 * @throws {RangeError} If there is no map of a name, or it has an adapter already.
 */
export function withAdapters<P extends Tree<Tensor>>(params: P, adapters: ReadonlyMap<string, Adapter>): P {
  const names = new Set(linearLayers(params).map(({ name }) => name));
  for (const name of adapters.keys()) {
    if (names.has(name)) continue;
    const near = nearNames(name, names);
    throw new RangeError(
      `There is no linear map ${name} for the adapter${near.length ? `; near: ${near.join(", ")}` : ""}`,
    );
  }
  return mapLinear(params, (map, name) => {
    const adapter = adapters.get(name);
    if (adapter && map.adapter) throw new RangeError(`The linear map ${name} has an adapter already`);
    return adapter ? { ...map, adapter } : map;
  });
}

/** The same parameters without their adapters: the base, to the bit. */
export function withoutAdapters<P extends Tree<Tensor>>(params: P): P {
  return mapLinear(params, ({ adapter: _, ...map }) => map);
}

/**
 * The same parameters with the dropout of a step of training in every adapter, or without.
 *
 * @param rate Probability that an element is dropped.
 * @param key Source of the step's random numbers; each adapter gets its own. Not used up. @default no dropout
 */
export function withAdapterDropout<P extends Tree<Tensor>>(params: P, rate: number, key?: Key): P {
  let index = 0;
  return mapLinear(params, (map) => {
    if (!map.adapter) return map;
    const { dropout: _, ...adapter } = map.adapter;
    if (!key || rate === 0) return { ...map, adapter };
    const [k0, k1] = key.at(index++).consume();
    return { ...map, adapter: { ...adapter, dropout: { rate, key: [k0, k1] } } };
  });
}

/**
 * The same parameters with each adapter in its weight: W + scale · B · A, its rows at their magnitudes. The network
 * computes the same, as its adapters' products are made with these very weights.
 *
 * @returns Weights that had an adapter are new, owned by the current scope; the other tensors are those given.
 */
export function mergeLora<P extends Tree<Tensor>>(params: P): P {
  return mapLinear(params, (map) => {
    if (!map.adapter) return map;
    const { adapter: _, ...rest } = map;
    return { ...rest, weight: noGrad(map.weight.device, () => mergedWeight(map)) };
  });
}

/**
 * {@linkcode mergeLora} undone: the base weights from merged ones, within rounding. Who still has the base weights, as
 * {@linkcode withoutAdapters} gives them, has them to the bit.
 *
 * @param merged Parameters whose adapters are in their weights.
 * @param adapters The adapters by the names of their maps.
 * @returns Weights that are changed are new, owned by the current scope.
 * @throws {RangeError} If an adapter has magnitudes: the lengths that they replaced are not known any more.
 */
export function unmergeLora<P extends Tree<Tensor>>(merged: P, adapters: ReadonlyMap<string, Adapter>): P {
  return mapLinear(merged, (map, name) => {
    const adapter = adapters.get(name);
    if (!adapter) return map;
    if (adapter.magnitude) {
      throw new RangeError(
        `The adapter of ${name} has magnitudes, which cannot be taken out of a weight again: keep the base`,
      );
    }
    const { device, shape } = map.weight;
    const weight = device.empty(shape);
    device.copy(map.weight, weight);
    addLowRank(weight, { ...placed(adapter), scale: -adapter.scale });
    return { ...map, weight };
  });
}

/** Number of parameters of a tree, or of a part of one. */
export function parameterCountOf(params: Tree<Shaped>): number {
  return leaves<Shaped>(params).reduce((count, { shape }) => count + sizeOf(shape), 0);
}

function rowLengths(weight: Tensor): Tensor {
  return noGrad(weight.device, () => sqrt(sum(square(weight), { axes: [1] })));
}

/** A tree with its linear maps replaced. */
function mapLinear<P extends Tree<Tensor>>(params: P, replace: (map: LinearParams, name: string) => LinearParams): P {
  return mapBranches<Tensor>(params, (branch, path) => {
    const map = branch as Partial<LinearParams>;
    return map.weight?.shape?.length === 2 ? replace(map as LinearParams, snakeCase(path)) : undefined;
  }) as P;
}
