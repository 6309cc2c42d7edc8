/** Residues that the reader points at or has chosen; every view of the page shows the same. */

/** Ranges of residues, from 0, both ends included. */
export type Range = { from: number; to: number };

/** What is told to views. */
export type SelectionView = {
  /** Residues under the pointer. */
  hover?(residues: ReadonlySet<number>): void;
  /** Ranges that are chosen: along the rows of a map and along its columns, or one of residues. */
  select?(ranges: readonly Range[]): void;
};

/** Passes on what one view says to all. */
export class Selection {
  readonly #views: SelectionView[] = [];
  #ranges: readonly Range[] = [];

  /** The chosen ranges. */
  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  add(view: SelectionView): void {
    this.#views.push(view);
  }

  hover(...residues: number[]): void {
    const all = new Set(residues);
    for (const view of this.#views) view.hover?.(all);
  }

  select(...ranges: Range[]): void {
    this.#ranges = ranges;
    for (const view of this.#views) view.select?.(ranges);
  }
}

/** The residues of ranges. */
export function residuesOf(ranges: readonly Range[]): Set<number> {
  return new Set(ranges.flatMap(({ from, to }) => Array.from({ length: to - from + 1 }, (_, i) => from + i)));
}

/** A range in order, within `n` residues. */
export function rangeOf(a: number, b: number, n: number): Range {
  const within = (x: number) => Math.min(n - 1, Math.max(0, Math.round(x)));
  return { from: within(Math.min(a, b)), to: within(Math.max(a, b)) };
}
