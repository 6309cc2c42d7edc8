import { countPoints, type Points } from "./points.ts";

/** Options of `alphaFromBeta`. */
export interface AlphaFromBetaOptions {
  /**
   * `[n]`; 1 where the given point is the C-alpha itself, as for glycine, which has no C-beta.
   * @default every residue has a C-beta
   */
  glycine?: ArrayLike<number>;
  /**
   * At most so many steps from each start.
   * @default 300
   */
  iterations?: number;
}

/** What `alphaFromBeta` returns. */
export interface AlphaTrace {
  /** `[n, 3]`: C-alpha positions, in Å. */
  points: Float64Array;
  /** Energy of the trace, in Å² a residue: how badly C-beta atoms placed on it miss the given ones, and bonds theirs. */
  energy: number;
}

/** Length of the bond CA-CB, in Å. Source: Engh & Huber (1991), Acta Cryst. A47, 392-400. */
const BOND = 1.53;
/** Distance of consecutive C-alpha atoms of a trans peptide, in Å. */
const STEP = 3.8;
/** C-alpha atoms two residues apart lie between these, in Å. */
const SECOND: readonly [number, number] = [5.0, 7.3];
/** Weights of the three terms of the energy, against 1 for the C-beta positions. */
const WEIGHT = { step: 4, second: 1 };
/**
 * CA→CB in the frame of three consecutive C-alpha atoms: along unit(2 CA_i - CA_{i-1} - CA_{i+1}), the normal
 * (CA_i - CA_{i-1}) × (CA_{i+1} - CA_i), and CA_{i+1} - CA_{i-1}; in Å, of length BOND.
 */
const LOCAL: readonly [number, number, number] = [1.182, -0.956, 0.164];
/** A start is given up when its energy falls by less than this share in 10 steps. */
const SETTLED = 1e-6;

export function alphaFromBeta(betas: Points, options: AlphaFromBetaOptions = {}): AlphaTrace {
  const { glycine, iterations = 300 } = options;
  const n = countPoints(betas, "betas");
  if (glycine && glycine.length !== n) throw new TypeError(`Cannot place ${n} C-alpha atoms: glycine has ${glycine.length} entries`);
  const beta = Float64Array.from(betas);
  const bonded = Uint8Array.from({ length: n }, (_, i) => (glycine?.[i] ? 0 : 1));
  const factor = factorize(n);
  let best: AlphaTrace | undefined;
  for (const start of starts(beta, bonded)) {
    const trace = relax(beta, bonded, factor, start, iterations);
    if (!best || trace.energy < best.energy) best = trace;
  }
  return best!;
}

function starts(beta: Float64Array, bonded: Uint8Array): Float64Array[] {
  const n = bonded.length;
  const smooth = Float64Array.from(beta, (x, k) => {
    const i = Math.floor(k / 3);
    return i === 0 || i === n - 1 ? x : (beta[k - 3] + 2 * x + beta[k + 3]) / 4;
  });
  const inward = beta.slice();
  for (let i = 0; i < n; i++) {
    if (!bonded[i]) continue;
    const dx = beta[3 * i] - smooth[3 * i], dy = beta[3 * i + 1] - smooth[3 * i + 1], dz = beta[3 * i + 2] - smooth[3 * i + 2];
    const l = Math.hypot(dx, dy, dz) || 1;
    inward[3 * i] -= BOND * dx / l; inward[3 * i + 1] -= BOND * dy / l; inward[3 * i + 2] -= BOND * dz / l;
  }
  return [inward, smooth, beta.slice()];
}

/** LDLᵀ of I + step·L1 + second·L2 : banded */
function factorize(n: number): { d: Float64Array; l1: Float64Array; l2: Float64Array } {
  const a0 = new Float64Array(n).fill(1), a1 = new Float64Array(n), a2 = new Float64Array(n); // a1[i]=A[i][i-1]
  for (let i = 1; i < n; i++) { a0[i] += WEIGHT.step; a0[i - 1] += WEIGHT.step; a1[i] -= WEIGHT.step; }
  for (let i = 2; i < n; i++) { a0[i] += WEIGHT.second; a0[i - 2] += WEIGHT.second; a2[i] -= WEIGHT.second; }
  const d = new Float64Array(n), l1 = new Float64Array(n), l2 = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    if (i >= 2) l2[i] = a2[i] / d[i - 2];
    if (i >= 1) l1[i] = (a1[i] - (i >= 2 ? l2[i] * l1[i - 1] * d[i - 2] : 0)) / d[i - 1];
    d[i] = a0[i] - (i >= 1 ? l1[i] ** 2 * d[i - 1] : 0) - (i >= 2 ? l2[i] ** 2 * d[i - 2] : 0);
  }
  return { d, l1, l2 };
}

