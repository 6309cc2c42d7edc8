/** Predicts many targets, and keeps what is done. */
import { join } from "node:path";
import type { Device } from "../../core/mod.ts";
import { InputError } from "../errors.ts";
import type { WeightsDtype } from "../../model/weights/load_weights.ts";
import { encodeSafetensors } from "../../model/weights/safetensors.ts";
import { makeFolder, removeLeftovers, writeFileAtomic, writeTogether } from "../files.ts";
import type { CollectedTarget } from "../prep/list_targets.ts";
import { readFeatureFile } from "../prep/feature_file.ts";
import { type ComplexChain, type PreparedTarget, type PrepareOptions, prepareTarget } from "../prep/prepare_target.ts";
import { SourceReader } from "../prep/sources.ts";
import { firstOfEach } from "../search/queries.ts";
import { experimentJson, experimentsOf } from "./experiment.ts";
import { attentionFile } from "./attention_file.ts";
import type { FindAlignments } from "./find_alignments.ts";
import { noticesOf, type PlannedModel } from "./planned_model.ts";
import { heldText, type HeldWeights, type PredictOptions, predictTarget } from "./network.ts";
import { Networks } from "./networks.ts";
import { asGiven, givenOrder, reordered, reorderedSquare } from "./permute_prediction.ts";
import type { Prediction, RankBy } from "./prediction.ts";
import type { ExperimentData, TargetData } from "./report_data.ts";
import { passesPdbChains } from "./structure_texts.ts";
import { namingOf, rowsOf, targetData } from "./target_data.ts";
import { doneName, type OutputFormat, targetFiles } from "./target_files.ts";

/** Name of the file in a target's folder that the report is made of. */
export const REPORT_DATA = "report_data.json";

/** A target to predict: files, or features that were prepared. */
export type PredictTarget =
  | (CollectedTarget & { readonly featureFile?: undefined })
  | { readonly id: string; readonly featureFile: string; readonly problem?: string };

/** Choices of {@linkcode predictAll}. */
export interface PredictAllOptions
  extends Pick<PredictOptions, "maxRecycles" | "tolerance" | "maxMsaClusters" | "maxExtraMsa" | "ensemble"> {
  /** Folder of the results; each target gets one in it. */
  readonly out: string;
  /** Seeds; every network runs with each. */
  readonly seeds: readonly number[];
  /** By what predictions are ranked. */
  readonly rankBy: RankBy;
  /** Whose names the files get. */
  readonly format: OutputFormat;
  /** Whether targets that are done are predicted again. */
  readonly overwrite: boolean;
  /** How targets are prepared. */
  readonly prepare: PrepareOptions;
  /** Finds alignments for sequences that come without. @default they are predicted alone */
  readonly findAlignments?: FindAlignments;
  /** Number of the first residue, in each chain. @default that of the structure given, else 1 */
  readonly firstResidue?: number;
  /** Residues that stand for what lies between chains where a network for single chains predicts a complex. @default it refuses */
  readonly linker?: number;
  /** How weights are held on the device. @default "f32" */
  readonly weightsDtype?: WeightsDtype;
  /** Whether to write single and pair representation of the last iteration. */
  readonly saveRepresentations: boolean;
  /** Whether to write the Evoformer's attention in the last iteration. @default false */
  readonly saveAttention?: boolean;
  /** Version of denofold. */
  readonly version: string;
  /** Stops after the prediction in hand. */
  readonly signal?: AbortSignal;
  /** Refuses a target that would not fit, by throwing an InputError that says so; told its sizes. */
  readonly checkFits?: (model: PlannedModel, sizes: { residues: number; sequences: number }) => void;
  /** Told what happens. */
  readonly tell: Partial<PredictEvents>;
}

/** What is told while targets are predicted. */
export interface PredictEvents {
  /** A target begins. */
  target(id: string, index: number, count: number, residues: number): void;
  /** A network's weights are on the device. */
  loaded(preset: string, held: HeldWeights): void;
  /** A network begins with a target. */
  model(id: string, preset: string, seed: number, iterations: number): void;
  /** A block of the Evoformer is done. */
  block(iteration: number, block: number): void;
  /** An iteration is done. */
  recycle(iteration: number, meanPlddt: number, ptm: number | null, change: number | null, iptm?: number): void;
  /** A target is done. */
  done(result: TargetResult): void;
  /** Something is worth knowing. */
  warn(id: string, message: string): void;
}

