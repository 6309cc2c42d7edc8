/** The report of a run that held no structure out: its loss, and what it was. */
import { renderReport } from "../report/report.ts";
import { lossCurve } from "./history.ts";
import type { Network } from "./network.ts";
import { runFacts, type RunFactsInput } from "./run_facts.ts";

/** What {@link lossReport} shows. */
export interface LossReportInput extends RunFactsInput {
  /** The command as the user typed it. */
  readonly command: string;
  /** What was trained. */
  readonly network: Pick<Network<unknown, unknown>, "title" | "parameters" | "optimizer" | "inWords" | "lossLabel">;
}

/** Makes the report, HTML text; there must be a step. */
export async function lossReport(input: LossReportInput): Promise<string> {
  const { network, history, command, data } = input;
  const [first, last] = [history[0], history[history.length - 1]];
  const times = (steps: number) => `${steps} step${steps === 1 ? "" : "s"}`;
  return await renderReport({
    title: `${network.title}, ${times(history.length)}`,
    summary: `Trained on ${data}. The loss went from ${first.loss.toFixed(4)} in the first step to ` +
      `${last.loss.toFixed(4)} in the last. No structure was held out, so there is none to predict.`,
    created: new Date().toISOString(),
    targets: [],
    loss: lossCurve(history, network.lossLabel),
    limits: [],
    run: [{ label: "Command", value: command, code: true }, ...runFacts(input)],
  });
}
