/** Probes of attention, forward and backward. */
import { noise, type Probe } from "../../core/mod.ts";
import { itemsOfWorkgroup } from "../_attention_stream.ts";
import type { AttentionStructure, Operand, Side } from "../attention.wgsl.ts";
import { sigmoid } from "./functions.ts";

const BATCH = 2, SEQUENCES = 2, HEADS = 2;
/** Sequences over two axes of the grid; the last workgroups have none. */
const SEQUENCE_GRID = [3, 2] as const;
/** What stands in the parts of a gradient that a kernel leaves as they are. */
const LEFT = 0.25;

const OPERANDS: readonly Operand[] = ["q", "k", "v", "gate"];

/** Numbers by the names of bindings. */
type Tensors = Readonly<Record<string, ArrayLike<number>>>;

/** What is attended: sizes, inputs, and the numbers of `SIZES` in attention.wgsl.ts but for `L4` and `valueAt`. */
interface Setting {
  readonly Lq: number;
  readonly Lk: number;
  readonly d: number;
  readonly scale: number;
  /** Tokens of queries, and of keys. */
  readonly tokens: Readonly<Record<Side, number>>;
  readonly uniforms: Readonly<Record<string, number>>;
  readonly qkv: Readonly<Record<string, Float32Array>>;
  readonly bias: Float32Array;
  readonly mask: Float32Array;
  readonly dO: Float32Array;
  /** Tokens of a block where some blocks alone are visited. */
  readonly block?: number;
  /** Number of the token of item i in sequence r of a batch entry. */
  token(side: Side, b: number, r: number, i: number): number;
  /** Where a head's first channel of a token lies in the tensor that holds an operand. */
  at(operand: Operand, token: number, h: number): number;
  /** The tensor that holds an operand. */
  of(tensors: Tensors, operand: Operand): ArrayLike<number>;
}

/**
 * Packed: along the first axis, so that neighbours in a sequence are not neighbours in memory. Else queries lie so, and
 * the keys behind each other.
 */
function settingOf(
  { Lq, Lk }: { readonly Lq: number; readonly Lk: number },
  { d4, packed }: { readonly d4: number; readonly packed: boolean },
  operands: readonly Operand[] = ["q", "k", "v"],
  block?: number,
): Setting {
  const d = 4 * d4, scale = 1 / Math.sqrt(d), wide = HEADS * d;
  const columns = packed ? operands.length * wide : wide;
  const tokens = { q: BATCH * SEQUENCES * Lq, k: BATCH * SEQUENCES * Lk };
  const steps = {
    ...{ qRow: 1, qStep: SEQUENCES },
    ...(packed ? { kRow: 1, kStep: SEQUENCES } : { kRow: Lk, kStep: 1 }),
  };
  return {
    ...{ Lq, Lk, d, scale, tokens, block },
    uniforms: {
      ...(block && { block, longest: 2 }),
      ...{ rFirst: 0, rEnd: SEQUENCES, Lq, Lk, R: SEQUENCES, S: BATCH * SEQUENCES, H: HEADS, ...steps },
      ...{ width: columns / 4, HD4: HEADS * d4, scale },
    },
    qkv: packed ? { qkv: noise(tokens.q * columns, 1) } : Object.fromEntries(
      operands.map((name, i) => [name, noise(tokens[sideOf(name)] * wide, 11 + i)]),
    ),
    bias: noise(BATCH * HEADS * Lq * Lk, 2),
    mask: noise(tokens.k, 3).map((x) => (x > -0.6 ? 1 : 0)),
    dO: noise(tokens.q * wide, 4),
    token: (side, b, r, i) =>
      side === "q"
        ? b * SEQUENCES * Lq + r * steps.qRow + i * steps.qStep
        : b * SEQUENCES * Lk + r * steps.kRow + i * steps.kStep,
    at: (name, token, h) => token * columns + (packed ? OPERANDS.indexOf(name) * wide : 0) + h * d,
    of: (tensors, name) => tensors[packed ? "qkv" : name],
  };
}

/** Whether the block of a query attends to that of a key: of three blocks of either to two. */
function visits(block: number | undefined, i: number, j: number): boolean {
  return block === undefined || (2 * Math.floor(i / block) + Math.floor(j / block)) % 3 !== 1;
}

/** The lists of what is visited, of queries or of keys. */
function listsOf(side: Side, block: number): Float32Array {
  const lists = [0, 1, 2].map((own) =>
    [0, 1, 2].filter((other) => {
      const [i, j] = side === "q" ? [own, other] : [other, own];
      return visits(block, i * block, j * block);
    })
  );
  return Float32Array.from([4, 6, 8, 10, ...lists.flat()]);
}

