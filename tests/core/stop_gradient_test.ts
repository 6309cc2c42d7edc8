import assert from "node:assert/strict";
import { noGrad, pullback, stopGradient, type Tensor, valueAndGrad } from "../../core/mod.ts";
import { add, exp, multiply, square } from "../../ops/elementwise.ts";
import { sum } from "../../ops/reduce.ts";
import { gpuTest } from "../_gpu.ts";

gpuTest("stopGradient() makes a constant of the same numbers, of trees too", async (device) => {
  const x = device.tensor([1, 2, 3], [3]), y = device.tensor([4, 5, 6], [3]);
  const { value, grads } = valueAndGrad(device, ({ x, y }: { x: Tensor; y: Tensor }) => {
    const fixed = stopGradient({ x, list: [y], none: null });
    assert.equal(fixed.x.storage, x.storage, "nothing is copied");
    return sum(add(multiply(fixed.x, y), exp(multiply(fixed.list[0], fixed.x)))); // d/dy = x, d/dx = 0
  }, { x, y });
  assert.ok(Math.abs(await value.item() / (4 + 10 + 18 + Math.exp(4) + Math.exp(10) + Math.exp(18)) - 1) < 1e-5);
  assert.equal(grads.x, null);
  assert.deepEqual([...await grads.y!.read()], [1, 2, 3]);
});

gpuTest(
  "noGrad() records nothing, puts the tape back, also after an error, and lets pullback() record inside",
  async (device) => {
    const x = device.tensor([1, 2], [2]);
    const { grads } = valueAndGrad(device, (x: Tensor) => {
      const tape = device.tape;
      assert.ok(tape);
      assert.throws(() =>
        noGrad(device, () => {
          assert.equal(device.tape, null);
          throw new RangeError("on purpose");
        }), RangeError);
      assert.equal(device.tape, tape);
      const constant = noGrad(device, () => {
        const { pullLeaves } = pullback(device, square, x);
        return pullLeaves([x])[0]!; // 2 x²
      });
      return sum(multiply(constant, x));
    }, x);
    assert.deepEqual([...await grads!.read()], [2, 8]);
    assert.equal(device.tape, null);
  },
);

gpuTest("gradients flow through view() and hold(), back to the shape they came from", async (device) => {
  const x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
  const f = (x: Tensor) => {
    const view = device.view(x, [3, 2]);
    using held = device.hold(view, [6]);
    return add(square(held), device.view(view, [6]));
  };
  const [dx] = pullback(device, f, x).pullLeaves([device.tensor([1, 1, 1, 1, 1, 1], [6])]);
  assert.deepEqual(dx!.shape, [2, 3]);
  assert.deepEqual([...await dx!.read()], [3, 5, 7, 9, 11, 13]);
  assert.throws(() => pullback(device, (x: Tensor) => device.window(x, 0, [4]), x), {
    name: "TypeError",
    message: /No gradient flows through a window of \[2,3\]/,
  });
});
