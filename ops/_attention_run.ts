/** How attention and its way back run on a device: sizes, plans, kernels, and parts of what no kernel may see whole. */
import {
  type AdapterTraits,
  type Device,
  elementGrid,
  flatGrid,
  type Grid,
  type Kernel,
  type KernelFamily,
  type KernelUse,
  MOST_TURNS,
  mostVisible,
  type Tensor,
  WINDOW_STEP,
} from "../core/mod.ts";
import { type AttentionPart, attentionParts, putPart, takePart } from "./_attention_parts.ts";
import { itemsOfWorkgroup, longestStream, TILE } from "./_attention_stream.ts";
import { MOST_TILED_D4, tiledForwardKernel, tiledQueriesKernel, turnsOfTiledQueries } from "./attention_tiles.wgsl.ts";
import { reduceMiddle } from "./_reduce.ts";
import { entryOf } from "./_region.ts";
import { type AttentionStructure, forwardKernel, padBiasKernel, type Side } from "./attention.wgsl.ts";
import {
  BIAS_TILE,
  biasKernel,
  keysKernel,
  queriesKernel,
  termsKernel,
  turnsOfBias,
  turnsOfQueries,
  unpadBiasKernel,
} from "./attention_backward.wgsl.ts";
import { familiesToTry } from "./tuning.ts";

/** What attention reads: `qkv`, or `q`, `k`, `v` and perhaps `gate`. */
export type AttentionOperands = {
  readonly qkv?: Tensor;
  readonly q?: Tensor;
  readonly k?: Tensor;
  readonly v?: Tensor;
  readonly gate?: Tensor;
  readonly bias?: Tensor;
  readonly mask?: Tensor;
  /** Lists of a layout's rows, and of its columns: `BlockLists.numbers`. */
  readonly blocks?: Tensor;
  readonly blocksOfKeys?: Tensor;
};

/** A layout of blocks, as kernels must know it besides its lists. */
export interface SparseAttributes {
  /** Tokens of a block; blocks of queries and of keys. */
  readonly block: number;
  readonly rows: number;
  readonly columns: number;
  /** Blocks of the longest list of a row, and of a column. */
  readonly longestRow: number;
  readonly longestColumn: number;
  /** Part of all blocks that is visited. */
  readonly share: number;
}

/** How it reads them. */
export interface AttentionAttributes {
  readonly heads: number;
  /** Axis attended along: of queries, gate and output; of keys and values. */
  readonly axis: 1 | 2;
  readonly keyAxis: 1 | 2;
  readonly gated: boolean;
  readonly scale: number;
  /** Which blocks are visited. @default all */
  readonly sparse?: SparseAttributes;
}

/** What the forward pass gives. */
export type Attended = { readonly out: Tensor; readonly stats: Tensor | undefined };
type Saved = { readonly out: Tensor; readonly stats: Tensor };

/** Gradients by the names of the inputs. */
export type AttentionGradients = { [K in keyof AttentionOperands]?: Tensor };
type Wanted = { readonly [K in keyof AttentionOperands]?: boolean };

interface Sizes {
  /** Batch entries, queries and keys of a sequence, sequences of an entry and over all, heads, vec4s of a head. */
  readonly B: number;
  readonly Lq: number;
  readonly Lk: number;
  readonly R: number;
  readonly S: number;
  readonly H: number;
  readonly d4: number;
  readonly packed: boolean;
  /** Shape of the output. */
  readonly shape: readonly [B: number, I: number, J: number, columns: number];
  /** Operations of one product of queries and keys, or of probabilities and values. */
  readonly flops: number;
  /** The numbers of `SIZES` in attention.wgsl.ts but for `L4` and `valueAt`. */
  readonly uniforms: Readonly<Record<string, number>>;
  readonly sparse?: SparseAttributes;
}

