import type { Device } from "../../../core/mod.ts";
import { backbonePhi, mdsOnGpu, mostNegativePhi } from "../../../model/distance_geometry/mod.ts";
import { pairwiseDistances } from "../../../model/protein/metrics/mod.ts";
import { guttmanProduct, iterateSmacof, prepareSmacof } from "../../../model/distance_geometry/smacof.ts";
import { compare, type Comparison, worse } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import { type Golden, recordOf } from "../golden.ts";
import { EXACT, type Tolerance } from "../tolerance.ts";
import { columnsOf, entry, isTrunk2021, joined, rowsOf, turnedTo } from "./_distance_geometry.ts";

/** The program's default; its longest run had 0 instead. */
const STOP_TOLERANCE = 1e-5;

const RUN = /^(unweighted|weighted)_it(\d+)_(coords|distances|history)$/;

/** Root mean square over all n² entries of the difference between two distance matrices. */
function rootMeanSquare(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < a.length; k++) sum += (a[k] - b[k]) ** 2;
  return Math.sqrt(sum / a.length);
}

/** The weighted runs divide by n where a right one applies V⁺: their product B(X) X is what can be compared. */
function weightedRun(golden: Golden, n: number, start: Float64Array, iterations: number): Float64Array {
  const problem = prepareSmacof(entry(golden, "in/distances", 0), n, entry(golden, "in/weights", 0));
  return iterateSmacof(
    (points) => {
      const { product, stress } = guttmanProduct(problem, points);
      return { points: product.map((x) => x / n), stress };
    },
    start,
    { iterations, tolerance: STOP_TOLERANCE },
  ).points;
}

const mdsCase: Family = {
  prefix: "luc_mds",
  matches: isTrunk2021,
  async run(device: Device, golden) {
    const n = golden.shape("in/distances")[1];
    const distances = entry(golden, "in/distances", 0);
    const start = entry(golden, "in/init", 0);
    const parts = golden.names("out/").map((name) => RUN.exec(name)).filter((part) => part !== null);
    const longest = Math.max(...parts.map(([, , count]) => Number(count)));
    const results: Results = new Map();
    for (
      const [kind, count] of new Set(parts.map(([, kind, count]) => `${kind} ${count}`)).values().map((run) =>
        run.split(" ")
      )
    ) {
      const iterations = Number(count), name = `out/${kind}_it${count}`;
      let points: Float64Array;
      if (kind === "weighted") {
        points = weightedRun(golden, n, start, iterations);
      } else {
        const tolerance = iterations === longest ? 0 : STOP_TOLERANCE;
        const { runs: [run] } = await mdsOnGpu(device, distances, n, {
          starts: [start],
          classicalStart: false,
          iterations,
          tolerance,
        });
        points = run.points;
        results.set(`${name}_history`, run.history);
        results.set(`values/${kind}_it${count}_dist_rmse`, [rootMeanSquare(pairwiseDistances(points), distances)]);
      }
      results.set(`${name}_coords`, columnsOf(points));
      results.set(`${name}_distances`, pairwiseDistances(points));
    }
    return results;
  },
  special(golden, results) {
    const comparisons: Comparison[] = [];
    for (const name of golden.names("out/")) {
      const [, kind, count, what] = RUN.exec(name) ?? [];
      if (!what) continue;
      const key = what === "history" ? "history" : `it${count}`;
      const text = golden.toleranceText(key);
      if (text === undefined) throw new SyntaxError(`the description states no tolerance for ${key}`);
      const tolerance = golden.parseTolerance(text);
      const actual = results.get(`out/${name}`), expected = golden.data64(`out/${name}`);
      if (what === "coords" && /distances/i.test(text)) {
        comparisons.push(compareAsDistances(`out/${name}`, actual, expected, tolerance));
      } else {
        comparisons.push(compare(`out/${name}`, actual, expected, tolerance));
      }
      if (what === "distances" && /dist_rmse/.test(text)) {
        const value = recordOf(golden.values[`${kind}_it${count}`]).dist_rmse;
        const own = results.get(`values/${kind}_it${count}_dist_rmse`);
        const part = /within\s+([\d.]+)\s*%\s*or\s+([\d.e-]+)/.exec(text);
        if (typeof value !== "number" || !own || !part) continue;
        const bound = Math.max(Number(part[1]) / 100 * Math.abs(value), Number(part[2]));
        comparisons.push(
          compare(`values/${kind}_it${count}_dist_rmse`, own, [value], { rtol: 0, atol: bound, atolOfMax: 0 }),
        );
      }
    }
    return comparisons;
  },
};