/** The best prediction of a target. */
export interface BestPrediction {
  readonly name: string;
  readonly meanPlddt: number;
  readonly ptm: number | null;
  /** Interface predicted TM-score of a complex. */
  readonly iptm?: number;
  /** How near it is to the experimental structure, where one was given. */
  readonly experiment: ExperimentData["measures"] | null;
}

/** How a target ended. */
export interface TargetResult {
  /** Its name. */
  readonly id: string;
  /** `done` now, `kept` from an earlier run, or `failed`. */
  readonly status: "done" | "kept" | "failed";
  /** Its folder. */
  readonly folder: string;
  /** Residues; 0 where that is not known. */
  readonly residues: number;
  /** Why it failed. */
  readonly reason?: string;
  /** The best prediction. */
  readonly best?: BestPrediction;
  /** Seconds that it took. */
  readonly seconds: number;
  /** For the report. */
  readonly data?: TargetData;
}

/**
 * Predicts targets with networks, the shortest targets first, one folder each. A target that fails costs no other; one that
 * is done is kept, unless it is to be overwritten. Files of a target appear together, the done-marker last.
 *
 * @throws {InputError} If the folder cannot be written.
 */
export async function predictAll(
  device: Device,
  targets: readonly PredictTarget[],
  models: readonly PlannedModel[],
  options: PredictAllOptions,
): Promise<TargetResult[]> {
  const { tell, signal, out } = options;
  using networks = new Networks(device, options.weightsDtype ?? "f32", (preset, held) => tell.loaded?.(preset, held));
  const reader = new SourceReader();
  const results: TargetResult[] = [];
  const waiting: { target: PredictTarget; prepared: PreparedTarget; seconds: number }[] = [];
  const failed = (id: string, reason: string, residues = 0, seconds = 0) => {
    const result: TargetResult = { id, status: "failed", folder: join(out, id), residues, reason, seconds };
    results.push(result);
    tell.done?.(result);
  };
  for (const target of targets) {
    if (signal?.aborted) break;
    const { id, problem } = target;
    if (problem !== undefined) {
      failed(id, problem);
      continue;
    }
    const kept = options.overwrite ? undefined : await keptResult(id, join(out, id));
    if (kept) {
      results.push(kept);
      tell.done?.(kept);
      continue;
    }
    const started = performance.now();
    try {
      const prepared = target.featureFile === undefined
        ? await prepareTarget(await withAlignments(target, options.findAlignments), options.prepare, reader)
        : await readFeatureFile(target.featureFile);
      waiting.push({ target, prepared, seconds: (performance.now() - started) / 1000 });
    } catch (error) {
      failed(id, reasonOf(error));
    }
  }
  waiting.sort((a, b) => a.prepared.sequence.length - b.prepared.sequence.length);
  for (const [index, { target, prepared, seconds }] of waiting.entries()) {
    if (signal?.aborted) break;
    const residues = prepared.sequence.length;
    tell.target?.(target.id, index, waiting.length, residues);
    const started = performance.now();
    try {
      const result = await predictOne(networks, target, prepared, seconds, models, options);
      if (!result) break; // stopped
      results.push(result);
      tell.done?.(result);
    } catch (error) {
      failed(target.id, reasonOf(error), residues, (performance.now() - started) / 1000);
    }
  }
  return results;
}

