import { add, mean, multiply } from "../../../ops/mod.ts";
import type { Tensor, Tree } from "../../../core/mod.ts";
import { Trainer } from "../../../finetune/mod.ts";
import { evoformerStack, type EvoformerStackParams, loadEvoformer } from "../../../model/evoformer/mod.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { alphafoldConfigOf, alphafoldDefaults } from "../../train/alphafold/options.ts";
import { hashedParameter, hashedTensor } from "../hashed.ts";
import type { Measurement } from "../record.ts";
import { stepBesideTorch } from "../torch_step.ts";
import { EVOFORMER } from "./evoformer.ts";
import type { BenchContext } from "./mod.ts";

/** A crop of the reduced network's initial stage. */
const SIZES = { nSeq: 16, nRes: 64 } as const;
const LEARNING_RATE = 1e-4;

/**
 * A training step of the reduced AlphaFold's Evoformer blocks at a crop's sizes: forward, gradients of all parameters, Adam;
 * beside PyTorch's step of the same blocks with the same numbers.
 */
export async function* alphafoldStep(context: BenchContext): AsyncIterable<Measurement> {
  const { device } = context;
  using scope = device.scope("bench");
  void scope;
  const { model, own } = alphafoldDefaults({ size: "reduced" });
  const { evoformer: config } = alphafoldConfigOf(model, own);
  const params = loadEvoformer(device, config, (path, shape) => hashedParameter(snakeCase(path), shape));
  const { nSeq, nRes } = SIZES;
  const m = hashedTensor(device, "m", [1, nSeq, nRes, config.cM]),
    z = hashedTensor(device, "z", [1, nRes, nRes, config.cZ]);
  const squares = (x: Tensor) => mean(multiply(x, x));
  const trainer = new Trainer<EvoformerStackParams, Tree<Tensor>>(device, {
    params,
    loss(params) {
      const out = evoformerStack(params, { m, z }, config);
      return add(squares(out.m), squares(out.z));
    },
    optimizer: { kind: "adam", learningRate: LEARNING_RATE, weightDecay: 0, eps: 1e-6 },
  });
  const sizes = {
    ...{ c_m: config.cM, c_z: config.cZ, c_msa: config.cHiddenMsaAtt, heads_msa: config.nHeadMsa },
    ...{ c_pair: config.cHiddenPairAtt, heads_pair: config.nHeadPair, c_opm: config.cHiddenOpm },
    ...{ c_mul: config.cHiddenMul, transition: config.transitionN },
  };
  yield* stepBesideTorch(context, trainer, {
    workload: "alphafold-step",
    sizes: { n_seq: nSeq, n_res: nRes, blocks: config.nBlock, c_m: config.cM, c_z: config.cZ },
    peer: [
      "torch_evoformer_step.py",
      ...["--sizes", Object.entries(sizes).map((pair) => pair.join("=")).join()],
      ...["--blocks", `${config.nBlock}`, "--n-seq", `${nSeq}`, "--n-res", `${nRes}`],
      ...["--learning-rate", `${LEARNING_RATE}`],
    ],
    most: EVOFORMER.bars.timesTorch!.train,
  });
}
