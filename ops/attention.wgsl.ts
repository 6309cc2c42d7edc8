import { type BindingType, kernelFamily, type UniformType, unroll } from "../core/mod.ts";
import { streamDeclarations, type Streaming, streamLoop } from "./_attention_stream.ts";
import { SIGMOID, valueTypes } from "./_functions.wgsl.ts";

/** What the text of an attention kernel depends on. */
export interface AttentionStructure extends Streaming {
  /** Queries (or keys, where the loop runs over queries) of an invocation. */
  readonly t: number;
  readonly bias: boolean;
  readonly mask: boolean;
}

/** Sizes that all attention kernels take; offsets and widths in vec4s. */
export const SIZES = {
  L: "u32",
  /** Sequences of a batch entry, and their number over all. */
  R: "u32",
  S: "u32",
  H: "u32",
  /** Steps in tokens from sequence to sequence and along a sequence. */
  rStride: "u32",
  lStride: "u32",
  /** vec4s of a token in qkv and in the output, and of a row of the bias. */
  width: "u32",
  HD4: "u32",
  L4: "u32",
  scale: "f32",
} as const satisfies Record<string, UniformType>;

/** Stands for a key past the last: below every masked one. */
const OUTSIDE = "-1e38";

/** What all lanes of a workgroup share: head `h`, sequence `r` of batch entry `b`, its first token `base`. */
export const SHARED = `
let s = group.z * groups.y + group.y;
if (s >= u.S) { return; }
let h = group.x % u.H;
let head = h * (u.HD4 / u.H);
let b = s / u.R;
let r = s % u.R;
let base = b * u.R * u.L + r * u.rStride;`;

/** The invocation's own items: `own_t`, their tokens `token_t`. */
export function ownTokens({ lanes, t }: AttentionStructure): string {
  return unroll(t, (i) => `
let own_${i} = (group.x / u.H) * ${lanes * t}u + ${i * lanes}u + lane;
let item_${i} = min(own_${i}, u.L - 1u);`);
}

/** Tokens of the invocation's own items. */
export function ownIndices({ t }: AttentionStructure): string {
  return unroll(t, (i) => `let token_${i} = base + item_${i} * u.lStride;`);
}

/** WGSL for what a key's logits start from. */
export function keyPenalty({ mask }: { mask: boolean }, token: string, inside?: string): string {
  const penalty = mask ? `1e9 * (mask[${token}] - 1.0)` : "0.0";
  return inside ? `select(${OUTSIDE}, ${penalty}, ${inside})` : penalty;
}

/** Declares `s_i_j`, the logits of own item i and streamed item j before their product: penalty and bias. */
export function startLogits(
  { t, bias }: AttentionStructure,
  items: number,
  penalty: (i: number, j: number) => string,
): string {
  return unroll(t, (i) => {
    const groups = bias
      ? unroll(
        items / 4,
        (g) => `let bias_${i}_${g} = bias_at(bias_row_${i} + min(at / 4u + ${g}u, u.L4 - 1u));`,
      )
      : "";
    const start = (j: number) => bias ? ` + bias_${i}_${j >> 2}.${"xyzw"[j & 3]}` : "";
    return groups + unroll(items, (j) => `var s_${i}_${j} = ${penalty(i, j)}${start(j)};`);
  });
}

/** Declares where the rows of the bias of the own items start. */
export function biasRows({ t, bias }: AttentionStructure): string {
  return bias ? unroll(t, (i) => `let bias_row_${i} = ((b * u.H + h) * u.L + item_${i}) * u.L4;`) : "";
}

/** Adds the product of own row `own_i` and streamed row to `sum_i_j`, for all own items i and streamed items j. */
export function addProducts(
  { d4, t }: AttentionStructure,
  items: number,
  sum: string,
  own: string,
  streamed: (j: number, d: number) => string,
): string {
  return unroll(d4, (d) =>
    unroll(items, (j) =>
      `{ let e = ${streamed(j, d)};` +
      unroll(t, (i) => {
        const at = `${own}_${i}_${d}`;
        return [..."xyzw"].map((c) => `${sum}_${i}_${j} = fma(${at}.${c}, e.${c}, ${sum}_${i}_${j});`).join(" ");
      }) + "}"));
}

/** Adds `weight_i_j` times streamed row j to the vector `sum_i`, for all own items i. */
export function addWeighted(
  { d4, t }: AttentionStructure,
  items: number,
  sum: string,
  weight: string,
  streamed: (j: number, d: number) => string,
): string {
  return unroll(d4, (d) =>
    unroll(items, (j) =>
      `{ let e = ${streamed(j, d)};` +
      unroll(t, (i) => `${sum}_${i}_${d} = fma(vec4f(${weight}_${i}_${j}), e, ${sum}_${i}_${d});`) + "}"));
}

