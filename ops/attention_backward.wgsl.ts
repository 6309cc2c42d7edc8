import { type BindingType, kernelFamily, unroll } from "../core/mod.ts";
import { biasProbes, keysProbes, queriesProbes, termsProbes, unpadBiasProbes } from "./_battery/attention.ts";
import { streamDeclarations, type StreamedBlock, streamLoop, turnsOfStream } from "./_attention_stream.ts";
import { SIGMOID, SPECIAL_VALUES, valueTypes } from "./_functions.wgsl.ts";
import {
  addProducts,
  addWeighted,
  type AttentionStructure,
  biasRows,
  keyPenalty,
  operand,
  operandBindings,
  ownItems,
  ownQueriesOfEntry,
  ownRows,
  SIZES,
  sizesFor,
  startLogits,
  streamed,
  tokens,
  turnsOfLoop,
} from "./attention.wgsl.ts";

/**
 * What the other kernels need of each query and head: `terms` [tokens, H] of vec4s (largest logit, 1 / sum of
 * exponentials, dO · O, 0). Where gated, also the gradient of the ungated output, `dO` [tokens, H·D], and that of the
 * gate's logits: the fourth column block of `dqkv`, or `dGate`.
 */
export const termsKernel = kernelFamily(({ d4, gated, packed }: { d4: number; gated: boolean; packed: boolean }) => ({
  name: "attention.vjp.terms",
  bindings: {
    ...(gated ? operandBindings({ packed }, ["gate"]) : {}),
    out: "load vec4f",
    dOut: "load vec4f",
    stats: "read f32",
    terms: "write vec4f",
    ...(gated ? { dO: "write vec4f", [packed ? "dqkv" : "dGate"]: "write vec4f" } : {}),
  } as Record<string, BindingType>,
  uniforms: { H: "u32", n: "u32", width: "u32", HD4: "u32" },
  declarations: gated ? valueTypes("vec4f") + SPECIAL_VALUES + SIGMOID : "",
  body: `
if (index < u.n) {
  let head = (index % u.H) * ${d4}u;
  let token = index / u.H;
  let first = index * ${d4}u;
  var delta = 0.0;
  ${
    unroll(d4, (d) =>
      `{
  let dy = dOut_at(first + ${d}u);
  let y = out_at(first + ${d}u);
  delta += dot(dy, y);
  ${
        gated
          ? `let open = sigmoid(${operand({ packed }, "gate", "token", `${d}u`)});
  dO[first + ${d}u] = dy * open;
  ${packed ? `dqkv[token * u.width + 3u * u.HD4 + head + ${d}u]` : `dGate[first + ${d}u]`} = dy * y * (1.0 - open);`
          : ""
      }
}`)
  }
  terms[index] = vec4f(stats[index], stats[u.n + index], delta, 0.0);
}`,
}), termsProbes);

/** Declares `ds_i_j`, the gradient of the logits, for queries that are own (`terms_i`) or streamed (numbers of the block). */
function logitGradients({ t }: AttentionStructure, { items, number }: StreamedBlock, streamedQueries: boolean): string {
  const term = (i: number, j: number, c: "x" | "y" | "z") => streamedQueries ? number(j, c) : `terms_${i}.${c}`;
  return unroll(items, (j) =>
    unroll(t, (i) => `
let p_${i}_${j} = exp(s_${i}_${j} - ${term(i, j, "x")}) * ${term(i, j, "y")};
let ds_${i}_${j} = p_${i}_${j} * (dp_${i}_${j} - ${term(i, j, "z")});`));
}

/** Declares `dp_i_j` = 0. */
function startProducts({ t }: AttentionStructure, items: number): string {
  return unroll(t, (i) => unroll(items, (j) => `var dp_${i}_${j} = 0.0;`));
}

/** Turns of {@linkcode queriesKernel} with `sumBias` for each of its sequences, of so many keys. */
export function turnsOfQueries(structure: AttentionStructure, keys: number): number {
  return 1 + turnsOfStream(structure, keys);
}

/**
 * Gradient of the queries, for a block of queries of one head and sequence, with keys and values streaming by. With
 * `sumBias` one workgroup goes through the sequences rFirst … rEnd - 1 of a batch entry, one after the other, and adds
 * the gradient of the bias up in `dBias` [B, H, L, 4·L4] on the way, from the second one on, or `onTop`, of what stands
 * there.
 */
