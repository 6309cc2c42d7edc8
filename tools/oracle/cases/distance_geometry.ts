import {
  backbonePhi,
  centerDistogram,
  type CenterDistogramOptions,
  centerDistogramVjp,
  classicalMds,
  mirrorImage,
  nerf,
} from "../../../model/distance_geometry/mod.ts";
import {
  dihedral,
  gdt,
  GDT_HA_CUTOFFS,
  GDT_TS_CUTOFFS,
  kabsch,
  lddt,
  pairwiseDistances,
  rmsdPerCoordinate,
  tmD0Unbounded,
  tmScoreAsPlaced,
} from "../../../model/protein/metrics/mod.ts";
import { compare } from "../compare.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";
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

/** What later versions of the program do: classical scaling, its mirror image by phi angles, lDDT of C-alpha atoms. */
const extras: Family = {
  prefix: "luc_head_extras",
  matches: isTrunk2021,
  run(_device, golden) {
    const n = golden.number("N");
    const points = classicalMds(golden.data64("in/distances"), n);
    const negative = (points: Float64Array) => {
      const phi = backbonePhi(points);
      return phi.filter((angle) => angle < 0).length / phi.length;
    };
    const righted = negative(points) < 0.5 ? mirrorImage(points) : points;
    const centred = points.map((x, k) => x - points[k % 3]); // the original's first point is the origin
    const gram = Float64Array.from({ length: n * n }, (_, k) => {
      const [i, j] = [Math.floor(k / n), k % n];
      return [0, 1, 2].reduce((sum, axis) => sum + centred[3 * i + axis] * centred[3 * j + axis], 0);
    });
    const batch = golden.shape("in/coords")[0];
    const coords = Array.from({ length: batch }, (_, b) => rowsOf(entry(golden, "in/coords", b)));
    return new Map<string, ArrayLike<number>>([
      ["out/eigen_distances", pairwiseDistances(points)],
      ["out/eigen_coords_centred_gram_ref", gram],
      ["out/fixed_mirror_distances", pairwiseDistances(righted)],
      ["out/fixed_mirror_negative_phi_proportion", [negative(righted)]],
      ["out/phis", joined(coords.map((points) => backbonePhi(points)))],
      ["out/negative_phi_proportion", coords.map(negative)],
      ["out/lddt_ca", joined(Array.from({ length: batch }, (_, b) => lddtOfAlphas(golden, b)))],
    ]);
  },
  special(golden, results) {
    const within = (name: string, atol: number) =>
      compare(name, results.get(name), golden.data(name), { rtol: 1e-4, atol, atolOfMax: 0 });
    return [
      ...["out/eigen_distances", "out/eigen_coords_centred_gram_ref"].map((name) => within(name, 1e-3)),
      ...["out/fixed_mirror_distances"].map((name) => within(name, 0.05)),
      ...["out/phis", "out/negative_phi_proportion", "out/fixed_mirror_negative_phi_proportion"].map((name) =>
        within(name, 1e-4)
      ),
      within("out/lddt_ca", 1e-5),
    ];
  },
};

/** lDDT of each C-alpha atom of a batch entry, 0 where it is not there. */
function lddtOfAlphas(golden: Golden, b: number): Float64Array {
  const [, residues, atoms] = golden.shape("in/lddt_true");
  const alphas = (name: string) => {
    const all = entry(golden, name, b);
    return Float64Array.from({ length: 3 * residues }, (_, k) => all[(Math.floor(k / 3) * atoms + 1) * 3 + k % 3]);
  };
  const cloud = entry(golden, "in/lddt_cloud_mask", b);
  const mask = Float64Array.from({ length: residues }, (_, i) => cloud[i * atoms + 1]);
  const { perPoint } = lddt(alphas("in/lddt_pred"), alphas("in/lddt_true"), { mask });
  return perPoint.map((value, i) => value * mask[i]);
}

/** Measures and geometry of the 2021 program; on the processor, in float64. */
export const CROSS_TRUNK: readonly Family[] = [kabschCase, metrics, dihedralNerf, centerDistogramCase, extras];
