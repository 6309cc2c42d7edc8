/** Probes of the kernels of multidimensional scaling. */
import { noise, type Probe } from "../../core/mod.ts";

const STARTS = 2, M = 36;

/** Planes x, y, z and a fourth one of two starts. */
function pointsOf(seed: number): Float32Array {
  return noise(STARTS * 4 * M, seed).map((x) => 5 * x);
}

/** Pulls on every point, and its share of the stress; some pairs have no target. */
export function pullProbes({ weighted }: { readonly weighted: boolean }): readonly Probe[] {
  const factor = 0.3;
  return [{
    before: {
      points: pointsOf(1),
      wanted: noise(M * M, 2).map((x) => (weighted ? Math.abs(4 * x) : 4 * x + 3)), // below 0: no target
      ...(weighted && { weights: noise(M * M, 3).map(Math.abs) }),
    },
    uniforms: { starts: STARTS, m: M, factor },
    grid: [Math.ceil(STARTS * M / 64) + 1, 1, 1],
    after({ points, wanted, weights }) {
      const out = new Float64Array(STARTS * 4 * M);
      for (let start = 0; start < STARTS; start++) {
        const at = (plane: number, i: number) => (4 * start + plane) * M + i;
        for (let i = 0; i < M; i++) {
          for (let j = 0; j < M; j++) {
            const p = wanted[i * M + j];
            const w = weights ? weights[i * M + j] : Number(p >= 0);
            const step = [0, 1, 2].map((plane) => points[at(plane, i)] - points[at(plane, j)]);
            const d = Math.hypot(...step);
            step.forEach((x, plane) => (out[at(plane, i)] += w * (p / (d || 1e-7) - 1) * x));
            out[at(3, i)] += w * (d - p) ** 2;
          }
          if (!weighted) {
            for (let plane = 0; plane < 3; plane++) {
              out[at(plane, i)] = points[at(plane, i)] + factor * out[at(plane, i)];
            }
          }
        }
      }
      return { out };
    },
  }];
}

/** Pulls spread over all points. */
export function spreadProbes(): readonly Probe[] {
  return [{
    before: { points: pointsOf(1), pulls: pointsOf(2), inverse: noise(M * M, 3) },
    uniforms: { starts: STARTS, m: M },
    grid: [Math.ceil(STARTS * M / 64) + 1, 1, 1],
    after({ points, pulls, inverse }) {
      const out = new Float64Array(STARTS * 4 * M);
      out.forEach((_, to) => {
        const plane = Math.floor(to / M) % 4, i = to % M;
        out[to] = plane === 3 ? pulls[to] : points[to];
        for (let j = 0; plane < 3 && j < M; j++) out[to] += inverse[i * M + j] * pulls[to - i + j];
      });
      return { out };
    },
  }];
}
