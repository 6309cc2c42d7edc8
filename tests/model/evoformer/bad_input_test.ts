import assert from "node:assert/strict";
import { type Device, Key, type Tensor } from "../../../core/mod.ts";
import {
  evoformerBlock,
  evoformerConfig,
  evoformerStack,
  extraMsaStack,
  initEvoformer,
  initExtraMsaStack,
  msaColumnAttention,
  msaColumnGlobalAttention,
  msaRowAttentionWithPairBias,
  msaTransition,
  outerProductMean,
  pairStack,
  pairTransition,
  triangleAttentionEndingNode,
  triangleAttentionStartingNode,
  triangleMultiplicationIncoming,
  triangleMultiplicationOutgoing,
} from "../../../model/evoformer/mod.ts";
import {
  initNnxEvoformer,
  nnxEvoformerBlock,
  nnxEvoformerConfig,
  nnxGatedMha,
  nnxOuterProductMean,
  nnxTriangleUpdate,
} from "../../../model/nnx_evoformer/mod.ts";
import { gpuTest } from "../../_gpu.ts";

const CONFIG = evoformerConfig({
  ...{ cM: 8, cZ: 12, cS: 4, cHiddenMsaAtt: 4, cHiddenOpm: 4, cHiddenMul: 4, cHiddenPairAtt: 4, nHeadMsa: 2 },
  ...{ nHeadPair: 1, nBlock: 1 },
});

