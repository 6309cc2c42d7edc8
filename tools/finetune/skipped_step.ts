/** Why a step was skipped: whose loss is not finite, and where that begins. */
import type { Device } from "../../core/mod.ts";
import { NumericsError } from "../../core/numerics.ts";
import type { FitStep, LabelledSet } from "../../finetune/mod.ts";

/**
 * Tells of a skipped step; the way there is gone again with every kernel's numbers checked.
 *
 * @param names Of the step's samples.
 * @param evaluate Predicts a set with the parameters themselves.
 */
export async function tellSkipped(
  device: Device,
  { step, losses, samples }: FitStep,
  names: readonly (readonly string[])[],
  evaluate: (set: LabelledSet) => Promise<unknown>,
  train: LabelledSet,
  warn: (message: string) => void,
): Promise<void> {
  const bad = losses.flatMap((loss, i) => (Number.isFinite(loss) ? [] : [i]));
  if (!bad.length) return warn(`step ${step + 1} was skipped: its gradient is not finite`);
  const [first] = samples[bad[0]];
  const place = await evaluate({ size: 1, load: () => checked(device, () => train.load(first)) }).then(
    () => "the way there is finite without dropout",
    (error) => {
      if (error instanceof NumericsError) return error.message;
      throw error;
    },
  ).finally(() => device.checkNumerics(false));
  warn(`step ${step + 1} was skipped: the loss of ${bad.flatMap((i) => names[i]).join(", ")} is not finite. ${place}`);
}

async function checked<T>(device: Device, load: () => T | Promise<T>): Promise<T> {
  const loaded = await load();
  device.checkNumerics(true);
  return loaded;
}
