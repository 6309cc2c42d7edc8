import { Device, type Shape } from "../../core/mod.ts";
import { InputError } from "../errors.ts";
import { RELATIVE_POSITION_CLASSES } from "../fold/features.ts";
import { NNX_EVOFORMER, type TrainSettings } from "./settings.ts";

/**
 * Refuses tensors that the adapter cannot hold, before numbers are drawn for them: that takes hours, or more memory than
 * there is.
 *
 * @throws {InputError} If one is too large.
 */
export function checkFits({ traits }: Device, ...shapes: readonly Shape[]): void {
  const device = Device.dry(traits);
  try {
    for (const shape of shapes) device.empty(shape);
  } catch (error) {
    if (error instanceof RangeError) throw new InputError(`${error.message} (denofold plan tells what fits)`);
    throw error;
  }
}

/**
 * Refuses batches of noise that the adapter cannot hold.
 *
 * @throws {InputError} If a batch is too large.
 */
export function checkNoiseFits(device: Device, { model, training: { batchSize } }: TrainSettings): void {
  const { network, seqLen, numSeqs, msaDim, pairDim } = model;
  const channels = network === NNX_EVOFORMER ? pairDim : Math.max(pairDim, RELATIVE_POSITION_CLASSES);
  checkFits(device, [batchSize, seqLen, seqLen, channels], [batchSize, numSeqs, seqLen, msaDim]);
}
