import { type BindingType, type Kernel, kernelFamily } from "../core/mod.ts";
import { pairEmbeddingProbes } from "./_battery/pairs.ts";

/** Which terms there are, and whether channels are read four at a time. */
export interface PairEmbeddingStructure {
  readonly vectors: boolean;
  readonly left: boolean;
  readonly right: boolean;
  readonly weights: boolean;
  readonly bias: boolean;
  readonly residual: boolean;
  /** Whether the sum is added to what stands in `out`. @default false */
  readonly onTop?: boolean;
}

/** An invocation has one channel (or four) of one pair; `classes`, `residual` and `out` begin at row `first`. */
export const pairEmbeddingKernel: (structure: PairEmbeddingStructure) => Kernel = kernelFamily(
  ({ vectors, left, right, weights, bias, residual, onTop }: PairEmbeddingStructure) => {
    const element = vectors ? "vec4f" : "f32";
    const read: BindingType = `read ${element}`;
    const bindings: Record<string, BindingType> = { table: read, classes: "read i32" }; // [K, C], [rows, N]
    if (left) bindings.left = read; // [B, N, C]
    if (right) bindings.right = read;
    if (weights) bindings.weights = "read f32"; // [B, N]
    if (bias) bindings.bias = read; // [C]
    if (residual) bindings.residual = read; // [rows, N, C]
    bindings.out = `write ${element}`;
    return {
      name: "pairEmbedding",
      bindings,
      uniforms: { total: "u32", n: "u32", first: "u32", channels: "u32" },
      body: `
if (index < u.total) {
  let c = index % u.channels;
  let pair = index / u.channels;
  let i = u.first + pair / u.n;
  let j = i / u.n * u.n + pair % u.n;
  let class_ = classes[pair];
  var sum = ${element}();
  if (class_ > 0) { sum = table[u32(class_ - 1) * u.channels + c]; }
  ${left ? "sum += left[i * u.channels + c];" : ""}
  ${right ? "sum += right[j * u.channels + c];" : ""}
  ${weights ? "sum *= weights[i] * weights[j];" : ""}
  ${bias ? "sum += bias[c];" : ""}
  ${residual ? "sum += residual[index];" : onTop ? "sum += out[index];" : ""}
  out[index] = sum;
}`,
    };
  },
  pairEmbeddingProbes,
);
