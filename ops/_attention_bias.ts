/** The bias of attention's logits as kernels read it. */
import { type Device, elementGrid, type Tensor } from "../core/mod.ts";
import type { Sizes } from "./_attention_sizes.ts";
import { padBiasKernel } from "./attention.wgsl.ts";

/** vec4s of a row of the bias. */
export const quads = (length: number) => Math.ceil(length / 4);

/** The bias as the kernels read it: whole vec4s a row, transposed for keys. */
export function preparedBias(device: Device, bias: Tensor, { Lq, Lk }: Sizes, transposed: boolean): Tensor {
  if (!transposed && Lk % 4 === 0) return bias;
  const [rows, L4] = transposed ? [bias.size / Lq, quads(Lq)] : [bias.size / Lk, quads(Lk)];
  const padded = device.empty([rows, 4 * L4]);
  device.run(padBiasKernel({ transposed }), {
    bindings: { bias, padded },
    uniforms: { Lq, Lk, L4, n: rows * L4 },
    grid: elementGrid(rows * L4, 64),
    flops: 0,
  });
  return padded;
}
