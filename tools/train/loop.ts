/** Makes the steps of a run, saves now and then, and stops in good order. */
import { DeviceLostError, type Tensor, type Tree } from "../../core/mod.ts";
import { InputError } from "../errors.ts";
import { bestOf, wasSkipped } from "./history.ts";
import type { TrainingSession } from "./session.ts";
import type { StopSignal, TrainView } from "./view.ts";

/** How {@link runSteps} goes on. */
export interface LoopOptions<B> {
  /** Saves a checkpoint. */
  readonly save: () => Promise<void>;
  /** Saves the parameters of the lowest watched loss so far. @default they are not kept */
  readonly saveBest?: () => Promise<void>;
  /** Folder of the checkpoint, for messages. */
  readonly out: string;
  /** Steps between two checkpoints; none after a step that was skipped. The end and an interruption always save. */
  readonly checkpointEvery: number;
  /** Step of the last checkpoint there is, if the run goes on from one. */
  readonly savedStep?: number;
  /** Batches whose loss is measured now and then. */
  readonly watched?: readonly B[];
  /** Shows what happens. */
  readonly view: TrainView;
  /** Says when to stop. */
  readonly stop: StopSignal;
}

/** How many times in a run the loss of the watched batches is measured. */
const MEASUREMENTS = 15;

/** How a loop ended. */
export type LoopEnd = "all steps" | "early" | "asked to stop";

/**
 * Runs until all steps are made, the watched loss has not fallen for as many measurements as the settings' patience says,
 * or a stop is asked for; saves in each case.
 *
 * @throws {InputError} If too many steps in a row were skipped, memory is out, or nothing can be saved; the last
 * checkpoint stays as it was.
 * @throws {DeviceLostError} If the device was lost; likewise.
 */
export async function runSteps<P extends Tree<Tensor>, B>(
  session: TrainingSession<P, B>,
  options: LoopOptions<B>,
): Promise<LoopEnd> {
  const { view, stop, checkpointEvery, watched = [] } = options;
  const { numSteps, validationEvery, patience } = session.settings.training;
  const measureEvery = validationEvery ?? Math.max(1, Math.ceil(numSteps / MEASUREMENTS));
  let savedStep = options.savedStep;
  const save = async () => {
    await options.save();
    savedStep = session.step;
  };
  const isOver = () => patience != null && (bestOf(session.history)?.since ?? 0) >= patience;
  try {
    while (session.warmingUp || (session.step < numSteps && !isOver())) {
      if (await stop.poll()) {
        await save();
        return "asked to stop";
      }
      const record = await session.advance();
      if (record && watched.length > 0 && (session.step % measureEvery === 0 || session.step === numSteps)) {
        await session.measureHeldOut(watched);
        if (bestOf(session.history)?.step === record.step) await options.saveBest?.();
      }
      view.step(session.step, record);
      const due = record && session.step % checkpointEvery === 0 && session.step < numSteps;
      if (due && !wasSkipped(record)) await save(); // else the last step may be what spoilt the parameters
    }
    if (savedStep !== session.step) await save();
    return session.step < numSteps ? "early" : "all steps";
  } catch (error) {
    const next = savedStep === undefined
      ? "No checkpoint was written before."
      : `The checkpoint of step ${savedStep} in ${options.out} is whole; go on from it with: denofold train --resume ${options.out}`;
    const says = (message: string) => `${message.trim().replace(/\.?$/, ".")} ${next}`;
    if (error instanceof DeviceLostError) throw new DeviceLostError(says(error.message));
    if (error instanceof InputError) throw new InputError(says(error.message));
    throw error;
  }
}
