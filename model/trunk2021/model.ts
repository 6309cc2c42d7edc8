import { noGrad, type Tensor } from "../../core/mod.ts";
import { add, embedding, linear, maximum, multiply, multiplyScalar, permute, reshape, slice } from "../../ops/mod.ts";
import type { CaptureOptions } from "../layers/attention_capture.ts";
import { checkShape } from "../layers/check_shape.ts";
import { normalize } from "../layers/layer_norm.ts";
import type { Trunk2021Config } from "./config.ts";
import { layersOf, type Trunk2021Params } from "./params.ts";
import { trunk2021Layers, type Trunk2021Representations } from "./trunk.ts";

/** What the model reads. */
export type Trunk2021Inputs = {
  /** Residues 0 … numTokens - 1, i32 `[batch, N_res]`. */
  readonly seq: Tensor;
  /** Residues of related sequences, i32 `[batch, N_seq, N]`; N need not be N_res. @default pairs attend to themselves alone */
  readonly msa?: Tensor;
  /** Embeddings of residues, in the place of an MSA, `[batch, N, numEmbedds]`. */
  readonly embedds?: Tensor;
  /** 1 for residues, 0 for padding, `[batch, N_res]`. @default all are residues */
  readonly mask?: Tensor;
  /** The same of the MSA, `[batch, N_seq, N]`, or of the embeddings, `[batch, N]`. */
  readonly msaMask?: Tensor;
};

/**
 * The distogram of a sequence: the trunk that was published as a reading of AlphaFold 2 before its description came out.
 * Pairs of residues attend along both axes of their grid, the MSA to itself, and both to each other.
 *
 * Source: Wang (2021), alphafold2-pytorch 0.0.19.
 *
 * @example The original's first example, in smaller sizes: from a sequence and its MSA to distances and coordinates.
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { centerDistogram, initTrunk2021, mds, trunk2021, trunk2021Config } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const config = trunk2021Config({
 *   dim: 16, // 256 there
 *   depth: 1,
 *   heads: 2,
 *   dimHead: 8,
 *   reversible: false, // true: the way back computes activations again
 * });
 * const params = initTrunk2021(device, config, Key.fromSeed(0));
 * const residues = (count: number) => Int32Array.from(Key.fromSeed(1).uniform(count), (x) => Math.floor(21 * x));
 * const seq = device.tensor(residues(12), [1, 12], "i32");
 * const msa = device.tensor(residues(5 * 8), [1, 5, 8], "i32");
 * const mask = device.tensor(new Float32Array(12).fill(1), [1, 12]);
 * const msaMask = device.tensor(new Float32Array(5 * 8).fill(1), [1, 5, 8]);
 *
 * const distogram = trunk2021(params, { seq, msa, mask, msaMask }, config);
 * assert.deepEqual([...distogram.shape], [1, 12, 12, 37]);
 *
 * const logits = Float32Array.from(await distogram.read());
 * const { distances, weights } = centerDistogram(logits, 12, { softmax: true });
 * const { points } = mds(distances, 12, { weights, iterations: 20 });
 * assert.equal(points.length, 3 * 12);
 * ```
 *
 * @returns Logits, `[batch, N_res, N_res, distogramBuckets]`, symmetric, owned by the current scope: of distances from 2 Å
 * to 20 Å in bins of equal width, the first and the last open. {@linkcode centerDistogram} takes their softmax.
 * @throws {TypeError} If shapes do not fit, or there are both an MSA and embeddings.
 * @throws {RangeError} If there are more residues or rows than positions.
 */
export function trunk2021(
  params: Trunk2021Params,
  inputs: Trunk2021Inputs,
  config: Trunk2021Config,
  options: CaptureOptions = {},
): Tensor {
  const { device } = inputs.seq;
  checkInputs(inputs, config);
  const masks = masksOf(inputs, config);
  const embedded = embed(params, inputs);
  const { x } = trunk2021Layers(device, layersOf(params), embedded, masks, config, options);
  using scope = device.scope("distogram");
  const symmetric = multiplyScalar(add(x, permute(x, [0, 2, 1, 3])), 0.5);
  return scope.keep(linear(normalize(params.toDistogramLogits[0], symmetric), params.toDistogramLogits[1]));
}

