/** Probes of the matrix product. */
import { between, flatGrid, noise, type Probe } from "../../core/mod.ts";
import type { Epilogue } from "../_product/epilogue.ts";
import type { MatmulStructure } from "../_product/tile.ts";
import { normalCdf, sigmoid } from "./functions.ts";

/** What stands before the first element of a result that is written into part of a tensor. */
const BEFORE = 0.5;

interface Sizes {
  readonly M: number;
  readonly N: number;
  /** Length of the sums of a batch element; `kTotal` is that of the whole, where batch elements are its parts. */
  readonly K: number;
  readonly kTotal: number;
  readonly outer: number;
  readonly inner: number;
  readonly hasBias: boolean;
  readonly isRelu: boolean;
  /** Operands are whole numbers, which f16 holds exactly, and sums such as f32 holds exactly, f16 by far not. */
  readonly whole?: boolean;
}

/**
 * Largest error of a product with operands rounded to f16, as a share of the largest result: rounding alone makes up to
 * 4e-4 of it.
 */
const ROUNDED_OPERANDS = 2e-3;

/** Whole numbers from 0 to 40: twenty products of them pass what f16 holds exactly. */
const WHOLE = 40;

/**
 * More than one tile of rows and columns, and a rest; sums longer than a step, and a rest; operands that begin in the
 * second row of a texture; a batch in two levels of which A is shared over the inner one. Then a sum in two parts, or the
 * smallest product. Where operands are rounded to f16, the latter is exact unless sums are rounded too.
 */
