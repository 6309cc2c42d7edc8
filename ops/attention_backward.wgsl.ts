import { type BindingType, kernelFamily, unroll } from "../core/mod.ts";
import { streamDeclarations, type StreamedBlock, streamLoop } from "./_attention_stream.ts";
import { SIGMOID, valueTypes } from "./_functions.wgsl.ts";
import {
  addProducts,
  addWeighted,
  type AttentionStructure,
  biasRows,
  keyPenalty,
  ownIndices,
  ownRows,
  ownTokens,
  SHARED,
  SIZES,
  startLogits,
} from "./attention.wgsl.ts";

/**
 * What the other kernels need of each query and head: `terms` [B, I, J, H] of vec4s (largest logit, 1 / sum of
 * exponentials, dO · O, 0). Where gated, also the gradient of the ungated output, `dO` [B, I, J, H·D], and that of the
 * gate's logits, the fourth column block of `dqkv`.
 */
export const termsKernel = kernelFamily(({ d4, gated }: { d4: number; gated: boolean }) => ({
  name: "attention.vjp.terms",
  bindings: {
    ...(gated ? { qkv: "load vec4f" as const } : {}),
    out: "load vec4f",
    dOut: "load vec4f",
    stats: "read f32",
    terms: "write vec4f",
    ...(gated ? { dO: "write vec4f" as const, dqkv: "write vec4f" as const } : {}),
  },
  uniforms: { H: "u32", n: "u32", width: "u32" },
  declarations: gated ? valueTypes("vec4f") + SIGMOID : "",
  body: `
if (index < u.n) {
  let head = (index % u.H) * ${d4}u;
  let token = index / u.H;
  let first = index * ${d4}u;
  ${gated ? `let gates = token * u.width + 3u * u.H * ${d4}u + head;` : ""}
  var delta = 0.0;
  ${
    unroll(d4, (d) =>
      `{
  let dy = dOut_at(first + ${d}u);
  let y = out_at(first + ${d}u);
  delta += dot(dy, y);
  ${
        gated
          ? `let gate = sigmoid(qkv_at(gates + ${d}u));
  dO[first + ${d}u] = dy * gate;
  dqkv[gates + ${d}u] = dy * y * (1.0 - gate);`
          : ""
      }
}`)
  }
  terms[index] = vec4f(stats[index], stats[u.n + index], delta, 0.0);
}`,
}));

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

/**
 * Gradient of the queries, for a block of queries of one head and sequence, with keys and values streaming by. With
 * `sumBias` one workgroup goes through all sequences of a batch entry, one after the other, and adds the gradient of
 * the bias up in `dBias` [B, H, L, 4·L4] on the way, `onTop` of what stands there.
 */
