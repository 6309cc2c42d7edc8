import type { Device, Tensor } from "../../../core/mod.ts";
import {
  bondDistances,
  egnn,
  type EgnnConfig,
  egnnConfig,
  egnnLayer,
  type EgnnLayerParams,
  egnnLayerShapes,
  egnnNeighbours,
  type EgnnParams,
  egnnShapes,
  squaredAdjacency,
} from "../../../model/equivariant/mod.ts";
import type { Family, Results } from "../family.ts";
import type { Golden } from "../golden.ts";
import { bondsOf, camelConfig, given, goldenParams, isEquivariant, picked } from "./_equivariant.ts";
import { differentiate, input } from "./_differentiate.ts";

const NAMES = [
  ...["dim", "depth", "mDim", "edgeDim", "fourierFeatures", "numNearestNeighbors", "onlySparseNeighbors"],
  ...["updateFeats", "updateCoors", "normFeats", "normCoors", "softEdges", "mPoolMethod", "coorWeightsClampValue"],
  ...["numTokens", "numEdgeTokens", "numPositions", "numAdjDegrees", "adjDim", "globalLinearAttnEvery"],
  ...["globalLinearAttnHeads", "globalLinearAttnDimHead", "numGlobalTokens"],
];

/** The configuration of a case, as the original computes it; its radius is compared with squared distances. */
function configOf(golden: Golden): EgnnConfig {
  const config = camelConfig(golden);
  const radius = typeof config.validRadius === "number" ? { validRadius: Math.sqrt(config.validRadius) } : {};
  return egnnConfig({ ...picked(config, NAMES), ...radius, quirks: true } as Partial<EgnnConfig> & { dim: number });
}

const layer: Family = {
  prefix: "eq_egnn_layer",
  matches: isEquivariant,
  run(device, golden) {
    const config = configOf(golden);
    const params = goldenParams<EgnnLayerParams>(device, golden, egnnLayerShapes(config));
    const mask = given(device, golden, "mask"), bonds = bondsOf(golden, 1);
    const edges = given(device, golden, "edges");
    const inputs = { ...nodesOf(device, golden), ...(edges && { edges }) };
    return differentiate<EgnnLayerParams>(
      device,
      golden,
      { params, inputs },
      ({ params, inputs }): Record<string, Tensor> => {
        const run = (config: EgnnConfig) =>
          egnnLayer(
            params,
            { feats: inputs.feats, coors: inputs.coors },
            egnnNeighbours(inputs.coors, config, { mask, bonds }),
            config,
            inputs.edges,
          );
        const { feats, coors } = run(config);
        if (!golden.has("out/feats_fixed")) return { feats, coors };
        const fixed = run({ ...config, quirks: false });
        return { feats, coors, feats_fixed: fixed.feats, coors_fixed: fixed.coors };
      },
    );
  },
};

function nodesOf(device: Device, golden: Golden): Record<string, Tensor> {
  return { feats: input(device, golden, "feats"), coors: input(device, golden, "coors") };
}

const network: Family = {
  prefix: "eq_egnn_network",
  matches: isEquivariant,
  run(device, golden) {
    const config = configOf(golden);
    const params = goldenParams<EgnnParams>(device, golden, egnnShapes(config));
    const mask = given(device, golden, "mask"), bonds = bondsOf(golden, config.numAdjDegrees ?? 1);
    const feats = input(device, golden, "feats", config.numTokens ? "i32" : "f32");
    const edges = given(device, golden, "edges", config.numEdgeTokens ? "i32" : "f32");
    const inputs = {
      coors: input(device, golden, "coors"),
      ...(!config.numTokens && { feats }),
      ...(edges && !config.numEdgeTokens && { edges }),
    };
    return differentiate<EgnnParams>(device, golden, { params, inputs }, ({ params, inputs }) => {
      const { feats: out, coors, path } = egnn(params, { feats, edges, mask, ...inputs } as never, config, bonds);
      const earlier = path.slice(0, -1).map((coors, layer) => [`coors_after_layer${layer}`, coors]);
      return { feats: out, coors, ...Object.fromEntries(earlier) };
    });
  },
};

/** Coordinates turned, moved, mirrored, in another order. */
const invariance: Family = {
  prefix: "eq_refine_invariance_egnn",
  matches: isEquivariant,
  async run(device, golden) {
    const config = configOf(golden);
    const params = goldenParams<EgnnParams>(device, golden, egnnShapes(config));
    const feats = golden.data("in/feats"), coors = golden.data("in/coors");
    const R = golden.data("in/R"), t = golden.data("in/t"), perm = golden.data("in/perm");
    const rows = (data: Float32Array, width: number, map: (row: Float32Array) => ArrayLike<number>) =>
      Float32Array.from({ length: data.length / width }, (_, k) => k)
        .reduce<number[]>((all, k) => [...all, ...Array.from(map(data.subarray(k * width, (k + 1) * width)))], []);
    const permuted = (data: Float32Array, width: number) =>
      [...perm].flatMap((k) => [...data.subarray(k * width, (k + 1) * width)]);
    const moved = rows(
      coors,
      3,
      (x) => [0, 1, 2].map((i) => R[3 * i] * x[0] + R[3 * i + 1] * x[1] + R[3 * i + 2] * x[2] + t[i]),
    );
    const runs = {
      "": [feats, coors],
      _moved: [feats, moved],
      _mirrored: [feats, rows(coors, 3, ([x, y, z]) => [x, y, -z])],
      _permuted: [permuted(feats, config.dim), permuted(coors, 3)],
    } as const;
    const results: Results = new Map();
    for (const [suffix, [feats, coors]] of Object.entries(runs)) {
      const out = egnn(params, {
        feats: device.tensor(feats, golden.shape("in/feats")),
        coors: device.tensor(coors, golden.shape("in/coors")),
      }, config);
      results.set(`out/feats${suffix}`, await out.feats.read());
      results.set(`out/coors${suffix}`, await out.coors.read());
    }
    return results;
  },
};

const degrees: Family = {
  prefix: "eq_adjacency_degrees",
  matches: isEquivariant,
  run(_device, golden) {
    const n = golden.number("n"), bare = golden.data("in/adj").map((bond, k) => k % (n + 1) ? bond : 0);
    const diagonal = bare.map((bond, k) => k % (n + 1) ? bond : 1);
    const results: Results = new Map([["out/bond_distance_d3", bondDistances(bare, n, 3).labels]]);
    for (const name of golden.names("out/labels")) {
      const [, degree, kind] = /^(\d)_(diag|nodiag)$/.exec(name)!;
      const { labels, near } = squaredAdjacency(kind === "diag" ? diagonal : bare, n, Number(degree));
      results.set(`out/labels${name}`, labels);
      results.set(`out/matrix${name}`, near);
    }
    return results;
  },
};

/** E(n)-equivariant layers and networks, and bonds. */
export const EQUIVARIANT_EGNN: readonly Family[] = [layer, network, invariance, degrees];
