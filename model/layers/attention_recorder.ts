import type {
  AttentionCapture,
  AttentionKind,
  AttentionMap,
  AttentionSelection,
  AttentionSite,
} from "./attention_capture.ts";

/** What {@linkcode AttentionRecorder} records; what is left out counts as "all" for blocks, kinds and heads. */
export interface AttentionRecorderOptions extends Omit<AttentionSelection, "rows"> {
  /** Blocks, from 0. @default all */
  readonly blocks?: readonly number[];
  /** Kinds of attention. @default all */
  readonly kinds?: readonly AttentionKind[];
  /** Rows, from 0, whose maps are recorded as they are, for each attention. @default none */
  readonly rows?: (site: AttentionSite) => readonly number[];
}

/** An array of numbers, in row-major order. */
export interface RecordedArray {
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /** The numbers. */
  readonly data: Float32Array;
}

/** The recorded probabilities of one attention. */
export interface RecordedAttention {
  /** Where they are from. */
  readonly site: AttentionSite;
  /** The heads, in order; none if the mean of heads was recorded, which then stands for the only head. */
  readonly heads: readonly number[];
  /** Means over rows, `[batch, head, queries, keys]`. */
  readonly rowMean?: RecordedArray;
  /** The rows recorded, in order. */
  readonly rows: readonly number[];
  /** Their maps, `[row, batch, head, queries, keys]`. */
  readonly maps: RecordedArray;
}

interface Recording extends RecordedAttention {
  readonly rowMean?: { readonly shape: readonly number[]; readonly data: Float32Array };
}

/**
 * Records attention probabilities on the CPU. Each piece is copied off the device as soon as it is computed, so that the
 * device holds one piece at a time.
 *
 * @example
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { AttentionRecorder, evoformerConfig, evoformerStack, initEvoformer } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const config = evoformerConfig({ cM: 8, cZ: 4, cS: 6, nBlock: 1, nHeadMsa: 2, nHeadPair: 1 });
 * const params = initEvoformer(device, config, Key.fromSeed(1));
 * const inputs = { m: device.zeros([1, 3, 5, 8]), z: device.zeros([1, 5, 5, 4]) };
 * const capture = new AttentionRecorder({ kinds: ["msaColumnAttention"], rows: () => [4] });
 * evoformerStack(params, inputs, config, { capture });
 * const [{ site, maps }] = await capture.recorded();
 * assert.deepEqual([site.block, site.kind, maps.shape], [0, "msaColumnAttention", [1, 1, 2, 3, 3]]);
 * ```
 */
export class AttentionRecorder implements AttentionCapture {
  readonly #options: AttentionRecorderOptions;
  readonly #recordings = new Map<string, Recording>();
  readonly #reads: Promise<void>[] = [];

  /** A recorder for one pass of a network. */
  constructor(options: AttentionRecorderOptions) {
    this.#options = options;
  }

  /** Called by the network. */
  select(site: AttentionSite): AttentionSelection | undefined {
    const { blocks, kinds, heads: chosen, headMean, rowMean, rows: chooseRows } = this.#options;
    const { block, kind, batch, nHead, queries, keys } = site;
    if (blocks && !blocks.includes(block) || kinds && !kinds.includes(kind)) return undefined;
    const heads = sorted(chosen ?? [...Array(nHead).keys()]);
    const rows = sorted(chooseRows?.(site) ?? []);
    const array = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)) });
    const n = headMean ? 1 : heads.length;
    this.#recordings.set(`${block}/${kind}`, {
      ...{ site, heads: headMean ? [] : heads, rows },
      rowMean: rowMean ? array(batch, n, queries, keys) : undefined,
      maps: array(rows.length, batch, n, queries, keys),
    });
    return { heads, headMean, rowMean, rows };
  }

  /** Called by the network. */
  receive({ site, head, row, weights }: AttentionMap): void {
    const recording = this.#recordings.get(`${site.block}/${site.kind}`)!;
    const { rowMean, maps, rows, heads } = recording;
    const h = head === "mean" ? 0 : heads.indexOf(head);
    const [, batch, nHead, queries, keys] = maps.shape;
    const size = queries * keys;
    const place = (data: ArrayLike<number>) => {
      const from = Float32Array.from(data);
      const n = row === "mean" ? 1 : weights.shape[1];
      for (let b = 0; b < batch; b++) {
        for (let r = 0; r < n; r++) {
          const map = from.subarray((b * n + r) * size, (b * n + r + 1) * size);
          if (row === "mean") rowMean!.data.set(map, (b * nHead + h) * size);
          else maps.data.set(map, (((rows.indexOf(row) + r) * batch + b) * nHead + h) * size);
        }
      }
    };
    this.#reads.push(weights.read().then(place));
  }

  /**
   * What was recorded, in the order in which the network ran.
   *
   * @throws {Error} If a kernel failed or the device was lost.
   */
  async recorded(): Promise<RecordedAttention[]> {
    await Promise.all(this.#reads.splice(0));
    return [...this.#recordings.values()];
  }
}

function sorted(numbers: readonly number[]): number[] {
  return [...new Set(numbers)].sort((a, b) => a - b);
}
