import { type BindingType, type Kernel, kernel, kernelFamily } from "../core/mod.ts";
import {
  entropyProbes,
  entropyStatsProbes,
  entropyVjpProbes,
  lossProbes,
  lossVjpProbes,
  quotientProbes,
} from "./_battery/sums.ts";
import { EXTREMA, LOGARITHM, SPECIAL_VALUES, valueTypes } from "./_functions.wgsl.ts";
import {
  alongRow,
  inputType,
  outputType,
  reader,
  rowDeclarations,
  rowPlace,
  type RowStructure,
  turnsAlongRow,
} from "./_rows.ts";

/** A loss of the error e = prediction - target, element by element. */
export interface PointwiseLoss {
  readonly name: string;
  /** WGSL of the loss of `e`; may read `u.delta`. */
  readonly value: string;
  /** WGSL of its derivative. */
  readonly slope: string;
}

/** The square of the error. */
export const SQUARED_ERROR: PointwiseLoss = { name: "meanSquaredError", value: "e * e", slope: "e + e" };

/** The square up to a size, then the size. */
export const HUBER: PointwiseLoss = {
  name: "huber",
  value: "select(u.delta * (abs(e) - 0.5 * u.delta), 0.5 * e * e, abs(e) <= vec4f(u.delta))",
  slope: "smaller(larger(e, vec4f(-u.delta)), vec4f(u.delta))",
};

/** What the text of a pointwise loss depends on. */
export interface LossStructure extends PointwiseLoss {
  readonly masked: boolean;
}

/** Invocations of a workgroup, vec4s that each adds up, and the elements of all of them. */
const LANES = 64, VECTORS = 64;
export const LOSS_PART = 4 * LANES * VECTORS;

/** Vec4s in a block. */
const BLOCK = 16;

const FUNCTIONS = `${valueTypes("vec4f")}${SPECIAL_VALUES}${EXTREMA}`;

/**
 * Sums of the losses, and of the mask, of parts of LOSS_PART elements, LANES numbers a part: an invocation takes every
 * LANES-th vec4 of its part, in blocks of 16.
 */
export const lossKernel: (structure: LossStructure) => Kernel = kernelFamily(
  ({ name, value, masked }: LossStructure) => ({
    name,
    bindings: {
      prediction: "read vec4f", // [n]
      goal: "read vec4f", // [n]
      ...(masked ? { mask: "read vec4f" as const } : {}), // [n]
      losses: "write f32", // [parts, LANES]
      ...(masked ? { weights: "write f32" as const } : {}), // [parts, LANES]
    },
    uniforms: { n: "u32", parts: "u32", delta: "f32" },
    workgroupSize: LANES,
    declarations: `${FUNCTIONS}
fn loss(e: vec4f) -> vec4f {
  return ${value};
}
fn across(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}`,
    body: `
if (block < u.parts) {
  var total = vec4f(0.0);
  var weight = vec4f(0.0);
  var i = block * ${LANES * VECTORS}u + lane;
  for (var b = 0u; b < ${VECTORS / BLOCK}u && 4u * i < u.n; b++) {
    var sum = vec4f(0.0);
    for (var k = 0u; k < ${BLOCK}u && 4u * i < u.n; k++) {
      let inside = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(u.n);
      let value = loss(prediction[i] - goal[i]);
      ${
      masked
        ? `let m = select(vec4f(0.0), mask[i], inside);
      weight += m;
      sum += select(vec4f(0.0), m * value, m != vec4f(0.0));`
        : "sum += select(vec4f(0.0), value, inside);"
    }
      i += ${LANES}u;
    }
    total += sum;
  }
  losses[index] = across(total);
  ${masked ? "weights[index] = across(weight);" : ""}
}`,
  }),
  (structure) => lossProbes(structure, LOSS_PART),
);

/** dPrediction = dOut slope(prediction - target) mask / sum(mask), times `scale` (which is 1 / n without a mask). */
export const lossVjpKernel: (structure: LossStructure) => Kernel = kernelFamily(
  ({ name, slope, masked }: LossStructure) => ({
    name: `${name}.vjp`,
    bindings: {
      prediction: "read vec4f",
      goal: "read vec4f",
      ...(masked ? { mask: "read vec4f" as const, weight: "read f32" as const } : {}),
      d: "read f32",
      dPrediction: "write vec4f",
    },
    uniforms: { n: "u32", scale: "f32", delta: "f32" },
    declarations: `${FUNCTIONS}
fn slope(e: vec4f) -> vec4f {
  return ${slope};
}`,
    body: `
if (index < u.n) {
  let gradient = slope(prediction[index] - goal[index]) * (u.scale * d[0]);
  ${
      masked
        ? `let m = mask[index];
  dPrediction[index] = select(vec4f(0.0), gradient * m / weight[0], m != vec4f(0.0));`
        : "dPrediction[index] = gradient;"
    }
}`,
  }),
  lossVjpProbes,
);

