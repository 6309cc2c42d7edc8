/** The report of a run that held structures out. */
import config from "../../deno.json" with { type: "json" };
import { parameterCount } from "../../model/tiny_openfold/mod.ts";
import type { Family } from "../data/family.ts";
import type { LeaveOneOut, LossCurve, RunFact } from "../report/report_data.ts";
import { renderReport } from "../report/report.ts";
import { type HeldOutResult, heldOutTarget } from "./held_out.ts";
import type { StepRecord } from "./history.ts";
import { limitsText } from "./limits_text.ts";
import { MEGABYTE } from "./performance.ts";
import { modelConfig, type TrainSettings } from "./settings.ts";

/** What {@link familyReport} shows. */
export interface FamilyReportInput {
  /** Settings, and the command as the user typed it. */
  readonly request: { readonly settings: TrainSettings; readonly command: string; readonly notes?: readonly string[] };
  /** The adapter's name. */
  readonly context: { readonly adapter: string };
  /** Structures and alignment. */
  readonly family: Family;
  /** The structures held out. */
  readonly results: readonly HeldOutResult[];
  /** Loss of the run; each target's own where they were trained apart. */
  readonly loss?: LossCurve | readonly LossCurve[];
  /** All steps, of every training. */
  readonly history: readonly StepRecord[];
  /** Time of the whole run, in s. */
  readonly seconds: number;
  /** The table, where every structure was held out in turn. */
  readonly leaveOneOut?: LeaveOneOut;
}

/** Makes the report, HTML text. */
export async function familyReport(input: FamilyReportInput): Promise<string> {
  const { request: { settings, command, notes = [] }, family, results, loss, leaveOneOut } = input;
  const ids = results.map(({ member }) => member.id);
  const examples = family.members.length - (leaveOneOut ? 1 : ids.length);
  const perTarget = isList(loss) ? loss : undefined;
  return await renderReport({
    title: leaveOneOut
      ? `${ids.length} structures of one family, each predicted by a model that had not seen it`
      : `${list(ids)}, predicted by a model that had not seen ${ids.length > 1 ? "them" : "it"}`,
    summary: `A small Evoformer was trained on ${examples} structures of a protein family ` +
      `${
        leaveOneOut ? "for each one left out" : `without ${list(ids)}`
      }. From the alignment of the sequences alone it ` +
      "predicts the distances between residues; coordinates follow from these, and are compared with the experiment.",
    created: new Date().toISOString(),
    targets: results.map((result, i) => heldOutTarget(result, perTarget?.[i])),
    loss: isList(loss) ? undefined : loss,
    leaveOneOut,
    limits: limitsText({ examples, parameters: parameterCount(modelConfig(settings.model)), notes }),
    run: [{ label: "Command", value: command, code: true }, ...facts(input)],
  });
}

function facts({ request: { settings }, context, family, history, seconds }: FamilyReportInput): RunFact[] {
  const { model, training } = settings;
  const trained = history.reduce((sum, record) => sum + record.totalMs, 0) / 1000;
  const warmup = training.lrWarmupSteps > 0 ? ` after ${training.lrWarmupSteps} steps of warm-up` : "";
  return [
    {
      label: "Data",
      value: `${family.members.length} structures, alignment of ${family.alignment.names.length} sequences`,
    },
    {
      label: "Model",
      value: `${model.numBlocks} Evoformer blocks, ${model.msaDim} MSA and ${model.pairDim} pair channels, ` +
        `${parameterCount(modelConfig(model)).toLocaleString("en")} parameters`,
    },
    {
      label: "Training",
      value: `${training.numSteps} steps of ${training.batchSize} samples, AdamW, learning rate ` +
        `${training.learningRate} (${training.schedule}${warmup})` +
        (training.maxNorm === null ? "" : `, gradients clipped to norm ${training.maxNorm}`) +
        (training.ema === null ? "" : `, moving average ${training.ema}`) +
        (training.cropEnds === null ? "" : `, 0 to ${training.cropEnds} residues cut at either end`),
    },
    { label: "Seed", value: `${training.seed}` },
    { label: "Adapter", value: context.adapter },
    { label: "Versions", value: `denofold ${config.version}, Deno ${Deno.version.deno}` },
    { label: "Training time", value: duration(trained) },
    { label: "Whole time", value: duration(seconds) },
    {
      label: "Peak GPU memory",
      value: `${(Math.max(0, ...history.map((record) => record.peakBytes)) / MEGABYTE).toFixed(0)} MiB`,
    },
  ];
}

/** A time in words. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return [h > 0 ? `${h} h` : "", h > 0 || m > 0 ? `${m} min` : "", `${s} s`].filter((part) => part !== "").join(" ");
}

function list(ids: readonly string[]): string {
  return ids.length < 2 ? ids.join("") : `${ids.slice(0, -1).join(", ")} and ${ids.at(-1)}`;
}

function isList(loss: FamilyReportInput["loss"]): loss is readonly LossCurve[] {
  return Array.isArray(loss);
}
