/** Sizes and choices of AlphaFold 2, and its published presets. */
import { type EvoformerConfig, evoformerConfig, extraMsaConfig } from "../evoformer/config.ts";
import { checkSize } from "../layers/config.ts";
import { MULTIMER, type MultimerConfig } from "../multimer/config.ts";
import { type HeadsConfig, headsConfig } from "./heads/config.ts";
import { type StructureConfig, structureConfig } from "./structure/config.ts";

/** How much of the alignment and of the templates the network is given. */
export interface DataConfig {
  /** Most rows in the main stack, those of templates included where they are rows. @default 512 */
  readonly maxMsaClusters: number;
  /** Most rows in the extra stack. @default 1024, or 5120 as the preset has it */
  readonly maxExtraMsa: number;
  /** Most templates; 0 for a preset without. @default 4 */
  readonly maxTemplates: number;
}

/** What the embedders read. */
export interface EmbedderConfig {
  /** Channels of `targetFeat`. @default 22, or 21 in a network for complexes */
  readonly targetChannels: number;
  /** Channels of `msaFeat`. @default 49 */
  readonly msaChannels: number;
  /** Channels of a row of the extra MSA: letters and two of deletions. @default 25 */
  readonly extraMsaChannels: number;
  /** Residues along the chain from which on all distances along it are alike. @default 32 */
  readonly maxRelativePosition: number;
}

/** How what an iteration found is fed to the next. */
export interface RecyclingConfig {
  /** Iterations after the first. @default 3, or 20 in a network for complexes */
  readonly maxRecycles: number;
  /**
   * Å: recycling ends when the distances between C-alphas have changed by less since the iteration before, in the root
   * mean square over all pairs. @default 0, which never ends it early; 0.5 in a network for complexes, where one more
   * iteration follows
   */
  readonly tolerance: number;
  /** Lower bound of the first class of distances between C-betas, Å. @default 3.25 */
  readonly minBin: number;
  /** Lower bound of the last one, Å. @default 20.75 */
  readonly maxBin: number;
  /** Classes of distance. @default 15 */
  readonly bins: number;
}

/** How templates are read. */
export interface TemplateConfig {
  /** Channels of a template's pair representation. @default 64 */
  readonly cT: number;
  /** Lower bound of the first class of distances between C-betas, Å. @default 3.25 */
  readonly minBin: number;
  /** Lower bound of the last one, Å. @default 50.75 */
  readonly maxBin: number;
  /** Classes of distance. @default 39 */
  readonly bins: number;
  /** Whether the torsion angles of templates become rows of the MSA representation. @default true */
  readonly embedAngles: boolean;
  /** Whether directions between residues are told; the published monomer models are not told them. @default false */
  readonly useUnitVector: boolean;
  /** Channels of a head of the stack's triangle attention. @default 16 */
  readonly cHiddenTriAtt: number;
  /** Its heads. @default 4 */
  readonly nHead: number;
  /** Channels of the stack's triangle multiplication. @default 64 */
  readonly cHiddenTriMul: number;
  /** Blocks of the stack. @default 2 */
  readonly nBlock: number;
  /** Factor by which its transitions widen their channels. @default 2 */
  readonly transitionN: number;
  /** Whether attention comes before multiplication in its blocks; not in AlphaFold-Multimer. @default true */
  readonly attentionFirst: boolean;
  /** Whether its triangle multiplication has maps of both edges together, as in AlphaFold-Multimer v3. @default false */
  readonly fusedTriangles: boolean;
  /** Dropout of its triangle modules' updates. @default 0.25 */
  readonly dropout: number;
  /** Channels of a head of pointwise attention. @default 16 */
  readonly cHiddenPointwise: number;
  /** Its heads. @default 4 */
  readonly nHeadPointwise: number;
}

/** What the study of the paper took away, one after the other; all are on in the published models. */
export interface Ablations {
  /** Whether templates are read. @default as the preset has it */
  readonly templates: boolean;
  /** Whether the structure module's attention knows where residues are; if not, it is attention with the pairs' bias. */
  readonly pointAttention: boolean;
  /** Whether iterations are fed to each other. */
  readonly recycling: boolean;
  /** Whether pairs are updated from triangles; if not, by attention along rows and columns. */
  readonly triangles: boolean;
  /** Whether the rows of the alignment are read; if not, only how frequent letters are in each column. */
  readonly msa: boolean;
  /**
   * Whether there are losses besides those of the structure: distogram, masked MSA, confidence, resolved atoms; for
   * `auxiliary` of `alphafoldLossConfig`.
   */
  readonly auxiliaryLosses: boolean;
}

