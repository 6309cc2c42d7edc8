/** Blocks of both stacks in float64, as plainly as can be: nothing is shared with the code under test. */

/** Numbers and their axes. */
export class Array64 {
  /** A class, so that it is a leaf of a tree. */
  constructor(readonly shape: readonly number[], readonly data: Float64Array) {}
}

type Linear = { readonly weight: Array64; readonly bias?: Array64 };
type Norm = { readonly weight: Array64; readonly bias?: Array64 };
type Mha = {
  readonly linearQ: Linear;
  readonly linearK: Linear;
  readonly linearV: Linear;
  readonly linearO: Linear;
  readonly linearG: Linear;
};
type Triangle = Record<"linearAP" | "linearAG" | "linearBP" | "linearBG" | "linearZ" | "linearG", Linear> & {
  readonly layerNormIn: Norm;
  readonly layerNormOut: Norm;
};
type Transition = { readonly layerNorm: Norm; readonly linear_1: Linear; readonly linear_2: Linear };
type TriangleAttention = { readonly layerNorm: Norm; readonly linear: Linear; readonly mha: Mha };

/** Parameters of a block of either stack. */
export type Block64 = {
  readonly msaAttRow: { layerNormM: Norm; layerNormZ: Norm; linearZ: Linear; mha: Mha };
  readonly msaAttCol: { _msaAtt: { layerNormM: Norm; mha: Mha } } | { layerNormM: Norm; globalAttention: Mha };
  readonly msaTransition: Transition;
  readonly outerProductMean: { layerNorm: Norm; linear_1: Linear; linear_2: Linear; linearOut: Linear };
  readonly pairStack: {
    readonly triMulOut: Triangle;
    readonly triMulIn: Triangle;
    readonly triAttStart: TriangleAttention;
    readonly triAttEnd: TriangleAttention;
    readonly pairTransition: Transition;
  };
};

/** What a block updates, with masks of 0 and 1. */
export type Inputs64 = {
  readonly m: Array64;
  readonly z: Array64;
  readonly msaMask: Array64;
  readonly pairMask: Array64;
};

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

function zeros(shape: readonly number[]): Array64 {
  return new Array64(shape, new Float64Array(shape.reduce((a, b) => a * b, 1)));
}

function map(f: (...values: number[]) => number, ...arrays: readonly Array64[]): Array64 {
  return new Array64(arrays[0].shape, arrays[0].data.map((_, i) => f(...arrays.map(({ data }) => data[i]))));
}

const add = (x: Array64, y: Array64) => map((a, b) => a + b, x, y);

/** Multiplies every row of channels by its number. */
function masked(x: Array64, mask: Array64): Array64 {
  const c = x.shape.at(-1)!;
  return new Array64(x.shape, x.data.map((value, i) => value * mask.data[Math.floor(i / c)]));
}

function linear(x: Array64, { weight, bias }: Linear): Array64 {
  const [n, k] = weight.shape;
  const out = zeros([...x.shape.slice(0, -1), n]);
  for (let i = 0; i < out.data.length; i++) {
    const row = Math.floor(i / n), column = i % n;
    let sum = bias?.data[column] ?? 0;
    for (let j = 0; j < k; j++) sum += x.data[row * k + j] * weight.data[column * k + j];
    out.data[i] = sum;
  }
  return out;
}

function normalize(x: Array64, { weight, bias }: Norm): Array64 {
  const c = x.shape.at(-1)!;
  const out = zeros(x.shape);
  for (let first = 0; first < x.data.length; first += c) {
    const row = x.data.subarray(first, first + c);
    const mean = row.reduce((a, b) => a + b) / c;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / c;
    row.forEach((v, j) => {
      out.data[first + j] = (v - mean) / Math.sqrt(variance + 1e-5) * weight.data[j] + (bias?.data[j] ?? 0);
    });
  }
  return out;
}

function softmax(logits: readonly number[]): number[] {
  const top = Math.max(...logits);
  const exps = logits.map((x) => Math.exp(x - top));
  const sum = exps.reduce((a, b) => a + b);
  return exps.map((x) => x / sum);
}