/** A sequence that comes without an alignment, with what is found for it; any other target as it is. */
async function withAlignments(target: CollectedTarget, find: FindAlignments | undefined): Promise<CollectedTarget> {
  const { id, sequence, alignments = [], chains } = target;
  if (find && chains) {
    const found = new Map<string, Promise<CollectedTarget>>(); // each sequence once
    const searched: CollectedTarget[] = [];
    for (const chain of chains) {
      const key = chain.sequence ?? chain.id;
      const known = found.get(key) ?? withAlignments(chain, find);
      found.set(key, known);
      searched.push({ ...await known, id: chain.id });
    }
    const distinct = firstOfEach(chains);
    const areBare = chains.every(({ sequence, alignments = [] }) => sequence !== undefined && alignments.length === 0);
    if (!find.paired || !areBare || distinct.length < 2) return { ...target, chains: searched };
    const paired = await find.paired(id, distinct.map(({ id, sequence }) => ({ id, sequence: sequence! })));
    const pairedOf = (sequence: string | undefined) => paired[distinct.findIndex((c) => c.sequence === sequence)];
    return {
      ...target,
      chains: searched.map((chain) => ({
        ...chain,
        alignments: [...chain.alignments ?? [], ...pairedOf(chain.sequence)],
      })),
    };
  }
  if (!find || sequence === undefined || alignments.length > 0) return target;
  return { ...target, alignments: await find({ id, sequence }) };
}

/** What a failure is told as; programming errors are no failures of a target. */
export function reasonOf(error: unknown): string {
  if (error instanceof InputError || error instanceof RangeError) return error.message;
  if (error instanceof Error && error.name === "OutOfMemoryError") return error.message;
  throw error;
}

/**
 * Predicts a target that is prepared, and writes its folder.
 *
 * @returns undefined where the signal stopped it.
 */
export async function predictOne(
  networks: Networks,
  target: Pick<PredictTarget, "id">,
  prepared: PreparedTarget,
  featureSeconds: number,
  models: readonly PlannedModel[],
  options: PredictAllOptions,
): Promise<TargetResult | undefined> {
  const { out, seeds, rankBy, format, tell, signal, version } = options;
  const { sequence, features } = prepared;
  const folder = join(out, target.id);
  const started = performance.now();
  const { chains } = prepared;
  const isOfKind = ({ config }: PlannedModel) => (config.multimer !== undefined) === (chains !== undefined);
  const own = models.some(isOfKind) ? models.filter(isOfKind) : models;
  const notes = chains ? notesOf(chains, options) : [];
  for (const warning of [...prepared.warnings, ...notes]) tell.warn?.(target.id, warning);
  const predictions: Prediction[] = [];
  const extra = new Map<string, Uint8Array>();
  const held = new Map<string, HeldWeights>();
  for (const model of own) {
    options.checkFits?.(model, { residues: sequence.length, sequences: features.num_alignments[0] });
    const network = await networks.of(model);
    held.set(model.preset, network.held);
    for (const seed of seeds) {
      if (signal?.aborted) return undefined;
      const maxRecycles = options.maxRecycles ?? model.config.recycling.maxRecycles;
      tell.model?.(target.id, model.preset, seed, maxRecycles + 1);
      let iteration = 0;
      const prediction = await predictTarget(networks.device, network, features, sequence, {
        seed,
        maxRecycles,
        tolerance: options.tolerance,
        maxMsaClusters: options.maxMsaClusters,
        maxExtraMsa: options.maxExtraMsa,
        ensemble: options.ensemble,
        linker: options.linker,
        onBlock: (block) => tell.block?.(iteration, block),
        onRecycle(index, { meanPlddt, ptm, distanceChange, iptm }) {
          iteration = index + 1;
          tell.recycle?.(index, meanPlddt, ptm, distanceChange, iptm);
        },
        ...(options.saveAttention && {
          onAttention: (attention) =>
            extra.set(
              `attention_${model.preset}_seed_${seed}.safetensors`,
              attentionFile(attention, sequence.length),
            ),
        }),
        ...(options.saveRepresentations && {
          onRepresentations: (single, pair, { cS, cZ }) => {
            const name = `representations_${model.preset}_seed_${seed}.safetensors`;
            const order = chains && givenOrder(chains);
            extra.set(
              name,
              order
                ? representationFile(
                  sequence.length,
                  reordered(single, order, cS),
                  reorderedSquare(pair, order, cZ),
                  cS,
                  cZ,
                )
                : representationFile(sequence.length, single, pair, cS, cZ),
            );
          },
        }),
      });
      if (!prediction.plddt.every(Number.isFinite) || !prediction.atomPositions.every(Number.isFinite)) {
        throw new InputError(
          `${model.preset} with seed ${seed} gave numbers that are not finite; try --device another, and report it`,
        );
      }
      predictions.push(chains ? asGiven(prediction, chains) : prediction);
    }
  }
  const naming = namingOf(prepared, options.firstResidue);
  const warnings = [...noticesOf(own), ...prepared.warnings, ...notes];
  const experiments = experimentsOf(predictions, prepared, naming, (message) => warnings.push(message));
  const files = targetFiles({
    id: target.id,
    predictions,
    naming,
    alignment: rowsOf(features, sequence.length, chains),
    rankBy,
    format,
    weights: ({ preset }) => models.find((model) => model.preset === preset)!.weights + heldText(held.get(preset)!),
    adapter: networks.device.traits.description,
    version,
    config: {
      denofold: version,
      models: own.map(({ preset, weights }) => ({ preset, weights, held: held.get(preset) })),
      seeds,
      maxRecycles: options.maxRecycles ?? null,
      recycleTolerance: options.tolerance ?? null,
      maxMsa: options.maxMsaClusters ?? null,
      maxExtraMsa: options.maxExtraMsa ?? null,
      rankBy,
      adapter: networks.device.traits.description,
      intermediates: networks.device.intermediates,
      representations: networks.device.representations,
      sources: prepared.sources,
    },
    featureSeconds,
    warnings,
  });
  for (const [name, bytes] of extra) files.set(name, bytes);
  const data = targetData(target.id, prepared, predictions, naming, rankBy, warnings, files, experiments);
  if (experiments.length > 0) files.set(EXPERIMENT, experimentJson(data));
  const done = files.get(doneName(target.id))!;
  files.delete(doneName(target.id));
  files.set(REPORT_DATA, JSON.stringify(data));
  await Deno.remove(join(folder, doneName(target.id))).catch(() => {}); // what is replaced is not whole meanwhile
  await makeFolder(folder);
  await removeLeftovers(folder, [...files.keys(), doneName(target.id)]);
  await writeTogether(folder, files);
  await writeFileAtomic(join(folder, doneName(target.id)), done);
  return {
    id: target.id,
    status: "done",
    folder,
    residues: sequence.length,
    best: bestOf(data),
    seconds: featureSeconds + (performance.now() - started) / 1000,
    data,
  };
}

