import { defineOp, sameShape, type Tensor } from "../core/mod.ts";
import { attendBack } from "./_attention_back.ts";
import { attend } from "./_attention_run.ts";
import type { AttentionAttributes, AttentionOperands } from "./_attention_sizes.ts";
import { MAX_D4 } from "./_attention_stream.ts";
import { type BlockLayout, blockLists, croppedLayout } from "./block_layout.ts";

/** What {@linkcode attention} takes where tokens attend to those of their own row or column. */
export type SelfAttentionInputs = {
  /** Projections of every token, `[B, I, J, 3·H·D]`: the columns of q, k, v, in each channel h·D + d; gated: and of g. */
  readonly qkv: Tensor;
  /** Added to the logits of every sequence, `[B, H, L, L]` (query, key), L being the size of the axis attended along. */
  readonly bias?: Tensor;
  /** 1 where a token may be attended to, 0 where not, `[B, I, J]`. No gradient flows to it. */
  readonly mask?: Tensor;
};

/** What {@linkcode attention} takes where they attend to others, of which there may be another number. */
export type CrossAttentionInputs = {
  /** Queries, `[B, I, J, H·D]`: Lq along the axis attended along, R sequences along the other. */
  readonly q: Tensor;
  /** Keys, `[B, I', J', H·D]`: Lk along their axis, R along the other. */
  readonly k: Tensor;
  /** Values, of the keys' shape. */
  readonly v: Tensor;
  /** Gates of the output before the sigmoid, of the queries' shape. */
  readonly gate?: Tensor;
  /** Added to the logits of every sequence, `[B, H, Lq, Lk]`. */
  readonly bias?: Tensor;
  /** 1 where a key may be attended to, 0 where not, `[B, I', J']`. No gradient flows to it. */
  readonly mask?: Tensor;
};

/** What {@linkcode attention} takes. */
export type AttentionInputs = SelfAttentionInputs | CrossAttentionInputs;

/** How {@linkcode attention} goes about it. */
export interface AttentionOptions {
  /** Number of heads, H. */
  readonly heads: number;
  /**
   * Axis attended along: 2 attends along J for each i (rows of an MSA, the starting node of a triangle), 1 along I for
   * each j (columns, the ending node).
   */
  readonly axis: 1 | 2;
  /** The same of keys and values of their own. @default axis */
  readonly keyAxis?: 1 | 2;
  /** Whether `qkv` has a fourth projection, by whose sigmoid the output is multiplied. @default false */
  readonly gated?: boolean;
  /** Factor of q · k. @default 1 / √D */
  readonly scale?: number;
  /**
   * The blocks of keys that blocks of queries attend to; nothing is computed of the others. It may be larger than the
   * sequences. Not together with a bias. @default all
   */
  readonly layout?: BlockLayout;
}

type Saved = { readonly out: Tensor; readonly stats: Tensor };

/** Inputs that gradients flow to; for each of them the way back reads all. */
const DIFFERENTIABLE = ["qkv", "q", "k", "v", "gate", "bias"] as const;

const op = defineOp<AttentionOperands, keyof AttentionOperands, Saved, AttentionAttributes>({
  name: "attention",
  needs: Object.fromEntries(
    DIFFERENTIABLE.map((name) => [name, [...DIFFERENTIABLE, "mask", "blocks", "blocksOfKeys"] as const]),
  ),
  forward(inputs, attributes, { wanted }) {
    const { out, stats } = attend(inputs, attributes, DIFFERENTIABLE.some((name) => wanted[name]));
    return stats ? { out, saved: { out, stats } } : { out };
  },
  vjp({ inputs, saved, attributes, wanted }, dOut) {
    if (!DIFFERENTIABLE.some((name) => wanted[name])) return {};
    return attendBack(inputs, saved, attributes, wanted, dOut);
  },
});

