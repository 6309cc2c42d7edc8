import { leaves, noGrad, type Tensor } from "../../core/mod.ts";
import {
  gatedTriangleProduct,
  gateTriangleEdge,
  isFused,
  isTracked,
  layerNormOfPart,
  linear,
  linearInto,
  type LinearParams,
  multiply,
  packedLinear,
  type Part,
  plainLinear,
  readPart,
  reshape,
  type TriangleDirection,
  triangleEdge,
  triangleProduct,
  triangleProductOf,
} from "../../ops/mod.ts";
import { blocksOf, copyOf, inParts, isMadeInParts, linearInParts } from "./in_parts.ts";
import { type LayerNormParams, normalize } from "./layer_norm.ts";

/** The maps of a triangle multiplication, under the names of no system in particular. */
export type TriangleProjections = {
  readonly layerNormIn: LayerNormParams;
  /** Values and gates of both edges, `[c, c_z]`. */
  readonly a: LinearParams;
  readonly aGate: LinearParams;
  readonly b: LinearParams;
  readonly bGate: LinearParams;
  /** Left out where the product is not normalized. */
  readonly layerNormOut?: LayerNormParams;
  /** `[c_z, c]`. */
  readonly out: LinearParams;
  /** `[c_z, c_z]`. */
  readonly outGate: LinearParams;
};

/** Choices of a triangle multiplication. */
export interface TriangleUpdateOptions {
  /** Edges from the corners to the third residue, or from it to the corners. */
  readonly direction: "outgoing" | "incoming";
  /** 1 for pairs that count, 0 for padding: `[batch, N_res, N_res]`. */
  readonly mask?: Tensor;
  /** Added to the update. */
  readonly residual?: Tensor;
  /** Whether the residual is not needed any more: without a gradient the result takes its place. @default false */
  readonly consume?: boolean;
  /** Added to the variances. @default 1e-5 */
  readonly normEps?: number;
}

/**
 * Updates each pair from the two other edges of every triangle it is part of. Values and gates of both edges come from
 * one product.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 11 and 12.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns The update (plus the residual), `[batch, N_res, N_res, c_z]`.
 */
export function triangleUpdate(projections: TriangleProjections, z: Tensor, options: TriangleUpdateOptions): Tensor {
  const { layerNormIn, a, aGate, b, bGate, layerNormOut, out, outGate } = projections;
  const { direction, mask, residual, consume, normEps } = options;
  const [c, cZ] = a.weight.shape;
  const channels = { axis: 3, inputAxis: 0, count: c, size: z.size / cZ * 7 * c, unit: 4 }; // whole vec4s
  const given = [z, ...leaves<Tensor>(projections)];
  const cutUp = isMadeInParts(z.device, channels, given);
  const updated = cutUp && !isTracked(...given, residual) && updateInBlocks(projections, z, options);
  if (updated) return updated;
  const x = normalize(layerNormIn, z, normEps); // line 1
  // An adapter is of all channels: where there are parts of them, it is in the weights.
  const cut = (map: LinearParams) => (cutUp && map.adapter ? plainLinear(map) : map);
  const product = inParts(
    z.device,
    channels,
    { split: { a: cut(a), aGate: cut(aGate), b: cut(b), bGate: cut(bGate) }, whole: { x, mask } },
    ({ split: { a, aGate, b, bGate }, whole: { x, mask } }) =>
      isFused(z.device, "triangle")
        ? gatedTriangleProduct(
          { packed: projected(x, [a, aGate, b, bGate], a.weight.shape[0] === c), mask },
          { direction },
        ) // lines 2 and 4
        : edgeByEdge(x, [[a, aGate], [b, bGate]], mask, direction),
  );
  // What is normalized is read twice; where it is read in parts the second time, it is normalized again, not kept.
  const plan = { axis: 1, count: z.shape[1], size: 4 * z.size }; // four tensors like it side by side
  const parts = isMadeInParts(z.device, plan, [z, product, outGate, out]);
  if (parts) x.dispose();
  return linearInParts(
    z.device,
    plan,
    {
      ...(parts ? { x: z, layerNorm: layerNormIn, normEps } : { x }),
      ...{ residual, consume, split: { product }, whole: { outGate, layerNormOut, out } },
    },
    ({ x, spend, split: { product }, whole: { outGate, layerNormOut, out } }) => {
      const gate = linear(x, outGate, { intermediate: true }); // line 3
      spend();
      const normed = layerNormOut ? normalize(layerNormOut, product, normEps) : product;
      return { x: normed, map: out, gate }; // line 4
    },
  );
}