/** Attention along axis 1 or 2 of x [batch, I, J, c]; `bias(b, h, query, key)`. */
function attention(
  x: Array64,
  { linearQ, linearK, linearV, linearO, linearG }: Mha,
  nHead: number,
  axis: 1 | 2,
  mask: Array64,
  bias: (b: number, h: number, q: number, k: number) => number,
): Array64 {
  const [batch, I, J] = x.shape;
  const [q, k, v, g] = [linearQ, linearK, linearV, linearG].map((projection) => linear(x, projection));
  const hidden = q.shape[3], c = hidden / nHead;
  const o = zeros(q.shape);
  const [R, L] = axis === 2 ? [I, J] : [J, I];
  for (let b = 0; b < batch; b++) {
    for (let r = 0; r < R; r++) {
      const token = (l: number) => (axis === 2 ? (b * I + r) * J + l : (b * I + l) * J + r);
      for (let h = 0; h < nHead; h++) {
        const at = (l: number, d: number) => token(l) * hidden + h * c + d;
        for (let i = 0; i < L; i++) {
          const weights = softmax(Array.from({ length: L }, (_, j) => {
            let dot = 0;
            for (let d = 0; d < c; d++) dot += q.data[at(i, d)] * k.data[at(j, d)];
            return dot / Math.sqrt(c) + bias(b, h, i, j) + 1e9 * (mask.data[token(j)] - 1);
          }));
          for (let d = 0; d < c; d++) {
            let sum = 0;
            for (let j = 0; j < L; j++) sum += weights[j] * v.data[at(j, d)];
            o.data[at(i, d)] = sum * sigmoid(g.data[at(i, d)]);
          }
        }
      }
    }
  }
  return linear(o, linearO);
}

/** Suppl. Alg. 19. */
function globalAttention(x: Array64, params: Mha, nHead: number, mask: Array64): Array64 {
  const { linearQ, linearK, linearV, linearO, linearG } = params;
  const [batch, S, N, cM] = x.shape;
  const mean = zeros([batch, N, cM]);
  for (let b = 0; b < batch; b++) {
    for (let n = 0; n < N; n++) {
      let count = 1e-8;
      for (let s = 0; s < S; s++) count += mask.data[(b * S + s) * N + n];
      for (let j = 0; j < cM; j++) {
        let sum = 0;
        for (let s = 0; s < S; s++) sum += mask.data[(b * S + s) * N + n] * x.data[((b * S + s) * N + n) * cM + j];
        mean.data[(b * N + n) * cM + j] = sum / count;
      }
    }
  }
  const q = linear(mean, linearQ), k = linear(x, linearK), v = linear(x, linearV), g = linear(x, linearG);
  const hidden = q.shape[2], c = hidden / nHead;
  const o = zeros(g.shape);
  for (let b = 0; b < batch; b++) {
    for (let n = 0; n < N; n++) {
      for (let h = 0; h < nHead; h++) {
        const weights = softmax(Array.from({ length: S }, (_, s) => {
          let dot = 0;
          for (let d = 0; d < c; d++) {
            dot += q.data[(b * N + n) * hidden + h * c + d] * k.data[((b * S + s) * N + n) * c + d];
          }
          return dot / Math.sqrt(c) + 1e9 * (mask.data[(b * S + s) * N + n] - 1);
        }));
        for (let d = 0; d < c; d++) {
          let sum = 0;
          for (let s = 0; s < S; s++) sum += weights[s] * v.data[((b * S + s) * N + n) * c + d];
          for (let s = 0; s < S; s++) {
            const at = ((b * S + s) * N + n) * hidden + h * c + d;
            o.data[at] = sum * sigmoid(g.data[at]);
          }
        }
      }
    }
  }
  return linear(o, linearO);
}

function transition(x: Array64, { layerNorm, linear_1, linear_2 }: Transition): Array64 {
  return linear(map((v) => Math.max(v, 0), linear(normalize(x, layerNorm), linear_1)), linear_2);
}

