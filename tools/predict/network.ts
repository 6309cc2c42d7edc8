/** AlphaFold 2 with weights, ready to predict. */
import { type Device, Key, leaves, mapTree, type Tensor, type Tree } from "../../core/mod.ts";
import {
  type AlphaFoldConfig,
  type AlphaFoldParams,
  alphafoldShapes,
  confidence,
  recycledAlphaFold,
  type RecyclingIteration,
} from "../../model/alphafold/mod.ts";
import { distogramHead, expectedDistances } from "../../model/alphafold/heads/mod.ts";
import type { AlphaFoldFeatures } from "../../model/alphafold/features.ts";
import type { AttentionCapture } from "../../model/layers/attention_capture.ts";
import { AttentionRecorder } from "../../model/layers/attention_recorder.ts";
import { layOutProjections } from "../../model/layers/packed_linear.ts";
import type { ParamShapes } from "../../model/layers/params.ts";
import { snakeCase } from "../../model/weights/names.ts";
import {
  loadWeights,
  type LoadWeightsOptions,
  type RoundingError,
  type WeightsDtype,
} from "../../model/weights/load_weights.ts";
import type { WeightEntry } from "../../model/weights/weight_file.ts";
import { ATOM14_SLOTS } from "../../model/protein/residue_constants.ts";
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import { makeAtom14Masks } from "../data/features/atom14.ts";
import { makeComplexInputs } from "../data/features/complex/complex_inputs.ts";
import { makeNetworkInputs, type NetworkInputOptions } from "../data/features/network_inputs.ts";
import type { TargetFeatures } from "../prep/target_features.ts";
import { namedShapes } from "../weights/presets.ts";
import { InputError } from "../errors.ts";
import { checkAttentionSize, type PredictionAttention } from "./attention_file.ts";
import { complexFeatures, ComplexKeys, isComplex, linkedResidueIndex } from "./complex_inputs.ts";
import { deviceFeatures, firstTemplates, paddedSizes } from "./network_inputs.ts";
import { alphasOf, type Prediction, type RecycleState } from "./prediction.ts";

/** Largest aligned error that the published networks can predict, Å. */
const MAX_PAE = 31.75;

/** A network on the device. */
export interface LoadedNetwork {
  /** Its sizes and choices. */
  readonly config: AlphaFoldConfig;
  /** Its parameters. */
  readonly params: AlphaFoldParams;
  /** How they are held. */
  readonly held: HeldWeights;
}

/** How a network's weights are held on the device. */
export interface HeldWeights {
  /** As chosen. */
  readonly dtype: WeightsDtype;
  /** Bytes that they take. */
  readonly bytes: number;
  /** What rounding cost, of the matrix that it cost most; null where none was rounded. */
  readonly error: RoundingError | null;
}

/** How weights are held, as files and reports say it; nothing where they are as they were read. */
export function heldText({ dtype, error }: HeldWeights): string {
  if (!error) return "";
  return `, held as ${dtype}: off by ${error.rms.toExponential(1)} of a matrix's root mean square at most`;
}

/**
 * Brings a network's weights to the device, one tensor at a time.
 *
 * @returns Parameters owned by the scope that is current when this is called.
 * @throws {TypeError} If a parameter is missing or has another size.
 */
export async function loadNetwork(
  device: Device,
  config: AlphaFoldConfig,
  entries: ReadonlyMap<string, WeightEntry>,
  options: LoadWeightsOptions = {},
): Promise<LoadedNetwork> {
  let error: RoundingError | null = null;
  const tensors = await loadWeights(device, entries, namedShapes(config), {
    ...options,
    onRounded(name, own) {
      options.onRounded?.(name, own);
      error = { largest: Math.max(error?.largest ?? 0, own.largest), rms: Math.max(error?.rms ?? 0, own.rms) };
    },
  });
  const bytes = [...tensors.values()].reduce((sum, tensor) => sum + tensor.bytes, 0);
  const params = paramsOf(config, tensors);
  layOutProjections(params);
  return { config, params, held: { dtype: options.dtype ?? "f32", bytes, error } };
}

/** A network's parameters from tensors under OpenFold's names. */
export function paramsOf(config: AlphaFoldConfig, tensors: ReadonlyMap<string, Tensor>): AlphaFoldParams {
  const shapes = alphafoldShapes(config) as ParamShapes;
  return mapTree<unknown, Tensor>(shapes, (_, path) => tensors.get(snakeCase(path))!) as AlphaFoldParams;
}

