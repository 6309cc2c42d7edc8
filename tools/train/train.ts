/** A whole training run: data, steps, files, predictions of what was held out, report. */
import { join } from "node:path";
import manifest from "../../deno.json" with { type: "json" };
import type { Device, Tensor, Tree } from "../../core/mod.ts";
import type { Family, FamilyMember } from "../data/family.ts";
import { InputError } from "../errors.ts";
import { fileNames, makeFolder, writeFileAtomic, writeTogether } from "../files.ts";
import { CHECKPOINT_FILE, type SavedRun } from "./checkpoint_file.ts";
import { type Batch, stackSamples } from "./batches.ts";
import { checkNoiseFits } from "./check_fits.ts";
import { findMembers, openTiny } from "./data.ts";
import { familyReport } from "./family_report.ts";
import {
  heldOutFiles,
  type HeldOutOptions,
  type HeldOutResult,
  methodsOf,
  metricsJson,
  predictHeldOut,
} from "./held_out.ts";
import { historyCsv, lossCurve, skippedText } from "./history.ts";
import { runSteps } from "./loop.ts";
import { lossReport } from "./loss_report.ts";
import { methodTable } from "./metric_table.ts";
import type { Learning, Network } from "./network.ts";
import { openNnx } from "./nnx_evoformer.ts";
import { performanceJson, type PerformanceSummary, performanceText, summarize } from "./performance.ts";
import { TrainingSession } from "./session.ts";
import { NNX_EVOFORMER, type TrainSettings } from "./settings.ts";
import { firstRows, wholeSample } from "./structure_batches.ts";
import { modelText, trainingText } from "./summary_text.ts";
import { tinyOpenFoldNetwork } from "./tiny_openfold.ts";
import type { StopSignal, TrainView } from "./view.ts";

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
  /** Structures and alignment, as `readFamily` reads them; none for noise. */
  readonly family?: Family;
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
  /** Whether all steps were made; else a stop was asked for, and the run can go on from its checkpoint. */
  readonly finished: boolean;
  /** Recorded steps. */
  readonly steps: number;
  /** Steps skipped, since their loss or gradient was NaN or infinite. */
  readonly skippedSteps: number;
  /** Speed and memory; undefined if no step was recorded. */
  readonly performance?: PerformanceSummary;
  /** The structures held out. */
  readonly results: readonly HeldOutResult[];
  /** Files written, with their folders. */
  readonly files: readonly string[];
}

/** Trains a model, writes everything, and predicts what was held out. */
export async function train(request: TrainRequest, context: TrainContext): Promise<TrainOutcome> {
  if (request.settings.model.network === NNX_EVOFORMER) return await trainNnx(request, context);
  const { settings, out, family } = request;
  const { view, device } = context;
  const started = performance.now();
  const heldOut = family && settings.data.kind === "structures" ? findMembers(family, settings.data.holdOut) : [];
  view.say(modelText(settings, tinyOpenFoldNetwork(settings.model)));
  if (!family) {
    checkNoiseFits(device, settings);
    view.begin("noise", 100, 0);
  }
  const onProgress = (done: number) => view.step(Math.round(100 * done));
  const learning = await openTiny(settings, { family, heldOut, onProgress });
  if (!family) view.end();
  const without = heldOut.length > 0 ? `; held out: ${heldOut.map(({ id }) => id).join(", ")}` : "";
  view.say(`\n${trainingText(settings, learning.source.description + without, context.adapter)}\n`);
  using session = new TrainingSession(device, settings, learning, request.saved);
  const watched = family ? watchedBatches(family, heldOut, settings.model.numSeqs) : [];
  const outcome = await runAndWrite(session, learning, request, context, { started, watched });
  if (!outcome.finished || !family || heldOut.length === 0) return outcome;
  const results = await predictAll(session, family, heldOut, device);
  const seconds = (performance.now() - started) / 1000;
  const { history } = session;
  const loss = lossCurve(history, learning.network.lossLabel);
  const html = await familyReport({ request, context, family, results, loss, history, seconds });
  const names = fileNames(results.map(({ member }) => member.id));
  const made = new Map(results.flatMap((result, k) => [...heldOutFiles(result, names[k])]));
  made.set("metrics.json", metricsJson(results));
  made.set("report.html", html);
  const files = [...outcome.files, ...await writeTogether(out, made)];
  for (const result of results) view.say(`\n${methodTable(`${result.member.id}, held out`, methodsOf(result))}`);
  return { ...outcome, results, files };
}