export const queriesKernel = kernelFamily((structure: AttentionStructure & { sumBias: boolean; onTop?: boolean }) => {
  const { family, lanes, t, bias, mask, packed, sumBias, onTop } = structure;
  const bindings: Record<string, BindingType> = {
    ...operandBindings(structure, ["q", "k", "v"]),
    dO: "load vec4f",
    terms: "load vec4f",
  };
  if (bias) bindings.bias = "load vec4f";
  if (mask) bindings.mask = "read f32";
  if (structure.sparse) bindings.blocks = "read i32";
  bindings[packed ? "dqkv" : "dq"] = "write vec4f";
  if (sumBias) bindings.dBias = "write vec4f";
  const loop = streamLoop(structure, streamed(structure, "k"), {
    a: (token, d) => operand(structure, "k", token, d),
    b: (token, d) => operand(structure, "v", token, d),
    numbers: (token, inside) => `vec4f(${keyPenalty({ mask }, token, inside)})`,
  }, (block) => `
${startLogits(structure, block.items, (_, j) => block.number(j, "x"))}
${addProducts(structure, block.items, "s", "q", block.a)}
${block.loadB}
${startProducts(structure, block.items)}
${addProducts(structure, block.items, "dp", "dO", block.b)}
${logitGradients(structure, block, false)}
${addWeighted(structure, block.items, "dq", "ds", block.a)}
${
    sumBias
      ? unroll(t, (i) => `
if (own_${i} < u.Lq) {
  ${
        unroll(block.items / 4, (g) => {
          const ds = [0, 1, 2, 3].map((j) => `ds_${i}_${4 * g + j}`).join(", ");
          const place = `bias_row_${i} + at / 4u + ${g}u`;
          const before = onTop ? `dBias[${place}]` : `select(dBias[${place}], vec4f(), r == 0u)`;
          const sum = `dBias[${place}] = ${before} + vec4f(${ds});`;
          return g ? `if (at / 4u + ${g}u < u.L4) { ${sum} }` : sum;
        })
      }
}`)
      : ""
  }`);
  const body = `
${tokens(structure, "q")}
${unroll(t, (i) => `let terms_${i} = terms_at(token_${i} * u.H + h);`)}
${ownRows(structure, "let", "q", (i, d) => `${operand(structure, "q", `token_${i}`, `${d}u`)} * u.scale`)}
${ownRows(structure, "let", "dO", (i, d) => `dO_at(token_${i} * u.HD4 + head + ${d}u)`)}
${ownRows(structure, "var", "dq", () => "vec4f()")}
${loop}
${
    unroll(t, (i) => `
if (own_${i} < u.Lq) {
  let to_${i} = token_${i} * ${packed ? "u.width" : "u.HD4"} + head;
  ${unroll(structure.d4, (d) => `${packed ? "dqkv" : "dq"}[to_${i} + ${d}u] = dq_${i}_${d} * u.scale;`)}
}`)
  }`;
  return {
    name: sumBias
      ? "attention.vjp.queriesAndBias"
      : structure.sparse
      ? "attention.sparse.vjp.queries"
      : "attention.vjp.queries",
    bindings,
    uniforms: sizesFor(structure),
    turns: sumBias
      ? ({ Lk, rFirst, rEnd }) => (rEnd - rFirst) * turnsOfQueries(structure, Lk) + 1
      : turnsOfLoop(structure, "Lk"),
    workgroupSize: lanes,
    subgroups: family === "subgroup",
    declarations: streamDeclarations(structure),
    body: sumBias
      ? `
${ownQueriesOfEntry(structure)}
${biasRows(structure, "q")}
for (var r = u.rFirst; r < u.rEnd; r++) {
${body}
}`
      : `
${ownItems(structure, "q")}
${biasRows(structure, "q")}
${body}`,
  };
}, queriesProbes);

/**
 * Gradients of keys and values, for a block of keys of one head and sequence, with queries streaming by; `bias` is
 * transposed. They go to `dqkv`, or to `dkv`, which holds those of all keys and then those of all values.
 */
