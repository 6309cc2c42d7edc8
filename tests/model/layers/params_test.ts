import assert from "node:assert/strict";
import { Key, type Tensor } from "../../../core/mod.ts";
import { constant, initParams, linearShapes, loadParams, ParamShape } from "../../../model/layers/params.ts";
import { linear } from "../../../ops/mod.ts";
import { gpuTest } from "../../_gpu.ts";

gpuTest(
  "initParams() and loadParams() keep the form of their shapes, so that parameters need no cast",
  async (device) => {
    using _ = device.scope("test");
    const one = new ParamShape([1], constant(1));
    const shapes = { head: linearShapes(1, 2, { weight: constant(2), bias: constant(1) }), layers: [{ scale: one }] };
    const params = initParams(device, shapes, Key.fromSeed(1));
    const { head, layers: [{ scale }] }: { head: { weight: Tensor; bias?: Tensor }; layers: { scale: Tensor }[] } =
      params;
    const x = device.tensor([3, 4], [1, 2]);
    assert.equal(await linear(x, params.head).item(), 15);
    assert.deepEqual([head.weight.shape, scale.shape], [[1, 2], [1]]);
    const loaded = loadParams(
      device,
      shapes,
      (path, shape) => new Float32Array(shape[0] * (shape[1] ?? 1)).fill(path.length),
    );
    assert.equal(await loaded.layers[0].scale.item(), "layers.0.scale".length);
  },
);
