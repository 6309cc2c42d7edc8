import type { Device, Pullback, Tensor, Tree } from "../../../core/mod.ts";
import { measureRoofs } from "../../profile/roofs.ts";
import { type BlockName, type BlockPeer, type BlockSize, MODES, type Pass, timeOrFail } from "../block_peers.ts";
import { agree, agreeGradients, checksum, hashedTensor } from "../hashed.ts";
import { Stopwatch, timeQueued } from "../measure.ts";
import { unitErrors } from "../precision.ts";
import type { PeerOutput } from "../peers.ts";
import { stepShares } from "../products.ts";
import {
  atLeast,
  atMost,
  type Bar,
  type Measurement,
  onIdleMachine,
  type PeerResult,
  round,
  timeFields,
} from "../record.ts";
import { formatSizes } from "../table.ts";
import type { BenchContext, Workload } from "./mod.ts";

/** A block of a network that the peers have too. */
export interface Block {
  readonly name: BlockName;
  /** The sizes under the names of the kit. */
  sizes(size: BlockSize): Readonly<Record<string, number>>;
  /** Of the way there; the way back takes twice as many. */
  flops(size: BlockSize): number;
  /** What should be reached beside the peers of a software driver. */
  readonly bars: {
    /** Most time, in PyTorch's. */
    readonly timesTorch?: Readonly<Record<Pass, number>>;
    /** Most time, in that of the fastest JavaScript engine. */
    readonly timesBestJs: number;
    /** Least speed, in that of the fastest JavaScript engine on WebGPU. */
    readonly fasterThanWebGpu?: number;
  };
  /** Makes hashed parameters and inputs; they belong to the current scope. */
  open(device: Device, size: BlockSize): OpenBlock;
}

/** A block on a device. */
export interface OpenBlock {
  readonly inputs: readonly Tensor[];
  /** The outputs, one for each input, of its shape; they belong to the current scope. */
  forward(): Tensor[];
  /** The way there, recorded; the inputs are the first of the primals. */
  pullback(): Pullback<Tree<Tensor>, unknown>;
}

/** Of the measured multiply-add rate in matrix products, on a software driver and on a GPU. */
const PRODUCT_SHARE = { software: 0.35, gpu: 0.5 };

/** Measures a block at the sizes asked for, there and back. */
export function measureBlock(block: Block): Workload {
  return (context) => measure(block, context);
}

const PASSES: readonly Pass[] = ["forward", "train"];

/** What we measured of a pass. */
interface Ours {
  readonly watch: Stopwatch;
  readonly checksum: readonly number[];
  readonly peakBytes: number;
}

async function* measure(block: Block, context: BenchContext): AsyncIterable<Measurement> {
  const { device, peers } = context;
  const roofs = await measureRoofs(device);
  for (const size of context.sizes) {
    using scope = device.scope("bench");
    void scope;
    const open = block.open(device, size);
    const cotangents = open.inputs.map(({ shape }, i) => hashedTensor(device, `cot${i}`, shape));
    const steps = { forward: () => open.forward(), train: () => open.pullback().pullLeaves(cotangents) };
    const ours = {
      forward: await prepare(device, open, steps.forward),
      train: await prepare(device, open, steps.train),
    };
    const { kernelFamilies, matrixUnits } = device.traits;
    const rounded = kernelFamilies.includes("matrix") && matrixUnits?.operands === "f16";
    const errors = {
      forward: await unitErrors(device, steps.forward),
      train: await unitErrors(device, () => steps.train().slice(0, open.inputs.length)),
    };
    const theirs = new Map<BlockPeer, PeerOutput[]>(peers.map((peer) => [peer, []]));
    for (let round = 0; round < context.rounds; round++) {
      for (const pass of PASSES) await timeQueued(device, steps[pass], ours[pass].watch);
      for (const peer of peers) {
        if (round > 0 && peer.once) continue;
        context.note(`  ${block.name} ${formatSizes(block.sizes(size))}: ${peer.name}`);
        theirs.get(peer)!.push(await timeOrFail(peer, block.name, size, PASSES));
      }
    }
    for (const pass of PASSES) {
      const shares = roofs && await stepShares(device, roofs, steps[pass]);
      const results = [...theirs].flatMap(([peer, outputs]) =>
        peer.passes.includes(pass) ? [resultOf(peer, outputs, pass, ours[pass], rounded)] : []
      );
      const error = errors[pass];
      yield {
        ...measurementOf(block, size, pass, ours[pass], results, device.traits.software),
        ...(error && { unit_error: [Math.min(...error), Math.max(...error)] as const }),
        ...(roofs && shares && { roofs, product_share: shares.productShare, kernels: shares.kernels }),
        bars: barsOf(block, pass, results, shares?.productShare, device.traits.software),
      };
    }
  }
}