function sizesOf(
  { qkv, q, k }: AttentionOperands,
  { heads: H, axis, keyAxis, gated, scale, sparse }: AttentionAttributes,
): Sizes {
  const [B, I, J] = (qkv ?? q!).shape;
  const keys = (qkv ?? k!).shape;
  const columns = qkv ? qkv.shape[3] / (gated ? 4 : 3) : q!.shape[3];
  const [Lq, R] = axis === 2 ? [J, I] : [I, J];
  const Lk = keys[keyAxis];
  const d4 = columns / H / 4;
  const uniforms = {
    rFirst: 0,
    rEnd: R,
    Lq,
    Lk,
    R,
    S: B * R,
    H,
    qRow: axis === 2 ? J : 1,
    qStep: axis === 2 ? 1 : J,
    kRow: keyAxis === 2 ? Lk : 1,
    kStep: keyAxis === 2 ? 1 : R,
    width: (qkv ?? q!).shape[3] / 4,
    HD4: H * d4,
    scale,
  };
  const flops = 8 * B * R * H * Lq * Lk * d4 * (sparse?.share ?? 1);
  return { B, Lq, Lk, R, S: B * R, H, d4, packed: !!qkv, shape: [B, I, J, columns], flops, uniforms, sparse };
}

/** How many queries (or keys) a lane of a subgroup gets, and how many streamed items a block. */
interface Blocking {
  readonly t: number;
  readonly items: number;
}

/** The fastest on lavapipe; more of either would be no faster, but longer to compile. */
const forwardBlocking = (lanes: number): Blocking => ({ t: 4, items: lanes / 2 });
const backwardBlocking = (_lanes: number, d4: number): Blocking => ({ t: d4 > 4 ? 2 : 4, items: 4 });

/** In blocks of 16 a lane has one query at most; more items at a time then take a fifth more processor time. */
const sparseBlocking = (): Blocking => ({ t: 4, items: 4 });

/** A blocking within reason: no more queries a lane than there are, and blocks whose load the lanes can share. */
function reasonable({ t, items }: Blocking, length: number, lanes: number, d4: number): Blocking {
  while (t > 1 && length <= lanes * (t / 2)) t /= 2;
  items = Math.max(4, items);
  while (items < lanes && d4 % (lanes / items)) items *= 2;
  return { t, items };
}

/**
 * So few queries and keys that a workgroup takes those of many sequences and every lane reads what it needs by itself. On
 * lavapipe that takes a twelfth of the time for one query of four keys, and half as long again for 256 queries of 16.
 */
const FEW = 32;

/** What of its sizes the text of an attention kernel depends on. */
type StructuralSizes = Pick<Sizes, "Lq" | "Lk" | "d4" | "packed"> & { readonly sparse?: { readonly block: number } };

/** What attention has besides tokens, and whether a kernel in tiles serves (@default yes). */
interface Flags {
  readonly bias: boolean;
  readonly mask: boolean;
  readonly tiled?: boolean;
}

/**
 * How the kernels of a family are built for an adapter.
 *
 * @param side What lanes have; the others are streamed.
 */
export function structureFor(
  { subgroupSize }: Pick<AdapterTraits, "subgroupSize">,
  family: KernelFamily,
  pass: "forward" | "backward",
  { Lq, Lk, d4, packed, sparse }: StructuralSizes,
  side: Side,
  { tiled = true, ...flags }: Flags,
): AttentionStructure {
  const own = sparse?.block ?? (side === "q" ? Lq : Lk);
  if (!sparse && !packed && Math.max(Lq, Lk) <= FEW) {
    return { family: "plain", lanes: 64, t: 1, d4, items: 4, packed, flat: true, ...flags };
  }
  if (family === "tiles") {
    if (tiled && side === "q" && !sparse && d4 <= MOST_TILED_D4) {
      return { family, lanes: 64, t: 1, d4, items: 4, packed, flat: false, ...flags };
    }
    family = "workgroup";
  }
  const few = own <= 32 && (family === "workgroup" || sparse);
  const lanes = family === "subgroup" ? subgroupSize : few ? 32 : 64;
  const blocking = sparse ? sparseBlocking : pass === "forward" ? forwardBlocking : backwardBlocking;
  const { t, items } = family === "subgroup" ? reasonable(blocking(lanes, d4), own, lanes, d4) : { t: 1, items: 4 };
  return { family, lanes, t, d4, items, packed, flat: false, ...flags, ...(sparse && { sparse: true }) };
}

