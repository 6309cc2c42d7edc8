import type { Command } from "commander";
import { dirname, resolve } from "node:path";
import { InputError } from "../errors.ts";
import { setFusions } from "../../ops/mod.ts";
import { adapterName, ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { shippedFolder } from "../platform/shipped.ts";
import { readRunData, type RunData, trainDataOf } from "../train/data.ts";
import { forecastRun, forecastText, withRecompute } from "../train/forecast.ts";
import { methodsOf } from "../train/held_out.ts";
import { holdingOut, leaveOneOut } from "../train/leave_one_out.ts";
import { trainableOf } from "../networks/mod.ts";
import { checkFlags, resolveSettings } from "../train/options.ts";
import { recipeOf } from "../train/recipe.ts";
import { readResumable } from "../train/resume.ts";
import { DEMO_NOTE, type TrainSettings } from "../train/settings.ts";
import { modelText, trainingText } from "../train/summary_text.ts";
import { train, type TrainContext, type TrainRequest, validateSetup } from "../train/train.ts";
import { folderForProfile, folderForRun } from "./_folder.ts";
import { applyRecipe } from "./_recipe.ts";
import { commandLine, EXIT, onInterrupt } from "./_shared.ts";
import { camelKeys, counted } from "../words.ts";
import { checkProfileFlags, openProfile } from "./_profile_flags.ts";
import { addTrainFlags, ownFlags, TRAIN_RECIPE, type TrainCommandFlags as Flags } from "./_train_flags.ts";
import { terminalView } from "./_train_view.ts";

/** Adds `denofold train`. */
export function register(program: Command): void {
  const command = program.command("train");
  addTrainFlags(command);
  command.action(run);
}

async function run({ config }: Flags, command: Command): Promise<void> {
  if (config !== undefined) await applyRecipe(command, config, TRAIN_RECIPE);
  const all = command.opts<Flags>();
  const flags: Flags = { ...all, own: ownFlags(all) };
  checkFlags(flags);
  checkProfileFlags(flags, { "--leave-one-out": flags.leaveOneOut, "--validate-setup": flags.validateSetup });
  if (flags.validateSetup) return await validate(flags);
  const found = flags.resume === undefined ? undefined : await readResumable(flags.resume);
  const examples = flags.demo ? await shippedFolder("examples") : undefined;
  const given = absolute(resolveSettings(flags, { examples, saved: found?.settings }));
  const everyOne = flags.leaveOneOut || (found !== undefined && found.saved === undefined);
  const { cropsChains = false } = trainableOf(given.model.network);
  const isSized = cropsChains || flags.seqLen !== undefined || found !== undefined;
  const data = await readRunData(given, isSized && !cropsChains ? given.model.seqLen : undefined);
  if (data) tellData(data);
  const sized = isSized || !data ? given : sizedFor(data, given);
  if (flags.dryRun) return await dryRun(flags, everyOne ? firstLeftOut(sized, data) : sized, data);
  const out = await outputFolder(flags);
  const profileDir = found === undefined
    ? await folderForProfile(flags.profileDir, out, flags)
    : flags.profileDir ?? out;
  using opened = await open(flags, sized, everyOne);
  const { context } = opened;
  const settings = await withRecompute(context.device, sized, data);
  const request: TrainRequest = {
    ...{ settings, out, saved: found?.saved, data },
    profileDir,
    checkpointEvery: flags.checkpointEvery ?? 50,
    command: commandLine(),
    notes: flags.demo ? [DEMO_NOTE] : [],
  };
  const trainings = everyOne ? data?.families.reduce((sum, { members }) => sum + members.length, 0) ?? 1 : 1;
  const left = settings.training.numSteps - (found?.saved?.history.length ?? 0);
  const planned = everyOne ? firstLeftOut(settings, data) : settings;
  const forecast = await forecastRun(context.device, planned, data, left * trainings);
  if (forecast) context.view.say(`${forecastText(forecast, context.device.traits.software)}\n`);
  if (everyOne) {
    checkProfileFlags(flags, { "--leave-one-out": true });
    const { finished, table, files } = await leaveOneOut({ ...request, resume: found !== undefined }, context);
    finish(flags, out, { finished, files, leaveOneOut: table });
  } else {
    const profile = await openProfile(flags, context.device, context.view);
    const outcome = await train(request, { ...context, view: profile?.view ?? context.view });
    const { files: _, results, ...facts } = outcome;
    const profiled = await profile?.finish(settings, request.profileDir, flags.json ?? false) ?? [];
    const files = [...outcome.files, ...profiled];
    const targets = results.map((result) => ({ id: result.member.id, methods: methodsOf(result) }));
    const performance = facts.performance && camelKeys(facts.performance);
    finish(flags, out, { ...facts, performance, forecast, files, targets });
  }
}

/** The settings of the first of the trainings that each leave one structure out. */
function firstLeftOut(settings: TrainSettings, data: RunData | undefined): TrainSettings {
  const [first] = data?.families.flatMap(({ members }) => members) ?? [];
  return first ? holdingOut(settings, first) : settings;
}

/** Says what a run would be, and what it would take; writes nothing. */
async function dryRun(flags: Flags, given: TrainSettings, data: RunData | undefined): Promise<void> {
  using opened = await open(flags, given, false);
  const { device, adapter, view } = opened.context;
  const settings = await withRecompute(device, given, data);
  const network = trainableOf(settings.model.network).network(settings.model, settings.own);
  const learning = data && await trainableOf(settings.model.network).open(settings, trainDataOf(data));
  const forecast = await forecastRun(device, settings, data, settings.training.numSteps);
  for (const warning of learning?.warnings ?? []) console.error(`warning: ${warning}`);
  if (flags.json) {
    console.log(JSON.stringify({ recipe: recipeOf(settings), parameters: network.parameters, forecast }, undefined, 2));
    return;
  }
  view.say(modelText(settings, network));
  view.say(`\n${trainingText(settings, network, learning?.source.description ?? "noise", adapter)}\n`);
  view.say(forecast ? forecastText(forecast, device.traits.software) : "A step of these sizes cannot be planned.");
}

/** What is printed at the end: files, or the JSON object. */
function finish<R extends { finished: boolean; files: readonly string[] }>(flags: Flags, out: string, result: R): void {
  if (flags.json) {
    console.log(JSON.stringify({ out, ...result }, undefined, 2));
    return;
  }
  console.log(`\nFiles:\n${result.files.map((file) => `   ${file}`).join("\n")}`);
  if (!result.finished) console.log(`\nStopped. Go on with: denofold train --resume ${out}`);
  else if (flags.demo && !flags.leaveOneOut) {
    const other = flags.holdOut?.includes("1sp1") ? "1znf" : "1sp1";
    console.log(
      `\nOpen ${out}/report.html in a browser. Another finger: denofold train --demo --hold-out ${other} --out demo_${other}`,
    );
  }
}

async function validate(flags: Flags): Promise<void> {
  try {
    const settings = resolveSettings(flags, {});
    using opened = await open(flags, settings, false);
    const { context } = opened;
    const performance = await validateSetup(settings, context);
    if (flags.json) console.log(JSON.stringify({ ok: true, performance: camelKeys(performance) }, undefined, 2));
    else console.log("Validation successful! Environment ready.");
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (flags.json) console.log(JSON.stringify({ ok: false, error: message }, undefined, 2));
    else console.log(`Validation failed: ${message}`);
    Deno.exitCode = EXIT.failure;
  }
}

/** Steps from which on a run is long enough for kernels to be timed before it. */
const LONG_RUN = 100;

/** Opens the device and takes over Ctrl-C. */
async function open(
  flags: Flags,
  { training }: TrainSettings,
  everyOne: boolean,
): Promise<Disposable & { context: TrainContext }> {
  const silent = flags.json ?? false;
  const { adapter, notes } = await ensureAdapter({ device: flags.device, install: true });
  if (!silent) { for (const note of notes) console.error(note); }
  const device = await openDevice(adapter, {
    precision: flags.precision,
    long: training.numSteps >= LONG_RUN && !flags.validateSetup,
  });
  setFusions(device, flags.fusion);
  device.checkNumerics(flags.checkNumerics ?? false);
  const stepLines = !silent && !flags.quiet && !everyOne;
  const view = terminalView({ batchSize: training.batchSize * training.accumulate, stepLines, silent });
  const interrupt = onInterrupt();
  return {
    context: { device, adapter: adapterName(adapter), view, stop: interrupt },
    [Symbol.dispose]() {
      interrupt[Symbol.dispose]();
      device.close();
    },
  };
}

/** Paths as they are from any folder, since a checkpoint keeps them. */
function absolute(settings: TrainSettings): TrainSettings {
  const { data } = settings;
  if (data.kind === "synthetic") return settings;
  const path = (file: string | null | undefined) => file ? resolve(file) : null;
  const choice = { list: path(data.list), validation: path(data.validation) };
  return {
    ...settings,
    data: data.kind === "features" ? { ...data, ...choice, folder: resolve(data.folder) } : {
      ...{ ...data, ...choice },
      ...{ structures: data.structures.map((path) => resolve(path)), msa: path(data.msa) },
    },
  };
}

/** Prints what is doubtful about the data, and what is left out. */
function tellData({ warnings, bad, examples, validation }: RunData): void {
  for (const warning of warnings) console.error(`warning: ${warning}`);
  for (const { reason } of bad) console.error(`warning: ${reason}: left out`);
  if (bad.length === 0) return;
  console.error(`warning: ${counted(bad.length, "target")} left out, ${examples.length + validation.length} used`);
}

/** Settings whose most residues are enough for the longest chain, where the user said nothing. */
function sizedFor({ examples, validation, heldOut }: RunData, settings: TrainSettings): TrainSettings {
  const lengths = [...examples, ...validation].map(({ sequence }) => sequence.length);
  const longest = Math.max(...lengths, ...heldOut.map(({ chain }) => chain.sequence.length));
  const { model } = settings;
  return { ...settings, model: { ...model, seqLen: Math.max(model.seqLen, longest) } };
}

/** A run that goes on stays in its folder, unless another is named. */
async function outputFolder({ out, resume, demo, overwrite }: Flags): Promise<string> {
  if (resume === undefined) return await folderForRun(out, demo ? "demo" : "training", { overwrite });
  const own = await folderOf(resume);
  return out === undefined || resolve(out) === resolve(own) ? own : await folderForRun(out, out, { overwrite });
}

async function folderOf(path: string): Promise<string> {
  const info = await Deno.stat(path).catch(() => undefined);
  if (!info) throw new InputError(`Cannot resume from ${path}: there is no such folder`);
  return info.isDirectory ? path : dirname(path);
}
