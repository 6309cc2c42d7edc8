/** Heads that predict labels of proteins or of residues from what a structure network knows of them. */
import { type Device, type Key, sizeOf, type Tensor } from "../../core/mod.ts";
import { checkShape } from "../../model/layers/check_shape.ts";
import {
  countParams,
  type Initializer,
  initParams,
  linearShapes,
  type ParamShapes,
} from "../../model/layers/params.ts";
import { broadcastTo, concat, divide, dropout, linear, matmul, reshape, softmax, sum, where } from "../../ops/mod.ts";
import type { LinearParams } from "../../ops/mod.ts";
import { type HeadStandardParams, labelsFrom, standardized } from "./head_standard.ts";

/** How residues become a protein: their mean, or a mean whose weights are learned. */
export type Pooling = "mean" | "attention";

/** What a head predicts, and how. */
export interface LabelHeadConfig {
  /** What has a label: the protein, or each residue. */
  readonly level: "protein" | "residue";
  /** Classes to tell apart; absent where the label is a number. */
  readonly classes?: number;
  /** Channels of the single representation. */
  readonly cS: number;
  /** Channels of the pair representation, whose mean is read too; absent where it is not read. */
  readonly cZ?: number;
  /** Channels of the hidden layer. */
  readonly hidden: number;
  /** How residues become a protein; without meaning where each has its own label. */
  readonly pooling: Pooling;
  /** Probability that, in training, a hidden channel is dropped. */
  readonly dropout: number;
}

/** What may be given instead of the defaults. */
export type LabelHeadChoices = Partial<Omit<LabelHeadConfig, "cS">>;

/** Parameters of a head. */
export type LabelHeadParams = {
  /** Weights of residues, `[1, c_s]`; absent where the mean is plain. */
  readonly pool?: LinearParams;
  /** `[hidden, c_s (+ c_z)]` */
  readonly linear_1: LinearParams;
  /** `[1 or classes, hidden]` */
  readonly linear_2: LinearParams;
  /** Units of what is read and predicted, which are not trained. @default as it comes */
  readonly standard?: HeadStandardParams;
};

/** What a head reads. */
export interface LabelHeadInputs {
  /** Single representation, `[batch, N_res, c_s]`. */
  readonly s: Tensor;
  /** Pair representation, `[batch, N_res, N_res, c_z]`; read where the head has `cZ`. */
  readonly z?: Tensor;
  /** {@linkcode meanOfPairs} of it, `[batch, c_z]`: in its place where it is known. */
  readonly zMean?: Tensor;
  /** 1 for residues, 0 for padding: `[batch, N_res]`. @default all are residues */
  readonly mask?: Tensor;
}

/**
 * A head with the defaults for what is not given: one number a protein, from the mean over residues, a hidden layer of 128
 * and a dropout of 0.1. With 384 channels it has 49,409 parameters.
 *
 * @throws {RangeError} If a size is no positive whole number, there are fewer than two classes, dropout is outside [0, 1),
 * a name is unknown, or residues' labels are to be read from the pair representation.
 */
export function labelHeadConfig(cS: number, choices: LabelHeadChoices = {}): LabelHeadConfig {
  const { level = "protein", classes, cZ, hidden = 128, pooling = "mean", dropout = 0.1 } = choices;
  const size = (what: string, n: number, least = 1) => {
    if (!(Number.isInteger(n) && n >= least)) {
      throw new RangeError(`A head's ${what} is a whole number of at least ${least}, got ${n}`);
    }
  };
  size("number of channels", cS);
  size("hidden layer", hidden);
  if (cZ !== undefined) size("number of pair channels", cZ);
  if (classes !== undefined) size("number of classes", classes, 2);
  if (!(dropout >= 0 && dropout < 1)) {
    throw new RangeError(`The dropout of a head is at least 0 and below 1, got ${dropout}`);
  }
  oneOf("level", level, ["protein", "residue"]);
  oneOf("pooling", pooling, ["mean", "attention"]);
  if (level === "residue" && cZ !== undefined) {
    throw new RangeError("A head of residues reads the single representation alone: leave the pair representation out");
  }
  return { level, cS, hidden, pooling, dropout, ...(classes && { classes }), ...(cZ && { cZ }) };
}

/** @throws {RangeError} If a name is none of some. */
function oneOf(what: string, name: string, names: readonly string[]): void {
  if (!names.includes(name)) throw new RangeError(`The ${what} of a head is ${names.join(" or ")}, got ${name}`);
}

/** Shapes of a head's parameters; weights and biases start uniform in ±1/√cIn, as PyTorch's do. */
export function labelHeadShapes({ level, classes, cS, cZ = 0, hidden, pooling }: LabelHeadConfig): ParamShapes {
  const map = (cOut: number, cIn: number) => {
    const uniform: Initializer = (key, shape) => key.uniform(sizeOf(shape)).map((x) => (2 * x - 1) / Math.sqrt(cIn));
    return linearShapes(cOut, cIn, { weight: uniform, bias: uniform });
  };
  return {
    ...(level === "protein" && pooling === "attention" && { pool: map(1, cS) }),
    linear_1: map(hidden, cS + cZ),
    linear_2: map(classes ?? 1, hidden),
  };
}

/** Number of a head's parameters: 49,409 of the default one on 384 channels. */
export function labelHeadParameterCount(config: LabelHeadConfig): number {
  return countParams(labelHeadShapes(config));
}

/**
 * A fresh head.
 *
 * @param key Source of the random numbers; used up.
 * @returns Owned by the current scope.
 */
