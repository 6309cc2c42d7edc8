import type { Device, Tensor, Tree } from "../../core/mod.ts";
import { add, multiplyScalar } from "../../ops/mod.ts";
import { type CaptureOptions, inBlock } from "../layers/attention_capture.ts";
import { type Coupling, couplingOf, reversible } from "../layers/reversible.ts";
import { step } from "../layers/step.ts";
import type { Trunk2021Config } from "./config.ts";
import { layoutsOfLayer } from "./block_sparse.ts";
import { type LayerLayouts, type LayerPart, partsOfLayer, type Trunk2021Masks } from "./layer.ts";
import type { Trunk2021Layer } from "./params.ts";

/** The representations that the trunk updates. */
export type Trunk2021Representations = {
  /** Pairs, `[batch, N_res, N_res, dim]`. */
  readonly x: Tensor;
  /** The MSA, or embeddings of pairs in its place, `[batch, N_seq, N, dim]`. @default pairs are updated alone */
  readonly m?: Tensor;
};

/**
 * All layers, one after the other. A reversible trunk runs on two copies of each representation, of which each update
 * reads one and changes the other, and returns their mean; its way back computes activations again.
 *
 * Source: for the reversible trunk Gomez et al. (2017), "The reversible residual network".
 *
 * @returns Owned by the current scope.
 */
export function trunk2021Layers(
  device: Device,
  layers: readonly Trunk2021Layer[],
  { x, m }: Trunk2021Representations,
  masks: Trunk2021Masks,
  config: Trunk2021Config,
  { capture }: CaptureOptions = {},
): Trunk2021Representations {
  const parts = layers.map((layer, i) =>
    partsOfLayer(layer, config, m !== undefined, { capture: inBlock(capture, i), layouts: layoutsAt(i, config) })
  );
  if (config.reversible) {
    const kept = partsToKeep(parts.at(-1) ?? []);
    const streams = reversible(device, couplingsOf(parts.flat()), m ? [x, x, m, m] : [x, x], masks, { kept });
    const [mean, msaMean] = [0, 2].map((at) => streams[at] && multiplyScalar(add(streams[at], streams[at + 1]), 0.5));
    return { x: mean, m: msaMean };
  }
  const state = { x, m };
  for (const [i, layer] of parts.entries()) {
    using scope = device.scope(`layer/${i}`);
    for (const { name, of, kind, params, run } of layer) {
      const own = state[of]!;
      const reads = { params, own, context: kind === "cross" ? state[of === "x" ? "m" : "x"] : undefined, masks };
      state[of] = scope.keep(step(device, name, reads, (reads) => run({ ...reads, residual: reads.own })));
    }
  }
  return state;
}

/** The layouts of a layer, by its flags. */
function layoutsAt(layer: number, config: Trunk2021Config): LayerLayouts {
  const { sparseSelfAttn, sparseCrossAttn, quirks } = config;
  const isSet = (flags: boolean | readonly boolean[]) => typeof flags === "boolean" ? flags : flags[layer];
  const { self, cross } = layoutsOfLayer(layer, config);
  return {
    // DEVIATION(original): a list of flags, whatever they are, makes the attention of pairs sparse in all layers
    pairs: (quirks ? sparseSelfAttn !== false : isSet(sparseSelfAttn)) ? self : undefined,
    msa: isSet(sparseSelfAttn) ? self : undefined,
    cross: isSet(sparseCrossAttn) ? cross : undefined,
  };
}

/**
 * How many parts at the end of a layer are kept: cross attention with its maps, or the only map. Their activations take about as
 * much memory as undoing the self attention of pairs does.
 */
function partsToKeep(parts: readonly LayerPart[]): number {
  const cross = parts.findIndex(({ kind }) => kind === "cross");
  return cross < 0 ? Math.min(1, parts.length) : parts.length - cross;
}

/** The places of a representation's two halves among the streams. */
const HALVES = { x: [0, 1], m: [2, 3] } as const;

/** Attention reads the second halves and adds to the first one, feed-forward maps the other way round. */
export function couplingsOf(parts: readonly LayerPart[]): Coupling[] {
  return parts.map(({ name, of, kind, params, run }) => {
    const [first, second] = HALVES[of];
    const other = HALVES[of === "x" ? "m" : "x"][1];
    const [target, sources] = kind === "feedForward"
      ? [second, [first]]
      : [first, kind === "cross" ? [second, other] : [second]];
    return couplingOf<Tree<Tensor>, Trunk2021Masks>({
      ...{ name, target, sources, params },
      update: ({ params, sources: [own, context], constants: masks, residual }) =>
        run({ params, own, context, masks, residual }),
    });
  });
}
