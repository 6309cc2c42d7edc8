import assert from "node:assert/strict";
import { Key } from "../../../core/mod.ts";
import {
  bondDistances,
  egnn,
  egnnConfig,
  initEgnn,
  initLieTransformer,
  initSe3Transformer,
  lieConfig,
  lieTransformer,
  nearestOthers,
  nearestWithSelf,
  randomLift,
  refinerConfig,
  se3Config,
  se3Transformer,
  sidechainContainer,
} from "../../../model/equivariant/mod.ts";
import { gpuTest } from "../../_gpu.ts";

Deno.test("configurations of equivariant networks are checked", () => {
  assert.throws(() => se3Config({ dim: 4, numDegrees: 5 }), /numDegrees must be between 1 and 4, .* up to 3, got 5/);
  assert.throws(
    () => se3Config({ dim: 4, outputDegrees: 3 }),
    /outputDegrees must be between 1 and numDegrees = 2, got 3/,
  );
  assert.throws(() => se3Config({ dim: 4, inputDegrees: 2, dimIn: [4] }), /dimIn must be one number or 2, got \[4\]/);
  assert.throws(() => se3Config({ dim: 4, heads: 0 }), /heads must be a positive integer, got 0/);
  assert.throws(() => se3Config({ dim: 4, edgeDim: -1 }), /edgeDim must be a whole number, got -1/);
  assert.throws(() => se3Config({ dim: 4, validRadius: 0 }), /validRadius must be above 0 Å, got 0/);
  assert.throws(() => se3Config({ dim: 4, tieKeyValues: true, linearProjKeys: true }), /not both/);
  assert.throws(() => egnnConfig({ dim: 1.5 }), /dim must be a positive integer, got 1.5/);
  assert.throws(() => egnnConfig({ dim: 4, validRadius: NaN }), /validRadius must be above 0 Å, got NaN/);
  assert.throws(() => egnnConfig({ dim: 4, updateFeats: false, updateCoors: false }), /updateFeats or updateCoors/);
  assert.throws(() => lieConfig({ dim: 4, radius: -1 }), /radius must be above 0, got -1/);
  assert.throws(() => refinerConfig({ kind: "gnn" as "egnn", numTokens: 3 }), /one of egnn, se3, lie, got gnn/);
  assert.throws(() => bondDistances([0, 1, 1], 2), /2 nodes has 4 numbers, got 3/);
  assert.throws(() => bondDistances([0, 1, 1, 0], 2, 0), /must be a positive integer, got 0/);
});

gpuTest("what does not fit an equivariant network is refused in words", (device) => {
  const feats = device.tensor([0, 1, 2], [1, 3], "i32"), coors = device.tensor(Key.fromSeed(1).normal(9), [1, 3, 3]);
  const own = egnnConfig({ dim: 4, depth: 1, numTokens: 3, numPositions: 2 });
  const params = initEgnn(device, own, Key.fromSeed(2));
  assert.throws(() => egnn(params, { feats, coors }, own), /3 nodes, expected at most numPositions = 2/);
  assert.throws(() => egnn(params, { feats: coors, coors }, own), /feats must be \[1, 3\]/);
  const wide = { ...own, numPositions: 3 };
  assert.throws(() => egnn(params, { feats, coors, mask: device.zeros([1, 2]) }, wide), /mask must be \[1, 3\]/);
  assert.throws(() => egnn(params, { feats, coors }, { ...wide, edgeDim: 2 }), /edges are missing, \[1, 3, 3, 2\]/);
  assert.throws(() => egnn(params, { feats, coors }, { ...wide, onlySparseNeighbors: true }), /bonds are missing/);
  assert.throws(() => egnn(params, { feats, coors }, wide, bondDistances([0, 1, 1, 0], 2)), /bonds of 2 nodes, not 3/);

  const se3 = se3Config({ dim: 2, depth: 1, heads: 1, dimHead: 2, midDim: 2, numTokens: 3, numNeighbors: 0 });
  const weights = initSe3Transformer(device, se3, Key.fromSeed(2));
  assert.throws(() => se3Transformer(weights, { feats, coors }, se3), /no neighbour to choose: .* 0 of the nearest/);
  const globalFeats = device.zeros([1, 1, 2]);
  assert.throws(() => se3Transformer(weights, { feats, coors, globalFeats }, se3), /must be given together/);
  assert.throws(() => se3Transformer(weights, { feats: {}, coors }, se3), /features of degree 0 are missing/);
  assert.throws(() => nearestOthers(device.zeros([1, 1, 3]), {}), /there are 1 nodes/);
  assert.throws(() => nearestWithSelf(coors, { count: 1.5 }), /whole number, 0 for bonded ones alone, got 1.5/);

  const lie = lieConfig({ dim: 2, depth: 1, heads: 1, dimHead: 2, liftsamples: 2, nbhd: 4, numTokens: 3 });
  const maps = initLieTransformer(device, lie, Key.fromSeed(2));
  const lift = (samples: number) => randomLift(Key.fromSeed(3), 1, 3, samples);
  assert.throws(
    () => lieTransformer(maps, { feats, coors }, lift(1), lie),
    /lift is of \[1,3,1\] .* expected \[1,3,2\]/,
  );
  assert.throws(
    () => lieTransformer(maps, { feats, coors }, lift(2), lie),
    /choose 4 of 6 motions .* noise is missing/,
  );
  assert.throws(() => sidechainContainer(device.zeros([1, 4, 3])), /backbone \[batch, 3 L, 3\], got \[1,4,3\]/);
});