/** A way to go about attention: the family of its kernels, and how those of one side are built. */
interface Way {
  readonly family: KernelFamily;
  readonly structure: AttentionStructure;
}

/** The ways that a device has, the preferred one first. */
function waysOf(
  device: Device,
  pass: "forward" | "backward",
  sizes: Sizes,
  side: Side,
  flags: Flags,
): Way[] {
  return familiesToTry(device, "attention").map((family) => {
    const structure = structureFor(device.traits, family, pass, sizes, side, flags);
    return { family: family === "tiles" && structure.family !== "tiles" ? "workgroup" : family, structure };
  });
}

/** How a kernel is built for a device, and how many workgroups it takes for all sequences, or for one of each entry. */
interface Plan extends Way {
  readonly grid: Grid;
  readonly entriesGrid: Grid;
}

/**
 * @param side What lanes have; the others are streamed.
 * @param kernelsOf The kernels that would run, and what they would be given.
 */
function plan(
  device: Device,
  pass: "forward" | "backward",
  sizes: Sizes,
  side: Side,
  flags: Flags,
  kernelsOf: (way: Way) => readonly KernelUse[],
): Plan {
  const { B, Lq, Lk, S, H } = sizes;
  const own = side === "q" ? Lq : Lk;
  const way = device.kernels.choose(waysOf(device, pass, sizes, side, flags), kernelsOf);
  const { lanes, flat } = way.structure, items = itemsOfWorkgroup(way.structure);
  const { sparse } = sizes;
  const lists = sparse && (side === "q" ? sparse.rows : sparse.columns);
  const blocks = H * (sparse ? lists! * Math.ceil(sparse.block / items) : Math.ceil(own / items));
  const grid = (sequences: number): Grid => {
    if (flat) return elementGrid(sequences * own * H, lanes);
    const [y, z] = flatGrid(sequences);
    return [blocks, y, z];
  };
  return { ...way, grid: grid(S), entriesGrid: grid(B) };
}

/**
 * Refuses sequences longer than an invocation goes over.
 *
 * @throws {RangeError} If there are more.
 */
function requireStreamable(what: string, length: number, structure: AttentionStructure): void {
  const most = longestStream(structure);
  if (length <= most) return;
  throw new RangeError(
    `Cannot run attention over ${length} ${what} of a sequence with ${
      4 * structure.d4
    } channels a head: kernels of the ` +
      `family ${structure.family} go over at most ${most}`,
  );
}

/** vec4s of a row of the bias. */
const quads = (length: number) => Math.ceil(length / 4);

/** The bias as the kernels read it: whole vec4s a row, transposed for keys. */
function preparedBias(device: Device, bias: Tensor, { Lq, Lk }: Sizes, transposed: boolean): Tensor {
  if (!transposed && Lk % 4 === 0) return bias;
  const [rows, L4] = transposed ? [bias.size / Lq, quads(Lq)] : [bias.size / Lk, quads(Lk)];
  const padded = device.empty([rows, 4 * L4]);
  device.run(padBiasKernel({ transposed }), {
    bindings: { bias, padded },
    uniforms: { Lq, Lk, L4, n: rows * L4 },
    grid: elementGrid(rows * L4, 64),
    flops: 0,
  });
  return padded;
}

/** What kernels are told of the lists they go over. */
function listSizes({ sparse }: Sizes, of: Side): Record<string, number> {
  return sparse ? { block: sparse.block, longest: of === "q" ? sparse.longestRow : sparse.longestColumn } : {};
}

/** Leaves out what is absent. */
function present(bindings: Readonly<Record<string, Tensor | undefined>>): Record<string, Tensor> {
  return Object.fromEntries(Object.entries(bindings).filter((entry): entry is [string, Tensor] => !!entry[1]));
}

/** Elements of the largest tensor of tokens: an input, or the gradients of keys and values behind each other. */
function largest({ qkv, q, k }: AttentionOperands): number {
  return qkv ? qkv.size : Math.max(q!.size, 2 * Math.ceil(k!.size / WINDOW_STEP) * WINDOW_STEP);
}

