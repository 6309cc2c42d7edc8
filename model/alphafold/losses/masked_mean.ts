import type { Tensor } from "../../../core/mod.ts";
import { addScalar, divide, multiply, sum } from "../../../ops/mod.ts";

/**
 * Mean of what a mask counts, an example each: Σ mask · values / (eps + Σ mask) over all axes but the first.
 *
 * @param values `[batch, …]`.
 * @param mask The shape of the values.
 * @returns `[batch]`.
 */
export function maskedMean(values: Tensor, mask: Tensor, eps: number): Tensor {
  const axes = [...values.shape.keys()].slice(1);
  using scope = values.device.scope("maskedMean");
  const total = sum(multiply(values, mask), { axes });
  return scope.keep(divide(total, addScalar(sum(mask, { axes }), eps)));
}
