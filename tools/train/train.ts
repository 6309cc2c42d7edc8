/** A whole training run: data, steps, files, predictions of what was held out, report. */
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import type { Device, Tensor, Tree } from "../../core/mod.ts";
import type { Family, FamilyMember } from "../data/family.ts";
import { InputError } from "../errors.ts";
import { fileNames, makeFolder, writeFileAtomic, writeTogether } from "../files.ts";
import { counted } from "../words.ts";
import { trainableOf } from "../networks/mod.ts";
import { CHECKPOINT_FILE, type SavedRun } from "./checkpoint_file.ts";
import { checkFits } from "./check_fits.ts";
import { type RunData, trainDataOf } from "./data.ts";
import type { BadTarget, Example } from "./examples.ts";
import { familyReport } from "./family_report.ts";
import {
  heldOutFiles,
  type HeldOutOptions,
  type HeldOutResult,
  methodsOf,
  metricsJson,
  predictHeldOut,
} from "./held_out.ts";
import {
  type HeldOutStructure,
  heldOutStructureFiles,
  predictStructure,
  STRUCTURE_METRICS,
  structureMethods,
} from "./held_out_structures.ts";
import { bestOf, historyCsv, lossCurve, skippedText } from "./history.ts";
import { type LoopEnd, runSteps } from "./loop.ts";
import { lossReport } from "./loss_report.ts";
import { methodTable } from "./metric_table.ts";
import type { Learning, Network, TrainData } from "./network.ts";
import { performanceJson, type PerformanceSummary, performanceText, summarize } from "./performance.ts";
import { RECIPE_FILE, recipeOf } from "./recipe.ts";
import { TrainingSession } from "./session.ts";
import type { TrainSettings } from "./settings.ts";
import { modelText, trainingText } from "./summary_text.ts";
import type { StopSignal, TrainView } from "./view.ts";

/** Name of the file with the parameters of the lowest watched loss. */
export const BEST_FILE = "best.safetensors";

/** What to run, and where its files go. */
export interface TrainRequest {
  /** Model, training and data. */
  readonly settings: TrainSettings;
  /** Folder of the run's files. */
  readonly out: string;
  /** Folder of `performance_summary.json`. */
  readonly profileDir: string;
  /** Steps between two checkpoints. */
  readonly checkpointEvery: number;
  /** What is learnt from, as `readRunData` reads it; none for noise. */
  readonly data?: RunData;
  /** The run to go on with. */
  readonly saved?: SavedRun;
  /** The command as the user typed it, for the report. */
  readonly command: string;
  /** Paragraphs about this run for the report. */
  readonly notes?: readonly string[];
}

/** Where a run takes place. */
export interface TrainContext {
  /** The device. */
  readonly device: Device;
  /** The adapter's name. */
  readonly adapter: string;
  /** Shows what happens. */
  readonly view: TrainView;
  /** Says when to stop. */
  readonly stop: StopSignal;
}

/** How a run ended. */
export interface TrainOutcome {
  /** Whether the run is over; else a stop was asked for, and it can go on from its checkpoint. */
  readonly finished: boolean;
  /** Whether it ended before all steps, since the watched loss fell no more. */
  readonly endedEarly: boolean;
  /** The lowest watched loss, and its step; undefined if none was measured. */
  readonly best?: { readonly step: number; readonly loss: number };
  /** Targets that were left out, and why. */
  readonly skippedTargets: readonly BadTarget[];
  /** Recorded steps. */
  readonly steps: number;
  /** Steps skipped, since their loss or gradient was NaN or infinite. */
  readonly skippedSteps: number;
  /** Speed and memory; undefined if no step was recorded. */
  readonly performance?: PerformanceSummary;
  /** The structures held out. */
  readonly results: readonly HeldOutResult[];
  /** The targets of feature files held out. @default none */
  readonly structures?: readonly HeldOutStructure[];
  /** Files written, with their folders. */
  readonly files: readonly string[];
}

