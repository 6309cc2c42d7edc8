import { type BindingType, kernelFamily, type UniformType, unroll } from "../core/mod.ts";
import { forwardProbes, padBiasProbes } from "./_battery/attention.ts";
import {
  streamDeclarations,
  type StreamedBlock,
  type StreamedTokens,
  type Streaming,
  streamLoop,
  turnsOfBlocks,
  turnsOfStream,
} from "./_attention_stream.ts";
import { SIGMOID, SPECIAL_VALUES, valueTypes } from "./_functions.wgsl.ts";

/** What the text of an attention kernel depends on. */
export interface AttentionStructure extends Streaming {
  /** Queries (or keys, where the loop runs over queries) of an invocation. */
  readonly t: number;
  readonly bias: boolean;
  readonly mask: boolean;
  /** Whether queries, keys, values and gate are columns of one tensor `qkv`, instead of `q`, `k`, `v` and `gate`. */
  readonly packed: boolean;
  /**
   * Whether the lanes of a workgroup have items of any sequences and heads, instead of one workgroup's all being of one.
   * For few streamed items: in the family "plain", with t = 1.
   */
  readonly flat: boolean;
  /** Whether queries attend to some blocks of keys only, those that `blocks` lists. @default false */
  readonly sparse?: boolean;
}

/** Sizes that all attention kernels take; offsets and widths in vec4s. */
export const SIZES = {
  /** Sequences of a batch entry, from and up to which a kernel that adds over them goes. */
  rFirst: "u32",
  rEnd: "u32",
  /** Queries and keys of a sequence. */
  Lq: "u32",
  Lk: "u32",
  /** Sequences of a batch entry, and their number over all. */
  R: "u32",
  S: "u32",
  H: "u32",
  /** Steps in tokens from sequence to sequence and along a sequence: of queries, gates and output; of keys and values. */
  qRow: "u32",
  qStep: "u32",
  kRow: "u32",
  kStep: "u32",
  /** vec4s of a token in qkv, of one in q and the output, and of a row of the bias. */
  width: "u32",
  HD4: "u32",
  L4: "u32",
  /** vec4s from the gradient of a key to that of its value, in a tensor that holds both. */
  valueAt: "u32",
  scale: "f32",
} as const satisfies Record<string, UniformType>;

/** Sizes that block-sparse ones take besides: tokens of a block, and blocks of the longest list. */
export const SPARSE_SIZES = { ...SIZES, block: "u32", longest: "u32" } as const satisfies Record<string, UniformType>;

/** The sizes of a kernel. */
export function sizesFor({ sparse }: Pick<AttentionStructure, "sparse">): Record<string, UniformType> {
  return sparse ? SPARSE_SIZES : SIZES;
}

/** Turns of a loop over all tokens of a sequence, or over the blocks of a list. */
export function turnsOfLoop(
  structure: AttentionStructure,
  length: string,
): (uniforms: Record<string, number>) => number {
  return structure.sparse
    ? ({ longest, block }) => turnsOfBlocks(structure, longest, block)
    : (uniforms) => turnsOfStream(structure, uniforms[length]);
}

/** Whose rows are meant: queries or keys. */
export type Side = "q" | "k";

/** What attention reads of a token. */
export type Operand = "q" | "k" | "v" | "gate";

const OPERANDS: readonly Operand[] = ["q", "k", "v", "gate"];

/** WGSL for vec4 `d` of the current head of a token. */
export function operand({ packed }: { packed: boolean }, name: Operand, token: string, d: string | number): string {
  if (!packed) return `${name}_at((${token}) * u.HD4 + head + ${d})`;
  const column = OPERANDS.indexOf(name);
  return `qkv_at((${token}) * u.width + ${column ? `${column}u * u.HD4 + ` : ""}head + ${d})`;
}

/** Bindings for {@linkcode operand}. */
export function operandBindings(
  { packed }: { packed: boolean },
  names: readonly Operand[],
): Record<string, BindingType> {
  return Object.fromEntries((packed ? ["qkv"] : names).map((name) => [name, "load vec4f"]));
}