export const keysKernel = kernelFamily((structure: AttentionStructure) => {
  const { family, lanes, t, d4, bias, mask, packed } = structure;
  const bindings: Record<string, BindingType> = {
    ...operandBindings(structure, ["q", "k", "v"]),
    dO: "load vec4f",
    terms: "load vec4f",
  };
  if (bias) bindings.bias = "load vec4f";
  if (mask) bindings.mask = "read f32";
  if (structure.sparse) bindings.blocks = "read i32";
  const grads = packed ? "dqkv" : "dkv";
  bindings[grads] = "write vec4f";
  const loop = streamLoop(structure, streamed(structure, "q"), {
    a: (token, d) => `(${operand(structure, "q", token, d)} * u.scale)`,
    b: (token, d) => `dO_at((${token}) * u.HD4 + head + ${d})`,
    // a repeat past the last query gets no probability
    numbers: (token, inside) => `select(vec4f(1e38, 0.0, 0.0, 0.0), terms_at((${token}) * u.H + h), ${inside})`,
  }, (block) => `
${startLogits(structure, block.items, (i) => `penalty_${i}`)}
${addProducts(structure, block.items, "s", "k", block.a)}
${block.loadB}
${startProducts(structure, block.items)}
${addProducts(structure, block.items, "dp", "v", block.b)}
${logitGradients(structure, block, true)}
${addWeighted(structure, block.items, "dv", "p", block.b)}
${addWeighted(structure, block.items, "dk", "ds", block.a)}`);
  return {
    name: structure.sparse ? "attention.sparse.vjp.keys" : "attention.vjp.keys",
    bindings,
    uniforms: sizesFor(structure),
    turns: turnsOfLoop(structure, "Lq"),
    workgroupSize: lanes,
    subgroups: family === "subgroup",
    declarations: streamDeclarations(structure),
    body: `
${ownItems(structure, "k")}
${tokens(structure, "k")}
${biasRows(structure, "k")}
${unroll(t, (i) => `let penalty_${i} = ${keyPenalty({ mask }, `token_${i}`)};`)}
${ownRows(structure, "let", "k", (i, d) => operand(structure, "k", `token_${i}`, `${d}u`))}
${ownRows(structure, "let", "v", (i, d) => operand(structure, "v", `token_${i}`, `${d}u`))}
${ownRows(structure, "var", "dk", () => "vec4f()")}
${ownRows(structure, "var", "dv", () => "vec4f()")}
${loop}
${
      unroll(t, (i) => `
if (own_${i} < u.Lk) {
  let to_${i} = token_${i} * ${packed ? "u.width + u.HD4" : "u.HD4"} + head;
  ${
        unroll(
          d4,
          (d) => `${grads}[to_${i} + ${d}u] = dk_${i}_${d}; ${grads}[to_${i} + u.valueAt + ${d}u] = dv_${i}_${d};`,
        )
      }
}`)
    }`,
  };
}, keysProbes);

/** Rows and columns of the tile of {@linkcode biasKernel}. */
export const BIAS_TILE = 16;

type BiasStructure = Pick<AttentionStructure, "d4" | "bias" | "mask" | "packed"> & { readonly onTop?: boolean };

/** vec4s of a row that pass through workgroup memory at a time. */
const stepOfBias = (d4: number) => Math.min(d4, 8);

/** Turns of {@linkcode biasKernel} for each of its sequences. */
export function turnsOfBias(d4: number): number {
  const step = stepOfBias(d4);
  return 1 + Math.ceil(d4 / step) * (1 + (Math.ceil(BIAS_TILE * step / 64) + 1) + (step + 1)) + 1;
}

/**
 * Gradient of the bias on a GPU: a workgroup makes a tile of 16 queries × 16 keys of one head and adds up over the
 * sequences rFirst … rEnd - 1, from the second one on, or `onTop`, on top of what stands there; 2 × 2 logits an invocation.
 * Rows of q, k, dO and v pass through workgroup memory, 8 vec4s at a time.
 */
