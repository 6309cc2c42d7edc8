import {
  addInto,
  type Device,
  entries,
  leaves,
  mapLeaves,
  mostVisible,
  noGrad,
  pullback,
  readable,
  type Shape,
  sizeOf,
  type Tensor,
  type Tree,
} from "../../core/mod.ts";
import { readRegion, writeRegion } from "../../ops/mod.ts";

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
  const recording = isTracked(device, given);
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
  return partsOf(device, plan, isTracked(device, leaves<Tensor>(inputs))).length > 1;
}

function isTracked(device: Device, tensors: readonly Tensor[]): boolean {
  const { tape } = device;
  return tape !== null && tensors.some((tensor) => tape.tracks(tensor));
}

/** Without a gradient, parts of this size take no more time than all at once (measured on lavapipe), and less memory. */
const PART_BYTES = 2 ** 25;

/** The first thing of a part and the one after its last. */
type Range = readonly [from: number, to: number];

function partsOf(device: Device, { count, size, unit = 1 }: PartPlan, recording: boolean): Range[] {
  const { partBytes = recording ? Infinity : PART_BYTES } = device;
  const most = Math.min(recording ? Infinity : mostVisible(device), partBytes / 4);
  const step = Math.max(1, Math.ceil(count / Math.ceil(size / most) / unit)) * unit;
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
    writeRegion(part, output, beginning(output.shape, axis, range[0]));
  }
  return output!;
}

/** The parts of what is split. */
function splitOf<S extends Tree<Tensor>>(split: S, plan: PartPlan, range: Range): S {
  return mapLeaves<Tensor, S>(split, (x, path) => partOf(x, inputAxisOf(plan, path), ...range));
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
    const found = back.pullLeaves([partOf(dOut, plan.axis, ...range)]);
    found.forEach((grad, i) => {
      if (!grad) return;
      if (i < splitLeaves.length) {
        const [path, { shape }] = splitLeaves[i];
        const all = grads[i] ??= scope.keep(device.zeros(shape));
        writeRegion(grad, all, beginning(shape, inputAxisOf(plan, path), range[0]));
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

function beginning(shape: Shape, axis: number, at: number): number[] {
  return shape.map((_, i) => (i === axis ? at : 0));
}

/**
 * The part of a tensor along an axis, the tensor itself where that is all of it. It may share the tensor's elements, and
 * records no gradient.
 */
function partOf(x: Tensor, axis: number, from: number, to: number): Tensor {
  const { shape } = x;
  if (from === 0 && to === shape[axis]) return x;
  const part = shape.with(axis, to - from);
  if (sizeOf(shape.slice(0, axis)) === 1) return readable(x, from * sizeOf(shape.slice(axis + 1)), part);
  return readRegion(x, beginning(shape, axis, from), part);
}
