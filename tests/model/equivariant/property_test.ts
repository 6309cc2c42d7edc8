import assert from "node:assert/strict";
import { type Device, Key, mapLeaves, type Tensor } from "../../../core/mod.ts";
import {
  bondDistances,
  egnn,
  egnnConfig,
  type EgnnParams,
  initEgnn,
  initLieTransformer,
  initSe3Transformer,
  lieConfig,
  lieTransformer,
  randomLift,
  se3Config,
  se3Transformer,
} from "../../../model/equivariant/mod.ts";
import { quaternionProduct } from "../../../model/equivariant/lie/maps.ts";
import { wignerD } from "../../../model/equivariant/se3/harmonics.ts";
import { multiplyScalar } from "../../../ops/mod.ts";
import { gpuTest } from "../../_gpu.ts";
import { difference, mirrored, QUATERNION, ROTATION, TRANSLATION, turned } from "./_motions.ts";

const BAR = 1e-5;

/** Seven points of which two lie on each other and the last one is padding, and what else networks read. */
function sample(device: Device) {
  const points = Key.fromSeed(1).normal(21).map((x) => 3 * x);
  points.copyWithin(3, 0, 3);
  const chain = Array.from({ length: 49 }, (_, k) => +(Math.abs(Math.floor(k / 7) - k % 7) === 1));
  return {
    points,
    at: (points: ArrayLike<number>) => device.tensor(points, [1, 7, 3]),
    feats: device.tensor([0, 1, 2, 0, 1, 2, 0], [1, 7], "i32"),
    mask: device.tensor([1, 1, 1, 1, 1, 1, 0], [1, 7]),
    bonds: bondDistances(chain, 7, 2),
  };
}

const CONFIG = { dim: 4, depth: 2, numTokens: 3, numAdjDegrees: 2, adjDim: 2 };

gpuTest("an E(n)-equivariant network turns, moves and mirrors with its points", async (device) => {
  const { points, at, feats, mask, bonds } = sample(device);
  const config = egnnConfig({ ...CONFIG, normCoors: true, numNearestNeighbors: 5, validRadius: 9, fourierFeatures: 2 });
  const params = mapLeaves<Tensor, EgnnParams>(
    initEgnn(device, config, Key.fromSeed(2)),
    (leaf) => leaf.shape.length > 1 ? multiplyScalar(leaf, 300) : leaf, // fresh maps are so small that nothing would move
  );
  const run = async (points: ArrayLike<number>) => {
    const { feats: numbers, coors } = egnn(params, { feats, coors: at(points), mask }, config, bonds);
    return { numbers: await numbers.read(), coors: await coors.read() };
  };
  const plain = await run(points);
  assert(difference(plain.coors, points) > 1e-2, "nothing has moved");
  const moved = await run(turned(points, TRANSLATION)), mirror = await run(mirrored(points));
  assert(difference(moved.numbers, plain.numbers) < BAR);
  assert(difference(moved.coors, turned(plain.coors, TRANSLATION)) < BAR);
  assert(difference(mirror.numbers, plain.numbers) < BAR);
  assert(difference(mirror.coors, mirrored(plain.coors)) < BAR);
});

const se3 = { ...CONFIG, heads: 2, dimHead: 2, midDim: 8, numDegrees: 3, outputDegrees: 3, reduceDimOut: true };

for (
  const [name, given] of Object.entries({
    "all neighbours": {},
    "the nearest and bonded ones, with keys that stand for nothing": {
      ...{ numNeighbors: 2, attendSparseNeighbors: true, validRadius: 9, useNullKv: true },
    },
    "layers of messages": { useEgnn: true, egnnHiddenDim: 5, egnnFeedforward: true },
  })
) {
  gpuTest(
    `an SE(3)-transformer turns with its points, and with attention tells mirror images apart: ${name}`,
    async (device) => {
      const { points, at, feats, mask, bonds } = sample(device);
      const config = se3Config({ ...se3, ...given });
      const params = initSe3Transformer(device, config, Key.fromSeed(2));
      const run = async (points: ArrayLike<number>) => {
        const out = se3Transformer(params, { feats, coors: at(points), mask }, config, bonds);
        const read = async (x: Tensor) => [...await x.read()] as number[];
        return [await read(out[0]), await read(out[1]), await read(out[2])];
      };
      const [numbers, vectors, tensors] = await run(points);
      const moved = await run(turned(points, TRANSLATION));
      assert(difference(moved[0], numbers) < BAR);
      assert(difference(moved[1], turned(vectors)) < BAR);
      const { data } = wignerD(2, ROTATION);
      const expected = tensors.map((_, k) =>
        [0, 1, 2, 3, 4].reduce((sum, j) => sum + data[5 * (k % 5) + j] * tensors[5 * Math.floor(k / 5) + j], 0)
      );
      assert(difference(moved[2], expected) < BAR);
      if (config.useEgnn) return; // numbers alone go into its one convolution, which mirror images leave alike
      const mirror = await run(mirrored(points));
      assert(difference(mirror[1], mirrored(vectors)) > 1e-3, "mirror images cannot be told apart");
    },
  );
}

gpuTest("a LieTransformer does not change when points and their orientations are turned and moved", async (device) => {
  const { points, at, feats, mask } = sample(device);
  const config = lieConfig({ dim: 4, depth: 2, heads: 2, dimHead: 2, liftsamples: 2, radius: 20, numTokens: 3 });
  const params = initLieTransformer(device, config, Key.fromSeed(2));
  const lift = randomLift(Key.fromSeed(3), 1, 7, 2);
  const turnedLift = {
    ...lift,
    quaternions: Array.from({ length: 14 }, (_, k) => k).flatMap((k) =>
      quaternionProduct(QUATERNION, [0, 1, 2, 3].map((axis) => lift.quaternions[4 * k + axis]))
    ),
  };
  const run = async (points: ArrayLike<number>, own = lift) =>
    [...await lieTransformer(params, { feats, coors: at(points), mask }, own, config).read()] as number[];
  const plain = await run(points);
  assert(difference(await run(turned(points, TRANSLATION), turnedLift), plain) < BAR);
  assert(difference(await run(turned(points, TRANSLATION)), plain) > 1e-4, "orientations play no part");
});
