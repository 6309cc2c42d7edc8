/** Choices of AlphaFold 2's training: the stages and sizes that decide their defaults, and the network and loss they make. */
import {
  ALPHAFOLD_PRESETS,
  type AlphaFoldChoices,
  type AlphaFoldConfig,
  alphafoldConfig,
  type AlphaFoldPreset,
  MULTIMER_PRESETS,
} from "../../../model/alphafold/mod.ts";
import { type AlphaFoldLossConfig, alphafoldLossConfig } from "../../../model/alphafold/losses/mod.ts";
import type { Recompute } from "../../../model/evoformer/pair_stack.ts";
import type { FloatType } from "../../../ops/mod.ts";
import { InputError } from "../../errors.ts";
import { INIT_OPTION, type OwnOption, type TrainingDefaults } from "../network.ts";
import { DEFAULT_TRAINING, type EvoformerSettings, type OwnSettings } from "../settings.ts";

/** The name in checkpoints. */
export const ALPHAFOLD = "alphafold";

/** Stages of training. */
export const STAGES = ["initial", "finetuning"] as const;

/** The small networks: of AlphaFold 2, and of AlphaFold-Multimer. */
const REDUCED_SIZES: readonly string[] = ["reduced", "reduced_multimer"];

/** Sizes of the network: the published ones, and small ones. */
export const SIZES: readonly string[] = [...ALPHAFOLD_PRESETS, ...MULTIMER_PRESETS, ...REDUCED_SIZES];

/** What a plan decides. */
export const AUTO = "auto";

const RECOMPUTE = ["nothing", "module", "block", "nested", AUTO] as const;

/** Parts that can be taken away, as in the paper's study. */
export const ABLATIONS = [
  "templates",
  "ipa",
  "recycling",
  "triangles",
  "raw-msa",
  "masked-msa",
  "auxiliary",
  "distillation",
] as const;

/** A part that can be taken away. */
export type Ablation = typeof ABLATIONS[number];

/** Choices that AlphaFold's training alone has. */
export type AlphaFoldOwn = {
  /** Stage, which decides other defaults. */
  readonly stage: typeof STAGES[number];
  /** Size, likewise. */
  readonly size: string;
  /** Parts that are taken away, with commas; null: none. */
  readonly without: string | null;
  /** Channels of the single representation. */
  readonly singleDim: number;
  /** Channels of the extra-MSA representation. */
  readonly extraDim: number;
  /** Blocks of the extra-MSA stack. */
  readonly extraBlocks: number;
  /** Iterations of the structure module. */
  readonly structureBlocks: number;
  /** Most rows of the extra stack. */
  readonly nExtra: number;
  /** Most templates; 0: the network reads none. */
  readonly templates: number;
  /** Most iterations after the first. */
  readonly recycles: number;
  /** Dropout of row attention. */
  readonly msaDropout: number;
  /** Dropout of triangle modules. */
  readonly pairDropout: number;
  /** Dropout of the template stack. */
  readonly templateDropout: number;
  /** Dropout of the structure module. */
  readonly structureDropout: number;
  /** Part of the alignment's letters that are hidden. */
  readonly maskFraction: number;
  /** Probability that a hidden letter is replaced by any amino acid. */
  readonly maskUniform: number;
  /** Probability that it is drawn from its column. */
  readonly maskProfile: number;
  /** Probability that it stays. */
  readonly maskSame: number;
  /** Part of the steps whose backbone error is not clamped. */
  readonly unclamped: number;
  /** Part of the crops of complexes that are around an interface. */
  readonly spatialCrop: number;
  /** Weights of the loss's terms. */
  readonly fapeWeight: number;
  readonly chiWeight: number;
  readonly distogramWeight: number;
  readonly msaWeight: number;
  readonly plddtWeight: number;
  readonly resolvedWeight: number;
  readonly violationWeight: number;
  readonly tmWeight: number;
  /** Decays of Adam's moments, and what is added to the root of the second. */
  readonly beta1: number;
  readonly beta2: number;
  readonly adamEps: number;
  /** Step from which on the learning rate is multiplied by `dropFactor`; null: never. */
  readonly dropStep: number | null;
  readonly dropFactor: number;
  /** Steps in a row that may be skipped. */
  readonly maxSkipped: number;
  /** Identity from which chains are in one cluster. */
  readonly clusterIdentity: number;
  /** Worst resolution, Å. */
  readonly maxResolution: number;
  /** Å that structures count as which tell no resolution, or 0; null: these teach no confidence. */
  readonly assumedResolution: number | null;
  /** Largest share of one amino acid. */
  readonly maxSingleShare: number;
  /** Lengths between which longer chains are drawn more often. */
  readonly leastLength: number;
  readonly mostLength: number;
  /** What is computed again on the way back. */
  readonly recompute: Recompute | typeof AUTO;
  /** Folder of targets with predicted structures that are learnt from too; null: none. */
  readonly distilled: string | null;
  /** Part of the samples that are of these. */
  readonly distilledShare: number;
  /** Most rows of their alignments, drawn anew for each sample. */
  readonly distilledRows: number;
  /** How what is computed again from is kept. */
  readonly activations: FloatType;
  /** File with parameters to start from; null: random ones. */
  readonly init: string | null;
};

