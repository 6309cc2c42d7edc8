import { type Device, entries, type Tensor, type Tree } from "../core/mod.ts";

/** Where one parameter lies in the flat arrays. */
interface Part {
  readonly path: string;
  readonly size: number;
  readonly offset: number;
}

/**
 * All leaves of a tree laid end to end in one tensor, each starting at a whole vec4, so that one kernel updates them
 * all.
 */
export class FlatLayout {
  readonly parts: readonly Part[];
  /** Elements of a flat tensor. */
  readonly size: number;

  constructor(tree: Tree<Tensor>) {
    let offset = 0;
    this.parts = entries<Tensor>(tree).map(([path, { size }]) => {
      const part = { path, size, offset };
      offset += Math.ceil(size / 4) * 4;
      return part;
    });
    this.size = offset;
  }

  /** Copies leaves to a flat tensor; where a leaf is absent, zeros stay. */
  gather(device: Device, leaves: readonly (Tensor | null)[]): Tensor {
    const flat = device.zeros([this.size]);
    this.parts.forEach(({ offset }, i) => {
      const leaf = leaves[i];
      if (leaf) device.copy(leaf, flat, { toElement: offset });
    });
    return flat;
  }

  /** Copies a flat tensor's parts over the leaves that are given. */
  scatter(device: Device, flat: Tensor, leaves: readonly (Tensor | null)[]): void {
    this.parts.forEach(({ offset, size }, i) => {
      const leaf = leaves[i];
      if (leaf) device.copy(flat, leaf, { fromElement: offset, count: size });
    });
  }

  /** Runs of neighbouring parts for which `present` holds: [first element, elements], both whole vec4s. */
  runs(present: (index: number) => boolean): [number, number][] {
    const runs: [number, number][] = [];
    this.parts.forEach(({ offset, size }, i) => {
      if (!present(i)) return;
      const length = Math.ceil(size / 4) * 4;
      const last = runs.at(-1);
      if (last && last[0] + last[1] === offset) last[1] += length;
      else runs.push([offset, length]);
    });
    return runs;
  }
}
