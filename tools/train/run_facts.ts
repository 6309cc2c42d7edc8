/** The lines about a training run that its report ends with. */
import manifest from "../../deno.json" with { type: "json" };
import type { RunFact } from "../report/report_data.ts";
import { skippedText, type StepRecord } from "./history.ts";
import { MEGABYTE } from "./performance.ts";
import type { Network } from "./network.ts";
import type { TrainSettings } from "./settings.ts";

/** What {@link runFacts} tells. */
export interface RunFactsInput {
  /** Model, training and data. */
  readonly settings: TrainSettings;
  /** What was trained. */
  readonly network: Pick<Network<unknown, unknown>, "parameters" | "optimizer" | "inWords">;
  /** What the data are. */
  readonly data: string;
  /** The adapter's name. */
  readonly adapter: string;
  /** All steps, of every training. */
  readonly history: readonly StepRecord[];
  /** Time of the whole run, in s. */
  readonly seconds: number;
}

/** Data, model, training, seed, adapter, versions, times and memory. */
export function runFacts({ settings, network, data, adapter, history, seconds }: RunFactsInput): RunFact[] {
  const { training } = settings;
  const trained = history.reduce((sum, record) => sum + record.totalMs, 0) / 1000;
  const skipped = skippedText(history);
  const warmup = training.lrWarmupSteps > 0 ? ` after ${training.lrWarmupSteps} steps of warm-up` : "";
  return [
    { label: "Data", value: data },
    {
      label: "Model",
      value: `${network.inWords}, ${network.parameters.toLocaleString("en")} parameters`,
    },
    {
      label: "Training",
      value:
        `${training.numSteps} steps of ${training.batchSize * training.accumulate} samples, ${
          optimizerName(network)
        }, learning rate ` +
        `${training.learningRate} (${training.schedule}${warmup})` +
        (training.maxNorm === null ? "" : `, gradients clipped to norm ${training.maxNorm}`) +
        (training.ema === null ? "" : `, moving average ${training.ema}`) +
        (training.cropEnds === null ? "" : `, 0 to ${training.cropEnds} residues cut at either end`),
    },
    { label: "Seed", value: `${training.seed}` },
    { label: "Adapter", value: adapter },
    { label: "Versions", value: `denofold ${manifest.version}, Deno ${Deno.version.deno}` },
    { label: "Training time", value: duration(trained) },
    { label: "Whole time", value: duration(seconds) },
    ...(skipped === undefined ? [] : [{ label: "Skipped steps", value: skipped }]),
    {
      label: "Peak GPU memory",
      value: `${(Math.max(0, ...history.map((record) => record.peakBytes)) / MEGABYTE).toFixed(0)} MiB`,
    },
  ];
}

/** The optimizer's name for the reader. */
export function optimizerName({ optimizer }: Pick<Network<unknown, unknown>, "optimizer">): string {
  return optimizer === "adamw" ? "AdamW" : "Adam";
}

/** A time in words. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return [h > 0 ? `${h} h` : "", h > 0 || m > 0 ? `${m} min` : "", `${s} s`].filter((part) => part !== "").join(" ");
}
