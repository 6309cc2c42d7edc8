import { noGrad, type Tensor } from "../../../core/mod.ts";
import {
  add,
  addScalar,
  divide,
  exp,
  linear,
  maximum,
  multiply,
  multiplyScalar,
  type Part,
  readPart,
  reshape,
  subtract,
  sum,
  writePart,
} from "../../../ops/mod.ts";
import { linearInParts, partsOf } from "../../layers/in_parts.ts";
import type { TemplatePointwiseAttentionParams } from "./params.ts";

/** Added to a logit of a template that is not there, as attention does. */
const PENALTY = 1e9;

/** What the largest logit starts from. */
const LOWEST = -3e38;

/**
 * Attention of each pair to its templates, which come one after the other: the softmax is kept up as they do, so that no
 * two of them need be there at once. For inference; the numbers are those of `templatePointwiseAttention` but for rounding.
 *
 * Source: Jumper et al. (2021), Suppl. Alg. 17 "TemplatePointwiseAttention"; the running softmax as in Dao et al. (2022),
 * "FlashAttention", Alg. 1.
 */
export class TemplateStream implements Disposable {
  readonly #params: TemplatePointwiseAttentionParams["mha"];
  readonly #z: Tensor;
  readonly #nHead: number;
  readonly #state: { readonly top: Tensor; readonly total: Tensor; readonly out: Tensor };

  /**
   * @param z `[1, N_res, N_res, c_z]`, as it was before any template.
   * @param nHead Number of heads.
   */
  constructor({ mha }: TemplatePointwiseAttentionParams, z: Tensor, nHead: number) {
    const { device, shape: [, nRes] } = z;
    this.#params = mha;
    this.#z = z;
    this.#nHead = nHead;
    const channels = mha.linearQ.weight.shape[0] / nHead;
    const ofPairs = (last: number) => device.zeros([1, nRes, nRes, nHead, last]);
    this.#state = { top: addScalar(ofPairs(1), LOWEST), total: ofPairs(1), out: ofPairs(channels) };
  }

  /**
   * Attends to one more template.
   *
   * @param t `[1, 1, N_res, N_res, c_t]`.
   * @param mask 1 if it is there, else 0: of size 1.
   */
  add(t: Tensor, mask: Tensor): void {
    const { device, shape: [, nRes] } = this.#z;
    const { linearQ, linearK, linearV } = this.#params;
    const { top, total, out } = this.#state;
    const [nHead, hidden] = [this.#nHead, linearQ.weight.shape[0]];
    const pairs = reshape(t, t.shape.slice(1));
    const penalty = multiplyScalar(addScalar(reshape(mask, [1, 1, 1, 1, 1]), -1), PENALTY);
    noGrad(device, () => {
      // All that a part holds at once: projections, their products, and both states.
      for (const [from, to] of partsOf(device, { count: nRes, size: nRes ** 2 * 8 * hidden })) {
        using _ = device.scope("part");
        const part: Part = { axis: 1, from, to };
        const projected = (x: Tensor, map: typeof linearQ) => {
          const made = linear(readPart(x, part), map);
          return reshape(made, [1, to - from, nRes, nHead, hidden / nHead]);
        };
        const q = multiplyScalar(projected(this.#z, linearQ), Math.sqrt(nHead / hidden));
        const dot = sum(multiply(q, projected(pairs, linearK)), { axes: [-1], keepDims: true });
        const logit = add(dot, penalty);
        const before = readPart(top, part);
        const highest = maximum(before, logit);
        const shrink = exp(subtract(before, highest)), weight = exp(subtract(logit, highest));
        const told = multiply(projected(pairs, linearV), weight);
        writePart(add(multiply(readPart(out, part), shrink), told), out, part);
        writePart(add(multiply(readPart(total, part), shrink), weight), total, part);
        writePart(highest, top, part);
      }
    });
  }

  /**
   * What all templates tell, added to z.
   *
   * @returns `[1, N_res, N_res, c_z]`, owned by the current scope.
   */
  finish({ residual, consume }: { readonly residual: Tensor; readonly consume?: boolean }): Tensor {
    const { device, shape: [, nRes] } = this.#z;
    const { out, total } = this.#state;
    const hidden = out.size / nRes ** 2;
    return linearInParts(
      device,
      { axis: 1, count: nRes, size: 2 * out.size },
      {
        x: reshape(out, [1, nRes, nRes, hidden]),
        ...{ residual, consume, split: { total }, whole: this.#params.linearO },
      },
      ({ x, split: { total }, whole: map }) => {
        const mean = divide(reshape(x, [...total.shape.slice(0, 4), hidden / this.#nHead]), total);
        return { x: reshape(mean, x.shape), map };
      },
    );
  }

  /** Lets go of what is kept between templates. */
  [Symbol.dispose](): void {
    for (const tensor of Object.values(this.#state)) tensor.dispose();
  }
}