/** Sizes and choices of the network. */
export interface AlphaFoldConfig {
  /** Name of the preset that it is, or was made of. */
  readonly name: string;
  /** Channels of the MSA representation. @default 256 */
  readonly cM: number;
  /** Channels of the pair representation. @default 128 */
  readonly cZ: number;
  /** Channels of the single representation. @default 384 */
  readonly cS: number;
  /** Whether transitions' updates are masked; AlphaFold 2 does not. @default false */
  readonly maskTrans: boolean;
  /** What the embedders read. */
  readonly embedders: EmbedderConfig;
  /** How iterations are fed to each other. */
  readonly recycling: RecyclingConfig;
  /** How templates are read; absent where none are. */
  readonly templates?: TemplateConfig;
  /** The extra-MSA stack; absent where the alignment's rows are not read. */
  readonly extraMsa?: EvoformerConfig;
  /** The Evoformer. */
  readonly evoformer: EvoformerConfig;
  /** The structure module. */
  readonly structure: StructureConfig;
  /** The heads. */
  readonly heads: HeadsConfig;
  /** How much data it is given. */
  readonly data: DataConfig;
  /** What it does without. */
  readonly ablations: Ablations;
  /** What a network for complexes has besides; absent in one for single chains. */
  readonly multimer?: MultimerConfig;
}

/** What may be given instead of a preset's own values. */
export interface AlphaFoldChoices {
  /** Channels of the MSA representation. */
  readonly cM?: number;
  /** Channels of the pair representation. */
  readonly cZ?: number;
  /** Channels of the single representation. */
  readonly cS?: number;
  /** Whether transitions' updates are masked. */
  readonly maskTrans?: boolean;
  /** What the embedders read. */
  readonly embedders?: Partial<EmbedderConfig>;
  /** How iterations are fed to each other. */
  readonly recycling?: Partial<RecyclingConfig>;
  /** How templates are read. */
  readonly templates?: Partial<TemplateConfig>;
  /** The extra-MSA stack. */
  readonly extraMsa?: Partial<Omit<EvoformerConfig, SharedSizes>>;
  /** Channels of the extra-MSA representation. @default 64 */
  readonly cExtra?: number;
  /** The Evoformer. */
  readonly evoformer?: Partial<Omit<EvoformerConfig, SharedSizes>>;
  /** The structure module. */
  readonly structure?: Partial<Omit<StructureConfig, SharedSizes>>;
  /** The heads. */
  readonly heads?: Partial<Omit<HeadsConfig, SharedSizes>>;
  /** How much data it is given. */
  readonly data?: Partial<DataConfig>;
  /** What it does without. */
  readonly ablations?: Partial<Ablations>;
  /** What a network for complexes has besides. */
  readonly multimer?: Partial<MultimerConfig>;
}

/** Sizes that several parts have in common, and choices that are made for all of them. */
export type SharedSizes = "cM" | "cZ" | "cS" | "maskTrans" | "triangles" | "pointAttention" | "multimer";

/** Name of a published model for single chains. */
export type MonomerPreset = `model_${1 | 2 | 3 | 4 | 5}${"" | "_ptm"}`;

/** Name of a published model for complexes; one without a version is of the first. */
export type MultimerPreset = `model_${1 | 2 | 3 | 4 | 5}_multimer${"" | "_v2" | "_v3"}`;

/** Name of a published model. */
export type AlphaFoldPreset = MonomerPreset | MultimerPreset;

interface Preset {
  readonly templates: boolean;
  readonly tm: boolean;
  readonly maxMsaClusters: number;
  readonly maxExtraMsa: number;
  readonly multimer?: { readonly fusedTriangles: boolean };
}

const preset = (templates: boolean, tm: boolean, maxExtraMsa = 1024): Preset => ({
  ...{ templates, tm, maxExtraMsa },
  maxMsaClusters: 512,
});

/** Of complexes: rows of clusters and templates together, and extra rows. */
const ofComplexes = (maxMsaClusters: number, maxExtraMsa: number, fusedTriangles = false): Preset => ({
  ...{ templates: true, tm: true, maxMsaClusters, maxExtraMsa },
  multimer: { fusedTriangles },
});

/**
 * The published models: which read templates, which tell aligned errors, and the rows of their extra stack.
 *
 * Source: Jumper et al. (2021), Suppl. Table 5; the published code's `model_config`.
 */