/** How a target is predicted. */
export interface PredictOptions {
  /** For all random choices. */
  readonly seed: number;
  /** Iterations after the first. @default as configured */
  readonly maxRecycles?: number;
  /** Å, at which recycling ends. @default as configured, 0: never early */
  readonly tolerance?: number;
  /** Most rows in the main stack, templates' rows included. @default as configured */
  readonly maxMsaClusters?: number;
  /** Most rows in the extra stack. @default as configured */
  readonly maxExtraMsa?: number;
  /** Samples of the alignment that representations are averaged over. @default 1 */
  readonly ensemble?: number;
  /** How the alignment's letters are hidden; `false`: none is. @default as in AlphaFold's training */
  readonly maskedMsa?: NetworkInputOptions["maskedMsa"];
  /**
   * Residues that stand for what lies between chains of a complex where a network for single chains predicts it.
   * @default such a network refuses complexes
   */
  readonly linker?: number;
  /** Whether sizes are filled up to few different ones, so that targets of a batch share kernels and buffers. @default true */
  readonly padding?: boolean;
  /** Receives the attention of the last iteration, for which nothing is padded. @default none is recorded */
  readonly onAttention?: (attention: PredictionAttention) => void;
  /** Receives single and pair representation of the last iteration, `[N_res, c_s]` and `[N_res, N_res, c_z]`. */
  readonly onRepresentations?: (single: Float32Array, pair: Float32Array, sizes: { cS: number; cZ: number }) => void;
  /** Receives the distogram's logits of the last iteration, `[N_res, N_res, bins]`. */
  readonly onDistogram?: (logits: Float32Array, bins: number) => void;
  /** Told of every iteration. */
  readonly onRecycle?: (index: number, state: RecycleState) => void;
  /** Told of every block of the Evoformer. */
  readonly onBlock?: (index: number) => void;
}

/**
 * Predicts a target's structure.
 *
 * @param features As `prepareTarget` makes them.
 * @param sequence One letter a residue.
 */
export async function predictTarget(
  device: Device,
  { config, params }: LoadedNetwork,
  features: TargetFeatures,
  sequence: string,
  options: PredictOptions,
): Promise<Prediction> {
  const n = sequence.length;
  const { maxRecycles = config.recycling.maxRecycles, tolerance = config.recycling.tolerance } = options;
  const { ensemble = 1, padding = !options.onAttention } = options;
  const { maxMsaClusters = config.data.maxMsaClusters, maxExtraMsa = config.data.maxExtraMsa } = options;
  const templates = config.templates ? firstTemplates(features, config.data.maxTemplates) : undefined;
  // Rows of templates take places of the alignment's, as in the published pipeline.
  const templateRows = config.templates?.embedAngles ? config.data.maxTemplates : 0;
  const clusters = Math.max(1, maxMsaClusters - templateRows);
  const key = Key.fromSeed(options.seed).split(1)[0];
  const { multimer } = config;
  if (isComplex(features) && !multimer && options.linker === undefined) {
    throw new InputError(
      `${config.name} is for single chains, the target is a complex: take weights of a multimer preset, such as ` +
        "model_1_multimer_v3, or --linker to predict it as one chain",
    );
  }
  const complex = multimer || isComplex(features) ? complexFeatures(features) : undefined;
  const keys = multimer && new ComplexKeys(options.seed);
  const linked = complex && !multimer ? linkedResidueIndex(complex, options.linker!) : undefined;
  let isLast = maxRecycles === 0;
  let featureMs = 0;
  const started = performance.now();
  const recycles: RecycleState[] = [];
  let before: Float32Array | undefined;
  using _scope = device.scope("predict");
  let current: readonly AlphaFoldFeatures[] = [];
  let msa: Int32Array = new Int32Array(0), iteration = 0;
  const recorder = options.onAttention && new AttentionRecorder({ rowMean: true });
  if (recorder) {
    checkAttentionSize(config.evoformer, n, Math.min(clusters, features.num_alignments[0]) + templateRows);
  }
  const samplesOf = (index: number): readonly AlphaFoldFeatures[] => {
    const began = performance.now();
    iteration = index;
    for (const sample of current) disposeAll(sample, sample.aatype); // the next iteration reads the types once more
    const draws = keys?.next(isLast || index === maxRecycles, ensemble);
    current = Array.from({ length: ensemble }, (_, sample) => {
      const choices = { maxMsaClusters: clusters, maxExtraMsa, maskedMsa: options.maskedMsa };
      const inputs = draws
        ? makeComplexInputs(complex!, draws[sample], choices)
        : makeNetworkInputs(features, features, key.at(index * ensemble + sample), choices);
      if (sample === 0) msa = inputs.true_msa;
      const sizes = {
        residues: n,
        clusters: inputs.msa_row_mask.length,
        extra: inputs.extra_msa_row_mask.length,
        // A network for complexes takes the mean over all places, whether a template is there or not.
        templates: multimer && templates ? placesOf(templates, config) : templates?.template_mask.length ?? 0,
      };
      return deviceFeatures(
        device,
        inputs,
        templates,
        padding ? paddedSizes(sizes) : { ...sizes, extra: Math.max(1, sizes.extra) },
        linked,
      );
    });
    featureMs += performance.now() - began;
    return current;
  };
  const hasInterfaces = !!multimer && isComplex(features) && new Set(features.asym_id).size > 1;
  const chainsOfSample = () => (hasInterfaces ? current[0].asymId : undefined);
  const stateOf = async ({ index, outputs, changeAngstrom }: RecyclingIteration): Promise<RecycleState> => {
    using _ = device.scope("state");
    const { plddt, tmScore, interfaceTmScore } = confidence(
      params.auxHeads,
      outputs,
      current[0].seqMask,
      chainsOfSample(),
    );
    const residues = (await plddt.read() as Float32Array).slice(0, n);
    const alphas = alphasOf(await outputs.positions.read() as Float32Array).slice(0, 3 * n);
    const state: RecycleState = {
      meanPlddt: mean(residues),
      ptm: tmScore ? (await tmScore.read())[0] : null,
      ...(interfaceTmScore && { iptm: (await interfaceTmScore.read())[0] }),
      distanceChange: changeAngstrom ?? (before ? changeOf(before, alphas) : null),
      alphas,
      plddt: residues,
    };
    before = alphas;
    isLast ||= tolerance > 0 && changeAngstrom !== undefined && changeAngstrom <= tolerance;
    options.onRecycle?.(index, state);
    return state;
  };
  const result = await recycledAlphaFold(params, samplesOf, config, {
    maxRecycles,
    tolerance,
    trajectory: true,
    // Which iteration is the last is known beforehand where none ends early; else later ones replace earlier ones.
    capture: recorder && onlyWhile(recorder, () => tolerance > 0 || iteration === maxRecycles),
    ...(options.onBlock && {
      onBlock(block: number) {
        device.settle(); // so that what is told has been computed
        options.onBlock!(block);
      },
    }),
    onIteration: async (iteration) => void recycles.push(await stateOf(iteration)),
  });
  const { outputs } = result;
  const told = confidence(params.auxHeads, outputs, current[0].seqMask, chainsOfSample());
  const pairs = async (x: Tensor) => square(await x.read() as Float32Array, x.shape[1], n);
  const all = (await outputs.positions.read() as Float32Array).slice(0, n * ATOM_SLOTS * 3);
  const trajectory: Float32Array[] = [];
  for (const { positions } of outputs.structure.trajectory) {
    trajectory.push(alphasOf(await positions.read() as Float32Array, ATOM14_SLOTS).slice(0, 3 * n));
  }
  if (recorder) options.onAttention!({ recorded: await recorder.recorded(), msa });
  const { z, s } = outputs;
  options.onRepresentations?.(
    (await s.read() as Float32Array).slice(0, n * config.cS),
    square(Float32Array.from(await z.read()), z.shape[1], n, config.cZ),
    { cS: config.cS, cZ: config.cZ },
  );
  if (options.onDistogram) {
    const logits = distogramHead(params.auxHeads.distogram, z), bins = logits.shape[3];
    options.onDistogram(square(await logits.read() as Float32Array, z.shape[1], n, bins), bins);
  }
  return {
    preset: config.name,
    seed: options.seed,
    sequence,
    atomPositions: all,
    atomMask: makeAtom14Masks(features.aatype).atom37_atom_exists,
    plddt: (await told.plddt.read() as Float32Array).slice(0, n),
    ...(told.alignedErrors && { pae: await pairs(told.alignedErrors), maxPae: MAX_PAE }),
    ...(told.tmScore && { ptm: recycles.at(-1)!.ptm! }),
    ...(told.tmTerms && { iptm: recycles.at(-1)!.iptm!, tmTerms: await pairs(told.tmTerms) }),
    distances: await pairs(expectedDistances(params.auxHeads.distogram, z)),
    recycles,
    trajectory,
    seconds: { features: featureMs / 1000, network: (performance.now() - started - featureMs) / 1000 },
  };
}

