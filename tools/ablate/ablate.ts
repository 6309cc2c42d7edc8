/** The study of ablations: the same training without one part at a time. */
import { join } from "node:path";
import { formatCsv } from "../data/matrix.ts";
import { InputError } from "../errors.ts";
import { decodeText, makeFolder, readFileBytes, writeTogether } from "../files.ts";
import { CHECKPOINT_NAMES } from "../networks/mod.ts";
import { type Ablation, ablationsOf, alphafoldConfigOf, alphafoldOwn } from "../train/alphafold/options.ts";
import { CHECKPOINT_FILE, readRun, type SavedRun } from "../train/checkpoint_file.ts";
import type { RunData } from "../train/data.ts";
import { STRUCTURE_METRICS } from "../train/held_out_structures.ts";
import { metricTitle, textTable } from "../train/metric_table.ts";
import type { EvoformerSettings, TrainSettings } from "../train/settings.ts";
import { train, type TrainContext } from "../train/train.ts";
import { differencesFigure } from "./figure.ts";
import { differences, seedMean } from "./statistics.ts";

/** What to study. */
export interface AblationRequest {
  /** Settings of the baseline; its seed is not used. */
  readonly baseline: TrainSettings<EvoformerSettings>;
  /** Its data, with targets held out. */
  readonly data: RunData;
  /** Parts that are taken away, one at a time. */
  readonly without: readonly Ablation[];
  /** Seeds: each variant is trained once with each. */
  readonly seeds: readonly number[];
  /** Folder of the results; each training has a folder of its own in it. */
  readonly out: string;
  /** Steps between two checkpoints. */
  readonly checkpointEvery: number;
  /** The command as the user typed it. */
  readonly command: string;
}

/** Mean measures of the held-out targets of one training. */
export type RunMeasures = Readonly<Record<string, number>>;

/** A variant with its trainings. */
export interface Variant {
  /** Its name, `baseline` or the part that it is without. */
  readonly name: string;
  /** Means over the held-out targets, a training a seed. */
  readonly runs: readonly RunMeasures[];
}

/** How a study ended. */
export interface AblationOutcome {
  /** Whether all trainings are done; else the same command goes on. */
  readonly finished: boolean;
  /** The variants, the baseline first, as far as they are done. */
  readonly variants: readonly Variant[];
  /** Files and folders written. */
  readonly files: readonly string[];
}

/** The measure that the figure shows. */
const SHOWN = "lddt";

/**
 * Trains the baseline and each variant with each seed on the same data for the same steps, and compares them. Trainings that are
 * there are gone on with, or taken as they are where they are done.
 *
 * Source: Jumper et al. (2021), Suppl. 1.13 and Fig. 4a.
 *
 * @throws {InputError} If nothing is held out, or the baseline lacks a part that is to be taken away.
 */
export async function ablate(request: AblationRequest, context: TrainContext): Promise<AblationOutcome> {
  const { baseline, without, seeds, out } = request;
  checkParts(request);
  await makeFolder(out);
  const variants: Variant[] = [], files: string[] = [];
  for (const part of [null, ...without]) {
    const name = part ?? "baseline", runs: RunMeasures[] = [];
    for (const seed of seeds) {
      const folder = join(out, name, `seed_${seed}`);
      context.view.say(`\n${part === null ? "The baseline" : `Without ${part}`}, seed ${seed}: ${folder}`);
      const measures = await runOf(settingsOf(baseline, part, seed), folder, request, context);
      if (!measures) return { finished: false, variants, files };
      runs.push(measures);
      files.push(`${folder}/`);
    }
    variants.push({ name, runs });
  }
  files.push(...await writeTogether(out, studyFiles(variants, request)));
  return { finished: true, variants, files };
}

/** @throws {InputError} If the study cannot be made. */
function checkParts({ baseline, without, data }: AblationRequest): void {
  if (!data.heldOutTargets?.length) {
    throw new InputError(
      "The baseline holds no target out, by which variants are compared: give hold-out in its recipe",
    );
  }
  const own = alphafoldOwn(baseline.own);
  const has: Readonly<Partial<Record<Ablation, boolean>>> = {
    templates: alphafoldConfigOf(baseline.model, own).templates !== undefined,
    recycling: own.recycles > 0,
    distillation: own.distilled !== null,
  };
  for (const part of without) {
    if (has[part] === false || ablationsOf(own).has(part)) {
      throw new InputError(`The baseline has no ${part} to take away`);
    }
  }
}

/** The baseline's settings without a part. */
function settingsOf(
  baseline: TrainSettings<EvoformerSettings>,
  part: Ablation | null,
  seed: number,
): TrainSettings<EvoformerSettings> {
  const gone = [...ablationsOf(alphafoldOwn(baseline.own)), ...part === null ? [] : [part]];
  return {
    ...baseline,
    training: { ...baseline.training, seed },
    own: { ...baseline.own, without: gone.length > 0 ? gone.join(",") : null },
  };
}

