import assert from "node:assert/strict";
import {
  checkpoint,
  defineOp,
  Device,
  Key,
  type Packing,
  pullback,
  sizeOf,
  type Tensor,
  valueAndGrad,
} from "../../core/mod.ts";
import { cast } from "../../ops/cast.ts";
import { dropout } from "../../ops/dropout.ts";
import { add, exp, multiply, multiplyScalar, relu, square, tanh } from "../../ops/elementwise.ts";
import { layerNorm } from "../../ops/layer_norm.ts";
import { linear } from "../../ops/linear.ts";
import { permute } from "../../ops/permute.ts";
import { sum } from "../../ops/reduce.ts";
import { reshape } from "../../ops/reshape.ts";
import { assertClose, gpuTest, randomArray } from "../_gpu.ts";

/** Small gradients wait for others, large ones are added as they come. */
for (const [rows, columns] of [[3, 7], [3, 21_847]]) {
  gpuTest(
    `a tensor [${rows}, ${columns}] used once, twice, three times and more gathers its gradients`,
    async (device) => {
      const shape = [rows, columns];
      const data = randomArray(rows * columns, 1);
      const x = device.tensor(data, shape);
      const ones = device.tensor(new Float32Array(rows * columns).fill(1), shape);
      const cases: [(x: Tensor) => Tensor, (x: number) => number][] = [
        [(x) => add(x, x), () => 2],
        [(x) => add(add(x, x), x), () => 3],
        [(x) => add(x, add(x, x)), () => 3],
        [(x) => multiply(x, x), (x) => 2 * x],
        [(x) => multiply(multiply(x, x), x), (x) => 3 * x * x],
        [(x) => add(multiply(x, x), add(x, square(x))), (x) => 4 * x + 1],
        [(x) => add(add(x, x), add(x, x)), () => 4],
        [(x) => add(add(add(x, x), add(x, x)), add(add(x, x), x)), () => 7],
        [(x) => add(reshape(x, shape), x), () => 2],
        [(x) => permute(add(permute(x, [1, 0]), permute(x, [1, 0])), [1, 0]), () => 2],
      ];
      for (const [f, slope] of cases) {
        const [dx] = pullback(device, f, x).pullLeaves([ones]);
        assert.deepEqual(dx!.shape, shape);
        assertClose(await dx!.read(), data.map(slope), {}, f.toString());
      }
      assert.ok((await ones.read()).every((value) => value === 1), "the cotangent was overwritten");
      assert.deepEqual(await x.read(), data, "the input was overwritten");
    },
  );
}

gpuTest("gradients of a tensor that is used often are added in their order, four by one dispatch", async (device) => {
  const factors = [3, 1e-7, -3, 1e-7, 2];
  const x = device.tensor([1], [1]);
  const back = pullback(
    device,
    (x: Tensor) => factors.map((factor) => multiplyScalar(x, factor)).reduce((sum, y) => add(sum, y)),
    x,
  );
  await device.finish();
  const before = device.dispatches;
  const [dx] = back.pullLeaves([device.tensor([1], [1])]);
  assert.equal(device.dispatches - before, factors.length + 2);
  // The last use comes first on the way back.
  assert.equal(
    await dx!.item(),
    factors.toReversed().reduce((sum, factor) => Math.fround(sum + Math.fround(factor)), 0),
  );
});

gpuTest("gradients that share memory do not disturb each other", async (device) => {
  const params = { x: device.tensor([1, 2], [2]), y: device.tensor([3, 4], [2]) };
  const { pull } = pullback(device, ({ x, y }: typeof params) => add(add(x, y), multiply(x, x)), params);
  const d = device.tensor([1, 10], [2]);
  const { x, y } = pull([d]);
  assert.deepEqual([...await x!.read()], [3, 50]);
  assert.deepEqual([...await y!.read()], [1, 10]);
  assert.deepEqual([...await d.read()], [1, 10]);
});

gpuTest("a leaf that the result does not depend on has no gradient, absent branches stay absent", async (device) => {
  const params = {
    used: device.tensor([2], [1]),
    list: [device.tensor([1], [1]), device.tensor([3], [1])],
    unused: device.tensor([1], [1]),
    none: null,
  };
  const { value, grads } = valueAndGrad(device, ({ used, list }: typeof params) => multiply(used, list[1]), params);
  assert.equal(await value.item(), 6);
  assert.equal(await grads.used!.item(), 3);
  assert.equal(await grads.list[1]!.item(), 2);
  assert.deepEqual([grads.unused, grads.list[0], grads.none], [null, null, null]);
});

