/** The report of a run that held no structure out: its loss, and what it was. */
import { renderReport } from "../report/report.ts";
import { lossCurve } from "./history.ts";
import { runFacts, type RunFactsInput } from "./run_facts.ts";
import { NNX_EVOFORMER } from "./settings.ts";

/** What {@link lossReport} shows. */
export interface LossReportInput extends RunFactsInput {
  /** The command as the user typed it. */
  readonly command: string;
  /** What the loss is, with its unit. */
  readonly lossLabel: string;
}

/** Makes the report, HTML text; there must be a step. */
export async function lossReport(input: LossReportInput): Promise<string> {
  const { settings, history, lossLabel, command, data } = input;
  const notebook = settings.model.network === NNX_EVOFORMER;
  const [first, last] = [history[0], history[history.length - 1]];
  const times = (steps: number) => `${steps} step${steps === 1 ? "" : "s"}`;
  return await renderReport({
    title: `${notebook ? "The Flax notebook's Evoformer block" : "The small Evoformer"}, ${times(history.length)}`,
    summary: `Trained on ${data}. The loss went from ${first.loss.toFixed(4)} in the first step to ` +
      `${last.loss.toFixed(4)} in the last. No structure was held out, so there is none to predict.`,
    created: new Date().toISOString(),
    targets: [],
    loss: lossCurve(history, lossLabel),
    limits: [],
    run: [{ label: "Command", value: command, code: true }, ...runFacts(input)],
  });
}