function solve({ d, l1, l2 }: ReturnType<typeof factorize>, x: Float64Array): void {
  const n = d.length;
  for (let i = 0; i < n; i++) for (let c = 0; c < 3; c++) {
    if (i >= 1) x[3 * i + c] -= l1[i] * x[3 * i - 3 + c];
    if (i >= 2) x[3 * i + c] -= l2[i] * x[3 * i - 6 + c];
  }
  for (let i = 0; i < n; i++) for (let c = 0; c < 3; c++) x[3 * i + c] /= d[i];
  for (let i = n - 1; i >= 0; i--) for (let c = 0; c < 3; c++) {
    if (i + 1 < n) x[3 * i + c] -= l1[i + 1] * x[3 * i + 3 + c];
    if (i + 2 < n) x[3 * i + c] -= l2[i + 2] * x[3 * i + 6 + c];
  }
}

function relax(beta: Float64Array, bonded: Uint8Array, factor: ReturnType<typeof factorize>, start: Float64Array, iterations: number): AlphaTrace {
  const n = bonded.length;
  let x = start, best = start, bestE = Infinity, last = Infinity;
  for (let k = 0; k <= iterations; k++) {
    const rhs = new Float64Array(3 * n);
    let e = 0;
    for (let i = 0; i < n; i++) {
      const v = bonded[i] ? bondVector(x, beta, i, n) : [0, 0, 0];
      for (let c = 0; c < 3; c++) { const t = beta[3 * i + c] - v[c]; rhs[3 * i + c] += t; e += (x[3 * i + c] - t) ** 2; }
    }
    const pair = (i: number, j: number, w: number, lo: number, hi: number) => {
      const dx = x[3 * j] - x[3 * i], dy = x[3 * j + 1] - x[3 * i + 1], dz = x[3 * j + 2] - x[3 * i + 2];
      const l = Math.hypot(dx, dy, dz) || 1e-9, t = Math.min(hi, Math.max(lo, l));
      e += w * (l - t) ** 2;
      const s = w * t / l;
      rhs[3 * j] += s * dx; rhs[3 * j + 1] += s * dy; rhs[3 * j + 2] += s * dz;
      rhs[3 * i] -= s * dx; rhs[3 * i + 1] -= s * dy; rhs[3 * i + 2] -= s * dz;
    };
    for (let i = 1; i < n; i++) pair(i - 1, i, WEIGHT.step, STEP, STEP);
    for (let i = 2; i < n; i++) pair(i - 2, i, WEIGHT.second, ...SECOND);
    if (e < bestE) { bestE = e; best = x; }
    if (k % 10 === 9) { if (!(bestE < last * (1 - SETTLED))) break; last = bestE; }
    solve(factor, rhs);
    x = rhs;
  }
  return { points: best, energy: bestE / n };
}

function bondVector(x: Float64Array, beta: Float64Array, i: number, n: number): number[] {
  const k = 3 * i;
  if (i === 0 || i === n - 1) {
    const v = [beta[k] - x[k], beta[k + 1] - x[k + 1], beta[k + 2] - x[k + 2]];
    const l = Math.hypot(v[0], v[1], v[2]) || 1e-9;
    return v.map((c) => BOND * c / l);
  }
  const u = [x[k] - x[k - 3], x[k + 1] - x[k - 2], x[k + 2] - x[k - 1]];
  const v = [x[k + 3] - x[k], x[k + 4] - x[k + 1], x[k + 5] - x[k + 2]];
  const unit = (a: number[]) => { const l = Math.hypot(a[0], a[1], a[2]) || 1e-9; return a.map((c) => c / l); };
  const b = unit([u[0] - v[0], u[1] - v[1], u[2] - v[2]]);
  const nn = unit([u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]]);
  const t = unit([u[0] + v[0], u[1] + v[1], u[2] + v[2]]);
  return [0, 1, 2].map((c) => LOCAL[0] * b[c] + LOCAL[1] * nn[c] + LOCAL[2] * t[c]);
}
