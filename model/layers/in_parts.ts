import {
  addInto,
  type Device,
  entries,
  leaves,
  mapLeaves,
  mostVisible,
  noGrad,
  pullback,
  type Tensor,
  type Tree,
} from "../../core/mod.ts";
import {
  add,
  isTracked,
  layerNormOfPart,
  linear,
  linearInto,
  type LinearParams,
  multiply,
  type Part,
  readPart,
  reshape,
  writePart,
} from "../../ops/mod.ts";
import { type LayerNormParams, normalize } from "./layer_norm.ts";

/** How something can be made in parts. */
export interface PartPlan {
  /** How many things there are along an axis that do not depend on each other. */
  readonly count: number;
  /** The axis along which they lie in the result. */
  readonly axis: number;
  /** The same of all that is split, or of some of it by name. @default axis */
  readonly inputAxis?: number | Readonly<Record<string, number>>;
  /** Elements of the largest intermediate tensor for all of them. */
  readonly size: number;
  /** A part has a multiple of so many. @default 1 */
  readonly unit?: number;
}

/** What is read. */
export interface PartInputs<S extends Tree<Tensor>, W extends Tree<Tensor>> {
  /** Tensors of which a part reads its own things. */
  readonly split: S;
  /** Tensors that every part reads. */
  readonly whole: W;
}

/**
 * Computes something part by part where its largest intermediate tensor would be larger than a kernel may see or than
 * {@linkcode Device.partBytes}, so that it takes less memory. The numbers are the same. Where a gradient is asked for, parts
 * are made only if `partBytes` was set, and each is computed again on the way back; gradients of what all parts read are
 * then sums over the parts.
 *
 * @param run Computes the things of a part; it reads no other tensors than those it is given.
 */
export function inParts<S extends Tree<Tensor>, W extends Tree<Tensor>>(
  device: Device,
  plan: PartPlan,
  inputs: PartInputs<S, W>,
  run: (inputs: PartInputs<S, W>) => Tensor,
): Tensor {
  const given = leaves<Tensor>([inputs.split, inputs.whole]);
  const recording = isTracked(...given);
  const ranges = partsOf(device, plan, recording);
  if (ranges.length === 1) return run(inputs);
  using scope = device.scope("inParts");
  const { output, held } = noGrad(device, () => ({
    output: runParts(device, plan, ranges, inputs, run),
    held: recording ? given.map((tensor) => device.hold(tensor)) : [],
  }));
  if (recording) {
    device.tape!.record({
      name: "inParts",
      inputs: given,
      outputs: [output],
      held,
      backward: ([dOut], wanted) => {
        let next = 0;
        const [split, whole] = mapLeaves<Tensor, [S, W]>([inputs.split, inputs.whole], () => held[next++]);
        return pullParts(device, plan, ranges, { split, whole }, run, dOut!, wanted);
      },
    });
  }
  return scope.keep(output);
}

/** Whether {@linkcode inParts} would make something in more than one part. */
export function isMadeInParts(device: Device, plan: PartPlan, inputs: Tree<Tensor>): boolean {
  return partsOf(device, plan, isTracked(...leaves<Tensor>(inputs))).length > 1;
}

/** What {@linkcode linearInParts} reads. */
export interface UpdateInputs<S extends Tree<Tensor>, W extends Tree<Tensor>> extends PartInputs<S, W> {
  /** What the parts are of, `[…, c]`. */
  readonly x: Tensor;
  /** Normalizes it as it is read. @default nothing does */
  readonly layerNorm?: LayerNormParams;
  /** Added to the variance. @default 1e-5 */
  readonly normEps?: number;
  /** Whether x itself may be let go once it has been read. @default false */
  readonly spendable?: boolean;
  /** Added to the result. */
  readonly residual?: Tensor;
  /**
   * Whether the residual is not needed any more: without a gradient the result takes its place in memory, also where it
   * is x that is added to. @default false
   */
  readonly consume?: boolean;
}