/** Whether a kernel may see every tensor of tokens. */
function seesAll(inputs: AttentionOperands): boolean {
  return largest(inputs) <= mostVisible((inputs.qkv ?? inputs.q)!.device);
}

/** Computes attention; what the way back reads besides is saved if `recording`. */
export function attend(inputs: AttentionOperands, attributes: AttentionAttributes, recording: boolean): Attended {
  return (seesAll(inputs) ? attendAtOnce : attendInParts)(inputs, attributes, recording);
}

/** Goes the way back. */
export function attendBack(
  inputs: AttentionOperands,
  saved: Saved,
  attributes: AttentionAttributes,
  wanted: Wanted,
  dOut: Tensor,
): AttentionGradients {
  return seesAll(inputs)
    ? attendBackAtOnce(inputs, saved, attributes, wanted, dOut)
    : attendBackInParts(inputs, saved, attributes, wanted, dOut);
}

function attendAtOnce(inputs: AttentionOperands, attributes: AttentionAttributes, recording: boolean): Attended {
  const { bias, mask, blocks, blocksOfKeys: _, ...operands } = inputs;
  const { device, dtype } = (inputs.qkv ?? inputs.q)!;
  const sizes = sizesOf(inputs, attributes);
  const { H, Lq, Lk, flops, uniforms } = sizes;
  const [B, I, J] = sizes.shape;
  const out = device.empty(sizes.shape, dtype); // in 16 bits if its inputs are
  const stats = recording ? device.empty([2, B, I, J, H]) : undefined;
  if (out.size === 0) return { out, stats };
  const flags = { bias: !!bias, mask: !!mask };
  const kernelOf = ({ structure }: Way) =>
    (structure.family === "tiles" ? tiledForwardKernel : forwardKernel)({
      ...structure,
      ...{ gated: attributes.gated, record: recording },
    });
  const halves = { ...operands, out };
  const way = plan(device, "forward", sizes, "q", flags, (way) => [[kernelOf(way), halves]]);
  if (!sizes.sparse) requireStreamable("keys", Lk, way.structure);
  if (recording && !sizes.sparse) {
    requireStreamable("queries", Lq, waysOf(device, "backward", sizes, "k", flags)[0].structure);
  }
  device.run(kernelOf(way), {
    bindings: present({
      ...operands,
      bias: bias && preparedBias(device, bias, sizes, false),
      mask,
      blocks,
      out,
      stats,
    }),
    uniforms: { ...uniforms, ...listSizes(sizes, "q"), L4: quads(Lk), valueAt: 0 },
    grid: way.grid,
    flops: 2 * flops,
  });
  return { out, stats };
}

/** Axis attended along of each input that has tokens. */
function axesOf({ axis, keyAxis }: AttentionAttributes): Readonly<Record<string, 1 | 2>> {
  return { qkv: axis, q: axis, gate: axis, k: keyAxis, v: keyAxis, mask: keyAxis };
}

/** Parts in which all inputs are gone through. */
function partsOf(inputs: AttentionOperands, attributes: AttentionAttributes): AttentionPart[] {
  const { B, R } = sizesOf(inputs, attributes);
  return attentionParts((inputs.qkv ?? inputs.q)!.device, B, R, Math.ceil(largest(inputs) / (B * R)));
}

function inputsOf(inputs: AttentionOperands, attributes: AttentionAttributes, part: AttentionPart): AttentionOperands {
  const axes = axesOf(attributes);
  return Object.fromEntries(
    Object.entries(inputs).filter((entry): entry is [string, Tensor] => !!entry[1]).map(([name, tensor]) => [
      name,
      name === "bias"
        ? entryOf(tensor, part.entry)
        : name.startsWith("blocks")
        ? tensor
        : takePart(tensor, part, axes[name]),
    ]),
  );
}

