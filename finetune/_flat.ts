/** Parameters, and what training keeps for each of them, laid end to end. */
import { type Device, entries, type Shape, type Storage, type Tensor, type Tree, WINDOW_STEP } from "../core/mod.ts";

/** Where one parameter lies. */
export interface FlatPart {
  readonly path: string;
  readonly shape: Shape;
  readonly size: number;
  /** Its first element in the flat tensors, where a window can begin. */
  readonly offset: number;
}

/** Neighbouring parameters that one kernel may go through: whole vec4s. */
export interface FlatRun<K> {
  readonly first: number;
  readonly count: number;
  readonly kind: K;
}

/** The layouts of parameters that were laid end to end, by where they lie. */
const LAID_OUT = new WeakMap<Storage, FlatParams>();

/**
 * All leaves of a parameter tree as windows of one tensor, so that one kernel updates them all and one read has them all.
 * Between them there are zeros.
 */
export class FlatParams {
  /** In the order of the tree. */
  readonly parts: readonly FlatPart[];
  /** Elements of a flat tensor. */
  readonly size: number;
  readonly #device: Device;
  readonly #tensors: readonly Tensor[];

  /**
   * The layout of a tree. Its tensors move into one buffer, unless they lie in one already: they stay the caller's, and
   * hold the same numbers.
   *
   * @param order Parameters with smaller numbers lie before others. @default as in the tree
   * @throws {TypeError} If there is none, one is not of f32, or one stands in the tree twice.
   */
  static of(device: Device, tree: Tree<Tensor>, order: (path: string) => number = () => 0): FlatParams {
    const named = entries<Tensor>(tree);
    if (!named.length) throw new TypeError("There are no parameters to train");
    const known = LAID_OUT.get(named[0][1].storage);
    if (known?.has(named.map(([, tensor]) => tensor))) return known;
    return new FlatParams(device, named, order);
  }

  private constructor(device: Device, named: readonly [string, Tensor][], order: (path: string) => number) {
    const seen = new Set<Tensor>();
    for (const [path, tensor] of named) {
      if (tensor.dtype !== "f32") {
        throw new TypeError(`The parameter ${path} is of ${tensor.dtype}: what is trained is f32`);
      }
      if (seen.has(tensor)) throw new TypeError(`The parameter ${path} is the same tensor as another one`);
      seen.add(tensor);
    }
    const ranks = named.map(([path], i) => [order(path), i] as const).sort(([a, i], [b, j]) => a - b || i - j);
    const offsets = new Array<number>(named.length);
    let end = 0;
    for (const [, i] of ranks) {
      offsets[i] = end;
      end += Math.ceil(named[i][1].size / WINDOW_STEP) * WINDOW_STEP;
    }
    this.#device = device;
    this.#tensors = named.map(([, tensor]) => tensor);
    this.size = end;
    this.parts = named.map(([path, { shape, size }], i) => ({ path, shape, size, offset: offsets[i] }));
    using _ = device.scope("layOut");
    const flat = device.zeros([end]);
    this.#tensors.forEach((tensor, i) => device.move(tensor, flat, offsets[i]));
    LAID_OUT.set(flat.storage, this);
  }

  /** Whether these are its tensors. */
  has(tensors: readonly Tensor[]): boolean {
    return tensors.length === this.#tensors.length && tensors.every((tensor, i) => tensor === this.#tensors[i]);
  }

  /** All parameters as one tensor, owned by the current scope. */
  all(): Tensor {
    return this.#device.within(this.#tensors[0].storage, 0, [this.size]);
  }

  /** Copies leaves in the tree's order to a flat tensor; where a leaf is absent, zeros stay. */
  gather(leaves: readonly (Tensor | null)[]): Tensor {
    const flat = this.#device.zeros([this.size]);
    this.parts.forEach(({ offset }, i) => {
      const leaf = leaves[i];
      if (leaf) this.#device.copy(leaf, flat, { toElement: offset });
    });
    return flat;
  }

  /** Runs of neighbouring parameters of one kind; those of kind null are passed over. */
  runs<K>(kindOf: (index: number) => K | null): FlatRun<K>[] {
    const runs: { first: number; count: number; kind: K }[] = [];
    const order = this.parts.map((_, i) => i).sort((a, b) => this.parts[a].offset - this.parts[b].offset);
    for (const i of order) {
      const kind = kindOf(i);
      if (kind === null) continue;
      const { offset, size } = this.parts[i];
      const count = Math.ceil(size / WINDOW_STEP) * WINDOW_STEP;
      const last = runs.at(-1);
      if (last && last.kind === kind && last.first + last.count === offset) last.count += count;
      else runs.push({ first: offset, count, kind });
    }
    return runs;
  }

  /** Elements that {@linkcode FlatParams.packed} has. */
  get packedSize(): number {
    return this.parts.reduce((sum, { size }) => sum + Math.ceil(size / 4) * 4, 0);
  }

  /** A flat tensor's numbers as files keep them: in the tree's order, each parameter at a multiple of four. */
  packed(flat: Float32Array): Float32Array<ArrayBuffer> {
    const out = new Float32Array(this.packedSize);
    this.#each((offset, size, at) => out.set(flat.subarray(offset, offset + size), at));
    return out;
  }

  /** {@linkcode FlatParams.packed} undone. */
  spread(packed: Float32Array): Float32Array<ArrayBuffer> {
    const out = new Float32Array(this.size);
    this.#each((offset, size, at) => out.set(packed.subarray(at, at + size), offset));
    return out;
  }

  #each(visit: (offset: number, size: number, at: number) => void): void {
    let at = 0;
    for (const { offset, size } of this.parts) {
      visit(offset, size, at);
      at += Math.ceil(size / 4) * 4;
    }
  }
}

/** Numbers of a tree's leaves by path; what lies in one buffer is read at once. */
export async function readTree(tree: Tree<Tensor>): Promise<Map<string, Float32Array>> {
  const named = entries<Tensor>(tree);
  const whole = new Map<Storage, Promise<Float32Array>>();
  const sharers = Map.groupBy(named, ([, tensor]) => tensor.storage);
  const numbers = new Map<string, Float32Array>();
  for (const [path, tensor] of named) {
    const { storage, offset, size, device } = tensor;
    if (sharers.get(storage)!.length === 1) {
      numbers.set(path, await tensor.read() as Float32Array);
      continue;
    }
    let all = whole.get(storage);
    if (!all) {
      using handle = device.within(storage, 0, [storage.elements]);
      whole.set(storage, all = handle.read() as Promise<Float32Array>);
    }
    numbers.set(path, (await all).slice(offset, offset + size));
  }
  return numbers;
}
