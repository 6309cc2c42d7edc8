/** Predicts the pairs of a screen one after the other, and keeps of each no more than its scores. */
import { join } from "node:path";
import type { Device } from "../../core/mod.ts";
import { writeFileAtomic } from "../files.ts";
import { sha256 } from "../sha256.ts";
import type { ReadingLog } from "../prep/read_target.ts";
import { FEATURE_VERSION } from "../prep/feature_file.ts";
import { joinChains } from "../prep/prepare_complex.ts";
import type { PreparedTarget, PrepareOptions } from "../prep/prepare_target.ts";
import type { PlannedModel } from "../predict/planned_model.ts";
import { Networks } from "../predict/networks.ts";
import type { TargetData } from "../predict/report_data.ts";
import { type PredictAllOptions, predictOne, reasonOf, REPORT_DATA } from "../predict/run.ts";
import type { ChainStore } from "./chain_store.ts";
import type { ScreenPair } from "./pairs.ts";
import { pairScores, type ScreenRow } from "./table.ts";

/** Choices of {@linkcode runScreen}. */
export interface ScreenOptions extends Omit<PredictAllOptions, "prepare" | "findAlignments" | "saveRepresentations"> {
  /** How rows are paired. @default as published */
  readonly complex?: PrepareOptions["complex"];
  /** Told of each pair when it is done. */
  readonly onPair?: (row: ScreenRow, done: number) => void;
}

/** Name of the file in a pair's folder that is written last: its scores, and what they were made of. */
const PAIR_FILE = "pair.json";

/**
 * Predicts pairs in their order. One that is done with the same chains, networks and choices is read instead; one that
 * fails costs no other.
 *
 * @returns Scores in the order of the pairs; of those that were begun, where the signal stopped it.
 * @throws {InputError} If the folder cannot be written.
 */
export async function runScreen(
  device: Device,
  pairs: readonly ScreenPair[],
  store: ChainStore,
  models: readonly PlannedModel[],
  options: ScreenOptions,
): Promise<ScreenRow[]> {
  const { tell, signal, onPair } = options;
  using networks = new Networks(device, options.weightsDtype ?? "f32", (preset, held) => tell.loaded?.(preset, held));
  const rows: ScreenRow[] = [];
  for (const [index, pair] of pairs.entries()) {
    if (signal?.aborted) break;
    const row = await onePair(pair, index, pairs.length, store, networks, models, options);
    if (!row) break; // stopped
    rows.push(row);
    onPair?.(row, rows.length);
  }
  return rows;
}

async function onePair(
  pair: ScreenPair,
  index: number,
  count: number,
  store: ChainStore,
  networks: Networks,
  models: readonly PlannedModel[],
  options: ScreenOptions,
): Promise<ScreenRow | undefined> {
  const { name, bait, prey, residues } = pair;
  const folder = join(options.out, name), started = performance.now();
  const facts = { bait, prey, pair: name, residues };
  try {
    const question = await questionOf(pair, store, models, options);
    const known = options.overwrite ? undefined : await knownRow(folder, question);
    if (known) return { ...known, status: "kept" };
    await Deno.remove(join(folder, PAIR_FILE)).catch(() => {}); // what is replaced is not whole meanwhile
    options.tell.target?.(name, index, count, residues);
    const prepared = await preparePair(pair, store, options);
    const featureSeconds = (performance.now() - started) / 1000;
    const result = await predictOne(networks, { id: name }, prepared, featureSeconds, models, {
      ...options,
      prepare: {},
      saveRepresentations: false,
    });
    if (!result) return undefined;
    const row: ScreenRow = {
      ...{ ...facts, status: "done" as const },
      ...pairScores(result.data!.predictions[0], result.data!.chains!.map(({ name }) => name), pair.baitChains),
      seconds: result.seconds,
    };
    await writeFileAtomic(join(folder, PAIR_FILE), `${JSON.stringify({ question, row }, undefined, 2)}\n`);
    return row;
  } catch (error) {
    return { ...facts, status: "failed", reason: reasonOf(error), seconds: (performance.now() - started) / 1000 };
  }
}

/** Puts a pair together from its chains' features. */
async function preparePair(
  { name, chains, sources }: ScreenPair,
  store: ChainStore,
  { complex }: Pick<ScreenOptions, "complex">,
): Promise<PreparedTarget> {
  const warnings: string[] = [];
  const log: Pick<ReadingLog, "warn"> = { warn: (message) => warnings.push(message) };
  const prepared = [];
  for (const { id } of sources) prepared.push(await store.get(id));
  const joined = joinChains({ id: name, chains }, prepared, { complex, maxTemplates: MAX_TEMPLATES }, log);
  return { ...joined, warnings };
}

/** Places for templates that the networks have. */
const MAX_TEMPLATES = 4;

/** Hash of all that a pair's prediction depends on. */
async function questionOf(
  { chains, sources }: ScreenPair,
  store: ChainStore,
  models: readonly PlannedModel[],
  { seeds, maxRecycles, tolerance, maxMsaClusters, maxExtraMsa, ensemble, ...options }: ScreenOptions,
): Promise<string> {
  const { weightsDtype, linker, rankBy, format, complex } = options;
  return await sha256(JSON.stringify({
    version: FEATURE_VERSION,
    chains: chains.map(({ id }, k) => [id, ...store.hashes(sources[k].id)]),
    models: models.map(({ preset, weights, config }) => [preset, weights, config]),
    ...{ seeds, maxRecycles, tolerance, maxMsaClusters, maxExtraMsa, ensemble },
    ...{ weightsDtype, linker, rankBy, format, complex },
  }));
}

/** The scores of a pair that was predicted before, if they answer the same question. */
async function knownRow(folder: string, question: string): Promise<ScreenRow | undefined> {
  try {
    const known = JSON.parse(await Deno.readTextFile(join(folder, PAIR_FILE)));
    return known.question === question ? known.row : undefined;
  } catch {
    return undefined; // not done, or not whole: predicted again
  }
}

/** What the report shows of a pair. */
export async function pairData(out: string, { pair }: ScreenRow): Promise<TargetData> {
  return JSON.parse(await Deno.readTextFile(join(out, pair, REPORT_DATA)));
}