gpuTest("several outputs, several cotangents; an input can be an output", async (device) => {
  const x = device.tensor([1, 2, 3], [3]);
  const { output, pullLeaves } = pullback(device, (x: Tensor) => ({ y: square(x), z: multiplyScalar(x, 3), x }), x);
  assert.deepEqual([...await output.y.read()], [1, 4, 9]);
  const cotangents = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((d) => device.tensor(d, [3]));
  const [dx] = pullLeaves(cotangents);
  assert.deepEqual([...await dx!.read()], [2, 3, 1]);
});

gpuTest("cotangents must have the shapes of the outputs", (device) => {
  const { pull, pullLeaves } = pullback(device, (x: Tensor) => square(x), device.tensor([1, 2], [2]));
  assert.throws(() => pull([device.tensor([1], [1])]), { name: "TypeError", message: /output \[2\] is \[1\]/ });
  assert.throws(() => pull([]), TypeError);
  pullLeaves([device.tensor([1, 1], [2])]);
});

gpuTest("valueAndGrad() needs a scalar, and frees all it held when there is none", (device) => {
  const x = device.tensor([1, 2], [2]);
  const before = device.memory.liveTensors;
  {
    using _ = device.scope("failing");
    assert.throws(() => valueAndGrad(device, (x: Tensor) => exp(x), x), { name: "TypeError", message: /shape \[2\]/ });
  }
  assert.equal(device.memory.liveTensors, before);
});

gpuTest("an error in the function closes the tape", (device) => {
  const x = device.tensor([1, 2], [2]);
  const before = device.memory.liveTensors;
  assert.throws(() =>
    valueAndGrad(device, (x: Tensor) => {
      exp(exp(x));
      throw new RangeError("on purpose");
    }, x), RangeError);
  assert.equal(device.tape, null);
  assert.equal(device.memory.liveTensors, before);
});

gpuTest("what the way back needs outlives the function's scope, and is freed by it", async (device) => {
  const data = randomArray(1000, 3);
  const x = device.tensor(data, [1000]);
  const ones = device.tensor(new Float32Array(1000).fill(1), [1000]);
  const before = device.memory.liveTensors;
  const { output, heldBytes, pullLeaves } = pullback(device, (x: Tensor) => tanh(tanh(tanh(x))), x);
  assert.equal(heldBytes, 3 * 4096); // three outputs of 4000 bytes, each in whole granules of 256
  assert.equal(device.memory.liveTensors, before + 3);
  const [dx] = pullLeaves([ones]);
  assert.equal(device.memory.liveTensors, before + 2); // the output and the gradient
  const slope = (x: number) => {
    const [a, b, c] = [Math.tanh(x), Math.tanh(Math.tanh(x)), Math.tanh(Math.tanh(Math.tanh(x)))];
    return (1 - a * a) * (1 - b * b) * (1 - c * c);
  };
  assertClose(await dx!.read(), data.map(slope));
  output.dispose();
  dx!.dispose();
  assert.equal(device.memory.liveTensors, before);
});

gpuTest("without a gradient asked for nothing is held", (device) => {
  const x = device.tensor([1, 2], [2]);
  const y = device.tensor([1, 2], [2]);
  const { heldBytes, pullLeaves } = pullback(device, (_: Tensor) => exp(exp(y)), x);
  assert.equal(heldBytes, 0);
  assert.deepEqual(pullLeaves([device.tensor([1, 1], [2])]), [null]);
});

type Layer = { w: Tensor; b: Tensor };

function layer({ w, b }: Layer, x: Tensor): Tensor {
  return add(multiply(tanh(x), w), relu(add(multiply(x, x), b)));
}