export function matmulProbes(
  structure: MatmulStructure,
  { tileM, tileN }: { readonly tileM: number; readonly tileN: number },
): readonly Probe[] {
  const { tile, units, aTransposed, bTransposed, ragged, oddRows } = structure;
  const step = tile.family === "workgroup" || tile.family === "matrix" ? tile.depth : 4;
  const half = units?.operands === "f16";
  const M = tileM + (aTransposed && !oddRows ? 4 : 3), N = tileN + 4;
  // Where no operand lies [K, …], rows are padded with zeros and the sum may be of any length.
  const K = step + (ragged || (!aTransposed && bTransposed) ? 7 : 8);
  const large = { M, N, K, kTotal: K, outer: 2, inner: 2, hasBias: true, isRelu: true };
  const part = step + 8, rest = step + (ragged ? 3 : 4);
  const other = aTransposed && !bTransposed
    ? { M, N, K: part, kTotal: part + rest, outer: 1, inner: 2, hasBias: false, isRelu: false }
    : { M: aTransposed && !oddRows ? 4 : 1, N: 4, K, kTotal: K, outer: 1, inner: 1, hasBias: false, isRelu: false };
  return [probe(structure, large), probe(structure, { ...other, whole: half })];

  function probe({ epilogue }: MatmulStructure, sizes: Sizes): Probe {
    const { M, N, K, kTotal, outer, inner, hasBias, isRelu, whole = false } = sizes;
    const parts = kTotal > K;
    const aRows = aTransposed ? (parts ? kTotal : K) : M, bRows = bTransposed ? N : parts ? kTotal : K;
    const aLd = Math.ceil((aTransposed ? M : K) / 4), bLd = Math.ceil((bTransposed ? K : N) / 4);
    const aSize = aRows * aLd, bSize = bRows * bLd;
    const strides = parts
      ? { aOuter: 0, aInner: K * aLd, bOuter: 0, bInner: K * bLd }
      : { aOuter: aSize, aInner: 0, bOuter: 2 * bSize, bInner: bSize };
    const batch = outer * inner;
    const operand = (x: Float64Array) => whole ? x.map((v) => Math.floor(Math.abs(v) * WHOLE)) : x;
    const a = operand(matrix(aRows * (parts ? 1 : outer), aTransposed ? M : K, aLd, 1, aTransposed ? NaN : 0));
    const b = operand(matrix(bRows * (parts ? 1 : batch), bTransposed ? K : N, bLd, 2, 0));
    const aOffset = 1030, bOffset = 3, cOffset = 5, carryOffset = 2;
    const shaped = (seed: number) => between(epilogue.placed ? 0 : 4 * cOffset, noise(batch * M * N, seed), 0);
    const tilesM = Math.ceil(M / tileM), tilesN = Math.ceil(N / tileN), tiles = tilesM * tilesN * batch;
    // Rows in blocks of five, columns in stripes of two vec4s, and something left alone behind each block.
    const rows = 5, rowStep = 3, columns = 2, columnsStep = rows * rowStep;
    const rowsStep = Math.ceil(N / 8) * columnsStep + 1;
    const placeOf = (row: number, n: number) => {
      if (!epilogue.placed) return row * N + n;
      const block = Math.floor(row / rows), stripe = Math.floor(n / 8);
      return 4 * (block * rowsStep + row % rows * rowStep + stripe * columnsStep) + n % 8;
    };
    const sums = epilogue.rowSums ? Math.ceil(M / 4) : 0; // vec4s behind each matrix
    const size = 4 * cOffset +
      (epilogue.placed ? 4 * Math.ceil(batch * M / rows) * rowsStep : batch * (M * N + 4 * sums));
    const result = epilogue.onTop ? noise(size, 7) : new Float64Array(size).fill(BEFORE);
    const factorOffset = 3;
    return {
      ...(half && !whole && { tolerance: ROUNDED_OPERANDS }),
      before: {
        a: between(4 * aOffset, a, 0),
        b: between(4 * bOffset, b, 0),
        c: result,
        ...(epilogue.bias && { bias: noise(N, 3) }),
        ...(epilogue.gate && { gate: shaped(4) }),
        ...(epilogue.residual && { residual: shaped(5) }),
        ...(epilogue.keepPre && { pre: result }),
        ...(epilogue.carry && { carry: between(4 * carryOffset, noise(batch * M * N, 6), 0) }),
        ...(epilogue.factor && { factor: between(factorOffset, noise(batch * M, 8), 0) }),
      },
      uniforms: {
        ...{ M, N4: N / 4, K, kTotal, tilesM, tilesN, tiles, inner, aLd, bLd, ...strides, aOffset, bOffset, cOffset },
        ...{ hasBias: Number(hasBias), isRelu: Number(isRelu), ...(epilogue.carry && { carryOffset }) },
        ...(epilogue.factor && { factorOffset }),
        ...(epilogue.rowSums && { sums }),
        ...(epilogue.placed && {
          ...{ rows, rowsInverse: 1 / rows, rowsStep, rowStep, columns, columnsInverse: 1 / columns, columnsStep },
        }),
      },
      // A row of workgroups more than there are tiles: those past the last do the last one again.
      grid: tiles > 2 ? [Math.ceil(tiles / 2) + 1, 2, 1] : flatGrid(tiles),
      after({ a, b, c: before, bias, gate, residual, carry, factor }) {
        const c = Float64Array.from(before), pre = Float64Array.from(result);
        for (let q = 0; q < batch; q++) {
          const o = Math.floor(q / inner), i = q % inner;
          const aBase = 4 * (aOffset + o * strides.aOuter + i * strides.aInner);
          const bBase = 4 * (bOffset + o * strides.bOuter + i * strides.bInner);
          const depth = parts ? Math.min(K, kTotal - i * K) : K;
          for (let r = 0; r < 4 * sums; r++) { // what lies behind the last row is any number
            let sum = r < M ? 0 : NaN;
            for (let k = 0; k < depth; k++) sum += a[aBase + 4 * k * aLd + r];
            c[4 * cOffset + (q + 1) * M * N + 4 * q * sums + r] = sum;
          }
          for (let r = 0; r < M; r++) {
            for (let n = 0; n < N; n++) {
              let sum = hasBias && bias ? bias[n] : 0;
              for (let k = 0; k < depth; k++) {
                sum += a[aBase + (aTransposed ? 4 * k * aLd + r : 4 * r * aLd + k)] *
                  b[bBase + (bTransposed ? 4 * n * bLd + k : 4 * k * bLd + n)];
              }
              if (carry) sum += carry[4 * carryOffset + (q * M + r) * N + n];
              const row = q * M + r;
              const at = (epilogue.placed ? 0 : 4 * cOffset) + row * N + n;
              const to = 4 * cOffset + placeOf(row, n) + 4 * q * sums;
              pre[at] = sum;
              const by = factor ? factor[factorOffset + row] : 1;
              c[to] = finished(epilogue, sum, isRelu, gate?.[at], by, residual?.[at]) + (epilogue.onTop ? c[to] : 0);
            }
          }
        }
        return { c, ...(epilogue.keepPre && { pre }) };
      },
    };
  }
}

/** A matrix with rows padded to whole vec4s. */
function matrix(rows: number, columns: number, ld: number, seed: number, pad: number): Float64Array {
  const numbers = noise(rows * columns, seed);
  const out = new Float64Array(rows * ld * 4).fill(pad);
  for (let row = 0; row < rows; row++) {
    out.set(numbers.subarray(row * columns, (row + 1) * columns), row * ld * 4);
  }
  return out;
}

function finished(
  { activation }: Epilogue,
  sum: number,
  isRelu: boolean,
  gate: number | undefined,
  factor: number,
  residual: number | undefined,
): number {
  let v = sum;
  if (activation === "switched" && isRelu) v = Math.max(v, 0);
  if (activation === "sigmoid") v = sigmoid(v);
  if (activation === "gelu") v *= normalCdf(v);
  if (gate !== undefined) v *= sigmoid(gate);
  v *= factor;
  return residual === undefined ? v : v + residual;
}