/** Measures of a training, made now or before; undefined if it was stopped. */
async function runOf(
  settings: TrainSettings<EvoformerSettings>,
  out: string,
  { data, checkpointEvery, command }: AblationRequest,
  context: TrainContext,
): Promise<RunMeasures | undefined> {
  const saved = await savedRun(out, settings);
  const before = saved && saved.history.length >= settings.training.numSteps ? await readMeasures(out) : undefined;
  if (before) return before;
  const request = { settings, out, profileDir: out, checkpointEvery, saved, data, command };
  const { finished, structures = [] } = await train(request, context);
  return finished ? meanMeasures(structures.map(({ evaluation: { measures } }) => measures)) : undefined;
}

async function savedRun(out: string, settings: TrainSettings): Promise<SavedRun | undefined> {
  const there = await Deno.stat(join(out, CHECKPOINT_FILE)).then(() => true, () => false);
  if (!there) return undefined;
  const saved = await readRun(out, CHECKPOINT_NAMES);
  const textOf = ({ model, own, training: { numSteps: _, ...training } }: TrainSettings) =>
    JSON.stringify([model, sorted(own ?? {}), sorted(training)]);
  if (textOf(saved.settings) === textOf(settings)) return saved;
  throw new InputError(`${out} holds a training with other settings: give another folder by --out, or remove it`);
}

function sorted(record: object): [string, unknown][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

async function readMeasures(out: string): Promise<RunMeasures | undefined> {
  const path = join(out, "metrics.json");
  if (!await Deno.stat(path).then(() => true, () => false)) return undefined;
  try {
    const { targets } = JSON.parse(decodeText(await readFileBytes(path), path));
    return meanMeasures(targets);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new InputError(`Cannot read ${path}: it is damaged`);
  }
}

function meanMeasures(targets: readonly Readonly<Record<string, unknown>>[]): RunMeasures {
  return Object.fromEntries(STRUCTURE_METRICS.map(({ name }) => {
    const values = targets.map((target) => Number(target[name]));
    return [name, values.reduce((sum, value) => sum + value, 0) / values.length];
  }));
}

/** The table, its numbers, and the figure, by name. */
export function studyFiles(
  variants: readonly Variant[],
  { seeds, command }: Pick<AblationRequest, "seeds" | "command">,
): Map<string, string> {
  const [baseline, ...others] = variants;
  const rows = variants.flatMap(({ name, runs }) =>
    runs.map((measures, i) => ({ variant: name, seed: seeds[i], ...measures }))
  );
  const shown = STRUCTURE_METRICS.find(({ name }) => name === SHOWN)!;
  const valuesOf = ({ runs }: Variant, name: string) => runs.map((measures) => measures[name]);
  const study = {
    command,
    seeds,
    variants: variants.map((variant) => ({
      name: variant.name,
      measures: Object.fromEntries(STRUCTURE_METRICS.map(({ name }) => [name, {
        ...seedMean(valuesOf(variant, name)),
        ...(variant !== baseline && { difference: differences(valuesOf(variant, name), valuesOf(baseline, name)) }),
      }])),
    })),
  };
  const figure = differencesFigure(
    others.map((variant) => ({
      label: variant.name,
      difference: differences(valuesOf(variant, SHOWN), valuesOf(baseline, SHOWN)),
    })),
    metricTitle(shown),
  );
  return new Map([
    ["ablation.csv", formatCsv(["variant", "seed", ...STRUCTURE_METRICS.map(({ name }) => name)], rows)],
    ["ablation.json", `${JSON.stringify(study, undefined, 2)}\n`],
    ["ablation.svg", figure],
  ]);
}

/** The table for the terminal: means over seeds, and the difference to the baseline with its interval. */
export function ablationTable(variants: readonly Variant[]): string {
  const [baseline] = variants;
  const metrics = STRUCTURE_METRICS.filter(({ name }) => ["lddt", "fape", "tmScore"].includes(name));
  const cells = (variant: Variant) =>
    metrics.flatMap(({ name, digits }) => {
      const values = variant.runs.map((measures) => measures[name]);
      const { mean, margin } = differences(values, baseline.runs.map((measures) => measures[name]));
      const interval = margin === null ? "" : ` ± ${margin.toFixed(digits)}`;
      return [
        seedMean(values).mean.toFixed(digits),
        variant === baseline ? "" : `${mean < 0 ? "" : "+"}${mean.toFixed(digits)}${interval}`,
      ];
    });
  const header = ["", ...metrics.flatMap((info) => [metricTitle(info), "difference"])];
  return textTable(
    header,
    variants.map((variant) => [
      variant === baseline ? "baseline" : `without ${variant.name}`,
      ...cells(variant),
    ]),
  );
}