/** Stands for a key past the last: below every masked one. */
const OUTSIDE = "-1e38";

/** Declares head `h`, sequence `r` of batch entry `b` and the own items of `side`: `own_t`, `item_t` within the sequence. */
export function ownItems({ lanes, t, flat, sparse }: AttentionStructure, side: Side): string {
  const length = `u.L${side}`;
  if (sparse) {
    return `
let s = group.z * groups.y + group.y;
if (s >= u.S) { return; }
let tiles = (u.block + ${lanes * t - 1}u) / ${lanes * t}u;
let lists = (${length} - 1u) / u.block + 1u;
let h = group.x / tiles / lists; // neighbours share a head's keys, which come in no order that a cache could foresee
let list = group.x / tiles % lists;
let within = group.x % tiles * ${lanes * t}u + lane;
let head = h * (u.HD4 / u.H);
let b = s / u.R;
let r = s % u.R;
${
      unroll(t, (i) => `
let own_${i} = select(0xffffffffu, list * u.block + within + ${i * lanes}u, within + ${i * lanes}u < u.block);
let item_${i} = min(own_${i}, ${length} - 1u);`)
    }`;
  }
  return `
${
    flat
      ? `
if (index >= u.S * ${length} * u.H) { return; }
let h = index % u.H;
let s = index / (u.H * ${length});
let first = (index / u.H) % ${length};`
      : `
let s = group.z * groups.y + group.y;
if (s >= u.S) { return; }
let tiles = (${length} - 1u) / ${lanes * t}u + 1u;
let h = group.x / tiles;
let first = (group.x % tiles) * ${lanes * t}u + lane;`
  }
let head = h * (u.HD4 / u.H);
let b = s / u.R;
let r = s % u.R;
${items({ lanes, t }, length)}`;
}

/** {@linkcode ownItems} of queries where an invocation goes through all sequences `r` of batch entry `b`. */
export function ownQueriesOfEntry({ lanes, t, flat }: AttentionStructure): string {
  return `
${
    flat
      ? `
if (index >= (u.S / u.R) * u.Lq * u.H) { return; }
let h = index % u.H;
let b = index / (u.H * u.Lq);
let first = (index / u.H) % u.Lq;`
      : `
let b = group.z * groups.y + group.y;
if (b >= u.S / u.R) { return; }
let h = group.x % u.H;
let first = (group.x / u.H) * ${lanes * t}u + lane;`
  }
let head = h * (u.HD4 / u.H);
${items({ lanes, t }, "u.Lq")}`;
}

function items({ lanes, t }: { lanes: number; t: number }, length: string): string {
  return unroll(t, (i) => `let own_${i} = first + ${i * lanes}u; let item_${i} = min(own_${i}, ${length} - 1u);`);
}

/** Declares the first tokens of the current sequence, `base_q` and `base_k`, and the tokens of the own items, `token_t`. */
export function tokens({ t }: AttentionStructure, side: Side): string {
  return `
let base_q = b * u.R * u.Lq + r * u.qRow;
let base_k = b * u.R * u.Lk + r * u.kRow;
${unroll(t, (i) => `let token_${i} = base_${side} + item_${i} * u.${side}Step;`)}`;
}

