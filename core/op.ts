import type { Device } from "./device.ts";
import type { Shape } from "./shapes.ts";
import { noGrad } from "./stop_gradient.ts";
import type { Tensor } from "./tensor.ts";

/** Tensors an op takes, by name; an optional input may be absent. */
export type OpInputs = { readonly [name: string]: Tensor | undefined };

/** Which inputs' gradients are asked for. */
export type Wanted<I extends OpInputs> = { readonly [K in keyof I]: boolean };

/** What the forward pass may ask. */
export interface ForwardContext<I extends OpInputs = OpInputs> {
  /** Where the tensors are. */
  readonly device: Device;
  /** Whether a gradient will be asked for: without it, nothing need be saved. */
  readonly recording: boolean;
  /** Inputs whose gradient will be asked for: what only the others' need is not worth saving. */
  readonly wanted: Wanted<I>;
}

/** What the way back reads. */
export interface VjpContext<I extends OpInputs, N extends keyof I, S, A> {
  /** Where the tensors are. */
  readonly device: Device;
  /** The inputs that `needs` names for the wanted gradients; the others are not kept, and are undefined. */
  readonly inputs: Pick<I, N>;
  /** Shapes of all inputs. */
  readonly shapes: { readonly [K in keyof I]: Shape };
  /** What the forward pass saved. */
  readonly saved: S;
  /** Options of the call. */
  readonly attributes: A;
  /** Inputs whose gradient is asked for. */
  readonly wanted: Wanted<I>;
}

/** A computation and its vector-Jacobian product. */
export interface OpDefinition<I extends OpInputs, N extends keyof I, S extends OpInputs, A> {
  /** Name in errors and profiles. */
  readonly name: string;
  /**
   * Inputs that `vjp` reads, by the input whose gradient it reads them for: `{ a: ["b"], b: ["a"] }` for a · b. An input
   * is kept only where a gradient that needs it is asked for. A list holds for all gradients alike; a function serves
   * inputs whose names are not known ahead.
   */
  readonly needs: readonly N[] | { readonly [K in keyof I]?: readonly N[] } | ((input: string) => readonly N[]);
  /** Computes the output and what `vjp` needs besides inputs (the output itself may be among it). */
  forward(inputs: I, attributes: A, context: ForwardContext<I>): { out: Tensor; saved?: S };
  /** Gradients of the inputs from that of the output; those not wanted are passed over. */
  vjp(context: VjpContext<I, N, S, A>, dOut: Tensor): { [K in keyof I]?: Tensor };
}

/**
 * Makes a differentiable function of an op's forward pass and vector-Jacobian product. What either makes besides its
 * results is freed; the output belongs to the caller's scope.
 *
 * @param inputs All on one device.
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
  const neededFor = (key: string): readonly N[] => {
    if (typeof needs === "function") return needs(key);
    return isList(needs) ? needs : needs[key] ?? [];
  };
  return (inputs, attributes) => {
    const given = Object.entries(inputs).filter((entry): entry is [string, Tensor] => entry[1] !== undefined);
    const device = deviceOf(name, given);
    const tape = device.tape;
    const wanted = mapValues(given, (tensor) => tape?.tracks(tensor) ?? false) as Wanted<I>;
    const recording = given.some(([key]) => wanted[key]);
    using scope = device.scope(name);
    return noGrad(device, () => {
      const { out, saved } = definition.forward(inputs, attributes, { device, recording, wanted });
      scope.keep(out);
      if (!tape || !recording) return out;
      const held: Tensor[] = [];
      const hold = (tensor: Tensor | undefined) => {
        if (!tensor) return undefined;
        const handle = device.hold(tensor);
        held.push(handle);
        return handle;
      };
      const keys = given.map(([key]) => key);
      const needed = new Set(given.flatMap(([key]) => wanted[key] ? neededFor(key) : []));
      const context = {
        device,
        attributes,
        wanted,
        inputs: mapValues(given.filter(([key]) => needed.has(key as N)), hold) as Pick<I, N>,
        saved: mapValues(Object.entries(saved ?? {}), hold) as S,
        shapes: mapValues(given, ({ shape }) => shape) as { [K in keyof I]: Shape },
      };
      tape.record({
        name: device.profiler?.placeOf(scope) ?? name,
        inputs: given.map(([, tensor]) => tensor),
        outputs: [out],
        held,
        backward([dOut]) {
          const grads = definition.vjp(context, dOut!);
          return keys.map((key) => grads[key]);
        },
      });
      return out;
    });
  };
}

/** The device that all inputs are on. */
function deviceOf(name: string, given: readonly (readonly [string, Tensor])[]): Device {
  const [first, { device }] = given[0];
  for (const [key, tensor] of given) {
    if (tensor.device !== device) {
      throw new TypeError(
        `Cannot run ${name} as its inputs are on different devices: ${first} on ${device.traits.description}, ${key} ` +
          `[${tensor.shape}] on ${tensor.device.traits.description}`,
      );
    }
  }
  return device;
}

function isList<T>(needs: readonly T[] | object): needs is readonly T[] {
  return Array.isArray(needs);
}

function mapValues<T, To>(entries: readonly (readonly [string, T])[], map: (value: T) => To): Record<string, To> {
  return Object.fromEntries(entries.map(([key, value]) => [key, map(value)]));
}
