import { addInto, addUp, MOST_ADDED } from "./add_into.ts";
import type { Device } from "./device.ts";
import { sameShape, type Shape } from "./shapes.ts";
import type { Tensor } from "./tensor.ts";
import { noGrad } from "./stop_gradient.ts";
import { isVisible } from "./windows.ts";
import { entries, leaves, mapTree, type Tree } from "./tree.ts";

/** One recorded computation: how gradients flow from its outputs back to its inputs. */
export interface TapeNode {
  /** Name of the computation. */
  readonly name: string;
  /** Inputs in the order of `backward`'s result; null where an optional input was absent. */
  readonly inputs: readonly (Tensor | null)[];
  /** What it computed. */
  readonly outputs: readonly Tensor[];
  /** Tensors that `backward` reads, held by the node until it has run. */
  readonly held: readonly Tensor[];
  /** Gradients of the inputs from those of the outputs (null: none came), of their shapes; only where `wanted`. */
  backward(dOutputs: readonly (Tensor | null)[], wanted: readonly boolean[]): readonly (Tensor | null | undefined)[];
}

interface Recorded {
  readonly node: Omit<TapeNode, "inputs" | "outputs">;
  readonly inputs: readonly number[];
  readonly outputs: readonly { id: number; shape: Shape }[];
}

/** How a tape keeps the activations that {@linkcode checkpoint} computes again from, in less memory than they come in. */
export interface Packing {
  /** What is kept of a tensor; owned by the current scope. */
  pack(x: Tensor): Tensor;
  /** The tensor again, within what packing rounds; owned by the current scope. */
  unpack(packed: Tensor): Tensor;
}

/** Records computations on tracked tensors, then runs them backwards. */
export class Tape {
  readonly #device: Device;
  readonly #tracked = new Set<number>();
  readonly #packed = new Map<number, Tensor>();
  #nodes: Recorded[] = [];
  /** How checkpoints keep activations; null: as they are. */
  readonly packing: Packing | null;

  /**
   * A tape that follows the given tensors.
   *
   * @param packing How checkpoints keep activations. @default as they are
   * @throws {TypeError} If the device keeps intermediates or representations in 16 bits.
   */
  constructor(device: Device, tracked: readonly Tensor[], packing: Packing | null = null) {
    for (const what of ["intermediates", "representations"] as const) {
      if (device[what] === "f32") continue;
      throw new TypeError(
        `Cannot record gradients as the device keeps ${what} in ${
          device[what]
        }: that is for inference alone, gradients ` +
          `need f32`,
      );
    }
    this.#device = device;
    this.packing = packing;
    for (const tensor of tracked) this.#tracked.add(tensor.id);
  }

  /** A tensor as it is kept, held for the caller; several that keep the same one share it. */
  holdPacked(tensor: Tensor): Tensor {
    const device = this.#device;
    let packed = this.#packed.get(tensor.id);
    if (!packed) {
      using _ = device.scope("pack");
      this.#packed.set(tensor.id, packed = device.hold(this.packing!.pack(tensor)));
    }
    using view = device.view(packed, tensor.shape);
    return device.hold(view);
  }

  /** Whether gradients can flow to a tensor. */
  tracks(tensor: Tensor | null | undefined): boolean {
    return !!tensor && this.#tracked.has(tensor.id);
  }