const mirror: Family = {
  prefix: "luc_mds_fix_mirror",
  matches: isTrunk2021,
  async run(device, golden) {
    const n = golden.shape("in/distances")[1];
    for (const [name, place] of [["in/N_mask", 0], ["in/CA_mask", 1]] as const) {
      const wrong = golden.data(name).findIndex((x, i) => (x !== 0) !== (i % 3 === place));
      if (wrong >= 0) throw new TypeError(`${name} does not mark atoms N, CA, C by turns at atom ${wrong}`);
    }
    const starts = Array.from({ length: golden.shape("in/init")[0] }, (_, k) => entry(golden, "in/init", k));
    const { runs } = await mdsOnGpu(device, entry(golden, "in/distances", 0), n, {
      starts,
      classicalStart: false,
      iterations: golden.number("iters"),
      tolerance: golden.number("tol"),
    });
    const phis = runs.map(({ points }) => backbonePhi(points));
    const chosen = mostNegativePhi(runs.map(({ points }) => points));
    return new Map<string, ArrayLike<number>>([
      ["out/coords", columnsOf(runs[chosen].points)],
      ["out/all_mirror_coords", joined(runs.map(({ points }) => columnsOf(points)))],
      ["out/phis", turnedTo(joined(phis), golden.data("out/phis"))],
      ["out/negative_phi_counts", phis.map((list) => list.filter((phi) => phi < 0).length)],
    ]);
  },
  special(golden, results) {
    const clauses = (golden.toleranceText("coords") ?? "").split(";");
    const clause = (word: string) => {
      const text = clauses.find((part) => part.includes(word));
      if (text === undefined) throw new SyntaxError(`the description states no tolerance for ${word}`);
      return golden.parseTolerance(text);
    };
    const distances = clause("distances");
    // A coordinate or an angle near 0 cannot be closer than the distances have to be.
    const iterated: Tolerance = { ...clause("coords"), atol: distances.atol };
    const coordinates = ["out/coords", "out/all_mirror_coords"].map((name) => {
      const expected = golden.data64(name), actual = results.get(name);
      const size = 3 * golden.shape("in/distances")[1];
      const parts = Array.from({ length: expected.length / size }, (_, k) => {
        const part = actual && Array.from(actual).slice(k * size, (k + 1) * size);
        return compareAsDistances(name, part, expected.slice(k * size, (k + 1) * size), distances);
      });
      return worse(compare(name, actual, expected, iterated), ...parts);
    });
    return [
      ...coordinates,
      compare("out/phis", results.get("out/phis"), golden.data("out/phis"), iterated),
      compare(
        "out/negative_phi_counts",
        results.get("out/negative_phi_counts"),
        golden.data("out/negative_phi_counts"),
        EXACT,
      ),
    ];
  },
};

/** Compares coordinates `[3, n]` by the distances between the points. */
function compareAsDistances(
  tensor: string,
  actual: ArrayLike<number> | undefined,
  expected: Float64Array,
  tolerance: Tolerance,
): Comparison {
  const own = actual && pairwiseDistances(rowsOf(Float64Array.from(actual)));
  return compare(tensor, own, pairwiseDistances(rowsOf(expected)), tolerance);
}

/** Multidimensional scaling, on the adapter. */
export const CROSS_TRUNK_MDS: readonly Family[] = [mdsCase, mirror];
