import {
  defineOp,
  type Device,
  elementGrid,
  flatGrid,
  type Kernel,
  type KernelFamily,
  type KernelUse,
  mostVisible,
  sameShape,
  type Tensor,
} from "../core/mod.ts";
import { inParts, type Sizes } from "./_triangle_parts.ts";
import {
  gateKernel,
  PACK_LANES,
  packGatedKernel,
  packKernel,
  PANEL,
  PLANE_PAD,
  PLANES,
  ROWS,
  STEPS,
  subgroupProductKernel,
  tileProductKernel,
  ungateKernel,
} from "./triangle_product.wgsl.ts";
import { familiesToTry } from "./tuning.ts";

/** Which edges of a triangle are multiplied. */
export type TriangleDirection = "outgoing" | "incoming";

/** Options of {@linkcode triangleProduct} and {@linkcode gatedTriangleProduct}. */
export interface TriangleProductOptions {
  /** `outgoing` sums over the second position of both inputs, `incoming` over the first. */
  readonly direction: TriangleDirection;
}

/** How the product is made of its operands: packed (family "subgroup"), or as they stand. */
type Way = KernelFamily;

/** An operand of the product: as it stands, or packed. */
interface Operand {
  readonly values: Tensor;
  /** Positions of the output. */
  readonly rows: number;
  /** Whether the output's position comes before the position summed over. */
  readonly pFirst: boolean;
}

const product = defineOp<{ a: Tensor; b: Tensor }, "a" | "b", Record<never, never>, TriangleProductOptions>({
  name: "triangleProduct",
  needs: { a: ["b"], b: ["a"] },
  forward({ a, b }, { direction }, { device }) {
    const [batch, n, columns, c] = a.shape;
    if (a.shape.length !== 4 || n !== columns || !sameShape(a.shape, b.shape)) {
      throw new TypeError(`triangleProduct() needs a and b [B, N, N, C]: a is [${a.shape}], b is [${b.shape}]`);
    }
    const sizes = { batch, n, c };
    const pFirst = isOutgoing(direction);
    if (a.size === 0) return { out: device.empty(a.shape) };
    const way = wayFor(device, sizes, { packs: [a] });
    const how = { reads: [a, b], widths: [1], operand: operandSize(way, sizes) };
    const [out] = inParts(device, sizes, how, (sizes, [a, b]) => [
      multiply(device, way, sizes, operand(device, way, sizes, a, pFirst), operand(device, way, sizes, b, pFirst)),
    ]);
    return { out };
  },
  vjp({ device, inputs: { a, b }, shapes, attributes: { direction }, wanted }, dOut) {
    const [batch, n, , c] = shapes.a;
    if (dOut.size === 0) return { a: device.empty(shapes.a), b: device.empty(shapes.b) };
    const sizes = { batch, n, c };
    const pFirst = direction === "incoming";
    const way = wayFor(device, sizes, { packs: [dOut] });
    const gradient = (other: Tensor, dOutPFirst: boolean) => {
      const how = { reads: [dOut, other], widths: [1], operand: operandSize(way, sizes) };
      return inParts(device, sizes, how, (sizes, [dOut, other]) => [
        multiplyBack(
          device,
          way,
          sizes,
          direction,
          operand(device, way, sizes, dOut, dOutPFirst),
          () => operand(device, way, sizes, other, pFirst),
        ),
      ])[0];
    };
    return { a: wanted.a ? gradient(b, true) : undefined, b: wanted.b ? gradient(a, false) : undefined };
  },
});

const gated = defineOp<
  { packed: Tensor; mask: Tensor | undefined },
  "packed" | "mask",
  Record<never, never>,
  TriangleProductOptions
