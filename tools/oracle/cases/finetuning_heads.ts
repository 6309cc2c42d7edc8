/** Heads of fine-tuning and their losses, as PyTorch computes them. */
import {
  labelHead,
  labelHeadConfig,
  type LabelHeadParams,
  labelHeadShapes,
  type Pooling,
  poolResidues,
  REGRESSION_LOSSES,
  type RegressionLoss,
  regressionLoss,
} from "../../../finetune/mod.ts";
import { reshape } from "../../../ops/mod.ts";
import type { Family } from "../family.ts";
import type { Golden } from "../golden.ts";
import { differentiate, input } from "./_differentiate.ts";
import { moduleFamily } from "./_module.ts";

function headOf({ config }: Golden) {
  const { c_s, c_z, hidden, pool } = config as { c_s: number; c_z: number | null; hidden: number; pool: Pooling };
  return labelHeadConfig(c_s, { hidden, pooling: pool, ...(c_z !== null && { cZ: c_z }) });
}

const head = (prefix: string, inputs: readonly string[]) =>
  moduleFamily<LabelHeadParams>({
    prefix,
    source: /^affinity head/,
    shapes: (golden) => labelHeadShapes(headOf(golden)),
    inputs,
    constants: { mask: "f32" },
    run(params, { s, z }, { mask }, golden) {
      const { pooled, weights } = poolResidues(params, { s, z, mask });
      return { pooled, weights, prediction: reshape(labelHead(params, { s, z, mask }, headOf(golden)), []) };
    },
  });

const loss = (kind: RegressionLoss): Family => ({
  prefix: `loss_${kind}`,
  matches: ({ description }) => description.group === "finetune",
  run: (device, golden) =>
    differentiate(
      device,
      golden,
      { params: {}, inputs: { prediction: input(device, golden, "prediction") } },
      ({ inputs }) => ({ loss: regressionLoss(kind, inputs.prediction, golden.data("in/target")) }),
    ),
});

/** Heads for labels, and losses of numbers. */
export const FINETUNING_HEADS: readonly Family[] = [
  head("affinity_head", ["s"]),
  head("affinity_head_mean_pair", ["s", "z"]),
  head("affinity_head_attention_pair", ["s", "z"]),
  ...REGRESSION_LOSSES.map(loss),
];
