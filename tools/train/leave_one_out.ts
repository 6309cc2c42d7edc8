/** Trains once for every structure of a family, without it, and predicts it. */
import { join } from "node:path";
import type { Family, FamilyMember } from "../data/family.ts";
import { InputError } from "../errors.ts";
import { fileNames, makeFolder, readFileBytes, writeTogether } from "../files.ts";
import { CHECKPOINT_NAMES, trainableOf } from "../networks/mod.ts";
import type { LeaveOneOut, LossCurve } from "../report/report_data.ts";
import { CHECKPOINT_FILE, LEAVE_ONE_OUT_FILE, readRun } from "./checkpoint_file.ts";
import { type RunData, trainDataOf } from "./data.ts";
import { familyReport } from "./family_report.ts";
import { heldOutFiles, type HeldOutResult, methodsOf, metricsJson, predictHeldOut } from "./held_out.ts";
import { lossCurve, type StepRecord } from "./history.ts";
import { leaveOneOutCsv, leaveOneOutTable, methodTable } from "./metric_table.ts";
import { TrainingSession } from "./session.ts";
import type { TrainSettings } from "./settings.ts";
import { modelText, trainingText } from "./summary_text.ts";
import { type TrainContext, type TrainRequest, trainSteps } from "./train.ts";

/** How a leave-one-out run ended. */
export interface LeaveOneOutOutcome {
  /** Whether all structures were predicted; else a stop was asked for. */
  readonly finished: boolean;
  /** The table, as far as it goes. */
  readonly table: LeaveOneOut;
  /** Files and folders written. */
  readonly files: readonly string[];
}

/** Names of the methods in the table. */
const METHODS = ["Prediction", "Mean map of the family", "Copy of the nearest relative"];

/**
 * Runs, or goes on with, a leave-one-out run: each structure has a folder of its own with checkpoint, loss history and
 * prediction; table and report stand beside them.
 *
 * @param request With `resume`, checkpoints found in the folders are gone on from.
 */
export async function leaveOneOut(
  request: TrainRequest & { readonly resume: boolean },
  context: TrainContext,
): Promise<LeaveOneOutOutcome> {
  const { settings, out, data } = request;
  const { families = [] } = data ?? {};
  const members = families.flatMap((family) => family.members);
  const { view } = context;
  const started = performance.now();
  if (members.length < 3) {
    throw new InputError(`Leaving one out needs 3 structures or more, there are ${members.length}`);
  }
  const lone = families.find((family) => family.members.length < 2);
  if (lone) {
    throw new InputError(
      `Leaving one out compares with relatives: ${lone.alignment.source} has one structure, ${
        lone.members[0].id
      }, expected 2 or more`,
    );
  }
  const network = trainableOf(settings.model.network).network(settings.model, settings.own);
  view.say(modelText(settings, network));
  view.say(
    `\n${trainingText(settings, network, `${members.length} structures, each left out in turn`, context.adapter)}`,
  );
  await makeFolder(out);
  const results: HeldOutResult[] = [];
  const curves: LossCurve[] = [];
  const history: StepRecord[] = [];
  const files: string[] = [];
  await writeState(out, settings, results);
  const names = fileNames(members.map(({ id }) => id));
  for (const [i, member] of members.entries()) {
    view.say(`\n${member.id}, ${i + 1} of ${members.length}`);
    const one = await leaveOut(member, names[i], request, families, context);
    history.push(...one.history);
    files.push(`${join(out, names[i])}/`);
    if (!one.result) return { finished: false, table: tableOf(results), files };
    results.push(one.result);
    curves.push(lossCurve(one.history, network.lossLabel));
    view.say(methodTable(`${member.id}, held out`, methodsOf(one.result)));
    await writeState(out, settings, results);
  }
  const table = tableOf(results);
  const seconds = (performance.now() - started) / 1000;
  const html = await familyReport({
    ...{ request, network, context, families, results, history, seconds },
    loss: curves,
    leaveOneOut: table,
    files: results.map((result, k) => [...heldOutFiles(result, names[k]).keys()].map((file) => `${names[k]}/${file}`)),
  });
  const made = new Map([
    ["leave_one_out.csv", leaveOneOutCsv(table)],
    ["metrics.json", metricsJson(results)],
    ["report.html", html],
  ]);
  files.push(join(out, LEAVE_ONE_OUT_FILE), ...await writeTogether(out, made));
  view.say(`\n${leaveOneOutTable(table)}`);
  return { finished: true, table, files };
}

/** Trains without one structure and predicts it, in a folder of that name. */
async function leaveOut(
  member: FamilyMember,
  name: string,
  request: TrainRequest & { readonly resume: boolean },
  families: readonly Family[],
  context: TrainContext,
): Promise<{ result?: HeldOutResult; history: readonly StepRecord[] }> {
  const { settings } = request;
  const folder = join(request.out, name);
  const there = request.resume && await Deno.stat(join(folder, CHECKPOINT_FILE)).then(() => true, () => false);
  const saved = there ? await readRun(folder, CHECKPOINT_NAMES) : undefined;
  const own = holdingOut(settings, member);
  const learning = await trainableOf(settings.model.network).open(
    own,
    trainDataOf(withoutMember(request.data!, member)),
  );
  using session = new TrainingSession(context.device, own, learning, saved);
  const steps = { out: folder, checkpointEvery: request.checkpointEvery, saved };
  const finished = await trainSteps(session, steps, context, learning.watched ?? []) !== "asked to stop";
  const { history } = session;
  if (!finished) return { history };
  const trainedOn = families.flatMap(({ members }) => members.filter((other) => other !== member));
  const result = await predictHeldOut({ device: context.device, session, families, target: member, trainedOn });
  await writeTogether(folder, heldOutFiles(result, name));
  return { result, history };
}

/** Settings with one structure of the data held out. */
export function holdingOut(settings: TrainSettings, { id }: Pick<FamilyMember, "id">): TrainSettings {
  const { data } = settings;
  return data.kind === "structures" ? { ...settings, data: { ...data, holdOut: [id] } } : settings;
}

function withoutMember(data: RunData, member: FamilyMember): RunData {
  return { ...data, heldOut: [member], examples: data.examples.filter(({ id }) => id !== member.id) };
}

function tableOf(results: readonly HeldOutResult[]): LeaveOneOut {
  return {
    methods: METHODS,
    rows: results.map((result) => ({
      id: result.member.id,
      residues: result.evaluation.residues,
      values: methodsOf(result).map(({ values }) => values),
    })),
  };
}

async function writeState(out: string, settings: TrainSettings, results: readonly HeldOutResult[]): Promise<void> {
  const text = `${JSON.stringify({ settings, ...tableOf(results) }, undefined, 2)}\n`;
  await writeTogether(out, new Map([[LEAVE_ONE_OUT_FILE, text]]));
}

/**
 * Settings of the leave-one-out run in a folder; undefined if there is none.
 *
 * @throws {InputError} If the file is damaged.
 */
export async function readLeaveOneOut(folder: string): Promise<TrainSettings | undefined> {
  const path = join(folder, LEAVE_ONE_OUT_FILE);
  if (!await Deno.stat(path).then(() => true, () => false)) return undefined;
  try {
    const { settings } = JSON.parse(new TextDecoder().decode(await readFileBytes(path)));
    if (settings?.model && settings.training && settings.data?.kind === "structures") return settings;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new InputError(`Cannot resume from ${path}: it does not hold the settings of a leave-one-out run`);
}
