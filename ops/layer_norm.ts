import { defineOp, elementGrid, inWindows, isVisible, noGrad, readable, type Tensor } from "../core/mod.ts";
import { sumRows } from "./_reduce.ts";
import { longLayerNorm, longLayerNormGradient } from "./_layer_norm_long.ts";
import { LONG_ROW, type RowStructure, rowStructure } from "./_rows.ts";
import { isTracked, type Part, placeOfPart, readPart, shapeOfPart } from "./_parts.ts";
import { layerNormAffineKernel, layerNormGradientKernel, layerNormKernel } from "./layer_norm.wgsl.ts";
import { reshape } from "./reshape.ts";

/** Learned scale and offset of {@linkcode layerNorm}. */
export interface LayerNormAffine {
  /** Scale, `[C]`. @default 1 */
  readonly gamma?: Tensor;
  /** Offset, `[C]`. @default 0 */
  readonly beta?: Tensor;
}

/** Options of {@linkcode layerNorm}. */
export interface LayerNormOptions {
  /** Added to the variance. @default 1e-5 */
  readonly eps?: number;
}

type Inputs = { x: Tensor; gamma: Tensor | undefined; beta: Tensor | undefined };

const op = defineOp<Inputs, "x" | "gamma", { stats: Tensor }, { eps: number }>({
  name: "layerNorm",
  needs: { x: ["x", "gamma"], gamma: ["x"] },
  forward({ x, gamma, beta }, { eps }, { device }) {
    const c = x.shape[x.shape.length - 1];
    const rows = x.size / c;
    if (c > LONG_ROW) {
      const { out, stats } = longLayerNorm(device.view(x, [rows, c]), { gamma, beta }, eps);
      return { out: device.view(out, x.shape), saved: { stats } };
    }
    const kernelOf = (s: RowStructure) => layerNormKernel({ ...s, gamma: !!gamma, beta: !!beta });
    const s = rowStructure(device, c, (s) => [kernelOf(s), { x, gamma, beta }]);
    const out = device.empty(x.shape), stats = device.empty([rows, 4]);
    inWindows(device, rows, { reads: { x }, writes: { out, stats } }, (windows, rows) => {
      device.run(kernelOf(s), {
        bindings: { ...windows, ...(gamma ? { gamma } : {}), ...(beta ? { beta } : {}) },
        uniforms: { rows, columns: s.vector ? c / 4 : c, inverse_c: 1 / c, eps },
        grid: elementGrid(rows * s.rowLanes, 64),
        flops: (9 + (gamma ? 1 : 0) + (beta ? 1 : 0)) * rows * c,
      });
    });
    return { out, saved: { stats } };
  },
  vjp({ device, inputs: { x, gamma }, saved: { stats }, shapes, wanted }, dOut) {
    const c = shapes.x[shapes.x.length - 1], rows = dOut.size / c;
    const vector = c % 4 === 0, columns = vector ? c / 4 : c;
    let dx: Tensor | undefined;
    if (wanted.x && c > LONG_ROW) {
      const [rowsOfX, rowsOfD] = [x, dOut].map((tensor) => device.view(tensor, [rows, c]));
      dx = device.view(longLayerNormGradient(rowsOfX, gamma, stats, rowsOfD), x.shape);
    } else if (wanted.x) {
      const kernelOf = (s: RowStructure) => layerNormGradientKernel({ ...s, gamma: !!gamma });
      const s = rowStructure(device, c, (s) => [kernelOf(s), { x, d_out: dOut, gamma }]);
      dx = device.empty(x.shape);
      inWindows(device, rows, { reads: { x, d_out: dOut, stats }, writes: { dx } }, (windows, rows) => {
        device.run(kernelOf(s), {
          bindings: { ...windows, ...(gamma ? { gamma } : {}) },
          uniforms: { rows, columns, inverse_c: 1 / c },
          grid: elementGrid(rows * s.rowLanes, 64),
          flops: (13 + (gamma ? 2 : 0)) * rows * c,
        });
      });
    }
    if (!wanted.gamma) return { x: dx, beta: wanted.beta ? sumRows(dOut, c) : undefined };
    const chunk = rows > 0 && rows <= 64 ? rows : Math.max(16, Math.ceil(Math.sqrt(rows)));
    const chunks = Math.ceil(rows / chunk);
    const sums = device.empty([chunks, 2 * c]);
    const reads = { x, d_out: dOut, stats };
    inWindows(device, rows, { reads, unit: chunk }, (windows, rows, first) => {
      const inside = Math.ceil(rows / chunk);
      const d_affine = inside === chunks ? sums : device.empty([inside, 2 * c]);
      device.run(layerNormAffineKernel({ vector }), {
        bindings: { ...windows, d_affine },
        uniforms: { rows, columns, chunks: inside, chunk },
        grid: elementGrid(columns * inside, 64),
        flops: 6 * rows * c,
      });
      if (inside !== chunks) device.copy(d_affine, sums, { toElement: first / chunk * 2 * c });
    });
    const affine = device.view(chunks === 1 ? sums : sumRows(sums, 2 * c), [2 * c]);
    return {
      x: dx,
      gamma: readable(affine, 0, [c]),
      beta: wanted.beta ? readable(affine, c, [c]) : undefined,
    };
  },
});

