import { pullback, type Tensor } from "../../../core/mod.ts";
import { evoformerBlock, evoformerConfig, loadEvoformer } from "../../../model/evoformer/mod.ts";
import { packProjections } from "../../../model/layers/packed_linear.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { evoformerFlops } from "../flops.ts";
import { hashedParameter, hashedTensor } from "../hashed.ts";
import { type Block, measureBlock } from "./block.ts";

/** AlphaFold 2's Evoformer block, forward and forward with gradients of all parameters and both inputs. */
export const EVOFORMER: Block = {
  name: "evoformer",
  sizes: ({ nSeq, nRes }) => ({ n_seq: nSeq, n_res: nRes }),
  flops: ({ nSeq, nRes }) => evoformerFlops(nSeq, nRes),
  bars: { timesTorch: { forward: 2.8, train: 3 }, timesBestJs: 1 },
  open(device, { nSeq, nRes }) {
    const config = evoformerConfig({ nBlock: 1 });
    const [params] = loadEvoformer(device, config, (path, shape) => hashedParameter(snakeCase(path), shape)).blocks;
    const m = hashedTensor(device, "m", [1, nSeq, nRes, config.cM]);
    const z = hashedTensor(device, "z", [1, nRes, nRes, config.cZ]);
    type Primals = { readonly inputs: { readonly m: Tensor; readonly z: Tensor }; readonly params: typeof params };
    const run = ({ inputs, params }: Primals) => evoformerBlock(params, inputs, config);
    const primals = { inputs: { m, z }, params };
    const packed = { ...primals, params: packProjections(params) }; // once, as networks that only predict have them
    return {
      inputs: [m, z],
      forward: () => Object.values(run(packed)),
      pullback: () => pullback(device, run, primals),
    };
  },
};

/** The block at each of the sizes asked for, beside the peers. */
export const evoformer = measureBlock(EVOFORMER);