/**
 * Attention of every token to the tokens of its own row or column, or of queries to keys of their own, head by head:
 * `out[l] = Σ_m softmax_m(scale · q[l] · k[m] + bias[l, m] + 1e9 · (mask[m] − 1)) v[m]`, times `sigmoid(g[l])` if gated.
 *
 * The logits are never stored, neither on the way there nor back. A row whose keys are all masked averages all values.
 *
 * Source: Vaswani et al. (2017), section 3.2; with pair bias and gate: Jumper et al. (2021), Suppl. Alg. 7, 8, 13, 14;
 * the softmax kept up while keys stream by: Dao et al. (2022), "FlashAttention", Alg. 1 and 4.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { attention } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const [q, k, v] = [[0, 0, 0, 0], [1, 2, 3, 4], [5, 6, 7, 8]]; // one token attends to itself alone
 * const qkv = device.tensor([...q, ...k, ...v], [1, 1, 1, 12]);
 * const out = attention({ qkv }, { heads: 1, axis: 2, gated: false });
 * assert.deepEqual([...await out.read()], v);
 * ```
 *
 * Projections of one input are best made in one product and given packed. Where there are few keys, or few queries, as
 * when each pair of residues attends to its templates, every invocation reads those of its own query or key by itself.
 *
 * @returns `[B, I, J, H·D]`, owned by the current scope.
 * @throws {TypeError} If the shapes do not fit together, or D is not a multiple of 4.
 */
export function attention(inputs: AttentionInputs, options: AttentionOptions): Tensor {
  const { heads, axis, keyAxis = axis, layout } = options;
  if (!Number.isInteger(heads) || heads < 1) {
    throw new TypeError(`Cannot run attention as heads must be a positive integer: it is ${heads}`);
  }
  for (const [name, value] of Object.entries({ axis, keyAxis })) {
    if (value !== 1 && value !== 2) {
      throw new TypeError(`Cannot run attention as ${name} must be 1 or 2: it is ${value}`);
    }
  }
  const { channels, ...attributes } = "qkv" in inputs
    ? checkPacked(inputs, options)
    : checkSeparate(inputs, { ...options, keyAxis });
  const all = { heads, axis, ...attributes, scale: options.scale ?? 1 / Math.sqrt(channels) };
  return layout ? sparseAttention(inputs, all, layout) : op(inputs, all);
}

/** The same over the blocks of a layout. */
function sparseAttention(inputs: AttentionInputs, attributes: AttentionAttributes, layout: BlockLayout): Tensor {
  if (inputs.bias) throw new TypeError("Cannot run attention with both a layout of blocks and a bias");
  const { device, shape } = "qkv" in inputs ? inputs.qkv : inputs.q;
  const { axis, keyAxis } = attributes;
  const Lq = shape[axis], Lk = ("qkv" in inputs ? inputs.qkv : inputs.k).shape[keyAxis];
  const cropped = croppedLayout(layout, Lq, Lk);
  const { block, rows, columns } = cropped;
  const [ofRows, ofColumns] = [blockLists(cropped, "rows"), blockLists(cropped, "columns")];
  using scope = device.scope("layout");
  const blocks = device.tensor(ofRows.numbers, [ofRows.numbers.length], "i32");
  const blocksOfKeys = device.tensor(ofColumns.numbers, [ofColumns.numbers.length], "i32");
  const sparse = {
    ...{ block, rows, columns, longestRow: ofRows.longest, longestColumn: ofColumns.longest },
    share: ofRows.count / (rows * columns),
  };
  return scope.keep(op({ ...inputs, blocks, blocksOfKeys }, { ...attributes, sparse }));
}

/** What the checks find out. */
type Checked = Pick<AttentionAttributes, "keyAxis" | "gated"> & { readonly channels: number };