/** The notebook's loop: a new batch of noise each step. */
async function trainNnx(request: TrainRequest, context: TrainContext): Promise<TrainOutcome> {
  const { settings, saved } = request;
  const { view, device } = context;
  const started = performance.now();
  const learning = openNnx(settings);
  checkNoiseFits(device, settings);
  view.say(modelText(settings, learning.network));
  view.say(`\n${trainingText(settings, learning.source.description, context.adapter)}\n`);
  using session = new TrainingSession(device, settings, learning, saved);
  return await runAndWrite(session, learning, request, context, { started });
}

/** Makes the steps; writes checkpoint, loss, speed, the averaged model, and a report where nothing was held out. */
async function runAndWrite<P extends Tree<Tensor>, B>(
  session: TrainingSession<P, B>,
  { network, source }: Learning<P, B>,
  request: TrainRequest,
  context: TrainContext,
  { started, watched = [] }: { readonly started: number; readonly watched?: readonly B[] },
): Promise<TrainOutcome> {
  const { settings, out, profileDir } = request;
  const { training, data } = settings;
  const { history } = session;
  await makeFolder(out);
  await makeFolder(profileDir);
  const finished = await trainSteps(session, request, context, watched);
  const summary = history.length > 0 ? summarize(history, training.batchSize) : undefined;
  const files = [join(out, CHECKPOINT_FILE), join(out, "loss_history.csv")];
  if (summary) {
    files.push(await writePerformance(network.sizes, summary, request, context));
    context.view.say(`\n${performanceText(summary)}`);
    const skipped = skippedText(history);
    if (skipped) context.view.say(`${skipped}.`);
  }
  if (finished && training.ema !== null) {
    files.push(join(out, "model.safetensors"));
    await writeFileAtomic(files[files.length - 1], await session.encodeModel());
  }
  if (finished && (data.kind === "synthetic" || data.holdOut.length === 0)) {
    const html = await lossReport({
      ...{ settings, history, command: request.command, adapter: context.adapter },
      ...{ parameters: network.parameters, lossLabel: network.lossLabel, data: source.description },
      seconds: (performance.now() - started) / 1000,
    });
    files.push(...await writeTogether(out, new Map([["report.html", html]])));
  }
  const skippedSteps = history.at(-1)?.skippedSteps ?? 0;
  return { finished, steps: session.step, skippedSteps, performance: summary, results: [], files };
}

/** The structures held out as batches of one, with the rows that a prediction takes. */
export function watchedBatches(family: Family, heldOut: readonly FamilyMember[], numSeqs: number): Batch[] {
  return heldOut.map((member) => stackSamples([firstRows(wholeSample(family, member), numSeqs)]));
}

/** Makes the steps and saves, under the view's progress. */
export async function trainSteps<P extends Tree<Tensor>, B>(
  session: TrainingSession<P, B>,
  { out, checkpointEvery, saved }: Pick<TrainRequest, "out" | "checkpointEvery" | "saved">,
  { view, stop }: TrainContext,
  watched: readonly B[],
): Promise<boolean> {
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
        ]);
        await writeTogether(out, files);
      },
      savedStep: saved && session.step,
    });
  } finally {
    view.end();
  }
}

async function predictAll(
  session: HeldOutOptions["session"],
  family: Family,
  heldOut: readonly FamilyMember[],
  device: Device,
): Promise<HeldOutResult[]> {
  const results: HeldOutResult[] = [];
  const trainedOn = family.members.filter((member) => !heldOut.includes(member));
  for (const target of heldOut) results.push(await predictHeldOut({ device, session, family, target, trainedOn }));
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
  checkNoiseFits(device, checked);
  const learning = await openTiny(checked);
  view.say(modelText(checked, learning.network));
  view.say(`\n${trainingText(checked, learning.source.description, context.adapter)}\n`);
  using session = new TrainingSession(device, checked, learning);
  const saved = { save: () => Promise.resolve(), out: "", checkpointEvery: Infinity };
  view.begin("step", training.numSteps, 0);
  try {
    if (!await runSteps(session, { ...saved, view, stop })) throw new InputError("interrupted");
  } finally {
    view.end();
  }
  return summarize(session.history, training.batchSize);
}
