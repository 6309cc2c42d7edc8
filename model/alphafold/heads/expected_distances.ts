import { noGrad, readable, type Tensor } from "../../../core/mod.ts";
import { add, concat, linear, permute, reshape, slice, softmaxExpectation } from "../../../ops/mod.ts";
import { checkShape } from "../../layers/check_shape.ts";
import { distogramBoundaries } from "./distogram_head.ts";
import type { LinearHeadParams } from "./params.ts";

/** Bytes of logits that are made at once. */
const PART_BYTES = 2 ** 24;

/**
 * Centres of the distogram's bins in Å; the first and the last, which are open, count as wide as the others.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.8.
 */
export function distogramCenters(bins: number): Float64Array {
  const bounds = distogramBoundaries(bins);
  const width = bounds[1] - bounds[0];
  return Float64Array.from({ length: bins }, (_, k) => (k === 0 ? bounds[0] : bounds[k - 1] + width) - width / 2);
}

/**
 * Distances between C-betas (C-alphas of glycines) as the distogram expects them: means over its bins. Logits are made
 * and used up in parts.
 *
 * Source: Jumper et al. (2021), Suppl. 1.9.8.
 *
 * @param z `[batch, N_res, N_res, c_z]`.
 * @returns Å, `[batch, N_res, N_res]`, owned by the current scope; no gradient flows to it.
 * @throws {TypeError} If the shapes do not fit.
 */
export function expectedDistances(params: LinearHeadParams, z: Tensor): Tensor {
  const { device, shape: [batch, nRes, , cZ] } = z;
  const [bins, c] = params.linear.weight.shape;
  checkShape("expectedDistances", "z", z, ["batch", "N_res", "N_res", c]);
  using scope = device.scope("expectedDistances");
  return scope.keep(noGrad(device, () => {
    const centers = device.tensor(distogramCenters(bins), [bins]);
    const rows = Math.max(1, Math.floor(PART_BYTES / (4 * nRes * bins)));
    const parts: Tensor[] = [];
    for (let b = 0; b < batch; b++) {
      for (let from = 0; from < nRes; from += rows) {
        using part = device.scope("part");
        const to = Math.min(from + rows, nRes), count = to - from;
        const own = linear(readable(z, (b * nRes + from) * nRes * cZ, [count, nRes, cZ]), params.linear);
        const columns = reshape(slice(z, [b, 0, from, 0], [b + 1, nRes, to, cZ]), [nRes, count, cZ]);
        const logits = add(own, permute(linear(columns, params.linear), [1, 0, 2]));
        parts.push(part.keep(softmaxExpectation(logits, centers)));
      }
    }
    return reshape(concat(parts, 0), [batch, nRes, nRes]);
  }));
}