export const biasKernel = kernelFamily((structure: BiasStructure) => {
  const { d4, bias, mask, onTop } = structure;
  const bindings: Record<string, BindingType> = {
    ...operandBindings(structure, ["q", "k", "v"]),
    dO: "load vec4f",
    terms: "load vec4f",
  };
  if (bias) bindings.bias = "load vec4f";
  if (mask) bindings.mask = "read f32";
  bindings.dBias = "write f32";
  const step = stepOfBias(d4);
  const pairs = [0, 1].flatMap((i) => [0, 1].map((j) => [i, j] as const));
  const each = (piece: (i: number, j: number) => string) => pairs.map(([i, j]) => piece(i, j)).join("\n");
  const two = (piece: (i: number) => string) => unroll(2, piece);
  return {
    name: "attention.vjp.bias",
    bindings,
    uniforms: SIZES,
    turns: ({ rFirst, rEnd }) => (rEnd - rFirst) * turnsOfBias(d4) + 1,
    workgroupSize: 64,
    declarations: unroll(4, (i) => `var<workgroup> tile_${"qkdv"[i]}: array<vec4f, ${BIAS_TILE * step}>;`),
    body: `
let rows = (u.Lq + ${BIAS_TILE - 1}u) / ${BIAS_TILE}u;
let row = group.z * groups.y + group.y;
if (row >= u.S / u.R * u.H * rows) { return; }
let h = (row / rows) % u.H;
let b = row / rows / u.H;
let head = h * (u.HD4 / u.H);
let mine = vec2u(lane % 8u, lane / 8u);
${two((i) => `let query_${i} = (row % rows) * ${BIAS_TILE}u + mine.y + ${8 * i}u;`)}
${two((j) => `let key_${j} = group.x * ${BIAS_TILE}u + mine.x + ${8 * j}u;`)}
${each((i, j) => `var total_${i}_${j} = 0.0;`)}
if (${onTop ? "true" : "u.rFirst > 0u"}) {
  ${
      each((i, j) =>
        `total_${i}_${j} = dBias[((b * u.H + h) * u.Lq + min(query_${i}, u.Lq - 1u)) * u.Lk + min(key_${j}, u.Lk - 1u)];`
      )
    }
}
for (var r = u.rFirst; r < u.rEnd; r++) {
  let base_q = b * u.R * u.Lq + r * u.qRow;
  let base_k = b * u.R * u.Lk + r * u.kRow;
  ${two((i) => `let query_token_${i} = base_q + min(query_${i}, u.Lq - 1u) * u.qStep;`)}
  ${two((i) => `let terms_${i} = terms_at(query_token_${i} * u.H + h);`)}
  ${two((j) => `let key_token_${j} = base_k + min(key_${j}, u.Lk - 1u) * u.kStep;`)}
  ${two((j) => `let penalty_${j} = ${keyPenalty({ mask }, `key_token_${j}`)};`)}
  ${
      each((i, j) => {
        const at = `((b * u.H + h) * u.Lq + min(query_${i}, u.Lq - 1u)) * u.L4 + min(key_${j}, u.Lk - 1u) / 4u`;
        const start = bias ? ` + bias_at(${at})[key_${j} % 4u]` : "";
        return `var s_${i}_${j} = penalty_${j}${start}; var dp_${i}_${j} = 0.0;`;
      })
    }
  for (var d = 0u; d < ${d4}u; d += ${step}u) {
    let count = min(${step}u, ${d4}u - d);
    workgroupBarrier();
    for (var i = lane; i < ${BIAS_TILE}u * count; i += 64u) {
      let query = base_q + min((row % rows) * ${BIAS_TILE}u + i / count, u.Lq - 1u) * u.qStep;
      let key = base_k + min(group.x * ${BIAS_TILE}u + i / count, u.Lk - 1u) * u.kStep;
      let c = d + i % count;
      tile_q[i] = ${operand(structure, "q", "query", "c")} * u.scale;
      tile_k[i] = ${operand(structure, "k", "key", "c")};
      tile_v[i] = ${operand(structure, "v", "key", "c")};
      tile_d[i] = dO_at(query * u.HD4 + head + c);
    }
    workgroupBarrier();
    for (var c = 0u; c < count; c++) {
      ${
      two((i) => `
      let q_${i} = tile_q[(mine.y + ${8 * i}u) * count + c];
      let d_${i} = tile_d[(mine.y + ${8 * i}u) * count + c];
      let k_${i} = tile_k[(mine.x + ${8 * i}u) * count + c];
      let v_${i} = tile_v[(mine.x + ${8 * i}u) * count + c];`)
    }
      ${
      each((i, j) =>
        [..."xyzw"].map((c) => `s_${i}_${j} = fma(q_${i}.${c}, k_${j}.${c}, s_${i}_${j});`).join(" ") +
        ` dp_${i}_${j} += dot(d_${i}, v_${j});`
      )
    }
    }
  }
  ${
      each((i, j) =>
        `total_${i}_${j} += exp(s_${i}_${j} - terms_${i}.x) * terms_${i}.y * (dp_${i}_${j} - terms_${i}.z);`
      )
    }
}
${
      each((i, j) =>
        `if (query_${i} < u.Lq && key_${j} < u.Lk) { dBias[((b * u.H + h) * u.Lq + query_${i}) * u.Lk + key_${j}] = total_${i}_${j}; }`
      )
    }`,
  };
}, (structure) => biasProbes(structure, BIAS_TILE));

/** Drops what pads the rows of a gradient of the bias: `[rows, 4·L4]` → `[rows, Lk]`. */
export const unpadBiasKernel = kernelFamily((_: Record<never, never>) => ({
  name: "attention.vjp.unpadBias",
  bindings: { padded: "read f32", bias: "write f32" },
  uniforms: { Lk: "u32", L4: "u32", n: "u32" },
  body: "if (index < u.n) { bias[index] = padded[(index / u.Lk) * u.L4 * 4u + index % u.Lk]; }",
}), unpadBiasProbes);
