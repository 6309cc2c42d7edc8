import type { Tensor, Tree } from "../../../core/mod.ts";
import { Trainer } from "../../../finetune/mod.ts";
import { basisMap, pairName } from "../../../model/equivariant/se3/basis.ts";
import { type Matrix, raising } from "../../../model/equivariant/se3/harmonics.ts";
import {
  se3Config,
  se3Transformer as network,
  type Se3TransformerParams,
  se3TransformerShapes,
} from "../../../model/equivariant/mod.ts";
import { loadParams } from "../../../model/layers/params.ts";
import { snakeCase } from "../../../model/weights/names.ts";
import { add, mean, square } from "../../../ops/mod.ts";
import { hashed, hashedParameter } from "../hashed.ts";
import type { Measurement } from "../record.ts";
import { stepBesideTorch } from "../torch_step.ts";
import type { BenchContext } from "./mod.ts";

const NODES = 64;

/** A step of training an SE(3)-transformer in which every node looks at all others, beside PyTorch. */
export async function* se3Transformer(context: BenchContext): AsyncIterable<Measurement> {
  const { device } = context;
  const sizes = { dim: 32, depth: 2, heads: 4, dimHead: 16, numDegrees: 3 };
  const config = se3Config({ ...sizes, outputDegrees: 2, reduceDimOut: true });
  using scope = device.scope("bench");
  void scope;
  const params = loadParams(
    device,
    se3TransformerShapes(config),
    (path, shape) => hashedParameter(snakeCase(path), shape),
  ) as Se3TransformerParams;
  const feats = device.tensor(hashed("feats", NODES * sizes.dim), [1, NODES, sizes.dim]);
  const coors = device.tensor(hashed("coors", NODES * 3).map((x) => 4 * x), [1, NODES, 3]);
  const trainer = new Trainer<Se3TransformerParams, Tree<Tensor>>(device, {
    params,
    loss(params) {
      const { 0: numbers, 1: vectors } = network(params, { feats, coors }, config);
      return add(mean(square(numbers)), mean(square(vectors)));
    },
    optimizer: { kind: "adam", learningRate: 1e-3, weightDecay: 0 },
  });
  const constants = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(constants, JSON.stringify(constantsFor(sizes.numDegrees)));
    yield* stepBesideTorch(context, trainer, {
      ...{ workload: "se3-transformer", sizes: { nodes: NODES, ...sizes }, most: 2 },
      peer: ["torch_se3_transformer.py", "--constants", constants, "--repeats", "2"],
    });
  } finally {
    await Deno.remove(constants);
  }
}

/** What harmonics are raised by, and what makes the basis of them, as rows. */
function constantsFor(degrees: number): Readonly<Record<string, Readonly<Record<string, number[][]>>>> {
  const all = Array.from({ length: degrees }, (_, degree) => degree), most = 2 * (degrees - 1);
  const basis = all.flatMap((from) =>
    all.map((to) => [pairName(from, to), rowsOf(basisMap(from, to, (most + 1) ** 2))])
  );
  const raised = Array.from({ length: most - 1 }, (_, k) => [k + 2, rowsOf(raising(k + 2))]);
  return { raising: Object.fromEntries(raised), basis: Object.fromEntries(basis) };
}

function rowsOf({ rows, columns, data }: Matrix): number[][] {
  return Array.from({ length: rows }, (_, row) => [...data.slice(row * columns, (row + 1) * columns)]);
}