/** Each call with the part of its message that names tensor, axis, what was given and what was expected. */
function callsOf(device: Device): [string, () => unknown, RegExp][] {
  const { blocks, linear } = initEvoformer(device, CONFIG, Key.fromSeed(1));
  const block = blocks[0], pair = block.pairStack;
  const extra = initExtraMsaStack(device, CONFIG, Key.fromSeed(1));
  const t = (...shape: number[]) => device.zeros(shape);
  const m = t(2, 3, 5, 8), z = t(2, 5, 5, 12), oblong = t(2, 5, 6, 12), shallow = t(2, 5, 5, 11);
  const whole = device.zeros([2, 3, 5], "i32"), wholePairs = device.zeros([2, 5, 5], "u32");
  const nHead = 2;
  const nnx = initNnxEvoformer(device, nnxEvoformerConfig({ cM: 8, cZ: 12 }), Key.fromSeed(1));
  const options = { nHead, axis: 2, normEps: 1e-6 } as const;
  const row = nnx.rowWiseGatedSelfAttentionWithPairBias.gatedMha;
  return [
    [
      "no sequences",
      () => evoformerBlock(block, { m: t(2, 0, 5, 8), z }, CONFIG),
      /m must be .* axis 1 is 0, expected/,
    ],
    [
      "m of other channels",
      () => evoformerBlock(block, { m: t(2, 3, 5, 9), z }, CONFIG),
      /m must be .* axis 3 is 9 instead of 8/,
    ],
    [
      "z of other residues",
      () => evoformerBlock(block, { m, z: t(2, 5, 4, 12) }, CONFIG),
      /z must be .* axis 2 is 4 instead of 5/,
    ],
    [
      "z of another batch",
      () => evoformerStack({ blocks, linear }, { m, z: t(1, 5, 5, 12) }, CONFIG),
      /z must be .* axis 0 is 1 instead of 2/,
    ],
    [
      "m without a batch",
      () => evoformerStack({ blocks, linear }, { m: t(3, 5, 8), z }, CONFIG),
      /m must be .*: it has 3 axes instead of 4/,
    ],
    [
      "an MSA mask turned",
      () => extraMsaStack(extra, { m, z, msaMask: t(2, 5, 3) }, CONFIG),
      /msaMask must be \[2, 3, 5\], it is f32 \[2, 5, 3\]: axis 1 is 5 instead of 3/,
    ],
    [
      "an MSA mask for pairs",
      () => extraMsaStack(extra, { m, z, pairMask: t(2, 3, 5) }, CONFIG),
      /pairMask must be .* axis 1 is 3 instead of 5/,
    ],
    [
      "a mask of whole numbers",
      () => extraMsaStack(extra, { m, z, msaMask: whole }, CONFIG),
      /msaMask .*: its numbers are i32 instead of f32/,
    ],
    [
      "a pair stack's mask of whole numbers",
      () => pairStack(pair, z, wholePairs, CONFIG),
      /mask .* u32 instead of f32/,
    ],
    [
      "a pair stack's pairs",
      () => pairStack(pair, oblong, undefined, CONFIG),
      /pairStack: z must be .* axis 2 is 6 instead of 5/,
    ],
    [
      "row attention",
      () => msaRowAttentionWithPairBias(block.msaAttRow, m, shallow, { nHead }),
      /WithPairBias: z must be .* axis 3 is 11 instead of 12/,
    ],
    [
      "row attention's mask",
      () => msaRowAttentionWithPairBias(block.msaAttRow, m, z, { nHead, mask: t(2, 3) }),
      /mask .* 2 axes instead of 3/,
    ],
    [
      "column attention",
      () => msaColumnAttention(block.msaAttCol!, m, { nHead, residual: t(2, 3, 5, 7) }),
      /residual must be .* axis 3 is 7 instead of 8/,
    ],
    [
      "global attention",
      () => msaColumnGlobalAttention(extra.blocks[0].msaAttCol, m, { nHead, mask: t(2, 4, 5) }),
      /mask must be .* axis 1 is 4 instead of 3/,
    ],
    [
      "MSA transition",
      () => msaTransition(block.msaTransition, z),
      /msaTransition: m must be .* axis 3 is 12 instead of 8/,
    ],
    [
      "pair transition",
      () => pairTransition(pair.pairTransition, z, { mask: t(2, 5, 4) }),
      /mask must be .* axis 2 is 4 instead of 5/,
    ],
    [
      "outer product",
      () => outerProductMean(block.outerProductMean, m, { residual: shallow }),
      /residual must be .* axis 3 is 11 instead of 12/,
    ],
    [
      "outer product's mask",
      () => outerProductMean(block.outerProductMean, m, { mask: whole }),
      /mask .* i32 instead of f32/,
    ],
    [
      "triangle, outgoing",
      () => triangleMultiplicationOutgoing(pair.triMulOut!, oblong),
      /Outgoing: z must be .* axis 2 is 6 instead of 5/,
    ],
    [
      "triangle, incoming",
      () => triangleMultiplicationIncoming(pair.triMulIn!, z, { mask: t(1, 5, 5) }),
      /mask must be .* axis 0 is 1 instead of 2/,
    ],
    [
      "starting node",
      () => triangleAttentionStartingNode(pair.triAttStart, z, { nHead: 1, mask: t(2, 5, 6) }),
      /mask must be .* axis 2 is 6/,
    ],
    [
      "ending node",
      () => triangleAttentionEndingNode(pair.triAttEnd, shallow, { nHead: 1 }),
      /EndingNode: z must be .* axis 3 is 11/,
    ],
    [
      "heads",
      () => triangleAttentionEndingNode(pair.triAttEnd, z, { nHead: 3 }),
      /4 channels do not divide into 3 heads/,
    ],
    [
      "the notebook's block",
      () => nnxEvoformerBlock(nnx, { msa: m, pairs: oblong }, nnxEvoformerConfig({ cM: 8, cZ: 12 })),
      /pairs must be .* axis 2 is 6 instead of 5/,
    ],
    [
      "the notebook's attention",
      () => nnxGatedMha(row, m, { ...options, z: shallow }),
      /z must be .* axis 3 is 11 instead of 12/,
    ],
    [
      "its outer product",
      () => nnxOuterProductMean(nnx.outerProductMean, z, { normEps: 1e-6 }),
      /m must be .* axis 3 is 12 instead of 8/,
    ],
    [
      "its triangle",
      () => nnxTriangleUpdate(nnx.triangularUpdateOutgoingEdges, oblong, { direction: "outgoing" }),
      /z must be .* axis 2 is 6 instead of 5/,
    ],
  ];
}

gpuTest("shapes that do not match are refused: which tensor, which axis, given and expected", (device) => {
  for (const [name, call, message] of callsOf(device)) {
    assert.throws(call, (error: Error) => {
      assert.ok(error instanceof TypeError, `${name}: ${error}`);
      assert.match(error.message, message, name);
      return true;
    }, name);
  }
});

gpuTest("what fits is not refused, views and batches of one included", (device) => {
  const { blocks } = initEvoformer(device, CONFIG, Key.fromSeed(1));
  const m = device.view(device.zeros([15, 8]), [1, 3, 5, 8]);
  const ones = (...shape: number[]): Tensor =>
    device.tensor(new Float32Array(shape.reduce((a, b) => a * b)).fill(1), shape);
  const z = device.zeros([1, 5, 5, 12]);
  evoformerBlock(blocks[0], { m, z, msaMask: ones(1, 3, 5), pairMask: ones(1, 5, 5) }, CONFIG);
});
