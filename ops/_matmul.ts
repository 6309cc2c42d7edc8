/** The matrix product as other ops use it: not differentiable by itself. */
import {
  type Device,
  ELEMENT_BYTES,
  flatGrid,
  isVisible,
  mostVisible,
  readable,
  type Tensor,
  WINDOW_STEP,
  within,
} from "../core/mod.ts";
import { cast } from "./cast.ts";
import { reduceMiddle } from "./_reduce.ts";
import { fewestSplits, matmulWindows } from "./_matmul_windows.ts";
import { padded, readRegion } from "./_region.ts";
import { type Epilogue, MOST_PLACED_ROWS } from "./_product/epilogue.ts";
import { matmulKernel, MOST_TERMS, tileOf } from "./matmul.wgsl.ts";
import { fittedTile, matmulClass, type MatmulTile } from "./matmul_tiles.ts";
import { tilesToTry } from "./tuning.ts";

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
  readonly activation?: "relu" | "gelu" | "sigmoid";
  readonly gate?: Tensor;
  readonly residual?: Tensor;
  /** Numbers that the rows of all products are multiplied by after the gate, from this one on. */
  readonly factor?: { readonly values: Tensor; readonly offset: number };
  /** Element of `a` and of `b` at which the first matrix starts; multiples of four. @default 0 */
  readonly aOffset?: number;
  readonly bOffset?: number;
  /**
   * Elements from row to row of `a` and of `b` as they are stored, where these are columns of wider matrices; multiples of
   * four. @default as many as a row has
   */
  readonly aLd?: number;
  readonly bLd?: number;
  /** Write to this tensor from this element on (a multiple of four) instead of to a new one. */
  readonly into?: {
    readonly out: Tensor;
    readonly offset: number;
    /** Where the rows of all products, and their columns, go. @default one behind the other */
    readonly places?: Places;
    /** Add it to what stands there. @default false: it is overwritten */
    readonly onTop?: boolean;
  };
  /** Type of the new tensor; 16-bit floats only where it has whole vec4s in its rows. @default "f32" */
  readonly dtype?: "f32" | "f16";
  /** Return the value before activation and gate as well. */
  readonly keepPre?: boolean;
  /**
   * Return the sums of the rows of A as well, `[m]`, if the product can make them on its way; false: do not, with the same
   * kernel. @default a kernel that cannot
   */
  readonly rowSums?: boolean;
}

/**
 * Where the rows and columns of a product go in a tensor, in elements (multiples of four): row r to
 * `r / rows * rowsStep + r % rows * rowStep`, column n to `n / columns * columnsStep + n % columns`.
 */
export interface Places {
  readonly rows: number;
  readonly rowsStep: number;
  readonly rowStep: number;
  readonly columns: number;
  readonly columnsStep: number;
}

/** Runs the product; the results are [outer * inner, m, n] matrices one after the other. */
export function runMatmul(device: Device, product: Product): { out: Tensor; pre?: Tensor; sums?: Tensor } {
  const { m, n, k, aTransposed = false, bTransposed = false } = product;
  // Rows of every operand must be whole vec4s: others are copied with zeros at the end of each row.
  const aWidth = aTransposed ? m : k, bWidth = bTransposed ? k : n;
  const aligned = n % 4 === 0 && aWidth % 4 === 0 && bWidth % 4 === 0;
  const placed = n % 4 !== 0 && product.into;
  if (!aligned && (placed || product.aOffset || product.bOffset || product.aLd || product.bLd)) {
    throw new TypeError(`A product in part of a tensor needs rows of whole vec4s, got m ${m}, n ${n}, k ${k}`);
  }
  const { outer, inner } = product.batch ?? { outer: 1, inner: 1 };
  if (m * n * outer * inner === 0) return nothing(device, product);
  if (n % 4 !== 0) return narrow(device, product);
  const operands = {
    a: padRows(device, product.a, aWidth),
    b: padRows(device, product.b, bWidth),
    aLd: product.aLd ?? up4(aWidth),
    bLd: product.bLd ?? up4(bWidth),
  };
  if (k <= MOST_TERMS || isCut(product)) return runAligned(device, product, operands, { first: 0, count: k });
  // A sum too long for one invocation: part by part, each on top of the ones before; the last one gets the epilogue.
  let carry: Tensor | undefined;
  for (let first = 0; first < k - MOST_TERMS; first += MOST_TERMS) {
    carry = runAligned(device, sumOf(product), operands, { first, count: MOST_TERMS, carry }).out;
  }
  const first = Math.floor((k - 1) / MOST_TERMS) * MOST_TERMS;
  return runAligned(device, product, operands, { first, count: k - first, carry });
}