/** Name of the file with the measures against the experimental structure. */
const EXPERIMENT = "experiment.json";

function bestOf({ predictions: [{ name, meanPlddt, ptm, iptm, experiment }] }: TargetData): BestPrediction {
  return { name, meanPlddt, ptm, ...(iptm !== undefined && { iptm }), experiment: experiment?.measures ?? null };
}

/** What is to be known of a complex's files. */
function notesOf(chains: readonly ComplexChain[], { saveAttention }: PredictAllOptions): string[] {
  const isMoved = chains.some(({ input }, k) => input !== k);
  return [
    ...(passesPdbChains(chains.length)
      ? [`${chains.length} chains are more than PDB files can name: there are mmCIF files alone`]
      : []),
    ...(saveAttention && isMoved
      ? [
        `Residues of the attention are those of the chains ${chains.map(({ name }) => name).join(", ")}, in that order`,
      ]
      : []),
  ];
}

/** The result of a target that an earlier run finished; undefined where none did. */
async function keptResult(id: string, folder: string): Promise<TargetResult | undefined> {
  try {
    await Deno.stat(join(folder, doneName(id)));
    const data: TargetData = JSON.parse(await Deno.readTextFile(join(folder, REPORT_DATA)));
    return {
      ...{ id, folder, data },
      status: "kept",
      residues: data.sequence.length,
      best: bestOf(data),
      seconds: 0,
    };
  } catch {
    return undefined; // not done, or not whole: predicted again
  }
}

/** Single and pair representation of a prediction. */
function representationFile(n: number, single: Float32Array, pair: Float32Array, cS: number, cZ: number): Uint8Array {
  return encodeSafetensors(
    new Map([
      ["single", { dtype: "F32", shape: [n, cS], data: single }],
      ["pair", { dtype: "F32", shape: [n, n, cZ], data: pair }],
    ]),
  );
}
