/** Weights as the arrays of AlphaFold's files. */
import { type AlphafoldArray, alphafoldArrays, arrayOf, namingOfParameters } from "./alphafold_names.ts";
import { halvesSwapped, turned } from "./openfold_weights.ts";
import type { NamedArray } from "./safetensors.ts";
import { countOf, type WeightEntry } from "./weight_file.ts";

/** Head counts that no shape of a state dict tells. */
export interface AlphafoldHeads {
  /** Heads of the template pointwise attention. @default those of the template pair stack's attention */
  readonly templatePointwise?: number;
  /** Heads of the MSA column attention. @default those of the row attention of the same block */
  readonly msaColumn?: number;
}

/**
 * Parameters under OpenFold's names as the arrays of AlphaFold's files, read when they are asked for.
 *
 * @param parameters By OpenFold's current names.
 * @returns In the order of AlphaFold's modules.
 * @throws {TypeError} If a parameter has no place in AlphaFold's files, a stack lacks a block's, or heads do not divide.
 */
export function alphafoldEntries(
  parameters: ReadonlyMap<string, WeightEntry>,
  heads: AlphafoldHeads = {},
): WeightEntry[] {
  const naming = namingOfParameters(parameters.keys());
  const found = new Map<AlphafoldArray, WeightEntry[]>();
  for (const [name, entry] of parameters) {
    const at = arrayOf(name, naming);
    if (!at) throw new TypeError(`AlphaFold's files have no place for the parameter ${name} [${entry.shape}]`);
    let blocks = found.get(at.array);
    if (!blocks) found.set(at.array, blocks = []);
    blocks[at.block] = entry;
  }
  return alphafoldArrays(naming).flatMap((array) => {
    const blocks = found.get(array);
    return blocks ? [stackedEntry(array, blocks, parameters, heads)] : [];
  });
}

function stackedEntry(
  array: AlphafoldArray,
  blocks: readonly WeightEntry[],
  parameters: ReadonlyMap<string, WeightEntry>,
  heads: AlphafoldHeads,
): WeightEntry {
  const [first] = blocks;
  for (let block = 0; block < blocks.length; block++) {
    const name = array.parameter.replace("*", String(block));
    if (!blocks[block]) throw new TypeError(`The parameter ${name} is missing, though later blocks have theirs`);
    if (blocks[block].dtype !== first.dtype || String(blocks[block].shape) !== String(first.shape)) {
      throw new TypeError(
        `The parameter ${name} is ${blocks[block].dtype} [${
          blocks[block].shape
        }], that of block 0 ${first.dtype} [${first.shape}]`,
      );
    }
  }
  const shape = arrayShape(array, first, parameters, heads);
  return {
    name: array.name,
    dtype: first.dtype,
    shape: array.stacked ? [blocks.length, ...shape] : shape,
    async read(rows) {
      const { from, to } = array.stacked && rows ? rows : { from: 0, to: blocks.length };
      if (!array.stacked && rows) throw new RangeError(`${array.name} holds no stack of blocks`);
      let out: NamedArray["data"] | undefined;
      const size = countOf(shape);
      for (let block = from; block < to; block++) {
        const read = await blocks[block].read();
        const parameter = array.swapped ? halvesSwapped(read) : read;
        const straight = array.layout === "same" || array.layout === "column";
        const { data } = straight ? parameter : turned(parameter);
        if (!array.stacked) return { dtype: first.dtype, shape, data };
        out ??= new (data.constructor as new (length: number) => NamedArray["data"])(size * (to - from));
        (out as Float32Array).set(data as Float32Array, (block - from) * size);
      }
      return { dtype: first.dtype, shape: [to - from, ...shape], data: out ?? new Float32Array() };
    },
  };
}

/** Shape of an array's block: heads and channels stand apart. */
function arrayShape(
  { name, parameter, layout }: AlphafoldArray,
  { name: ofFirst, shape }: WeightEntry,
  parameters: ReadonlyMap<string, WeightEntry>,
  heads: AlphafoldHeads,
): readonly number[] {
  const apart = (size: number, n: number): readonly number[] => {
    if (size % n) throw new TypeError(`The ${size} channels of ${ofFirst} do not divide into ${n} heads`);
    return [n, size / n];
  };
  const rowsOf = (other: string): number | undefined => parameters.get(other)?.shape[0];
  const needed = (count: number | undefined, from: string): number => {
    if (count === undefined) throw new TypeError(`How many heads ${ofFirst} has is told by ${from}, which is missing`);
    return count;
  };
  const block = ofFirst.replace(/\.(?:msa_att_row|msa_att_col|outer_product_mean)\..*$/, "");
  if (/\/\/(?:query_w|key_w|value_w|gating_w|output_w|gating_b)$/.test(name) && !/outer_product_mean/.test(parameter)) {
    let n: number;
    if (/global_attention/.test(parameter)) {
      if (/linear_[kv]\.weight$/.test(parameter)) return [shape[1], shape[0]]; // one head, without an axis of its own
      const at = `${block}.msa_att_col.global_attention`;
      const from = `${at}.linear_k.weight`;
      n = needed(rowsOf(`${at}.linear_q.weight`), from) / needed(rowsOf(from), from);
    } else if (/template_pointwise_att/.test(parameter)) {
      const from = "template_embedder.template_pair_stack.blocks.0.tri_att_start.linear.weight";
      n = heads.templatePointwise ?? needed(rowsOf(from), from);
    } else if (/msa_att_(?:row|col)/.test(parameter)) {
      const from = `${block}.msa_att_row.linear_z.weight`;
      n = (/msa_att_col/.test(parameter) ? heads.msaColumn : undefined) ?? needed(rowsOf(from), from);
    } else {
      const from = ofFirst.replace(/\.mha\..*$/, ".linear.weight");
      n = needed(rowsOf(from), from);
    }
    if (name.endsWith("gating_b")) return apart(shape[0], n);
    if (layout === "out last") return [...apart(shape[1], n), shape[0]];
    return [shape[1], ...apart(shape[0], n)];
  }
  if (/\/[qkv]_(?:scalar|point)_projection\//.test(name)) {
    const from = "structure_module.ipa.head_weights";
    const split = apart(shape[0], needed(rowsOf(from), from));
    return layout === "same" ? split : [shape[1], ...split];
  }
  if (layout === "column") return [shape[0]];
  if (layout === "out last") { // the outer product: two axes of channels
    const from = `${block}.outer_product_mean.linear_1.weight`;
    return [...apart(shape[1], needed(rowsOf(from), from)), shape[0]];
  }
  return layout === "in first" ? [shape[1], shape[0]] : shape;
}