const sideOf = (operand: Operand): Side => (operand === "k" || operand === "v" ? "k" : "q");

/** Rows of a bias padded to whole vec4s; transposed where each row is a key. What pads them may be anything. */
function paddedBias(bias: ArrayLike<number>, Lq: number, Lk: number, transposed = false): Float64Array {
  const width = 4 * Math.ceil((transposed ? Lq : Lk) / 4), maps = bias.length / (Lq * Lk);
  // zeros: NaN would pass through the sums of padded items
  const padded = new Float64Array(maps * (transposed ? Lk : Lq) * width);
  for (let map = 0; map < maps; map++) {
    for (let i = 0; i < Lq; i++) {
      for (let j = 0; j < Lk; j++) {
        const to = transposed ? (map * Lk + j) * width + i : (map * Lq + i) * width + j;
        padded[to] = bias[(map * Lq + i) * Lk + j];
      }
    }
  }
  return padded;
}

interface Head {
  readonly b: number;
  readonly r: number;
  readonly h: number;
  /** Probabilities, `[query, key]`; the largest logit of a query, and 1 / the sum of exponentials. */
  readonly p: Float64Array;
  readonly top: Float64Array;
  readonly inverse: Float64Array;
}

/** Softmax of the logits, head by head; in float32 logits of a masked key lose all that is not the mask's. */
function* heads(
  { Lq, Lk, d, scale, token, at, of, block }: Setting,
  tensors: Tensors,
  bias?: ArrayLike<number>,
  mask?: ArrayLike<number>,
): Generator<Head> {
  const p = new Float64Array(Lq * Lk), top = new Float64Array(Lq), inverse = new Float64Array(Lq);
  const queries = of(tensors, "q"), keys = of(tensors, "k");
  for (let b = 0; b < BATCH; b++) {
    for (let r = 0; r < SEQUENCES; r++) {
      for (let h = 0; h < HEADS; h++) {
        for (let i = 0; i < Lq; i++) {
          const q = at("q", token("q", b, r, i), h);
          let most = -Infinity, sum = 0;
          for (let j = 0; j < Lk; j++) {
            p[i * Lk + j] = -Infinity;
            if (!visits(block, i, j)) continue;
            const key = token("k", b, r, j);
            const k = at("k", key, h);
            let s = mask ? 1e9 * (mask[key] - 1) : 0;
            if (bias) s += bias[((b * HEADS + h) * Lq + i) * Lk + j];
            for (let c = 0; c < d; c++) s += scale * queries[q + c] * keys[k + c];
            p[i * Lk + j] = s = Math.fround(s);
            if (s > most) most = s;
          }
          for (let j = 0; j < Lk; j++) sum += p[i * Lk + j] = Math.exp(p[i * Lk + j] - most);
          for (let j = 0; j < Lk; j++) p[i * Lk + j] /= sum;
          [top[i], inverse[i]] = [most, 1 / sum];
        }
        yield { b, r, h, p, top, inverse };
      }
    }
  }
}

/** Tokens of a block: more than a workgroup takes, and no whole number of what it does. */
const blockFor = ({ sparse, lanes, t }: AttentionStructure) => (sparse ? lanes * t + 3 : undefined);

/** More than one block of own items, and streamed ones that are no whole number of tiles. */
function lengthsFor(structure: AttentionStructure, side: Side): { Lq: number; Lk: number } {
  const { packed, flat } = structure;
  const block = blockFor(structure);
  if (block) return packed ? { Lq: 2 * block + 5, Lk: 2 * block + 5 } : { Lq: 2 * block + 5, Lk: 2 * block + 2 };
  if (flat) return { Lq: 13, Lk: 7 };
  const own = Math.max(35, itemsOfWorkgroup(structure) + 3), streamed = packed ? own : 37;
  return side === "q" ? { Lq: own, Lk: streamed } : { Lq: streamed, Lk: own };
}

/** Workgroups for so many sequences, whose number lies over two axes. */
function gridFor(structure: AttentionStructure, own: number, sequences: number) {
  const { lanes, flat, sparse } = structure;
  if (flat) return [Math.ceil(sequences * own * HEADS / lanes) + 1, 1, 1] as const;
  const [y, z] = sequences === BATCH * SEQUENCES ? SEQUENCE_GRID : [sequences + 1, 1];
  if (sparse) return [HEADS * 3 * 2, y, z] as const;
  return [HEADS * Math.ceil(own / itemsOfWorkgroup(structure)), y, z] as const;
}