/** Suppl. Alg. 10; the projection comes before the division by (count + 1e-3), as in the published code. */
function outerProductMean(m: Array64, params: Block64["outerProductMean"], mask: Array64): Array64 {
  const { layerNorm, linear_1, linear_2, linearOut } = params;
  const [batch, S, N] = m.shape;
  const x = normalize(m, layerNorm);
  const a = masked(linear(x, linear_1), mask), b = masked(linear(x, linear_2), mask);
  const c = a.shape[3];
  const outer = zeros([batch, N, N, c * c]);
  const counts = zeros([batch, N, N]);
  for (let q = 0; q < batch; q++) {
    for (let i = 0; i < N; i++) {
      for (let j = 0; j < N; j++) {
        const pair = (q * N + i) * N + j;
        for (let s = 0; s < S; s++) {
          const [ai, bj] = [(q * S + s) * N + i, (q * S + s) * N + j];
          counts.data[pair] += mask.data[ai] * mask.data[bj];
          for (let d = 0; d < c; d++) {
            for (let e = 0; e < c; e++) {
              outer.data[pair * c * c + d * c + e] += a.data[ai * c + d] * b.data[bj * c + e];
            }
          }
        }
      }
    }
  }
  return masked(linear(outer, linearOut), map((count) => 1 / (1e-3 + count), counts));
}

/** Suppl. Alg. 11 and 12. */
function triangleMultiplication(z: Array64, params: Triangle, mask: Array64, outgoing: boolean): Array64 {
  const x = normalize(z, params.layerNormIn);
  const gated = (values: Linear, gate: Linear) =>
    masked(map((v, g) => v * sigmoid(g), linear(x, values), linear(x, gate)), mask);
  const a = gated(params.linearAP, params.linearAG), b = gated(params.linearBP, params.linearBG);
  const [batch, N, , c] = a.shape;
  const product = zeros(a.shape);
  for (let q = 0; q < batch; q++) {
    const at = (i: number, j: number, d: number) => ((q * N + i) * N + j) * c + d;
    for (let i = 0; i < N; i++) {
      for (let j = 0; j < N; j++) {
        for (let k = 0; k < N; k++) {
          for (let d = 0; d < c; d++) {
            product.data[at(i, j, d)] += outgoing
              ? a.data[at(i, k, d)] * b.data[at(j, k, d)]
              : a.data[at(k, i, d)] * b.data[at(k, j, d)];
          }
        }
      }
    }
  }
  const update = linear(normalize(product, params.layerNormOut), params.linearZ);
  return map((v, g) => v * sigmoid(g), update, linear(x, params.linearG));
}

/** Suppl. Alg. 13 (axis 2) and 14 (axis 1). */
function triangleAttention(z: Array64, params: TriangleAttention, nHead: number, axis: 1 | 2, mask: Array64): Array64 {
  const x = normalize(z, params.layerNorm);
  const bias = linear(x, params.linear);
  const N = z.shape[1];
  return attention(x, params.mha, nHead, axis, mask, (b, h, q, k) => {
    const [i, j] = axis === 2 ? [q, k] : [k, q];
    return bias.data[((b * N + i) * N + j) * nHead + h];
  });
}

/** Suppl. Alg. 6 or 18, lines 2-10, without dropout. */
export function block64(
  params: Block64,
  { m, z, msaMask, pairMask }: Inputs64,
  { nHeadMsa, nHeadPair }: { readonly nHeadMsa: number; readonly nHeadPair: number },
): { m: Array64; z: Array64 } {
  const { msaAttRow: row, msaAttCol: column, pairStack: pair } = params;
  const N = z.shape[1];
  const bias = linear(normalize(z, row.layerNormZ), row.linearZ);
  const rowBias = (b: number, h: number, q: number, k: number) => bias.data[((b * N + q) * N + k) * nHeadMsa + h];
  m = add(m, attention(normalize(m, row.layerNormM), row.mha, nHeadMsa, 2, msaMask, rowBias));
  m = add(
    m,
    "_msaAtt" in column
      ? attention(normalize(m, column._msaAtt.layerNormM), column._msaAtt.mha, nHeadMsa, 1, msaMask, () => 0)
      : globalAttention(normalize(m, column.layerNormM), column.globalAttention, nHeadMsa, msaMask),
  );
  m = add(m, transition(m, params.msaTransition));
  z = add(z, outerProductMean(m, params.outerProductMean, msaMask));
  z = add(z, triangleMultiplication(z, pair.triMulOut, pairMask, true));
  z = add(z, triangleMultiplication(z, pair.triMulIn, pairMask, false));
  z = add(z, triangleAttention(z, pair.triAttStart, nHeadPair, 2, pairMask));
  z = add(z, triangleAttention(z, pair.triAttEnd, nHeadPair, 1, pairMask));
  z = add(z, transition(z, pair.pairTransition));
  return { m, z };
}
