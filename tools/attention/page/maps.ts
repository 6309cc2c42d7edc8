import type { KindData, PackedMaps } from "../attention_data.ts";

/** A square map, row by row. */
export type SquareMap = number[][];

/** The maps of one kind, unpacked as they are asked for. */
export class Maps {
  /** What they are of. */
  readonly kind: KindData;
  /** Choices of a head: each of them, or their mean. */
  readonly heads: readonly (number | "mean")[];
  readonly #means: Uint16Array;
  readonly #slices: Uint16Array;
  readonly #stored: number;

  /** Unpacks a kind's data. */
  constructor(kind: KindData) {
    this.kind = kind;
    this.#stored = Math.max(1, kind.heads.length);
    this.heads = kind.heads.length === 0 ? ["mean"] : kind.heads.length === 1 ? kind.heads : [...kind.heads, "mean"];
    this.#means = unpack(kind.means);
    this.#slices = unpack(kind.slices);
  }

  /** The mean over rows of a block (counted among those shown) and a choice of head. */
  mean(block: number, head: number | "mean"): SquareMap {
    return this.#map(this.kind.means, this.#means, block, head);
  }

  /** The map of a row, counted among those kept. */
  slice(block: number, row: number, head: number | "mean"): SquareMap {
    return this.#map(this.kind.slices, this.#slices, block * this.kind.rows.length + row, head);
  }

  #map({ largest }: PackedMaps, values: Uint16Array, group: number, head: number | "mean"): SquareMap {
    const { size, heads } = this.kind;
    const own = head === "mean" ? [...Array(this.#stored).keys()] : [heads.indexOf(head)];
    return Array.from({ length: size }, (_, i) =>
      Array.from({ length: size }, (_, j) => {
        let sum = 0;
        for (const h of own) {
          const map = group * this.#stored + h;
          sum += values[(map * size + i) * size + j] * largest[map] / 65535;
        }
        return sum / own.length;
      }));
  }
}

/** Smallest and largest value. */
export function rangeOf(map: SquareMap): [number, number] {
  let low = Infinity, high = 0;
  for (const row of map) for (const value of row) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return [low, high];
}

function unpack({ values }: PackedMaps): Uint16Array {
  const text = atob(values);
  return Uint16Array.from(
    { length: text.length / 2 },
    (_, i) => text.charCodeAt(2 * i) + 256 * text.charCodeAt(2 * i + 1),
  );
}
