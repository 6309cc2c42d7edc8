import type { Device } from "../../core/mod.ts";
import type { Comparison } from "./compare.ts";
import type { Golden } from "./golden.ts";

/** What an implementation gives back: numbers by golden name. */
export type Results = Map<string, ArrayLike<number>>;

/** An implementation of a family of golden cases. */
export interface Family {
  /** Beginning of the case's name; of several that fit, the longest counts. */
  readonly prefix: string;
  /** Whether a case whose name fits is from the program that this family stands for. */
  matches(golden: Golden): boolean;
  /** Computes outputs and gradients. */
  run(device: Device, golden: Golden): Results | Promise<Results>;
  /**
   * Comparisons that a bound for every number does not express, by tensor; the other tensors are compared with the
   * tolerances of the description.
   */
  special?(golden: Golden, results: Results): Comparison[];
}

/** The family of a case: the one with the longest fitting prefix, if it matches. */
export function familyOf(golden: Golden, families: readonly Family[]): Family | undefined {
  const fitting = families.filter(({ prefix }) => golden.name === prefix || golden.name.startsWith(`${prefix}_`));
  const family = fitting.sort((a, b) => b.prefix.length - a.prefix.length)[0];
  return family?.matches(golden) ? family : undefined;
}