/** Output, and what is kept of the softmax. One sequence is masked whole where nothing is kept of it. */
export function forwardProbes(
  structure: AttentionStructure & { readonly gated: boolean; readonly record: boolean },
): readonly Probe[] {
  const { bias, mask, gated, record } = structure;
  const block = blockFor(structure);
  const setting = settingOf(lengthsFor(structure, "q"), structure, gated ? OPERANDS : undefined, block);
  const { Lq, Lk, d, tokens, uniforms, token, at, of } = setting;
  const masked = setting.mask.slice();
  if (!record) { for (let j = 0; j < Lk; j++) masked[token("k", 1, 0, j)] = 0; }
  return [{
    before: {
      ...setting.qkv,
      ...(bias && { bias: paddedBias(setting.bias, Lq, Lk) }),
      ...(mask && { mask: masked }),
      ...(block && { blocks: listsOf("q", block) }),
    },
    uniforms: { ...uniforms, L4: Math.ceil(Lk / 4), valueAt: 0 },
    grid: gridFor(structure, Lq, BATCH * SEQUENCES),
    after(tensors) {
      const values = of(tensors, "v"), gates = of(tensors, "gate");
      const out = new Float64Array(tokens.q * HEADS * d), stats = new Float64Array(2 * tokens.q * HEADS);
      for (
        const { b, r, h, p, top, inverse } of heads(setting, tensors, bias ? setting.bias : undefined, tensors.mask)
      ) {
        for (let i = 0; i < Lq; i++) {
          const query = token("q", b, r, i);
          for (let c = 0; c < d; c++) {
            let sum = 0;
            for (let j = 0; j < Lk; j++) sum += p[i * Lk + j] * values[at("v", token("k", b, r, j), h) + c];
            const gate = gated ? sigmoid(gates[at("gate", query, h) + c]) : 1;
            out[(query * HEADS + h) * d + c] = sum * gate;
          }
          stats[query * HEADS + h] = top[i];
          stats[(tokens.q + query) * HEADS + h] = inverse[i];
        }
      }
      return { out, ...(record && { stats }) };
    },
  }];
}

/** The bias as the kernels read it. */
export function padBiasProbes({ transposed }: { readonly transposed: boolean }): readonly Probe[] {
  const Lq = 7, Lk = 5, count = 3, L4 = 2;
  const n = count * (transposed ? Lk : Lq) * L4;
  return [{
    before: { bias: noise(count * Lq * Lk, 1) },
    uniforms: { Lq, Lk, L4, n },
    grid: [Math.ceil(n / 64) + 1, 1, 1],
    after: ({ bias }) => ({ padded: paddedBias(bias, Lq, Lk, transposed) }),
  }];
}

/** What drops that padding again. */
export function unpadBiasProbes(): readonly Probe[] {
  const Lq = 5, Lk = 7, count = 3;
  const bias = noise(count * Lq * Lk, 1);
  return [{
    before: { padded: paddedBias(bias, Lq, Lk) },
    uniforms: { Lk, L4: 2, n: bias.length },
    grid: [Math.ceil(bias.length / 64) + 1, 1, 1],
    after: () => ({ bias }),
  }];
}

/** What the kernels of the way back need of each query. */
export function termsProbes(
  { d4, gated, packed }: { readonly d4: number; readonly gated: boolean; readonly packed: boolean },
): readonly Probe[] {
  const tokens = 37, d = 4 * d4, wide = HEADS * d, columns = packed ? 4 * wide : wide, n = tokens * HEADS;
  const first = packed ? 3 * wide : 0;
  const [gateName, gradient] = packed ? ["qkv", "dqkv"] : ["gate", "dGate"];
  return [{
    before: {
      out: noise(tokens * wide, 1),
      dOut: noise(tokens * wide, 2),
      stats: noise(2 * n, 3),
      ...(gated && {
        [gateName]: noise(tokens * columns, 4),
        [gradient]: new Float32Array(tokens * columns).fill(LEFT),
      }),
    },
    uniforms: { H: HEADS, n, width: columns / 4, HD4: wide / 4 },
    grid: [Math.ceil(n / 64) + 1, 1, 1],
    after({ out, dOut, stats, [gateName]: gates }) {
      const terms = new Float64Array(4 * n), dO = new Float64Array(tokens * wide);
      const dGate = new Float64Array(tokens * columns).fill(LEFT);
      for (let i = 0; i < tokens * wide; i++) {
        terms[4 * Math.floor(i / d) + 2] += out[i] * dOut[i];
        if (!gated) continue;
        const at = Math.floor(i / wide) * columns + first + i % wide;
        const gate = sigmoid(gates[at]);
        dO[i] = dOut[i] * gate;
        dGate[at] = dOut[i] * out[i] * (1 - gate);
      }
      for (let i = 0; i < n; i++) [terms[4 * i], terms[4 * i + 1]] = [stats[i], stats[n + i]];
      return { terms, ...(gated && { dO, [gradient]: dGate }) };
    },
  }];
}

