import { type Device, elementGrid, inWindows, type Tensor, type Tree } from "../core/mod.ts";
import { FlatParams } from "./_flat.ts";
import { emaKernel } from "./optimizer.wgsl.ts";

/**
 * Exponential moving average of a parameter tree: shadow = decay · shadow + (1 - decay) · p after each step, starting
 * at the parameters.
 */
export class ExponentialMovingAverage {
  readonly #device: Device;
  readonly #layout: FlatParams;
  readonly #shadow: Tensor;
  /** Weight of the past. */
  readonly decay: number;

  /**
   * The average starts at the parameters, which move into one buffer, if they are not in one already.
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
    this.#layout = FlatParams.of(device, params);
    using _ = device.scope("ema");
    const shadow = device.empty([this.#layout.size]);
    device.copy(this.#layout.all(), shadow);
    this.#shadow = device.hold(shadow);
  }

  /**
   * Takes in the parameters of a step.
   *
   * @param applied As an optimizer's step gives it: where it is 0, the average stays as it is. @default 1
   */
  update(params: Tree<Tensor>, applied?: Tensor): void {
    using _ = this.#device.scope("ema");
    const p = this.#flat(params);
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
    const device = this.#device;
    const live = (() => {
      using _ = device.scope("ema");
      const flat = this.#flat(params), live = device.empty([flat.size]);
      device.copy(flat, live);
      device.copy(this.#shadow, flat);
      return device.hold(live);
    })();
    return {
      [Symbol.dispose]: () => {
        using _ = device.scope("ema");
        device.copy(live, this.#flat(params));
        live.dispose();
      },
    };
  }

  /** The parameters as one tensor, if they are those that the average is of. */
  #flat(params: Tree<Tensor>): Tensor {
    if (FlatParams.of(this.#device, params) !== this.#layout) {
      throw new TypeError("These are not the parameters that the moving average is of");
    }
    return this.#layout.all();
  }

  /** The average of all parameters, end to end in the tree's order, each at a multiple of four elements. */
  async state(): Promise<Float32Array> {
    return this.#layout.packed(await this.#shadow.read() as Float32Array);
  }

  /**
   * Goes on from a saved state.
   *
   * @throws {TypeError} If the state is that of other parameters.
   */
  restore(state: Float32Array): void {
    const { packedSize } = this.#layout;
    if (state.length !== packedSize) {
      throw new TypeError(`The saved average has ${state.length} numbers, the parameters need ${packedSize}`);
    }
    this.#device.write(this.#shadow, this.#layout.spread(state));
  }

  /** Frees the average. */
  [Symbol.dispose](): void {
    this.#shadow.dispose();
  }
}
