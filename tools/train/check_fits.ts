import { Device, type Shape } from "../../core/mod.ts";
import { InputError } from "../errors.ts";

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