const whole = (least: number) => (text: string) => {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : NaN;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`a whole number of at least ${least}`);
};
const between = (least: number, most: number, words: string) => (text: string) => {
  const value = text.trim() === "" ? NaN : Number(text);
  if (value >= least && value <= most) return value;
  throw new RangeError(words);
};
const share = between(0, 1, "a number from 0 to 1");
const rate = between(0, 0.999999, "a number from 0 to below 1");
const weight = between(0, 1e30, "a number of at least 0");
const text = (value: string) => value;

const WEIGHTS = {
  fapeWeight: "frame-aligned point errors",
  chiWeight: "side chains' torsions",
  distogramWeight: "distances between C-betas",
  msaWeight: "hidden letters of the alignment",
  plddtWeight: "confidence of residues",
  resolvedWeight: "atoms that the experiment shows",
  violationWeight: "bonds and clashes",
  tmWeight: "aligned errors, of networks with pTM",
} as const;

/** The choices as flags. */
export const ALPHAFOLD_OPTIONS: readonly OwnOption[] = [
  {
    ...{ name: "stage", value: "<name>", choices: STAGES, parse: text },
    description: "stage of training, which decides sizes of samples, loss and learning rate",
  },
  {
    ...{ name: "size", value: "<name>", choices: SIZES, parse: text },
    description: "the network: a published one, of complexes too, or a small one: reduced, reduced_multimer",
  },
  {
    ...{ name: "without", value: "<parts>", parse: parseWithout },
    description: `parts to take away, with commas: ${ABLATIONS.join(", ")}`,
  },
  INIT_OPTION,
  {
    ...{ name: "distilled", value: "<dir>", parse: text, isPath: true },
    description: "feature files of denofold distill, to learn from besides",
  },
  { name: "distilledShare", value: "<x>", parse: share, description: "part of the samples that are of these" },
  {
    ...{ name: "distilledRows", value: "<n>", parse: whole(1) },
    description: "most rows of their alignments, drawn anew for each sample",
  },
  { name: "singleDim", value: "<n>", parse: whole(1), description: "channels of the single representation" },
  { name: "extraDim", value: "<n>", parse: whole(1), description: "channels of the extra-MSA representation" },
  { name: "extraBlocks", value: "<n>", parse: whole(1), description: "blocks of the extra-MSA stack" },
  { name: "structureBlocks", value: "<n>", parse: whole(1), description: "iterations of the structure module" },
  { name: "nExtra", value: "<n>", parse: whole(1), description: "most rows of the extra stack" },
  { name: "templates", value: "<n>", parse: whole(0), description: "most templates; 0: the network reads none" },
  {
    ...{ name: "recycles", value: "<n>", parse: whole(0) },
    description: "most iterations after the first; a batch has 0 to so many, equally likely each",
  },
  { name: "msaDropout", value: "<x>", parse: rate, description: "dropout of row attention" },
  { name: "pairDropout", value: "<x>", parse: rate, description: "dropout of triangle modules" },
  { name: "templateDropout", value: "<x>", parse: rate, description: "dropout of the template stack" },
  { name: "structureDropout", value: "<x>", parse: rate, description: "dropout of the structure module" },
  { name: "maskFraction", value: "<x>", parse: share, description: "part of the alignment's letters that are hidden" },
  { name: "maskUniform", value: "<x>", parse: share, description: "probability that any amino acid hides a letter" },
  { name: "maskProfile", value: "<x>", parse: share, description: "probability that a letter of the column does" },
  { name: "maskSame", value: "<x>", parse: share, description: "probability that a hidden letter stays" },
  {
    ...{ name: "unclamped", value: "<x>", parse: share },
    description: "part of the steps whose backbone error is not clamped",
  },
  {
    ...{ name: "spatialCrop", value: "<x>", parse: share },
    description: "part of the crops of complexes that are around an interface; the others are parts of all chains",
  },
  ...Object.entries(WEIGHTS).map(([name, what]) => ({
    ...{ name, value: "<x>", parse: weight },
    description: `weight of the loss of ${what}`,
  })),
  { name: "beta1", value: "<x>", parse: rate, description: "decay of Adam's first moment" },
  { name: "beta2", value: "<x>", parse: rate, description: "decay of Adam's second moment" },
  { name: "adamEps", value: "<x>", parse: weight, description: "added to the root of the second moment" },
  {
    ...{ name: "dropStep", value: "<n>", parse: whole(0) },
    description: "step from which on the learning rate is multiplied by --drop-factor",
  },
  { name: "dropFactor", value: "<x>", parse: share, description: "that factor" },
  {
    ...{ name: "maxSkipped", value: "<n>", parse: whole(1) },
    description: "so many steps in a row without a finite loss and gradient end the run",
  },
  {
    ...{ name: "clusterIdentity", value: "<x>", parse: between(1e-6, 1, "a number above 0 and at most 1") },
    description: "identity from which chains are in one cluster; a chain is drawn by 1 / its cluster's size",
  },
  { name: "maxResolution", value: "<x>", parse: weight, description: "worst resolution of a structure in Å" },
  {
    ...{ name: "assumedResolution", value: "<x>", parse: between(0.1, 3, "a number from 0.1 to 3") },
    description: "resolution in Å of structures that tell none, so that confidence is learnt from them too",
  },
  { name: "maxSingleShare", value: "<x>", parse: share, description: "largest share of one amino acid in a chain" },
  {
    ...{ name: "leastLength", value: "<n>", parse: whole(1) },
    description: "chains are drawn by their length, but by no less than this",
  },
  { name: "mostLength", value: "<n>", parse: whole(1), description: "and by no more than this" },
  {
    ...{ name: "recompute", value: "<what>", choices: RECOMPUTE, parse: text },
    description: "what is computed again on the way back instead of being kept; auto: as little as fits the memory",
  },
  {
    ...{ name: "activations", value: "<type>", choices: ["f32", "f16", "bf16"], parse: text },
    description:
      "how the representations that it is computed from are kept; f16 rounds them, bf16 more, to numbers of any size",
  },
];

