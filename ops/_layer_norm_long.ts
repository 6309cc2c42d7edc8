/** Layer norm of rows too long for one invocation, by reductions: the formulas of layer_norm.wgsl.ts. No gradients. */
import type { Tensor } from "../core/mod.ts";
import { defineMap } from "./_map.ts";
import { reduceAxes } from "./_reduce.ts";
import { readRegion, writeRegion } from "./_region.ts";

const difference = defineMap({ name: "layerNorm.difference", args: ["x", "shift"], expression: "x - shift" });
const deviation = defineMap({
  name: "layerNorm.deviation",
  args: ["d", "mean"],
  expression: "(d - mean) * (d - mean)",
});
const inverseDeviation = defineMap({
  name: "layerNorm.inverseDeviation",
  args: ["variance"],
  parameters: ["eps"],
  expression: "inverseSqrt(variance + u.eps)",
});
const normal = defineMap({
  name: "layerNorm.normal",
  args: ["x", "shift", "mean", "rstd"],
  expression: "((x - shift) - mean) * rstd",
});
const product = defineMap({ name: "layerNorm.product", args: ["x", "y"], expression: "x * y" });
const sum = defineMap({ name: "layerNorm.sum", args: ["x", "y"], expression: "x + y" });
const gradient = defineMap({
  name: "layerNorm.gradient",
  args: ["g", "n", "rstd", "meanG", "meanGn"],
  expression: "rstd * (g - meanG - n * meanGn)",
});

const meanOfRows = (x: Tensor) => reduceAxes("sum", x, [1], 1 / x.shape[1]);

/** A column of the matrix, `[rows, 1]`. */
const column = (x: Tensor, i: number) => readRegion(x, [0, i], [x.shape[0], 1]);

/** @param x `[rows, C]`. */
export function longLayerNorm(
  x: Tensor,
  { gamma, beta }: { readonly gamma?: Tensor; readonly beta?: Tensor },
  eps: number,
): { out: Tensor; stats: Tensor } {
  const shift = column(x, 0);
  const d = difference({ x, shift });
  const mean = meanOfRows(d);
  const rstd = inverseDeviation({ variance: meanOfRows(deviation({ d, mean })) }, { eps });
  let out = normal({ x, shift, mean, rstd });
  if (gamma) out = product({ x: out, y: gamma });
  if (beta) out = sum({ x: out, y: beta });
  const stats = x.device.zeros([x.shape[0], 4]);
  for (const [i, part] of [shift, mean, rstd].entries()) writeRegion(part, stats, [0, i]);
  return { out, stats };
}

/** Gradient of `x` `[rows, C]` from that of the output, of the same shape. */
export function longLayerNormGradient(x: Tensor, gamma: Tensor | undefined, stats: Tensor, dOut: Tensor): Tensor {
  const [shift, mean, rstd] = [0, 1, 2].map((i) => column(stats, i));
  const n = normal({ x, shift, mean, rstd });
  const g = gamma ? product({ x: dOut, y: gamma }) : dOut;
  return gradient({ g, n, rstd, meanG: meanOfRows(g), meanGn: meanOfRows(product({ x: g, y: n })) });
}
