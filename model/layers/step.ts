import { checkpoint, type Device, type Key, type Tensor, type Tree } from "../../core/mod.ts";
import { add, dropout } from "../../ops/mod.ts";

/**
 * Runs a named part of a network. The name is the part's in errors and profiles.
 *
 * @param inputs Everything gradients should flow to, parameters included.
 * @param recompute Keep the inputs alone and compute the rest again on the way back. @default false
 * @param activations Names of inputs that may be kept rounded then, where who differentiates says so. @default none
 */
export function step<I extends Tree<Tensor>, O extends Tree<Tensor>>(
  device: Device,
  name: string,
  inputs: I,
  run: (inputs: I) => O,
  recompute = false,
  activations: readonly (keyof I & string)[] = [],
): O {
  if (recompute && device.tape) return checkpoint(device, name, run, inputs, activations);
  using scope = device.scope(name);
  return scope.keep(run(inputs));
}

/** Dropout with one decision for all elements along an axis. */
export interface SharedDropout {
  /** Probability that an element is dropped. */
  readonly rate: number;
  /** Decides which; used up by the call. */
  readonly key: Key;
  /** 1 shares among rows ("row-wise"), 2 among columns ("column-wise"). */
  readonly axis: 1 | 2;
}

/**
 * Adds a module's update to what it updates. Without dropout the module adds it itself, where it stores its result.
 *
 * Source: Jumper et al. (2021), Suppl. 1.11.6 for the sharing.
 *
 * @param module Gives the update, plus the residual if there is one.
 * @param drop @default no dropout
 */
export function addUpdate(residual: Tensor, module: (residual?: Tensor) => Tensor, drop?: SharedDropout): Tensor {
  if (!drop || drop.rate === 0) return module(residual);
  const { rate, key, axis } = drop;
  return add(residual, dropout(module(), { rate, key, axes: [axis] }));
}
