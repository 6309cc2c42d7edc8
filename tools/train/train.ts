/** A whole training run: data, steps, files, predictions of what was held out, report. */
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { type Device, Key } from "../../core/mod.ts";
import type { Family, FamilyMember } from "../data/family.ts";
import { InputError } from "../errors.ts";
import { makeFolder, writeFileAtomic } from "../files.ts";
import { writeTogether } from "../fold/write_fold.ts";
import { CHECKPOINT_FILE, type SavedRun } from "./checkpoint_file.ts";
import { findMembers, openSource } from "./data.ts";
import { familyReport } from "./family_report.ts";
import { heldOutFiles, type HeldOutResult, methodsOf, metricsJson, predictHeldOut } from "./held_out.ts";
import { historyCsv, lossCurve } from "./history.ts";
import { runSteps } from "./loop.ts";
import { methodTable } from "./metric_table.ts";
import { performanceJson, type PerformanceSummary, performanceText, summarize } from "./performance.ts";
import { TrainingSession } from "./session.ts";
import type { TrainSettings } from "./settings.ts";
import { firstRows, wholeSample } from "./structure_batches.ts";
import { modelText, trainingText } from "./summary_text.ts";
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
  /** Speed and memory; undefined if no step was recorded. */
  readonly performance?: PerformanceSummary;
  /** The structures held out. */
  readonly results: readonly HeldOutResult[];
  /** Files written, with their folders. */
  readonly files: readonly string[];
}

/** Trains a model, then predicts what was held out and writes everything. */
export async function train(request: TrainRequest, context: TrainContext): Promise<TrainOutcome> {
  const { settings, saved, out, profileDir, family } = request;
  const { view, device } = context;
  const started = performance.now();
  const heldOut = family && settings.data.kind === "structures" ? findMembers(family, settings.data.holdOut) : [];
  view.say(modelText(settings));
  const [paramsKey, dataKey] = Key.fromSeed(settings.training.seed).split(2);
  if (!family) view.begin("noise", 100, 0);
  const onProgress = (done: number) => view.step(Math.round(100 * done));
  const source = await openSource(settings, dataKey, { family, heldOut, onProgress });
  if (!family) view.end();
  const without = heldOut.length > 0 ? `; held out: ${heldOut.map(({ id }) => id).join(", ")}` : "";
  view.say(`\n${trainingText(settings, source.description + without, context.adapter)}\n`);
  using session = new TrainingSession(device, settings, source, paramsKey, saved);
  await makeFolder(out);
  await makeFolder(profileDir);
  const finished = await trainSteps(session, request, context, family, heldOut);
  const summary = session.history.length > 0 ? summarize(session.history, settings.training.batchSize) : undefined;
  const files = [join(out, CHECKPOINT_FILE), join(out, "loss_history.csv")];
  if (summary) {
    files.push(await writePerformance(session, summary, request, context));
    view.say(`\n${performanceText(summary)}`);
  }
  if (!finished) return { finished, steps: session.step, performance: summary, results: [], files };
  if (settings.training.ema !== null) {
    files.push(join(out, "model.safetensors"));
    await writeFileAtomic(files[files.length - 1], await session.encodeModel());
  }
  const results = await predictAll(session, family, heldOut, device);
  if (family && results.length > 0) {
    const seconds = (performance.now() - started) / 1000;
    const loss = lossCurve(session.history);
    const html = await familyReport({ request, context, family, results, loss, history: session.history, seconds });
    const made = new Map(results.flatMap((result) => [...heldOutFiles(result)]));
    made.set("metrics.json", metricsJson(results));
    made.set("report.html", html);
    files.push(...await writeTogether(out, made));
    for (const result of results) view.say(`\n${methodTable(`${result.member.id}, held out`, methodsOf(result))}`);
  }
  return { finished, steps: session.step, performance: summary, results, files };
}

/** Makes the steps and saves, under the view's progress. */
export async function trainSteps(
  session: TrainingSession,
  { out, checkpointEvery, saved }: Pick<TrainRequest, "out" | "checkpointEvery" | "saved">,
  { view, stop }: TrainContext,
  family: Family | undefined,
  heldOut: readonly FamilyMember[],
): Promise<boolean> {
  if (saved) view.say(`Going on from step ${session.step} of ${saved.source}.\n`);
  if (session.warmingUp) view.say("Warming up: 5 steps that are not recorded.");
  view.begin("step", session.settings.training.numSteps, session.step);
  try {
    return await runSteps(session, {
      ...{ out, checkpointEvery, view, stop },
      save: async () => {
        const files = new Map<string, Uint8Array | string>([
          [CHECKPOINT_FILE, await session.encode()],
          ["loss_history.csv", historyCsv(session.history)],
        ]);
        await writeTogether(out, files);
      },
      savedStep: saved && session.step,
      watched: family ? heldOut.map((member) => firstRows(wholeSample(family, member), session.config.nSeqs)) : [],
    });
  } finally {
    view.end();
  }
}

async function predictAll(
  session: TrainingSession,
  family: Family | undefined,
  heldOut: readonly FamilyMember[],
  device: Device,
): Promise<HeldOutResult[]> {
  const results: HeldOutResult[] = [];
  if (!family) return results;
  const trainedOn = family.members.filter((member) => !heldOut.includes(member));
  for (const target of heldOut) results.push(await predictHeldOut({ device, session, family, target, trainedOn }));
  return results;
}

async function writePerformance(
  session: TrainingSession,
  summary: PerformanceSummary,
  { profileDir, settings: { training } }: TrainRequest,
  { adapter }: TrainContext,
): Promise<string> {
  const path = join(profileDir, "performance_summary.json");
  const { numSteps, batchSize, learningRate } = training;
  const text = performanceJson({
    ...{ config: session.config, profileDir, summary, numSteps, batchSize, learningRate, adapter },
    version: config.version,
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
  view.say(modelText(checked));
  const [paramsKey, dataKey] = Key.fromSeed(training.seed).split(2);
  const source = await openSource(checked, dataKey, {});
  view.say(`\n${trainingText(checked, source.description, context.adapter)}\n`);
  using session = new TrainingSession(device, checked, source, paramsKey);
  const saved = { save: () => Promise.resolve(), out: "", checkpointEvery: Infinity };
  view.begin("step", training.numSteps, 0);
  try {
    if (!await runSteps(session, { ...saved, view, stop })) throw new InputError("interrupted");
  } finally {
    view.end();
  }
  return summarize(session.history, training.batchSize);
}