  /** Adds a computation; its outputs are followed from now on. */
  record({ inputs, outputs, ...node }: TapeNode): void {
    this.#nodes.push({
      node,
      inputs: inputs.map((tensor) => (tensor && this.tracks(tensor) ? tensor.id : 0)),
      outputs: outputs.map(({ id, shape }) => ({ id, shape })),
    });
    for (const tensor of outputs) this.#tracked.add(tensor.id);
  }

  /** Bytes of the tensors that the tape holds for the way back, each storage counted once. */
  get heldBytes(): number {
    const storages = new Set(this.#nodes.flatMap(({ node }) => node.held.map((tensor) => tensor.storage)));
    let bytes = 0;
    for (const storage of storages) bytes += storage.bytes;
    return bytes;
  }

  /**
   * Gradients of `targets` from those of some outputs (null: none came). Runs once: what the tape held is freed on the
   * way, also when a step of it throws.
   *
   * @returns One tensor a target, owned by the current scope; null where no gradient reaches it.
   */
  gradients(
    outputs: readonly Tensor[],
    dOutputs: readonly (Tensor | null)[],
    targets: readonly Tensor[],
  ): (Tensor | null)[] {
    const device = this.#device;
    const grads: Sums = new Map();
    this.#forgetPacked();
    try {
      outputs.forEach(({ id }, i) => {
        const d = dOutputs[i];
        if (d) this.#accumulate(grads, id, d);
      });
      while (this.#nodes.length) this.#goBack(grads);
      return targets.map(({ id, shape }) => {
        const grad = this.#sumOf(grads, id);
        return grad ? device.view(grad, shape) : null;
      });
    } finally {
      for (const grad of [...grads.values()].flat()) grad.dispose();
      this.dispose();
    }
  }

  /** Frees what the tape holds, without going back. */
  dispose(): void {
    this.#forgetPacked();
    for (const { node } of this.#nodes.splice(0)) for (const tensor of node.held) tensor.dispose();
  }

  /** Leaves what is packed to the computations that hold it. */
  #forgetPacked(): void {
    for (const tensor of this.#packed.values()) tensor.dispose();
    this.#packed.clear();
  }

  /** Takes the last computation off the tape and adds what flows back through it to the gradients. */
  #goBack(grads: Sums): void {
    const { node, inputs, outputs } = this.#nodes[this.#nodes.length - 1];
    if (outputs.some(({ id }) => grads.has(id))) {
      using _ = this.#device.scope(`${node.name}.vjp`);
      // A vjp may give a gradient of the right size in another shape; the next one sees the shape of what it computed.
      const dOuts = outputs.map(({ id, shape }) => {
        const grad = this.#sumOf(grads, id);
        return grad ? this.#device.view(grad, shape) : null;
      });
      for (const { id } of outputs) {
        for (const grad of grads.get(id) ?? []) grad.dispose();
        grads.delete(id);
      }
      const dInputs = this.#device.goBack(() => node.backward(dOuts, inputs.map((id) => id !== 0)));
      inputs.forEach((id, i) => {
        const d = dInputs[i];
        if (id && d) this.#accumulate(grads, id, d);
      });
    }
    this.#nodes.pop();
    for (const tensor of node.held) tensor.dispose();
  }

  /** Adds a gradient to those that came before: a large one at once, where they stand; small ones several together. */
  #accumulate(grads: Sums, id: number, d: Tensor): void {
    const device = this.#device;
    const terms = grads.get(id);
    if (!terms) {
      grads.set(id, [device.hold(d)]);
    } else if (d.size <= SMALL && isVisible(d)) {
      terms.push(device.hold(d));
      if (terms.length === MOST_ADDED) this.#sumOf(grads, id);
    } else if (terms[0].storage.holders === 1) {
      addInto(device, terms[0], d);
    } else { // another gradient shares the storage
      const [sum] = terms;
      const held = device.hold(device.empty(sum.shape));
      grads.set(id, [held]);
      device.copy(sum, held);
      sum.dispose();
      addInto(device, held, d);
    }
  }

  /** What the gradients that came so far add up to; undefined where none did. */
  #sumOf(grads: Sums, id: number): Tensor | undefined {
    const terms = grads.get(id);
    if (!terms || terms.length === 1) return terms?.[0];
    const sum = this.#device.hold(addUp(this.#device, terms));
    for (const term of terms) term.dispose();
    grads.set(id, [sum]);
    return sum;
  }
}

/** Elements up to which gradients wait for others, so that one dispatch adds several: where it costs more than what it does. */
const SMALL = 2 ** 16;

/** Gradients by the number of the tensor that they are of, in the order in which they came. */
type Sums = Map<number, Tensor[]>;

/** The gradient of each leaf of `P`: a tensor, or null where the result does not depend on the leaf. */
export type Gradients<P> = P extends Tensor ? Tensor | null
  : P extends null | undefined ? P
  : { [K in keyof P]: Gradients<P[K]> };

/** The output of a function and the way back from it. */
export interface Pullback<P, O> {
  /** What the function returned; owned by the current scope. */
  readonly output: O;
  /** Bytes held for the way back. */
  readonly heldBytes: number;
  /**
   * Gradients of the primals from those of the output's leaves (in order; null where none comes). Call it once.
   *
   * @returns Owned by the scope that is current then.
   * @throws {TypeError} If a cotangent has another shape than its output.
   */
  pull(cotangents: readonly (Tensor | null)[]): Gradients<P>;
  /** The same as a list, in the order of the primals' leaves. */
  pullLeaves(cotangents: readonly (Tensor | null)[]): (Tensor | null)[];
  /** Frees what is held for the way back, without going it. */
  dispose(): void;
}

/** What {@linkcode pullback} may be asked. */
export interface PullbackOptions {
  /** Whether the gradient of each of the primals' leaves, in their order, is wanted. @default all are */
  readonly wanted?: readonly boolean[];
  /** How checkpoints keep the activations that they name. @default as they are */
  readonly packing?: Packing;
}