/** What a part reads. */
export interface PartOfUpdate<S extends Tree<Tensor>, W extends Tree<Tensor>> extends PartInputs<S, W> {
  /** Normalized, if it is to be. */
  readonly x: Tensor;
  /** Lets go of `x`, where it was made for this part alone or may be let go. */
  readonly spend: () => void;
}

/** What an update ends in. */
export interface LastMap {
  readonly x: Tensor;
  readonly map: LinearParams;
  /** The result is multiplied by its sigmoid. */
  readonly gate?: Tensor;
  /** Rows of the result are multiplied by a number each. */
  readonly factor?: Tensor;
}

/**
 * Computes something that ends in a linear map, and adds it to a residual: {@linkcode inParts}, but that without a gradient
 * nothing is copied: parts are normalized where they stand, and their results are written, or added, where they belong.
 */
export function linearInParts<S extends Tree<Tensor>, W extends Tree<Tensor>>(
  device: Device,
  plan: PartPlan,
  inputs: UpdateInputs<S, W>,
  run: (part: PartOfUpdate<S, W>) => LastMap,
): Tensor {
  const { x, layerNorm, normEps, spendable = false, residual, consume = false, split, whole } = inputs;
  const recording = isTracked(...leaves<Tensor>({ x, layerNorm, residual, split, whole }));
  const ranges = partsOf(device, plan, recording);
  if (recording) {
    return inParts(
      device,
      plan,
      { split: { x, residual, split }, whole: { layerNorm, whole } },
      ({ split: { x, residual, split }, whole: { layerNorm, whole } }) => {
        const normed = layerNorm ? normalize(layerNorm, x, normEps) : x;
        const spend = () => layerNorm && normed.dispose();
        const { x: last, map, gate, factor } = run({ x: normed, split, whole, spend });
        if (!factor) return linear(last, map, { gate, residual });
        const update = multiply(linear(last, map, { gate }), reshape(factor, [...factor.shape, 1]));
        return residual ? add(residual, update) : update;
      },
    );
  }
  const { axis } = plan;
  const all = ranges.length === 1;
  using scope = device.scope("inParts");
  return noGrad(device, () => {
    let output: Tensor | undefined;
    for (const range of ranges) {
      using part = device.scope("part");
      const at = along(axis, range);
      const own = !layerNorm
        ? readPart(x, at)
        : all
        ? normalize(layerNorm, x, normEps)
        : layerNormOfPart(x, at, { gamma: layerNorm.weight, beta: layerNorm.bias }, { eps: normEps });
      const spend = () => (own !== x || (spendable && all)) && own.dispose();
      const { x: last, map, gate, factor } = run({ x: own, split: splitOf(split, plan, range), whole, spend });
      if (all && !factor && !(residual && consume)) {
        output = linear(last, map, { gate, residual });
      } else {
        output ??= !residual
          ? device.empty([...x.shape.slice(0, -1), map.weight.shape[0]])
          : consume
          ? device.view(residual, residual.shape)
          : copyOf(residual);
        linearInto(last, map, output, at, { gate, factor, onTop: !!residual });
      }
      part.keep(output);
    }
    return scope.keep(output!);
  });
}

/**
 * Blocks of things that are gone through one after the other without a gradient, where all but the blocks' own tensors is
 * there as a whole: these may take half of what parts may take elsewhere.
 *
 * @param plan `size`: elements of all tensors of one thing, side by side; `largest`: of the largest of them.
 * @returns Undefined where a kernel could not see a block.
 */
export function blocksOf(
  device: Device,
  { count, size, largest, unit = 1 }: Omit<PartPlan, "axis"> & { readonly largest: number },
): readonly Range[] | undefined {
  const visible = Math.floor(device.traits.maxBindingBytes / 4 / largest);
  if (visible < Math.min(unit, count)) return undefined;
  const most = Math.min((device.partBytes ?? PART_BYTES) / 2 / 4 / size, visible);
  return rangesOf(count, Math.max(unit, Math.floor(most / unit) * unit));
}

