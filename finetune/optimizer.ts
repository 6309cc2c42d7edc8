import {
  type Device,
  elementGrid,
  inWindows,
  leavesLike,
  MAX_WORKGROUPS,
  type Tensor,
  type Tree,
} from "../core/mod.ts";
import { FlatParams } from "./_flat.ts";
import { sqrt, sum } from "../ops/mod.ts";
import { ADAM_WORKGROUP, adamKernel, squareSumKernel, stepGuardKernel } from "./optimizer.wgsl.ts";

/** Parameters with a learning rate and a decay of their own. */
export interface ParameterGroup {
  /** Name for reports. */
  readonly name: string;
  /** Whether a parameter is one of them, by its path in the tree. */
  readonly has: (path: string) => boolean;
  /** Base learning rate. @default the optimizer's */
  readonly learningRate?: number;
  /** Weight decay. @default the optimizer's */
  readonly weightDecay?: number;
}

/** A group as an optimizer has it. */
export interface GroupReport {
  /** Its name. */
  readonly name: string;
  /** Base learning rate. */
  readonly learningRate: number;
  /** Weight decay. */
  readonly weightDecay: number;
  /** Numbers in its parameters. */
  readonly parameters: number;
}

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
  /**
   * Groups with rates of their own; a parameter belongs to the first that has it. @default one of all, named "all"
   */
  readonly groups?: readonly ParameterGroup[];
  /**
   * What becomes of a parameter whose gradient is null: "skip" leaves it and its moments alone, "decay" counts the gradient
   * as zero, so that its moments fade and the weight decays. @default "skip"
   */
  readonly withoutGradient?: "skip" | "decay";
}

