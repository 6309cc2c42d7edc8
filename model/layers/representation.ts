import type { Tensor } from "../../core/mod.ts";
import { cast, layerNormOfPart, writePart } from "../../ops/mod.ts";
import { partsOf } from "./in_parts.ts";
import { type LayerNormParams, normalize } from "./layer_norm.ts";

/**
 * A representation as the device keeps those that blocks update: itself, or without a gradient perhaps rounded to 16 bits.
 *
 * @param x `[..., c]`; where c is no multiple of four it stays in 32 bits.
 * @param consume Whether x is not needed any more if it is rounded. @default false
 */
export function asKept(x: Tensor, { consume = false }: { readonly consume?: boolean } = {}): Tensor {
  const { device, shape, dtype } = x;
  if (device.tape || dtype === device.representations || shape.at(-1)! % 4 !== 0) return x;
  const kept = cast(x, device.representations);
  if (consume) x.dispose();
  return kept;
}

/** A representation normalized, and kept as the device keeps those that blocks update. */
export function normalizedAsKept(layerNorm: LayerNormParams, x: Tensor): Tensor {
  const { device, shape } = x;
  const rounds = !device.tape && device.representations !== "f32" && shape.at(-1)! % 4 === 0;
  if (!rounds) return normalize(layerNorm, x);
  using scope = device.scope("normalized");
  const kept = scope.keep(device.empty(shape, device.representations));
  for (const [from, to] of partsOf(device, { count: shape[1], size: x.size })) {
    using _ = device.scope("part");
    const part = { axis: 1, from, to };
    writePart(layerNormOfPart(x, part, { gamma: layerNorm.weight, beta: layerNorm.bias }), kept, part);
  }
  return kept;
}

/** A representation in 32 bits; one in 16 is let go. */
export function asGiven(x: Tensor): Tensor {
  if (x.dtype === "f32") return x;
  const whole = cast(x, "f32");
  x.dispose();
  return whole;
}
