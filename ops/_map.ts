import {
  broadcastShapes,
  elementGrid,
  inWindows,
  isVisible,
  type Kernel,
  kernelFamily,
  type Shape,
  sizeOf,
  type Tensor,
} from "../core/mod.ts";
import { mapProbes } from "./_battery/maps.ts";
import { type ArgMode, mapKernel, type MapSource, type MapStructure } from "./_map.wgsl.ts";
import { operationsOf } from "./_operations.ts";
import { broadcastStrides, mergeAxes, numbered } from "./_strides.ts";

/** Numbers by name. */
export type Parameters = Readonly<Record<string, number>>;

/** All formulas, for those who verify them. */
export const MAPS: { readonly source: MapSource; readonly kernelOf: (structure: MapStructure) => Kernel }[] = [];

/** Applies a formula to tensors that are broadcast against each other, and to `shape` where it is given. */
export type MapFunction = (args: Readonly<Record<string, Tensor>>, parameters?: Parameters, shape?: Shape) => Tensor;

/** Makes the function that runs a formula on tensors. It records no gradient. */
export function defineMap(source: MapSource): MapFunction {
  const { name, args } = source;
  const operations = operationsOf(source.expression, source.declarations);
  const kernelOf = kernelFamily(
    (structure: MapStructure) => mapKernel(source, structure),
    (structure) => mapProbes(source, structure),
  );
  MAPS.push({ source, kernelOf });
  return (tensors, parameters = {}, shape) => {
    const given = args.map((arg) => tensors[arg]);
    given.forEach(({ dtype, shape }, i) => {
      if (dtype !== "f32") throw new TypeError(`${name}: ${args[i]} [${shape}] is ${dtype}, expected f32`);
    });
    const out = shape ?? given.map((tensor) => tensor.shape).reduce(broadcastShapes);
    const { device } = given[0];
    const result = device.empty(out);
    const { sizes, strides } = mergeAxes(out, [
      ...given.map((tensor) => broadcastStrides(tensor.shape, out)),
      broadcastStrides(out, out),
    ]);
    walk(tensors, result, sizes, strides.slice(0, -1), parameters);
    return result;
  };

  /** Goes along the first axis in windows where the result is large, and along the next where one step is too large. */
  function walk(
    tensors: Readonly<Record<string, Tensor>>,
    result: Tensor,
    sizes: readonly number[],
    strides: readonly (readonly number[])[],
    parameters: Parameters,
  ): void {
    const [rows, ...inner] = sizes;
    const fixed: Record<string, Tensor> = {}, reads: Record<string, Tensor> = {};
    args.forEach((arg, i) => ((strides[i][0] === 0 ? fixed : reads)[arg] = tensors[arg]));
    inWindows(result.device, rows, { reads, writes: { result } }, ({ result, ...windows }, count) => {
      const now = { ...fixed, ...windows };
      if (isVisible(result) || !inner.length) apply(now, result, [count, ...inner], strides, parameters);
      else walk(now, result, inner, strides.map((steps) => steps.slice(1)), parameters);
    });
  }

  function apply(
    tensors: Readonly<Record<string, Tensor>>,
    result: Tensor,
    sizes: readonly number[],
    strides: readonly (readonly number[])[],
    parameters: Parameters,
  ): void {
    const rank = sizes.length;
    const size = sizeOf(sizes);
    const modes = vectorModes(sizes, strides);
    const units = modes ? [...sizes.slice(0, -1), Math.ceil(sizes[rank - 1] / 4)] : sizes;
    const uniforms: Record<string, number> = {
      n: modes ? Math.ceil(size / 4) : size,
      ...numbered("s", units),
      ...parameters,
    };
    args.forEach((arg, i) => {
      const vector = modes?.[i] === "vector";
      const steps = strides[i].map((stride, axis) => (vector && axis < rank - 1 ? stride / 4 : stride));
      Object.assign(uniforms, numbered(arg, steps));
    });
    result.device.run(kernelOf({ modes: modes ?? args.map(() => "scalar"), rank }), {
      bindings: { ...tensors, result },
      uniforms,
      grid: elementGrid(uniforms.n, 64),
      flops: operations * size,
    });
  }
}

/**
 * How each argument is read four elements at a time, or null where that cannot be. An argument that does not stretch
 * along the last axis has whole vec4s there, and so before it.
 */
function vectorModes(sizes: readonly number[], strides: readonly (readonly number[])[]): ArgMode[] | null {
  const last = sizes.length - 1;
  if (last > 0 && sizes[last] % 4 !== 0) return null;
  return strides.map((stride) => (stride[last] === 0 ? "splat" : "vector"));
}
