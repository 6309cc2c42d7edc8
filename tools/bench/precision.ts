/** What matrix units cost in accuracy. */
import type { Device, Tensor } from "../../core/mod.ts";
import { setTuning, tuningOf, withoutUnits } from "../../ops/tuning.ts";

/**
 * How far the results of a step on matrix units are from those without them: the length of the difference in parts of the
 * length of each. Undefined where no product is computed on units.
 */
export async function unitErrors(
  device: Device,
  step: () => readonly (Tensor | null)[],
): Promise<number[] | undefined> {
  const before = tuningOf(device), without = withoutUnits(device);
  if (!without) return undefined;
  const results = async () => {
    using scope = device.scope("precision");
    void scope;
    return await Promise.all(step().flatMap((tensor) => tensor ? [tensor.read()] : []));
  };
  const onUnits = await results();
  setTuning(device, without);
  try {
    return (await results()).map((exact, i) => distance(onUnits[i], exact));
  } finally {
    setTuning(device, before);
  }
}

function distance(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let errors = 0, squares = 0;
  for (let i = 0; i < expected.length; i++) {
    errors += (actual[i] - expected[i]) ** 2;
    squares += expected[i] ** 2;
  }
  return Math.sqrt(errors / (squares || 1));
}