/** Whether a long sum is cut into parts that are computed side by side: that of a plain product of A stored [k, m]. */
function isCut(product: Product): boolean {
  const { aTransposed, bTransposed, batch, bias, gate, residual, keepPre, activation, into, factor } = product;
  const plain = !bias && !gate && !residual && !keepPre && !activation && !into && !factor;
  return plain && (batch?.outer ?? 1) * (batch?.inner ?? 1) === 1 && !!aTransposed && !bTransposed;
}

/** The product without its epilogue, in float32. */
function sumOf({ a, b, m, n, k, aTransposed, bTransposed, batch, aOffset, bOffset, aLd, bLd }: Product): Product {
  return { a, b, m, n, k, aTransposed, bTransposed, batch, aOffset, bOffset, aLd, bLd };
}

/** The result of a product that has no elements. */
function nothing(device: Device, { m, n, batch, into, dtype, keepPre }: Product): { out: Tensor; pre?: Tensor } {
  const shape = [(batch?.outer ?? 1) * (batch?.inner ?? 1), m, n];
  return { out: into?.out ?? device.empty(shape, dtype), pre: keepPre ? device.empty(shape) : undefined };
}

/** Operands whose rows are whole vec4s, and elements from row to row. */
interface Operands {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly aLd: number;
  readonly bLd: number;
}

/** Some terms of the sums, and what the ones before them came to. */
interface Terms {
  readonly first: number;
  readonly count: number;
  readonly carry?: Tensor;
}