/**
 * The same in blocks of rows (or columns, where edges point to the corners), without a gradient: one edge is there as a
 * whole, the other block by block, and each block of the result goes where it belongs; what it overwrites is not read
 * again. Undefined where an edge or a block cannot be seen whole, or for more than one entry of a batch.
 */
function updateInBlocks(
  { layerNormIn, a, aGate, b, bGate, layerNormOut, out, outGate }: TriangleProjections,
  z: Tensor,
  { direction, mask, residual, consume, normEps }: TriangleUpdateOptions,
): Tensor | undefined {
  const { device, shape: [batch, n] } = z;
  if (batch !== 1 || !isFused(device, "triangle")) return undefined;
  const outgoing = direction === "outgoing";
  const c = a.weight.shape[0];
  const [whole, moving] = outgoing ? [[b, bGate], [a, aGate]] : [[a, aGate], [b, bGate]];
  using scope = device.scope("inBlocks");
  return noGrad(device, () => {
    const half = device.intermediates === "f16";
    const edge = triangleEdge(device, { n, c, direction, dtype: half ? "f16" : "f32", mask: !!mask });
    const ranges = edge && blocksOf(device, { count: n, size: 3 * n * c, largest: 2 * n * c, unit: edge.unit });
    if (!edge || !ranges) return undefined;
    const partAt = ([from, to]: readonly [number, number]): Part => ({ axis: outgoing ? 1 : 2, from, to });
    const normedAt = (part: Part) =>
      layerNormOfPart(z, part, { gamma: layerNormIn.weight, beta: layerNormIn.bias }, { eps: normEps }); // line 1
    /** A block of an edge, by itself or put into the whole one: lines 2 and 4. */
    const gated = (x: Tensor, maps: readonly LinearParams[], part: Part, from?: number) => {
      const packed = packedLinear(x, maps, { intermediate: true });
      x.dispose();
      const block = gateTriangleEdge(packed, mask && readPart(mask, part), edge, from);
      packed.dispose();
      return block;
    };
    for (const range of ranges) {
      using _ = device.scope("edge");
      gated(normedAt(partAt(range)), whole, partAt(range), range[0]);
    }
    const result = !residual ? device.empty([1, n, n, out.weight.shape[0]]) : consume ? residual : copyOf(residual);
    for (const range of ranges) {
      using _ = device.scope("block");
      const part = partAt(range);
      const block = gated(normedAt(part), moving, part);
      const product = outgoing ? triangleProductOf(block, edge) : triangleProductOf(edge, block);
      block.operand.values.dispose();
      const normed = layerNormOut ? normalize(layerNormOut, product, normEps) : product;
      if (layerNormOut) product.dispose();
      const x = normedAt(part);
      const gate = linear(x, outGate, { intermediate: true }); // line 3
      x.dispose();
      linearInto(normed, out, result, part, { gate, onTop: !!residual }); // line 4
    }
    return scope.keep(result === residual ? device.view(residual, residual.shape) : result);
  });
}

/** Values and gates of both edges side by side; results of some of the channels are joined, so they stay in 32 bits. */
function projected(x: Tensor, parts: readonly LinearParams[], all: boolean): Tensor {
  const whole = parts[0].weight.shape[0] % 4 === 0; // else the gating kernels read single numbers
  return packedLinear(x, parts, { intermediate: all && whole });
}

/** Lines 2 and 4 step by step: a product for each edge's values and for its gate, then the product of edges. */
function edgeByEdge(
  x: Tensor,
  edges: readonly [values: LinearParams, gate: LinearParams][],
  mask: Tensor | undefined,
  direction: TriangleDirection,
): Tensor {
  using scope = x.device.scope("edgeByEdge");
  const [a, b] = edges.map(([values, gate]) => {
    const edge = linear(x, values, { gate: linear(x, gate) });
    return mask ? multiply(edge, reshape(mask, [...mask.shape, 1])) : edge;
  });
  return scope.keep(triangleProduct({ a, b }, { direction }));
}
