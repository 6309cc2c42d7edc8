import { type Device, pullback, type Tensor } from "../../../core/mod.ts";
import { runMatmul } from "../../../ops/_matmul.ts";
import { attention, gatedTriangleProduct, layerNorm, linear, softmax } from "../../../ops/mod.ts";
import { measureRoofs } from "../../profile/roofs.ts";
import { hashedTensor } from "../hashed.ts";
import { Stopwatch, timeQueued } from "../measure.ts";
import { type KernelShare, stepShares } from "../products.ts";
import { atLeast, type Bar, type Measurement, onIdleMachine, round, timeFields } from "../record.ts";
import type { BenchContext } from "./mod.ts";

/** Channels and heads of AlphaFold 2's Evoformer. */
const C_M = 256, C_Z = 128, MSA_HEADS = 8, PAIR_HEADS = 4, HEAD_CHANNELS = 32;
/** Rows and residues of its inputs. */
const SIZES = { software: { nSeq: 16, nRes: 64 }, gpu: { nSeq: 128, nRes: 256 } };

/** Rows of what is read and written once: so many that no cache of a processor holds them. */
const ROWS = 65_536;

/** What a GPU's kernels should reach: of the multiply-add rate, or of the rate of copies. */
const LEAST = { products: 0.5, attention: 0.3, attentionGradient: 0.25, rows: 0.7 };

/** An op at a size that the network has. */
interface Case {
  readonly workload: string;
  readonly mode: "forward" | "gradient";
  readonly sizes: Readonly<Record<string, number>>;
  /** Kernels that do the work; others only get operands ready. */
  readonly kernels: RegExp;
  /** What is set against the adapter: operations against multiply-adds, or bytes against copies. */
  readonly roof: "operations" | "bytes";
  readonly least?: number;
  /** What is made is freed by whoever calls. */
  run(): unknown;
}

/**
 * The hot ops one by one at the sizes of an Evoformer block: their kernels' time beside the adapter's measured rates of
 * multiply-adds and of copies. Tells where a block's time goes on an adapter that nobody has measured before.
 */
export async function* kernels({ device, note }: BenchContext): AsyncIterable<Measurement> {
  const { software } = device.traits;
  const roofs = await measureRoofs(device);
  if (!roofs) return note("  this adapter cannot time kernels: left out");
  using scope = device.scope("bench");
  void scope;
  for (const one of cases(device)) {
    const watch = new Stopwatch();
    await timeQueued(device, one.run, watch); // also compiles
    const shares = await stepShares(device, roofs, one.run);
    if (!shares) return note("  this adapter cannot time kernels: left out");
    const share = shareOf(shares.kernels.filter(({ kernel }) => one.kernels.test(kernel)), one.roof, roofs);
    const what = one.roof === "operations" ? "of the FMA rate" : "of the copy rate";
    const bars: Bar[] = one.least && !software ? [onIdleMachine(atLeast(what, share, one.least))] : [];
    yield {
      workload: one.workload,
      sizes: one.sizes,
      dtype: "f32",
      mode: one.mode,
      ...timeFields(watch.times, { software }),
      peak_bytes: null,
      roofs,
      roof: one.roof,
      roof_share: share,
      kernels: shares.kernels,
      bars,
    };
  }
}

/** What the working kernels reach together. */
function shareOf(
  kernels: readonly KernelShare[],
  roof: Case["roof"],
  { gflops }: { readonly gflops: number },
): number {
  const ms = kernels.reduce((sum, kernel) => sum + kernel.ms, 0);
  const reached = kernels.reduce(
    (sum, kernel) => sum + kernel.ms * (roof === "bytes" ? kernel.bandwidth_share : (kernel.gflops ?? 0) / gflops),
    0,
  );
  return ms > 0 ? round(reached / ms) : 0;
}

