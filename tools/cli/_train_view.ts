/** Shows a training run in the terminal. */
import type { StepRecord } from "../train/history.ts";
import { stepLine } from "../train/performance.ts";
import type { TrainView } from "../train/view.ts";
import { type Progress, startProgress } from "./_shared.ts";

/** How {@link terminalView} shows a run. */
export interface ViewOptions {
  /** Samples a step. */
  readonly batchSize: number;
  /** Whether each step gets its line on stdout. */
  readonly stepLines: boolean;
  /** Whether stdout is left alone, for a JSON object at the end. */
  readonly silent: boolean;
}

/** Text and step lines on stdout, a progress bar, or a line now and then, on stderr. */
export function terminalView({ batchSize, stepLines, silent }: ViewOptions): TrainView {
  let progress: Progress | undefined;
  let total = 0;
  const say = (line: string) => {
    if (silent) return;
    if (progress && Deno.stdout.isTerminal()) progress.log(line);
    else console.log(line);
  };
  return {
    say,
    begin(label, steps, done) {
      total = steps;
      progress = startProgress({ label, total });
      if (done > 0) progress?.update(done);
    },
    step(done: number, record?: StepRecord) {
      if (record && stepLines) say(stepLine(record, total, batchSize));
      progress?.update(done, record ? `loss ${record.loss.toFixed(3)}` : "");
    },
    end() {
      progress?.stop();
      progress = undefined;
    },
  };
}