/** The same a few sequences at a time, for a device that lets no kernel see all of the inputs. */
function attendInParts(inputs: AttentionOperands, attributes: AttentionAttributes, recording: boolean): Attended {
  const { device } = (inputs.qkv ?? inputs.q)!;
  const { H, shape } = sizesOf(inputs, attributes);
  const [B, I, J] = shape;
  const { axis } = attributes;
  const out = device.empty(shape);
  const stats = recording ? device.empty([2, B, I, J, H]) : undefined;
  for (const part of partsOf(inputs, attributes)) {
    using _ = device.scope("part");
    const got = attendAtOnce(inputsOf(inputs, attributes, part), attributes, recording);
    putPart(got.out, out, part, axis);
    if (stats && got.stats) putPart(got.stats, stats, part, axis, 1);
  }
  return { out, stats };
}

/** The tensors that gradients are written to. */
interface Targets {
  readonly dqkv?: Tensor;
  readonly dq?: Tensor;
  readonly dGate?: Tensor;
  /** Gradients of keys and of values, one tensor behind the other. */
  readonly dkv?: Tensor;
  /** Element of `dkv` at which the gradients of values begin. */
  readonly valueAt: number;
}

function targetsFor(device: Device, { qkv, q, k, gate }: AttentionOperands, wanted: Wanted): Targets {
  if (qkv) return { dqkv: device.empty(qkv.shape), valueAt: qkv.shape[3] };
  const valueAt = Math.ceil(k!.size / WINDOW_STEP) * WINDOW_STEP;
  return {
    dq: wanted.q ? device.empty(q!.shape) : undefined,
    dGate: gate && device.empty(gate.shape),
    dkv: wanted.k || wanted.v ? device.empty([valueAt + k!.size]) : undefined,
    valueAt,
  };
}

