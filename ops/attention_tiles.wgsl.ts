/**
 * Attention as two small matrix products: a workgroup makes the logits of 32 queries and 32 keys, 4 × 4 an invocation, and
 * adds the values times their probabilities up, four queries and a vec4 of channels an invocation. Each vec4 that is read
 * from workgroup memory serves 16 multiply-adds, and the bias is read in whole vec4s, neighbours beside each other.
 */
import { kernelFamily, unroll } from "../core/mod.ts";
import { forwardProbes } from "./_battery/attention.ts";
import { TILE, turnsOfStream } from "./_attention_stream.ts";
import {
  type AttentionStructure,
  forwardBindings,
  GATE_FUNCTIONS,
  keyPenalty,
  operand,
  outputs,
  SIZES,
} from "./attention.wgsl.ts";

/** Invocations along the keys, and along the queries, of a tile. */
const SIDE = TILE / 4;
/** vec4s of a row of probabilities, one of which is left free so that rows lie on different banks. */
const WIDE = SIDE + 1;

/** vec4s of a head's channels up to which an invocation has one each, and tiles fit 16 KiB of workgroup memory. */
export const MOST_TILED_D4 = SIDE;

/** Attention forward; what it computes and keeps is what `forwardKernel` does. */
export const tiledForwardKernel = kernelFamily((
  structure: AttentionStructure & { gated: boolean; record: boolean },
) => {
  const { lanes, d4, bias, mask, gated } = structure;
  const { put, keep } = outputs(structure);
  const stride = d4 + 1;
  const four = (piece: (i: number) => string) => unroll(4, piece);
  const each = (piece: (i: number, j: number) => string) => four((i) => four((j) => piece(i, j)));
  /** Fills tiles with the rows of 32 items from `first` on; those past the last repeat it. */
  const stage = (side: "q" | "k", first: string, put: (item: string, token: string, d: string) => string) => `
for (var n = lane; n < ${TILE * d4}u; n += ${lanes}u) {
  let item = n / ${d4}u;
  let d = n % ${d4}u;
  let token = base_${side} + min(${first} + item, u.L${side} - 1u) * u.${side}Step;
  ${put("item", "token", "d")}
}`;
  return {
    name: "attention.tiles",
    bindings: forwardBindings(structure),
    uniforms: SIZES,
    turns: ({ Lk }) => turnsOfStream(structure, Lk) + Math.ceil(TILE * d4 / lanes) + 1 + 4 * (SIDE + 1),
    workgroupSize: lanes,
    declarations: `
var<workgroup> tile_q: array<vec4f, ${TILE * stride}>;
// keys, 4 i + j in row 8 j + i; then the probabilities
var<workgroup> tile_k: array<vec4f, ${TILE * Math.max(stride, WIDE)}>;
var<workgroup> tile_v: array<vec4f, ${TILE * d4}>;
var<workgroup> penalties: array<f32, ${TILE}>;
var<workgroup> parts: array<f32, ${TILE * SIDE}>;${gated ? GATE_FUNCTIONS : ""}`,
    body: `
let s = group.z * groups.y + group.y;
if (s >= u.S) { return; }
let h = group.x % u.H;
let first = (group.x / u.H) * ${TILE}u;
let head = h * (u.HD4 / u.H);
let b = s / u.R;
let r = s % u.R;
let base_q = b * u.R * u.Lq + r * u.qRow;
let base_k = b * u.R * u.Lk + r * u.kRow;
let across = lane % ${SIDE}u;
let down = lane / ${SIDE}u;
${
      four((i) => `
let own_${i} = first + down * 4u + ${i}u;
let token_${i} = base_q + min(own_${i}, u.Lq - 1u) * u.qStep;
${bias ? `let bias_row_${i} = ((b * u.H + h) * u.Lq + min(own_${i}, u.Lq - 1u)) * u.L4;` : ""}
var o_${i} = vec4f(); var top_${i} = -3e38; var sum_${i} = 0.0;`)
    }
${
      stage("q", "first", (item, token, d) =>
        `tile_q[${item} * ${stride}u + ${d}] = ${operand(structure, "q", token, d)} * u.scale;`)
    }
for (var tile = 0u; tile < u.Lk; tile += ${TILE}u) {
  workgroupBarrier();
  ${
      stage("k", "tile", (item, token, d) => `
  tile_k[(${item} % 4u * ${SIDE}u + ${item} / 4u) * ${stride}u + ${d}] = ${operand(structure, "k", token, d)};
  tile_v[${item} * ${d4}u + ${d}] = ${operand(structure, "v", token, d)};`)
    }
  if (lane < ${TILE}u) {
    let token = base_k + min(tile + lane, u.Lk - 1u) * u.kStep;
    penalties[lane] = ${keyPenalty({ mask }, "token", "(tile + lane < u.Lk)")};
  }
  workgroupBarrier();
  ${bias ? four((i) => `let bias_${i} = bias_at(bias_row_${i} + min(tile / 4u + across, u.L4 - 1u));`) : ""}
  ${four((j) => `let penalty_${j} = penalties[across * 4u + ${j}u];`)}
  ${each((i, j) => `var s_${i}_${j} = penalty_${j}${bias ? ` + bias_${i}.${"xyzw"[j]}` : ""};`)}
  for (var d = 0u; d < ${d4}u; d++) {
    ${four((i) => `let q_${i} = tile_q[(down * 4u + ${i}u) * ${stride}u + d];`)}
    ${four((j) => `let k_${j} = tile_k[(${j * SIDE}u + across) * ${stride}u + d];`)}
    ${each((i, j) => `s_${i}_${j} += dot(q_${i}, k_${j});`)}
  }
  ${
      four((i) =>
        `parts[(down * 4u + ${i}u) * ${SIDE}u + across] = max(max(s_${i}_0, s_${i}_1), max(s_${i}_2, s_${i}_3));`
      )
    }
  workgroupBarrier();
  ${
      four((i) => `
  {
    var top = top_${i};
    for (var n = 0u; n < ${SIDE}u; n++) { top = max(top, parts[(down * 4u + ${i}u) * ${SIDE}u + n]); }
    let shrink = exp(top_${i} - top);
    let p = exp(vec4f(s_${i}_0, s_${i}_1, s_${i}_2, s_${i}_3) - top);
    top_${i} = top;
    sum_${i} = sum_${i} * shrink + (p.x + p.y + p.z + p.w);
    o_${i} *= shrink;
    tile_k[(down * 4u + ${i}u) * ${WIDE}u + across] = p;
  }`)
    }
  workgroupBarrier();
  if (across < ${d4}u) {
    for (var n = 0u; n < ${SIDE}u; n++) {
      ${four((c) => `let v_${c} = tile_v[(n * 4u + ${c}u) * ${d4}u + across];`)}
      ${
      four((i) =>
        `{ let p = tile_k[(down * 4u + ${i}u) * ${WIDE}u + n]; ` +
        [..."xyzw"].map((c, at) => `o_${i} = fma(vec4f(p.${c}), v_${at}, o_${i});`).join(" ") + " }"
      )
    }
    }
  }
}
${four((i) => `parts[(down * 4u + ${i}u) * ${SIDE}u + across] = sum_${i};`)}
workgroupBarrier();
${
      four((i) => `
if (own_${i} < u.Lq) {
  var sum = 0.0;
  for (var n = 0u; n < ${SIDE}u; n++) { sum += parts[(down * 4u + ${i}u) * ${SIDE}u + n]; }
  let inverse_${i} = 1.0 / sum;
  if (across < ${d4}u) { ${put(`${i}`, "across", `o_${i}`)} }
  if (across == 0u) { ${keep(`${i}`)} }
}`)
    }`,
  };
}, forwardProbes);
