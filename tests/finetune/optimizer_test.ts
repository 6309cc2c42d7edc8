import assert from "node:assert/strict";
import type { Tensor, Tree } from "../../core/mod.ts";
import { globalNorm, Optimizer, type OptimizerOptions } from "../../finetune/mod.ts";
import { assertClose, gpuTest, randomArray } from "../_gpu.ts";

/** Sizes of the parameters; of the one at `SKIPPED` there is never a gradient. */
const SIZES = [1, 3, 257, 4, 4099];
const SKIPPED = 3;

/** PyTorch's Adam and AdamW in float64. */
class Reference {
  step = 0;
  readonly m = SIZES.map((size) => new Float64Array(size));
  readonly v = SIZES.map((size) => new Float64Array(size));
  constructor(readonly p: Float64Array[], readonly o: OptimizerOptions) {}

  update(grads: (Float32Array | null)[], factor: number): number {
    const { kind = "adamw", learningRate = 3e-4, betas: [b1, b2] = [0.9, 0.999], eps = 1e-8, maxNorm } = this.o;
    const decay = this.o.weightDecay ?? (kind === "adamw" ? 0.01 : 0);
    const rate = learningRate * factor;
    const norm = Math.sqrt(grads.reduce((sum, g) => sum + (g?.reduce((s, x) => s + x * x, 0) ?? 0), 0));
    const scale = maxNorm === undefined ? 1 : Math.min(1, maxNorm / (norm + 1e-6));
    this.step++;
    grads.forEach((grad, k) => {
      if (!grad) return;
      const [p, m, v] = [this.p[k], this.m[k], this.v[k]];
      for (let i = 0; i < p.length; i++) {
        let g = grad[i] * scale;
        if (kind === "adamw") p[i] *= 1 - rate * decay;
        else g += decay * p[i];
        m[i] = b1 * m[i] + (1 - b1) * g;
        v[i] = b2 * v[i] + (1 - b2) * g * g;
        const denominator = Math.sqrt(v[i]) / Math.sqrt(1 - b2 ** this.step) + eps;
        p[i] -= (rate / (1 - b1 ** this.step)) * m[i] / denominator;
      }
    });
    return norm;
  }
}

const CASES: (OptimizerOptions & { name: string })[] = [
  { name: "adamw with the defaults" },
  { name: "adam with the defaults", kind: "adam" },
  { name: "adamw with large decay and rate", learningRate: 0.03, weightDecay: 0.3 },
  { name: "adam with decay in the gradient", kind: "adam", learningRate: 0.01, weightDecay: 0.1 },
  { name: "adamw with other betas and eps", betas: [0.5, 0.9], eps: 1e-3, learningRate: 0.01 },
  { name: "adamw with clipping", maxNorm: 0.5, learningRate: 0.01 },
  { name: "adam with a limit that is not reached", kind: "adam", maxNorm: 1e6 },
  { name: "options that are undefined", maxNorm: undefined, learningRate: undefined, weightDecay: undefined },
];
for (const { name, ...options } of CASES) {
  gpuTest(`Optimizer: ${name} matches float64 over six steps, parameters without gradient stay`, async (device) => {
    const start = SIZES.map((size, k) => randomArray(size, k + 1));
    const params = { list: start.map((data) => device.tensor(data, [data.length])) };
    const reference = new Reference(start.map((data) => Float64Array.from(data)), options);
    using optimizer = new Optimizer(device, params, options);
    for (let step = 0; step < 6; step++) {
      using scope = device.scope("step");
      void scope;
      const factor = 1 / (1 + step);
      const data = SIZES.map((size, k) => k === SKIPPED ? null : randomArray(size, 100 + 10 * step + k));
      const grads: Tree<Tensor | null> = { list: data.map((d) => d && device.tensor(d, [d.length])) };
      const norm = await optimizer.step(params, grads, factor).norm.item();
      assertClose([norm], [reference.update(data, factor)], { rtol: 1e-6 }, `norm of step ${step}`);
    }
    assert.equal(optimizer.steps, 6);
    const { m, v } = await optimizer.state();
    let at = 0;
    for (const [k, size] of SIZES.entries()) {
      // Six roundings of the parameter, and six updates that are as exact as the quotient of the moments.
      const atol = 2e-5 * (options.learningRate ?? 3e-4);
      assertClose(await params.list[k].read(), reference.p[k], { rtol: 1e-6, atol }, `parameter ${k}`);
      assertClose(m.subarray(at, at + size), reference.m[k], { rtol: 2e-6, atol: 1e-7 }, `first moment ${k}`);
      assertClose(v.subarray(at, at + size), reference.v[k], { rtol: 2e-6, atol: 1e-9 }, `second moment ${k}`);
      at += Math.ceil(size / 4) * 4;
    }
    assert.deepEqual(await params.list[SKIPPED].read(), start[SKIPPED]);
  });
}

gpuTest("Optimizer goes on from its state to the same bits", async (device) => {
  const data = randomArray(300, 1);
  const [a, b] = [{ w: device.tensor(data, [300]) }, { w: device.tensor(data, [300]) }];
  const options = { learningRate: 0.01, maxNorm: 1 };
  const grads = [1, 2, 3].map((seed) => ({ w: device.tensor(randomArray(300, 50 + seed), [300]) }));
  using one = new Optimizer(device, a, options);
  one.step(a, grads[0]);
  one.step(a, grads[1]);
  const state = await one.state();
  device.write(b.w, await a.w.read());
  using other = new Optimizer(device, b, options);
  other.restore(state);
  one.step(a, grads[2]);
  other.step(b, grads[2]);
  assert.deepEqual(await b.w.read(), await a.w.read());
  assert.deepEqual(await other.state(), await one.state());
});