/** A capture that selects nothing at other times. */
export function onlyWhile(capture: AttentionCapture, wanted: () => boolean): AttentionCapture {
  return {
    select: (site) => wanted() ? capture.select(site) : undefined,
    receive: (map) => capture.receive(map),
  };
}

/** Frees a tree's tensors but one. */
function disposeAll(tree: Tree<Tensor>, but: Tensor): void {
  for (const tensor of leaves<Tensor>(tree)) if (tensor !== but) tensor.dispose();
}

/** The first `n` rows and columns of a square array, each of so many numbers. */
function square(data: Float32Array, size: number, n: number, channels = 1): Float32Array {
  const out = new Float32Array(n * n * channels);
  for (let i = 0; i < n; i++) {
    const row = i * size * channels;
    out.set(data.subarray(row, row + n * channels), i * n * channels);
  }
  return out;
}

/** Root mean square of the change of all distances between Cα, Å. */
function changeOf(before: Float32Array, after: Float32Array): number {
  const n = before.length / 3;
  const distance = (x: Float32Array, i: number, j: number) =>
    Math.hypot(x[3 * i] - x[3 * j], x[3 * i + 1] - x[3 * j + 1], x[3 * i + 2] - x[3 * j + 2]);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) sum += 2 * (distance(before, i, j) - distance(after, i, j)) ** 2;
  }
  return Math.sqrt(sum / n ** 2);
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Places for templates that a network for complexes is given: where all are empty, and so alike, one is their mean. */
export function placesOf(
  { template_mask }: { readonly template_mask: ArrayLike<number> },
  { data }: AlphaFoldConfig,
): number {
  return Array.from(template_mask).some((mask) => mask !== 0) ? data.maxTemplates : 1;
}
