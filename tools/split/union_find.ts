/** Sets that only ever grow together. */
export class UnionFind {
  readonly #parents: Int32Array;

  /** `size` sets of one member each. */
  constructor(size: number) {
    this.#parents = Int32Array.from({ length: size }, (_, i) => i);
  }

  /** The member that stands for the set of a member. */
  find(member: number): number {
    const parents = this.#parents;
    while (parents[member] !== member) member = parents[member] = parents[parents[member]];
    return member;
  }

  /** Makes the sets of two members one; its lowest member stands for it. */
  join(a: number, b: number): void {
    const [low, high] = [this.find(a), this.find(b)].sort((x, y) => x - y);
    this.#parents[high] = low;
  }
}

/** Groups of items, numbered from 0 in the order of their first members. */
export interface NumberedGroups {
  /** Group of each item. */
  readonly groupOf: Int32Array;
  /** Items of each group, in order. */
  readonly members: readonly (readonly number[])[];
}

/**
 * Numbers groups by their first members.
 *
 * @param count Number of items.
 * @param nameOf What the members of a group have in common, such as the member that stands for it.
 */
export function numberGroups(count: number, nameOf: (item: number) => number): NumberedGroups {
  const numbers = new Map<number, number>();
  const members: number[][] = [];
  const groupOf = Int32Array.from({ length: count }, (_, item) => {
    const name = nameOf(item);
    const group = numbers.get(name) ?? members.push([]) - 1;
    numbers.set(name, group);
    members[group].push(item);
    return group;
  });
  return { groupOf, members };
}