/** Declares vec4s `name_i_d` of all own items. */
export function ownRows(
  { d4, t }: AttentionStructure,
  keyword: "let" | "var",
  name: string,
  value: (i: number, d: number) => string,
): string {
  return unroll(t, (i) => unroll(d4, (d) => `${keyword} ${name}_${i}_${d} = ${value(i, d)};`));
}

/**
 * Attention of one head over one sequence for a block of queries, with the softmax kept up while keys stream by.
 * `stats` gets the largest logit and 1 / (the sum of exponentials) of each query and head, plane after plane: kept apart,
 * since their log-sum-exp is not a float32 number in a row whose keys are all masked.
 */
export const forwardKernel = kernelFamily((structure: AttentionStructure & { gated: boolean; record: boolean }) => {
  const { family, lanes, t, d4, bias, mask, gated, record } = structure;
  const bindings: Record<string, BindingType> = { qkv: "load vec4f" };
  if (bias) bindings.bias = "load vec4f";
  if (mask) bindings.mask = "read f32";
  bindings.out = "store vec4f";
  if (record) bindings.stats = "write f32";
  const loop = streamLoop(structure, {
    a: (token, d) => `qkv_at((${token}) * u.width + u.HD4 + head + ${d})`,
    b: (token, d) => `qkv_at((${token}) * u.width + 2u * u.HD4 + head + ${d})`,
    numbers: (token, inside) => `vec4f(${keyPenalty({ mask }, token, inside)})`,
  }, (block) => {
    const all = Array.from({ length: block.items }, (_, j) => j);
    return `
${startLogits(structure, block.items, (_, j) => block.number(j, "x"))}
${addProducts(structure, block.items, "s", "q", block.a)}
${
      unroll(t, (i) =>
        `{
let top = ${all.reduce((so, j) => `max(${so}, s_${i}_${j})`, `top_${i}`)};
let shrink = exp(top_${i} - top);
top_${i} = top;
sum_${i} *= shrink;
${unroll(d4, (d) => `o_${i}_${d} *= shrink;`)}
${all.map((j) => `s_${i}_${j} = exp(s_${i}_${j} - top); sum_${i} += s_${i}_${j};`).join("\n")}
}`)
    }
${addWeighted(structure, block.items, "o", "s", block.b)}`;
  });
  const gate = (i: number, d: number) =>
    gated ? ` * sigmoid(qkv_at(token_${i} * u.width + 3u * u.HD4 + head + ${d}u))` : "";
  return {
    name: "attention",
    bindings,
    uniforms: SIZES,
    workgroupSize: lanes,
    subgroups: family === "subgroup",
    declarations: streamDeclarations(structure) + (gated ? "\n" + valueTypes("vec4f") + SIGMOID : ""),
    body: `
${SHARED}
${ownTokens(structure)}
${ownIndices(structure)}
${biasRows(structure)}
${ownRows(structure, "let", "q", (i, d) => `qkv_at(token_${i} * u.width + head + ${d}u) * u.scale`)}
${ownRows(structure, "var", "o", () => "vec4f()")}
${unroll(t, (i) => `var top_${i} = -3e38; var sum_${i} = 0.0;`)}
${loop}
${
      unroll(t, (i) => `
if (own_${i} < u.L) {
  let inverse_${i} = 1.0 / sum_${i};
  let to_${i} = token_${i} * u.HD4 + head;
  ${unroll(d4, (d) => `out_put(to_${i} + ${d}u, o_${i}_${d} * inverse_${i}${gate(i, d)});`)}
  ${record ? `stats[token_${i} * u.H + h] = top_${i}; stats[(u.S * u.L + token_${i}) * u.H + h] = inverse_${i};` : ""}
}`)
    }`,
  };
});

/**
 * A bias in the form the kernels read: rows padded to whole vec4s, each row a query (or, transposed, a key).
 * `[B·H, L, L]` → `[B·H, L, 4·L4]`.
 */
export const padBiasKernel = kernelFamily(({ transposed }: { transposed: boolean }) => ({
  name: transposed ? "attention.transposeBias" : "attention.padBias",
  bindings: { bias: "read f32", padded: "write vec4f" },
  uniforms: { L: "u32", L4: "u32", n: "u32" },
  body: `
if (index < u.n) {
  let row = index / u.L4;
  let at = (row / u.L) * u.L * u.L + ${transposed ? "row % u.L" : "(row % u.L) * u.L"};
  let first = (index % u.L4) * 4u;
  var v = vec4f();
  ${
    unroll(4, (j) =>
      `if (first + ${j}u < u.L) { v.${"xyzw"[j]} = bias[at + (first + ${j}u)${transposed ? " * u.L" : ""}]; }`)
  }
  padded[index] = v;
}`,
}));
