import {
  addInto,
  defineOp,
  type Device,
  elementGrid,
  flatGrid,
  type Grid,
  isVisible,
  type Kernel,
  sameShape,
  type Shape,
  type Tensor,
} from "../core/mod.ts";
import { type AttentionPart, attentionParts, putPart, takePart } from "./_attention_parts.ts";
import { MAX_D4 } from "./_attention_stream.ts";
import { entryOf } from "./_region.ts";
import { type AttentionStructure, forwardKernel, padBiasKernel } from "./attention.wgsl.ts";
import {
  BIAS_TILE,
  biasKernel,
  keysKernel,
  queriesKernel,
  termsKernel,
  unpadBiasKernel,
} from "./attention_backward.wgsl.ts";

/** What {@linkcode attention} takes. */
export type AttentionInputs = {
  /** Projections of every token, `[B, I, J, 3·H·D]`: the columns of q, k, v, in each channel h·D + d; gated: and of g. */
  readonly qkv: Tensor;
  /** Added to the logits of every sequence, `[B, H, L, L]` (query, key), L being the size of the axis attended along. */
  readonly bias?: Tensor;
  /** 1 where a token may be attended to, 0 where not, `[B, I, J]`. No gradient flows to it. */
  readonly mask?: Tensor;
};

/** How {@linkcode attention} goes about it. */
export interface AttentionOptions {
  /** Number of heads, H. */
  readonly heads: number;
  /**
   * Axis attended along: 2 attends along J for each i (rows of an MSA, the starting node of a triangle), 1 along I for
   * each j (columns, the ending node).
   */
  readonly axis: 1 | 2;
  /** Whether the output is multiplied by the sigmoid of a fourth projection, g. */
  readonly gated: boolean;
  /** Factor of q · k. @default 1 / √D */
  readonly scale?: number;
}

type Attributes = Required<AttentionOptions>;

interface Sizes {
  readonly B: number;
  readonly L: number;
  readonly R: number;
  readonly S: number;
  readonly H: number;
  readonly d4: number;
  /** Operations of one product of queries and keys, or of probabilities and values. */
  readonly flops: number;
  /** The numbers of `SIZES` in attention.wgsl.ts. */
  readonly uniforms: Readonly<Record<string, number>>;
}

function sizesOf(shape: Shape, { heads: H, axis, gated, scale }: Attributes): Sizes {
  const [B, I, J, columns] = shape;
  const [L, R] = axis === 2 ? [J, I] : [I, J];
  const d4 = columns / ((gated ? 4 : 3) * H) / 4;
  const uniforms = {
    L,
    R,
    S: B * R,
    H,
    rStride: axis === 2 ? J : 1,
    lStride: axis === 2 ? 1 : J,
    width: columns / 4,
    HD4: H * d4,
    L4: Math.ceil(L / 4),
    scale,
  };
  return { B, L, R, S: B * R, H, d4, flops: 8 * B * R * H * L * L * d4, uniforms };
}

/** What a kernel would like of a subgroup: queries (or keys) a lane, and streamed items a block. */
interface Wish {
  readonly t: number;
  readonly items: number;
}

/** The fastest on lavapipe; more of either would be no faster, but longer to compile. */
const forwardWish = (lanes: number): Wish => ({ t: 4, items: lanes / 2 });
const backwardWish = (_lanes: number, d4: number): Wish => ({ t: d4 > 4 ? 2 : 4, items: 4 });

/** A wish within reason: no more queries a lane than there are, and blocks whose load the lanes can share. */
function granted({ t, items }: Wish, length: number, lanes: number, d4: number): Wish {
  while (t > 1 && length <= lanes * (t / 2)) t /= 2;
  items = Math.max(4, items);
  while (items < lanes && d4 % (lanes / items)) items *= 2;
  return { t, items };
}

/** How a kernel is built for a device, and its grid. */
function plan(
  { traits }: Device,
  { L, S, H, d4 }: Sizes,
  wish: (lanes: number, d4: number) => Wish,
  flags: { bias: boolean; mask: boolean },
): { structure: AttentionStructure; grid: Grid; blocks: number } {
  const family = traits.kernelFamily;
  const lanes = family === "subgroup" ? traits.subgroupSize : family === "workgroup" && L <= 32 ? 32 : 64;
  const { t, items } = family === "subgroup" ? granted(wish(lanes, d4), L, lanes, d4) : { t: 1, items: 4 };
  const blocks = H * Math.ceil(L / (lanes * t));
  const [y, z] = flatGrid(S);
  return { structure: { family, lanes, t, d4, items, ...flags }, grid: [blocks, y, z], blocks };
}

/** The bias as the kernels read it: whole vec4s a row, transposed for keys. */
function preparedBias(device: Device, bias: Tensor, L: number, transposed: boolean): Tensor {
  if (!transposed && L % 4 === 0) return bias;
  const L4 = Math.ceil(L / 4);
  const n = (bias.size / L) * L4;
  const padded = device.empty([bias.size / L, 4 * L4]);
  device.run(padBiasKernel({ transposed }), {
    bindings: { bias, padded },
    uniforms: { L, L4, n },
    grid: elementGrid(n, 64),
    flops: 0,
  });
  return padded;
}

