import { type Device, noGrad, type Tensor } from "../../core/mod.ts";
import { add, clamp, divide, max, multiply, multiplyScalar, permute, reshape, slice, sum } from "../../ops/mod.ts";
import { attentionProbabilities, maskPenalty } from "./explicit_attention.ts";

/** The attentions of an Evoformer block. */
export type AttentionKind =
  | "msaRowAttention"
  | "msaColumnAttention"
  | "triangleAttentionStarting"
  | "triangleAttentionEnding";

/** All kinds, in the order in which a block runs them. */
export const ATTENTION_KINDS: readonly AttentionKind[] = [
  "msaRowAttention",
  "msaColumnAttention",
  "triangleAttentionStarting",
  "triangleAttentionEnding",
];

/**
 * One attention of a network, and its sizes. Its rows are what it runs over side by side: the sequences for row
 * attention, the columns of the alignment for column attention, the residues that edges start or end at for triangles.
 */
export interface AttentionSite {
  /** Number of the block, from 0. */
  readonly block: number;
  /** Which attention of the block. */
  readonly kind: AttentionKind;
  /** Samples of the batch. */
  readonly batch: number;
  /** Heads. */
  readonly nHead: number;
  /** Rows. */
  readonly rows: number;
  /** Queries of a row: as many as keys, or 1 in global attention. */
  readonly queries: number;
  /** Keys of a row. */
  readonly keys: number;
}

/** What is wanted of an attention. */
export interface AttentionSelection {
  /** Heads, from 0. @default all */
  readonly heads?: readonly number[];
  /** The mean of these heads instead of each of them. @default false */
  readonly headMean?: boolean;
  /** The mean over all rows that have a key to attend to. @default false */
  readonly rowMean?: boolean;
  /** Rows, from 0, whose maps are wanted as they are. @default none */
  readonly rows?: readonly number[];
  /** So many rows, whose numbers begin at a multiple of it, are wanted in one map. @default 1 */
  readonly together?: number;
}

/** Attention probabilities that a capture receives; they sum to 1 over the keys. */
export interface AttentionMap {
  /** Where they are from. */
  readonly site: AttentionSite;
  /** The head, or `"mean"` for the mean of those selected. */
  readonly head: number | "mean";
  /** The first row, or `"mean"` for the mean over rows. */
  readonly row: number | "mean";
  /**
   * `[batch, n, queries, keys]` of `n` rows from `row` on, or `[batch, queries, keys]` of a mean. Freed when the call
   * returns: read it, or hold it.
   */
  readonly weights: Tensor;
}

/**
 * Receives the attention probabilities of a network as it runs. What is not selected is not computed; without a capture
 * no kernel runs that would not run anyway. Gradients are not affected; where a block is computed again on the way back,
 * its maps come again. Projections of captured attention are kept in 32 bits whatever the device's intermediates are.
 */
export interface AttentionCapture {
  /** What is wanted of an attention; nothing if undefined. */
  select(site: AttentionSite): AttentionSelection | undefined;
  /** Takes a map. */
  receive(map: AttentionMap): void;
}

/** What networks take to be captured. */
export interface CaptureOptions {
  /** Receives attention probabilities. @default nobody does */
  readonly capture?: AttentionCapture;
}

/** An attention that is about to run, as its probabilities can be computed beside it. */
export interface TappedAttention extends Omit<AttentionSite, "block" | "kind"> {
  /** Where it runs. */
  readonly device: Device;
  /** Factor of q · k. */
  readonly scale: number;
  /** Makes the mask of keys, 1 for those that may be attended to, 0 for others: `[batch, rows, keys]`. @default all may */
  readonly mask?: () => Tensor;
  /** Makes what the logits of one head in the rows `from` up to, but without, `to` come from. */
  part(head: number, from: number, to: number): LogitParts;
}

/** What logits come from. */
export interface LogitParts {
  /** Queries, `[batch, n, queries, channels]`. */
  readonly q: Tensor;
  /** Keys, `[batch, n, keys, channels]`. */
  readonly k: Tensor;
  /** Added to the logits of every row, `[batch, 1, queries, keys]`. */
  readonly bias?: Tensor;
}

