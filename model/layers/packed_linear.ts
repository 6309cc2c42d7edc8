import type { Tensor } from "../../core/mod.ts";
import { concat, isFused, linear, type LinearParams, slice } from "../../ops/mod.ts";

/**
 * Linear maps of one input as one map: its output holds theirs side by side, in order. A map without bias among others
 * with one gets zeros.
 *
 * @param parts Weights `[cOut_i, cIn]`, biases `[cOut_i]`.
 * @returns Weight `[Σ cOut_i, cIn]`, bias `[Σ cOut_i]` if any part has one.
 */
export function packLinear(parts: readonly LinearParams[]): LinearParams {
  if (parts.length === 1) return parts[0];
  const weight = concat(parts.map((part) => part.weight), 0);
  if (parts.every((part) => !part.bias)) return { weight };
  return { weight, bias: concat(parts.map(({ weight, bias }) => bias ?? weight.device.zeros([weight.shape[0]])), 0) };
}

/**
 * Projections of one input, their outputs side by side: one product; where the fusion "qkv" is off, one each and a copy.
 *
 * @param x `[..., cIn]`.
 * @param intermediate Whether the device may keep the result in 16 bits. @default true
 * @returns `[..., Σ cOut_i]`.
 */
export function projectPacked(x: Tensor, parts: readonly LinearParams[], { intermediate = true } = {}): Tensor {
  if (isFused(x.device, "qkv") || parts.length === 1) return linear(x, packLinear(parts), { intermediate });
  using scope = x.device.scope("project");
  return scope.keep(concat(parts.map((part) => linear(x, part)), -1));
}

/**
 * {@linkcode projectPacked}, cut into outputs of equal width; where "qkv" is off these are the products themselves.
 *
 * @param count How many outputs; a part may hold several.
 */
export function projectApart(x: Tensor, parts: readonly LinearParams[], count: number): Tensor[] {
  if (!isFused(x.device, "qkv") && parts.length === count) return parts.map((part) => linear(x, part));
  const packed = projectPacked(x, parts, { intermediate: false }); // copies take 32 bits
  const width = packed.shape.at(-1)! / count;
  const last = packed.shape.length - 1;
  const begin = packed.shape.map(() => 0);
  const cut = Array.from(
    { length: count },
    (_, i) => slice(packed, begin.with(last, i * width), packed.shape.with(last, (i + 1) * width)),
  );
  packed.dispose();
  return cut;
}