>({
  name: "gatedTriangleProduct",
  needs: { packed: ["packed", "mask"] },
  forward({ packed, mask }, { direction }, { device }) {
    const { shape } = packed;
    if (shape.length !== 4 || shape[1] !== shape[2] || shape[3] % 4 !== 0) {
      throw new TypeError(`gatedTriangleProduct() needs packed [B, N, N, 4 * C]: it is [${shape}]`);
    }
    if (mask && !sameShape(mask.shape, shape.slice(0, 3))) {
      throw new TypeError(`gatedTriangleProduct() needs mask [${shape.slice(0, 3)}]: it is [${mask.shape}]`);
    }
    const sizes = gatedSizes(shape);
    const pFirst = isOutgoing(direction);
    if (packed.size === 0) return { out: device.empty(shape.with(3, sizes.c)) };
    const way = wayFor(device, sizes, { gates: packed, mask });
    const how = { reads: [packed], mask, widths: [1], operand: operandSize(way, sizes) };
    const [out] = inParts(device, sizes, how, (sizes, [packed], mask) => {
      const [a, b] = gatedOperands(device, way, sizes, packed, mask, pFirst);
      return [multiply(device, way, sizes, a, b)];
    });
    return { out };
  },
  vjp({ device, inputs: { packed, mask }, shapes, attributes: { direction }, wanted }, dOut) {
    if (!wanted.packed) return {};
    if (dOut.size === 0) return { packed: device.empty(shapes.packed) };
    const sizes = gatedSizes(shapes.packed);
    const way = wayFor(device, sizes, { packs: [dOut], gates: packed, mask });
    const how = { reads: [packed, dOut], mask, widths: [4], operand: operandSize(way, sizes) };
    const [dPacked] = inParts(
      device,
      sizes,
      how,
      (sizes, [packed, dOut], mask) => [gatedGradient(device, way, sizes, packed, mask, direction, dOut)],
    );
    return { packed: dPacked };
  },
});

function gatedGradient(
  device: Device,
  way: Way,
  sizes: Sizes,
  packed: Tensor,
  mask: Tensor | undefined,
  direction: TriangleDirection,
  dOut: Tensor,
): Tensor {
  const [a, b] = gatedOperands(device, way, sizes, packed, mask, direction === "incoming");
  const da = multiplyBack(device, way, sizes, direction, operand(device, way, sizes, dOut, true), () => b);
  const db = multiplyBack(device, way, sizes, direction, operand(device, way, sizes, dOut, false), () => a);
  const dPacked = device.empty(packed.shape);
  const groups = groupsOf(sizes), size = sizes.batch * sizes.n ** 2 * groups;
  device.run(ungateKernel({ aligned: isAligned(sizes), mask: !!mask }), {
    bindings: { packed, ...(mask ? { mask } : {}), da, db, d_packed: dPacked },
    uniforms: { c: sizes.c, groups, size },
    grid: elementGrid(size, 64),
    flops: (mask ? 9 : 8) * da.size * 2,
  });
  return dPacked;
}

/**
 * How the product is made on this device.
 *
 * @param packs What is made operands of as it stands.
 * @param gates What is gated first, under a mask.
 */
function wayFor(
  device: Device,
  sizes: Sizes,
  { packs = [], gates, mask }: { packs?: readonly Tensor[]; gates?: Tensor; mask?: Tensor },
): Way {
  const structure = { aligned: isAligned(sizes) };
  return device.kernels.choose(familiesToTry(device, "triangle"), (way) => {
    const type = { dtype: gates?.dtype ?? "f32" } as const;
    const gated = { ...structure, mask: !!mask };
    const kernels: KernelUse[] = [[productKernel(device, way, sizes), { x: type, y: type, out: type }]];
    if (way === "subgroup") {
      for (const x of packs) kernels.push([packKernel(structure), { x }]);
      if (gates) kernels.push([packGatedKernel(gated), { packed: gates, a: type, b_out: type }]);
    } else if (gates) kernels.push([gateKernel(gated), { packed: gates, a: type, b: type }]);
    return kernels;
  });
}

function productKernel({ traits }: Device, way: Way, sizes: Sizes, rows = sizes.n, columns = sizes.n): Kernel {
  const aligned = isAligned(sizes);
  if (way !== "subgroup") return tileProductKernel({ tile: tileOf(way), aligned });
  const whole = rows >= ROWS && columns >= PANEL;
  return subgroupProductKernel({ lanes: traits.subgroupSize, aligned, whole });
}

/** Rows and columns of the output that an invocation computes of operands as they stand. */
const tileOf = (way: Way) => (way === "plain" ? 8 : 4);

/** Elements that four channels of an operand take. */
function operandSize(way: Way, sizes: Sizes): number {
  return 4 * (way === "subgroup" ? planeOf(sizes) : sizes.n ** 2);
}

function isOutgoing(direction: TriangleDirection): boolean {
  if (direction !== "outgoing" && direction !== "incoming") {
    throw new RangeError(`A triangle's direction is "outgoing" or "incoming", not "${direction}"`);
  }
  return direction === "outgoing";
}