function* cases(device: Device): Iterable<Case> {
  const { nSeq, nRes } = device.traits.software ? SIZES.software : SIZES.gpu;
  const named = (name: string, ...shape: number[]) => hashedTensor(device, name, shape);
  const product = { kernels: /^matmul/, roof: "operations", least: LEAST.products } as const;
  const m = named("m", 1, nSeq, nRes, C_M), z = named("z", 1, nRes, nRes, C_Z);
  for (const [name, x, channels] of [["MSA transition", m, C_M], ["pair transition", z, C_Z]] as const) {
    const weight = named("weight", 4 * channels, channels), rows = x.size / channels;
    const dOut = named("d_out", rows, 4 * channels);
    const sizes = { rows, c_in: channels, c_out: 4 * channels };
    yield {
      ...{ workload: `linear of the ${name}`, mode: "forward", sizes, ...product },
      run: () => linear(x, { weight }, { activation: "relu" }),
    };
    yield {
      ...{ workload: `weight of the ${name}`, mode: "gradient", sizes, ...product },
      run: () => runMatmul(device, { a: dOut, b: x, m: 4 * channels, n: channels, k: rows, aTransposed: true }),
    };
  }
  const attends: readonly [string, Tensor["shape"], number][] = [
    ["MSA row attention", [1, nSeq, nRes], MSA_HEADS],
    ["triangle attention", [1, nRes, nRes], PAIR_HEADS],
  ];
  for (const [workload, shape, heads] of attends) {
    const qkv = named("qkv", ...shape, 4 * heads * HEAD_CHANNELS), bias = named("bias", 1, heads, nRes, nRes);
    const dOut = named("d_out", ...shape, heads * HEAD_CHANNELS);
    const attend = (inputs: { qkv: Tensor; bias: Tensor }) => attention(inputs, { heads, axis: 2, gated: true });
    const sizes = { sequences: shape[1], n_res: nRes, heads };
    const flops = { kernels: /^attention/, roof: "operations" } as const;
    yield {
      ...{ workload, mode: "forward", sizes, ...flops, least: LEAST.attention },
      run: () => attend({ qkv, bias }),
    };
    yield {
      ...{ workload, mode: "gradient", sizes, ...flops, kernels: /^attention\.vjp/, least: LEAST.attentionGradient },
      run: () => pullback(device, attend, { qkv, bias }).pullLeaves([dOut]),
    };
  }
  const packed = named("packed", 1, nRes, nRes, 4 * C_Z), dProduct = named("d_product", 1, nRes, nRes, C_Z);
  const edges = (inputs: { packed: Tensor }) => gatedTriangleProduct(inputs, { direction: "outgoing" });
  const triangle = { ...product, kernels: /^triangleProduct/, sizes: { n_res: nRes, c: C_Z } };
  yield { workload: "triangle product", mode: "forward", ...triangle, run: () => edges({ packed }) };
  yield {
    ...{ workload: "triangle product", mode: "gradient", ...triangle },
    run: () => pullback(device, edges, { packed }).pullLeaves([dProduct]),
  };
  const gamma = named("gamma", C_Z), beta = named("beta", C_Z), x = named("x", ROWS, C_Z);
  const rows = { roof: "bytes", least: LEAST.rows } as const;
  const norm = (inputs: { x: Tensor; gamma: Tensor; beta: Tensor }) => layerNorm(inputs.x, inputs);
  const sizes = { rows: ROWS, c: C_Z };
  yield {
    ...{ workload: "layer norm", mode: "forward", ...rows, kernels: /^layerNorm/, sizes },
    run: () => norm({ x, gamma, beta }),
  };
  yield {
    ...{ workload: "layer norm", mode: "gradient", ...rows, kernels: /^layerNorm(Affine)?Gradient/, sizes },
    run: () => pullback(device, norm, { x, gamma, beta }).pullLeaves([x]),
  };
  yield {
    ...{ workload: "softmax", mode: "forward", ...rows, kernels: /^softmax/, sizes },
    run: () => softmax(x),
  };
}
