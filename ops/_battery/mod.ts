/** Every op with all kernels that it can run on an adapter, for those who verify them all. */
import type { AdapterTraits, Device, Kernel, KernelFamily, ProbeOutcome } from "../../core/mod.ts";
import { structureFor } from "../_attention_plan.ts";
import { forwardKernel, padBiasKernel, type Side } from "../attention.wgsl.ts";
import { biasKernel, keysKernel, queriesKernel, termsKernel, unpadBiasKernel } from "../attention_backward.wgsl.ts";
import { tiledForwardKernel, tiledQueriesKernel } from "../attention_tiles.wgsl.ts";
import { copyKernel } from "../_copy.wgsl.ts";
import { joinKernel, splitKernel } from "../_join.wgsl.ts";
import { digitizeKernel } from "../digitize.wgsl.ts";
import { dropoutKernel } from "../dropout.wgsl.ts";
import { FRAME_KERNELS } from "../frames.ts";
import { sigmoidGateGradientKernel, sigmoidGateKernel } from "../gate.wgsl.ts";
import { gegluGradientKernel, gegluKernel } from "../geglu.wgsl.ts";
import { gatherKernel, oneHotKernel, scatterKernel } from "../gather.wgsl.ts";
import { layerNormAffineKernel, layerNormGradientKernel, layerNormKernel } from "../layer_norm.wgsl.ts";
import { addLowRankKernel, epilogueGradKernel } from "../linear.wgsl.ts";
import {
  entropyKernel,
  entropyStatsKernel,
  entropyVjpKernel,
  HUBER,
  lossKernel,
  lossVjpKernel,
  quotientKernel,
  SQUARED_ERROR,
} from "../losses.wgsl.ts";
import type { Epilogue } from "../_product/epilogue.ts";
import type { MatmulStructure } from "../_product/tile.ts";
import { matmulKernel } from "../matmul.wgsl.ts";
import { matmulTiles, TALL } from "../matmul_tiles.ts";
import { MAPS } from "../_map.ts";
import { chainOffsetClassesKernel, distanceClassesKernel, offsetClassesKernel } from "../pair_classes.wgsl.ts";
import { pairEmbeddingKernel } from "../pair_embedding.wgsl.ts";
import { reduceKernel } from "../reduce.wgsl.ts";
import { rowLanesOf, type RowStructure } from "../_rows.ts";
import { smallestKernel } from "../smallest.wgsl.ts";
import { softmaxGradientKernel, softmaxKernel } from "../softmax.wgsl.ts";
import { expectationKernel, expectationVjpKernel } from "../softmax_expectation.wgsl.ts";
import { sparseCrossEntropyKernel, sparseCrossEntropyVjpKernel } from "../sparse_cross_entropy.wgsl.ts";
import {
  gateKernel,
  packGatedKernel,
  packKernel,
  subgroupProductKernel,
  tileProductKernel,
  ungateKernel,
} from "../triangle_product.wgsl.ts";
import { familiesOf } from "../tuning.ts";
import { checkOuterProductMean } from "./outer_product_mean.ts";

/** A kernel, and which of its bindings are of 16-bit floats. */
export type BatteryKernel = readonly [kernel: Kernel, halves?: readonly string[]];

/** An op's way there or back in one of its versions. */
export interface BatteryRow {
  readonly op: string;
  readonly pass: "forward" | "gradient";
  /** The version; `all` where there is one for all adapters. */
  readonly family: KernelFamily | "all";
  /** Its kernels, each for several structures; the last ones compile quickly. */
  readonly kernels: readonly BatteryKernel[];
  /**
   * For an op that is made of other ops' kernels: runs it on a device that has no other version; `whole` in all the ways
   * it goes about it, else in one.
   */
  readonly check?: (device: Device, whole: boolean) => Promise<ProbeOutcome>;
}