function runAligned(
  device: Device,
  product: Product,
  { a, b, aLd, bLd }: Operands,
  terms: Terms,
): { out: Tensor; pre?: Tensor; sums?: Tensor } {
  const { m, n, k, aTransposed = false, bTransposed = false, bias, gate, residual, keepPre = false, factor } = product;
  const { carry } = terms;
  const places = placesOf(product);
  const { outer, inner, aShared, bShared } = product.batch ?? { outer: 1, inner: 1 };
  const { subgroupSize, matrixUnits: units } = device.traits;
  const ragged = terms.count % 4 !== 0 && (aTransposed || !bTransposed);
  const epilogue = { ...epilogueOf(product), carry: !!carry };
  const makesSums = product.rowSums !== undefined && isCut(product) && // a matrix is never seen in windows of its rows
    Math.max(m * n + up4(m), 4 * aLd, 4 * bLd) <= mostVisible(device) - WINDOW_STEP;
  const canSum = ({ family }: MatmulTile) => makesSums && family !== "matrix";
  const kernelOf = (tile: MatmulTile, oddRows: boolean) =>
    matmulKernel({
      ...{ tile, subgroupSize, aTransposed, bTransposed, ragged, oddRows },
      epilogue: canSum(tile) ? { ...epilogue, rowSums: true } : epilogue,
      ...(tile.family === "matrix" && { units }),
    });
  const types = { a, b, gate, residual, ...((product.into?.out ?? product).dtype === "f16" && { c: HALF }) };
  const tile = device.kernels.choose(
    tilesFor(device, product),
    (tile) => [[kernelOf(tile, aTransposed && m % 4 !== 0), types]],
  );
  const { tileM, tileN } = tileOf({ tile, subgroupSize });
  const tilesN = Math.ceil(n / tileN);
  const splits = isCut(product)
    ? Math.max(
      Math.ceil(k / MOST_TERMS),
      splitsOf(k, Math.ceil(m / tileM) * tilesN, tile.family === "workgroup" || tile.family === "matrix" ? 512 : 16),
      fewestSplits(device, k, Math.max(aLd, bLd)),
    )
    : 1;
  const kPart = splits === 1 ? terms.count : Math.ceil(k / splits / 4) * 4;
  const kStep = splits === 1 ? k : kPart; // from one matrix or part to the next
  const aSize = (aTransposed ? kStep : m) * (aLd / 4), bSize = (bTransposed ? n : kStep) * (bLd / 4);
  const batch = splits > 1 ? splits : outer * inner;
  const withSums = canSum(tile);
  const sums = withSums && product.rowSums ? up4(m) : 0; // elements behind each matrix
  const { out, offset } = product.into ??
    {
      out: device.empty(sums ? [batch, m * n + sums] : [batch, m, n], splits > 1 ? "f32" : product.dtype),
      offset: 0,
    };
  const pre = keepPre ? device.empty([batch, m, n]) : undefined;
  const strides = (size: number, shared: "inner" | "all" | undefined): [number, number] =>
    splits > 1 ? [0, size] : shared === "all" ? [0, 0] : shared === "inner" ? [size, 0] : [size * inner, size];
  const [aOuter, aInner] = strides(aSize, aShared);
  const [bOuter, bInner] = strides(bSize, bShared);
  const uniforms = {
    ...{ N4: n / 4, K: kPart, tilesN, aLd: aLd / 4, aOuter, aInner, bLd: bLd / 4, bOuter, bInner },
    ...{ hasBias: Number(!!bias), isRelu: Number(product.activation === "relu") },
    ...(factor && { factorOffset: factor.offset }),
    ...(withSums && { sums: sums / 4 }),
    ...places,
  };
  const aOffset = (product.aOffset ?? 0) + terms.first * (aTransposed ? aLd : 1);
  const bOffset = (product.bOffset ?? 0) + terms.first * (bTransposed ? 1 : bLd);
  const run = (
    bindings: Readonly<Record<string, Tensor>> & { readonly b: Tensor },
    offsets: { readonly a: number; readonly b: number; readonly c: number; readonly carry?: number },
    { rows, count, more }: { readonly rows: number; readonly count: number; readonly more: Record<string, number> },
  ) => {
    const tilesM = Math.ceil(rows / tileM);
    const tiles = tilesM * tilesN * count;
    const share = rows * count / (m * batch) * terms.count / Math.max(1, k);
    device.run(kernelOf(tile, aTransposed && rows % 4 !== 0), {
      bindings: { ...bindings, ...(epilogue.bias && { bias: bias ?? bindings.b }) },
      uniforms: {
        ...uniforms,
        ...{ M: rows, tilesM, tiles, aOffset: offsets.a / 4, bOffset: offsets.b / 4, cOffset: offsets.c / 4 },
        carryOffset: (offsets.carry ?? 0) / 4,
        ...more,
      },
      grid: flatGrid(tiles),
      flops: share * 2 * m * n * k * outer * inner,
      bytesRead: share * (m * k * matrices(product, aShared) * each(a) + n * k * matrices(product, bShared) * each(b) +
        m * n * outer * inner * (each(gate) + each(residual) + (product.into?.onTop ? each(out) : 0)) +
        n * each(bias) + m * each(factor?.values)),
      bytesWritten: rows * count / (m * batch) * batch * m * n * (each(out) + each(pre)) + batch * sums * each(out),
    });
  };
  const results = { c: out, ...(gate && { gate }), ...(residual && { residual }), ...(pre && { pre }) };
  const seen = [a, b, carry ?? a, ...Object.values(results)].every(isVisible);
  if (!seen && product.into?.places) throw new TypeError("A product that is put in places must be seen whole");
  const length = splits > 1 ? splits : inner;
  if (seen) {
    const more = { kTotal: splits > 1 ? k : kPart, inner: length };
    const bindings = { a, b, ...results, ...(carry && { carry }), ...(factor && { factor: factor.values }) };
    run(bindings, { a: aOffset, b: bOffset, c: offset }, { rows: m, count: batch, more });
  } else {
    const windows = matmulWindows(device, {
      ...{ outer, inner: length, m, n, aRow: aTransposed ? 0 : aLd },
      a: { size: 4 * aSize, step: 4 * aInner },
      b: { size: 4 * bSize, step: 4 * bInner },
      behind: sums,
    });
    for (const { outer: o, inner: i, count, row, rows } of windows) {
      using _ = device.scope("window");
      const part = (x: Tensor, first: number, size: number) => within(x, first, Math.min(size, x.size - first));
      const aRows = aTransposed || rows === m ? 4 * aSize - row : rows * aLd;
      const aPart = part(
        a,
        aOffset + 4 * (o * aOuter + i * aInner) + row * (aTransposed ? 1 : aLd),
        4 * (count - 1) * aInner + aRows,
      );
      const bPart = part(b, bOffset + 4 * (o * bOuter + i * bInner), 4 * ((count - 1) * bInner + bSize));
      const first = offset + ((o * length + i) * m + row) * n + (o * length + i) * sums;
      const size = count * (rows * n + sums);
      const before = carry && part(carry, first - offset, size);
      const parts = Object.entries(results).map(([name, x]) => [name, part(x, first, size)] as const);
      run(
        {
          a: aPart.part,
          b: bPart.part,
          ...Object.fromEntries(parts.map(([name, { part }]) => [name, part])),
          ...(before && { carry: before.part }),
          ...(factor && { factor: factor.values }),
        },
        { a: aPart.at, b: bPart.at, c: parts[0][1].at, carry: before?.at },
        {
          ...{ rows, count },
          more: {
            ...{ kTotal: splits > 1 ? k - i * kPart : kPart, inner: count },
            ...(factor && { factorOffset: factor.offset + (first - offset) / n }),
          },
        },
      );
    }
  }
  const whole = splits > 1 ? reduceMiddle("sum", out, [1, splits, m * n + sums]) : out;
  if (!sums) return { out: whole, pre };
  const flat = device.view(whole, [m * n + sums]);
  return { out: device.window(flat, 0, [1, m, n]), sums: readable(flat, m * n, [m]) };
}