function gatedSizes([batch, n, , c]: readonly number[]): Sizes {
  return { batch, n, c: c / 4 };
}

const groupsOf = ({ c }: Sizes) => Math.ceil(c / 4);
const isAligned = ({ c }: Sizes) => c % 4 === 0;
const panelsOf = (rows: number) => Math.ceil(rows / PANEL);
const stepsOf = ({ n }: Sizes) => Math.ceil(n / STEPS) * STEPS;
/** Vec4s of a plane of a packed operand of so many positions. */
const planeOf = (sizes: Sizes, rows = sizes.n) => panelsOf(rows) * stepsOf(sizes) * PANEL + PLANE_PAD;

/** One side of a gradient: `other` is what dOut meets. The output's first position is dOut's when outgoing. */
function multiplyBack(
  device: Device,
  way: Way,
  sizes: Sizes,
  direction: TriangleDirection,
  dOut: Operand,
  other: () => Operand,
): Tensor {
  return direction === "outgoing"
    ? multiply(device, way, sizes, dOut, other())
    : multiply(device, way, sizes, other(), dOut);
}

/** @param rows Positions that are packed, of `all` that the operand has; they begin at panel `first`. */
function packing(sizes: Sizes, pFirst: boolean, rows = sizes.n, all = rows, first = 0) {
  const { batch, n, c } = sizes;
  const groups = groupsOf(sizes), panels = panelsOf(rows), steps = stepsOf(sizes);
  const span = Math.min(groups, PACK_LANES), blocks = Math.ceil(groups / span);
  const plane = planeOf(sizes, all);
  const [y, z] = flatGrid(batch * panels * blocks);
  return {
    structure: { aligned: isAligned(sizes) },
    shape: [batch, groups, plane, 4],
    uniforms: {
      ...{ n, rows, first, c, groups, blocks, span, steps, panels, plane },
      ...{ p_first: pFirst ? 1 : 0, batches: batch },
    },
    grid: [Math.ceil(steps / Math.floor(PACK_LANES / span)), y, z] as const,
  };
}

function operand(device: Device, way: Way, sizes: Sizes, x: Tensor, pFirst: boolean): Operand {
  const rows = sizes.n;
  if (way !== "subgroup") return { values: x, rows, pFirst };
  const { structure, shape, uniforms, grid } = packing(sizes, pFirst);
  const out = device.empty(shape);
  device.run(packKernel(structure), { bindings: { x, out }, uniforms, grid, flops: 0 });
  return { values: out, rows, pFirst };
}

function gatedOperands(
  device: Device,
  way: Way,
  sizes: Sizes,
  packed: Tensor,
  mask: Tensor | undefined,
  pFirst: boolean,
): [Operand, Operand] {
  const inputs = { packed, ...(mask ? { mask } : {}) };
  if (way === "subgroup") {
    const { structure, shape, uniforms, grid } = packing(sizes, pFirst);
    const a = device.empty(shape, packed.dtype), b = device.empty(shape, packed.dtype);
    device.run(packGatedKernel({ ...structure, mask: !!mask }), {
      bindings: { ...inputs, a, b_out: b },
      uniforms,
      grid,
      flops: (mask ? 6 : 5) * packed.size / 2,
    });
    return [{ values: a, rows: sizes.n, pFirst }, { values: b, rows: sizes.n, pFirst }];
  }
  const { batch, n, c } = sizes;
  const groups = groupsOf(sizes);
  const edge = () => device.empty([batch, n, n, c], packed.dtype);
  const a = edge(), b = edge();
  const size = batch * n * n * groups;
  device.run(gateKernel({ aligned: isAligned(sizes), mask: !!mask }), {
    bindings: { ...inputs, a, b },
    uniforms: { c, groups, size },
    grid: elementGrid(size, 64),
    flops: (mask ? 6 : 5) * packed.size / 2,
  });
  return [{ values: a, rows: n, pFirst }, { values: b, rows: n, pFirst }];
}

