import { type Device, elementGrid, inWindows, leaves, leavesLike, type Tensor, type Tree } from "../core/mod.ts";
import { FlatLayout } from "./_flat.ts";
import { sqrt, sum } from "../ops/mod.ts";
import { adamKernel, squareSumKernel, stepGuardKernel } from "./optimizer.wgsl.ts";

/** Choices of {@linkcode Optimizer}. */
export interface OptimizerOptions {
  /** "adamw" decays the weights themselves, "adam" adds the decay to the gradient, as PyTorch's two do. @default "adamw" */
  readonly kind?: "adamw" | "adam";
  /** Base learning rate. @default 3e-4 */
  readonly learningRate?: number;
  /** Weight decay. @default 0.01 for adamw, 0 for adam */
  readonly weightDecay?: number;
  /** Decay of the first and second moment. @default [0.9, 0.999] */
  readonly betas?: readonly [number, number];
  /** Added to the root of the second moment. @default 1e-8 */
  readonly eps?: number;
  /** Scales the gradients down to this global norm. @default no clipping */
  readonly maxNorm?: number;
}

/** What a step of an optimizer came to: tensors of the scope it was made in. */
export interface OptimizerStep {
  /** Global norm of the gradients before clipping, `[1]`. */
  readonly norm: Tensor;
  /** 1 if the parameters were updated, 0 if the step was skipped; u32, `[1]`. */
  readonly applied: Tensor;
}

/** What an optimizer remembers, on the CPU: enough to go on to the same bits. */
export interface OptimizerState {
  /** Steps made, without those that were skipped. */
  readonly step: number;
  /** First and second moments of all parameters, end to end, each parameter at a multiple of four elements. */
  readonly m: Float32Array;
  /** Second moments, laid out likewise. */
  readonly v: Float32Array;
}

/**
 * Adam or AdamW over all leaves of a parameter tree at once: one kernel updates every parameter and both moments.
 * Parameters whose gradient is null are left alone, by weight decay too. A step whose gradients' norm, or whose loss, is
 * NaN or infinite is skipped on the device: parameters and moments stay as they are, to the bit.
 *
 * Source: Kingma & Ba (2015); Loshchilov & Hutter (2019); order of operations as in PyTorch's `torch.optim`.
 *
 * @example
 * ```ts
 * import { Device } from "@denofold/denofold";
 * import { Optimizer } from "@denofold/denofold/finetune";
 * import assert from "node:assert/strict";
 *
 * const device = await Device.open(navigator.gpu);
 * using scope = device.scope("example");
 * const params = { weight: device.tensor([1], [1]) };
 * using optimizer = new Optimizer(device, params, { kind: "adam", learningRate: 0.1 });
 * optimizer.step(params, { weight: device.tensor([5], [1]) });
 * assert.ok(Math.abs(await params.weight.item() - 0.9) < 1e-5);
 * ```
 */
export class Optimizer {
  readonly #device: Device;
  readonly #layout: FlatLayout;
  readonly #options: Required<OptimizerOptions>;
  readonly #m: Tensor;
  readonly #v: Tensor;
  #step = 0;

