/** The matrix product as other ops use it: not differentiable by itself. */
import { type Device, elementGrid, flatGrid, kernel, type Tensor } from "../core/mod.ts";
import { reduceMiddle } from "./_reduce.ts";
import { type Epilogue, matmulKernel, tileOf } from "./matmul.wgsl.ts";

const NO_EPILOGUE: Epilogue = { bias: false, activation: "none", gate: false, residual: false, keepPre: false };

/** Operands and sizes of a batch of products C[m, n] = sum over k of A[m, k] B[k, n]. */
export interface Product {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** A is stored [k, m]. @default false */
  readonly aTransposed?: boolean;
  /** B is stored [n, k]. @default false */
  readonly bTransposed?: boolean;
  /**
   * Batch of `outer * inner` products; an operand has its own matrix for each element of an axis, or one for all.
   * @default one product
   */
  readonly batch?: {
    readonly outer: number;
    readonly inner: number;
    readonly aShared?: "inner" | "all";
    readonly bShared?: "inner" | "all";
  };
  readonly bias?: Tensor;
  readonly activation?: Epilogue["activation"];
  readonly gate?: Tensor;
  readonly residual?: Tensor;
  /** Element of `a` and of `b` at which the first matrix starts; multiples of four. @default 0 */
  readonly aOffset?: number;
  readonly bOffset?: number;
  /** Write to this tensor from this element on (a multiple of four) instead of to a new one. */
  readonly into?: { readonly out: Tensor; readonly offset: number };
  /** Return the value before activation and gate as well. */
  readonly keepPre?: boolean;
}

/** Runs the product; the results are [outer * inner, m, n] matrices one after the other. */
export function runMatmul(device: Device, product: Product): { out: Tensor; pre?: Tensor } {
  const { m, n, k, aTransposed = false, bTransposed = false } = product;
  // Rows of every operand must be whole vec4s: others are copied with zeros at the end of each row.
  const aWidth = aTransposed ? m : k, bWidth = bTransposed ? k : n;
  const aligned = n % 4 === 0 && aWidth % 4 === 0 && bWidth % 4 === 0;
  if (!aligned && (product.into || product.aOffset || product.bOffset)) {
    throw new TypeError(`A product in part of a tensor needs rows of whole vec4s, got m ${m}, n ${n}, k ${k}`);
  }
  if (n % 4 !== 0) return narrow(device, product);
  const a = padRows(device, product.a, aWidth);
  const b = padRows(device, product.b, bWidth);
  return runAligned(device, product, a, b, up4(aWidth), up4(bWidth));
}