export const queriesKernel = kernelFamily((structure: AttentionStructure & { sumBias: boolean; onTop?: boolean }) => {
  const { family, lanes, t, bias, mask, sumBias, onTop } = structure;
  const bindings: Record<string, BindingType> = { qkv: "load vec4f", dO: "load vec4f", terms: "load vec4f" };
  if (bias) bindings.bias = "load vec4f";
  if (mask) bindings.mask = "read f32";
  bindings.dqkv = "write vec4f";
  if (sumBias) bindings.dBias = "write vec4f";
  const loop = streamLoop(structure, {
    a: (token, d) => `qkv_at((${token}) * u.width + u.HD4 + head + ${d})`,
    b: (token, d) => `qkv_at((${token}) * u.width + 2u * u.HD4 + head + ${d})`,
    numbers: (token, inside) => `vec4f(${keyPenalty({ mask }, token, inside)})`,
  }, (block) => `
${startLogits(structure, block.items, (_, j) => block.number(j, "x"))}
${addProducts(structure, block.items, "s", "q", block.a)}
${startProducts(structure, block.items)}
${addProducts(structure, block.items, "dp", "dO", block.b)}
${logitGradients(structure, block, false)}
${addWeighted(structure, block.items, "dq", "ds", block.a)}
${
    sumBias
      ? unroll(t, (i) => `
if (own_${i} < u.L) {
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
${ownIndices(structure)}
${unroll(t, (i) => `let terms_${i} = terms_at(token_${i} * u.H + h);`)}
${ownRows(structure, "let", "q", (i, d) => `qkv_at(token_${i} * u.width + head + ${d}u) * u.scale`)}
${ownRows(structure, "let", "dO", (i, d) => `dO_at(token_${i} * u.HD4 + head + ${d}u)`)}
${ownRows(structure, "var", "dq", () => "vec4f()")}
${loop}
${
    unroll(t, (i) => `
if (own_${i} < u.L) {
  ${unroll(structure.d4, (d) => `dqkv[token_${i} * u.width + head + ${d}u] = dq_${i}_${d} * u.scale;`)}
}`)
  }`;
  return {
    name: sumBias ? "attention.vjp.queriesAndBias" : "attention.vjp.queries",
    bindings,
    uniforms: SIZES,
    workgroupSize: lanes,
    subgroups: family === "subgroup",
    declarations: streamDeclarations(structure),
    body: sumBias
      ? `
let h = group.x % u.H;
let head = h * (u.HD4 / u.H);
let b = group.y;
${ownTokens(structure)}
${biasRows(structure)}
for (var r = 0u; r < u.R; r++) {
let base = b * u.R * u.L + r * u.rStride;
${body}
}`
      : `
${SHARED}
${ownTokens(structure)}
${biasRows(structure)}
${body}`,
  };
});

/** Gradients of keys and values, for a block of keys of one head and sequence, with queries streaming by; `bias` is transposed. */
export const keysKernel = kernelFamily((structure: AttentionStructure) => {
  const { family, lanes, t, d4, bias, mask } = structure;
  const bindings: Record<string, BindingType> = { qkv: "load vec4f", dO: "load vec4f", terms: "load vec4f" };
  if (bias) bindings.bias = "load vec4f";
  if (mask) bindings.mask = "read f32";
  bindings.dqkv = "write vec4f";
  const loop = streamLoop(structure, {
    a: (token, d) => `(qkv_at((${token}) * u.width + head + ${d}) * u.scale)`,
    b: (token, d) => `dO_at((${token}) * u.HD4 + head + ${d})`,
    // a repeat past the last query gets no probability
    numbers: (token, inside) => `select(vec4f(1e38, 0.0, 0.0, 0.0), terms_at((${token}) * u.H + h), ${inside})`,
  }, (block) => `
${startLogits(structure, block.items, (i) => `penalty_${i}`)}
${addProducts(structure, block.items, "s", "k", block.a)}
${startProducts(structure, block.items)}
${addProducts(structure, block.items, "dp", "v", block.b)}
${logitGradients(structure, block, true)}
${addWeighted(structure, block.items, "dv", "p", block.b)}
${addWeighted(structure, block.items, "dk", "ds", block.a)}`);
  return {
    name: "attention.vjp.keys",
    bindings,
    uniforms: SIZES,
    workgroupSize: lanes,
    subgroups: family === "subgroup",
    declarations: streamDeclarations(structure),
    body: `
${SHARED}
${ownTokens(structure)}
${ownIndices(structure)}
${biasRows(structure)}
${unroll(t, (i) => `let penalty_${i} = ${keyPenalty({ mask }, `token_${i}`)};`)}
${ownRows(structure, "let", "k", (i, d) => `qkv_at(token_${i} * u.width + u.HD4 + head + ${d}u)`)}
${ownRows(structure, "let", "v", (i, d) => `qkv_at(token_${i} * u.width + 2u * u.HD4 + head + ${d}u)`)}
${ownRows(structure, "var", "dk", () => "vec4f()")}
${ownRows(structure, "var", "dv", () => "vec4f()")}
${loop}
${
      unroll(t, (i) => `
if (own_${i} < u.L) {
  let to_${i} = token_${i} * u.width + u.HD4 + head;
  ${unroll(d4, (d) => `dqkv[to_${i} + ${d}u] = dk_${i}_${d}; dqkv[to_${i} + u.HD4 + ${d}u] = dv_${i}_${d};`)}
}`)
    }`,
  };
});

/** Rows and columns of the tile of {@linkcode biasKernel}. */
export const BIAS_TILE = 16;

/**
 * Gradient of the bias on a GPU: a workgroup makes a tile of 16 queries × 16 keys of one head and adds up over the
 * sequences, 2 × 2 logits an invocation. Rows of q, k, dO and v pass through workgroup memory, 8 vec4s at a time.
 */
export const biasKernel = kernelFamily(({ d4, bias, mask }: { d4: number; bias: boolean; mask: boolean }) => {
  const bindings: Record<string, BindingType> = { qkv: "load vec4f", dO: "load vec4f", terms: "load vec4f" };
  if (bias) bindings.bias = "load vec4f";
  if (mask) bindings.mask = "read f32";
  bindings.dBias = "write f32";
  const step = Math.min(d4, 8);
  const pairs = [0, 1].flatMap((i) => [0, 1].map((j) => [i, j] as const));
  const each = (piece: (i: number, j: number) => string) => pairs.map(([i, j]) => piece(i, j)).join("\n");
  const two = (piece: (i: number) => string) => unroll(2, piece);
  return {
    name: "attention.vjp.bias",
    bindings,
    uniforms: SIZES,
    workgroupSize: 64,
    declarations: unroll(4, (i) => `var<workgroup> tile_${"qkdv"[i]}: array<vec4f, ${BIAS_TILE * step}>;`),
    body: `
let tiles = (u.L + ${BIAS_TILE - 1}u) / ${BIAS_TILE}u;
let tile = vec2u(block % tiles, block / tiles % tiles);
let h = block / (tiles * tiles) % u.H;
let b = block / (tiles * tiles * u.H);
if (b >= u.S / u.R) { return; }
let head = h * (u.HD4 / u.H);
let mine = vec2u(lane % 8u, lane / 8u);
${two((i) => `let query_${i} = tile.y * ${BIAS_TILE}u + mine.y + ${8 * i}u;`)}
${two((j) => `let key_${j} = tile.x * ${BIAS_TILE}u + mine.x + ${8 * j}u;`)}
${each((i, j) => `var total_${i}_${j} = 0.0;`)}
for (var r = 0u; r < u.R; r++) {
  let base = b * u.R * u.L + r * u.rStride;
  ${two((i) => `let query_token_${i} = base + min(query_${i}, u.L - 1u) * u.lStride;`)}
  ${two((i) => `let terms_${i} = terms_at(query_token_${i} * u.H + h);`)}
  ${two((j) => `let key_token_${j} = base + min(key_${j}, u.L - 1u) * u.lStride;`)}
  ${two((j) => `let penalty_${j} = ${keyPenalty({ mask }, `key_token_${j}`)};`)}
  ${
      each((i, j) => {
        const at = `((b * u.H + h) * u.L + min(query_${i}, u.L - 1u)) * u.L4 + min(key_${j}, u.L - 1u) / 4u`;
        const start = bias ? ` + bias_at(${at})[key_${j} % 4u]` : "";
        return `var s_${i}_${j} = penalty_${j}${start}; var dp_${i}_${j} = 0.0;`;
      })
    }
  for (var d = 0u; d < ${d4}u; d += ${step}u) {
    let count = min(${step}u, ${d4}u - d);
    workgroupBarrier();
    for (var i = lane; i < ${BIAS_TILE}u * count; i += 64u) {
      let query = base + min(tile.y * ${BIAS_TILE}u + i / count, u.L - 1u) * u.lStride;
      let key = base + min(tile.x * ${BIAS_TILE}u + i / count, u.L - 1u) * u.lStride;
      let c = head + d + i % count;
      tile_q[i] = qkv_at(query * u.width + c) * u.scale;
      tile_k[i] = qkv_at(key * u.width + u.HD4 + c);
      tile_v[i] = qkv_at(key * u.width + 2u * u.HD4 + c);
      tile_d[i] = dO_at(query * u.HD4 + c);
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
        `if (query_${i} < u.L && key_${j} < u.L) { dBias[((b * u.H + h) * u.L + query_${i}) * u.L + key_${j}] = total_${i}_${j}; }`
      )
    }`,
  };
});

/** Drops what pads the rows of a gradient of the bias: `[rows, 4·L4]` → `[rows, L]`. */
export const unpadBiasKernel = kernelFamily((_: Record<never, never>) => ({
  name: "attention.vjp.unpadBias",
  bindings: { padded: "read f32", bias: "write f32" },
  uniforms: { L: "u32", L4: "u32", n: "u32" },
  body: "if (index < u.n) { bias[index] = padded[(index / u.L) * u.L4 * 4u + index % u.L]; }",
}));
