/** Samples of AlphaFold's training: which chain, which part of it, which rows of its alignment. */
import type { Key } from "../../../core/mod.ts";
import type { AlphaFoldConfig } from "../../../model/alphafold/mod.ts";
import {
  makeRecyclingInputs,
  type NetworkInputOptions,
  type NetworkInputs,
} from "../../data/features/network_inputs.ts";
import { cropInputs, cropTemplates, templateRows } from "../../data/features/crop.ts";
import { takeRows } from "../../data/features/_rows.ts";
import type { TemplateFeatures } from "../../data/features/template_feats.ts";
import { drawCrop } from "../../data/features/window.ts";
import type { ComplexInputs } from "../../data/features/complex/complex_inputs.ts";
import { cropComplexTemplates } from "../../data/features/complex/residue_rows.ts";
import { complexIterations, cropRows } from "./complex_samples.ts";
import type { PaddedSizes } from "../../predict/network_inputs.ts";
import type { FeatureFile } from "../../prep/feature_file.ts";
import { ablationsOf, type AlphaFoldOwn } from "./options.ts";

/** A sample on the CPU. */
export interface AlphaFoldSample {
  /** Name of the target. */
  readonly id: string;
  /** The target. */
  readonly file: FeatureFile;
  /** First residue of the crop. */
  readonly start: number;
  /** What the network reads of the crop, an iteration each; the last is learnt from. */
  readonly iterations: readonly (NetworkInputs | ComplexInputs)[];
  /** Residues of the crop of a complex, of several chains. @default they follow each other from `start` */
  readonly rows?: Int32Array;
  /** For each of these its place in the truth. @default itself */
  readonly trueRows?: Int32Array;
  /** Templates of the crop; absent for a network without. */
  readonly templates?: TemplateFeatures;
  /** Whether the backbone error is clamped. */
  readonly clamped: boolean;
  /** Å as which the structure counts where confidence is learnt; 0 for one that teaches none. */
  readonly resolution: number;
  /** Makes dropout's decisions. @default no dropout */
  readonly key?: Key;
  /** Sizes that it is filled up to: few different ones, so that samples share buffers. */
  readonly padded: PaddedSizes;
}

/** Short chains are filled up to a multiple of so many residues. */
const FILLED_STEP = 16;

function filledUp(size: number, most: number): number {
  return Math.min(most, Math.ceil(size / FILLED_STEP) * FILLED_STEP);
}

/** What {@linkcode makeSample} chooses from. */
export interface SampleOptions {
  /** The network. */
  readonly config: AlphaFoldConfig;
  /** How letters are hidden. */
  readonly own: AlphaFoldOwn;
  /** Sizes that samples are filled up to, templates' rows not counted. */
  readonly padded: PaddedSizes;
  /** Iterations after the first. */
  readonly recycles: number;
  /** Whether the backbone error is clamped, and crops drawn equally likely. */
  readonly clamped: boolean;
  /** Whether nothing is left to chance that need not be: the first crop, the first templates, no dropout. */
  readonly fixed?: boolean;
}

/** Sizes that all samples of a run are filled up to: no larger than its targets need. */
export function sampleSizes(
  targets: readonly { readonly residues: number; readonly rows: number }[],
  cropSize: number,
  { templates, data }: AlphaFoldConfig,
): PaddedSizes {
  const longest = Math.max(...targets.map(({ residues }) => residues));
  const deepest = Math.max(...targets.map(({ rows }) => rows));
  // Rows of templates take places of the alignment's, as in the published pipeline.
  const most = Math.max(1, data.maxMsaClusters - (templates?.embedAngles ? data.maxTemplates : 0));
  const clusters = Math.min(most, deepest);
  return {
    residues: Math.min(cropSize, longest),
    clusters,
    extra: Math.max(1, Math.min(data.maxExtraMsa, deepest - clusters)),
    templates: templates ? data.maxTemplates : 0,
  };
}