/** Parts by their names with commas. */
function parseWithout(given: string): string {
  const names = given.split(",").map((name) => name.trim()).filter((name) => name !== "");
  const known: readonly string[] = ABLATIONS;
  if (names.length > 0 && names.every((name) => known.includes(name))) return names.join(",");
  throw new RangeError(`parts out of ${ABLATIONS.join(", ")}`);
}

/** The parts that are taken away. */
export function ablationsOf({ without }: Pick<AlphaFoldOwn, "without">): ReadonlySet<Ablation> {
  return new Set(
    (without ?? "").split(",").filter((name): name is Ablation => (ABLATIONS as readonly string[]).includes(name)),
  );
}

const OWN: AlphaFoldOwn = {
  ...{ stage: "initial", size: "model_1_ptm", without: null, init: null },
  ...{ singleDim: 384, extraDim: 64, extraBlocks: 4, structureBlocks: 8, nExtra: 1024, templates: 4, recycles: 3 },
  ...{ msaDropout: 0.15, pairDropout: 0.25, templateDropout: 0.25, structureDropout: 0.1 },
  ...{ maskFraction: 0.15, maskUniform: 0.1, maskProfile: 0.1, maskSame: 0.1, unclamped: 0.1, spatialCrop: 0.5 },
  ...{ fapeWeight: 1, chiWeight: 1, distogramWeight: 0.3, msaWeight: 2, plddtWeight: 0.01 },
  ...{ resolvedWeight: 0, violationWeight: 0, tmWeight: 0.1 },
  ...{ beta1: 0.9, beta2: 0.999, adamEps: 1e-6, dropStep: 50_000, dropFactor: 0.95, maxSkipped: 10 },
  ...{
    clusterIdentity: 0.4,
    maxResolution: 9,
    assumedResolution: null,
    maxSingleShare: 0.8,
    leastLength: 256,
    mostLength: 512,
  },
  ...{ recompute: "block", activations: "f32", distilled: null, distilledShare: 0.75, distilledRows: 1000 },
};

