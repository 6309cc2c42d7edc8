import {
  addInto,
  type Device,
  leaves,
  mapTree,
  noGrad,
  pullback,
  type Scope,
  type Tape,
  type Tensor,
  type Tree,
} from "../../core/mod.ts";
import { subtract } from "../../ops/mod.ts";

/** A step of a reversible computation: adds to one stream what it makes of others. */
export interface Coupling {
  /** Name in errors and profiles. */
  readonly name: string;
  /** The stream that is added to. */
  readonly target: number;
  /** The streams that are read; the target is not among them. */
  readonly sources: readonly number[];
  /** What gradients should flow to besides. */
  readonly params: Tree<Tensor>;
  /**
   * The update from parameters, sources and constants of the same forms as given; with a residual, their sum. It makes no
   * random choices, since it runs twice, and reads no other tensors.
   */
  update(reads: CouplingReads): Tensor;
}

/** What an update is made of. */
export type CouplingReads = {
  readonly params: Tree<Tensor>;
  readonly sources: readonly Tensor[];
  readonly constants: Tree<Tensor>;
  readonly residual?: Tensor;
};

/** What an update reads whose forms are known. */
export type TypedReads<P, C> = Omit<CouplingReads, "params" | "constants"> & {
  readonly params: P;
  readonly constants: C;
};

/** A step that knows the forms of its parameters and of the constants. */
export type TypedCoupling<P, C> = Omit<Coupling, "params" | "update"> & {
  readonly params: P;
  update(reads: TypedReads<P, C>): Tensor;
};

/**
 * Makes a step of one that knows the forms of what it reads.
 *
 * @typeParam C That of the constants that {@linkcode reversible} will be given.
 */
export function couplingOf<P extends Tree<Tensor>, C extends Tree<Tensor>>(step: TypedCoupling<P, C>): Coupling {
  // An update is given trees of the forms that went in; that these are its own, a list of steps cannot tell.
  return { ...step, update: (reads) => step.update(reads as TypedReads<P, C>) };
}

/** How {@linkcode reversible} goes about it. */
export interface ReversibleOptions {
  /**
   * Steps at the end whose activations are kept as those of any other network: the way back begins with them, so that they are
   * gone before the others are undone. As long as they take no more than undoing takes, they cost no memory. @default 0
   */
  readonly kept?: number;
}

/**
 * Runs steps one after the other, each of which adds to a stream what it makes of others. For the way back the last state
 * of the streams is kept and nothing else: each step is undone by taking away what it added, which is computed again, so
 * that memory does not grow with their number.
 *
 * Source: Gomez et al. (2017), "The reversible residual network: backpropagation without storing activations".
 *
 * @param streams What is added to, in the beginning; the same tensor may stand for several.
 * @param constants What updates read that no gradient flows to, masks for instance.
 * @returns The streams after the last step, owned by the current scope.
 * @throws {TypeError} If a step reads the stream that it adds to.
 */
export function reversible(
  device: Device,
  couplings: readonly Coupling[],
  streams: readonly Tensor[],
  constants: Tree<Tensor> = {},
  { kept = 0 }: ReversibleOptions = {},
): Tensor[] {
  for (const { name, target, sources } of couplings) {
    if (sources.includes(target)) {
      throw new TypeError(`Cannot undo ${name}: it reads stream ${target}, which it adds to`);
    }
  }
  using scope = device.scope("reversible");
  const { tape } = device;
  const given = leaves<Tensor>([streams, couplings.map(({ params }) => params)]);
  if (!tape || !given.some((tensor) => tape.tracks(tensor))) {
    return scope.keep(noGrad(device, () => forward(device, couplings, streams, constants)));
  }
  const undone = couplings.slice(0, couplings.length - kept);
  const state = undone.length ? recorded(device, tape, scope, undone, streams, constants) : [...streams];
  for (const coupling of couplings.slice(undone.length)) {
    const before = state[coupling.target];
    state[coupling.target] = withUpdate(device, coupling, state, constants);
    if (!streams.includes(before)) before.dispose();
  }
  return scope.keep(state);
}