/** Inputs of the way back, and the gradients that the kernels between them make. */
function backward(setting: Setting, flags: { readonly bias: boolean; readonly mask: boolean }) {
  const { Lq, Lk, d, scale, tokens, qkv, dO, token, at, of } = setting;
  const [queries, keys, values] = (["q", "k", "v"] as const).map((name) => of(qkv, name));
  const wide = HEADS * d;
  const terms = new Float32Array(4 * tokens.q * HEADS);
  const [dq, dk, dv] = [tokens.q, tokens.k, tokens.k].map((count) => new Float64Array(count * wide));
  const dBias = new Float64Array(BATCH * HEADS * Lq * Lk);
  const dBiasOf = Array.from({ length: SEQUENCES }, () => new Float64Array(dBias.length)); // sequence by sequence
  const ds = new Float64Array(Lq * Lk);
  const softmax = heads(setting, qkv, flags.bias ? setting.bias : undefined, flags.mask ? setting.mask : undefined);
  for (const { b, r, h, p, top, inverse } of softmax) {
    for (let i = 0; i < Lq; i++) {
      const query = token("q", b, r, i);
      let delta = 0;
      for (let j = 0; j < Lk; j++) {
        const v = at("v", token("k", b, r, j), h);
        let dp = 0;
        for (let c = 0; c < d; c++) dp += dO[query * wide + h * d + c] * values[v + c];
        ds[i * Lk + j] = dp;
        delta += p[i * Lk + j] * dp;
      }
      for (let j = 0; j < Lk; j++) {
        ds[i * Lk + j] = p[i * Lk + j] * (ds[i * Lk + j] - delta);
        const at = ((b * HEADS + h) * Lq + i) * Lk + j;
        dBias[at] += ds[i * Lk + j];
        dBiasOf[r][at] = ds[i * Lk + j];
      }
      terms.set([top[i], inverse[i], delta, 0], 4 * (query * HEADS + h));
    }
    for (let i = 0; i < Lq; i++) {
      const query = token("q", b, r, i), q = at("q", query, h), toQ = query * wide + h * d;
      for (let j = 0; j < Lk; j++) {
        const key = token("k", b, r, j), k = at("k", key, h), toK = key * wide + h * d;
        for (let c = 0; c < d; c++) {
          dq[toQ + c] += scale * ds[i * Lk + j] * keys[k + c];
          dk[toK + c] += scale * ds[i * Lk + j] * queries[q + c];
          dv[toK + c] += p[i * Lk + j] * dO[toQ + c];
        }
      }
    }
  }
  return { terms, dq, dk, dv, dBias, dBiasOf };
}

/** Columns of a packed gradient that a kernel makes, beside others. */
function columnsOf(gradients: readonly Float64Array[], first: number, wide: number): Float64Array {
  const tokens = gradients[0].length / wide;
  const out = new Float64Array(tokens * 3 * wide).fill(LEFT);
  gradients.forEach((gradient, i) => {
    for (let token = 0; token < tokens; token++) {
      out.set(gradient.subarray(token * wide, (token + 1) * wide), (3 * token + first + i) * wide);
    }
  });
  return out;
}

/** Gradient of the queries, and with `sumBias` of the bias. */
export function queriesProbes(
  structure: AttentionStructure & { readonly sumBias: boolean; readonly onTop?: boolean },
): readonly Probe[] {
  const { packed, bias, mask, sumBias, onTop } = structure;
  const block = blockFor(structure);
  const setting = settingOf(lengthsFor(structure, "q"), structure, undefined, block);
  const { Lq, Lk, d, uniforms, qkv, dO } = setting;
  const { terms, dq, dBias } = backward(setting, structure);
  const result = packed ? columnsOf([dq], 0, HEADS * d) : dq;
  const before = onTop ? noise(dBias.length, 5) : undefined;
  return [{
    before: {
      ...{ ...qkv, dO, terms, ...(packed && { dqkv: new Float32Array(result.length).fill(LEFT) }) },
      ...(bias && { bias: paddedBias(setting.bias, Lq, Lk) }),
      ...(mask && { mask: setting.mask }),
      ...(before && { dBias: paddedBias(before, Lq, Lk) }),
      ...(block && { blocks: listsOf("q", block) }),
    },
    uniforms: { ...uniforms, L4: Math.ceil(Lk / 4), valueAt: 0 },
    grid: gridFor(structure, Lq, sumBias ? BATCH : BATCH * SEQUENCES),
    after() {
      const sums = paddedBias(before ? dBias.map((x, i) => x + before[i]) : dBias, Lq, Lk);
      for (let i = 0; i < sums.length; i++) if (i % (4 * Math.ceil(Lk / 4)) >= Lk) sums[i] = NaN;
      return { [packed ? "dqkv" : "dq"]: result, ...(sumBias && { dBias: sums }) };
    },
  }];
}