/**
 * Runs a function and records how to go back through it.
 *
 * @param f Function of a tree of tensors to a tree of tensors; what it makes besides its result is freed.
 */
export function pullback<P, O extends Tree<Tensor>>(
  device: Device,
  f: (primals: P) => O,
  primals: P,
  { wanted, packing }: PullbackOptions = {},
): Pullback<P, O> {
  const targets = leaves<Tensor>(primals as Tree<Tensor>);
  const tape = new Tape(device, targets.filter((_, i) => wanted?.[i] ?? true), packing);
  let output: O;
  try {
    output = device.recordOn(tape, () => {
      using scope = device.scope("forward");
      return scope.keep(f(primals));
    });
  } catch (error) {
    tape.dispose();
    throw error;
  }
  const outputs = leaves<Tensor>(output);
  const pullLeaves = (cotangents: readonly (Tensor | null)[]) => {
    outputs.forEach(({ shape }, i) => {
      const d = cotangents[i];
      if (d !== null && !(d && sameShape(shape, d.shape))) {
        throw new TypeError(`The cotangent of an output [${shape}] is [${d?.shape}]: shapes must match`);
      }
    });
    return noGrad(device, () => {
      using scope = device.scope("backward");
      return scope.keep(tape.gradients(outputs, cotangents, targets));
    });
  };
  return {
    output,
    heldBytes: tape.heldBytes,
    pullLeaves,
    dispose: () => tape.dispose(),
    pull(cotangents) {
      const found = pullLeaves(cotangents);
      let next = 0;
      return mapTree<Tensor, Tensor | null>(primals as Tree<Tensor>, () => found[next++]) as Gradients<P>;
    },
  };
}

/** A scalar function's value and gradient. */
export interface ValueAndGrad<P> {
  /** The function's value, a scalar. */
  readonly value: Tensor;
  /** Its gradient, a tree like the parameters'. */
  readonly grads: Gradients<P>;
  /** Bytes that were held between the way there and the way back. */
  readonly heldBytes: number;
}

/**
 * Value of a scalar function of a parameter tree, and its gradient.
 *
 * @returns Tensors owned by the current scope.
 * @throws {TypeError} If the function does not return a scalar.
 */
export function valueAndGrad<P>(
  device: Device,
  f: (params: P) => Tensor,
  params: P,
): ValueAndGrad<P> {
  const back: Pullback<P, Tensor> = pullback(device, f, params);
  const value = back.output;
  if (value.size !== 1) {
    back.dispose();
    throw new TypeError(`valueAndGrad() needs a scalar loss, got a tensor of shape [${value.shape}]`);
  }
  using one = device.tensor([1], value.shape);
  const grads = back.pull([one]);
  return { value, grads, heldBytes: back.heldBytes };
}

/**
 * Runs a function without keeping what its gradient needs; the way back computes it again. Gradients are the same to
 * the bit, but where the tape packs activations: then they are those at the rounded ones. A function that draws random
 * numbers must make its keys inside (from a key's numbers), since it runs twice.
 *
 * @param inputs Everything gradients should flow to, parameters included.
 * @param activations Names of inputs, of f32, that a tape may keep packed. @default none
 */
export function checkpoint<I extends Tree<Tensor>, O extends Tree<Tensor>>(
  device: Device,
  name: string,
  f: (inputs: I) => O,
  inputs: I,
  activations: readonly (keyof I & string)[] = [],
): O {
  const tape = device.tape;
  const given = leaves<Tensor>(inputs);
  if (!tape || !given.some((tensor) => tape.tracks(tensor))) return f(inputs);
  const names: readonly string[] = tape.packing ? activations : [];
  const packs = entries<Tensor>(inputs).map(([path]) => names.includes(path));
  const { output, place, held } = noGrad(device, () => {
    using scope = device.scope(name);
    return {
      output: scope.keep(f(inputs)),
      place: device.profiler?.placeOf(scope) ?? name,
      held: given.map((tensor, i) => packs[i] ? tape.holdPacked(tensor) : device.hold(tensor)),
    };
  });
  tape.record({
    name: place,
    inputs: given,
    outputs: leaves<Tensor>(output),
    held,
    backward(dOutputs, wanted) {
      let next = 0;
      const primals = mapTree<Tensor, Tensor>(inputs, () => {
        const i = next++;
        return packs[i] ? tape.packing!.unpack(held[i]) : held[i];
      }) as I;
      return pullback(device, f, primals, { wanted }).pullLeaves(dOutputs);
    },
  });
  return output;
}