/** How letters are hidden. */
export function maskingOf(own: AlphaFoldOwn): NetworkInputOptions["maskedMsa"] {
  if (ablationsOf(own).has("masked-msa")) return false;
  const { maskFraction: replaceFraction, maskUniform: uniformProb, maskProfile: profileProb, maskSame: sameProb } = own;
  return { replaceFraction, uniformProb, profileProb, sameProb };
}

/**
 * Draws a sample of a target: a contiguous crop, of a complex one across its chains, rows and hidden letters anew for each iteration, templates.
 *
 * Source: Jumper et al. (2021), Suppl. 1.2.3 and 1.2.6 to 1.2.9.
 *
 * @param key Of all random choices; not used up.
 * @throws {RangeError} If probabilities do not fit together.
 */
export function makeSample(
  id: string,
  file: FeatureFile,
  { config, own, padded, recycles, clamped, fixed = false }: SampleOptions,
  key: Key,
): AlphaFoldSample {
  const { features, sequence } = file;
  const n = sequence.length;
  if (config.multimer) {
    const rows = cropRows(file, padded.residues, own.spatialCrop, fixed ? undefined : key.at(KEYS.crop));
    return {
      ...{
        id,
        file,
        rows,
        start: rows[0],
        clamped,
        padded: { ...padded, residues: filledUp(rows.length, padded.residues) },
      },
      resolution: file.supervised?.resolution[0] || own.assumedResolution || 0,
      iterations: complexIterations(file, rows, recycles + 1, key.at(KEYS.rows), {
        maxMsaClusters: padded.clusters,
        maxExtraMsa: padded.extra,
        maskedMsa: maskingOf(own),
      }),
      // A network for complexes takes the mean over all places for templates, whether one is there or not.
      ...(config.templates && { templates: cropComplexTemplates(drawTemplates(), n, rows) }),
      ...(!fixed && { key: key.at(KEYS.dropout) }),
    };
  }
  const { start, size } = fixed
    ? { start: 0, size: Math.min(n, padded.residues) }
    : drawCrop(n, padded.residues, clamped, key.at(KEYS.crop));
  const whole = makeRecyclingInputs(features, features, key.at(KEYS.rows), recycles + 1, {
    maxMsaClusters: padded.clusters,
    maxExtraMsa: padded.extra,
    maskedMsa: maskingOf(own),
  });
  return {
    ...{ id, file, start, clamped, padded: { ...padded, residues: filledUp(size, padded.residues) } },
    resolution: file.supervised?.resolution[0] || own.assumedResolution || 0,
    iterations: whole.map((inputs) => cropInputs(inputs, { start, size })),
    ...(config.templates && { templates: cropTemplates(drawTemplates(), n, { start, size }) }),
    ...(!fixed && { key: key.at(KEYS.dropout) }),
  };

  function drawTemplates(): TemplateFeatures {
    const there = features.template_mask.length;
    const [x] = key.at(KEYS.templateCount).uniform(1);
    const most = Math.min(padded.templates, fixed ? there : Math.floor(x * (there + 1)));
    const order = fixed ? Array.from({ length: there }, (_, i) => i) : key.at(KEYS.templates).permutation(there);
    return templateRows(features, order.slice(0, most));
  }
}

/**
 * The target with at most so many rows of its alignment: its own and others drawn at random.
 *
 * Source: Jumper et al. (2021), Suppl. 1.3, for targets with predicted structures.
 */
export function subsampled(file: FeatureFile, most: number, key: Key): FeatureFile {
  const { features, sequence: { length: n } } = file;
  const { msa, deletion_matrix_int } = features;
  const there = msa.length / n;
  if (there <= most) return file;
  const drawn = key.permutation(there - 1).slice(0, most - 1).map((row) => row + 1);
  const rows = [0, ...drawn.sort((a, b) => a - b)];
  const cut = { msa: takeRows(msa, n, rows), deletion_matrix_int: takeRows(deletion_matrix_int, n, rows) };
  return { ...file, features: { ...features, ...cut } };
}

const KEYS = { crop: 0, rows: 1, templateCount: 2, templates: 3, dropout: 4 } as const;
