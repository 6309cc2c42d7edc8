/**
 * Names of OpenFold's state dicts: those of its current version, and the older ones of the published files.
 *
 * Source: OpenFold, `openfold/utils/import_weights.py` (renaming of checkpoints of version 1).
 */

const RENAMES: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/^template_angle_embedder\./, "template_embedder.template_single_embedder."],
  [/^(template_(?:pair_embedder|pair_stack|pointwise_att)\.)/, "template_embedder.$1"],
  [/^((?:evoformer|extra_msa_stack)\.blocks\.\d+)\.core\.(msa_transition|outer_product_mean)\./, "$1.$2."],
  [/^((?:evoformer|extra_msa_stack)\.blocks\.\d+)\.core\./, "$1.pair_stack."],
  [/^(structure_module\.ipa\.linear_(?:q|kv)_points)\.(weight|bias)$/, "$1.linear.$2"],
];

/**
 * The current name of a parameter under an older one; a current name is itself.
 *
 * @example
 * ```ts
 * import { currentOpenfoldName } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * assert.equal(
 *   currentOpenfoldName("evoformer.blocks.3.core.tri_mul_out.linear_g.bias"),
 *   "evoformer.blocks.3.pair_stack.tri_mul_out.linear_g.bias",
 * );
 * ```
 */
export function currentOpenfoldName(name: string): string {
  for (const [pattern, replacement] of RENAMES) {
    if (pattern.test(name)) return name.replace(pattern, replacement);
  }
  return name;
}
