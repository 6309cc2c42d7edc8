import { type Device, type Key, noGrad, type Tensor } from "../../core/mod.ts";
import {
  add,
  addScalar,
  broadcastTo,
  concat,
  divide,
  multiply,
  multiplyScalar,
  oneHot,
  reshape,
  slice,
  sum,
  where,
} from "../../ops/mod.ts";
import type { BlockOptions, Recompute } from "../evoformer/pair_stack.ts";
import { evoformerStack, extraMsaStack } from "../evoformer/stack.ts";
import type { AttentionCapture } from "../layers/attention_capture.ts";
import { asGiven, asKept } from "../layers/representation.ts";
import { RESIDUE_TYPES } from "../protein/residue_constants.ts";
import { RESIDUE_LETTERS, SLOT } from "../protein/residues.ts";
import type { AlphaFoldConfig } from "./config.ts";
import { embedExtraMsa } from "./embedders/extra_msa_embedder.ts";
import { embedMsa, embedPairs } from "./embedders/input_embedder.ts";
import { type Recycled, recycledPairs, recycledRow } from "./embedders/recycling_embedder.ts";
import { type AlphaFoldFeatures, chainIdsOf, checkFeatures } from "./features.ts";
import type { AlphaFoldParams } from "./params.ts";
import { atom14ToAtom37 } from "./structure/atom14_to_atom37.ts";
import { structureModule, type StructureOutputs } from "./structure/structure_module.ts";
import { addMultimerTemplatePairs, multimerTemplateRows } from "../multimer/templates/template_embedder.ts";
import { addTemplatePairs, templateRows } from "./templates/template_embedder.ts";

/** How an iteration runs. */
export interface AlphaFoldOptions {
  /** Makes dropout's decisions; it is not used up, keys are derived from it. @default no dropout */
  readonly key?: Key;
  /** What is computed again on the way back instead of being kept. @default "nothing" */
  readonly recompute?: Recompute;
  /** Receives attention probabilities of the Evoformer. @default nobody does */
  readonly capture?: AttentionCapture;
  /** Told of the representations after each block of the Evoformer. @default nobody is */
  readonly onBlock?: BlockOptions["onBlock"];
  /** Whether the MSA representation is given back, as the masked-MSA head needs it. @default true */
  readonly msa?: boolean;
  /** Whether the structure module gives all its iterations, as losses need them, or the last alone. @default true */
  readonly trajectory?: boolean;
  /** Whether what the last iteration left is not needed any more: it is disposed of once read. @default false */
  readonly consume?: boolean;
}

/** What an iteration gives. */
export type AlphaFoldRepresentations = {
  /** MSA representation without rows of templates, `[batch, N_seq, N_res, c_m]`, if it is wanted. */
  readonly m?: Tensor;
  /** Pair representation, `[batch, N_res, N_res, c_z]`, in 16 bits where the device keeps it so. */
  readonly z: Tensor;
  /** Single representation, `[batch, N_res, c_s]`. */
  readonly s: Tensor;
  /** First row of the MSA representation, `[batch, N_res, c_m]`. */
  readonly firstRow: Tensor;
};

/** What an iteration gives. */
export type AlphaFoldOutputs = AlphaFoldRepresentations & {
  /** The structure, from iteration to iteration of its module. */
  readonly structure: StructureOutputs;
  /** Atoms, Å, `[batch, N_res, 37, 3]`; 0 where a residue type has none. */
  readonly positions: Tensor;
};

/** Numbers from which the keys of the parts' dropouts are derived. */
const KEYS = { templates: 0, extraMsa: 1, evoformer: 2, structure: 3, sample: 4 } as const;

/** Added to the number of rows that a mean is over. */
const EPS = 1e-8;

