/** What attention is given and gives, and the sizes that its kernels are told. */
import type { Tensor } from "../core/mod.ts";
import type { Side } from "./attention.wgsl.ts";

/** What attention reads: `qkv`, or `q`, `k`, `v` and perhaps `gate`. */
export type AttentionOperands = {
  readonly qkv?: Tensor;
  readonly q?: Tensor;
  readonly k?: Tensor;
  readonly v?: Tensor;
  readonly gate?: Tensor;
  readonly bias?: Tensor;
  readonly mask?: Tensor;
  /** Lists of a layout's rows, and of its columns: `BlockLists.numbers`. */
  readonly blocks?: Tensor;
  readonly blocksOfKeys?: Tensor;
};

/** A layout of blocks, as kernels must know it besides its lists. */
export interface SparseAttributes {
  /** Tokens of a block; blocks of queries and of keys. */
  readonly block: number;
  readonly rows: number;
  readonly columns: number;
  /** Blocks of the longest list of a row, and of a column. */
  readonly longestRow: number;
  readonly longestColumn: number;
  /** Part of all blocks that is visited. */
  readonly share: number;
}

/** How it reads them. */
export interface AttentionAttributes {
  readonly heads: number;
  /** Axis attended along: of queries, gate and output; of keys and values. */
  readonly axis: 1 | 2;
  readonly keyAxis: 1 | 2;
  readonly gated: boolean;
  readonly scale: number;
  /** Which blocks are visited. @default all */
  readonly sparse?: SparseAttributes;
}

/** What the forward pass gives. */
export type Attended = { readonly out: Tensor; readonly stats: Tensor | undefined };
/** What of it the way back reads. */
export type Saved = { readonly out: Tensor; readonly stats: Tensor };

/** Gradients by the names of the inputs. */
export type AttentionGradients = { [K in keyof AttentionOperands]?: Tensor };
/** Which gradients are wanted. */
export type Wanted = { readonly [K in keyof AttentionOperands]?: boolean };

/** Sizes of an attention, as plans, kernels and profiles need them. */
export interface Sizes {
  /** Batch entries, queries and keys of a sequence, sequences of an entry and over all, heads, vec4s of a head. */
  readonly B: number;
  readonly Lq: number;
  readonly Lk: number;
  readonly R: number;
  readonly S: number;
  readonly H: number;
  readonly d4: number;
  readonly packed: boolean;
  /** Shape of the output. */
  readonly shape: readonly [B: number, I: number, J: number, columns: number];
  /** Operations of one product of queries and keys, or of probabilities and values. */
  readonly flops: number;
  /** The numbers of `SIZES` in attention.wgsl.ts but for `L4` and `valueAt`. */
  readonly uniforms: Readonly<Record<string, number>>;
  readonly sparse?: SparseAttributes;
}

/** The sizes of what is given. */
export function sizesOf(
  { qkv, q, k }: AttentionOperands,
  { heads: H, axis, keyAxis, gated, scale, sparse }: AttentionAttributes,
): Sizes {
  const [B, I, J] = (qkv ?? q!).shape;
  const keys = (qkv ?? k!).shape;
  const columns = qkv ? qkv.shape[3] / (gated ? 4 : 3) : q!.shape[3];
  const [Lq, R] = axis === 2 ? [J, I] : [I, J];
  const Lk = keys[keyAxis];
  const d4 = columns / H / 4;
  const uniforms = {
    rFirst: 0,
    rEnd: R,
    Lq,
    Lk,
    R,
    S: B * R,
    H,
    qRow: axis === 2 ? J : 1,
    qStep: axis === 2 ? 1 : J,
    kRow: keyAxis === 2 ? Lk : 1,
    kStep: keyAxis === 2 ? 1 : R,
    width: (qkv ?? q!).shape[3] / 4,
    HD4: H * d4,
    scale,
  };
  const flops = 8 * B * R * H * Lq * Lk * d4 * (sparse?.share ?? 1);
  return { B, Lq, Lk, R, S: B * R, H, d4, packed: !!qkv, shape: [B, I, J, columns], flops, uniforms, sparse };
}

/** What kernels are told of the lists they go over. */
export function listSizes({ sparse }: Sizes, of: Side): Record<string, number> {
  return sparse ? { block: sparse.block, longest: of === "q" ? sparse.longestRow : sparse.longestColumn } : {};
}

/** Leaves out what is absent. */
export function present(bindings: Readonly<Record<string, Tensor | undefined>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(bindings).filter((entry): entry is [string, Tensor] => !!entry[1]));
}
