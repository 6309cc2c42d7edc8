/** The notebook's block in float64, as plainly as can be: one loop an axis, no batch. */

/** Parameters by path, as the block's tree has them. */
export type Numbers = (path: string) => Float64Array;

/** Sizes of an input without batch. */
export interface BlockSizes {
  readonly nSeq: number;
  readonly nRes: number;
  readonly cM: number;
  readonly cZ: number;
  readonly nHead: number;
  readonly headDim: number;
}

/** `rows` of a matrix, each a vector. */
type Rows = readonly Float64Array[];

const EPS = 1e-6;

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

function rowsOf(data: Float64Array, c: number): Rows {
  return Array.from({ length: data.length / c }, (_, i) => data.subarray(i * c, (i + 1) * c));
}

function linear(rows: Rows, p: Numbers, path: string, bias = true): Rows {
  const weight = p(`${path}.weight`), shift = bias ? p(`${path}.bias`) : undefined;
  return rows.map((row) =>
    Float64Array.from({ length: weight.length / row.length }, (_, o) => {
      let sum = shift?.[o] ?? 0;
      for (let i = 0; i < row.length; i++) sum += weight[o * row.length + i] * row[i];
      return sum;
    })
  );
}

function layerNorm(rows: Rows, p: Numbers, path: string): Rows {
  const weight = p(`${path}.weight`), bias = p(`${path}.bias`);
  return rows.map((row) => {
    const mean = row.reduce((a, b) => a + b) / row.length;
    const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
    return row.map((x, i) => (x - mean) / Math.sqrt(variance + EPS) * weight[i] + bias[i]);
  });
}

/** Attention within one line of vectors; `bias` gives what is added to the logit of a head, a query and a key. */
function attention(
  line: Rows,
  p: Numbers,
  at: string,
  s: BlockSizes,
  bias: (h: number, i: number, j: number) => number,
) {
  const path = `${at}.gatedMha`, d = s.headDim, width = s.nHead * d;
  const gate = linear(line, p, `${path}.gateProj`);
  const qkv = linear(layerNorm(line, p, `${path}.layerNormM`), p, `${path}.qkvProj`, false);
  const mixed = line.map((_, i) => {
    const out = new Float64Array(width);
    for (let h = 0; h < s.nHead; h++) {
      const weights = line.map((_, j) => {
        let logit = 0;
        for (let k = 0; k < d; k++) logit += qkv[i][h * d + k] * qkv[j][width + h * d + k];
        return Math.exp(logit / Math.sqrt(d) + bias(h, i, j));
      });
      const total = weights.reduce((a, b) => a + b);
      for (let k = 0; k < d; k++) {
        const value = weights.reduce((sum, w, j) => sum + w / total * qkv[j][2 * width + h * d + k], 0);
        out[h * d + k] = value * sigmoid(gate[i][h * d + k]);
      }
    }
    return out;
  });
  return linear(mixed, p, `${path}.outputProj`);
}

/** What the pair representation adds to the logits of row i and column j. */
function pairBias(z: Rows, p: Numbers, at: string, nRes: number): (h: number, i: number, j: number) => number {
  const normalized = layerNorm(z, p, `${at}.gatedMha.layerNormZ`);
  const bias = linear(normalized, p, `${at}.gatedMha.pairBiasProj`, false);
  return (h, i, j) => bias[i * nRes + j][h];
}

/** Attention along one axis of a matrix of vectors: within its rows, or within its columns. */
function along(
  x: Rows,
  columns: number,
  axis: "rows" | "columns",
  update: (line: Rows) => Rows,
): Rows {
  const rows = x.length / columns, out: Float64Array[] = [];
  const [lines, length] = axis === "rows" ? [rows, columns] : [columns, rows];
  const at = (line: number, k: number) => axis === "rows" ? line * columns + k : k * columns + line;
  for (let line = 0; line < lines; line++) {
    const places = Array.from({ length }, (_, k) => at(line, k));
    update(places.map((place) => x[place])).forEach((vector, k) => out[places[k]] = vector);
  }
  return out;
}