/**
 * One iteration of AlphaFold 2: from features to representations and a structure.
 *
 * Where features of several samples of the alignment are given, the representations are averaged over them, but for that
 * of the MSA, which is the first one's.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 2 "Inference", lines 4-18, in the order of the published code.
 *
 * @param features Of one sample of the alignment, or of several.
 * @param recycled What the iteration before left. @default nothing: this is the first one
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function alphafold(
  params: AlphaFoldParams,
  features: AlphaFoldFeatures | readonly AlphaFoldFeatures[],
  recycled: Recycled | undefined,
  config: AlphaFoldConfig,
  options: AlphaFoldOptions = {},
): AlphaFoldOutputs {
  const samples: readonly AlphaFoldFeatures[] = Array.isArray(features) ? features : [features as AlphaFoldFeatures];
  if (!samples.length) throw new TypeError("Cannot run alphafold: it needs features of one sample at least");
  const [first] = samples;
  const { device } = first.aatype;
  for (const sample of samples) checkFeatures(sample, config);
  using scope = device.scope("alphafold");
  const { key } = options;
  const representations = averaged(
    device,
    samples.map((sample, i) => () =>
      represent(params, sample, recycled, config, {
        ...options,
        ...(i > 0 && { key: key?.at(KEYS.sample + i), msa: false, capture: undefined, onBlock: undefined }),
        consume: options.consume && i === samples.length - 1,
      })
    ),
  );
  const { z, s } = representations;
  const structure = structureModule(
    params.structureModule,
    { s, z, aatype: first.aatype, mask: first.seqMask },
    config.structure,
    {
      ...{ key: key?.at(KEYS.structure), trajectory: options.trajectory },
      recompute: options.recompute !== undefined && options.recompute !== "nothing",
    },
  );
  const { residxAtom37ToAtom14, atom37AtomExists } = first;
  const positions = atom14ToAtom37(structure.last.positions, residxAtom37ToAtom14, atom37AtomExists);
  return scope.keep({ ...representations, structure, positions });
}

/**
 * The part of an iteration before the structure module, for what reads representations alone.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 2 "Inference", lines 5-17.
 *
 * @param options No MSA representation is given back unless it is asked for.
 * @returns Owned by the current scope.
 * @throws {TypeError} If shapes do not fit together.
 */
export function alphafoldRepresentations(
  params: AlphaFoldParams,
  features: AlphaFoldFeatures,
  recycled: Recycled | undefined,
  config: AlphaFoldConfig,
  options: AlphaFoldOptions = {},
): AlphaFoldRepresentations {
  checkFeatures(features, config);
  return represent(params, features, recycled, config, { msa: false, ...options });
}

/** What an iteration leaves to the next; gradients do not flow through it. Owned by the current scope. */
export function recycledOf({ firstRow, z, positions }: AlphaFoldOutputs, aatype: Tensor): Recycled {
  const { device } = z;
  return noGrad(device, () => ({
    m: device.view(firstRow, firstRow.shape),
    z: device.view(z, z.shape),
    positions: pseudoBeta(positions, aatype),
  }));
}