/**
 * The initial stage: 10 million samples in batches of 128, 128,000 of warm-up, the drop after 6.4 million.
 *
 * Source: Jumper et al. (2021), Suppl. Table 4 and 1.11.
 */
const INITIAL: TrainingDefaults<EvoformerSettings> & { readonly own: AlphaFoldOwn } = {
  model: { network: ALPHAFOLD, msaDim: 256, pairDim: 128, numBlocks: 48, numSeqs: 128, seqLen: 256 },
  training: {
    ...DEFAULT_TRAINING,
    ...{ numSteps: 78_125, batchSize: 128, learningRate: 1e-3, weightDecay: 0, lrWarmupSteps: 1000 },
    ...{ maxNorm: 0.1, ema: 0.999 },
  },
  own: OWN,
};

/** Fine-tuning: 1.5 million samples more of larger crops at half the rate, with violations and resolved atoms. */
const FINETUNING: typeof INITIAL = {
  model: { ...INITIAL.model, numSeqs: 512, seqLen: 384 },
  training: { ...INITIAL.training, numSteps: 11_719, learningRate: 5e-4, lrWarmupSteps: 0 },
  own: { ...OWN, stage: "finetuning", nExtra: 5120, resolvedWeight: 0.01, violationWeight: 1, dropStep: null },
};

/** Hidden sizes of the small network. */
const REDUCED: AlphaFoldChoices = {
  evoformer: {
    ...{ cHiddenMsaAtt: 16, cHiddenOpm: 16, cHiddenMul: 48, cHiddenPairAtt: 12, nHeadMsa: 4, nHeadPair: 4 },
    transitionN: 2,
  },
  extraMsa: {
    ...{ cHiddenMsaAtt: 8, cHiddenOpm: 16, cHiddenMul: 48, cHiddenPairAtt: 12, nHeadMsa: 2, nHeadPair: 4 },
    transitionN: 2,
  },
  structure: { cIpa: 16, cResnet: 64, nHeadIpa: 8, nQkPoints: 4, nVPoints: 8 },
  templates: {
    ...{ cT: 24, cHiddenTriAtt: 8, nHead: 2, cHiddenTriMul: 24, nBlock: 1, cHiddenPointwise: 8, nHeadPointwise: 2 },
  },
  heads: { plddtHidden: 64, tm: true },
};

/** A stage on the small network, with samples that a processor trains in a second or two. */
function reduced({ model, training, own }: typeof INITIAL, size: string): typeof INITIAL {
  const isInitial = own.stage === "initial";
  return {
    model: {
      ...model,
      msaDim: 64,
      pairDim: 48,
      numBlocks: 6,
      numSeqs: isInitial ? 16 : 32,
      seqLen: isInitial ? 64 : 96,
    },
    training: {
      ...training,
      ...{ numSteps: isInitial ? 4000 : 1000, batchSize: 2, lrWarmupSteps: isInitial ? 100 : 0 },
    },
    own: {
      ...{ ...own, size, singleDim: 96, extraDim: 16, extraBlocks: 1, nExtra: isInitial ? 32 : 64 },
      ...{ templates: 0, dropStep: isInitial ? 2500 : null },
    },
  };
}