/**
 * What a kernel does besides the product. Those of linear layers can add a bias, whether or not this one has one; where
 * it has none they get B in its place, and do not use it.
 */
function epilogueOf(product: Product): Omit<Epilogue, "carry"> {
  const { aTransposed, bTransposed, b, bias, activation, gate, residual, keepPre = false, factor, into } = product;
  return {
    bias: !!bias || (!aTransposed && !!bTransposed && b.dtype === "f32"),
    activation: activation && activation !== "relu"
      ? activation
      : activation || !(gate || residual || keepPre)
      ? "switched"
      : "none",
    gate: !!gate,
    residual: !!residual,
    keepPre,
    ...(factor && { factor: true }),
    ...((into?.places || into?.onTop) && { placed: true }),
    ...(into?.onTop && { onTop: true }),
  };
}

/** The places of a product as uniforms, in vec4s; undefined where rows lie one behind the other and overwrite. */
function placesOf({ m, n, batch, into }: Product): Record<string, number> | undefined {
  if (!into?.places && !into?.onTop) return undefined;
  const all = m * (batch?.outer ?? 1) * (batch?.inner ?? 1);
  if (all > MOST_PLACED_ROWS) throw new TypeError(`At most ${MOST_PLACED_ROWS} rows can be put in places, not ${all}`);
  const { rows, rowsStep, rowStep, columns, columnsStep } = into.places ??
    { rows: all, rowsStep: all * n, rowStep: n, columns: n, columnsStep: n };
  const steps = { rowsStep: rowsStep / 4, rowStep: rowStep / 4, columns: columns / 4, columnsStep: columnsStep / 4 };
  return { ...steps, rows, rowsInverse: 1 / rows, columnsInverse: 4 / columns };
}

const HALF = { dtype: "f16" } as const;

/**
 * The tiles that the device can use for products like this one, the preferred one first. Gradients are not rounded to f16,
 * which has no numbers below 6e-8.
 */
function tilesFor(device: Device, { m, n, k, aTransposed, bTransposed, batch }: Product): readonly MatmulTile[] {
  const count = (batch?.outer ?? 1) * (batch?.inner ?? 1);
  const long = !!aTransposed && !bTransposed && count === 1 && k >= 512;
  const { subgroupSize, matrixUnits } = device.traits;
  const exact = device.goingBack && matrixUnits?.operands === "f16";
  const tiles = tilesToTry(device, matmulClass({ results: count * m * n, long }));
  return tiles.filter(({ family }) => !exact || family !== "matrix")
    .map((tile) => fittedTile(tile, { m, n }, subgroupSize));
}

/** Bytes of an element of a tensor; none of what is absent. */
function each(tensor: Tensor | undefined): number {
  return tensor ? ELEMENT_BYTES[tensor.dtype] : 0;
}

/** How many matrices of an operand a batch reads. */
function matrices({ batch: { outer, inner } = { outer: 1, inner: 1 } }: Product, shared?: "inner" | "all"): number {
  return shared === "all" ? 1 : shared === "inner" ? outer : outer * inner;
}

/**
 * Parts of a long sum: enough to keep the adapter busy, and short enough (2,048) that the operands of one part stay in
 * a CPU's cache and float32 stays accurate; but not shorter than 256.
 */
function splitsOf(k: number, tiles: number, wanted: number): number {
  const splits = Math.max(Math.ceil(wanted / tiles), Math.round(k / 2048));
  return Math.max(1, Math.min(splits, Math.floor(k / 256), 64));
}

/** Copies rows of `from` elements to rows of `to`: cut, or filled with zeros. */
function resizeRows(device: Device, x: Tensor, from: number, to: number): Tensor {
  const rows = x.size / from;
  const matrix = device.view(cast(x, "f32"), [rows, from]); // odd rows of 16 bits cannot be copied as they are
  return from < to ? padded(matrix, [0, 0], [rows, to]) : readRegion(matrix, [0, 0], [rows, to]);
}

function padRows(device: Device, x: Tensor, width: number): Tensor {
  return width % 4 === 0 ? x : resizeRows(device, x, width, up4(width));
}

/** Columns of C that are no whole vec4s: the product is computed with columns of zeros, then cut. */
function narrow(device: Device, product: Product): { out: Tensor; pre?: Tensor } {
  const { n, k, bTransposed = false, batch, bias, gate, residual } = product;
  const wide = up4(n);
  const b = k === 0 ? product.b : bTransposed
    ? resizeRows(device, product.b, n * k, wide * k) // more rows of zeros at the end of each matrix
    : resizeRows(device, product.b, n, wide);
  const { out, pre } = runMatmul(device, {
    ...product,
    rowSums: undefined,
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