gpuTest("checkpoint() gives the same bits and holds less", async (device) => {
  const params = [1, 2, 3].map((seed) => ({
    w: device.tensor(randomArray(7, seed), [7]),
    b: device.tensor(randomArray(7, seed + 10), [7]),
  }));
  const x = device.tensor(randomArray(5 * 7, 9), [5, 7]);
  const net = (save: boolean) => ({ params, x }: { params: Layer[]; x: Tensor }) => {
    let out = x;
    for (const [i, p] of params.entries()) {
      const run = ({ p, out }: { p: Layer; out: Tensor }) => {
        const key = Key.fromSeed(42).at(i); // made inside, since this runs twice
        return dropout(layer(p, out), { rate: 0.2, key });
      };
      out = save ? checkpoint(device, "layer", run, { p, out }) : run({ p, out });
    }
    return sum(multiply(out, out));
  };
  const read = async (save: boolean) => {
    const { value, grads, heldBytes } = valueAndGrad(device, net(save), { params, x });
    const list = [value, grads.x!, ...grads.params.flatMap(({ w, b }) => [w!, b!])];
    return { heldBytes, numbers: await Promise.all(list.map((tensor) => tensor.read())) };
  };
  const plain = await read(false);
  const saved = await read(true);
  assert.deepEqual(saved.numbers, plain.numbers);
  assert.ok(saved.heldBytes < plain.heldBytes, `${saved.heldBytes} is not less than ${plain.heldBytes}`);
  assert.ok(plain.numbers.every((numbers) => numbers.some((value) => value !== 0)));
});

/** A linear map, a layer norm and a masked residual: what a frozen block is made of. */
type Block = { params: { weight: Tensor; gamma: Tensor }; x: Tensor; mask: Tensor };

function frozenBlock({ params: { weight, gamma }, x, mask }: Block): Tensor {
  return add(x, multiply(linear(layerNorm(x, { gamma }), { weight }), mask));
}

gpuTest("checkpoint() computes the gradients that are wanted, and one forward pass more", async (device) => {
  const params = { weight: device.tensor(randomArray(49, 1), [7, 7]), gamma: device.tensor(randomArray(7, 2), [7]) };
  const x = device.tensor(randomArray(35, 3), [5, 7]), mask = device.tensor(randomArray(5, 4), [5, 1]);
  const tracked: Record<string, Partial<Block["params"]> & { x?: Tensor }> = {
    "all frozen": { x },
    "the weight alone": { weight: params.weight },
    "weight and input": { weight: params.weight, x },
  };
  for (const [name, some] of Object.entries(tracked)) {
    const run = async (save: boolean) => {
      const before = device.dispatches;
      const back = pullback(device, ({ x: given = x, ...p }: typeof some) => {
        const inputs = { params: { ...params, ...p }, x: given, mask };
        return save ? checkpoint(device, "block", frozenBlock, inputs) : frozenBlock(inputs);
      }, some);
      const forward = device.dispatches - before;
      const grads = back.pullLeaves([x]);
      const backward = device.dispatches - before - forward;
      return { forward, backward, grads: await Promise.all(grads.map((grad) => grad!.read())) };
    };
    const plain = await run(false), saved = await run(true);
    assert.deepEqual(saved.grads, plain.grads, name);
    assert.equal(saved.backward, plain.backward + plain.forward, `kernels on the way back: ${name}`);
  }
});

gpuTest("checkpoint() passes on that an output got no gradient", (device) => {
  const x = device.tensor(randomArray(6, 4), [6]);
  const seen: (boolean | null)[] = [];
  const spy = defineOp<{ x: Tensor }, never>({
    name: "spy",
    needs: [],
    forward: ({ x }) => ({ out: exp(x) }),
    vjp: (_, d) => (seen.push(d.disposed), { x: d }),
  });
  const two = (x: Tensor) => ({ used: square(x), unused: spy({ x }) });
  pullback(device, (x: Tensor) => checkpoint(device, "two", two, x).used, x).pullLeaves([x]);
  assert.deepEqual(seen, []);
});

gpuTest("null stands for a cotangent of which nothing comes", async (device) => {
  const x = device.tensor([1, 2], [2]);
  const { pull } = pullback(device, (x: Tensor) => ({ y: square(x), z: exp(x) }), x);
  assert.deepEqual([...await pull([x, null])!.read()], [2, 8]);
});