/** All rows for an adapter. */
export function batteryOf(traits: AdapterTraits): BatteryRow[] {
  const rows = (
    op: string,
    forward: readonly BatteryKernel[],
    gradient: readonly BatteryKernel[],
    family?: KernelFamily,
  ) =>
    [["forward", forward], ["gradient", gradient]].flatMap(([pass, kernels]) =>
      kernels.length ? [{ op, pass, family: family ?? "all", kernels } as BatteryRow] : []
    );
  const kernelFamilies = traits.kernelFamilies.filter((family) => family !== "matrix");
  return [
    ...traits.kernelFamilies.flatMap((family) => {
      const { forward, gradient, linear } = products(traits, family);
      return [...rows("matmul", forward, gradient, family), ...rows("linear", linear, [], family)];
    }),
    ...rows("linear", each((vector) => [[addLowRankKernel({ vector })]]), [
      ...(["relu", "sigmoid", "gelu"] as const).map((activation) =>
        [epilogueGradKernel({ activation, gate: false })] as const
      ),
      [epilogueGradKernel({ activation: "none", gate: true })],
    ]),
    ...familiesOf(traits, "attention").flatMap((family) => rows("attention", ...attention(traits, family), family)),
    ...rows("attention", [[padBiasKernel({ transposed: false })], [padBiasKernel({ transposed: true })]], [
      ...[2, 8].flatMap((d4) => each((gated) => each((packed) => [[termsKernel({ d4, gated, packed })]]))),
      [unpadBiasKernel({})],
    ]),
    ...familiesOf(traits, "triangle").flatMap((family) =>
      rows("triangleProduct", triangle(traits, family), [], family)
    ),
    ...rows("triangleProduct", [], each((aligned) => each((mask) => [[ungateKernel({ aligned, mask })]]))),
    ...kernelFamilies.flatMap((family) =>
      (["forward", "gradient"] as const).map((pass): BatteryRow => ({
        ...{ op: "outerProductMean", pass, family, kernels: [] },
        check: (device, whole) => checkOuterProductMean(device, pass, whole && family === kernelFamilies[0]),
      }))
    ),
    ...familiesOf(traits, "rows").flatMap((family) => {
      const lines = rowStructures(traits, family);
      const norms = each((gamma) => lines.map((s) => [layerNormGradientKernel({ ...s, gamma })]));
      return [
        ...rows(
          "layerNorm",
          each((gamma) => [
            ...lines.map((s): BatteryKernel => [layerNormKernel({ ...s, gamma, beta: gamma })]),
            ...lines.filter(({ vector }) => vector).map((s): BatteryKernel => [
              layerNormKernel({ ...s, gamma, beta: gamma, part: true }),
            ]),
          ]),
          norms,
          family,
        ),
        ...rows(
          "softmax",
          lines.map((s) => [softmaxKernel({ ...s, across: false })]),
          lines.map((s) => [softmaxGradientKernel({ ...s, across: false })]),
          family,
        ),
        ...rows(
          "softmaxExpectation",
          lines.map((s) => [expectationKernel(s)]),
          lines.map((s) => [expectationVjpKernel(s)]),
          family,
        ),
        ...rows(
          "crossEntropy",
          lines.flatMap((s) => [[entropyStatsKernel(s)], [sparseCrossEntropyKernel(s)]]),
          [],
          family,
        ),
      ];
    }),
    ...rows("layerNorm", [], each((vector) => [[layerNormAffineKernel({ vector })]])),
    ...rows("softmax", [[softmaxKernel(ACROSS)]], [[softmaxGradientKernel(ACROSS)]]),
    ...rows(
      "reduce",
      (["sum", "max", "min"] as const).flatMap((operation) =>
        (["rows", "columns", "single"] as const).map((layout) => [reduceKernel({ operation, layout })] as const)
      ),
      [],
    ),
    ...rows("elementwise", maps(false), maps(true)),
    ...rows("sigmoidGate", each((residual) => [[sigmoidGateKernel({ residual })]]), [
      [sigmoidGateGradientKernel({ x: true, gate: true })],
      [sigmoidGateGradientKernel({ x: true, gate: false })],
      [sigmoidGateGradientKernel({ x: false, gate: true })],
    ]),
    ...rows(
      "geglu",
      each((vector) => [[gegluKernel({ vector })]]),
      each((vector) => [[gegluGradientKernel({ vector })]]),
    ),
    ...rows(
      "embedding",
      [...each((vectors) => [[gatherKernel({ vectors })]]), [oneHotKernel]],
      each((vectors) => [[scatterKernel({ vectors })]]),
    ),
    ...rows(
      "pairs",
      [
        [digitizeKernel],
        [smallestKernel],
        ...each((marked) => [[distanceClassesKernel({ marked })]]),
        [distanceClassesKernel({ marked: true, grouped: true })],
        [offsetClassesKernel],
        [chainOffsetClassesKernel],
        ...each((vectors) => [
          ...each((all) => [[pairEmbeddingKernel({ vectors, ...everyTerm(all) })] as const]),
          [pairEmbeddingKernel({ vectors, ...everyTerm(true), residual: false, onTop: true })],
        ]),
      ],
      [],
    ),
    ...rows("frames", frames([1, 3], false), frames([2], true)),
    ...rows("dropout", each((applied) => [[dropoutKernel({ applied })]]), []),
    ...rows("copy", copies(), []),
    ...rows("concat", each((vector) => [[joinKernel({ vector })]]), each((vector) => [[splitKernel({ vector })]])),
    ...rows(
      "losses",
      [
        ...each((masked) => [SQUARED_ERROR, HUBER].map((loss) => [lossKernel({ ...loss, masked })])),
        ...each((masked) => [[entropyKernel({ masked })]]),
        [quotientKernel],
      ],
      [
        ...each((masked) => [SQUARED_ERROR, HUBER].map((loss) => [lossVjpKernel({ ...loss, masked })])),
        ...each((vector) => [[sparseCrossEntropyVjpKernel({ vector })]]),
        ...each((masked) => each((vector) => [[entropyVjpKernel({ masked, vector })]])),
      ],
    ),
  ];
}