/** Leaves out what is absent. */
function present(bindings: Readonly<Record<string, Tensor | undefined>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(bindings).filter((entry): entry is [string, Tensor] => !!entry[1]));
}

/** What the way back reads. */
type Saved = { readonly out: Tensor; readonly stats: Tensor };
type Attended = { readonly out: Tensor; readonly stats: Tensor | undefined };
type Wanted = { readonly qkv?: boolean; readonly bias?: boolean };

function attend({ qkv, bias, mask }: AttentionInputs, attributes: Attributes, recording: boolean): Attended {
  const { device } = qkv;
  const sizes = sizesOf(qkv.shape, attributes);
  const { L, H, d4, flops, uniforms } = sizes;
  const [B, I, J] = qkv.shape;
  const out = device.empty([B, I, J, H * d4 * 4], qkv.dtype); // in 16 bits if its inputs are
  if (out.size === 0) return { out, stats: undefined };
  const stats = recording ? device.empty([2, B, I, J, H]) : undefined;
  const { structure, grid } = plan(device, sizes, forwardWish, { bias: !!bias, mask: !!mask });
  device.run(forwardKernel({ ...structure, gated: attributes.gated, record: recording }), {
    bindings: present({ qkv, bias: bias && preparedBias(device, bias, L, false), mask, out, stats }),
    uniforms,
    grid,
    flops: 2 * flops,
  });
  return { out, stats };
}

function inputsOf({ qkv, bias, mask }: AttentionInputs, part: AttentionPart): AttentionInputs {
  return { qkv: takePart(qkv, part), bias: bias && entryOf(bias, part.entry), mask: mask && takePart(mask, part) };
}

/** The same a few sequences at a time, for a device that lets no kernel see all of `qkv`. */
function attendInParts(inputs: AttentionInputs, attributes: Attributes, recording: boolean): Attended {
  const { qkv } = inputs;
  const { device, shape: [B, I, J] } = qkv;
  const { H, d4 } = sizesOf(qkv.shape, attributes);
  const out = device.empty([B, I, J, H * d4 * 4]);
  const stats = recording ? device.empty([2, B, I, J, H]) : undefined;
  for (const part of attentionParts(qkv, attributes.axis)) {
    using _ = device.scope("part");
    const got = attend(inputsOf(inputs, part), attributes, recording);
    putPart(got.out, out, part);
    if (stats && got.stats) putPart(got.stats, stats, part, 1);
  }
  return { out, stats };
}

function attendBack(
  { qkv, bias, mask }: AttentionInputs,
  { out, stats }: Saved,
  attributes: Attributes,
  wanted: Wanted,
  dOut: Tensor,
  onTop?: Tensor,
): { qkv: Tensor; bias: Tensor | undefined } {
  const { device } = qkv;
  const sizes = sizesOf(qkv.shape, attributes);
  const { B, L, H, d4, flops, uniforms } = sizes;
  const { gated } = attributes;
  const dqkv = device.empty(qkv.shape);
  if (dOut.size === 0) return { qkv: dqkv, bias: wanted.bias && bias ? device.zeros(bias.shape) : undefined };
  const dBias = wanted.bias && bias ? onTop ?? device.empty(bias.shape) : undefined;
  const terms = device.empty([out.size / (4 * d4), 4]);
  const dO = gated ? device.empty(out.shape) : dOut;
  device.run(termsKernel({ d4, gated }), {
    bindings: present({ qkv: gated ? qkv : undefined, out, dOut, stats, terms, ...(gated ? { dO, dqkv } : {}) }),
    uniforms: { H, n: terms.size / 4, width: uniforms.width },
    grid: elementGrid(terms.size / 4, 64),
    flops: (gated ? 9 : 2) * out.size,
    bytesRead: 4 * (out.size * (gated ? 3 : 2) + terms.size / 2),
    bytesWritten: 4 * (out.size * (gated ? 2 : 0) + terms.size),
  });
  const flags = { bias: !!bias, mask: !!mask };
  const padded = bias && preparedBias(device, bias, L, false);
  // Every kernel makes two products again, the logits and dO · v, and one for each gradient.
  const run = (kernel: Kernel, grid: Grid, grads: number, more: Readonly<Record<string, Tensor | undefined>>) =>
    device.run(kernel, {
      bindings: present({ qkv, dO, terms, bias: padded, mask, ...more }),
      uniforms,
      grid,
      flops: (2 + grads) * flops,
      bytesRead: 4 * (4 * out.size + terms.size + (padded?.size ?? 0) + (mask?.size ?? 0)), // q, k, v and dO
      bytesWritten: 4 * (grads * out.size + (more.dBias?.size ?? 0)),
    });

  const { structure, grid, blocks } = plan(device, sizes, backwardWish, flags);
  const inPassing = dBias !== undefined && structure.family !== "workgroup" && B <= 65_535;
  if (inPassing) {
    const padding = () => onTop ? preparedBias(device, onTop, L, false) : device.empty([B * H * L, 4 * uniforms.L4]);
    const sums = L % 4 === 0 ? dBias : padding();
    const kernel = queriesKernel({ ...structure, sumBias: true, ...(onTop && { onTop: true }) });
    run(kernel, [blocks, B, 1], 1, { dqkv, dBias: sums });
    if (sums !== dBias) {
      device.run(unpadBiasKernel({}), {
        bindings: { padded: sums, bias: dBias },
        uniforms: { L, L4: uniforms.L4, n: dBias.size },
        grid: elementGrid(dBias.size, 64),
        flops: 0,
      });
    }
  } else if (dBias) {
    const tiles = Math.ceil(L / BIAS_TILE);
    const sums = onTop ? device.empty(onTop.shape) : dBias;
    run(biasKernel({ d4, ...flags }), flatGrid(tiles * tiles * B * H), 0, { dBias: sums });
    if (onTop) addInto(device, onTop, sums);
  }
  if (wanted.qkv) {
    if (!inPassing) run(queriesKernel({ ...structure, sumBias: false }), grid, 1, { dqkv });
    run(keysKernel(structure), grid, 2, { dqkv, bias: bias && preparedBias(device, bias, L, true) });
  }
  return { qkv: dqkv, bias: dBias };
}

