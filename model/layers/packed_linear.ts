import { concat, type LinearParams } from "../../ops/mod.ts";

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