/** Representations of one sample of the alignment. */
function represent(
  params: AlphaFoldParams,
  features: AlphaFoldFeatures,
  recycled: Recycled | undefined,
  config: AlphaFoldConfig,
  options: AlphaFoldOptions,
): AlphaFoldRepresentations {
  const { key, recompute, capture, onBlock, msa = true } = options;
  const { targetFeat, seqMask, templates } = features;
  const { device, shape: [batch, nRes] } = features.aatype;
  using scope = device.scope("representations");
  const pairMask = seqMask && multiply(reshape(seqMask, [batch, nRes, 1]), reshape(seqMask, [batch, 1, nRes]));

  let z = asKept(firstPairs(params, features, recycled, config, options), { consume: true }); // lines 5 and 6
  if (config.templates && params.templateEmbedder && templates) {
    const { triangles } = config.ablations;
    const options = {
      ...{ pairMask, maskTrans: config.maskTrans, triangles, recompute },
      ...{ key: key?.at(KEYS.templates), consume: !device.tape },
    };
    const embedder = params.templateEmbedder;
    const told = "linearT" in embedder
      ? addMultimerTemplatePairs(embedder, z, templates, chainIdsOf(features).asymId, config.templates, options)
      : addTemplatePairs(embedder, z, templates, config.templates, options); // lines 9-13
    z.dispose();
    z = told;
  }
  if (config.extraMsa && params.extraMsaStack && params.extraMsaEmbedder && features.extraMsa) {
    const { mask, ...rows } = features.extraMsa;
    const extra = embedExtraMsa(params.extraMsaEmbedder, rows); // line 14
    z = extraMsaStack(params.extraMsaStack, { m: extra, z, msaMask: mask, pairMask }, config.extraMsa, {
      ...{ key: key?.at(KEYS.extraMsa), recompute, consume: true },
    }); // line 15
  }

  const { m, msaMask, nSeq } = firstRows(params, features, recycled, config, targetFeat);
  const updated = evoformerStack(params.evoformer, { m, z, msaMask, pairMask }, config.evoformer, {
    ...{ key: key?.at(KEYS.evoformer), recompute, capture, onBlock, msa, consume: true },
  }); // line 16
  const rows = (n: number) => slice(updated.m, [0, 0, 0, 0], [batch, n, nRes, config.cM]);
  const kept = {
    z: updated.z,
    s: updated.s,
    firstRow: reshape(rows(1), [batch, nRes, config.cM]),
    ...(msa && { m: nSeq === updated.m.shape[1] ? updated.m : rows(nSeq) }),
  };
  return scope.keep(kept);
}

/** The pair representation before templates and alignment: Alg. 2, lines 5 and 6. */
function firstPairs(
  { inputEmbedder, recyclingEmbedder }: AlphaFoldParams,
  features: AlphaFoldFeatures,
  recycled: Recycled | undefined,
  config: AlphaFoldConfig,
  { consume }: AlphaFoldOptions,
): Tensor {
  const { device } = features.targetFeat;
  using scope = device.scope("embedPairs");
  const { targetFeat, residueIndex } = features;
  const { multimer } = config;
  const inputs = { targetFeat, residueIndex, ...(multimer && { ...multimer, chains: chainIdsOf(features) }) };
  if (recycled) {
    const residual = recycledPairs(recyclingEmbedder, recycled, config.recycling, { consume });
    return scope.keep(embedPairs(inputEmbedder, inputs, residual, { consume: true }));
  }
  // Normalized zeros are the normalization's bias, and no distance between zeros has a class.
  const biases = [inputEmbedder.linearRelpos.bias, recyclingEmbedder.linear.bias, recyclingEmbedder.layerNormZ.bias]
    .filter((term) => !!term);
  const linearRelpos = { ...inputEmbedder.linearRelpos, bias: biases.length ? biases.reduce(add) : undefined };
  return scope.keep(embedPairs({ ...inputEmbedder, linearRelpos }, inputs));
}

/** The MSA representation before the Evoformer, with rows of templates behind its own: Alg. 2, lines 5-8. */
function firstRows(
  { inputEmbedder, recyclingEmbedder, templateEmbedder }: AlphaFoldParams,
  features: AlphaFoldFeatures,
  recycled: Recycled | undefined,
  { ablations, cM }: AlphaFoldConfig,
  targetFeat: Tensor,
): { m: Tensor; msaMask: Tensor | undefined; nSeq: number } {
  const { device, shape: [batch, nRes] } = features.aatype;
  using scope = device.scope("embedRows");
  const read = ablations.msa ? features : frequencies(features);
  const nSeq = read.msaFeat.shape[1];
  const firstRow = recycled ? recycledRow(recyclingEmbedder, recycled.m) : recyclingEmbedder.layerNormM.bias &&
    broadcastTo(reshape(recyclingEmbedder.layerNormM.bias, [1, 1, cM]), [batch, nRes, cM]);
  const { templates } = features;
  const embedder = templateEmbedder?.templateSingleEmbedder;
  if (!templates || !embedder) {
    const m = embedMsa(inputEmbedder, targetFeat, read.msaFeat, firstRow);
    return { ...scope.keep({ m, msaMask: read.msaMask }), nSeq };
  }
  const { rows, mask } = "templateProjector" in embedder
    ? multimerTemplateRows(embedder, templates)
    : templateRows(embedder, templates);
  const m = embedMsa(inputEmbedder, targetFeat, read.msaFeat, firstRow, rows);
  const msaMask = read.msaMask ?? ones(device, [batch, nSeq, nRes]);
  return { ...scope.keep({ m, msaMask: concat([msaMask, mask], 1) }), nSeq };
}