/** Told of an attention by the module that runs it. */
export type AttentionTap = (attention: TappedAttention) => void;

/** Largest piece of probabilities that is computed at once. */
const PIECE_BYTES = 2 ** 24;

/** The capture as block number `block` of a stack sees it. */
export function inBlock(capture: AttentionCapture | undefined, block: number): AttentionCapture | undefined {
  return capture && {
    select: (site) => capture.select({ ...site, block }),
    receive: (map) => capture.receive({ ...map, site: { ...map.site, block } }),
  };
}

/** The capture as one attention of a block sees it. */
export function attentionTap(capture: AttentionCapture | undefined, kind: AttentionKind): AttentionTap | undefined {
  return capture && ((attention) => captureAttention(attention, kind, capture));
}

/** Queries and keys of attention along an axis of `[batch, I, J, …]`, as columns of tensors that may hold more. */
export interface AxialQueriesAndKeys {
  /** Holds the queries of head h in columns `h · width` and on. */
  readonly q: Tensor;
  /** Holds the keys of head h in columns `kFrom + h · width` and on. */
  readonly k: Tensor;
  /** First column of the keys. */
  readonly kFrom: number;
  /** Columns of a head. */
  readonly width: number;
  /** Heads. */
  readonly nHead: number;
  /** Axis attended along. */
  readonly axis: 1 | 2;
  /** Factor of q · k. */
  readonly scale: number;
  /** `[batch, nHead, L, L]`. */
  readonly bias?: Tensor;
  /** `[batch, I, J]`. */
  readonly mask?: Tensor;
}

/** Attention along an axis as a capture wants it. */
export function axialTapped(
  { q, k, kFrom, width, nHead, axis, scale, bias, mask }: AxialQueriesAndKeys,
): TappedAttention {
  const [batch, I, J] = q.shape;
  const [rows, length] = axis === 2 ? [I, J] : [J, I];
  const ofHead = (x: Tensor, from: number, to: number, column: number) => {
    const [begin, end] = axis === 2 ? [[0, from, 0], [batch, to, J]] : [[0, 0, from], [batch, I, to]];
    const columns = slice(x, [...begin, column], [...end, column + width]);
    return axis === 2 ? columns : permute(columns, [0, 2, 1, 3]);
  };
  return {
    ...{ device: q.device, batch, nHead, rows, queries: length, keys: length, scale },
    mask: mask && (() => axis === 2 ? mask : permute(mask, [0, 2, 1])),
    part: (head, from, to) => ({
      q: ofHead(q, from, to, head * width),
      k: ofHead(k, from, to, kFrom + head * width),
      bias: bias && slice(bias, [0, head, 0, 0], [batch, head + 1, length, length]),
    }),
  };
}

function captureAttention(attention: TappedAttention, kind: AttentionKind, capture: AttentionCapture): void {
  const { device, batch, nHead, rows, queries, keys } = attention;
  const site: AttentionSite = { block: 0, kind, batch, nHead, rows, queries, keys };
  const selection = capture.select(site);
  if (!selection || rows === 0) return;
  const { rowMean = false, headMean = false, together = 1 } = selection;
  const heads = numbers(selection.heads ?? [...Array(nHead).keys()], nHead, "head", kind);
  const wanted = numbers(selection.rows ?? [], rows, "row", kind);
  const most = Math.min(PIECE_BYTES, device.traits.maxBindingBytes);
  const step = together * Math.max(1, Math.floor(most / (4 * batch * queries * keys * together)));
  noGrad(device, () => {
    using scope = device.scope("capture");
    void scope;
    const mask = attention.mask?.();
    using mean = new RowMean(site, mask);
    for (const [from, to] of pieces(rowMean ? [[0, rows]] : runs(wanted), step)) {
      const deliver = (head: number | "mean", weights: Tensor) => {
        for (const [first, end] of runs(wanted.filter((row) => row >= from && row < to))) {
          const whole = first === from && end === to;
          const part = whole ? weights : slice(weights, [0, first - from, 0, 0], [batch, end - from, queries, keys]);
          capture.receive({ site, head, row: first, weights: part });
        }
        if (rowMean) mean.add(head, from, weights);
      };
      using total = new RunningSum();
      for (const head of heads) {
        using one = device.scope("head");
        void one;
        const { q, k, bias } = attention.part(head, from, to);
        const biases = bias ? [bias] : [];
        if (mask) {
          const kept = slice(mask, [0, from, 0], [batch, to, keys]);
          biases.push(reshape(maskPenalty(kept), [batch, to - from, 1, keys]));
        }
        const weights = attentionProbabilities(q, k, biases, attention.scale);
        if (headMean) total.add(weights);
        else deliver(head, weights);
      }
      using last = device.scope("mean");
      void last;
      if (total.sum) deliver("mean", multiplyScalar(total.sum, 1 / heads.length));
    }
    mean.each((head, weights) => capture.receive({ site, head, row: "mean", weights }));
  });
}

