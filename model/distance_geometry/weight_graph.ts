/** Which points hang together through pairs of positive weight. */
export interface WeightGraph {
  /** `[n]`: number of the component of each point, from 0, by first point. */
  componentOf: Int32Array;
  /** How many components there are; 1 if all points are joined. */
  components: number;
}

/**
 * Finds the connected components of the graph whose edges are the pairs with weight above 0.
 * @param weights `[n, n]`, symmetric.
 * @param n Points.
 */
export function weightGraph(weights: Float64Array, n: number): WeightGraph {
  const componentOf = new Int32Array(n).fill(-1);
  let components = 0;
  for (let start = 0; start < n; start++) {
    if (componentOf[start] >= 0) continue;
    const open = [start];
    componentOf[start] = components;
    for (let i = open.pop(); i !== undefined; i = open.pop()) {
      for (let j = 0; j < n; j++) {
        if (weights[i * n + j] > 0 && i !== j && componentOf[j] < 0) {
          componentOf[j] = components;
          open.push(j);
        }
      }
    }
    components++;
  }
  return { componentOf, components };
}

/**
 * Pseudo-inverse of the Laplacian V of the weights: V_ij = -w_ij, V_ii = Σ_{j≠i} w_ij.
 *
 * V is singular along the all-ones vector of each component and nowhere else, so within a component of m points
 * V⁺ = (V + c 11ᵀ/m)⁻¹ - 11ᵀ/(c m) with any c > 0 (here the mean of the diagonal), by Cholesky. Entries between
 * components, and the row of a point on its own, are 0.
 *
 * Source: Borg & Groenen, Modern Multidimensional Scaling, 2nd ed., section 8.6.
 *
 * @param weights `[n, n]`, symmetric, not negative; the diagonal is not looked at.
 * @param n Points.
 * @returns `[n, n]`, symmetric.
 * @throws {RangeError} If the weights differ so much in size that the inverse cannot be computed in float64.
 */
export function laplacianPseudoInverse(weights: Float64Array, n: number, graph: WeightGraph): Float64Array {
  const out = new Float64Array(n * n);
  for (let component = 0; component < graph.components; component++) {
    const members: number[] = [];
    for (let i = 0; i < n; i++) if (graph.componentOf[i] === component) members.push(i);
    const m = members.length;
    if (m === 1) continue;
    const a = new Float64Array(m * m);
    let trace = 0;
    for (let i = 0; i < m; i++) {
      let degree = 0;
      for (let j = 0; j < m; j++) {
        if (i === j) continue;
        const w = weights[members[i] * n + members[j]];
        a[i * m + j] = -w;
        degree += w;
      }
      a[i * m + i] = degree;
      trace += degree;
    }
    const c = trace / m;
    for (let k = 0; k < a.length; k++) a[k] += c / m;
    invertPositiveDefinite(a, m);
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < m; j++) out[members[i] * n + members[j]] = a[i * m + j] - 1 / (c * m);
    }
  }
  return out;
}

/** Replaces a symmetric positive definite matrix by its inverse, through its Cholesky factor. */
function invertPositiveDefinite(a: Float64Array, m: number): void {
  // a = L Lᵀ, L in the lower triangle
  for (let j = 0; j < m; j++) {
    let pivot = a[j * m + j];
    const before = pivot;
    for (let k = 0; k < j; k++) pivot -= a[j * m + k] ** 2;
    if (!(pivot > 1e-14 * before)) {
      throw new RangeError(
        "Cannot invert the Laplacian of the weights: they differ by more than about 13 orders of magnitude; " +
          "set the smallest to 0",
      );
    }
    const root = Math.sqrt(pivot);
    a[j * m + j] = root;
    for (let i = j + 1; i < m; i++) {
      let sum = a[i * m + j];
      for (let k = 0; k < j; k++) sum -= a[i * m + k] * a[j * m + k];
      a[i * m + j] = sum / root;
    }
  }
  // L⁻¹ by rows, kept transposed in `inverse` so that inner loops run along memory: inverse[j][i] = (L⁻¹)_ij
  const inverse = new Float64Array(m * m);
  for (let j = 0; j < m; j++) {
    inverse[j * m + j] = 1 / a[j * m + j];
    for (let i = j + 1; i < m; i++) {
      let sum = 0;
      for (let k = j; k < i; k++) sum -= a[i * m + k] * inverse[j * m + k];
      inverse[j * m + i] = sum / a[i * m + i];
    }
  }
  // a⁻¹ = L⁻ᵀ L⁻¹
  for (let i = 0; i < m; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let k = i; k < m; k++) sum += inverse[i * m + k] * inverse[j * m + k];
      a[i * m + j] = a[j * m + i] = sum;
    }
  }
}