/** A copy of a tensor, owned by the current scope. Records no gradient. */
export function copyOf(x: Tensor): Tensor {
  const copy = x.device.empty(x.shape, x.dtype);
  x.device.copy(x, copy);
  return copy;
}

/** Without a gradient, parts of this size take no more time than all at once (measured on lavapipe), and less memory. */
const PART_BYTES = 2 ** 25;

/** The first thing of a part and the one after its last. */
type Range = readonly [from: number, to: number];

/** The parts that something would be made in. */
export function partsOf(
  device: Device,
  { count, size, unit = 1 }: Omit<PartPlan, "axis">,
  recording = false,
): readonly Range[] {
  const { partBytes = recording ? Infinity : PART_BYTES } = device;
  const most = Math.min(recording ? Infinity : mostVisible(device), partBytes / 4);
  const step = Math.max(1, Math.ceil(count / Math.ceil(size / most) / unit)) * unit;
  return rangesOf(count, step);
}

function rangesOf(count: number, step: number): Range[] {
  const ranges: Range[] = [];
  for (let from = 0; from < count; from += step) ranges.push([from, Math.min(from + step, count)]);
  return ranges.length ? ranges : [[0, count]];
}

function runParts<S extends Tree<Tensor>, W extends Tree<Tensor>>(
  device: Device,
  plan: PartPlan,
  ranges: readonly Range[],
  { split, whole }: PartInputs<S, W>,
  run: (inputs: PartInputs<S, W>) => Tensor,
): Tensor {
  const { axis, count } = plan;
  let output: Tensor | undefined;
  for (const range of ranges) {
    using scope = device.scope("part");
    const part = run({ split: splitOf(split, plan, range), whole });
    output ??= scope.keep(device.empty(part.shape.with(axis, count), part.dtype));
    writePart(part, output, along(axis, range));
  }
  return output!;
}

/** The parts of what is split. */
function splitOf<S extends Tree<Tensor>>(split: S, plan: PartPlan, range: Range): S {
  return mapLeaves<Tensor, S>(split, (x, path) => readPart(x, along(inputAxisOf(plan, path), range)));
}

function inputAxisOf({ axis, inputAxis = axis }: PartPlan, path: string): number {
  return typeof inputAxis === "number" ? inputAxis : inputAxis[path.split(".")[0]] ?? axis;
}

function pullParts<S extends Tree<Tensor>, W extends Tree<Tensor>>(
  device: Device,
  plan: PartPlan,
  ranges: readonly Range[],
  { split, whole }: PartInputs<S, W>,
  run: (inputs: PartInputs<S, W>) => Tensor,
  dOut: Tensor,
  wanted: readonly boolean[],
): (Tensor | null)[] {
  const splitLeaves = entries<Tensor>(split), wholeLeaves = leaves<Tensor>(whole);
  const grads: (Tensor | null)[] = [...splitLeaves, ...wholeLeaves].map(() => null);
  for (const range of ranges) {
    using scope = device.scope("part");
    const parts = splitOf(split, plan, range);
    const back = pullback(device, ([split, whole]: [S, W]) => run({ split, whole }), [parts, whole], { wanted });
    const found = back.pullLeaves([readPart(dOut, along(plan.axis, range))]);
    found.forEach((grad, i) => {
      if (!grad) return;
      if (i < splitLeaves.length) {
        const [path, { shape }] = splitLeaves[i];
        const all = grads[i] ??= scope.keep(device.zeros(shape));
        writePart(grad, all, along(inputAxisOf(plan, path), range));
      } else if (grads[i]) {
        addInto(device, grads[i]!, grad);
      } else {
        grads[i] = scope.keep(device.empty(grad.shape));
        device.copy(grad, grads[i]!);
      }
    });
  }
  return grads;
}

function along(axis: number, [from, to]: Range): Part {
  return { axis, from, to };
}