function checkPacked(
  { qkv, bias, mask }: SelfAttentionInputs,
  { heads, axis, keyAxis = axis, gated = false }: AttentionOptions,
): Checked {
  const { shape } = qkv;
  const parts = gated ? 4 : 3;
  const said = `qkv is [${shape}], heads is ${heads}, gated is ${gated}`;
  if (shape.length !== 4) throw new TypeError(`Cannot run attention as qkv must be [B, I, J, ${parts}·H·D]: ${said}`);
  if (keyAxis !== axis) throw new TypeError(`Cannot run attention as keys in qkv have the queries' axis: ${said}`);
  const [B, I, J, columns] = shape;
  const channels = columns / (parts * heads);
  if (!Number.isInteger(channels) || channels === 0) {
    throw new TypeError(`Cannot run attention as the last axis of qkv must be ${parts}·H·D: ${said}`);
  }
  checkChannels(channels, said);
  const L = axis === 2 ? J : I;
  if (bias && !sameShape(bias.shape, [B, heads, L, L])) {
    throw new TypeError(
      `Cannot run attention as bias must be [B, H, L, L] = [${[B, heads, L, L]}] for axis ${axis}: bias is ` +
        `[${bias.shape}], ${said}`,
    );
  }
  if (mask && !sameShape(mask.shape, [B, I, J])) {
    throw new TypeError(
      `Cannot run attention as mask must be [B, I, J] = [${[B, I, J]}]: mask is [${mask.shape}], ${said}`,
    );
  }
  return { channels, gated, keyAxis };
}

function checkSeparate(
  { q, k, v, gate, bias, mask }: CrossAttentionInputs,
  { heads, axis, keyAxis, gated }: AttentionOptions & { readonly keyAxis: 1 | 2 },
): Checked {
  const said = `q is [${q.shape}], k is [${k.shape}], v is [${v.shape}], heads is ${heads}, axis is ${axis}` +
    (keyAxis === axis ? "" : `, keyAxis is ${keyAxis}`);
  const refuse = (expected: string): never => {
    throw new TypeError(`Cannot run attention as ${expected}: ${said}`);
  };
  if (gated !== undefined) refuse("gated goes with qkv alone; give the gate as a tensor");
  if (q.shape.length !== 4 || k.shape.length !== 4) refuse("q and k must be [B, I, J, H·D]");
  if (!sameShape(k.shape, v.shape)) refuse("k and v must have one shape");
  const [B, , , columns] = q.shape;
  const across = q.shape[3 - axis];
  if (k.shape[0] !== B || k.shape[3] !== columns || k.shape[3 - keyAxis] !== across) {
    refuse("q and k must agree in batch, sequences and channels");
  }
  if (k.shape[keyAxis] === 0 && q.size) refuse("there must be a key");
  const channels = columns / heads;
  if (!Number.isInteger(channels) || channels === 0) refuse("the last axis of q must be H·D");
  checkChannels(channels, said);
  if (gate && !sameShape(gate.shape, q.shape)) refuse(`gate must have the shape of q, it is [${gate.shape}]`);
  const logits = [B, heads, q.shape[axis], k.shape[keyAxis]];
  if (bias && !sameShape(bias.shape, logits)) {
    refuse(`bias must be [B, H, Lq, Lk] = [${logits}], it is [${bias.shape}]`);
  }
  if (mask && !sameShape(mask.shape, k.shape.slice(0, 3))) {
    refuse(`mask must be [${k.shape.slice(0, 3)}], k's shape without channels, it is [${mask.shape}]`);
  }
  return { channels, gated: !!gate, keyAxis };
}

function checkChannels(channels: number, said: string): void {
  if (channels % 4) {
    throw new TypeError(
      `Cannot run attention as a head's channels must be a multiple of 4: ${said}, so D is ${channels}; ` +
        `pad each head with zeros to ${Math.ceil(channels / 4) * 4} and give scale = ${channels} ** -0.5`,
    );
  }
  if (channels > 4 * MAX_D4) {
    throw new RangeError(`Cannot run attention with ${channels} channels a head: at most ${4 * MAX_D4}`);
  }
}