/**
 * Normalizes the last axis to mean 0 and variance 1, then scales and shifts it:
 * (x - mean) / sqrt(variance + eps) · gamma + beta, with the variance of all C elements (divided by C, not C - 1).
 * A large common offset of a row costs no accuracy.
 *
 * Source: Ba, Kiros, Hinton (2016), "Layer Normalization".
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { layerNorm } from "@denofold/denofold/ops";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using x = device.tensor([1001, 1003], [1, 2]);
 * using out = layerNorm(x, {}, { eps: 0 });
 * assert.deepEqual([...await out.read()].map(Math.round), [-1, 1]);
 * device.close();
 * ```
 *
 * @param x `[..., C]`.
 * @returns The shape of `x`, owned by the current scope.
 * @throws {TypeError} If x has no axis, or gamma or beta does not match its last one.
 */
export function layerNorm(x: Tensor, affine: LayerNormAffine = {}, options: LayerNormOptions = {}): Tensor {
  const c = x.shape.at(-1);
  if (c === undefined) throw new TypeError("layerNorm() needs x [..., C]: x is []");
  for (const [name, tensor] of [["gamma", affine.gamma], ["beta", affine.beta]] as const) {
    if (tensor && (tensor.shape.length !== 1 || tensor.size !== c)) {
      throw new TypeError(
        `layerNorm() needs x [..., C] and ${name} [C]: x is [${x.shape}], ${name} is [${tensor.shape}]`,
      );
    }
  }
  if (c === 0) return reshape(x, x.shape);
  return op({ x, gamma: affine.gamma, beta: affine.beta }, { eps: options.eps ?? 1e-5 });
}

/**
 * {@linkcode layerNorm} of a part of a tensor, without copying the part first.
 *
 * @returns A tensor with the shape of the part, owned by the current scope.
 * @throws {TypeError} If a gradient is to flow through it.
 */
export function layerNormOfPart(
  x: Tensor,
  part: Part,
  affine: LayerNormAffine = {},
  options: LayerNormOptions = {},
): Tensor {
  const { device } = x;
  const { gamma, beta } = affine;
  if (isTracked(x, gamma, beta)) throw new TypeError("No gradient flows through layerNormOfPart(): use layerNorm()");
  const c = x.shape[x.shape.length - 1], shape = shapeOfPart(x.shape, part);
  return noGrad(device, () => {
    if (c % 4 !== 0 || c === 0 || c > LONG_ROW || !isVisible(x)) return layerNorm(readPart(x, part), affine, options);
    using scope = device.scope("layerNorm");
    const out = scope.keep(device.empty(shape));
    if (out.size === 0) return out;
    const kernelOf = (s: RowStructure) => layerNormKernel({ ...s, gamma: !!gamma, beta: !!beta, part: true });
    const s = rowStructure(device, c, (s) => [kernelOf(s), { x, gamma, beta }]);
    const rows = out.size / c;
    device.run(kernelOf(s), {
      bindings: { x, ...(gamma && { gamma }), ...(beta && { beta }), out },
      uniforms: { rows, columns: c / 4, inverse_c: 1 / c, eps: options.eps ?? 1e-5, ...placeOfPart(x.shape, part) },
      grid: elementGrid(rows * s.rowLanes, 64),
      flops: (9 + (gamma ? 1 : 0) + (beta ? 1 : 0)) * rows * c,
      bytesRead: out.bytes * x.bytes / (4 * x.size),
    });
    return out;
  });
}
