/** How the way back of attention runs on a device: at once, or in parts where no kernel may see all of it. */
import {
  type Device,
  elementGrid,
  flatGrid,
  type Grid,
  type Kernel,
  type KernelUse,
  MOST_TURNS,
  mostVisible,
  type Tensor,
  WINDOW_STEP,
} from "../core/mod.ts";
import { preparedBias, quads } from "./_attention_bias.ts";
import { axesOf, inputsOf, partsOf, putPart, seesAll, takePart } from "./_attention_parts.ts";
import { plan, type Way } from "./_attention_plan.ts";
import {
  type AttentionAttributes,
  type AttentionGradients,
  type AttentionOperands,
  listSizes,
  present,
  type Saved,
  type Sizes,
  sizesOf,
  type Wanted,
} from "./_attention_sizes.ts";
import { TILE } from "./_attention_stream.ts";
import { reduceMiddle } from "./_reduce.ts";
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
import { tiledQueriesKernel, turnsOfTiledQueries } from "./attention_tiles.wgsl.ts";

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