/** Trains a model, writes everything, and predicts what was held out. */
export async function train(request: TrainRequest, context: TrainContext): Promise<TrainOutcome> {
  const { settings, out, data } = request;
  const { view, device } = context;
  const started = performance.now();
  const { families = [], heldOut = [], heldOutTargets = [], validation = [] } = data ?? {};
  const kept = [...heldOut, ...heldOutTargets];
  const learning = await openLearning(settings, data && trainDataOf(data, settings.data.kind), context);
  const { network, source, warnings = [] } = learning;
  for (const warning of warnings) view.say(`warning: ${warning}`);
  const without = (validation.length > 0 ? `; ${counted(validation.length, "target")} for validation` : "") +
    (kept.length > 0 ? `; held out: ${kept.map(({ id }) => id).join(", ")}` : "");
  view.say(`\n${trainingText(settings, network, source.description + without, context.adapter)}\n`);
  using session = new TrainingSession(device, settings, learning, request.saved);
  const outcome = await runAndWrite(session, learning, request, context, started);
  if (outcome.finished && heldOutTargets.length > 0) {
    const seconds = (performance.now() - started) / 1000;
    return await predictTargets(session, heldOutTargets, request, context, outcome, seconds);
  }
  if (!outcome.finished || heldOut.length === 0) return outcome;
  const results = await predictAll(session, families, data?.examples ?? [], heldOut, device);
  const seconds = (performance.now() - started) / 1000;
  const { history } = session;
  const loss = lossCurve(history, network.lossLabel);
  const names = fileNames(results.map(({ member }) => member.id));
  const own = results.map((result, k) => heldOutFiles(result, names[k]));
  const files = own.map((made) => [...made.keys(), "loss_history.csv"]);
  const html = await familyReport({ request, network, context, families, results, loss, history, seconds, files });
  const made = new Map(own.flatMap((files) => [...files]));
  made.set("metrics.json", metricsJson(results));
  made.set("report.html", html);
  const written = [...outcome.files, ...await writeTogether(out, made)];
  for (const result of results) view.say(`\n${methodTable(`${result.member.id}, held out`, methodsOf(result))}`);
  return { ...outcome, results, files: written };
}

/** Predicts the targets held out, with their files and the report. */
async function predictTargets<P extends Tree<Tensor>, B>(
  session: TrainingSession<P, B>,
  targets: readonly Example[],
  request: TrainRequest,
  { device, adapter, view }: TrainContext,
  outcome: TrainOutcome,
  seconds: number,
): Promise<TrainOutcome> {
  const structures: HeldOutStructure[] = [];
  const learnt = request.data?.examples;
  for (const target of targets) structures.push(await predictStructure(device, session, target, learnt));
  for (const one of structures) {
    view.say(`\n${methodTable(`${one.id}, held out`, structureMethods(one), STRUCTURE_METRICS)}`);
  }
  const files = await heldOutStructureFiles(structures, {
    ...{ request, network: session.network, history: session.history, adapter, seconds },
    examples: request.data?.examples.length ?? 0,
  });
  return { ...outcome, structures, files: [...outcome.files, ...await writeTogether(request.out, files)] };
}

/** Says what the network is, and makes ready what it learns from. */
async function openLearning(
  settings: TrainSettings,
  data: TrainData | undefined,
  { device, view }: TrainContext,
): Promise<Learning<Tree<Tensor>, unknown>> {
  const trainable = trainableOf(settings.model.network);
  view.say(modelText(settings, trainable.network(settings.model, settings.own)));
  if (!data) checkFits(device, ...trainable.noiseShapes(settings));
  let shown = false;
  try {
    return await trainable.open(settings, {
      ...data,
      onProgress(done) {
        if (!shown) view.begin("data", 100, 0);
        shown = true;
        view.step(Math.round(100 * done));
      },
    });
  } finally {
    if (shown) view.end();
  }
}

/** Makes the steps; writes checkpoint, loss, speed, the averaged model, and a report where nothing was held out. */
async function runAndWrite<P extends Tree<Tensor>, B>(
  session: TrainingSession<P, B>,
  { network, source, watched = [] }: Learning<P, B>,
  request: TrainRequest,
  context: TrainContext,
  started: number,
): Promise<TrainOutcome> {
  const { settings, out, profileDir } = request;
  const { training, data } = settings;
  const { history } = session;
  await makeFolder(out);
  await makeFolder(profileDir);
  const end = await trainSteps(session, request, context, watched);
  const finished = end !== "asked to stop";
  const summary = history.length > 0 ? summarize(history, training.batchSize * training.accumulate) : undefined;
  const files = [join(out, CHECKPOINT_FILE), join(out, "loss_history.csv"), join(out, RECIPE_FILE)];
  const best = bestOf(history);
  if (best && keepsBest(data)) files.push(join(out, BEST_FILE));
  if (summary) {
    files.push(await writePerformance(network.sizes, summary, request, context));
    context.view.say(`\n${performanceText(summary)}`);
    const skipped = skippedText(history);
    if (skipped) context.view.say(`${skipped}.`);
    if (best) {
      const early = end === "early" ? `; it ended early, ${counted(best.since, "measurement")} later` : "";
      context.view.say(`   Lowest watched loss: ${best.loss.toFixed(4)}, after step ${best.step}${early}`);
    }
  }
  if (finished && training.ema !== null) {
    files.push(join(out, "model.safetensors"));
    await writeFileAtomic(files[files.length - 1], await session.encodeModel());
  }
  const heldOut = data.kind === "synthetic" ? [] : data.holdOut ?? [];
  if (finished && heldOut.length === 0) {
    const html = await lossReport({
      ...{ settings, network, history, command: request.command, adapter: context.adapter },
      data: source.description,
      seconds: (performance.now() - started) / 1000,
    });
    files.push(...await writeTogether(out, new Map([["report.html", html]])));
  }
  const skippedSteps = history.at(-1)?.skippedSteps ?? 0;
  return {
    ...{ finished, endedEarly: end === "early", best: best && { step: best.step, loss: best.loss } },
    ...{ steps: session.step, skippedSteps, skippedTargets: request.data?.bad ?? [], performance: summary },
    ...{ results: [], files },
  };
}