gpuTest("a vjp that throws leaks nothing, whatever stands before and behind it", (device) => {
  const x = device.tensor(randomArray(6, 4), [6]), d = device.tensor(randomArray(6, 5), [6]);
  const broken = defineOp<{ x: Tensor; y: Tensor }, "x" | "y">({
    name: "broken",
    needs: { x: ["x", "y"], y: ["x"] },
    forward: ({ x, y }) => ({ out: multiply(x, y) }),
    vjp({ inputs: { x } }) {
      multiply(x, x);
      throw new RangeError("on purpose");
    },
  });
  const nets: ((x: Tensor) => Tensor)[] = [
    (x) => broken({ x, y: x }),
    (x) => tanh(broken({ x: exp(x), y: square(x) })),
    (x) => add(multiply(exp(x), x), broken({ x: tanh(x), y: x })),
    (x) => checkpoint(device, "block", (x: Tensor) => add(x, broken({ x, y: square(x) })), exp(x)),
  ];
  const before = device.memory;
  for (const net of nets) {
    {
      using _ = device.scope("failing");
      assert.throws(() => pullback(device, net, x).pullLeaves([d]), { name: "RangeError", message: "on purpose" });
      assert.equal(device.tape, null);
    }
    assert.equal(device.memory.liveTensors, before.liveTensors, net.toString());
    assert.equal(device.memory.liveBytes, before.liveBytes);
  }
});

gpuTest("a vjp sees the gradient of its output in the output's shape", async (device) => {
  const shapes: (readonly number[])[] = [];
  const seen = defineOp<{ x: Tensor }, never>({
    name: "seen",
    needs: [],
    forward: ({ x }) => ({ out: multiplyScalar(x, 2) }),
    vjp: (_, d) => (shapes.push(d.shape), { x: multiplyScalar(d, 2) }),
  });
  const flat = defineOp<{ x: Tensor }, never>({ // its gradient has the right size in another shape
    name: "flat",
    needs: [],
    forward: ({ x }) => ({ out: multiplyScalar(x, 3) }),
    vjp: ({ device }, d) => ({ x: device.view(multiplyScalar(d, 3), [d.size]) }),
  });
  const x = device.tensor([1, 2, 3, 4, 5, 6], [2, 3]);
  const [dx] = pullback(device, (x: Tensor) => flat({ x: seen({ x }) }), x).pullLeaves([x]);
  assert.deepEqual(shapes, [[2, 3]]);
  assert.deepEqual(dx!.shape, [2, 3]);
  assert.deepEqual([...await dx!.read()], [6, 12, 18, 24, 30, 36]);
});

gpuTest("the inputs of an op must be on one device", (device) => {
  const other = new Device(device.gpu, device.traits);
  using far = other.tensor([1, 2], [2]);
  assert.throws(() => multiply(device.tensor([1, 2], [2]), far), {
    name: "TypeError",
    message: /Cannot run multiply as its inputs are on different devices: x on .*, y \[2\] on/,
  });
});

gpuTest("checkpoint() in a checkpoint, with several outputs, one of them without gradient", async (device) => {
  const data = randomArray(6, 4);
  const x = device.tensor(data, [6]);
  const f = (save: boolean) => (x: Tensor) => {
    const inner = (x: Tensor): Tensor[] => [exp(x), square(x)];
    const outer = (x: Tensor) => {
      const [a, b] = save ? checkpoint(device, "inner", inner, x) : inner(x);
      return { a, b: multiply(a, b) };
    };
    return sum((save ? checkpoint(device, "outer", outer, x) : outer(x)).b);
  };
  const plain = valueAndGrad(device, f(false), x).grads!;
  const saved = valueAndGrad(device, f(true), x).grads!;
  assert.deepEqual(await saved.read(), await plain.read());
  assertClose(await plain.read(), data.map((x) => Math.exp(x) * (x * x + 2 * x)));
});

gpuTest("checkpoint() without a tape, or of what is not followed, runs the function alone", (device) => {
  const x = device.tensor([1, 2], [2]);
  let runs = 0;
  const f = (x: Tensor) => (runs++, exp(x));
  assert.deepEqual(checkpoint(device, "free", f, x).shape, [2]);
  const y = device.tensor([1, 2], [2]);
  pullback(device, (_: Tensor) => checkpoint(device, "constant", f, x), y).pullLeaves([x]);
  assert.equal(runs, 2);
});