/** out[b, p, q, c] = Σ_r x[p, r, c] · y[q, r, c]. */
function multiply(device: Device, way: Way, sizes: Sizes, x: Operand, y: Operand): Tensor {
  const { batch, n, c } = sizes;
  const aligned = isAligned(sizes), groups = groupsOf(sizes);
  const { rows } = x, { rows: columns } = y;
  const out = device.empty([batch, rows, columns, c], x.values.dtype); // in 16 bits if its operands are
  const kernel = productKernel(device, way, sizes, rows, columns);
  const flops = 2 * batch * rows * columns * n * c;
  if (way === "subgroup") {
    const panels = panelsOf(columns);
    const tiles = panels * Math.ceil(rows / ROWS);
    const planes = { x_plane: planeOf(sizes, rows), y_plane: planeOf(sizes, columns), planes: batch * groups };
    device.run(kernel, {
      bindings: { x: x.values, y: y.values, out },
      uniforms: { rows, columns, c, groups, steps: stepsOf(sizes), panels, tiles, ...planes },
      grid: flatGrid(tiles * Math.ceil(batch * groups / PLANES)),
      flops,
    });
    return out;
  }
  const tile = tileOf(way);
  const stride = aligned ? groups : c;
  const strides = ({ pFirst, rows }: Operand) => (pFirst ? [n * stride, stride] : [stride, rows * stride]);
  const [x_p, x_r] = strides(x), [y_p, y_r] = strides(y);
  const tilesRows = Math.ceil(rows / tile), tilesColumns = Math.ceil(columns / tile);
  const size = batch * tilesRows * tilesColumns * groups;
  const entries = { x_b: rows * n * stride, y_b: columns * n * stride };
  device.run(kernel, {
    bindings: { x: x.values, y: y.values, out },
    uniforms: { n, rows, columns, c, groups, tilesRows, tilesColumns, size, stride, ...entries, x_p, x_r, y_p, y_r },
    grid: elementGrid(size, 64),
    flops,
  });
  return out;
}

/**
 * Combines two edges of every triangle of residues, channel by channel:
 * out[b, i, j, c] = Σ_k a[b, i, k, c] · b[b, j, k, c] (`outgoing`) or Σ_k a[b, k, i, c] · b[b, k, j, c] (`incoming`).
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 11 and 12 "TriangleMultiplication", line 4.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { triangleProduct } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using a = device.tensor([1, 2, 3, 4], [1, 2, 2, 1]);
 * using b = device.tensor([5, 6, 7, 8], [1, 2, 2, 1]);
 * using out = triangleProduct({ a, b }, { direction: "outgoing" }); // a · bᵀ
 * assert.deepEqual([...await out.read()], [17, 23, 39, 53]);
 * device.close();
 * ```
 *
 * @param inputs `a` and `b`, both `[B, N, N, C]`.
 * @returns `[B, N, N, C]`, owned by the current scope.
 * @throws {TypeError} If the shapes do not fit.
 * @throws {RangeError} If the direction is neither of the two.
 */
export function triangleProduct(inputs: { a: Tensor; b: Tensor }, options: TriangleProductOptions): Tensor {
  return product(inputs, options);
}

/**
 * {@linkcode triangleProduct} of gated and masked edges that stand side by side in one tensor, as one projection makes
 * them: a = mask · left · sigmoid(leftGate), b = mask · right · sigmoid(rightGate). Only `packed` and `mask` are kept
 * for the gradient; a and b are computed again.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 11 and 12 "TriangleMultiplication", lines 2 and 4.
 *
 * @param inputs `packed` `[B, N, N, 4 * C]`: left | leftGate | right | rightGate, C channels each; `mask` `[B, N, N]`,
 * 0 where an edge does not exist, which gets no gradient. @default no mask
 * @returns `[B, N, N, C]`, owned by the current scope.
 * @throws {TypeError} If the shapes do not fit.
 * @throws {RangeError} If the direction is neither of the two.
 */
export function gatedTriangleProduct(
  inputs: { packed: Tensor; mask?: Tensor },
  options: TriangleProductOptions,
): Tensor {
  return gated({ packed: inputs.packed, mask: inputs.mask }, options);
}

/** One edge of every triangle, gated and masked, of all residues or of some, as {@linkcode triangleProductOf} reads it. */
export interface TriangleEdge {
  /** Blocks of it are multiples of so many residues. */
  readonly unit: number;
  /** @internal */
  readonly operand: Operand;
  /** @internal */
  readonly sizes: Sizes;
  /** @internal */
  readonly way: Way;
}

