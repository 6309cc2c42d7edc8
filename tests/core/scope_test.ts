import assert from "node:assert/strict";
import type { Device, Tensor } from "../../core/mod.ts";
import { gpuTest } from "../_gpu.ts";

gpuTest("a scope frees what was made in it, but for what is kept", async (device) => {
  const before = device.memory.liveTensors;
  let kept: Tensor, freed: Tensor;
  {
    using scope = device.scope("inner");
    freed = device.tensor([1, 2], [2]);
    kept = scope.keep(device.tensor([3, 4], [2]));
    assert.equal(device.memory.liveTensors, before + 2);
  }
  assert.equal(device.memory.liveTensors, before + 1);
  assert.ok(freed.disposed && !kept.disposed);
  assert.deepEqual([...await kept.read()], [3, 4]);
  assert.throws(() => freed.storage, { name: "TypeError", message: /\[2\] was used after it was disposed of/ });
});

gpuTest("a kept tensor belongs to the enclosing scope, trees are kept leaf by leaf", (device) => {
  let deep: Tensor;
  const tree: { a: Tensor | null; list: Tensor[] } = { a: null, list: [] };
  {
    using _outer = device.scope("outer");
    {
      using inner = device.scope("inner");
      assert.ok(inner.path.endsWith("outer/inner"), inner.path);
      deep = inner.keep(device.tensor([1], [1]));
      tree.a = device.tensor([2], [1]);
      tree.list = [device.tensor([3], [1])];
      assert.equal(inner.keep(tree), tree);
    }
    assert.ok(!deep.disposed && !tree.a!.disposed && !tree.list[0].disposed);
  }
  assert.ok(deep.disposed && tree.a!.disposed && tree.list[0].disposed);
});

gpuTest("tensors of other owners pass through keep() unchanged", (device) => {
  let outside: Tensor;
  {
    using _outer = device.scope("outer");
    outside = device.tensor([1], [1]);
    {
      using inner = device.scope("inner");
      inner.keep(outside);
      inner.keep(outside);
    }
    assert.ok(!outside.disposed);
  }
  assert.ok(outside.disposed);
});

gpuTest(
  "a scope closed before one inside it complains, frees its tensors, and leaves the others in order",
  (device) => {
    const before = device.memory.liveTensors;
    const outer = device.scope("outer");
    const x = device.tensor([1], [1]);
    const middle = device.scope("middle"), inner = device.scope("inner");
    const y = device.tensor([2], [1]), z = inner.keep(device.tensor([3], [1]));
    assert.throws(() => outer[Symbol.dispose](), /Scope outer was closed while middle was open inside it/);
    assert.deepEqual([x.disposed, y.disposed, z.disposed], [true, false, false]);
    outer[Symbol.dispose](); // a second time does nothing
    assert.ok(inner.path.endsWith("test/middle/inner") && middle.parent?.name === "test", inner.path);
    inner[Symbol.dispose]();
    middle[Symbol.dispose]();
    assert.deepEqual([y.disposed, z.disposed], [true, true]);
    assert.equal(device.memory.liveTensors, before);
    using after = device.scope("after");
    assert.equal(after.parent?.name, "test", "the stack is as it was");
  },
);

/** Opens a scope, makes a tensor, waits, makes another, closes the scope. */
async function flow(device: Device, name: string, log: string[]): Promise<number> {
  log.push(`${name} begins`);
  using scope = device.scope(name);
  const x = scope.keep(device.tensor([1, 2], [2]));
  await x.read();
  await device.tensor([3, 4, 5], [3]).read();
  x.dispose();
  log.push(`${name} ends`);
  return (await device.tensor([6], [1]).read())[0];
}

gpuTest("two asynchronous flows that interleave leak nothing and leave the scopes in order", async (device) => {
  const before = device.memory.liveTensors;
  const outcomes = await Promise.allSettled(["one", "two", "three"].map((name) => flow(device, name, [])));
  const failed = outcomes.filter((outcome) => outcome.status === "rejected");
  assert.ok(failed.length > 0, "they did interleave");
  for (const { reason } of failed) assert.match(`${reason}`, /a device serves one flow of control at a time/);
  assert.equal(device.memory.liveTensors, before);
  using after = device.scope("after");
  assert.equal(after.parent?.name, "test");
});

gpuTest("exclusive() lets asynchronous flows take turns, whatever becomes of them", async (device) => {
  const log: string[] = [];
  const outcomes = await Promise.allSettled([
    device.exclusive(() => flow(device, "one", log)),
    device.exclusive(async () => {
      await flow(device, "two", log);
      throw new RangeError("on purpose");
    }),
    device.exclusive(() => flow(device, "three", log)),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  assert.deepEqual(log, ["one", "two", "three"].flatMap((name) => [`${name} begins`, `${name} ends`]));
});

gpuTest("a scope frees on the way out of an error", (device) => {
  const before = device.memory.liveTensors;
  assert.throws(() => {
    using _ = device.scope("failing");
    device.tensor([1], [1]);
    throw new RangeError("on purpose");
  }, RangeError);
  assert.equal(device.memory.liveTensors, before);
});

gpuTest("a view shares the storage, which lives as long as one of them", async (device) => {
  const before = device.memory.liveTensors;
  let view: Tensor;
  {
    using scope = device.scope("inner");
    const x = device.tensor([1, 2, 3, 4], [4]);
    view = scope.keep(device.view(x, [2, 2]));
    x.dispose();
    x.dispose(); // a second time does nothing
  }
  assert.equal(device.memory.liveTensors, before + 1);
  assert.deepEqual([...await view.read()], [1, 2, 3, 4]);
  view.dispose();
  assert.equal(device.memory.liveTensors, before);
});

gpuTest("a held tensor is outside all scopes", (device) => {
  let held: Tensor;
  {
    using _ = device.scope("inner");
    held = device.hold(device.tensor([1], [1]));
  }
  assert.ok(!held.disposed);
  held.dispose();
});
