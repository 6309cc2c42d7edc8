import { type Kernel, kernel, kernelFamily } from "../core/mod.ts";

/** A loss of the error e = prediction - target, element by element. */
export interface PointwiseLoss {
  readonly name: string;
  /** WGSL of the loss of `e`; may read `u.delta`. */
  readonly value: string;
  /** WGSL of its derivative. */
  readonly slope: string;
}

/** What the text of a pointwise loss depends on. */
export interface LossStructure extends PointwiseLoss {
  readonly masked: boolean;
}

/**
 * The sum of the losses, and of the mask, in parts: partial [1 or 2, chunks]. Invocation c takes every chunks-th vec4,
 * in blocks of 16.
 */
export const lossKernel: (structure: LossStructure) => Kernel = kernelFamily(
  ({ name, value, masked }: LossStructure) => ({
    name,
    bindings: {
      prediction: "read vec4f",
      goal: "read vec4f",
      ...(masked ? { mask: "read vec4f" as const } : {}),
      partial: "write f32",
    },
    uniforms: { n: "u32", chunks: "u32", delta: "f32" },
    declarations: `
fn loss(e: vec4f) -> vec4f {
  return ${value};
}
fn across(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}`,
    body: `
if (index < u.chunks) {
  var total = vec4f(0.0);
  var weight = vec4f(0.0);
  var i = index;
  while (4u * i < u.n) {
    var block = vec4f(0.0);
    for (var k = 0u; k < 16u && 4u * i < u.n; k++) {
      let inside = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(u.n);
      let value = loss(prediction[i] - goal[i]);
      ${
      masked
        ? `let m = select(vec4f(0.0), mask[i], inside);
      weight += m;
      block += select(vec4f(0.0), m * value, m != vec4f(0.0));`
        : "block += select(vec4f(0.0), value, inside);"
    }
      i += u.chunks;
    }
    total += block;
  }
  partial[index] = across(total);
  ${masked ? "partial[u.chunks + index] = across(weight);" : ""}
}`,
  }),
);

/** dPrediction = dOut slope(prediction - target) mask / sum(mask), times `scale` (which is 1 / n without a mask). */
export const lossVjpKernel: (structure: LossStructure) => Kernel = kernelFamily(
  ({ name, slope, masked }: LossStructure) => ({
    name: `${name}.vjp`,
    bindings: {
      prediction: "read vec4f",
      goal: "read vec4f",
      ...(masked ? { mask: "read vec4f" as const, sums: "read f32" as const } : {}),
      d: "read f32",
      dPrediction: "write vec4f",
    },
    uniforms: { n: "u32", scale: "f32", delta: "f32" },
    declarations: `
fn slope(e: vec4f) -> vec4f {
  return ${slope};
}`,
    body: `
if (index < u.n) {
  let gradient = slope(prediction[index] - goal[index]) * (u.scale * d[0]);
  ${
      masked
        ? `let m = mask[index];
  dPrediction[index] = select(vec4f(0.0), gradient * m / sums[1], m != vec4f(0.0));`
        : "dPrediction[index] = gradient;"
    }
}`,
  }),
);

/** out[0] = sums[0] / sums[1], or 0 where nothing was counted. */
export const quotientKernel: Kernel = kernel({
  name: "maskedMean",
  bindings: { sums: "read f32", out: "write f32" },
  body: `
if (index == 0u) {
  let count = sums[1];
  out[0] = select(sums[0] / select(count, 1.0, count == 0.0), 0.0, count == 0.0);
}`,
});

/**
 * Cross entropy of a row an invocation: parts [1 or 2, rows] gets the (masked) losses and the mask, rowStats [rows, 2]
 * the logarithm of the sum of exponentials and the sum of the targets.
 */
export const crossEntropyKernel: (structure: { masked: boolean }) => Kernel = kernelFamily(
  ({ masked }: { masked: boolean }) => ({
    name: "crossEntropy",
    bindings: {
      logits: "read f32",
      goal: "read f32",
      ...(masked ? { mask: "read f32" as const } : {}),
      parts: "write f32",
      rowStats: "write f32",
    },
    uniforms: { rows: "u32", classes: "u32" },
    body: `
if (index < u.rows) {
  let row = index * u.classes;
  var largest = logits[row];
  for (var c = 1u; c < u.classes; c++) { largest = max(largest, logits[row + c]); }
  var total = 0.0;
  var weight = 0.0;
  var hit = 0.0;
  for (var c = 0u; c < u.classes; c++) {
    let shifted = logits[row + c] - largest;
    let t = goal[row + c];
    total += exp(shifted);
    weight += t;
    if (t != 0.0) { hit += t * shifted; }
  }
  let value = weight * log(total) - hit;
  rowStats[2u * index] = largest + log(total);
  rowStats[2u * index + 1u] = weight;
  ${
      masked
        ? `let m = mask[index];
  parts[index] = select(0.0, m * value, m != 0.0);
  parts[u.rows + index] = m;`
        : "parts[index] = value;"
    }
}`,
  }),
);

/** dLogits = dOut (sum(targets) softmax(logits) - targets) mask / sum(mask), times `scale` (1 / rows without a mask). */
export const crossEntropyVjpKernel: (structure: { masked: boolean }) => Kernel = kernelFamily(
  ({ masked }: { masked: boolean }) => ({
    name: "crossEntropy.vjp",
    bindings: {
      logits: "read f32",
      goal: "read f32",
      ...(masked ? { mask: "read f32" as const, sums: "read f32" as const } : {}),
      rowStats: "read f32",
      d: "read f32",
      dLogits: "write f32",
    },
    uniforms: { n: "u32", classes: "u32", scale: "f32" },
    body: `
if (index < u.n) {
  let row = index / u.classes;
  let p = exp(logits[index] - rowStats[2u * row]);
  let gradient = (rowStats[2u * row + 1u] * p - goal[index]) * (u.scale * d[0]);
  ${
      masked
        ? `let m = mask[row];
  dLogits[index] = select(0.0, gradient * m / sums[1], m != 0.0);`
        : "dLogits[index] = gradient;"
    }
}`,
  }),
);