/** Defaults at a stage and a size. */
export function alphafoldDefaults(
  { stage = OWN.stage, size = OWN.size }: OwnSettings = {},
): TrainingDefaults<EvoformerSettings> & { readonly own: AlphaFoldOwn } {
  const found = stage === "finetuning" ? FINETUNING : INITIAL;
  if (REDUCED_SIZES.includes(String(size))) return reduced(found, String(size));
  const config = alphafoldConfig(presetOf(String(size)));
  const templates = config.templates ? found.own.templates : 0;
  const tmWeight = config.heads.tm ? found.own.tmWeight : 0;
  return { ...found, own: { ...found.own, size: String(size), templates, tmWeight } };
}

/** Choices of a run, those that are not there by their defaults. */
export function alphafoldOwn(own: OwnSettings = {}): AlphaFoldOwn {
  return { ...alphafoldDefaults(own).own, ...own } as AlphaFoldOwn;
}

function presetOf(size: string): AlphaFoldPreset {
  const found = [...ALPHAFOLD_PRESETS, ...MULTIMER_PRESETS].find((name) => name === size);
  if (!found) throw new InputError(`There is no network of size ${size}: expected one of ${SIZES.join(", ")}`);
  return found;
}

/**
 * The network's configuration.
 *
 * @throws {InputError} If sizes do not fit together.
 */
export function alphafoldConfigOf(model: EvoformerSettings, own: AlphaFoldOwn): AlphaFoldConfig {
  const isReduced = REDUCED_SIZES.includes(own.size);
  const gone = ablationsOf(own);
  const templates = own.templates > 0 && !gone.has("templates");
  const hidden = isReduced ? REDUCED : {};
  const { msaDropout, pairDropout } = own;
  try {
    const small = own.size === "reduced_multimer" ? "model_1_multimer_v3" : templates ? "model_1_ptm" : "model_3_ptm";
    return alphafoldConfig(isReduced ? small : presetOf(own.size), {
      ...{ cM: model.msaDim, cZ: model.pairDim, cS: own.singleDim, cExtra: own.extraDim },
      evoformer: { ...hidden.evoformer, nBlock: model.numBlocks, msaDropout, pairDropout },
      extraMsa: { ...hidden.extraMsa, nBlock: own.extraBlocks, msaDropout, pairDropout },
      templates: { ...hidden.templates, dropout: own.templateDropout },
      structure: { ...hidden.structure, nBlock: own.structureBlocks, dropout: own.structureDropout },
      ...(hidden.heads && { heads: hidden.heads }),
      recycling: { maxRecycles: own.recycles },
      data: { maxMsaClusters: model.numSeqs, maxExtraMsa: own.nExtra, maxTemplates: templates ? own.templates : 0 },
      ablations: {
        templates,
        pointAttention: !gone.has("ipa"),
        recycling: !gone.has("recycling"),
        triangles: !gone.has("triangles"),
        msa: !gone.has("raw-msa"),
        auxiliaryLosses: !gone.has("auxiliary"),
      },
    });
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(error.message);
    throw error;
  }
}

/** The loss: the stage's, with the weights as chosen. */
export function alphafoldLossOf(config: AlphaFoldConfig, own: AlphaFoldOwn): AlphaFoldLossConfig {
  const gone = ablationsOf(own);
  const { heads: { tm }, ablations: { auxiliaryLosses: auxiliary } } = config;
  const stage = alphafoldLossConfig(own.stage, { tm, auxiliary, multimer: config.multimer !== undefined });
  const weighed = <T extends { readonly weight: number }>(term: T, weight: number) => ({ ...term, weight });
  const auxiliaryWeight = (weight: number) => (auxiliary ? weight : 0);
  return {
    fape: weighed(stage.fape, own.fapeWeight),
    supervisedChi: weighed(stage.supervisedChi, own.chiWeight),
    distogram: weighed(stage.distogram, auxiliaryWeight(own.distogramWeight)),
    maskedMsa: weighed(stage.maskedMsa, gone.has("masked-msa") ? 0 : auxiliaryWeight(own.msaWeight)),
    plddt: weighed(stage.plddt, auxiliaryWeight(own.plddtWeight)),
    experimentallyResolved: weighed(stage.experimentallyResolved, auxiliaryWeight(own.resolvedWeight)),
    violation: weighed(stage.violation, own.violationWeight),
    tm: weighed(stage.tm, tm ? auxiliaryWeight(own.tmWeight) : 0),
    chainCenterOfMass: stage.chainCenterOfMass,
  };
}