function each(of: (yes: boolean) => readonly BatteryKernel[]): BatteryKernel[] {
  return [true, false].flatMap(of);
}

const everyTerm = (yes: boolean) => ({ left: yes, right: yes, weights: yes, bias: yes, residual: yes });

const NOTHING: Epilogue = {
  bias: true,
  activation: "switched",
  gate: false,
  residual: false,
  keepPre: false,
  carry: false,
};

/** What linear maps do to their results: first so few that each part is in one of them, then other combinations. */
const EPILOGUES: readonly Partial<Epilogue>[] = [
  { activation: "sigmoid" },
  { activation: "gelu", keepPre: true },
  { activation: "none", gate: true, residual: true },
  { carry: true },
];
const MORE_EPILOGUES: readonly Partial<Epilogue>[] = [
  {},
  { activation: "gelu" },
  { activation: "none", gate: true, keepPre: true },
  { activation: "none", residual: true },
];

/**
 * Matrix products: the built-in tile in all layouts, with all parts of epilogues and with 16-bit floats, the others there
 * and back. The family that the adapter prefers has more combinations of parts.
 */
function products(traits: AdapterTraits, family: KernelFamily) {
  const { subgroupSize, matrixUnits: units } = traits;
  const tiles = matmulTiles(traits).filter((tile) => tile.family === family);
  if (!tiles.length) return { forward: [], gradient: [], linear: [] }; // units that no tile fits
  const kernel = (tile: MatmulStructure["tile"], layout: string, more: Partial<MatmulStructure> = {}) =>
    matmulKernel({
      ...{ tile, subgroupSize, aTransposed: layout[0] === "T", bTransposed: layout[1] === "T" },
      ...(family === "matrix" && { units }),
      ...{ ragged: false, oddRows: false, epilogue: NOTHING, ...more },
    });
  const [tile, ...others] = tiles, tall = family === "subgroup" ? [TALL] : [];
  const odd = { ragged: true, oddRows: true };
  const forward: BatteryKernel[] = [
    ...[[kernel(tile, "NN")], [kernel(tile, "NN", { ragged: true })], [kernel(tile, "NT")]] as const,
    ...[...others, ...tall].map((tile) => [kernel(tile, "NN", { ragged: true })] as const),
    ...tall.map((tile) => [kernel(tile, "NT")] as const),
  ];
  const gradient: BatteryKernel[] = [
    ...["TN", "TT"].flatMap((layout): BatteryKernel[] => [[kernel(tile, layout)], [kernel(tile, layout, odd)]]),
    ...[...others, ...tall].map((tile) => [kernel(tile, "TN", odd)] as const),
    ...tall.map((tile) => [kernel(tile, "TT", odd)] as const),
  ];
  const epilogue = (more: Partial<Epilogue>) => kernel(tiles[0], "NT", { epilogue: { ...NOTHING, ...more } });
  const placed = { placed: true, onTop: true };
  const linear: BatteryKernel[] = [
    ...EPILOGUES.map((more): BatteryKernel => [epilogue(more)]),
    [epilogue({ ...placed, factor: true })],
    [epilogue({ ...placed, activation: "none", gate: true })],
    [kernel(tiles[0], "TN", { epilogue: { ...NOTHING, placed: true } })],
    [epilogue({ activation: "none", gate: true }), ["a", "gate"]],
    [epilogue({}), ["a", "c"]],
  ];
  if (family === traits.kernelFamilies[0]) {
    linear.push(...MORE_EPILOGUES.map((more): BatteryKernel => [epilogue(more)]));
    linear.push([epilogue(placed)], [epilogue(placed), ["c"]]);
  }
  if (family !== "matrix") {
    const sums = { epilogue: { ...NOTHING, bias: false, rowSums: true } };
    gradient.push(
      [kernel(tile, "TN", sums)],
      ...[...tiles, ...tall].map((tile) => [kernel(tile, "TN", { ...odd, ...sums })] as const),
    );
  }
  return { forward, gradient, linear };
}