/** Makes the steps and saves, under the view's progress. */
export async function trainSteps<P extends Tree<Tensor>, B>(
  session: TrainingSession<P, B>,
  { out, checkpointEvery, saved }: Pick<TrainRequest, "out" | "checkpointEvery" | "saved">,
  { view, stop }: TrainContext,
  watched: readonly B[],
): Promise<LoopEnd> {
  if (saved) view.say(`Going on from step ${session.step} of ${saved.source}.\n`);
  if (session.remark) view.say(`${session.remark}\n`);
  if (session.warmingUp) view.say("Warming up: 5 steps that are not recorded.");
  view.begin("step", session.settings.training.numSteps, session.step);
  try {
    return await runSteps(session, {
      ...{ out, checkpointEvery, view, stop, watched },
      save: async () => {
        const files = new Map<string, Uint8Array | string>([
          [CHECKPOINT_FILE, await session.encode()],
          ["loss_history.csv", historyCsv(session.history)],
          [RECIPE_FILE, `${JSON.stringify(recipeOf(session.settings), undefined, 2)}\n`],
        ]);
        await writeTogether(out, files);
      },
      saveBest: keepsBest(session.settings.data)
        ? async () => void await writeTogether(out, new Map([[BEST_FILE, await session.encodeModel()]]))
        : undefined,
      savedStep: saved && session.step,
    });
  } finally {
    view.end();
  }
}

/** Whether there is something to choose the best checkpoint by; what is held out at the end is not. */
function keepsBest(data: TrainSettings["data"]): boolean {
  return data.kind !== "synthetic" && Boolean(data.validation);
}

async function predictAll<P extends Tree<Tensor>, B>(
  session: HeldOutOptions<P, B>["session"],
  families: readonly Family[],
  examples: readonly Example[],
  heldOut: readonly FamilyMember[],
  device: Device,
): Promise<HeldOutResult[]> {
  const results: HeldOutResult[] = [];
  const trainedOn = families.flatMap(({ members }) =>
    members.filter(({ id }) => examples.some((example) => example.id === id))
  );
  for (const target of heldOut) results.push(await predictHeldOut({ device, session, families, target, trainedOn }));
  return results;
}

async function writePerformance(
  sizes: Network<unknown, unknown>["sizes"],
  summary: PerformanceSummary,
  { profileDir, settings: { training } }: TrainRequest,
  { adapter }: TrainContext,
): Promise<string> {
  const path = join(profileDir, "performance_summary.json");
  const { numSteps, batchSize, learningRate } = training;
  const text = performanceJson({
    ...{ sizes, profileDir, summary, numSteps, batchSize, learningRate, adapter },
    version: manifest.version,
    now: new Date(),
  });
  await writeFileAtomic(path, text);
  return path;
}

/** The reference recipe's check of the machine: three recorded steps of two samples of noise; writes nothing. */
export async function validateSetup(settings: TrainSettings, context: TrainContext): Promise<PerformanceSummary> {
  const training = { ...settings.training, numSteps: 3, batchSize: 2 };
  const checked: TrainSettings = { ...settings, training, data: { kind: "synthetic" } };
  const { view, device, stop } = context;
  const learning = await openLearning(checked, undefined, context);
  const { network, source } = learning;
  view.say(`\n${trainingText(checked, network, source.description, context.adapter)}\n`);
  using session = new TrainingSession(device, checked, learning);
  const saved = { save: () => Promise.resolve(), out: "", checkpointEvery: Infinity };
  view.begin("step", training.numSteps, 0);
  try {
    const end = await runSteps(session, { ...saved, view, stop });
    if (end === "asked to stop") throw new InputError("interrupted");
  } finally {
    view.end();
  }
  return summarize(session.history, training.batchSize * training.accumulate);
}
