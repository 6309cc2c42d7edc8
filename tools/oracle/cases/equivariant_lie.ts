import type { Device, Tensor } from "../../../core/mod.ts";
import {
  adaptedRadius,
  lieAttention,
  type LieAttentionParams,
  lieAttentionShapes,
  lieBall,
  type LieConfig,
  lieConfig,
  liePooled,
  type LieQuirks,
  lieTransformer,
  type LieTransformerParams,
  lieTransformerShapes,
  type Lift,
  liftedMotions,
} from "../../../model/equivariant/mod.ts";
import { lifted, liftedElements, liftedPairs, motionDistances } from "../../../model/equivariant/lie/lift.ts";
import {
  cosc,
  coscc,
  leftJacobian,
  quaternionProduct,
  se3Exp,
  se3Log,
  sinc,
  sincc,
  sincInverse,
  so3Exp,
  so3Log,
} from "../../../model/equivariant/lie/maps.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";
import { camelConfig, given, goldenParams, isEquivariant, picked } from "./_equivariant.ts";
import { differentiate, input } from "./_differentiate.ts";

/** Rows of an array. */
function rowsOf(data: ArrayLike<number>, width: number): number[][] {
  return Array.from(
    { length: data.length / width },
    (_, k) => Array.from({ length: width }, (_, at) => data[k * width + at]),
  );
}

/** Matrices of a number of rows and columns, row by row: the transpose times a vector. */
function transposedTimes(matrix: readonly number[], vector: readonly number[]): number[] {
  const n = vector.length;
  return vector.map((_, column) => vector.reduce((sum, x, row) => sum + x * matrix[row * n + column], 0));
}

const maps: Family = {
  prefix: "eq_lie_maps",
  matches: isEquivariant,
  run(_device, golden) {
    const vectors = rowsOf(golden.data64("in/xi"), 6), x = golden.data64("in/x");
    const motions = vectors.map(se3Exp), rotations = vectors.map((v) => so3Exp(v.slice(0, 3)));
    const cotangents = rowsOf(golden.data64("cot/se3_exp"), 16);
    // exp(v + d) = (1 + [J d]) exp(v): what a motion gives back for [J d], then what J gives back
    const gradients = vectors.map((v, k) => {
      const [motion, cotangent] = [motions[k], cotangents[k]];
      const spread = Array.from({ length: 16 }, (_, at) => {
        const [row, column] = [Math.floor(at / 4), at % 4];
        return [0, 1, 2, 3].reduce((sum, j) => sum + cotangent[4 * row + j] * motion[4 * column + j], 0);
      });
      const twist = [
        spread[9] - spread[6],
        spread[2] - spread[8],
        spread[4] - spread[1],
        spread[3],
        spread[7],
        spread[11],
      ];
      return transposedTimes(leftJacobian(v), twist);
    });
    const wrapped = motions.map(se3Log);
    const perturbed = rowsOf(golden.data64("in/cot_log"), 6).map((cotangent, k) =>
      solvedTransposed(leftJacobian(wrapped[k]), cotangent)
    );
    return new Map<string, ArrayLike<number>>([
      ["out/so3_exp", rotations.flat()],
      ["out/se3_exp", motions.flat()],
      ["out/so3_log_of_exp", rotations.flatMap(so3Log)],
      ["out/se3_log_of_exp", wrapped.flat()],
      ["grad_in/xi", gradients.flat()],
      ["out/grad_log_left_perturbation", perturbed.flat()],
      ...Object.entries({ sinc, cosc, sincc, coscc, sinc_inv: sincInverse }).map(
        ([name, f]) => [`out/${name}`, x.map(f)] as const,
      ),
    ]);
  },
};

/** y with Aᵀ y = b, by elimination. */
function solvedTransposed(a: readonly number[], b: readonly number[]): number[] {
  const n = b.length;
  const rows = b.map((value, row) => [...b.map((_, column) => a[column * n + row]), value]);
  for (let pivot = 0; pivot < n; pivot++) {
    const best = rows.reduce(
      (best, row, k) => k >= pivot && Math.abs(row[pivot]) > Math.abs(rows[best][pivot]) ? k : best,
      pivot,
    );
    [rows[pivot], rows[best]] = [rows[best], rows[pivot]];
    rows.forEach((row, k) => {
      if (k === pivot) return;
      const factor = row[pivot] / rows[pivot][pivot];
      row.forEach((_, column) => (row[column] -= factor * rows[pivot][column]));
    });
  }
  return rows.map((row, k) => row[n] / row[k]);
}

/** Orientations of a case. */
function liftOf(golden: Golden, quaternions: ArrayLike<number> = golden.data64("in/quat")): Lift {
  const [batch, n, samples] = golden.shape("in/quat");
  return { sizes: [batch, n, samples], quaternions };
}

/** Orientations turned by one. */
function turned(golden: Golden): Lift {
  const turn = Array.from(golden.data64("in/g_quat"));
  return liftOf(golden, rowsOf(golden.data64("in/quat"), 4).flatMap((q) => quaternionProduct(turn, q)));
}

/** Points turned by the quaternion of a case and moved. */
function moved(device: Device, golden: Golden, translation: string): Tensor {
  const turn = Array.from(golden.data64("in/g_quat")), length = Math.hypot(...turn);
  const unit = turn.map((x) => x / length);
  const t = golden.data64(`in/${translation}`);
  const points = rowsOf(golden.data64("in/coors"), 3).flatMap((p) => {
    const [, ...v] = quaternionProduct(quaternionProduct(unit, [0, ...p]), [unit[0], -unit[1], -unit[2], -unit[3]]);
    return v.map((x, k) => x + t[k]);
  });
  return device.tensor(points, golden.shape("in/coors"));
}