/** Compiles, computes the checksums, and measures the memory. */
async function prepare(device: Device, { inputs }: OpenBlock, step: () => readonly (Tensor | null)[]): Promise<Ours> {
  const checksum = await checksumOf(device, step, inputs.length);
  device.resetPeakMemory();
  {
    using scope = device.scope("step");
    void scope;
    step();
  }
  await device.finish();
  return { watch: new Stopwatch(), checksum, peakBytes: device.memory.peakAllocatedBytes };
}

function measurementOf(
  block: Block,
  size: BlockSize,
  pass: Pass,
  { watch, checksum, peakBytes }: Ours,
  results: readonly PeerResult[],
  software: boolean,
): Measurement {
  const judged = results.filter(({ agrees }) => agrees !== undefined);
  const torch = results.find(({ name }) => name === "torch");
  return {
    workload: block.name,
    sizes: block.sizes(size),
    dtype: "f32",
    mode: MODES[pass],
    ...timeFields(watch.times, { flops: block.flops(size) * (pass === "train" ? 3 : 1), software }),
    peak_bytes: peakBytes,
    checksum,
    ...(torch?.ms_min && { peer: torch.engine, peer_ms_min: torch.ms_min, ratio: torch.ratio }),
    ...(judged.length && { agrees: judged.every(({ agrees }) => agrees) }),
    ...(results.length && { peers: results }),
  };
}

/** Checksums of the first tensors of a step, one after the other. */
async function checksumOf(device: Device, step: () => readonly (Tensor | null)[], count: number): Promise<number[]> {
  using scope = device.scope("checksum");
  void scope;
  const results = step();
  const sums: number[] = [];
  for (const [i, result] of results.entries()) {
    if (!result) throw new Error(`The block has no gradient for its parameter or input number ${i}`);
    if (i < count) sums.push(...checksum(await result.read()));
  }
  return sums;
}

function resultOf(
  peer: BlockPeer,
  outputs: readonly PeerOutput[],
  pass: Pass,
  ours: Ours,
  rounded: boolean,
): PeerResult {
  const { name, kind, dtype } = peer;
  const isPass = ({ mode }: { readonly mode: string }) => mode.split("+compile")[0] === MODES[pass];
  const records = outputs.flatMap(({ records }) => records.filter(isPass));
  if (!records.length) {
    const [failure] = outputs.flatMap(({ failures }) => failures.filter(isPass));
    return { name, kind, engine: name, dtype, failure: failure?.error ?? "no result" };
  }
  const best = records.reduce((a, b) => b.ms_min < a.ms_min ? b : a);
  const same = pass === "train" ? agreeGradients : agree;
  const exact = dtype === "f32" && !rounded && best.checksum !== undefined;
  return {
    name,
    kind,
    engine: `${best.engine}, ${best.device}`,
    dtype,
    ms_min: best.ms_min,
    ms_median: best.ms_median,
    ratio: round(ours.watch.times.msMin / best.ms_min),
    ...(best.checksum && { checksum: best.checksum }),
    ...(exact && { agrees: records.every(({ checksum }) => same(ours.checksum, checksum ?? [])) }),
  };
}

function barsOf(
  { bars }: Block,
  pass: Pass,
  results: readonly PeerResult[],
  productShare: number | undefined,
  software: boolean,
): Bar[] {
  const besideFastest = (...kinds: BlockPeer["kind"][]) => {
    const ratios = results.flatMap(({ kind, ratio }) => kinds.includes(kind) && ratio !== undefined ? [ratio] : []);
    return ratios.length ? Math.max(...ratios) : undefined;
  };
  const torch = results.find(({ name }) => name === "torch")?.ratio;
  const js = besideFastest("webgpu", "wasm"), webgpu = besideFastest("webgpu");
  const found: Bar[] = [];
  const mostTorch = software ? bars.timesTorch?.[pass] : 1;
  if (torch !== undefined && mostTorch) found.push(atMost("times PyTorch eager", torch, mostTorch));
  if (js !== undefined && software) found.push(atMost("times the fastest JavaScript engine", js, bars.timesBestJs));
  if (webgpu !== undefined && software && bars.fasterThanWebGpu) {
    found.push(atLeast("times as fast as the fastest on WebGPU", round(1 / webgpu), bars.fasterThanWebGpu));
  }
  if (productShare !== undefined) {
    const least = software ? PRODUCT_SHARE.software : PRODUCT_SHARE.gpu;
    found.push(atLeast("of the FMA rate in matrix products", productShare, least));
  }
  return found.map(onIdleMachine);
}