function runAligned(
  device: Device,
  product: Product,
  a: Tensor,
  b: Tensor,
  aLd: number,
  bLd: number,
): { out: Tensor; pre?: Tensor } {
  const { m, n, k, aTransposed = false, bTransposed = false, bias, gate, residual, keepPre = false } = product;
  const { outer, inner, aShared, bShared } = product.batch ?? { outer: 1, inner: 1 };
  const { kernelFamily: family, subgroupSize } = device.traits;
  const vectors = n > 4 * subgroupSize ? 2 : 1;
  const { tileM, tileN } = tileOf({ family, subgroupSize, vectors });
  const tilesM = Math.ceil(m / tileM), tilesN = Math.ceil(n / tileN);
  const plain = !bias && !gate && !residual && !keepPre && !product.activation;
  const splits = outer * inner === 1 && plain && !product.into && aTransposed && !bTransposed
    ? splitsOf(k, tilesM * tilesN, family === "workgroup" ? 512 : 16)
    : 1;
  const kPart = splits === 1 ? k : Math.ceil(k / splits / 4) * 4;
  const aSize = (aTransposed ? kPart : m) * (aLd / 4), bSize = (bTransposed ? n : kPart) * (bLd / 4);
  const batch = splits > 1 ? splits : outer * inner;
  const { out, offset } = product.into ?? { out: device.empty([batch, m, n]), offset: 0 };
  const pre = keepPre ? device.empty([batch, m, n]) : undefined;
  const epilogue = {
    bias: !!bias,
    activation: product.activation ?? "none",
    gate: !!gate,
    residual: !!residual,
    keepPre,
  };
  const ragged = k % 4 !== 0 && (aTransposed || !bTransposed);
  const kernel = matmulKernel({
    family,
    subgroupSize,
    vectors,
    aTransposed,
    bTransposed,
    ragged,
    epilogue: plain ? NO_EPILOGUE : epilogue,
  });
  const strides = (size: number, shared: "inner" | "all" | undefined): [number, number] =>
    splits > 1 ? [0, size] : shared === "all" ? [0, 0] : shared === "inner" ? [size, 0] : [size * inner, size];
  const [aOuter, aInner] = strides(aSize, aShared);
  const [bOuter, bInner] = strides(bSize, bShared);
  const tiles = tilesM * tilesN * batch;
  device.run(kernel, {
    bindings: {
      a,
      b,
      c: out,
      ...(bias && { bias }),
      ...(gate && { gate }),
      ...(residual && { residual }),
      ...(pre && { pre }),
    },
    uniforms: {
      M: m,
      N4: n / 4,
      K: kPart,
      kTotal: splits > 1 ? k : kPart,
      tilesM,
      tilesN,
      tiles,
      inner: splits > 1 ? splits : inner,
      aLd: aLd / 4,
      aOuter,
      aInner,
      bLd: bLd / 4,
      bOuter,
      bInner,
      aOffset: (product.aOffset ?? 0) / 4,
      bOffset: (product.bOffset ?? 0) / 4,
      cOffset: offset / 4,
    },
    grid: flatGrid(tiles),
    flops: 2 * m * n * k * outer * inner,
  });
  return splits > 1 ? { out: reduceMiddle("sum", out, [1, splits, m * n]) } : { out, pre };
}

/**
 * Parts of a long sum: enough to keep the adapter busy, and short enough (2,048) that the operands of one part stay in
 * a CPU's cache and float32 stays accurate; but not shorter than 256.
 */
function splitsOf(k: number, tiles: number, wanted: number): number {
  const splits = Math.max(Math.ceil(wanted / tiles), Math.round(k / 2048));
  return Math.max(1, Math.min(splits, Math.floor(k / 256), 64));
}

const RESIZE_ROWS = kernel({
  name: "resizeRows",
  bindings: { x: "read f32", out: "write f32" },
  uniforms: { before: "u32", after: "u32", n: "u32" },
  body: `if (index < u.n) {
let column = index % u.after;
out[index] = select(0.0, x[(index / u.after) * u.before + min(column, u.before - 1u)], column < u.before);
}`,
});

/** Copies rows of `from` elements to rows of `to`: cut, or filled with zeros. */
function resizeRows(device: Device, x: Tensor, from: number, to: number): Tensor {
  const rows = x.size / from;
  const out = device.empty([rows, to]);
  const n = rows * to;
  device.run(RESIZE_ROWS, { bindings: { x, out }, uniforms: { before: from, after: to, n }, grid: elementGrid(n, 64) });
  return out;
}

function padRows(device: Device, x: Tensor, width: number): Tensor {
  return width % 4 === 0 ? x : resizeRows(device, x, width, up4(width));
}

/** Columns of C that are no whole vec4s: the product is computed with columns of zeros, then cut. */
function narrow(device: Device, product: Product): { out: Tensor; pre?: Tensor } {
  const { n, k, bTransposed = false, batch, bias, gate, residual } = product;
  const wide = up4(n);
  const b = bTransposed
    ? resizeRows(device, product.b, n * k, wide * k) // more rows of zeros at the end of each matrix
    : resizeRows(device, product.b, n, wide);
  const { out, pre } = runMatmul(device, {
    ...product,
    b,
    n: wide,
    bias: bias && resizeRows(device, bias, n, wide),
    gate: gate && resizeRows(device, gate, n, wide),
    residual: residual && resizeRows(device, residual, n, wide),
  });
  const cut = (x: Tensor) =>
    device.view(resizeRows(device, x, wide, n), [(batch?.outer ?? 1) * (batch?.inner ?? 1), product.m, n]);
  return { out: cut(out), pre: pre && cut(pre) };
}

function up4(n: number): number {
  return Math.ceil(n / 4) * 4;
}
