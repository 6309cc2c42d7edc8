import {
  centerDistogram,
  type CenterDistogramOptions,
  centerDistogramVjp,
  nerf,
} from "../../../model/distance_geometry/mod.ts";
import {
  dihedral,
  gdt,
  GDT_HA_CUTOFFS,
  GDT_TS_CUTOFFS,
  kabsch,
  rmsdPerCoordinate,
  tmD0Unbounded,
  tmScoreAsPlaced,
} from "../../../model/protein/metrics/mod.ts";
import type { Family, Results } from "../family.ts";
import { columnsOf, entry, isTrunk2021, joined, rowsOf, turnedTo } from "./_distance_geometry.ts";

/** The factors of GDT's cutoffs in `gdt_ts_weighted`; the descriptions do not say them. */
const CUTOFF_WEIGHTS = [0.5, 1, 1.5, 2];

const kabschCase: Family = {
  prefix: "luc_kabsch",
  matches: isTrunk2021,
  run(_device, golden) {
    const mobile = rowsOf(golden.data64("in/X"));
    const results: Results = new Map();
    for (const suffix of ["", "_mirror"]) {
      const target = rowsOf(golden.data64(`in/Y${suffix}`));
      const n = target.length / 3;
      const centre = [0, 1, 2].map((axis) => target.reduce((sum, x, k) => k % 3 === axis ? sum + x / n : sum, 0));
      const centred = (points: Float64Array) => columnsOf(points.map((x, k) => x - centre[k % 3]));
      results.set(`out/X_aligned${suffix}`, centred(kabsch(mobile, target).points));
      results.set(suffix ? `out/Y${suffix}_centred` : "out/Y_centred", centred(target));
    }
    return results;
  },
};

const metrics: Family = {
  prefix: "luc_metrics",
  matches: isTrunk2021,
  run(_device, golden) {
    const results: Results = new Map();
    const batch = golden.shape("in/A")[0];
    const pairs = Array.from(
      { length: batch },
      (_, b) => [rowsOf(entry(golden, "in/A", b)), rowsOf(entry(golden, "in/B", b))] as const,
    );
    type Measure = (a: Float64Array, b: Float64Array) => number;
    const set = (name: string, measure: Measure) => results.set(`out/${name}`, pairs.map(([a, b]) => measure(a, b)));
    const superposition = "none";
    set("rmsd", rmsdPerCoordinate);
    set("gdt_ts", (a, b) => gdt(a, b, GDT_TS_CUTOFFS, { superposition }));
    set("gdt_ha", (a, b) => gdt(a, b, GDT_HA_CUTOFFS, { superposition }));
    for (const [name, cutoffs] of [["gdt_ts_weighted", GDT_TS_CUTOFFS], ["gdt_ha_weighted", GDT_HA_CUTOFFS]] as const) {
      set(name, (a, b) => gdt(a, b, cutoffs, { superposition, cutoffWeights: CUTOFF_WEIGHTS }));
    }
    const tmScore: Measure = (a, b) => tmScoreAsPlaced(a, b, tmD0Unbounded(a.length / 3));
    set("tmscore", tmScore);
    for (const name of golden.names("out/")) {
      const length = Number(/^tmscore_len(\d+)$/.exec(name)?.[1] ?? 0);
      if (length) set(name, (a, b) => tmScore(a.slice(0, 3 * length), b.slice(0, 3 * length)));
    }
    return results;
  },
};

const dihedralNerf: Family = {
  prefix: "luc_dihedral_nerf",
  matches: isTrunk2021,
  run(_device, golden) {
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => golden.data64(`in/${name}`));
    const [length, theta, chi] = ["length", "theta", "chi"].map((name) => golden.data64(`in/${name}`));
    const point = nerf(a, b, c, length, theta, chi);
    const angles = (name: string, fourth: Float64Array): [string, Float64Array] => {
      const found = dihedral(a, b, c, fourth);
      return [`out/${name}`, golden.has(`out/${name}`) ? turnedTo(found, golden.data(`out/${name}`)) : found];
    };
    return new Map([
      angles("dihedral_abcd", d),
      ["out/nerf_point", point],
      angles("dihedral_abc_nerf", point),
    ]);
  },
};

const centerDistogramCase: Family = {
  prefix: "luc_center_distogram",
  matches: isTrunk2021,
  run(_device, golden) {
    const bins = golden.data64("in/bins");
    const results: Results = new Map();
    for (const source of golden.names("in/").filter((name) => name !== "bins")) {
      const [batch, n] = golden.shape(`in/${source}`);
      const entries = Array.from({ length: batch }, (_, b) => entry(golden, `in/${source}`, b));
      for (const center of ["mean", "median"] as const) {
        for (const [word, spread] of [["std", "std"], ["var", "variance"], ["other", "none"]] as const) {
          const options: CenterDistogramOptions = { bins, center, spread };
          const name = `${source}_${center}_${word}`;
          const found = entries.map((distogram) => centerDistogram(distogram, n, options));
          results.set(`out/${name}_central`, joined(found.map(({ distances }) => distances)));
          results.set(`out/${name}_weights`, joined(found.map(({ weights }) => weights)));
          const cotangent = `cot/${name}_central`;
          if (!golden.has(cotangent)) continue;
          const grads = entries.map((distogram, b) =>
            centerDistogramVjp(distogram, n, entry(golden, cotangent, b), options)
          );
          results.set(`grad_in/${name}`, joined(grads));
        }
      }
    }
    return results;
  },
};

/** Measures and geometry of the 2021 program; on the processor, in float64. */
export const CROSS_TRUNK: readonly Family[] = [kabschCase, metrics, dihedralNerf, centerDistogramCase];
