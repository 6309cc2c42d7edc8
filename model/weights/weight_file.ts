/** What a file of weights offers, whatever its format. */
import type { NamedArray, NamedDtype } from "./safetensors.ts";

/** Kinds of files that weights come in. */
export type WeightFormat = "safetensors" | "torch" | "npz";

/** An array of a file, read when it is asked for. */
export interface WeightEntry {
  /** Its name in the file. */
  readonly name: string;
  /** Number type. */
  readonly dtype: NamedDtype;
  /** Sizes of the axes. */
  readonly shape: readonly number[];
  /**
   * Its numbers, in C order; of a part of the first axis where that is asked for.
   *
   * @throws {SyntaxError} If they are cut short or damaged.
   */
  read(rows?: { readonly from: number; readonly to: number }): Promise<NamedArray>;
  /**
   * Whether each read gives numbers that nobody else holds: who has used them may give their memory back by
   * {@linkcode release}. @default false
   */
  readonly fresh?: boolean;
}

/**
 * Gives the memory of numbers back at once, where the collector would wait until much more is unused; they are empty then.
 */
export function release({ buffer }: ArrayBufferView): void {
  if (buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer?.(0);
}

/** A file of weights. */
export interface WeightFile {
  /** Name for messages. */
  readonly source: string;
  /** Its format. */
  readonly format: WeightFormat;
  /** Its arrays by name, in the file's order. */
  readonly entries: ReadonlyMap<string, WeightEntry>;
  /** Free texts that the file has besides. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Number of elements of a shape. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Number of parameters of a file. */
export function parametersOf({ entries }: WeightFile): number {
  return [...entries.values()].reduce((sum, { shape }) => sum + countOf(shape), 0);
}
