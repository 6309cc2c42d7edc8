import type { Device } from "./device.ts";
import type { Shape } from "./shapes.ts";
import { noGrad } from "./stop_gradient.ts";
import type { Tensor } from "./tensor.ts";

/** Tensors an op takes, by name; an optional input may be absent. */
export type OpInputs = { readonly [name: string]: Tensor | undefined };

/** What the forward pass may ask. */
export interface ForwardContext {
  /** Where the tensors are. */
  readonly device: Device;
  /** Whether a gradient will be asked for: without it, nothing need be saved. */
  readonly recording: boolean;
}

/** What the way back reads. */
export interface VjpContext<I extends OpInputs, N extends keyof I, S, A> {
  /** Where the tensors are. */
  readonly device: Device;
  /** The inputs named in `needs`. */
  readonly inputs: Pick<I, N>;
  /** Shapes of all inputs. */
  readonly shapes: { readonly [K in keyof I]: Shape };
  /** What the forward pass saved. */
  readonly saved: S;
  /** Options of the call. */
  readonly attributes: A;
  /** Inputs whose gradient is asked for. */
  readonly wanted: { readonly [K in keyof I]: boolean };
}

/** A computation and its vector-Jacobian product. */
export interface OpDefinition<I extends OpInputs, N extends keyof I, S extends OpInputs, A> {
  /** Name in errors and profiles. */
  readonly name: string;
  /** Inputs that `vjp` reads; the others are not kept for it. */
  readonly needs: readonly N[];
  /** Computes the output and what `vjp` needs besides inputs (the output itself may be among it). */
  forward(inputs: I, attributes: A, context: ForwardContext): { out: Tensor; saved?: S };
  /** Gradients of the inputs from that of the output. */
  vjp(context: VjpContext<I, N, S, A>, dOut: Tensor): { [K in keyof I]?: Tensor };
}

/**
 * Makes a differentiable function of an op's forward pass and vector-Jacobian product. What either makes besides its
 * results is freed; the output belongs to the caller's scope.
 *
 * @param inputs The first input given decides the device.
 */
export function defineOp<
  I extends OpInputs,
  N extends keyof I & string,
  S extends OpInputs = Record<never, never>,
  A = void,
>(
  definition: OpDefinition<I, N, S, A>,
): (inputs: I, attributes: A) => Tensor {
  const { name, needs } = definition;
  return (inputs, attributes) => {
    const given = Object.entries(inputs).filter((entry): entry is [string, Tensor] => entry[1] !== undefined);
    const device = given[0][1].device;
    const tape = device.tape;
    const recording = tape !== null && given.some(([, tensor]) => tape.tracks(tensor));
    using scope = device.scope(name);
    const { out, saved } = noGrad(device, () => definition.forward(inputs, attributes, { device, recording }));
    scope.keep(out);
    if (recording) {
      const held: Tensor[] = [];
      const hold = (tensor: Tensor | undefined) => {
        if (!tensor) return undefined;
        const handle = noGrad(device, () => device.hold(tensor));
        held.push(handle);
        return handle;
      };
      const heldInputs = Object.fromEntries(needs.map((key) => [key, hold(inputs[key])])) as Pick<I, N>;
      const heldSaved = Object.fromEntries(
        Object.entries(saved ?? {}).map(([key, tensor]) => [key, hold(tensor)]),
      ) as S;
      const shapes = Object.fromEntries(given.map(([key, { shape }]) => [key, shape])) as { [K in keyof I]: Shape };
      const keys = given.map(([key]) => key);
      tape.record({
        name: device.profiler?.placeOf(scope) ?? name,
        inputs: given.map(([, tensor]) => tensor),
        outputs: [out],
        held,
        backward([dOut], flags) {
          const wanted = Object.fromEntries(keys.map((key, i) => [key, flags[i]])) as { [K in keyof I]: boolean };
          const context = { device, inputs: heldInputs, shapes, saved: heldSaved, attributes, wanted };
          const grads = definition.vjp(context, dOut!);
          return keys.map((key) => grads[key]);
        },
      });
    }
    return out;
  };
}