/**
 * Room for an edge of all residues, which is filled block by block: for inference, where there is no memory for both edges
 * at once. Undefined where no kernel could see it, or channels are no whole vec4s.
 *
 * @param like The type of the projections it will be made of; `mask`: whether there is a mask.
 * @returns Owned by the current scope.
 */
export function triangleEdge(
  device: Device,
  { n, c, direction, dtype = "f32", mask }: {
    readonly n: number;
    readonly c: number;
    readonly direction: TriangleDirection;
    readonly dtype?: "f32" | "f16";
    readonly mask: boolean;
  },
): TriangleEdge | undefined {
  const sizes = { batch: 1, n, c };
  if (!isAligned(sizes)) return undefined;
  const structure = { aligned: true, mask, single: true };
  const type = { dtype };
  const way = device.kernels.choose(familiesToTry(device, "triangle"), (way): KernelUse[] => [
    ...[ROWS - 1, ROWS].map((
      rows,
    ): KernelUse => [productKernel(device, way, sizes, rows), { x: type, y: type, out: type }]),
    [way === "subgroup" ? packGatedKernel(structure) : gateKernel(structure), { packed: type, a: type }],
  ]);
  if (groupsOf(sizes) * operandSize(way, sizes) > mostVisible(device)) return undefined;
  const shape = way === "subgroup" ? [1, groupsOf(sizes), planeOf(sizes), 4] : [1, n, n, c];
  const operand = { values: device.empty(shape, dtype), rows: n, pFirst: isOutgoing(direction) };
  return { unit: way === "subgroup" ? PANEL : ROWS, operand, sizes, way };
}

/**
 * Gates and masks a block of an edge. No gradient flows through it.
 *
 * @param packed Values and gates of its channels: `[1, block, N, 2 * C]` where the product is outgoing, `[1, N, block, 2 * C]`
 * where it is incoming.
 * @param mask The same without channels. @default no mask
 * @param like The edge of all residues, of which this is a block.
 * @param from The residue at which it is put into that edge, a multiple of the edge's `unit`. @default it is an edge
 * by itself
 * @returns The block by itself, owned by the current scope, or the edge of all residues.
 */
export function gateTriangleEdge(
  packed: Tensor,
  mask: Tensor | undefined,
  { operand: { values, rows: all, pFirst }, ...edge }: TriangleEdge,
  from?: number,
): TriangleEdge {
  const { device, shape } = packed;
  using scope = device.scope("gateTriangleEdge");
  const { sizes, way } = edge;
  const { n, c } = sizes;
  const rows = shape[pFirst ? 1 : 2];
  const structure = { aligned: true, mask: !!mask, single: true };
  const groups = groupsOf(sizes);
  const count = from === undefined ? rows : all;
  const made = (shape: readonly number[]) =>
    from === undefined ? scope.keep(device.empty(shape, packed.dtype)) : values;
  const inputs = { packed, ...(mask && { mask }) };
  const flops = (mask ? 6 : 5) * packed.size / 2;
  if (way === "subgroup") {
    const { uniforms, grid, shape } = packing(sizes, pFirst, rows, count, (from ?? 0) / PANEL);
    const a = made(shape);
    device.run(packGatedKernel(structure), {
      bindings: { ...inputs, a },
      uniforms,
      grid,
      flops,
      bytesWritten: packed.bytes / 2,
    });
    return { ...edge, operand: { values: a, rows: count, pFirst } };
  }
  const a = made(pFirst ? [1, rows, n, c] : [1, n, rows, c]);
  const size = n * rows * groups;
  const place = pFirst
    ? { first: (from ?? 0) * n, block: rows * n, step: 0 }
    : { first: from ?? 0, block: rows, step: count };
  device.run(gateKernel(structure), {
    bindings: { ...inputs, a },
    uniforms: { c, groups, size, ...place },
    grid: elementGrid(size, 64),
    flops,
    bytesWritten: packed.bytes / 2,
  });
  return { ...edge, operand: { values: a, rows: count, pFirst } };
}

/**
 * The product of edges, of which one may be a block: out[i, j] = Σ_k x[i, k] · y[j, k]. No gradient flows through it.
 *
 * @returns `[1, residues of x, residues of y, C]`, owned by the current scope.
 */
export function triangleProductOf(x: TriangleEdge, y: TriangleEdge): Tensor {
  const { device } = x.operand.values;
  using scope = device.scope("triangleProduct");
  return scope.keep(multiply(device, x.way, x.sizes, x.operand, y.operand));
}
