import { type Device, pullback, type Shape, type Tensor } from "../../../core/mod.ts";
import { axialAttention, pairBias } from "../../../model/layers/attention.ts";
import { normalize } from "../../../model/layers/layer_norm.ts";
import { normalizedTransition } from "../../../model/layers/transition.ts";
import { triangleUpdate } from "../../../model/layers/triangle_multiplication.ts";
import { pairBlockFlops } from "../flops.ts";
import { hashedParameter, hashedTensor } from "../hashed.ts";
import { type Block, measureBlock } from "./block.ts";

const CHANNELS = 128, HEADS = 4;

const square: Shape = [CHANNELS, CHANNELS];
/** The parts of the kit's pair block by its names: weights `[out, in]`, without biases. */
const SHAPES = {
  ...{ mul_a: square, mul_ag: square, mul_b: square, mul_bg: square, mul_g: square, mul_o: square },
  ...{ q: square, k: square, v: square, g: square, o: square },
  bias: [HEADS, CHANNELS] as Shape,
  t1: [4 * CHANNELS, CHANNELS] as Shape,
  t2: [CHANNELS, 4 * CHANNELS] as Shape,
};

type Params = { readonly [K in keyof typeof SHAPES]: { readonly weight: Tensor } };

/** The kit's pair block: outgoing triangle multiplication, starting triangle attention, transition. */
export const PAIR_BLOCK: Block = {
  name: "pair-block",
  sizes: ({ nRes }) => ({ n_res: nRes }),
  flops: ({ nRes }) => pairBlockFlops(nRes),
  bars: { timesBestJs: 1.2, fasterThanWebGpu: 5 },
  open(device, { nRes }) {
    const params = hashedParams(device);
    const z = hashedTensor(device, "z", [1, nRes, nRes, CHANNELS]);
    const layerNorm = { weight: device.tensor(new Float32Array(CHANNELS).fill(1), [CHANNELS]) };
    const run = (
      { inputs: { z }, params: p }: { readonly inputs: { readonly z: Tensor }; readonly params: Params },
    ) => {
      const triangle = { a: p.mul_a, aGate: p.mul_ag, b: p.mul_b, bGate: p.mul_bg, out: p.mul_o, outGate: p.mul_g };
      const norms = { layerNormIn: layerNorm, layerNormOut: layerNorm };
      const z1 = triangleUpdate({ ...triangle, ...norms }, z, { direction: "outgoing", residual: z });
      const x = normalize(layerNorm, z1);
      const bias = pairBias(p.bias, x);
      const projections = { qkv: [p.q, p.k, p.v], gate: p.g, out: p.o };
      const z2 = axialAttention(projections, x, { nHead: HEADS, axis: 2, bias, residual: z1 });
      return { z: normalizedTransition({ layerNorm, linear1: p.t1, linear2: p.t2 }, z2, { residual: z2 }) };
    };
    const primals = { inputs: { z }, params };
    return {
      inputs: [z],
      forward: () => Object.values(run(primals)),
      pullback: () => pullback(device, run, primals),
    };
  },
};

/** The block at each of the sizes asked for, beside the peers. */
export const pairBlock = measureBlock(PAIR_BLOCK);

function hashedParams(device: Device): Params {
  const entries = Object.entries(SHAPES).map(([name, shape]) => {
    const weight = `${name}.weight`;
    return [name, { weight: device.tensor(hashedParameter(weight, shape), shape) }];
  });
  return Object.fromEntries(entries);
}