export function initLabelHead(device: Device, config: LabelHeadConfig, key: Key): LabelHeadParams {
  return initParams(device, labelHeadShapes(config), key) as LabelHeadParams;
}

/** A protein as one vector, and how much each residue counted in it. */
export interface PooledProtein {
  /** `[batch, c_s (+ c_z)]` */
  readonly pooled: Tensor;
  /** They sum to 1; 0 for padding: `[batch, N_res]`. */
  readonly weights: Tensor;
}

/**
 * Residues as one vector a protein: the mean over those that are no padding, or the mean with weights
 * softmax(pool(s_i)). Where the head reads pairs, their plain mean follows.
 *
 * @returns Owned by the current scope.
 */
export function poolResidues(
  { pool }: Pick<LabelHeadParams, "pool">,
  { s, z, zMean, mask }: LabelHeadInputs,
): PooledProtein {
  const { device, shape: [batch, nRes] } = s;
  using scope = device.scope("poolResidues");
  const even = evenWeights(device, batch, nRes, mask);
  const weights = pool ? attentionOver(linear(s, pool), mask) : even;
  const vectors = [reshape(matmul(reshape(weights, [batch, 1, nRes]), s), [batch, s.shape[2]])];
  const pairs = zMean ?? (z && meanOfPairs(z, mask));
  if (pairs) vectors.push(pairs);
  return scope.keep({ pooled: concat(vectors, 1), weights: pool ? weights : even });
}

/**
 * The mean over pairs of residues that are no padding.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @param mask 1 for residues, 0 for padding: `[batch, N_res]`. @default all are residues
 * @returns `[batch, c_z]`, owned by the current scope.
 */
export function meanOfPairs(z: Tensor, mask?: Tensor): Tensor {
  const { device, shape: [batch, nRes, , cZ] } = z;
  using scope = device.scope("meanOfPairs");
  const even = evenWeights(device, batch, nRes, mask);
  const rows = reshape(matmul(reshape(even, [batch, 1, 1, nRes]), z), [batch, nRes, cZ]);
  return scope.keep(reshape(matmul(reshape(even, [batch, 1, nRes]), rows), [batch, cZ]));
}

/** Weights of a plain mean over residues, `[batch, N_res]`. */
function evenWeights(device: Device, batch: number, nRes: number, mask?: Tensor): Tensor {
  const ones = mask ?? device.tensor(new Float32Array(nRes).fill(1), [1, nRes]);
  return broadcastTo(divide(ones, sum(ones, { axes: [1], keepDims: true })), [batch, nRes]);
}

/** A softmax over residues that are no padding: `[batch, N_res]`. */
function attentionOver(logits: Tensor, mask?: Tensor): Tensor {
  const { device, shape: [batch, nRes] } = logits;
  const flat = reshape(logits, [batch, nRes]);
  return softmax(mask ? where(mask, flat, device.tensor([-1e9], [1])) : flat);
}

/**
 * Predictions of a head: linear_2(GELU(linear_1(x))) of each protein or each residue x; where the head has a standard,
 * of x and for labels in its units.
 *
 * @example
 * ```ts
 * import { Device, Key } from "@denofold/denofold";
 * import { initLabelHead, labelHead, labelHeadConfig, labelHeadParameterCount } from "@denofold/denofold/finetune";
 * import assert from "node:assert/strict";
 *
 * assert.equal(labelHeadParameterCount(labelHeadConfig(384)), 49_409);
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const config = labelHeadConfig(8, { pooling: "attention", hidden: 4 });
 * const head = initLabelHead(device, config, Key.fromSeed(1));
 * const affinities = labelHead(head, { s: device.zeros([2, 5, 8]) }, config);
 * assert.deepEqual(affinities.shape, [2]);
 * ```
 *
 * @param options `key` makes dropout's decisions and is used up. @default no dropout
 * @returns Numbers `[batch]` or `[batch, N_res]`, or logits of classes with an axis of them behind; owned by the current
 * scope.
 * @throws {TypeError} If shapes do not fit.
 */
export function labelHead(
  params: LabelHeadParams,
  inputs: LabelHeadInputs,
  config: LabelHeadConfig,
  { key }: { readonly key?: Key } = {},
): Tensor {
  const { level, classes, cS, cZ, dropout: rate } = config;
  const { s, z, zMean, mask } = inputs;
  checkShape("labelHead", "s", s, ["batch", "N_res", cS]);
  const [batch, nRes] = s.shape;
  if (mask) checkShape("labelHead", "mask", mask, [batch, nRes]);
  if (cZ !== undefined && zMean) checkShape("labelHead", "zMean", zMean, [batch, cZ]);
  else if (cZ !== undefined) {
    if (!z) throw new TypeError("Cannot run labelHead: this head reads the pair representation, there is none");
    checkShape("labelHead", "z", z, [batch, nRes, nRes, cZ]);
  }
  using scope = s.device.scope("labelHead");
  const x = level === "residue" ? s : poolResidues(params, { s, mask, ...(cZ !== undefined && { z, zMean }) }).pooled;
  const { standard } = params;
  const hidden = linear(standard ? standardized(x, standard) : x, params.linear_1, { activation: "gelu" });
  const out = linear(key && rate > 0 ? dropout(hidden, { rate, key }) : hidden, params.linear_2);
  if (classes !== undefined) return scope.keep(out);
  const numbers = reshape(out, out.shape.slice(0, -1));
  return scope.keep(standard ? labelsFrom(numbers, standard) : numbers);
}
