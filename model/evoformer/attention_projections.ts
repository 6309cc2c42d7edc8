import type { AttentionProjections } from "../layers/attention.ts";
import type { AttentionParams } from "../layers/cross_attention.ts";

/** The projections of attention by what they are for. */
export function projectionsOf({ linearQ, linearK, linearV, linearG, linearO }: AttentionParams): AttentionProjections {
  return { qkv: [linearQ, linearK, linearV], gate: linearG, out: linearO };
}
