import { type Device, elementGrid, inWindows, leaves, type Tensor, type Tree } from "../core/mod.ts";
import { FlatLayout } from "./_flat.ts";
import { emaKernel } from "./optimizer.wgsl.ts";

/**
 * Exponential moving average of a parameter tree: shadow = decay · shadow + (1 - decay) · p after each step, starting
 * at the parameters.
 */
export class ExponentialMovingAverage {
  readonly #device: Device;
  readonly #layout: FlatLayout;
  readonly #shadow: Tensor;
  /** Weight of the past. */
  readonly decay: number;

  /**
   * The average starts at the parameters.
   *
   * @param decay Between 0 and 1.
   * @throws {RangeError} If it is not.
   */
  constructor(device: Device, params: Tree<Tensor>, decay: number) {
    if (!(decay >= 0 && decay <= 1)) {
      throw new RangeError(`The decay of a moving average is between 0 and 1, got ${decay}`);
    }
    this.#device = device;
    this.decay = decay;
    this.#layout = new FlatLayout(params);
    using flat = this.#layout.gather(device, leaves<Tensor>(params));
    this.#shadow = device.hold(flat);
  }

  /**
   * Takes in the parameters of a step.
   *
   * @param applied As an optimizer's step gives it: where it is 0, the average stays as it is. @default 1
   */
  update(params: Tree<Tensor>, applied?: Tensor): void {
    using _ = this.#device.scope("ema");
    const p = this.#layout.gather(this.#device, leaves<Tensor>(params));
    inWindows(this.#device, p.size, { reads: { p }, writes: { shadow: this.#shadow } }, (bindings, size) => {
      const n4 = size / 4;
      this.#device.run(emaKernel({ guarded: !!applied }), {
        bindings: { ...bindings, ...(applied ? { applied } : {}) },
        uniforms: { n4, decay: this.decay },
        grid: elementGrid(n4, 64),
        flops: 12 * n4,
        bytesRead: 32 * n4,
      });
    });
  }

  /**
   * Puts the average in place of the parameters until the returned object is disposed of, which puts the same bits
   * back.
   */
  apply(params: Tree<Tensor>): Disposable {
    const device = this.#device, layout = this.#layout;
    const given = leaves<Tensor>(params);
    using flat = layout.gather(device, given);
    const live = device.hold(flat);
    layout.scatter(device, this.#shadow, given);
    return {
      [Symbol.dispose]() {
        layout.scatter(device, live, given);
        live.dispose();
      },
    };
  }

  /** The average of all parameters, end to end. */
  async state(): Promise<Float32Array> {
    return await this.#shadow.read() as Float32Array;
  }

  /** Goes on from a saved state. */
  restore(state: Float32Array): void {
    this.#device.write(this.#shadow, state);
  }

  /** Frees the average. */
  [Symbol.dispose](): void {
    this.#shadow.dispose();
  }
}