const MONOMERS: Readonly<Record<MonomerPreset, Preset>> = {
  model_1: preset(true, false, 5120),
  model_2: preset(true, false),
  model_3: preset(false, false, 5120),
  model_4: preset(false, false, 5120),
  model_5: preset(false, false),
  model_1_ptm: preset(true, true, 5120),
  model_2_ptm: preset(true, true),
  model_3_ptm: preset(false, true, 5120),
  model_4_ptm: preset(false, true, 5120),
  model_5_ptm: preset(false, true),
};

/**
 * The published models for complexes.
 *
 * Source: Evans et al. (2021), "Protein complex prediction with AlphaFold-Multimer"; the published code's `model_config`.
 */
const MULTIMERS: Readonly<Record<MultimerPreset, Preset>> = {
  model_1_multimer_v3: ofComplexes(512, 2048, true),
  model_2_multimer_v3: ofComplexes(512, 2048, true),
  model_3_multimer_v3: ofComplexes(512, 2048, true),
  model_4_multimer_v3: ofComplexes(512, 1152, true),
  model_5_multimer_v3: ofComplexes(512, 1152, true),
  model_1_multimer_v2: ofComplexes(256, 1152),
  model_2_multimer_v2: ofComplexes(256, 1152),
  model_3_multimer_v2: ofComplexes(256, 1152),
  model_4_multimer_v2: ofComplexes(256, 1152),
  model_5_multimer_v2: ofComplexes(256, 1152),
  model_1_multimer: ofComplexes(256, 1152),
  model_2_multimer: ofComplexes(256, 1152),
  model_3_multimer: ofComplexes(256, 1152),
  model_4_multimer: ofComplexes(256, 1152),
  model_5_multimer: ofComplexes(256, 1152),
};

/** Names of the published models for single chains. */
export const ALPHAFOLD_PRESETS: readonly MonomerPreset[] = Object.keys(MONOMERS) as MonomerPreset[];

/** Names of the published models for complexes. */
export const MULTIMER_PRESETS: readonly MultimerPreset[] = Object.keys(MULTIMERS) as MultimerPreset[];

const PRESETS: Readonly<Record<AlphaFoldPreset, Preset>> = { ...MONOMERS, ...MULTIMERS };

const EMBEDDERS: EmbedderConfig = {
  targetChannels: 22,
  msaChannels: 49,
  extraMsaChannels: 25,
  maxRelativePosition: 32,
};

const RECYCLING: RecyclingConfig = { maxRecycles: 3, tolerance: 0, minBin: 3.25, maxBin: 20.75, bins: 15 };

const TEMPLATES: TemplateConfig = {
  cT: 64,
  minBin: 3.25,
  maxBin: 50.75,
  bins: 39,
  embedAngles: true,
  useUnitVector: false,
  cHiddenTriAtt: 16,
  nHead: 4,
  cHiddenTriMul: 64,
  attentionFirst: true,
  fusedTriangles: false,
  nBlock: 2,
  transitionN: 2,
  dropout: 0.25,
  cHiddenPointwise: 16,
  nHeadPointwise: 4,
};

/**
 * A published model's configuration, with other values for what is given.
 *
 * @example
 * ```ts
 * import { alphafoldConfig } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 *
 * const config = alphafoldConfig("model_1_ptm", { evoformer: { nBlock: 8 } });
 * assert.equal(config.evoformer.nBlock, 8);
 * assert.equal(config.evoformer.cM, 256);
 * assert.equal(config.heads.tm, true);
 * ```
 *
 * @throws {RangeError} If there is no such preset, a size is not a positive integer, or a rate not in [0, 1).
 */
