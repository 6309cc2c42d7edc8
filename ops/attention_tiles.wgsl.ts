/**
 * Attention as two small matrix products: a workgroup makes the logits of 32 queries and 32 keys, 4 × 4 an invocation, and
 * adds the values times their probabilities up, four queries and a vec4 of channels an invocation. Each vec4 that is read
 * from workgroup memory serves 16 multiply-adds, and the bias is read in whole vec4s, neighbours beside each other.
 */
import { kernelFamily, unroll } from "../core/mod.ts";
import { forwardProbes, tiledQueriesProbes } from "./_battery/attention.ts";
import { TILE, turnsOfStream } from "./_attention_stream.ts";
import {
  type AttentionStructure,
  forwardBindings,
  GATE_FUNCTIONS,
  keyPenalty,
  operand,
  operandBindings,
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

/** Sizes of {@linkcode tiledQueriesKernel}: parts into which an entry's sequences are cut, and sequences of a part. */
const PART_SIZES = { ...SIZES, parts: "u32", rPart: "u32" } as const;

/** Turns of {@linkcode tiledQueriesKernel} for each of its sequences, of so many keys. */
export function turnsOfTiledQueries({ lanes, d4 }: Pick<AttentionStructure, "lanes" | "d4">, keys: number): number {
  const staged = Math.ceil(TILE * d4 / lanes) + 1;
  return 1 + staged + Math.ceil(keys / TILE) * (1 + 2 * staged + 2 * (d4 + 1) + (SIDE + 1)) + 1;
}

/**
 * Gradients of the queries and of the bias, for 32 queries of one head: a workgroup goes through some sequences of a batch
 * entry, one after the other, and adds the gradient of the bias up in `dBias` [parts, B, H, L, 4·L4] on the way; parts are
 * summed afterwards, in their order. Three products instead of the five of two kernels. Values and then keys pass through
 * one tile, so that all fits 16 KiB; rows are turned by their number, so that neighbours lie on different banks.
 */
export const tiledQueriesKernel = kernelFamily((structure: AttentionStructure) => {
  const { lanes, d4, bias, mask, packed } = structure;
  const four = (piece: (i: number) => string) => unroll(4, piece);
  const each = (piece: (i: number, j: number) => string) => four((i) => four((j) => piece(i, j)));
  const gradient = packed ? "dqkv" : "dq";
  /** Where vec4 `d` of an own row lies, and of a streamed one: item 4 i + j is row 8 j + i. */
  const own = (item: string, d: string) => `(${item}) * ${d4}u + (${d} + (${item}) / 4u) % ${d4}u`;
  const other = (j: string, i: string, d: string) => `(${j} * ${SIDE}u + ${i}) * ${d4}u + (${d} + ${i}) % ${d4}u`;
  const stage = (side: "q" | "k", first: string, put: string) => `
for (var n = lane; n < ${TILE * d4}u; n += ${lanes}u) {
  let item = n / ${d4}u;
  let d = n % ${d4}u;
  let token = base_${side} + min(${first} + item, u.L${side} - 1u) * u.${side}Step;
  ${put}
}`;
  const streamedTile = (name: "k" | "v") =>
    stage(
      "k",
      "tile",
      `tile_k[${other("(item % 4u)", "(item / 4u)", "d")}] = ${operand(structure, name, "token", "d")};`,
    );
  const product = (sum: string, rows: string) => `
for (var d = 0u; d < ${d4}u; d++) {
  ${four((i) => `let x_${i} = ${rows}[${own(`down * 4u + ${i}u`, "d")}];`)}
  ${four((j) => `let y_${j} = tile_k[${other(`${j}u`, "across", "d")}];`)}
  ${each((i, j) => `${sum}_${i}_${j} += dot(x_${i}, y_${j});`)}
}`;
  return {
    name: "attention.vjp.tiles",
    bindings: {
      ...operandBindings(structure, ["q", "k", "v"]),
      ...{ dO: "load vec4f", terms: "load vec4f" } as const,
      ...(bias && { bias: "load vec4f" as const }),
      ...(mask && { mask: "read f32" as const }),
      ...{ [gradient]: "write vec4f", dBias: "write vec4f" } as const,
    },
    uniforms: PART_SIZES,
    turns: ({ Lk, rPart }) => rPart * turnsOfTiledQueries(structure, Lk) + 1,
    workgroupSize: lanes,
    declarations: `
var<workgroup> tile_q: array<vec4f, ${TILE * d4}>;
var<workgroup> tile_d: array<vec4f, ${TILE * d4}>;
var<workgroup> tile_k: array<vec4f, ${TILE * d4}>;
var<workgroup> tile_s: array<vec4f, ${TILE * SIDE}>;`,
    body: `
let place = group.z * groups.y + group.y;
if (place >= u.S / u.R * u.parts) { return; }
let b = place / u.parts;
let part = place % u.parts;
let h = group.x % u.H;
let first = (group.x / u.H) * ${TILE}u;
let head = h * (u.HD4 / u.H);
let across = lane % ${SIDE}u;
let down = lane / ${SIDE}u;
${
      four((i) => `
let own_${i} = first + down * 4u + ${i}u;
let item_${i} = min(own_${i}, u.Lq - 1u);
let sum_row_${i} = (((part * (u.S / u.R) + b) * u.H + h) * u.Lq + item_${i}) * u.L4;
${bias ? `let bias_row_${i} = ((b * u.H + h) * u.Lq + item_${i}) * u.L4;` : ""}`)
    }
let r_first = part * u.rPart;
for (var r = r_first; r < min(r_first + u.rPart, u.R); r++) {
  let base_q = b * u.R * u.Lq + r * u.qRow;
  let base_k = b * u.R * u.Lk + r * u.kRow;
  ${
      four((i) => `
  let token_${i} = base_q + item_${i} * u.qStep;
  let terms_${i} = terms_at(token_${i} * u.H + h);
  var dq_${i} = vec4f();`)
    }
  ${
      stage(
        "q",
        "first",
        `tile_q[${own("item", "d")}] = ${operand(structure, "q", "token", "d")} * u.scale;
  tile_d[${own("item", "d")}] = dO_at(token * u.HD4 + head + d);`,
      )
    }
  for (var tile = 0u; tile < u.Lk; tile += ${TILE}u) {
    let at = tile / 4u + across;
    ${
      four((j) => `
    let key_${j} = base_k + min(4u * at + ${j}u, u.Lk - 1u) * u.kStep;
    let penalty_${j} = ${keyPenalty({ mask }, `key_${j}`, `(4u * at + ${j}u < u.Lk)`)};`)
    }
    ${bias ? four((i) => `let bias_${i} = bias_at(bias_row_${i} + min(at, u.L4 - 1u));`) : ""}
    ${
      each((i, j) =>
        `var s_${i}_${j} = penalty_${j}${bias ? ` + bias_${i}.${"xyzw"[j]}` : ""}; var dp_${i}_${j} = 0.0;`
      )
    }
    workgroupBarrier();
    ${streamedTile("v")}
    workgroupBarrier();
    ${product("dp", "tile_d")}
    workgroupBarrier();
    ${streamedTile("k")}
    workgroupBarrier();
    ${product("s", "tile_q")}
    ${
      four((i) => `
    let ds_${i} = exp(vec4f(s_${i}_0, s_${i}_1, s_${i}_2, s_${i}_3) - terms_${i}.x) * terms_${i}.y *
      (vec4f(dp_${i}_0, dp_${i}_1, dp_${i}_2, dp_${i}_3) - terms_${i}.z);
    tile_s[(down * 4u + ${i}u) * ${SIDE}u + (across + down) % ${SIDE}u] = ds_${i};
    if (own_${i} < u.Lq && at < u.L4) {
      dBias[sum_row_${i} + at] = select(dBias[sum_row_${i} + at], vec4f(), r == r_first) + ds_${i};
    }`)
    }
    workgroupBarrier();
    if (across < ${d4}u) {
      for (var n = 0u; n < ${SIDE}u; n++) {
        ${four((c) => `let k_${c} = tile_k[${other(`${c}u`, "n", "across")}];`)}
        ${
      four((i) =>
        `{ let ds = tile_s[(down * 4u + ${i}u) * ${SIDE}u + (n + down) % ${SIDE}u]; ` +
        [..."xyzw"].map((c, at) => `dq_${i} = fma(vec4f(ds.${c}), k_${at}, dq_${i});`).join(" ") + " }"
      )
    }
      }
    }
  }
  ${
      four((i) => `
  if (own_${i} < u.Lq && across < ${d4}u) {
    ${gradient}[token_${i} * ${packed ? "u.width" : "u.HD4"} + head + across] = dq_${i} * u.scale;
  }`)
    }
}`,
  };
}, tiledQueriesProbes);