  /** Moments start at zero; they belong to the optimizer, which frees them when disposed of. */
  constructor(device: Device, params: Tree<Tensor>, options: OptimizerOptions = {}) {
    const kind = options.kind ?? "adamw";
    this.#device = device;
    this.#layout = new FlatLayout(params);
    this.#options = {
      kind,
      learningRate: options.learningRate ?? 3e-4,
      weightDecay: options.weightDecay ?? (kind === "adamw" ? 0.01 : 0),
      betas: options.betas ?? [0.9, 0.999],
      eps: options.eps ?? 1e-8,
      maxNorm: options.maxNorm ?? Infinity,
    };
    using m = device.zeros([this.#layout.size]);
    using v = device.zeros([this.#layout.size]);
    this.#m = device.hold(m);
    this.#v = device.hold(v);
  }

  /** Steps made so far, without those that were skipped. */
  get steps(): number {
    return this.#step;
  }

  /** Bytes of the moments. */
  get bytes(): number {
    return 2 * 4 * this.#layout.size;
  }

  /**
   * Updates the parameters in place, unless the norm of the gradients or the loss is not finite.
   *
   * @param grads A tree like the parameters', null where there is no gradient.
   * @param factor Of the learning rate, from a schedule. @default 1
   * @param loss What the gradients are of, a scalar; the step is skipped if it is not finite. @default not looked at
   * @returns Owned by the current scope. Where the step was skipped, say so with {@linkcode Optimizer.skipped}.
   */
  step(params: Tree<Tensor>, grads: Tree<Tensor | null>, factor = 1, loss?: Tensor): OptimizerStep {
    const device = this.#device, layout = this.#layout;
    const { kind, learningRate, weightDecay, betas: [beta1, beta2], eps, maxNorm } = this.#options;
    using scope = device.scope("optimizer");
    const given = leaves<Tensor>(params);
    const dGiven = leavesLike<Tensor>(params, grads);
    this.#step++;
    const g = layout.gather(device, dGiven);
    const norm = globalNorm(device, g);
    const applied = device.empty([1], "u32");
    device.run(stepGuardKernel({ loss: !!loss }), {
      bindings: { norm, ...(loss ? { loss } : {}), applied },
      grid: [1, 1, 1],
      flops: 0,
    });
    const p = layout.gather(device, given);
    const runs = layout.runs((i) => dGiven[i] !== null);
    inWindows(device, layout.size, { reads: { g }, writes: { p, m: this.#m, v: this.#v } }, (windows, size, begin) => {
      for (const [from, length] of runs) {
        const first = Math.max(from, begin), count = Math.min(from + length, begin + size) - first;
        if (count <= 0) continue;
        device.run(adamKernel({ decoupled: kind === "adamw" }), {
          bindings: { ...windows, norm, applied },
          uniforms: {
            ...{
              first: (first - begin) / 4,
              n4: count / 4,
              rate: learningRate * factor,
              decay: weightDecay,
              beta2,
              eps,
            },
            rest1: 1 - beta1,
            rest2: 1 - beta2,
            correction1: 1 - beta1 ** this.#step,
            correction2: Math.sqrt(1 - beta2 ** this.#step),
            maxNorm: Math.min(maxNorm, 3e38),
          },
          grid: elementGrid(count / 4, 64),
          flops: (kind === "adamw" ? 18 : 19) * count,
          bytesRead: 16 * count,
          bytesWritten: 12 * count,
        });
      }
    });
    layout.scatter(device, p, given.map((tensor, i) => (dGiven[i] ? tensor : null)));
    return scope.keep({ norm, applied });
  }

  /** The last step turned out to have been skipped: it does not count in the corrections of the moments' bias. */
  skipped(): void {
    this.#step--;
  }

  /** Copies the optimizer's memory to the CPU. */
  async state(): Promise<OptimizerState> {
    const m = await this.#m.read() as Float32Array;
    return { step: this.#step, m, v: await this.#v.read() as Float32Array };
  }

  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} If the state is that of other parameters.
   */
  restore({ step, m, v }: OptimizerState): void {
    const { size } = this.#layout;
    if (m.length !== size || v.length !== size) {
      throw new TypeError(`The optimizer's state has ${m.length} and ${v.length} numbers, the parameters need ${size}`);
    }
    this.#step = step;
    this.#device.write(this.#m, m);
    this.#device.write(this.#v, v);
  }

  /** Frees the moments. */
  [Symbol.dispose](): void {
    this.#m.dispose();
    this.#v.dispose();
  }
}

/** Elements that one invocation of `squareSumKernel` sums. */
const CHUNK = 1024;

/** Square root of the sum of all squares, as a tensor `[1]`. */
export function globalNorm(device: Device, flat: Tensor): Tensor {
  const chunks = Math.ceil(flat.size / CHUNK);
  const sums = device.empty([chunks]);
  inWindows(device, flat.size, { reads: { x: flat }, unit: CHUNK }, ({ x }, size, first) => {
    const now = Math.ceil(size / CHUNK);
    const part = now === chunks ? sums : device.empty([now]);
    device.run(squareSumKernel, {
      bindings: { x, out: part },
      uniforms: { n4: Math.ceil(size / 4), chunks: now },
      grid: elementGrid(now, 64),
      flops: 2 * size,
    });
    if (now !== chunks) device.copy(part, sums, { toElement: first / CHUNK });
  });
  return sqrt(sum(sums, { axes: [0], keepDims: true }));
}
