import { mapBranches, type Tensor, type Tree } from "../../core/mod.ts";
import {
  concat,
  isFused,
  layOutLinears,
  linear,
  type LinearParams,
  packedLinear,
  packLinears,
  split,
} from "../../ops/mod.ts";

/**
 * Projections of one input, their outputs side by side: one product; where the fusion "qkv" is off, one each and a copy.
 *
 * @param x `[..., cIn]`.
 * @param intermediate Whether the device may keep the result in 16 bits. @default true
 * @returns `[..., Σ cOut_i]`.
 */
export function projectPacked(x: Tensor, parts: readonly LinearParams[], { intermediate = true } = {}): Tensor {
  if (isFused(x.device, "qkv") || parts.length === 1) return packedLinear(x, parts, { intermediate });
  using scope = x.device.scope("project");
  return scope.keep(concat(parts.map((part) => linear(x, part)), -1));
}

/**
 * {@linkcode projectPacked}, cut into outputs of equal width; where "qkv" is off these are the products themselves.
 *
 * @param count How many outputs; a part may hold several.
 */
export function projectApart(x: Tensor, parts: readonly LinearParams[], count: number): Tensor[] {
  if (!isFused(x.device, "qkv") && parts.length === count) return parts.map((part) => linear(x, part));
  const packed = projectPacked(x, parts, { intermediate: false }); // copies take 32 bits
  const width = packed.shape.at(-1)! / count;
  const cut = split(packed, new Array<number>(count).fill(width), -1);
  packed.dispose();
  return cut;
}

/** Names of projections of one input that networks read together, in that order; those in brackets may be absent. */
const TOGETHER = [
  ["linearQ", "linearK", "linearV", "[linearG]"],
  ["linearAP", "linearAG", "linearBP", "linearBG"],
  ["qProj", "kProj", "vProj"],
];

/**
 * The same parameters, with projections that are read together (queries, keys, values and gates of attention; both edges
 * of a triangle multiplication) laid out so that they are one map without being copied together each time. For weights
 * that stay as they are: inference, and what fine-tuning freezes.
 *
 * @param params A network's parameters, or a part of them; they stay as they are.
 * @returns A tree of the same form. Tensors that were laid out anew are owned by the current scope, the others are those
 * given.
 */
export function packProjections<P extends Tree<Tensor>>(params: P): P {
  return mapBranches<Tensor>(params, (branch) => {
    const found = readTogether(branch);
    if (!found) return;
    const packed = packLinears(found.map((name) => branch[name] as LinearParams));
    return { ...branch, ...Object.fromEntries(found.map((name, i) => [name, packed[i]])) };
  }) as P;
}

/**
 * {@linkcode packProjections} of parameters that are needed nowhere else: their tensors are moved. For networks that only
 * infer.
 */
export function layOutProjections(params: Tree<Tensor>): void {
  mapBranches<Tensor>(params, (branch) => {
    const found = readTogether(branch);
    if (found) layOutLinears(found.map((name) => branch[name] as LinearParams));
    return undefined;
  });
}

/** Names of a branch's projections that are read together; undefined if it has none. */
function readTogether(branch: Readonly<Record<string, Tree<Tensor>>>): string[] | undefined {
  for (const names of TOGETHER) {
    const found = names.map((name) => name.replace(/[[\]]/g, "")).filter((name) => isLinear(branch[name]));
    if (names.every((name) => name.startsWith("[") || found.includes(name))) return found;
  }
  return undefined;
}

function isLinear(node: Tree<Tensor>): node is LinearParams {
  const { weight } = (node ?? {}) as Partial<LinearParams>;
  return weight?.shape?.length === 2;
}