/** A sum that outlives the scopes in which it grows. */
class RunningSum implements Disposable {
  /** The sum, if there is one yet. */
  sum: Tensor | undefined;

  add(more: Tensor): void {
    const { device } = more;
    const next = device.hold(this.sum ? add(this.sum, more) : more);
    this.sum?.dispose();
    this.sum = next;
  }

  [Symbol.dispose](): void {
    this.sum?.dispose();
  }
}

/** Means over rows, piece by piece; rows without a key to attend to do not count. */
class RowMean implements Disposable {
  readonly #sums = new Map<number | "mean", RunningSum>();
  readonly #site: AttentionSite;
  readonly #mask: Tensor | undefined;

  constructor(site: AttentionSite, mask: Tensor | undefined) {
    this.#site = site;
    this.#mask = mask;
  }

  /** Adds a piece that begins at row `from`. */
  add(head: number | "mean", from: number, weights: Tensor): void {
    const mask = this.#mask;
    const [batch, n] = weights.shape;
    const counts = mask && max(slice(mask, [0, from, 0], [batch, from + n, this.#site.keys]), { axes: [2] });
    let total = this.#sums.get(head);
    if (!total) this.#sums.set(head, total = new RunningSum());
    total.add(sum(counts ? multiply(weights, reshape(counts, [batch, n, 1, 1])) : weights, { axes: [1] }));
  }

  /** Gives the means, `[batch, queries, keys]`; zeros where no row counts. */
  each(take: (head: number | "mean", mean: Tensor) => void): void {
    const { batch, rows } = this.#site;
    const mask = this.#mask;
    const counts = mask && this.#sums.size
      ? clamp(reshape(sum(max(mask, { axes: [2] }), { axes: [1] }), [batch, 1, 1]), 1, rows)
      : undefined;
    for (const [head, { sum: total }] of this.#sums) {
      if (total) take(head, counts ? divide(total, counts) : multiplyScalar(total, 1 / rows));
    }
  }

  [Symbol.dispose](): void {
    for (const total of this.#sums.values()) total[Symbol.dispose]();
  }
}

/** The runs of consecutive numbers in a sorted list: first, and the one after the last. */
function runs(sorted: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const number of sorted) {
    const last = found.at(-1);
    if (last?.[1] === number) last[1]++;
    else found.push([number, number + 1]);
  }
  return found;
}

/** Cuts ranges into pieces of at most `step`. */
function pieces(ranges: readonly (readonly [number, number])[], step: number): [number, number][] {
  return ranges.flatMap(([from, to]) => {
    const cut: [number, number][] = [];
    for (let at = from; at < to; at += step) cut.push([at, Math.min(to, at + step)]);
    return cut;
  });
}

/** The numbers, each once, in order. */
function numbers(given: readonly number[], count: number, name: string, kind: AttentionKind): number[] {
  const wrong = given.find((number) => !Number.isInteger(number) || number < 0 || number >= count);
  if (wrong !== undefined) {
    throw new RangeError(`Cannot capture ${name} ${wrong} of ${kind}: it has ${count}, numbered from 0`);
  }
  return [...new Set(given)].sort((a, b) => a - b);
}