/** Gradients of the queries and, in one part and in two, of the bias. */
export function tiledQueriesProbes(structure: AttentionStructure): readonly Probe[] {
  const { packed, bias, mask } = structure;
  const setting = settingOf(lengthsFor(structure, "q"), structure);
  const { Lq, Lk, d, uniforms, qkv, dO } = setting, L4 = Math.ceil(Lk / 4);
  const { terms, dq, dBias, dBiasOf } = backward(setting, structure);
  const result = packed ? columnsOf([dq], 0, HEADS * d) : dq;
  return [[dBias], dBiasOf].map((sums): Probe => ({
    before: {
      ...{ ...qkv, dO, terms, ...(packed && { dqkv: new Float32Array(result.length).fill(LEFT) }) },
      ...(bias && { bias: paddedBias(setting.bias, Lq, Lk) }),
      ...(mask && { mask: setting.mask }),
    },
    uniforms: { ...uniforms, L4, valueAt: 0, parts: sums.length, rPart: SEQUENCES / sums.length },
    grid: [HEADS * Math.ceil(Lq / itemsOfWorkgroup(structure)), BATCH * sums.length + 1, 1],
    after() {
      const padded = Float64Array.from(sums.flatMap((sum) => [...paddedBias(sum, Lq, Lk)]));
      for (let i = 0; i < padded.length; i++) if (i % (4 * L4) >= Lk) padded[i] = NaN;
      return { [packed ? "dqkv" : "dq"]: result, dBias: padded };
    },
  }));
}

/** Gradients of keys and values. */
export function keysProbes(structure: AttentionStructure): readonly Probe[] {
  const { packed, bias, mask } = structure;
  const block = blockFor(structure);
  const setting = settingOf(lengthsFor(structure, "k"), structure, undefined, block);
  const { Lq, Lk, d, uniforms, qkv, dO } = setting;
  const { terms, dk, dv } = backward(setting, structure);
  const gap = 20; // elements between the gradients of keys and of values
  const behind = new Float64Array(2 * dk.length + gap).fill(LEFT);
  behind.set(dk);
  behind.set(dv, dk.length + gap);
  const name = packed ? "dqkv" : "dkv", result = packed ? columnsOf([dk, dv], 1, HEADS * d) : behind;
  return [{
    before: {
      ...{ ...qkv, dO, terms, [name]: new Float32Array(result.length).fill(LEFT) },
      ...(bias && { bias: paddedBias(setting.bias, Lq, Lk, true) }),
      ...(mask && { mask: setting.mask }),
      ...(block && { blocks: listsOf("k", block) }),
    },
    uniforms: { ...uniforms, L4: Math.ceil(Lq / 4), valueAt: packed ? uniforms.HD4 : (dk.length + gap) / 4 },
    grid: gridFor(structure, Lk, BATCH * SEQUENCES),
    after: () => ({ [name]: result }),
  }];
}

/** Gradient of the bias by tiles of queries and keys. */
export function biasProbes(
  structure: Pick<AttentionStructure, "d4" | "bias" | "mask" | "packed"> & { readonly onTop?: boolean },
  tile: number,
): readonly Probe[] {
  const { bias, mask, packed, onTop } = structure;
  const Lq = 2 * tile + 3, Lk = packed ? Lq : tile + 5;
  const setting = settingOf({ Lq, Lk }, structure);
  const { uniforms, qkv, dO } = setting;
  const { terms, dBias } = backward(setting, structure);
  const before = onTop ? noise(dBias.length, 5) : undefined;
  return [{
    before: {
      ...{ ...qkv, dO, terms },
      ...(bias && { bias: paddedBias(setting.bias, Lq, Lk) }),
      ...(mask && { mask: setting.mask }),
      ...(before && { dBias: before }),
    },
    uniforms: { ...uniforms, L4: Math.ceil(Lk / 4), valueAt: 0 },
    grid: [Math.ceil(Lk / tile), Math.ceil(Math.ceil(Lq / tile) * BATCH * HEADS / 2) + 1, 2],
    after: () => ({ dBias: before ? dBias.map((x, i) => x + before[i]) : dBias }),
  }];
}
