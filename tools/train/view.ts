/** What a run shows while it goes on; the command line draws it. */
import type { StepRecord } from "./history.ts";

/** Receives what happens. */
export interface TrainView {
  /** A line for the reader. */
  say(line: string): void;
  /** A number of steps begins, `done` of them made before. */
  begin(label: string, total: number, done: number): void;
  /** A step was made; without record it is one that comes before the recorded ones. */
  step(done: number, record?: StepRecord): void;
  /** The steps are over. */
  end(): void;
}

/** Where a run learns that it should stop. */
export interface StopSignal {
  /** True once the run should finish the step, save and return. */
  poll(): Promise<boolean>;
}