gpuTest("the gradient of a gradient's pieces: pullback() inside a recorded function", async (device) => {
  const x = device.tensor([1, 2, 3], [3]);
  const { value, grads } = valueAndGrad(device, (x: Tensor) => {
    const inner = pullback(device, (y: Tensor) => square(y), x);
    const [slope] = inner.pullLeaves([x]); // 2 x², a constant to the outer tape
    return sum(multiply(slope!, x));
  }, x);
  assert.equal(await value.item(), 2 + 16 + 54);
  assert.deepEqual([...await grads!.read()], [2, 8, 18]);
});

gpuTest("defineOp() tells vjp which gradients are wanted, and passes optional inputs by", async (device) => {
  const wantedSeen: unknown[] = [];
  const scale = defineOp<{ x: Tensor; factor: Tensor | undefined }, "factor">({
    name: "scale",
    needs: ["factor"],
    forward: ({ x, factor }) => ({ out: factor ? multiply(x, factor) : multiplyScalar(x, 2) }),
    vjp({ inputs: { factor }, wanted, shapes }, dOut) {
      wantedSeen.push({ ...wanted });
      assert.deepEqual(shapes.x, [2]);
      return { x: factor ? multiply(dOut, factor) : multiplyScalar(dOut, 2) };
    },
  });
  const x = device.tensor([1, 2], [2]), factor = device.tensor([5, 6], [2]), d = device.tensor([1, 1], [2]);
  const [dx] = pullback(device, (x: Tensor) => scale({ x, factor }), x).pullLeaves([d]);
  assert.deepEqual([...await dx!.read()], [5, 6]);
  const [dFree] = pullback(device, (x: Tensor) => scale({ x, factor: undefined }), x).pullLeaves([d]);
  assert.deepEqual([...await dFree!.read()], [2, 2]);
  assert.deepEqual(wantedSeen, [{ x: true, factor: false }, { x: true }]);
});

gpuTest("training by hand lowers the loss and leaves no tensor", async (device) => {
  const goal = device.tensor(randomArray(12, 1), [12]);
  const start = device.tensor(randomArray(12, 2), [12]);
  let x = device.hold(start);
  start.dispose();
  const losses: number[] = [];
  const before = device.memory.liveTensors;
  for (let step = 0; step < 20; step++) {
    using _ = device.scope("step");
    const { value, grads } = valueAndGrad(device, (x: Tensor) => {
      const e = add(x, multiplyScalar(goal, -1));
      return sum(square(e));
    }, x);
    const next = device.hold(add(x, multiplyScalar(grads!, -0.2)));
    losses.push(await value.item());
    x.dispose();
    x = next;
  }
  assert.equal(device.memory.liveTensors, before);
  assert.ok(losses[19] < 1e-6 * losses[0] && sizeOf(x.shape) === 12, `${losses}`);
  x.dispose();
});

gpuTest(
  "checkpoint() starts from packed activations where the tape packs them, and holds each once",
  async (device) => {
    const halves: Packing = { pack: (x) => cast(x, "f16"), unpack: (x) => cast(x, "f32") };
    const data = randomArray(512, 1), weights = randomArray(512, 2);
    const x = device.tensor(data, [8, 64]), w = device.tensor(weights, [8, 64]);
    const f = (inputs: { x: Tensor; w: Tensor }) => multiply(square(inputs.x), inputs.w);
    const run = (packing?: Packing) =>
      pullback(
        device,
        ({ x, w }: { x: Tensor; w: Tensor }) =>
          add(
            checkpoint(device, "first", f, { x: multiplyScalar(x, 1), w }, ["x"]),
            checkpoint(
              device,
              "again",
              ({ x, w }) => f({ x: reshape(x, [8, 64]), w }),
              { x: reshape(x, [4, 128]), w },
              [
                "x",
              ],
            ),
          ),
        { x, w },
        { packing },
      );
    const back = run(halves), plain = run();
    assert.deepEqual(await back.output.read(), await plain.output.read());
    assert(back.heldBytes < plain.heldBytes);
    const ones = device.tensor(new Float32Array(512).fill(1), [8, 64]);
    const { x: dx, w: dw } = back.pull([ones]);
    const half = Float16Array.from(data);
    assertClose(await dx!.read(), Float32Array.from(half, (h, i) => 4 * h * weights[i]));
    assertClose(await dw!.read(), Float32Array.from(half, (h) => 2 * h * h));
    plain.dispose();
  },
);
