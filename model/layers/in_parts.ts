import {
  addInto,
  type Device,
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
  /** The same of the inputs. @default axis */
  readonly inputAxis?: number;
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
 * are made for `partBytes` alone, and each is computed again on the way back; gradients of what all parts read are then
 * sums over the parts.
 *
 * @param run Computes the things of a part; it reads no other tensors than those it is given.
 */
export function inParts<S extends Tree<Tensor>, W extends Tree<Tensor>>(
  device: Device,
  plan: PartPlan,
  inputs: PartInputs<S, W>,
  run: (inputs: PartInputs<S, W>) => Tensor,
): Tensor {
  const { tape } = device;
  const given = leaves<Tensor>([inputs.split, inputs.whole]);
  const recording = tape !== null && given.some((tensor) => tape.tracks(tensor));
  const ranges = partsOf(device, plan, recording);
  if (ranges.length === 1) return run(inputs);
  using scope = device.scope("inParts");
  const { output, held } = noGrad(device, () => ({
    output: runParts(device, plan, ranges, inputs, run),
    held: recording ? given.map((tensor) => device.hold(tensor)) : [],
  }));
  if (recording) {
    tape.record({
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

/** The first thing of a part and the one after its last. */
type Range = readonly [from: number, to: number];

function partsOf(device: Device, { count, size, unit = 1 }: PartPlan, recording: boolean): Range[] {
  const most = Math.min(recording ? Infinity : mostVisible(device), device.partBytes / 4);
  const step = Math.max(1, Math.ceil(count / Math.ceil(size / most) / unit)) * unit;
  const ranges: Range[] = [];
  for (let from = 0; from < count; from += step) ranges.push([from, Math.min(from + step, count)]);
  return ranges.length ? ranges : [[0, count]];
}

function runParts<S extends Tree<Tensor>, W extends Tree<Tensor>>(
  device: Device,
  { axis, inputAxis = axis, count }: PartPlan,
  ranges: readonly Range[],
  { split, whole }: PartInputs<S, W>,
  run: (inputs: PartInputs<S, W>) => Tensor,
): Tensor {
  let output: Tensor | undefined;
  for (const range of ranges) {
    using scope = device.scope("part");
    const part = run({ split: mapLeaves<Tensor, S>(split, (x) => partOf(x, inputAxis, ...range)), whole });
    output ??= scope.keep(device.empty(part.shape.with(axis, count), part.dtype));
    writeRegion(part, output, beginning(output.shape, axis, range[0]));
  }
  return output!;
}

function pullParts<S extends Tree<Tensor>, W extends Tree<Tensor>>(
  device: Device,
  { axis, inputAxis = axis }: PartPlan,
  ranges: readonly Range[],
  { split, whole }: PartInputs<S, W>,
  run: (inputs: PartInputs<S, W>) => Tensor,
  dOut: Tensor,
  wanted: readonly boolean[],
): (Tensor | null)[] {
  const splitLeaves = leaves<Tensor>(split), wholeLeaves = leaves<Tensor>(whole);
  const grads: (Tensor | null)[] = [...splitLeaves, ...wholeLeaves].map(() => null);
  for (const range of ranges) {
    using scope = device.scope("part");
    const parts = mapLeaves<Tensor, S>(split, (x) => partOf(x, inputAxis, ...range));
    const back = pullback(device, ([split, whole]: [S, W]) => run({ split, whole }), [parts, whole], { wanted });
    const found = back.pullLeaves([partOf(dOut, axis, ...range)]);
    found.forEach((grad, i) => {
      if (!grad) return;
      if (i < splitLeaves.length) {
        const { shape } = splitLeaves[i];
        const all = grads[i] ??= scope.keep(device.zeros(shape));
        writeRegion(grad, all, beginning(shape, inputAxis, range[0]));
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