/** Residues and their positions, for every pair and for every residue of the MSA. */
function embed(params: Trunk2021Params, { seq, msa, embedds }: Trunk2021Inputs): Trunk2021Representations {
  const { device } = seq;
  using scope = device.scope("embed");
  const dim = params.tokenEmb.weight.shape[1];
  const first = (table: { readonly weight: Tensor }, count: number) => slice(table.weight, [0, 0], [count, dim]);
  const [batch, n] = seq.shape;
  const tokens = embedding(params.tokenEmb.weight, seq);
  const x = outerSum(add(tokens, first(params.posEmb, n)), add(tokens, first(params.posEmbAx, n)));
  if (msa) {
    const [, rows, columns] = msa.shape;
    const byRow = reshape(first(params.msaNumPosEmb, rows), [1, rows, 1, dim]);
    const m = add(add(embedding(params.tokenEmb.weight, msa), first(params.msaPosEmb, columns)), byRow);
    return scope.keep({ x, m });
  }
  if (!embedds) return scope.keep({ x });
  const projected = linear(embedds, params.embeddProject);
  return scope.keep({ x, m: outerSum(projected, projected) });

  /** left[i] + right[j] for every pair, `[batch, N, N, dim]`. */
  function outerSum(left: Tensor, right: Tensor): Tensor {
    const n = left.shape[1];
    return add(reshape(left, [batch, n, 1, dim]), reshape(right, [batch, 1, n, dim]));
  }
}

function masksOf({ mask, msa, msaMask }: Trunk2021Inputs, { quirks }: Trunk2021Config): { x?: Tensor; m?: Tensor } {
  const both = (mask: Tensor, combine: (a: Tensor, b: Tensor) => Tensor) =>
    noGrad(mask.device, () => {
      const [batch, n] = mask.shape;
      return combine(reshape(mask, [batch, n, 1]), reshape(mask, [batch, 1, n]));
    });
  return {
    // DEVIATION(original): it takes a pair for one where either residue is
    x: mask && both(mask, quirks ? maximum : multiply),
    m: msaMask && (msa ? msaMask : both(msaMask, multiply)),
  };
}

function checkInputs({ seq, msa, embedds, mask, msaMask }: Trunk2021Inputs, config: Trunk2021Config): void {
  const { maxSeqLen, maxNumMsa, numEmbedds } = config;
  checkShape("trunk2021", "seq", seq, ["batch", "N_res"], "i32");
  const [batch, n] = seq.shape;
  if (n > maxSeqLen) refuse(`the sequence has ${n} residues`, `at most maxSeqLen = ${maxSeqLen}`);
  if (mask) checkShape("trunk2021", "mask", mask, [batch, n]);
  if (msa && embedds) throw new TypeError("Cannot run trunk2021 on both an MSA and embeddings: choose one");
  if (msa) {
    checkShape("trunk2021", "msa", msa, [batch, "N_seq", "N"], "i32");
    const [, rows, columns] = msa.shape;
    if (columns > maxSeqLen) refuse(`a row of the MSA has ${columns} residues`, `at most maxSeqLen = ${maxSeqLen}`);
    if (rows > maxNumMsa) refuse(`the MSA has ${rows} rows`, `at most maxNumMsa = ${maxNumMsa}`);
  }
  if (embedds) checkShape("trunk2021", "embedds", embedds, [batch, "N", numEmbedds]);
  if (!msaMask) return;
  const of = msa ?? embedds;
  if (!of) throw new TypeError("Cannot run trunk2021 with msaMask alone: it goes with msa or embedds");
  checkShape("trunk2021", "msaMask", msaMask, msa ? msa.shape : of.shape.slice(0, 2));
}

function refuse(given: string, expected: string): never {
  throw new RangeError(`Cannot run trunk2021: ${given}, expected ${expected}`);
}
