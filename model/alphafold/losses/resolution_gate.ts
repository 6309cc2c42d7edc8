import type { Tensor } from "../../../core/mod.ts";
import { greaterEqual, lessEqual, multiply } from "../../../ops/mod.ts";

/** Resolutions in Å between which an experiment says something of confidence: the ends count, NMR (0) does not. */
export const RESOLUTION_RANGE: { readonly min: number; readonly max: number } = { min: 0.1, max: 3 };

/**
 * The losses of examples whose resolution lies in a range; 0 for the others.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.6, 1.9.7 and 1.9.10.
 *
 * @param loss `[batch]`.
 * @param resolution Å, `[batch]`.
 * @returns `[batch]`.
 */
export function gatedByResolution(loss: Tensor, resolution: Tensor, { min, max } = RESOLUTION_RANGE): Tensor {
  const { device } = loss;
  using scope = device.scope("gatedByResolution");
  const within = multiply(
    greaterEqual(resolution, device.tensor([min], [])),
    lessEqual(resolution, device.tensor([max], [])),
  );
  return scope.keep(multiply(loss, within));
}
