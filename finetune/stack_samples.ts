/** Proteins of a batch as one input, the shorter ones padded. */
import { type Device, mapTree, type Tensor, type Tree } from "../core/mod.ts";
import type { AlphaFoldFeatures } from "../model/alphafold/mod.ts";
import { addScalar, concat, pad } from "../ops/mod.ts";
import { isKnown, type NetworkSample } from "./fine_tuned.ts";
import type { LabelHeadInputs } from "./heads/label_head.ts";

/**
 * Several proteins as one with a batch axis: each tensor is padded with zeros behind its own up to the longest, and masks
 * say what is padding. Masks that are absent, since nothing was padded, are made.
 *
 * @param inputs All as the network reads them, or all as the heads do, with the same parts.
 * @returns Owned by the current scope.
 * @throws {TypeError} If their parts are not the same.
 */
export function stackSamples(inputs: readonly (NetworkSample | LabelHeadInputs)[]): NetworkSample | LabelHeadInputs {
  const known = inputs.filter(isKnown);
  const read = inputs.filter((input): input is NetworkSample => !isKnown(input));
  if (known.length && read.length) {
    throw new TypeError("Cannot stack proteins that the network reads with such as it has read");
  }
  return known.length ? stacked(known.map(withHeadMask)) : stacked(read.map(withMasks));
}

/** Trees of one form as one, leaf by leaf. */
function stacked<T>(trees: readonly T[]): T {
  const paths = trees.map((tree) => {
    const found = new Map<string, Tensor>();
    mapTree<Tensor, void>(tree as Tree<Tensor>, (tensor, path) => void found.set(path, tensor));
    return found;
  });
  const odd = paths.flatMap((found) => [...found.keys()]).find((path) => !paths.every((found) => found.has(path)));
  if (odd) throw new TypeError(`Cannot stack these proteins: some of them have no ${odd}`);
  return mapTree<Tensor, Tensor>(trees[0] as Tree<Tensor>, (_, path) => {
    const tensors = paths.map((found) => found.get(path)!);
    const sizes = tensors[0].shape.map((_, axis) => Math.max(...tensors.map(({ shape }) => shape[axis])));
    return concat(
      tensors.map((x) => {
        const after = x.shape.map((size, axis) => (axis === 0 ? 0 : sizes[axis] - size));
        return after.some((n) => n > 0) ? pad(x, after.map(() => 0), after) : x;
      }),
      0,
    );
  }) as T;
}

function withHeadMask(input: LabelHeadInputs): LabelHeadInputs {
  const { s, mask } = input;
  return { ...input, mask: mask ?? ones(s.device, s.shape.slice(0, 2)) };
}

function withMasks(sample: NetworkSample): NetworkSample {
  const before = sample.before?.map((features) => {
    if (Array.isArray(features)) throw new TypeError("Cannot stack proteins with several samples of the alignment");
    return masked(features as AlphaFoldFeatures);
  });
  return { ...sample, features: masked(sample.features), ...(before && { before }) };
}

function masked(features: AlphaFoldFeatures): AlphaFoldFeatures {
  const { aatype, msaFeat, extraMsa, seqMask, msaMask } = features;
  const { device } = aatype;
  return {
    ...features,
    seqMask: seqMask ?? ones(device, aatype.shape),
    msaMask: msaMask ?? ones(device, msaFeat.shape.slice(0, 3)),
    ...(extraMsa && { extraMsa: { ...extraMsa, mask: extraMsa.mask ?? ones(device, extraMsa.extraMsa.shape) } }),
  };
}

function ones(device: Device, shape: readonly number[]): Tensor {
  return addScalar(device.zeros(shape), 1);
}