/** What a step of an optimizer came to: tensors of the scope it was made in. */
export type OptimizerStep = {
  /** Global norm of the gradients before clipping, `[1]`. */
  readonly norm: Tensor;
  /** 1 if the parameters were updated, 0 if the step was skipped; u32, `[1]`. */
  readonly applied: Tensor;
};

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
 * Adam or AdamW over all leaves of a parameter tree at once: one kernel a group updates the parameters and both moments.
 * The parameters lie in one buffer, as windows of it, and the tensors stay the caller's. A step whose gradients' norm, or
 * whose loss, is NaN or infinite is skipped on the device: parameters and moments stay as they are, to the bit.
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
  readonly #layout: FlatParams;
  readonly #options: Required<Omit<OptimizerOptions, "groups" | "learningRate" | "weightDecay">>;
  /** The groups, in their order. */
  readonly groups: readonly GroupReport[];
  /** Of each parameter, in the tree's order. */
  readonly #groupOf: readonly number[];
  readonly #m: Tensor;
  readonly #v: Tensor;
  #step = 0;

  /**
   * Moments start at zero; they belong to the optimizer, which frees them when disposed of.
   *
   * @throws {TypeError} If there are no parameters, or one belongs to no group.
   */
  constructor(device: Device, params: Tree<Tensor>, options: OptimizerOptions = {}) {
    const kind = options.kind ?? "adamw";
    const { learningRate = 3e-4, weightDecay = kind === "adamw" ? 0.01 : 0 } = options;
    const groups = options.groups ?? [{ name: "all", has: () => true }];
    const groupOf = (path: string) => groups.findIndex(({ has }) => has(path));
    this.#device = device;
    this.#layout = FlatParams.of(device, params, groupOf);
    this.#groupOf = this.#layout.parts.map(({ path }) => {
      const group = groupOf(path);
      if (group < 0) {
        throw new TypeError(`The parameter ${path} belongs to no group: ${groups.map(({ name }) => name)}`);
      }
      return group;
    });
    this.groups = groups.map(({ name, ...own }, group) => ({
      name,
      learningRate: own.learningRate ?? learningRate,
      weightDecay: own.weightDecay ?? weightDecay,
      parameters: this.#layout.parts.reduce((sum, { size }, i) => sum + (this.#groupOf[i] === group ? size : 0), 0),
    }));
    this.#options = {
      kind,
      betas: options.betas ?? [0.9, 0.999],
      eps: options.eps ?? 1e-8,
      maxNorm: options.maxNorm ?? Infinity,
      withoutGradient: options.withoutGradient ?? "skip",
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
    if (FlatParams.of(this.#device, params) !== this.#layout) {
      throw new TypeError("These are not the parameters that the optimizer was made for");
    }
    using scope = this.#device.scope("optimizer");
    const found = leavesLike<Tensor>(params, grads);
    return scope.keep(this.apply(this.#layout.gather(found), (i) => found[i] !== null, factor, loss));
  }

  /**
   * {@linkcode Optimizer.step} with gradients that lie as the parameters do.
   *
   * @param g All gradients, end to end.
   * @param reached Whether a parameter, by its place in the tree's order, has a gradient.
   */
  apply(g: Tensor, reached: (index: number) => boolean, factor = 1, loss?: Tensor): OptimizerStep {
    const device = this.#device, layout = this.#layout;
    const { kind, betas: [beta1, beta2], eps, maxNorm, withoutGradient } = this.#options;
    using scope = device.scope("adam");
    this.#step++;
    const norm = globalNorm(device, g);
    const applied = device.empty([1], "u32");
    device.run(stepGuardKernel({ loss: !!loss }), {
      bindings: { norm, ...(loss ? { loss } : {}), applied },
      grid: [1, 1, 1],
      flops: 0,
    });
    const runs = layout.runs((i) => (withoutGradient === "decay" || reached(i) ? this.#groupOf[i] : null));
    const flat = { reads: { g }, writes: { p: layout.all(), m: this.#m, v: this.#v } };
    inWindows(device, layout.size, flat, (windows, size, begin) => {
      for (const { first: from, count: length, kind: group } of runs) {
        const first = Math.max(from, begin), count = Math.min(from + length, begin + size) - first;
        const { learningRate, weightDecay } = this.groups[group];
        const uniforms = {
          rate: learningRate * factor,
          decay: weightDecay,
          beta2,
          eps,
          rest1: 1 - beta1,
          rest2: 1 - beta2,
          correction1: 1 - beta1 ** this.#step,
          correction2: Math.sqrt(1 - beta2 ** this.#step),
          maxNorm: Math.min(maxNorm, 3e38),
        };
        for (let done = 0; done < count; done += MOST_ELEMENTS) {
          const elements = Math.min(MOST_ELEMENTS, count - done);
          device.run(adamKernel({ decoupled: kind === "adamw" }), {
            bindings: { ...windows, norm, applied },
            uniforms: { ...uniforms, first: (first - begin + done) / 4 },
            grid: [elements / 4 / ADAM_WORKGROUP, 1, 1],
            flops: (kind === "adamw" ? 18 : 19) * elements,
            bytesRead: 16 * elements,
            bytesWritten: 12 * elements,
          });
        }
      }
    });
    return scope.keep({ norm, applied });
  }

  /** The last step turned out to have been skipped: it does not count in the corrections of the moments' bias. */
  skipped(): void {
    this.#step--;
  }

  /** Copies the optimizer's memory to the CPU. */
  async state(): Promise<OptimizerState> {
    const [m, v] = [await this.#m.read() as Float32Array, await this.#v.read() as Float32Array];
    return { step: this.#step, m: this.#layout.packed(m), v: this.#layout.packed(v) };
  }

  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} If the state is that of other parameters.
   */
  restore({ step, m, v }: OptimizerState): void {
    const { packedSize } = this.#layout;
    if (m.length !== packedSize || v.length !== packedSize) {
      throw new TypeError(
        `The optimizer's state has ${m.length} and ${v.length} numbers, the parameters need ${packedSize}`,
      );
    }
    this.#step = step;
    this.#device.write(this.#m, this.#layout.spread(m));
    this.#device.write(this.#v, this.#layout.spread(v));
  }

  /** Frees the moments. */
  [Symbol.dispose](): void {
    this.#m.dispose();
    this.#v.dispose();
  }
}

/** Elements of one dispatch of `adamKernel`. */
const MOST_ELEMENTS = 4 * ADAM_WORKGROUP * MAX_WORKGROUPS;

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