function triangle(z: Rows, p: Numbers, at: string, nRes: number, outgoing: boolean): Rows {
  const x = layerNorm(z, p, `${at}.layerNormIn`);
  const side = (name: string) => {
    const gate = linear(x, p, `${at}.linear${name}Gate`), value = linear(x, p, `${at}.linear${name}Val`);
    return value.map((row, i) => row.map((v, c) => v * sigmoid(gate[i][c])));
  };
  const a = side("A"), b = side("B"), gate = linear(x, p, `${at}.linearG`);
  const product = z.map((_, ij) => {
    const i = Math.floor(ij / nRes), j = ij % nRes;
    return a[0].map((_, c) => {
      let sum = 0;
      for (let k = 0; k < nRes; k++) {
        sum += outgoing ? a[i * nRes + k][c] * b[j * nRes + k][c] : a[k * nRes + i][c] * b[k * nRes + j][c];
      }
      return sum;
    });
  });
  const out = linear(layerNorm(product, p, `${at}.layerNormOut`), p, `${at}.linearOut`);
  return out.map((row, ij) => row.map((v, c) => v * sigmoid(gate[ij][c])));
}

function transition(x: Rows, p: Numbers, at: string): Rows {
  const hidden = linear(layerNorm(x, p, `${at}.layerNorm`), p, `${at}.linear1`);
  return linear(hidden.map((row) => row.map((v) => Math.max(v, 0))), p, `${at}.linear2`);
}

function outerProductMean(m: Rows, p: Numbers, at: string, { nSeq, nRes }: BlockSizes): Rows {
  const x = layerNorm(m, p, `${at}.layerNorm`);
  const a = linear(x, p, `${at}.linearA`), b = linear(x, p, `${at}.linearB`), c = a[0].length;
  const products = Array.from({ length: nRes * nRes }, (_, ij) =>
    Float64Array.from({ length: c * c }, (_, cd) => {
      let sum = 0;
      for (let s = 0; s < nSeq; s++) {
        sum += a[s * nRes + Math.floor(ij / nRes)][Math.floor(cd / c)] * b[s * nRes + ij % nRes][cd % c];
      }
      return sum / nSeq;
    }));
  return linear(products, p, `${at}.linearOut`);
}

function plus(x: Rows, y: Rows): Rows {
  return x.map((row, i) => row.map((v, c) => v + y[i][c]));
}

function flat(rows: Rows): Float64Array {
  return Float64Array.from(rows.flatMap((row) => [...row]));
}

/** The block: `msa` is `[N_seq, N_res, c_m]`, `pairs` `[N_res, N_res, c_z]`. */
export function referenceBlock(
  p: Numbers,
  msa: Float64Array,
  pairs: Float64Array,
  sizes: BlockSizes,
): { msa: Float64Array; pairs: Float64Array } {
  const { nRes: n, cM, cZ } = sizes;
  const given = rowsOf(msa, cM);
  let m = given, z = rowsOf(pairs, cZ);
  const row = "rowWiseGatedSelfAttentionWithPairBias", column = "columnWiseGatedSelfAttention";
  const rowBias = pairBias(z, p, row, n);
  m = plus(m, along(m, n, "rows", (line) => attention(line, p, row, sizes, rowBias)));
  m = plus(m, along(m, n, "columns", (line) => attention(line, p, column, sizes, () => 0)));
  m = plus(m, transition(m, p, "msaTransition"));
  z = plus(z, outerProductMean(given, p, "outerProductMean", sizes));
  z = plus(z, triangle(z, p, "triangularUpdateOutgoingEdges", n, true));
  z = plus(z, triangle(z, p, "triangularUpdateIncomingEdges", n, false));
  for (const [node, axis] of [["Starting", "rows"], ["Ending", "columns"]] as const) {
    const at = `triangleSelfAttention${node}Node`, bias = pairBias(z, p, at, n);
    z = plus(z, along(z, n, axis, (line) => attention(line, p, at, sizes, bias)));
  }
  z = plus(z, transition(z, p, "pairsTransition"));
  return { msa: flat(m), pairs: flat(z) };
}