/** The tokens of queries or keys, for a loop. */
export function streamed({ sparse }: Pick<AttentionStructure, "sparse">, side: Side): StreamedTokens {
  return { base: `base_${side}`, length: `u.L${side}`, step: `u.${side}Step`, ...(sparse && { list: "list" }) };
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
export function biasRows({ t, bias }: AttentionStructure, side: Side): string {
  return bias ? unroll(t, (i) => `let bias_row_${i} = ((b * u.H + h) * u.L${side} + item_${i}) * u.L4;`) : "";
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
  shrink?: string,
): string {
  return unroll(d4, (d) =>
    (shrink ? unroll(t, (i) => `${sum}_${i}_${d} *= ${shrink}_${i};`) : "") +
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

/** Statements that store vec4 `d` of an own query's output, and what is kept of its softmax. */
export function outputs(structure: AttentionStructure & { readonly gated: boolean; readonly record: boolean }): {
  put(i: string, d: string, sum: string): string;
  keep(i: string): string;
} {
  const { gated, record } = structure;
  return {
    put: (i, d, sum) => {
      const gate = gated ? ` * sigmoid(${operand(structure, "gate", `token_${i}`, d)})` : "";
      return `out_put(token_${i} * u.HD4 + head + ${d}, ${sum} * inverse_${i}${gate});`;
    },
    keep: (i) =>
      record
        ? `stats[token_${i} * u.H + h] = top_${i}; stats[(u.S * u.Lq + token_${i}) * u.H + h] = inverse_${i};`
        : "",
  };
}

/** WGSL functions of the gate. */
export const GATE_FUNCTIONS: string = "\n" + valueTypes("vec4f") + SPECIAL_VALUES + SIGMOID;

/** Bindings of the kernels forward. */
export function forwardBindings(
  structure: AttentionStructure & { readonly gated: boolean; readonly record: boolean },
): Record<string, BindingType> {
  const { bias, mask, sparse, gated, record } = structure;
  return {
    ...operandBindings(structure, gated ? ["q", "k", "v", "gate"] : ["q", "k", "v"]),
    ...(bias && { bias: "load vec4f" }),
    ...(mask && { mask: "read f32" }),
    ...(sparse && { blocks: "read i32" }),
    out: "store vec4f",
    ...(record && { stats: "write f32" }),
  };
}

/**
 * What the probabilities of a workgroup's queries and the values become: `o = shrink · o + Σ_j s_j v_j`. Lanes have queries, and
 * channels of values are broadcast; or lanes have channels, and probabilities are broadcast: a quarter as many.
 */
interface Sums {
  /** Declares the sums, of zeros. */
  readonly start: string;
  /** Adds the values of a block of keys. */
  add(block: StreamedBlock): string;
  /** Stores them. */
  readonly store: string;
}

type ForwardStructure = AttentionStructure & { readonly gated: boolean; readonly record: boolean };

/** Whether lanes have channels of values: with several queries a lane, what is broadcast serves them all anyway. */
function acrossChannels({ family, lanes, t, d4, sparse }: AttentionStructure): boolean {
  return !!sparse && family === "subgroup" && t * lanes <= 16 && d4 % lanes === 0;
}

function sumsOfQueries(structure: ForwardStructure): Sums {
  const { t, d4 } = structure;
  const { put, keep } = outputs(structure);
  return {
    start: ownRows(structure, "var", "o", () => "vec4f()"),
    add: ({ items, b }) => addWeighted(structure, items, "o", "s", b, "shrink"),
    store: unroll(t, (i) => `
if (own_${i} < u.Lq) {
  let inverse_${i} = 1.0 / sum_${i};
  ${unroll(d4, (d) => put(`${i}`, `${d}u`, `o_${i}_${d}`))}
  ${keep(`${i}`)}
}`),
  };
}

function sumsOfChannels(structure: ForwardStructure): Sums {
  const { lanes, t, d4 } = structure;
  const { put, keep } = outputs(structure);
  const own = (piece: (of: (name: string) => string, query: string, lane: number) => string) =>
    unroll(t, (i) => unroll(lanes, (lane) => piece((name) => `subgroupBroadcast(${name}, ${lane}u)`, `${i}`, lane)));
  const parts = (piece: (d: number) => string) => unroll(d4 / lanes, piece);
  return {
    start: own((_, i, lane) => parts((d) => `var o_${i}_${lane}_${d} = vec4f();`)),
    add: ({ items, b }) =>
      own((of, i, lane) =>
        `{
let fewer = ${of(`shrink_${i}`)};
${parts((d) => `o_${i}_${lane}_${d} *= fewer;`)}
${
          unroll(items, (j) =>
            `let p${j} = ${of(`s_${i}_${j}`)};` +
            parts((d) => `o_${i}_${lane}_${d} = fma(vec4f(p${j}), ${b(j, d)}, o_${i}_${lane}_${d});`))
        }
}`
      ),
    store: unroll(t, (i) => `
let inverse_${i} = 1.0 / sum_${i};
if (own_${i} < u.Lq) { ${keep(`${i}`)} }`) +
      own((of, i, lane) => `
let token_${i}_${lane} = ${of(`token_${i}`)};
let inverse_${i}_${lane} = ${of(`inverse_${i}`)};
if (${of(`own_${i}`)} < u.Lq) { ${
        parts((d) => put(`${i}_${lane}`, `(lane + ${d * lanes}u)`, `o_${i}_${lane}_${d}`))
      } }`),
  };
}

/**
 * Attention of one head over one sequence for a block of queries, with the softmax kept up while keys stream by.
 * `stats` gets the largest logit and 1 / (the sum of exponentials) of each query and head, plane after plane: kept apart,
 * since their log-sum-exp is not a float32 number in a row whose keys are all masked.
 */
export const forwardKernel = kernelFamily((structure: ForwardStructure) => {
  const { family, lanes, t, mask, gated } = structure;
  const across = acrossChannels(structure);
  const sums = across ? sumsOfChannels(structure) : sumsOfQueries(structure);
  const bindings = forwardBindings(structure);
  const loop = streamLoop(structure, streamed(structure, "k"), {
    a: (token, d) => operand(structure, "k", token, d),
    b: (token, d) => operand(structure, "v", token, d),
    numbers: (token, inside) => `vec4f(${keyPenalty({ mask }, token, inside)})`,
    across,
  }, (block) => {
    const all = Array.from({ length: block.items }, (_, j) => j);
    return `
${startLogits(structure, block.items, (_, j) => block.number(j, "x"))}
${addProducts(structure, block.items, "s", "q", block.a)}
${
      unroll(t, (i) =>
        `var shrink_${i}: f32; {
let top = ${all.reduce((so, j) => `max(${so}, s_${i}_${j})`, `top_${i}`)};
shrink_${i} = exp(top_${i} - top);
top_${i} = top;
sum_${i} *= shrink_${i};
${all.map((j) => `s_${i}_${j} = exp(s_${i}_${j} - top); sum_${i} += s_${i}_${j};`).join("\n")}
}`)
    }
${block.loadB}
${sums.add(block)}`;
  });
  return {
    name: structure.sparse ? "attention.sparse" : "attention",
    bindings,
    uniforms: sizesFor(structure),
    turns: turnsOfLoop(structure, "Lk"),
    workgroupSize: lanes,
    subgroups: family === "subgroup",
    declarations: streamDeclarations(structure) + (gated ? GATE_FUNCTIONS : ""),
    body: `
${ownItems(structure, "q")}
${tokens(structure, "q")}
${biasRows(structure, "q")}
${ownRows(structure, "let", "q", (i, d) => `${operand(structure, "q", `token_${i}`, `${d}u`)} * u.scale`)}
${sums.start}
${unroll(t, (i) => `var top_${i} = -3e38; var sum_${i} = 0.0;`)}
${loop}
${sums.store}`,
  };
}, forwardProbes);

/**
 * A bias in the form the kernels read: rows padded to whole vec4s, each row a query (or, transposed, a key).
 * `[B·H, Lq, Lk]` → `[B·H, Lq, 4·L4]`, or `[B·H, Lk, 4·L4]`.
 */
export const padBiasKernel = kernelFamily(({ transposed }: { transposed: boolean }) => ({
  name: transposed ? "attention.transposeBias" : "attention.padBias",
  bindings: { bias: "read f32", padded: "write vec4f" },
  uniforms: { Lq: "u32", Lk: "u32", L4: "u32", n: "u32" },
  body: `
if (index < u.n) {
  let row = index / u.L4;
  let at = ${transposed ? "(row / u.Lk) * u.Lq * u.Lk + row % u.Lk" : "row * u.Lk"};
  let first = (index % u.L4) * 4u;
  var v = vec4f();
  ${
    unroll(4, (j) =>
      `if (first + ${j}u < ${transposed ? "u.Lq" : "u.Lk"}) { v.${"xyzw"[j]} = bias[at + (first + ${j}u)${
        transposed ? " * u.Lk" : ""
      }]; }`)
  }
  padded[index] = v;
}`,
}), padBiasProbes);
