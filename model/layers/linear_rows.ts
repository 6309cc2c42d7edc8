import type { Tensor } from "../../core/mod.ts";
import { type LinearParams, slice } from "../../ops/mod.ts";

/**
 * A linear map in two: the first half of its outputs, and the second. Gradients flow to the whole map.
 *
 * @param map Weight `[2 c, cIn]`.
 * @returns Weights `[c, cIn]`, owned by the current scope.
 */
export function halvesOf({ weight, bias, adapter }: LinearParams): [first: LinearParams, second: LinearParams] {
  const half = (second: boolean): LinearParams => {
    const rows = (x: Tensor) => {
      const c = x.shape[0] / 2, from = second ? c : 0;
      return slice(x, x.shape.map((_, axis) => (axis === 0 ? from : 0)), x.shape.with(0, from + c));
    };
    return {
      weight: rows(weight),
      ...(bias && { bias: rows(bias) }),
      ...(adapter && {
        adapter: {
          ...adapter,
          up: rows(adapter.up),
          ...(adapter.magnitude && { magnitude: rows(adapter.magnitude) }),
        },
      }),
    };
  };
  return [half(false), half(true)];
}