/** @param onTop A gradient of the bias to add to. */
function attendBackAtOnce(
  inputs: AttentionOperands,
  { out, stats }: Saved,
  attributes: AttentionAttributes,
  wanted: Wanted,
  dOut: Tensor,
  onTop?: Tensor,
): AttentionGradients {
  const { bias, mask, gate, blocks, blocksOfKeys, ...operands } = inputs;
  const { device } = out;
  const sizes = sizesOf(inputs, attributes);
  const { B, Lq, Lk, R, H, d4, packed, flops, uniforms } = sizes;
  const { gated } = attributes;
  const { dqkv, dq, dGate, dkv, valueAt } = targetsFor(device, inputs, wanted);
  const gradients: AttentionGradients = packed ? { qkv: dqkv } : {
    q: dq,
    k: dkv && device.window(dkv, 0, inputs.k!.shape),
    v: dkv && device.window(dkv, valueAt, inputs.v!.shape),
    gate: dGate,
  };
  if (dOut.size === 0) return { ...gradients, bias: wanted.bias && bias ? device.zeros(bias.shape) : undefined };
  const dBias = wanted.bias && bias ? onTop ?? device.empty(bias.shape) : undefined;
  const terms = device.empty([out.size / (4 * d4), 4]);
  const dO = gated ? device.empty(out.shape) : dOut;
  device.run(termsKernel({ d4, gated, packed }), {
    bindings: present({
      ...(gated ? { qkv: operands.qkv, gate, dO, dqkv, dGate } : {}),
      ...{ out, dOut, stats, terms },
    }),
    uniforms: { H, n: terms.size / 4, width: uniforms.width, HD4: uniforms.HD4 },
    grid: elementGrid(terms.size / 4, 64),
    flops: (gated ? 9 : 2) * out.size,
    bytesRead: 4 * (out.size * (gated ? 3 : 2) + terms.size / 2),
    bytesWritten: 4 * (out.size * (gated ? 2 : 0) + terms.size),
  });
  const flags = { bias: !!bias, mask: !!mask };
  const padded = bias && preparedBias(device, bias, sizes, false);
  const keySize = packed ? out.size : inputs.k!.size;
  // Every kernel makes two products again, the logits and dO · v, and one for each gradient.
  const run = (
    kernel: Kernel,
    grid: Grid,
    grads: number,
    bytesWritten: number,
    more: Readonly<Record<string, Tensor | undefined>>,
    streamedLength = Lk,
    sequences: Readonly<Record<"rFirst" | "rEnd", number>> & Readonly<Record<string, number>> = { rFirst: 0, rEnd: R },
  ) => {
    const share = (sequences.rEnd - sequences.rFirst) / R;
    device.run(kernel, {
      bindings: present({ ...operands, dO, terms, bias: padded, mask, ...more }),
      uniforms: {
        ...uniforms,
        ...sequences,
        ...listSizes(sizes, more.blocks && more.blocks === blocksOfKeys ? "k" : "q"),
        L4: quads(streamedLength),
        valueAt: packed ? uniforms.HD4 : valueAt / 4,
      },
      grid,
      flops: share * (2 + grads) * flops,
      bytesRead: share * 4 *
        (2 * out.size + 2 * keySize + terms.size + (padded?.size ?? 0) + (mask?.size ?? 0)), // q, dO; k, v
      bytesWritten: share * bytesWritten,
    });
  };
  /** A kernel that adds over sequences, for as many at a time as an invocation goes through. */
  const runOverSequences = (turns: number, step: (sequences: { rFirst: number; rEnd: number }) => void) => {
    const most = Math.floor((MOST_TURNS - 1) / turns);
    for (let rFirst = 0; rFirst < R; rFirst += most) step({ rFirst, rEnd: Math.min(R, rFirst + most) });
  };

  const wantsQueries = packed ? wanted.qkv : wanted.q;
  // With a mask, separate operands and no textures it would take nine storage buffers; WebGPU guarantees eight.
  const fits = packed || !mask || device.kernels.loads === "textures";
  const passes = ({ family }: Way) => dBias !== undefined && family !== "workgroup" && fits;
  const cut = partsOfSequences(device, sizes);
  const tiled = dBias !== undefined && fits && !onTop && cut !== undefined;
  const isTiled = ({ structure }: Way) => structure.family === "tiles";
  const queriesOf = ({ structure }: Way) => queriesKernel({ ...structure, sumBias: false });
  const biasSumOf = ({ structure }: Way) =>
    queriesKernel({ ...structure, sumBias: true, ...(onTop && { onTop: true }) });
  const biasAlone = biasKernel({ d4, packed, ...flags, ...(onTop && { onTop: true }) });
  const queries = plan(device, "backward", sizes, "q", { ...flags, tiled }, (way) => {
    if (isTiled(way)) return [[tiledQueriesKernel(way.structure)]];
    if (passes(way)) return [[biasSumOf(way)]];
    const kernels: KernelUse[] = dBias ? [[biasAlone]] : [];
    return wantsQueries ? [...kernels, [queriesOf(way)]] : kernels;
  });
  const { structure } = queries;
  const inPassing = passes(queries);
  const queryTargets = { dqkv, dq: packed ? undefined : dq ?? (inPassing ? device.empty(out.shape) : undefined) };
  if (dBias && inPassing) {
    const rows = B * H * Lq, L4 = quads(Lk);
    const padding = () => onTop ? preparedBias(device, onTop, sizes, false) : device.empty([rows, 4 * L4]);
    let sums = Lk % 4 === 0 ? dBias : padding();
    if (cut && isTiled(queries)) {
      const { parts } = cut;
      const partial = parts === 1 ? sums : device.empty([parts, rows, 4 * L4]);
      const [y, z] = flatGrid(B * parts);
      const grid: Grid = [queries.grid[0], y, z];
      const written = 4 * (out.size + partial.size);
      run(tiledQueriesKernel(structure), grid, 1, written, { ...queryTargets, dBias: partial }, Lk, {
        rFirst: 0,
        rEnd: R,
        ...cut,
      });
      if (parts > 1) sums = reduceMiddle("sum", partial, [1, parts, rows * 4 * L4]);
    } else {
      const kernel = biasSumOf(queries);
      runOverSequences(turnsOfQueries(structure, Lk), (sequences) => {
        const written = 4 * (out.size + sums.size);
        run(kernel, queries.entriesGrid, 1, written, { ...queryTargets, dBias: sums }, Lk, sequences);
      });
    }
    if (sums !== dBias && Lk % 4 === 0) device.copy(sums, dBias);
    else if (sums !== dBias) {
      device.run(unpadBiasKernel({}), {
        bindings: { padded: sums, bias: dBias },
        uniforms: { Lk, L4, n: dBias.size },
        grid: elementGrid(dBias.size, 64),
        flops: 0,
      });
    }
  } else if (dBias) {
    const [y, z] = flatGrid(Math.ceil(Lq / BIAS_TILE) * B * H);
    runOverSequences(turnsOfBias(d4), (sequences) => {
      run(biasAlone, [Math.ceil(Lk / BIAS_TILE), y, z], 0, 4 * dBias.size, { dBias }, Lk, sequences);
    });
  }
  if (wantsQueries && !inPassing) {
    run(queriesOf(queries), queries.grid, 1, 4 * out.size, { ...queryTargets, blocks });
  }
  if (packed ? wanted.qkv : dkv) {
    const keysOf = ({ structure }: Way) => keysKernel(structure);
    const keys = plan(device, "backward", sizes, "k", flags, (way) => [[keysOf(way)]]);
    const transposed = bias && preparedBias(device, bias, sizes, true);
    run(keysOf(keys), keys.grid, 2, 8 * keySize, { dqkv, dkv, bias: transposed, blocks: blocksOfKeys }, Lq);
  }
  return { ...gradients, bias: dBias };
}

