/**
 * Parameter names in state dicts and in parameter trees: `evoformer_blocks.0.q_proj.weight` and
 * `evoformerBlocks.0.qProj.weight`. Each part between dots is renamed on its own, and an underscore before a digit
 * stays, so that both ways undo each other: `linear1` and `linear_1` remain two names.
 */

/**
 * The state dict's name of a path in a parameter tree.
 *
 * @example
 * ```ts
 * import { camelCase, snakeCase } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * assert.equal(snakeCase("evoformerBlocks.0.qProj.weight"), "evoformer_blocks.0.q_proj.weight");
 * assert.equal(camelCase("evoformer_blocks.0.q_proj.weight"), "evoformerBlocks.0.qProj.weight");
 * ```
 * @param path Keys joined by dots.
 */
export function snakeCase(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/**
 * The path in a parameter tree of a state dict's name: {@linkcode snakeCase} undone.
 *
 * @param name Parts joined by dots.
 */
export function camelCase(name: string): string {
  return name.replace(/(?<=[a-z0-9])_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
