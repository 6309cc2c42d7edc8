import { noGrad, readable, type Tensor } from "../../../core/mod.ts";
import {
  addScalar,
  clamp,
  concat,
  divide,
  equal,
  linear,
  max,
  multiply,
  multiplyScalar,
  pow,
  reciprocal,
  reshape,
  slice,
  softmaxExpectation,
  square,
  sum,
  where,
} from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import type { LinearHeadParams } from "./params.ts";

/** Å at which the last bin of aligned errors begins. */
export const MAX_ALIGNED_ERROR_BIN = 31;

/** Bytes of logits that are made at once where they are not kept. */
const PART_BYTES = 2 ** 24;

/** Added to the denominators of means. */
const EPS = 1e-8;

/**
 * Errors of positions in the frames of other residues, as logits of bins: (i, j) is the error of residue j's C-alpha
 * when prediction and truth are laid on each other at residue i's backbone.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.7.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns `[batch, N_res, N_res, bins]`.
 */
export function tmHead(params: LinearHeadParams, z: Tensor): Tensor {
  checkShape("tmHead", "z", z, ["batch", "N_res", "N_res", params.linear.weight.shape[1]]);
  return linear(z, params.linear);
}

/** Centres of the bins of aligned errors in Å, the last one half a bin beyond its beginning. */
export function alignedErrorCenters(bins: number, maxBin: number = MAX_ALIGNED_ERROR_BIN): Float32Array {
  const step = maxBin / (bins - 2);
  return Float32Array.from({ length: bins }, (_, k) => step * (k + 0.5));
}

/** What aligned errors say of every pair of residues. */
export type PairErrors = {
  /** Predicted aligned error (PAE) in Å, `[batch, N_res, N_res]`. */
  readonly alignedErrors: Tensor;
  /** Expected contribution of residue j to the TM score of the alignment at residue i, 0 … 1, `[batch, N_res, N_res]`. */
  readonly tmTerms: Tensor;
};

/** How aligned errors are counted. */
export interface PairErrorOptions {
  /** 1 for residues that count, 0 for padding, `[batch, N_res]`: their number scales the TM score. @default all do */
  readonly residueWeights?: Tensor;
  /** Å at which the last bin begins. @default 31 */
  readonly maxBin?: number;
}

/**
 * Expectations of aligned errors from their logits.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.7, equations 38-40.
 *
 * @param logits `[batch, N_res, N_res, bins]`.
 * @returns Owned by the current scope.
 */
export function pairErrors(logits: Tensor, options: PairErrorOptions = {}): PairErrors {
  const { device, shape: [batch, nRes, , bins] } = logits;
  checkShape("pairErrors", "logits", logits, ["batch", "N_res", "N_res", bins]);
  using scope = device.scope("pairErrors");
  return scope.keep(expectations(logits, tables(logits, batch, nRes, bins, options)));
}

/**
 * {@linkcode tmHead} and {@linkcode pairErrors} without keeping the logits: they are made and used up in parts of 16 MiB.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns Owned by the current scope.
 */
export function predictPairErrors(params: LinearHeadParams, z: Tensor, options: PairErrorOptions = {}): PairErrors {
  const { device, shape: [batch, nRes, , cZ] } = z;
  const [bins, c] = params.linear.weight.shape;
  checkShape("predictPairErrors", "z", z, ["batch", "N_res", "N_res", c]);
  using scope = device.scope("predictPairErrors");
  const { centers, tm } = tables(z, batch, nRes, bins, options);
  const rows = Math.max(1, Math.floor(PART_BYTES / (4 * nRes * bins)));
  const parts: PairErrors[] = [];
  for (let b = 0; b < batch; b++) {
    for (let from = 0; from < nRes; from += rows) {
      using part = device.scope("part");
      const to = Math.min(from + rows, nRes);
      const shape = [to - from, nRes, cZ];
      const own = device.tape?.tracks(z)
        ? reshape(slice(z, [b, from, 0, 0], [b + 1, to, nRes, cZ]), shape)
        : readable(z, (b * nRes + from) * nRes * cZ, shape);
      const values = tm.shape.length === 1 ? tm : reshape(slice(tm, [b, 0], [b + 1, bins]), [bins]);
      parts.push(part.keep(expectations(linear(own, params.linear), { centers, tm: values })));
    }
  }
  const whole = (name: keyof PairErrors) => reshape(concat(parts.map((part) => part[name]), 0), [batch, nRes, nRes]);
  return scope.keep({ alignedErrors: whole("alignedErrors"), tmTerms: whole("tmTerms") });
}

/**
 * Predicted TM score (pTM): that of the alignment at the residue where it is largest.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.7, equation 40.
 *
 * @param tmTerms {@linkcode PairErrors.tmTerms}.
 * @param residueWeights `[batch, N_res]`, as they were given for the terms. @default all residues count
 * @returns `[batch]`.
 */
export function predictedTmScore(tmTerms: Tensor, residueWeights?: Tensor): Tensor {
  const { device, shape: [batch, nRes] } = tmTerms;
  checkShape("predictedTmScore", "tmTerms", tmTerms, ["batch", "N_res", "N_res"]);
  using scope = device.scope("predictedTmScore");
  if (!residueWeights) return scope.keep(max(meanOf(tmTerms, nRes), { axes: [-1] }));
  checkShape("predictedTmScore", "residueWeights", residueWeights, [batch, nRes]);
  const counted = addScalar(sum(residueWeights, { axes: [-1], keepDims: true }), EPS);
  const weights = reshape(divide(residueWeights, counted), [batch, 1, nRes]);
  const ofAlignment = sum(multiply(tmTerms, weights), { axes: [-1] });
  const weighted = multiply(ofAlignment, residueWeights);
  const best = equal(weighted, max(weighted, { axes: [-1], keepDims: true }));
  return scope.keep(max(where(best, ofAlignment, device.zeros([])), { axes: [-1] }));
}

function meanOf(tmTerms: Tensor, nRes: number): Tensor {
  return multiplyScalar(sum(tmTerms, { axes: [-1] }), 1 / (EPS + nRes));
}

/** The values of the bins: centres in Å `[bins]`, and TM terms `[bins]`, or `[batch, bins]` where weights differ. */
interface Tables {
  readonly centers: Tensor;
  readonly tm: Tensor;
}

function tables(
  { device }: Tensor,
  batch: number,
  nRes: number,
  bins: number,
  { residueWeights, maxBin }: PairErrorOptions,
): Tables {
  const values = alignedErrorCenters(bins, maxBin);
  const centers = device.tensor(values, [bins]);
  if (!residueWeights) {
    const scale = 1.24 * Math.cbrt(Math.max(nRes, 19) - 15) - 1.8;
    return { centers, tm: device.tensor(values.map((error) => 1 / (1 + (error / scale) ** 2)), [bins]) };
  }
  checkShape("pairErrors", "residueWeights", residueWeights, [batch, nRes]);
  return noGrad(device, () => {
    const count = clamp(sum(residueWeights, { axes: [-1], keepDims: true }), 19, Infinity);
    const root = pow(addScalar(count, -15), device.tensor([1 / 3], []));
    const scale = addScalar(multiplyScalar(root, 1.24), -1.8);
    return { centers, tm: reciprocal(addScalar(square(divide(reshape(centers, [1, bins]), scale)), 1)) };
  });
}

function expectations(logits: Tensor, { centers, tm }: Tables): PairErrors {
  return { alignedErrors: softmaxExpectation(logits, centers), tmTerms: softmaxExpectation(logits, tm) };
}