/** Workgroups that keep a GPU busy, and most parts of a sum that are kept apart for it. */
const BUSY = 512;
const MOST_PARTS = 16;

/**
 * How sequences are cut for the gradient of the bias in tiles: into parts that are added up side by side, so that few
 * queries keep a GPU busy. Undefined where no part may be so short as it would have to be.
 */
function partsOfSequences(
  device: Device,
  { B, H, Lq, Lk, R, d4 }: Sizes,
): { readonly parts: number; readonly rPart: number } | undefined {
  const workgroups = B * H * Math.ceil(Lq / TILE);
  const kept = Math.floor(mostVisible(device) / (B * H * Lq * 4 * quads(Lk)));
  const wanted = Math.max(1, Math.min(Math.ceil(BUSY / workgroups), MOST_PARTS, kept));
  const longest = Math.floor((MOST_TURNS - 1) / turnsOfTiledQueries({ lanes: 64, d4 }, Lk));
  const rPart = Math.min(longest, Math.ceil(R / wanted));
  const parts = Math.ceil(R / rPart);
  return rPart >= 1 && parts <= kept ? { parts, rPart } : undefined;
}

/** The same a few sequences at a time; the gradient of the bias is their sum. */
function attendBackInParts(
  inputs: AttentionOperands,
  { out, stats }: Saved,
  attributes: AttentionAttributes,
  wanted: Wanted,
  dOut: Tensor,
): AttentionGradients {
  const { bias } = inputs;
  const { device } = out;
  const axes = axesOf(attributes);
  const { axis } = attributes;
  const gradients: Record<string, Tensor> = {};
  let total: Tensor | undefined;
  for (const part of partsOf(inputs, attributes)) {
    using scope = device.scope("part");
    const saved = { out: takePart(out, part, axis), stats: takePart(stats, part, axis, 1) };
    const before = part.first === 0 ? undefined : total;
    const { bias: sum, ...got } = attendBackAtOnce(
      inputsOf(inputs, attributes, part),
      saved,
      attributes,
      wanted,
      takePart(dOut, part, axis),
      before,
    );
    for (const [name, gradient] of Object.entries(got)) {
      if (!gradient) continue;
      gradients[name] ??= scope.keep(device.empty(inputs[name as keyof AttentionOperands]!.shape));
      putPart(gradient, gradients[name], part, axes[name]);
    }
    if (!bias || !sum) continue;
    gradients.bias ??= scope.keep(device.empty(bias.shape));
    total = scope.keep(sum);
    device.copy(total, gradients.bias, { toElement: part.entry * total.size });
  }
  return gradients;
}
