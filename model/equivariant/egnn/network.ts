import type { Tensor } from "../../../core/mod.ts";
import { add, broadcastTo, concat, embedding, reshape, slice } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import type { Bonds } from "../bonds.ts";
import { nearestWithSelf, type Neighbours } from "../neighbours.ts";
import type { EgnnConfig } from "./config.ts";
import { globalAttention } from "./global_attention.ts";
import { egnnLayer, type EgnnNodes } from "./layer.ts";
import { type EgnnParams, networkLayer } from "./params.ts";

/** What the network reads. */
export type EgnnInputs = {
  /** Kinds of nodes, i32 `[batch, N]`, where the network knows kinds; else features, `[batch, N, dim]`. */
  readonly feats: Tensor;
  /** `[batch, N, 3]`, in Å. */
  readonly coors: Tensor;
  /** Kinds of pairs, i32 `[batch, N, N]`, where it knows such; else features, `[batch, N, N, edgeDim]`. */
  readonly edges?: Tensor;
  /** 1 for nodes, 0 for padding, `[batch, N]`. @default all are nodes */
  readonly mask?: Tensor;
};

/** What the network gives. */
export type EgnnOutputs = EgnnNodes & {
  /** Coordinates after every layer, the last ones among them. */
  readonly path: readonly Tensor[];
};

/**
 * A network of E(n)-equivariant layers: it moves points in space and changes their features. However points are rotated,
 * moved or mirrored, what comes out is rotated, moved or mirrored alike; it cannot tell mirror images apart.
 *
 * Source: Satorras et al. (2021), "E(n) equivariant graph neural networks", as egnn-pytorch 0.2.8.
 *
 * @example
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { egnn, egnnConfig, initEgnn } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const config = egnnConfig({ dim: 8, depth: 2, numTokens: 3 });
 * const params = initEgnn(device, config, Key.fromSeed(0));
 * const feats = device.tensor([0, 1, 2, 1], [1, 4], "i32");
 * const coors = device.tensor(Key.fromSeed(1).normal(12), [1, 4, 3]);
 * assert.deepEqual([...egnn(params, { feats, coors }, config).coors.shape], [1, 4, 3]);
 * ```
 *
 * @param bonds Bonds between nodes, the same for all of a batch.
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit.
 * @throws {RangeError} If there are more nodes than positions.
 */
export function egnn(params: EgnnParams, inputs: EgnnInputs, config: EgnnConfig, bonds?: Bonds): EgnnOutputs {
  checkInputs(inputs, config, bonds);
  const { mask } = inputs;
  const { device } = inputs.coors;
  using scope = device.scope("egnn");
  const edges = edgesOf(params, inputs, bonds);
  const layer = networkLayer(config);
  let nodes: EgnnNodes = { feats: nodesOf(params, inputs, config), coors: inputs.coors };
  const [batch] = inputs.coors.shape;
  const { globalTokens } = params;
  let tokens = globalTokens && broadcastTo(reshape(globalTokens, [1, ...globalTokens.shape]), [
    batch,
    ...globalTokens.shape,
  ]);
  const path: Tensor[] = [];
  for (const { 0: global, 1: own } of params.layers) {
    if (global) {
      const after = globalAttention(global, nodes.feats, tokens!, config.globalLinearAttnHeads, mask);
      tokens = after.tokens;
      nodes = { ...nodes, feats: after.feats };
    }
    nodes = egnnLayer(own, nodes, egnnNeighbours(nodes.coors, config, { mask, bonds }), layer, edges);
    path.push(nodes.coors);
  }
  return scope.keep({ ...nodes, path });
}

/** The neighbours that a layer's messages come from. */
export function egnnNeighbours(
  coors: Tensor,
  { numNearestNeighbors, onlySparseNeighbors, validRadius, quirks }: EgnnConfig,
  { mask, bonds }: { readonly mask?: Tensor; readonly bonds?: Bonds },
): Neighbours {
  const count = onlySparseNeighbors ? 0 : numNearestNeighbors;
  return nearestWithSelf(coors, { count, radius: validRadius, mask, bonds, ignoresRadius: quirks });
}

function nodesOf({ tokenEmb, posEmb }: EgnnParams, { feats }: EgnnInputs, { dim }: EgnnConfig): Tensor {
  const nodes = tokenEmb ? embedding(tokenEmb.weight, feats) : feats;
  return posEmb ? add(nodes, slice(posEmb.weight, [0, 0], [feats.shape[1], dim])) : nodes;
}

/** Features of pairs: those given, and those of the number of bonds between them. */
function edgesOf({ edgeEmb, adjEmb }: EgnnParams, { edges, coors }: EgnnInputs, bonds?: Bonds): Tensor | undefined {
  const given = edges && edgeEmb ? embedding(edgeEmb.weight, edges) : edges;
  if (!adjEmb || !bonds) return given;
  const { device, shape: [batch, n] } = coors;
  const labels = embedding(adjEmb.weight, device.tensor(bonds.labels, [1, n, n], "i32"));
  const all = broadcastTo(labels, [batch, n, n, labels.shape[3]]);
  return given ? concat([given, all], 3) : all;
}

function checkInputs({ feats, coors, edges, mask }: EgnnInputs, config: EgnnConfig, bonds?: Bonds): void {
  const { dim, numTokens, numEdgeTokens, numPositions, edgeDim, numAdjDegrees, onlySparseNeighbors } = config;
  checkShape("egnn", "coors", coors, ["batch", "N", 3]);
  const [batch, n] = coors.shape;
  if (numTokens) checkShape("egnn", "feats", feats, [batch, n], "i32");
  else checkShape("egnn", "feats", feats, [batch, n, dim]);
  if (edges && numEdgeTokens) checkShape("egnn", "edges", edges, [batch, n, n], "i32");
  else if (edges) checkShape("egnn", "edges", edges, [batch, n, n, edgeDim]);
  if (!edges && edgeDim > 0) {
    throw new TypeError(`Cannot run egnn: edges are missing, [${batch}, ${n}, ${n}, ${edgeDim}]`);
  }
  if (mask) checkShape("egnn", "mask", mask, [batch, n]);
  if (bonds && bonds.n !== n) throw new TypeError(`Cannot run egnn: there are bonds of ${bonds.n} nodes, not ${n}`);
  if (!bonds && (numAdjDegrees || onlySparseNeighbors)) throw new TypeError("Cannot run egnn: bonds are missing");
  if (numPositions && n > numPositions) {
    throw new RangeError(`Cannot run egnn: there are ${n} nodes, expected at most numPositions = ${numPositions}`);
  }
}