/** out[0] = sum[0] / weight[0], or 0 where nothing was counted. */
export const quotientKernel: Kernel = kernel({
  name: "maskedMean",
  bindings: { sum: "read f32", weight: "read f32", out: "write f32" },
  body: `
if (index == 0u) {
  let count = weight[0];
  out[0] = select(sum[0] / select(count, 1.0, count == 0.0), 0.0, count == 0.0);
}`,
}, quotientProbes);

/**
 * What the cross entropy of a row depends on: `stats` [rows, 4] gets the largest logit, the sum of the exponentials of
 * logits less that, the sum of the targets t, and the sum of t times a logit less the largest one.
 */
export const entropyStatsKernel: (structure: RowStructure) => Kernel = kernelFamily((s: RowStructure) => ({
  name: "crossEntropy",
  bindings: { logits: inputType(s), goal: inputType(s), stats: "write vec4f" },
  uniforms: { rows: "u32", columns: "u32" },
  turns: turnsAlongRow(s, 2, 4),
  declarations: rowDeclarations(s),
  subgroups: s.subgroup,
  body: `${rowPlace(s)}
var tops = ${reader(s, "logits", "base")};
${alongRow(s, `tops = larger(tops, ${reader(s, "logits", "i")});`)}
let top = row_max(lane, greatest(tops));
var sums = V();
var weights = V();
var hits = V();
${
    alongRow(
      s,
      `let x = ${reader(s, "logits", "i")} - top; let t = ${reader(s, "goal", "i")}; ` +
        "sums += exponential(x); weights += t; hits += select(t * x, V(), t == V());",
    )
  }
let sum = row_sum(lane, total(sums));
let weight = row_sum(lane, total(weights));
let hit = row_sum(lane, total(hits));
if (live && part == 0u) { stats[row] = vec4f(top, sum, weight, hit); }`,
}), entropyStatsProbes);

/** Cross entropy of rows from their `stats`, times the mask. */
export const entropyKernel: (structure: { masked: boolean }) => Kernel = kernelFamily(
  ({ masked }: { masked: boolean }) => ({
    name: "crossEntropy.rows",
    bindings: { stats: "read vec4f", ...(masked ? { mask: "read f32" as const } : {}), losses: "write f32" },
    uniforms: { rows: "u32" },
    declarations: valueTypes("f32") + SPECIAL_VALUES + LOGARITHM,
    body: `
if (index < u.rows) {
  let stat = stats[index];
  let value = stat.z * logarithm(stat.y) - stat.w;
  ${masked ? "let m = mask[index];" : ""}
  losses[index] = ${masked ? "select(0.0, m * value, m != 0.0)" : "value"};
}`,
  }),
  entropyProbes,
);

/** dLogits = dOut (sum(targets) softmax(logits) - targets) mask / sum(mask), times `scale` (1 / rows without a mask). */
export const entropyVjpKernel: (structure: { masked: boolean; vector: boolean }) => Kernel = kernelFamily(
  ({ masked, vector }: { masked: boolean; vector: boolean }) => {
    const read: BindingType = inputType({ vector });
    return {
      name: "crossEntropy.vjp",
      bindings: {
        logits: read,
        goal: read,
        stats: "load vec4f",
        ...(masked ? { mask: "read f32" as const, weight: "read f32" as const } : {}),
        d: "read f32",
        dLogits: outputType({ vector }),
      },
      uniforms: { n: "u32", columns: "u32", scale: "f32" },
      declarations: valueTypes(vector ? "vec4f" : "f32"),
      body: `
if (index < u.n) {
  let row = index / u.columns;
  let stat = stats_at(row);
  let p = exp(${reader({ vector }, "logits", "index")} - stat.x) / stat.y;
  let gradient = (stat.z * p - ${reader({ vector }, "goal", "index")}) * (u.scale * d[0]);
  ${masked ? "let m = mask[row];" : ""}
  dLogits[index] = ${masked ? "select(V(), gradient * m / weight[0], m != 0.0)" : "gradient"};
}`,
    };
  },
  entropyVjpProbes,
);