export function alphafoldConfig(name: AlphaFoldPreset, given: AlphaFoldChoices = {}): AlphaFoldConfig {
  const published: Preset | undefined = PRESETS[name];
  if (!published) {
    throw new RangeError(`There is no preset ${name}: expected one of ${Object.keys(PRESETS).join(", ")}`);
  }
  const { cM = 256, cZ = 128, cS = 384, maskTrans = false } = given;
  const ablations: Ablations = {
    templates: published.templates,
    pointAttention: true,
    recycling: true,
    triangles: true,
    msa: true,
    auxiliaryLosses: true,
    ...given.ablations,
  };
  const { triangles, pointAttention } = ablations;
  const multimer = published.multimer && { ...MULTIMER, ...given.multimer };
  const { fusedTriangles = false } = published.multimer ?? {};
  const ofStacks = { fusedTriangles, opmFirst: !!multimer };
  const ofTemplates = multimer && { fusedTriangles, attentionFirst: false, useUnitVector: true };
  const templates = ablations.templates ? { ...TEMPLATES, ...ofTemplates, ...given.templates } : undefined;
  const data = {
    maxMsaClusters: published.maxMsaClusters,
    maxExtraMsa: published.maxExtraMsa,
    maxTemplates: templates ? 4 : 0,
    ...given.data,
  };
  const recycling = {
    ...{ ...RECYCLING, ...(multimer && { maxRecycles: 20, tolerance: 0.5 }), ...given.recycling },
    ...(!ablations.recycling && { maxRecycles: 0 }),
  };
  const config: AlphaFoldConfig = {
    ...{ name, cM, cZ, cS, maskTrans, ablations, data, recycling },
    embedders: { ...EMBEDDERS, ...(multimer && { targetChannels: 21 }), ...given.embedders },
    ...(templates && { templates }),
    ...(ablations.msa && {
      extraMsa: extraMsaConfig({
        ...{ ...ofStacks, ...given.extraMsa },
        ...{ cM: given.cExtra ?? 64, cZ, cS, maskTrans, triangles },
      }),
    }),
    evoformer: evoformerConfig({ ...ofStacks, ...given.evoformer, cM, cZ, cS, maskTrans, triangles }),
    structure: structureConfig({
      ...(multimer && { transScale: 20 }),
      ...given.structure,
      ...{ cS, cZ, pointAttention, multimer: !!multimer },
    }),
    heads: headsConfig({ tm: published.tm, ...(multimer && { msaClasses: 22 }), ...given.heads, cM, cZ, cS }),
    ...(multimer && { multimer }),
  };
  checkOwn(config);
  return config;
}

/** Checks what no part's own configuration does. */
function checkOwn({ cM, cZ, cS, embedders, recycling, templates, data, multimer }: AlphaFoldConfig): void {
  const owner = "AlphaFold's";
  const sizes: Readonly<Record<string, number>> = {
    ...{ cM, cZ, cS },
    ...embedders,
    "recycling.bins": recycling.bins,
    maxMsaClusters: data.maxMsaClusters,
    maxExtraMsa: data.maxExtraMsa,
  };
  for (const [name, value] of Object.entries(sizes)) checkSize(owner, name, value);
  for (const [name, value] of Object.entries({ maxRecycles: recycling.maxRecycles, maxTemplates: data.maxTemplates })) {
    if (!(Number.isInteger(value) && value >= 0)) {
      throw new RangeError(`${owner} ${name} must be 0 or a positive integer, got ${value}`);
    }
  }
  if (!(recycling.tolerance >= 0)) {
    throw new RangeError(`${owner} recycling tolerance must be 0 Å or more, got ${recycling.tolerance}`);
  }
  checkBins("recycling", recycling);
  if (multimer) {
    const { maxRelativeChain, interfaceWeight } = multimer;
    checkSize(owner, "maxRelativeChain", maxRelativeChain);
    if (!(interfaceWeight >= 0 && interfaceWeight <= 1)) {
      throw new RangeError(`${owner} interfaceWeight must be between 0 and 1, got ${interfaceWeight}`);
    }
  }
  if (!templates) return;
  const { minBin, maxBin, dropout, ...rest } = templates;
  const numbers = Object.entries(rest).filter((entry): entry is [string, number] => typeof entry[1] !== "boolean");
  for (const [name, value] of numbers) checkSize(`${owner} templates'`, name, value);
  if (!(dropout >= 0 && dropout < 1)) {
    throw new RangeError(`${owner} templates' dropout must be at least 0 and below 1, got ${dropout}`);
  }
  checkBins("templates", { minBin, maxBin });
}

function checkBins(of: string, { minBin, maxBin }: { readonly minBin: number; readonly maxBin: number }): void {
  if (minBin >= 0 && maxBin > minBin) return;
  throw new RangeError(`AlphaFold's ${of} need 0 <= minBin < maxBin, got ${minBin} and ${maxBin}`);
}

/** Lower bounds of classes of distance, Å: evenly spaced, from the first to the last. */
export function binBounds(
  { minBin, maxBin, bins }: { readonly minBin: number; readonly maxBin: number; readonly bins: number },
): Float64Array {
  return Float64Array.from(
    { length: bins },
    (_, k) => bins === 1 ? minBin : minBin + (maxBin - minBin) * k / (bins - 1),
  );
}