/**
 * Attention with little and with much in it: of packed projections, of ones apart, and of so few tokens that one workgroup
 * takes many sequences.
 */
function attention(traits: AdapterTraits, family: KernelFamily): [BatteryKernel[], BatteryKernel[]] {
  const bare = { bias: false, mask: false }, full = { bias: true, mask: true };
  const packed = { Lq: 1000, Lk: 1000, packed: true }, apart = { ...packed, packed: false };
  const few = { Lq: 8, Lk: 8, packed: false };
  const structure = (pass: "forward" | "backward", d4: number, sizes: typeof packed, side: Side, flags = full) =>
    structureFor(traits, family, pass, { ...sizes, d4 }, side, flags);
  const forward = family === "tiles" ? tiledForwardKernel : forwardKernel;
  const gated = (d4: number, sizes: typeof packed): BatteryKernel => [
    forward({ ...structure("forward", d4, sizes, "q"), gated: true, record: true }),
  ];
  const there: BatteryKernel[] = [
    ...[gated(8, packed), gated(2, apart), ...(family === "plain" ? [gated(2, few)] : [])],
    [forward({ ...structure("forward", 2, packed, "q"), gated: true, record: false }), ["qkv", "out"]],
    [forward({ ...structure("forward", 8, packed, "q", bare), gated: false, record: false })],
  ];
  if (family === "tiles") { // the keys' gradients are those of the family workgroup
    return [
      there,
      [[8, packed], [2, apart]].map(([d4, sizes]) => [
        tiledQueriesKernel(structure("backward", d4 as number, sizes as typeof packed, "q")),
      ]),
    ];
  }
  const backward = (d4: number, sizes: typeof packed): BatteryKernel[] => {
    const queries = structure("backward", d4, sizes, "q");
    const bias: BatteryKernel[] = family === "workgroup"
      ? each((onTop) => [[biasKernel({ d4, packed: sizes.packed, ...full, ...(onTop && { onTop }) })]])
      : [[queriesKernel({ ...queries, sumBias: true })], [queriesKernel({ ...queries, sumBias: true, onTop: true })]];
    return [
      ...bias,
      [queriesKernel({ ...queries, sumBias: false })],
      [keysKernel(structure("backward", d4, sizes, "k"))],
    ];
  };
  const gradient = [...backward(8, packed), ...backward(2, apart)];
  if (family === "plain") gradient.push(...backward(2, few));
  if (family === familiesOf(traits, "attention")[0]) {
    gradient.push(
      [queriesKernel({ ...structure("backward", 8, packed, "q", bare), sumBias: false })],
      [keysKernel(structure("backward", 8, packed, "k", bare))],
    );
  }
  return [there, gradient];
}