/**
 * The alignment as one row: the target's, with how frequent letters are in each column in the mean over the clusters.
 *
 * Source: Jumper et al. (2021), Suppl. 1.13, the ablation without raw MSA.
 */
function frequencies({ msaFeat, msaMask }: AlphaFoldFeatures): { msaFeat: Tensor; msaMask: Tensor | undefined } {
  const [batch, nSeq, nRes, channels] = msaFeat.shape;
  const OWN = 25; // letter and deletions of a row; the cluster's profile and mean deletion follow
  const own = slice(msaFeat, [0, 0, 0, 0], [batch, 1, nRes, OWN]);
  const profiles = slice(msaFeat, [0, 0, 0, OWN], [batch, nSeq, nRes, channels]);
  const mask = msaMask && reshape(msaMask, [...msaMask.shape, 1]);
  const total = sum(mask ? multiply(profiles, mask) : profiles, { axes: [1], keepDims: true });
  const mean = mask
    ? divide(total, addScalar(sum(mask, { axes: [1], keepDims: true }), EPS))
    : multiplyScalar(total, 1 / nSeq);
  return { msaFeat: concat([own, mean], -1), msaMask: msaMask && slice(msaMask, [0, 0, 0], [batch, 1, nRes]) };
}

/** The mean of representations of several samples; the MSA's is that of the first. */
function averaged(device: Device, samples: readonly (() => AlphaFoldRepresentations)[]): AlphaFoldRepresentations {
  const first = samples[0]();
  if (samples.length === 1) return first;
  let { m: _, ...total } = { ...first, z: asGiven(first.z) };
  for (const sample of samples.slice(1)) {
    using scope = device.scope("sample");
    const { z, s, firstRow } = sample();
    const sums = { z: add(total.z, asGiven(z)), s: add(total.s, s), firstRow: add(total.firstRow, firstRow) };
    for (const tensor of Object.values(total)) tensor.dispose();
    total = scope.keep(sums);
  }
  const mean = (x: Tensor) => {
    const scaled = multiplyScalar(x, 1 / samples.length);
    x.dispose();
    return scaled;
  };
  return { m: first.m, z: mean(total.z), s: mean(total.s), firstRow: mean(total.firstRow) };
}

/**
 * C-betas, or C-alphas of glycines.
 *
 * @param positions `[batch, N_res, 37, 3]`.
 * @param aatype i32 `[batch, N_res]`.
 * @returns `[batch, N_res, 3]`, owned by the current scope.
 */
export function pseudoBeta(positions: Tensor, aatype: Tensor): Tensor {
  const { device, shape: [batch, nRes] } = positions;
  using scope = device.scope("pseudoBeta");
  const glycine = RESIDUE_LETTERS.indexOf("G");
  const isGlycine = slice(oneHot(aatype, RESIDUE_TYPES), [0, 0, glycine], [batch, nRes, glycine + 1]);
  return scope.keep(where(isGlycine, atomPositions(positions, SLOT.CA), atomPositions(positions, SLOT.CB)));
}

/** Positions of an atom, `[batch, N_res, 3]`. */
export function atomPositions(positions: Tensor, slot: number): Tensor {
  const [batch, nRes] = positions.shape;
  return reshape(slice(positions, [0, 0, slot, 0], [batch, nRes, slot + 1, 3]), [batch, nRes, 3]);
}

function ones(device: Device, shape: readonly number[]): Tensor {
  return addScalar(device.zeros(shape), 1);
}