const lift: Family = {
  prefix: "eq_lie_lift",
  matches: isEquivariant,
  async run(device, golden) {
    const lift = liftOf(golden);
    const results = await differentiate(
      device,
      golden,
      { params: {}, inputs: { coors: input(device, golden, "coors") } },
      ({ inputs: { coors } }) => {
        const pairs = liftedMotions(coors, lift);
        return {
          ...{ elems: liftedElements(coors, lift), pairs, distance: motionDistances(pairs) },
          feats: lifted(input(device, golden, "feats"), lift),
          mask: lifted(input(device, golden, "mask"), lift),
          edges: liftedPairs(input(device, golden, "edges"), lift),
        };
      },
    );
    const points = moved(device, golden, "g_trans"), own = turned(golden);
    results.set("out/pairs_moved", await liftedMotions(points, own).read());
    return results.set("out/elems_moved", await liftedElements(points, own).read());
  },
};

/** The configuration of a case, as the original computes it but for its mask. */
function configOf(golden: Golden, quirks: LieQuirks = {}): LieConfig {
  const config = camelConfig(golden);
  const names = [
    "dim",
    "dimOut",
    "depth",
    "heads",
    "dimHead",
    "liftsamples",
    "nbhd",
    "numTokens",
    "numEdgeTypes",
    "edgeDim",
  ];
  const samples = typeof config.mcSamples === "number" ? { nbhd: config.mcSamples } : {};
  return lieConfig({
    ...picked(config, names) as { dim: number },
    ...samples,
    ...{ radius: golden.number("r"), quirks: { averagesMasked: true, ...quirks } },
  });
}

const attention: Family = {
  prefix: "eq_lie_attention",
  matches: isEquivariant,
  async run(device, golden) {
    const config = configOf(golden);
    const params = goldenParams<LieAttentionParams>(device, golden, lieAttentionShapes(config));
    const edges = given(device, golden, "edges");
    const [mask, noise] = [input(device, golden, "mask"), input(device, golden, "noise")];
    const inputs = {
      ...{ feats: input(device, golden, "feats"), pairs: input(device, golden, "pairs") },
      ...(edges && { edges }),
    } as Record<string, Tensor>;
    let fill: Tensor | undefined;
    const results = await differentiate<LieAttentionParams>(
      device,
      golden,
      { params, inputs },
      ({ params, inputs: { feats, pairs, edges } }) => {
        const run = (quirks: LieQuirks) => {
          const ball = lieBall(pairs, { ...config, quirks }, mask, noise);
          fill ??= device.hold(ball.fill);
          return lieAttention(params, feats, pairs, ball, { ...config, quirks }, edges);
        };
        return { out: run(config.quirks), out_shipped: run({ invertedMask: true }) };
      },
    );
    if (golden.has("out/r_after")) {
      const radius = device.tensor([config.radius], [1]);
      results.set("out/r_after", await adaptedRadius(radius, fill!, golden.number("fill")).read());
    }
    fill?.dispose();
    return results;
  },
};

/** A network of a case and what it reads. */
function networkOf(device: Device, golden: Golden) {
  const { residual, mask_inversion: inversion } = golden.config;
  const quirks = {
    ...{ doubledResiduals: /^doubled/.test(String(residual)), invertedMask: /shipped/.test(String(inversion)) },
  };
  const config = configOf(golden, quirks);
  const params = goldenParams<LieTransformerParams>(device, golden, lieTransformerShapes(config));
  const feats = input(device, golden, "feats", config.numTokens ? "i32" : "f32");
  const edges = given(device, golden, "edges", config.numEdgeTypes ? "i32" : "f32");
  const mask = given(device, golden, "mask");
  return { config, params, feats, edges, mask };
}

const transformer: Family = {
  prefix: "eq_lie_transformer",
  matches: isEquivariant,
  run(device, golden) {
    const { config, params, feats, edges, mask } = networkOf(device, golden);
    const lift = liftOf(golden);
    const inputs: Record<string, Tensor> = {
      coors: input(device, golden, "coors"),
      ...(!config.numTokens && { feats }),
    };
    return differentiate<LieTransformerParams>(
      device,
      golden,
      { params, inputs },
      ({ params, inputs }): Record<string, Tensor> => {
        const out = lieTransformer(params, { feats, edges, mask, ...inputs } as never, lift, config);
        return golden.has("out/pooled") ? { out, pooled: liePooled(out, lift, mask) } : { out };
      },
    );
  },
};

const invariance: Family = {
  prefix: "eq_refine_invariance_lie",
  matches: isEquivariant,
  async run(device, golden) {
    const { config, params, feats, mask } = networkOf(device, golden);
    const run = (coors: Tensor, lift: Lift) => lieTransformer(params, { feats, coors, mask }, lift, config).read();
    const results: Results = new Map();
    const points = moved(device, golden, "t");
    results.set("out/out", await run(input(device, golden, "coors"), liftOf(golden)));
    results.set("out/moved", await run(points, turned(golden)));
    return results.set("out/moved_same_lifts", await run(points, liftOf(golden)));
  },
};

/** Motions as vectors, lifts, the attention of a LieTransformer, and the whole of it. */
export const EQUIVARIANT_LIE: readonly Family[] = [maps, lift, attention, transformer, invariance];
