import {
  type Device,
  type Key,
  leaves,
  mapLeaves,
  mapTree,
  type Shape,
  sizeOf,
  type Tensor,
  type Tree,
} from "../../core/mod.ts";
import { cast } from "../../ops/mod.ts";

/** Numbers a parameter starts from. */
export type Initializer = (key: Key, shape: Shape) => Float32Array;

/** A parameter to be: its shape and what it starts from. */
export class ParamShape {
  /** Sizes of the axes; matrices are `[cOut, cIn]`. */
  readonly shape: Shape;
  readonly #initializer: Initializer;

  /** A parameter of a shape, with what makes its fresh numbers. */
  constructor(shape: Shape, initializer: Initializer) {
    this.shape = shape;
    this.#initializer = initializer;
  }

  /** Fresh numbers. */
  initial(key: Key): Float32Array {
    return this.#initializer(key, this.shape);
  }
}

/** A tree of parameters to be. */
export type ParamShapes = Tree<ParamShape>;

/** Parameters of the form of such a tree: a tensor for every shape; any tree, where no more is known of the shapes. */
export type ParamsOf<S> = ParamShapes extends S ? Tree<Tensor>
  : S extends ParamShape ? Tensor
  : S extends readonly (infer E)[] ? ParamsOf<E>[]
  : { [K in keyof S]: ParamsOf<S[K]> };

/** All one number. */
export function constant(value: number): Initializer {
  return (_, shape) => new Float32Array(sizeOf(shape)).fill(value);
}

/** Normal numbers of a standard deviation. */
export function normal(deviation: number): Initializer {
  return (key, shape) => key.normal(sizeOf(shape)).map((x) => x * deviation);
}

/** Standard deviation of the standard normal distribution cut at ±2. */
export const CUT_DEVIATION = 0.87962566103423978;

/**
 * Normal numbers cut at two standard deviations, of variance gain / cIn.
 *
 * Source: LeCun et al. (1998), "Efficient BackProp" (gain 1); He et al. (2015), "Delving deep into rectifiers" (gain 2,
 * before a relu).
 */
export function fanIn(gain: 1 | 2): Initializer {
  return (key, shape) => {
    const n = sizeOf(shape);
    const scale = Math.sqrt(gain / shape.at(-1)!) / CUT_DEVIATION;
    const numbers = new Float32Array(n);
    for (let filled = 0, round = 0; filled < n; round++) {
      for (const x of key.at(round).normal(n - filled)) if (Math.abs(x) < 2) numbers[filled++] = x * scale;
    }
    return numbers;
  };
}

/** Uniform numbers of variance 2 / (cIn + cOut). Source: Glorot and Bengio (2010). */
export function glorotUniform(key: Key, shape: Shape): Float32Array {
  const limit = Math.sqrt(6 / (shape[0] + shape[1]));
  return key.uniform(sizeOf(shape)).map((x) => (2 * x - 1) * limit);
}

/** Uniform numbers within 1 / √cIn, as PyTorch starts linear maps and convolutions, their biases too. */
export function uniformFanIn(cIn: number): Initializer {
  const limit = 1 / Math.sqrt(cIn);
  return (key, shape) => key.uniform(sizeOf(shape)).map((x) => (2 * x - 1) * limit);
}

/** Parameters of a linear map to be: weight `[cOut, cIn]`, and bias `[cOut]` where it has an initializer. */
export function linearShapes(
  cOut: number,
  cIn: number,
  { weight = fanIn(1), bias }: { readonly weight?: Initializer; readonly bias?: Initializer } = {},
): { weight: ParamShape; bias?: ParamShape } {
  return { weight: new ParamShape([cOut, cIn], weight), ...(bias && { bias: new ParamShape([cOut], bias) }) };
}

/** Parameters of a layer normalization to be: weight 1 and bias 0, `[c]`. */
export function layerNormShapes(c: number): { weight: ParamShape; bias: ParamShape } {
  return { weight: new ParamShape([c], constant(1)), bias: new ParamShape([c], constant(0)) };
}

/**
 * Fresh parameters.
 *
 * @param key Source of the random numbers; used up.
 * @returns A tree of the same form, owned by the current scope.
 */
export function initParams<S extends ParamShapes>(device: Device, shapes: S, key: Key): ParamsOf<S> {
  const base = key.split(1)[0];
  let index = 0;
  const numbers = (leaf: ParamShape) => device.dry ? { length: sizeOf(leaf.shape) } : leaf.initial(base.at(index++)); // plans need none
  return mapTree<ParamShape, Tensor>(shapes, (leaf) => device.tensor(numbers(leaf), leaf.shape)) as ParamsOf<S>;
}

/**
 * Parameters from given numbers.
 *
 * @param find The numbers of the parameter at a path such as `blocks.0.msaTransition.linear_1.weight`.
 * @returns A tree of the same form, owned by the current scope.
 */
export function loadParams<S extends ParamShapes>(
  device: Device,
  shapes: S,
  find: (path: string, shape: Shape) => ArrayLike<number>,
): ParamsOf<S> {
  const made = mapTree<ParamShape, Tensor>(shapes, ({ shape }, path) => device.tensor(find(path, shape), shape));
  return made as ParamsOf<S>;
}

/**
 * The same parameters with matrices as 16-bit floats, in half the memory: for what is frozen, or for inference. Vectors
 * (biases, scales) stay f32, and so does what is computed.
 *
 * @param params They stay as they are.
 * @returns Matrices are new, owned by the current scope; the other tensors are those given.
 */
export function halved<P extends Tree<Tensor>>(params: P): P {
  return mapLeaves<Tensor, P>(params, (tensor) => (tensor.shape.length > 1 ? cast(tensor, "f16") : tensor));
}

/** Shapes by path. */
export function shapesByPath(shapes: ParamShapes): Map<string, Shape> {
  const found = new Map<string, Shape>();
  mapTree<ParamShape, void>(shapes, ({ shape }, path) => void found.set(path, shape));
  return found;
}

/** Number of parameters. */
export function countParams(shapes: ParamShapes): number {
  return leaves<ParamShape>(shapes).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}