/** The triangle product and what gets its operands ready; its way back is made of the same kernels. */
function triangle({ subgroupSize: lanes }: AdapterTraits, family: KernelFamily): BatteryKernel[] {
  if (family !== "subgroup") {
    return each((aligned) => [
      [tileProductKernel({ tile: family === "plain" ? 8 : 4, aligned })],
      ...each((mask) => [[gateKernel({ aligned, mask })]]),
    ]).concat([
      [tileProductKernel({ tile: family === "plain" ? 8 : 4, aligned: true }), ["x", "y", "out"]],
      ...each((mask) => [[gateKernel({ aligned: true, mask, single: true })] as const]),
    ]);
  }
  return each((aligned) => [
    ...each((whole) => [[subgroupProductKernel({ lanes, aligned, whole })]]),
    [packKernel({ aligned })],
    ...each((mask) => [[packGatedKernel({ aligned, mask })]]),
  ]).concat([
    [subgroupProductKernel({ lanes, aligned: true, whole: true }), ["x", "y", "out"]],
    [packGatedKernel({ aligned: true, mask: true }), ["packed", "a", "b_out"]],
    ...each((mask) => [[packGatedKernel({ aligned: true, mask, single: true })] as const]),
  ]);
}

/** Rows that are read in all the ways there are. */
function rowStructures(traits: AdapterTraits, family: KernelFamily): RowStructure[] {
  const lanes = rowLanesOf(traits, family);
  return [true, false].flatMap((vector) =>
    (lanes.rowLanes === 1 ? [4, 1] : [1]).map((unrolled): RowStructure => ({ vector, ...lanes, unrolled }))
  );
}

const ACROSS = { vector: true, rowLanes: 1, unrolled: 1, across: true } as const;

/** Every formula along whole vec4s, every second one broadcast, the others element by element. */
function maps(gradients: boolean): BatteryKernel[] {
  return MAPS.filter(({ source }) => source.name.includes(".vjp.") === gradients).flatMap((
    { source, kernelOf },
    at,
  ) => [
    [kernelOf({ modes: source.args.map(() => "vector"), rank: 1 })],
    at % 2
      ? [kernelOf({ modes: source.args.map((_, i) => (i % 2 ? "splat" : "vector")), rank: 2 })]
      : [kernelOf({ modes: source.args.map(() => "scalar"), rank: 3 })],
  ]);
}

/** Every formula of frames, over a line of them or a box. */
function frames(ranks: readonly number[], gradients: boolean): BatteryKernel[] {
  return FRAME_KERNELS.flatMap((kernelOf) => ranks.map((rank): BatteryKernel => [kernelOf(rank)]))
    .filter(([{ name }]) => name.includes(".vjp.") === gradients);
}

function copies(): BatteryKernel[] {
  const units = ["single", "integer", "vector", "block"] as const;
  return units.flatMap((unit) => [1, 3].map((rank): BatteryKernel => [copyKernel({ unit, rank, half: false })])).concat(
    (["vector", "block"] as const).map((unit) => [copyKernel({ unit, rank: 2, half: true }), ["source", "result"]]),
    ["source", "result"].map((half) => [copyKernel({ unit: "vector", rank: 1, half: true }), [half]]), // a cast
  );
}