gpuTest("Optimizer refuses a state and gradients of other parameters", (device) => {
  const params = { w: device.tensor([1, 2], [2]), b: device.tensor([1], [1]) };
  using optimizer = new Optimizer(device, params);
  const [m, v] = [new Float32Array(3), new Float32Array(3)];
  assert.throws(() => optimizer.restore({ step: 1, m, v }), /has 3 and 3 numbers, the parameters need 8/);
  assert.throws(() => optimizer.step(params, { w: params.w }), /one has no leaf at b/);
});

gpuTest("globalNorm() of as many numbers as AlphaFold has is right to the last one", async (device) => {
  const size = 2 ** 27; // partial sums: twice as many as one invocation of lavapipe could go through
  const flat = device.zeros([size]);
  const ones = device.tensor(new Float32Array(1024).fill(1), [1024]);
  device.copy(ones, flat);
  device.copy(ones, flat, { toElement: size - 1024 });
  assertClose([await globalNorm(device, flat).item()], [Math.sqrt(2048)], { rtol: 1e-6 });
});

gpuTest("globalNorm() of many numbers matches float64", async (device) => {
  for (const size of [1, 5, 1024, 1025, 300_001]) {
    const data = randomArray(size, size);
    const expected = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));
    const flat = device.zeros([Math.ceil(size / 4) * 4]);
    device.copy(device.tensor(data, [size]), flat);
    assertClose([await globalNorm(device, flat).item()], [expected], { rtol: 1e-6 }, `${size} numbers`);
  }
});

gpuTest("groups have rates and decays of their own; without a gradient a parameter decays if asked", async (device) => {
  const options: OptimizerOptions = {
    learningRate: 0.01,
    groups: [
      { name: "head", has: (path) => path.startsWith("head"), learningRate: 0.1, weightDecay: 0 },
      { name: "rest", has: () => true },
    ],
    withoutGradient: "decay",
  };
  const tree = () => ({
    first: device.tensor([1, 2, 3], [3]),
    head: { weight: device.tensor([1, -1], [2]), unreached: device.tensor([5], [1]) },
    last: device.tensor([4], [1]),
    unreached: device.tensor([2], [1]),
  });
  const params = tree();
  using optimizer = new Optimizer(device, params, options);
  assert.deepEqual(optimizer.groups, [
    { name: "head", learningRate: 0.1, weightDecay: 0, parameters: 3 },
    { name: "rest", learningRate: 0.01, weightDecay: 0.01, parameters: 5 },
  ]);
  const grads = () => ({
    first: device.tensor([1, 1, 1], [3]),
    head: { weight: device.tensor([2, 2], [2]), unreached: null },
    last: device.tensor([-3], [1]),
    unreached: null,
  });
  const before = device.dispatches;
  optimizer.step(params, grads());
  assert.equal(device.dispatches - before, 5, "the norm, its test, and a kernel a group");
  const moved = (p: number, rate: number, decay: number, sign: number) => p * (1 - rate * decay) - rate * sign;
  assertClose(await params.first.read(), [1, 2, 3].map((p) => moved(p, 0.01, 0.01, 1)));
  assertClose(await params.head.weight.read(), [1, -1].map((p) => moved(p, 0.1, 0, 1)));
  assertClose(await params.last.read(), [moved(4, 0.01, 0.01, -1)]);
  assertClose(await params.unreached.read(), [2 * (1 - 1e-4)]);
  assertClose(await params.head.unreached.read(), [5]);
  // What is saved is in the tree's order, whatever the groups.
  const { m } = await optimizer.state();
  assertClose(m, [0.1, 0.1, 0.1, 0, 0.2, 0.2, 0, 0, 0, 0, 0, 0, -0.3, 0, 0, 0, 0, 0, 0, 0]);
  const others = tree();
  assert.throws(() => optimizer.step(others, grads()), /not the parameters that the optimizer was made for/);
  const some = [{ name: "some", has: (path: string) => path !== "last" }];
  assert.throws(() => new Optimizer(device, others, { groups: some }), /last belongs to no group: some/);
  assert.throws(() => new Optimizer(device, {}), /no parameters/);
});

gpuTest("parameters lie in one buffer and stay the caller's", async (device) => {
  const params = { a: device.tensor([1, 2, 3], [3]), b: { c: device.tensor([4, 5], [2, 1]) } };
  const before = device.memory.liveTensors;
  {
    using optimizer = new Optimizer(device, params);
    using other = new Optimizer(device, params);
    assert.equal(params.a.storage, params.b.c.storage);
    assert.deepEqual([optimizer.bytes, other.bytes], [2048, 2048]);
  }
  assert.deepEqual([[...await params.a.read()], [...await params.b.c.read()]], [[1, 2, 3], [4, 5]]);
  assert.equal(device.memory.liveTensors, before - 1);
  assert.throws(() => new Optimizer(device, { a: params.a, b: params.a }), /b is the same tensor/);
});
