/** Eigenvalues in falling order, with their vectors. */
export interface SymmetricEigen {
  /** `[k]`, largest first. */
  values: Float64Array;
  /** `[k, n]`: row i is the unit vector of value i. */
  vectors: Float64Array;
}

/**
 * All eigenvalues and eigenvectors of a small symmetric matrix, by cyclic Jacobi rotations.
 *
 * For matrices up to some tens of rows; the cost grows as n³ a sweep, and it takes about six sweeps.
 * Source: Jacobi (1846), J. reine angew. Math. 30, 51-94.
 *
 * @param matrix `[n, n]`, symmetric; only read.
 * @param n Rows.
 */
export function symmetricEigen(matrix: Float64Array, n: number): SymmetricEigen {
  const a = Float64Array.from(matrix);
  const v = new Float64Array(n * n); // columns are the vectors until the end
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    let diagonal = 0;
    for (let i = 0; i < n; i++) {
      diagonal += a[i * n + i] ** 2;
      for (let j = i + 1; j < n; j++) off += a[i * n + j] ** 2;
    }
    if (!(off > 1e-34 * diagonal)) break;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[j * n + j] - a[i * n + i]);
  const values = new Float64Array(n);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    values[to] = a[from * n + from];
    for (let i = 0; i < n; i++) vectors[to * n + i] = v[i * n + from];
  });
  return { values, vectors };
}

/** Makes a[p][q] zero by a rotation in the plane (p, q). */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q];
  if (apq === 0) return;
  const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let i = 0; i < n; i++) {
    const ip = a[i * n + p];
    const iq = a[i * n + q];
    a[i * n + p] = c * ip - s * iq;
    a[i * n + q] = s * ip + c * iq;
  }
  for (let i = 0; i < n; i++) {
    const pi = a[p * n + i];
    const qi = a[q * n + i];
    a[p * n + i] = c * pi - s * qi;
    a[q * n + i] = s * pi + c * qi;
    const vp = v[i * n + p];
    const vq = v[i * n + q];
    v[i * n + p] = c * vp - s * vq;
    v[i * n + q] = s * vp + c * vq;
  }
}

/**
 * The k largest eigenvalues of a symmetric matrix of any size, by subspace iteration with Rayleigh-Ritz.
 *
 * Works on a block of up to 16 vectors, so that equal eigenvalues and a few large negative ones do no harm. Stops when
 * the wanted values no longer change (1e-13 relative) or after 300 rounds of n² · 16 multiply-adds.
 * Source: Golub & Van Loan, Matrix Computations, 4th ed., section 8.2.4.
 *
 * @param matrix `[n, n]`, symmetric; only read.
 * @param n Rows.
 * @param k How many, at most 16.
 * @returns min(k, n) values.
 */
export function largestEigen(matrix: Float64Array, n: number, k: number): SymmetricEigen {
  if (n <= 16) {
    const { values, vectors } = symmetricEigen(matrix, n);
    const m = Math.min(k, n);
    return { values: values.slice(0, m), vectors: vectors.slice(0, m * n) };
  }
  const block = 16;
  let basis = new Float64Array(block * n);
  for (let i = 0; i < basis.length; i++) {
    basis[i] = Math.sin(12.9898 * (i + 1)) + 0.5 * Math.cos(78.233 * (i + 1) ** 1.1);
  }
  orthonormalize(basis, block, n);
  let values = new Float64Array(k);
  for (let round = 0; round < 300; round++) {
    const image = multiplyRows(matrix, basis, block, n);
    const small = new Float64Array(block * block);
    for (let i = 0; i < block; i++) {
      for (let j = i; j < block; j++) {
        let sum = 0;
        for (let x = 0; x < n; x++) sum += basis[i * n + x] * image[j * n + x];
        small[i * block + j] = small[j * block + i] = sum;
      }
    }
    const ritz = symmetricEigen(small, block);
    const next = ritz.values.slice(0, k);
    const scale = Math.max(...ritz.values.map(Math.abs));
    const settled = round > 2 && next.every((value, i) => Math.abs(value - values[i]) <= 1e-13 * scale);
    values = next;
    if (settled || scale === 0) {
      return { values, vectors: combineRows(ritz.vectors, basis, k, block, n) };
    }
    basis = combineRows(ritz.vectors, image, block, block, n);
    orthonormalize(basis, block, n);
  }
  return { values, vectors: basis.slice(0, k * n) };
}

/** Row i of the result is matrix · rows[i]. */
function multiplyRows(matrix: Float64Array, rows: Float64Array, count: number, n: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(count * n);
  for (let i = 0; i < n; i++) {
    for (let r = 0; r < count; r++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += matrix[i * n + j] * rows[r * n + j];
      out[r * n + i] = sum;
    }
  }
  return out;
}

/** mix `[count, block]` times rows `[block, n]`. */
function combineRows(
  mix: Float64Array,
  rows: Float64Array,
  count: number,
  block: number,
  n: number,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(count * n);
  for (let r = 0; r < count; r++) {
    for (let b = 0; b < block; b++) {
      const factor = mix[r * block + b];
      for (let x = 0; x < n; x++) out[r * n + x] += factor * rows[b * n + x];
    }
  }
  return out;
}

/** Gram-Schmidt, twice over; a row that vanishes is replaced by a unit vector that is not yet spanned. */
function orthonormalize(rows: Float64Array, count: number, n: number): void {
  let spare = 0;
  for (let r = 0; r < count; r++) {
    for (;;) {
      const before = norm(rows, r, n);
      for (let pass = 0; pass < 2; pass++) {
        for (let s = 0; s < r; s++) {
          let dot = 0;
          for (let x = 0; x < n; x++) dot += rows[r * n + x] * rows[s * n + x];
          for (let x = 0; x < n; x++) rows[r * n + x] -= dot * rows[s * n + x];
        }
      }
      const after = norm(rows, r, n);
      if (after > 1e-12 * before && after > 0) {
        for (let x = 0; x < n; x++) rows[r * n + x] /= after;
        break;
      }
      rows.fill(0, r * n, (r + 1) * n);
      rows[r * n + spare++] = 1;
    }
  }
}

function norm(rows: Float64Array, r: number, n: number): number {
  let sum = 0;
  for (let x = 0; x < n; x++) sum += rows[r * n + x] ** 2;
  return Math.sqrt(sum);
}
