import type { Device } from "../../../core/mod.ts";
import { runMatmul } from "../../../ops/_matmul.ts";
import { agree, type Checksum, checksum, hashed } from "../hashed.ts";
import { Stopwatch, timeQueued } from "../measure.ts";
import { bestOf, type PeerRecord } from "../peers.ts";
import { atLeast, type Bar, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

interface Shape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** How the operands are stored; the product is the same. */
  readonly layout: "A·B" | "A·Bᵀ" | "Aᵀ·B";
  /** Least GFLOP per CPU second, on a software driver. */
  readonly perCpuSecond?: number;
  /** Least GFLOP/s by the clock, on a software driver with two idle processors. */
  readonly wall?: number;
}

/**
 * Square; projections of a pair representation; the same with a weight stored [out, in]; a weight's gradient; of few columns
 * (heads' biases, narrow channels).
 */
const SHAPES: readonly Shape[] = [
  { m: 512, n: 512, k: 512, layout: "A·B", perCpuSecond: 24, wall: 45 },
  { m: 16384, n: 128, k: 128, layout: "A·B", perCpuSecond: 22, wall: 45 },
  { m: 16384, n: 128, k: 128, layout: "A·Bᵀ" },
  { m: 16384, n: 512, k: 128, layout: "A·B" },
  { m: 128, n: 128, k: 16384, layout: "Aᵀ·B" },
  { m: 16384, n: 8, k: 128, layout: "A·Bᵀ" },
  { m: 16384, n: 32, k: 128, layout: "A·Bᵀ" },
  { m: 16384, n: 32, k: 128, layout: "A·B" },
  { m: 128, n: 32, k: 16384, layout: "Aᵀ·B" },
];

/** Of the peer. */
const REPEATS = 5;

/** The matrix product alone, in the layouts that layers and their gradients use. */
export async function* matmul({ device, torch, rounds }: BenchContext): AsyncIterable<Measurement> {
  const watches = SHAPES.map(() => new Stopwatch());
  const sums: Checksum[] = [];
  const peerRecords: PeerRecord[] = [];
  const names = [...new Set(SHAPES.map(nameOf))];
  for (let round = 0; round < rounds; round++) {
    for (const [i, shape] of SHAPES.entries()) sums[i] = await measure(device, shape, watches[i]);
    if (torch) {
      peerRecords.push(...await torch.time("matmul", "--shapes", ...names, "--repeats", String(REPEATS)));
    }
  }
  const peerSums = new Map((await torch?.numbers("matmul", ...names))?.map(({ shape, values }) => [shape, values]));
  for (const [i, shape] of SHAPES.entries()) {
    const { m, n, k } = shape;
    const { software } = device.traits;
    const fields = timeFields(watches[i].times, { flops: 2 * m * n * k, software });
    const peerMs = bestOf(peerRecords, { m, n, k });
    const theirs = peerSums.get(nameOf(shape));
    yield {
      workload: "matmul",
      sizes: { m, n, k },
      dtype: "f32",
      mode: shape.layout,
      ...fields,
      peak_bytes: null,
      checksum: sums[i],
      ...(torch && peerMs !== undefined &&
        { peer: torch.name, peer_ms_min: peerMs, ratio: round(watches[i].times.msMin / peerMs) }),
      ...(theirs && { agrees: agree(sums[i], theirs) }),
      bars: software ? barsOf(shape, fields) : [],
    };
  }
}

async function measure(device: Device, shape: Shape, watch: Stopwatch): Promise<Checksum> {
  const { m, n, k, layout } = shape;
  using scope = device.scope("bench");
  const aTransposed = layout === "Aᵀ·B", bTransposed = layout === "A·Bᵀ";
  const aData = hashed("a", m * k), bData = hashed("b", k * n);
  const a = device.tensor(aTransposed ? transpose(aData, m, k) : aData, [m * k]);
  const b = device.tensor(bTransposed ? transpose(bData, k, n) : bData, [k * n]);
  const product = { a, b, m, n, k, aTransposed, bTransposed };
  const result = checksum(await runMatmul(device, product).out.read()); // also compiles
  await timeQueued(device, () => runMatmul(device, product), watch);
  void scope;
  return result;
}

function barsOf(
  { perCpuSecond, wall }: Shape,
  { gflops, gflops_per_cpu_s }: Pick<Measurement, "gflops" | "gflops_per_cpu_s">,
): Bar[] {
  return [
    ...(perCpuSecond && gflops_per_cpu_s !== null ? [atLeast("GF/cpu-s", gflops_per_cpu_s, perCpuSecond)] : []),
    ...(wall && gflops !== null ? [onIdleMachine(atLeast("GF/s", gflops, wall))] : []),
  ];
}

function nameOf({ m, n, k }: Shape): string {
  return `${m}x${n}x${k}`;
}

function transpose(x: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(x.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) out[j * rows + i] = x[i * columns + j];
  }
  return out;
}