/** Runs the steps that will be undone, and records how. */
function recorded(
  device: Device,
  tape: Tape,
  scope: Scope,
  couplings: readonly Coupling[],
  streams: readonly Tensor[],
  constants: Tree<Tensor>,
): Tensor[] {
  const params = couplings.map((coupling) => coupling.params);
  const outputs = noGrad(device, () => forward(device, couplings, streams, constants));
  const hold = (tree: Tree<Tensor>) => mapTree<Tensor, Tensor>(tree, (tensor) => device.hold(tensor));
  const kept = {
    params: hold(params) as Tree<Tensor>[],
    constants: hold(constants),
    outputs: hold(outputs) as Tensor[],
  };
  tape.record({
    name: device.profiler?.placeOf(scope) ?? "reversible",
    inputs: leaves<Tensor>([streams, params]),
    outputs,
    held: leaves<Tensor>(kept),
    backward: (dOutputs, wanted) => {
      const steps = couplings.map((coupling, i) => ({ ...coupling, params: kept.params[i] }));
      return backward(device, steps, kept.outputs, kept.constants, dOutputs, wanted.slice(streams.length));
    },
  });
  return outputs;
}

/** A stream with what a step adds to it. */
function withUpdate(
  device: Device,
  { name, target, sources, params, update }: Coupling,
  state: readonly Tensor[],
  constants: Tree<Tensor>,
): Tensor {
  using scope = device.scope(name);
  return scope.keep(update({ params, sources: sources.map((i) => state[i]), constants, residual: state[target] }));
}

function forward(
  device: Device,
  couplings: readonly Coupling[],
  streams: readonly Tensor[],
  constants: Tree<Tensor>,
): Tensor[] {
  // A stream that no step adds to comes out as another handle, so that gradients tell it from what went in.
  const state = streams.map((stream) => device.view(stream, stream.shape));
  for (const coupling of couplings) {
    const before = state[coupling.target];
    state[coupling.target] = withUpdate(device, coupling, state, constants);
    before.dispose();
  }
  return state;
}

/** @returns Gradients of the streams, then of all leaves of the parameters in the order of the couplings. */
function backward(
  device: Device,
  couplings: readonly Coupling[],
  outputs: readonly Tensor[],
  constants: Tree<Tensor>,
  dOutputs: readonly (Tensor | null)[],
  wanted: readonly boolean[],
): (Tensor | null)[] {
  using scope = device.scope("undo");
  const state = outputs.map((output) => device.hold(output));
  const dState = dOutputs.map((d) => d && device.hold(d));
  const dParams: (Tensor | null)[] = [];
  let end = wanted.length;
  for (const { name, target, sources, params, update } of [...couplings].reverse()) {
    using step = device.scope(name);
    const count = leaves<Tensor>(params).length;
    const wantedParams = wanted.slice(end - count, end);
    end -= count;
    const d = dState[target];
    const reads = { params, sources: sources.map((i) => state[i]) };
    let added: Tensor;
    if (d) {
      const everySource = sources.map(() => true);
      const back = pullback(device, (reads) => update({ ...reads, constants }), reads, {
        wanted: [...wantedParams, ...everySource],
      });
      added = back.output;
      const grads = back.pullLeaves([d]);
      dParams.unshift(...grads.slice(0, count).map((grad) => grad && step.keep(grad)));
      sources.forEach((i, k) => (dState[i] = accumulated(device, dState[i], grads[count + k])));
    } else {
      added = update({ ...reads, constants });
      dParams.unshift(...wantedParams.map(() => null));
    }
    const undone = device.hold(subtract(state[target], added));
    state[target].dispose();
    state[target] = undone;
  }
  for (const stream of state) stream.dispose();
  return scope.keep([
    ...dState.map((d) => {
      if (!d) return null;
      const gradient = device.view(d, d.shape);
      d.dispose();
      return gradient;
    }),
    ...dParams,
  ]);
}

/** A held gradient with another one added; that is in place where nobody else has its storage. */
function accumulated(device: Device, sum: Tensor | null, d: Tensor | null): Tensor | null {
  if (!d) return sum;
  if (!sum) return device.hold(d);
  let total = sum;
  if (sum.storage.holders > 1) {
    total = device.hold(device.empty(sum.shape));
    device.copy(sum, total);
    sum.dispose();
  }
  addInto(device, total, d);
  return total;
}