/** The same a few sequences at a time; the gradient of the bias is their sum. */
function attendBackInParts(
  inputs: AttentionInputs,
  { out, stats }: Saved,
  attributes: Attributes,
  wanted: Wanted,
  dOut: Tensor,
): { qkv: Tensor; bias: Tensor | undefined } {
  const { qkv, bias } = inputs;
  const { device } = qkv;
  const dqkv = device.empty(qkv.shape);
  const dBias = wanted.bias && bias ? device.empty(bias.shape) : undefined;
  let total: Tensor | undefined;
  for (const part of attentionParts(qkv, attributes.axis)) {
    using scope = device.scope("part");
    const saved = { out: takePart(out, part), stats: takePart(stats, part, 1) };
    const before = part.first === 0 ? undefined : total;
    const got = attendBack(inputsOf(inputs, part), saved, attributes, wanted, takePart(dOut, part), before);
    putPart(got.qkv, dqkv, part);
    if (!dBias || !got.bias) continue;
    total = scope.keep(got.bias);
    device.copy(total, dBias, { toElement: part.entry * total.size });
  }
  return { qkv: dqkv, bias: dBias };
}

const op = defineOp<AttentionInputs, "qkv" | "bias" | "mask", Saved, Attributes>({
  name: "attention",
  needs: { qkv: ["qkv", "bias", "mask"], bias: ["qkv", "bias", "mask"] },
  forward(inputs, attributes, { wanted }) {
    const recording = wanted.qkv || !!wanted.bias;
    const { out, stats } = (isVisible(inputs.qkv) ? attend : attendInParts)(inputs, attributes, recording);
    return stats ? { out, saved: { out, stats } } : { out };
  },
  vjp({ inputs, saved, attributes, wanted }, dOut) {
    if (!wanted.qkv && !wanted.bias) return {};
    return (isVisible(inputs.qkv) ? attendBack : attendBackInParts)(inputs, saved, attributes, wanted, dOut);
  },
});

/**
 * Attention of every token to the tokens of its own row or column, head by head:
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
 * @returns `[B, I, J, H·D]`, owned by the current scope.
 * @throws {TypeError} If the shapes do not fit together, or D is not a multiple of 4.
 */
export function attention(inputs: AttentionInputs, options: AttentionOptions): Tensor {
  const { qkv, bias, mask } = inputs;
  const { heads, axis, gated } = options;
  const { shape } = qkv;
  const parts = gated ? 4 : 3;
  const said = `qkv is [${shape}], heads is ${heads}, gated is ${gated}`;
  if (shape.length !== 4) throw new TypeError(`Cannot run attention as qkv must be [B, I, J, ${parts}·H·D]: ${said}`);
  if (!Number.isInteger(heads) || heads < 1) {
    throw new TypeError(`Cannot run attention as heads must be a positive integer: ${said}`);
  }
  if (axis !== 1 && axis !== 2) throw new TypeError(`Cannot run attention as axis must be 1 or 2: it is ${axis}`);
  const [B, I, J, columns] = shape;
  const channels = columns / (parts * heads);
  if (!Number.isInteger(channels) || channels === 0) {
    throw new TypeError(`Cannot run attention as the last axis of qkv must be ${parts}·H·D: ${said}`);
  }
  if (channels % 4) {
    throw new TypeError(
      `Cannot run attention as a head's channels must be a multiple of 4: ${said}, so D is ${channels}; ` +
        `pad each head with zeros to ${Math.ceil(channels / 4) * 4} and give scale = ${channels} ** -0.5`,
    );
  }
  if (channels > 4 * MAX_D4) {
    throw new RangeError(`Cannot run attention with ${channels} channels a head: at most ${4 * MAX_D4}`);
  }
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
  return op(inputs, { heads, axis, gated, scale: options.scale ?? 1 / Math.sqrt(channels) });
}
