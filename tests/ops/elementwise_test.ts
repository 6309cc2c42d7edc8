import assert from "node:assert/strict";
import { type Device, pullback, sizeOf, type Tensor } from "../../core/mod.ts";
import * as ops from "../../ops/elementwise.ts";
import { assertClose, checkOp, gpuTest, randomArray } from "../_gpu.ts";
import { mapReference } from "./_reference.ts";

/** erfc by its series, or its continued fraction where that converges faster. */
function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x < 2.5) {
    let term = x, sum = x;
    for (let n = 1; n < 80; n++) sum += (term *= -x * x / n) / (2 * n + 1);
    return 1 - (2 / Math.sqrt(Math.PI)) * sum;
  }
  let fraction = x;
  for (let k = 120; k > 0; k--) fraction = x + (k / 2) / fraction;
  return Math.exp(-x * x) / (fraction * Math.sqrt(Math.PI));
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

interface Unary {
  readonly gpu: (x: Tensor) => Tensor;
  readonly f: (x: number) => number;
  /** Where it is tested. @default [-3, 3] */
  readonly range?: readonly [number, number];
}

const UNARY: Record<string, Unary> = {
  relu: { gpu: ops.relu, f: (x) => Math.max(x, 0) },
  gelu: { gpu: ops.gelu, f: (x) => 0.5 * x * erfc(-x / Math.SQRT2) },
  sigmoid: { gpu: ops.sigmoid, f: sigmoid },
  tanh: { gpu: ops.tanh, f: Math.tanh },
  silu: { gpu: ops.silu, f: (x) => x * sigmoid(x) },
  softplus: { gpu: ops.softplus, f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))) },
  exp: { gpu: ops.exp, f: Math.exp },
  log: { gpu: ops.log, f: Math.log, range: [0.1, 4] },
  sqrt: { gpu: ops.sqrt, f: Math.sqrt, range: [0.1, 4] },
  rsqrt: { gpu: ops.rsqrt, f: (x) => 1 / Math.sqrt(x), range: [0.1, 4] },
  square: { gpu: ops.square, f: (x) => x * x },
  abs: { gpu: ops.abs, f: Math.abs },
  negate: { gpu: ops.negate, f: (x) => -x },
  reciprocal: { gpu: ops.reciprocal, f: (x) => 1 / x, range: [-3, -0.2] },
  clamp: { gpu: (x) => ops.clamp(x, -0.4, 1.7), f: (x) => Math.min(1.7, Math.max(-0.4, x)) },
  addScalar: { gpu: (x) => ops.addScalar(x, -1.25), f: (x) => x - 1.25 },
  multiplyScalar: { gpu: (x) => ops.multiplyScalar(x, -1.75), f: (x) => -1.75 * x },
};

for (const [name, { gpu, f, range: [low, high] = [-3, 3] }] of Object.entries(UNARY)) {
  gpuTest(`${name}() matches float64, forward and gradient`, async (device) => {
    for (const shape of [[13, 7], [], [1], [3, 2, 1, 5]]) {
      await checkOp(device, {
        inputs: { x: shape },
        fill: { x: (i) => low + (high - low) * (((i + 1) * 0.6180339887) % 1) },
        gpu: ({ x }) => gpu(x),
        reference: ({ x }) => mapReference(f, x),
      });
    }
  });
}

/** Largest error relative to the greater of the result and a floor, over a range. */
async function worstError(device: Device, { gpu, f }: Unary, low: number, high: number, floor = 0): Promise<number> {
  const n = 20_001;
  const xs = Float32Array.from({ length: n }, (_, i) => low + ((high - low) * i) / (n - 1));
  const out = await gpu(device.tensor(xs, [n])).read();
  let worst = 0;
  for (let i = 0; i < n; i++) {
    const expected = f(xs[i]);
    const error = Math.abs(out[i] - expected) / Math.max(floor, Math.abs(expected));
    if (!(error <= worst)) worst = expected === out[i] ? worst : Number.isNaN(error) ? Infinity : error;
  }
  return worst;
}

gpuTest("the activations are accurate everywhere, tails and neighbourhood of 0 included", async (device) => {
  const cases: [string, number, number, number][] = [
    ["gelu", -4, 20, 3e-6], // relative, in the tail too
    ["gelu", -9, -4, 1.2e-5], // WGSL lets exp(x) err by 3 + 2 |x| units in the last place
    ["tanh", -30, 30, 6e-7],
    ["tanh", -1e-3, 1e-3, 6e-7],
    ["sigmoid", -20, 80, 6e-6],
    ["softplus", -20, 80, 6e-6],
    ["silu", -20, 80, 6e-6],
    ["exp", -20, 20, 6e-6],
  ];
  for (const [name, low, high, tolerance] of cases) {
    const worst = await worstError(device, UNARY[name], low, high, 1e-30);
    assert.ok(worst <= tolerance, `${name} on [${low}, ${high}]: relative error ${worst}`);
  }
  const log = await worstError(device, UNARY.log, 1e-3, 100, 1);
  assert.ok(log <= 6e-7, `log: error ${log}`);
});

gpuTest("the activations are finite for large numbers", async (device) => {
  const x = device.tensor([-1e4, -200, -0, 0, 200, 1e4], [6]);
  assert.deepEqual([...await ops.tanh(x).read()], [-1, -1, 0, 0, 1, 1]);
  assert.deepEqual([...await ops.sigmoid(x).read()], [0, 0, 0.5, 0.5, 1, 1]);
  assertClose(await ops.softplus(x).read(), [0, 0, Math.LN2, Math.LN2, 200, 1e4]);
  assertClose(await ops.gelu(x).read(), [0, 0, 0, 0, 200, 1e4]);
  assertClose(await ops.silu(x).read(), [0, 0, 0, 0, 200, 1e4]);
});

const BINARY: Record<string, [(x: Tensor, y: Tensor) => Tensor, (x: number, y: number) => number]> = {
  add: [ops.add, (x, y) => x + y],
  subtract: [ops.subtract, (x, y) => x - y],
  multiply: [ops.multiply, (x, y) => x * y],
  divide: [ops.divide, (x, y) => x / y],
  maximum: [ops.maximum, Math.max],
  minimum: [ops.minimum, Math.min],
  pow: [ops.pow, Math.pow],
};

const SHAPES: [number[], number[]][] = [
  [[5, 8], [8]], // vec4 along the last axis
  [[5, 8], [5, 1]], // one number for a row
  [[3, 1, 5], [4, 1]], // both stretch
];

for (const [name, [gpu, f]] of Object.entries(BINARY)) {
  const shapes: [number[], number[]][] = [[[13, 7], [13, 7]], ...SHAPES];
  gpuTest(`${name}() matches float64, forward and gradient, with broadcasting`, async (device) => {
    for (const [x, y] of shapes) {
      await checkOp(device, {
        inputs: { x, y },
        fill: {
          x: (i) => 0.3 + 2 * (((i + 1) * 0.6180339887) % 1),
          y: (i) => 0.5 + 1.5 * (((i + 1) * 0.7548776662) % 1),
        },
        gpu: ({ x, y }) => gpu(x, y),
        reference: ({ x, y }) => mapReference(f, x, y),
      });
    }
  });
}

gpuTest("multiply() broadcasts every combination of axes, forward and gradient", async (device) => {
  const more: [number[], number[]][] = [
    [[], [3]],
    [[7], [1]],
    [[1], []],
    [[], []],
    [[2, 3, 4, 8], [3, 1, 8]],
    [[4, 8], [2, 3, 1, 1]],
    [[2, 1, 3, 1, 2, 1], [1, 3, 1, 2, 1, 5]],
    [[2, 1, 4], [1, 3, 4]],
    [[2, 3, 1, 4], [1, 1, 5, 4]],
    [[6, 3], [1, 3]],
    [[2, 3, 4], [1]],
  ];
  for (const [x, y] of [...SHAPES, ...more].flatMap(([x, y]) => [[x, y], [y, x]])) {
    await checkOp(device, {
      inputs: { x, y },
      gpu: ({ x, y }) => ops.multiply(x, y),
      reference: ({ x, y }) => mapReference((a, b) => a * b, x, y),
    });
  }
});

for (const [rows, channels] of [[70_001, 5], [66_000, 4], [1, 262_147]]) {
  gpuTest(`multiply() and add() take x [${rows}, ${channels}]`, async (device) => {
    const xs = randomArray(rows * channels, 1);
    const ys = randomArray(channels, 2);
    const x = device.tensor(xs, [rows, channels]);
    const y = device.tensor(ys, [channels]);
    assertClose(await ops.multiply(x, y).read(), xs.map((value, i) => value * ys[i % channels]));
    assertClose(await ops.add(x, x).read(), xs.map((value) => 2 * value));
  });
}

gpuTest("where() chooses by the mask, forward and gradient", async (device) => {
  for (const [mask, x, y] of [[[5, 7], [5, 7], [5, 7]], [[5, 1], [8], [5, 8]], [[3, 4], [1], [4]]]) {
    await checkOp(device, {
      inputs: { mask, x, y },
      fill: { mask: (i) => (i * 7) % 3 === 0 ? 1 : 0 },
      constant: ["mask"],
      gpu: ({ mask, x, y }) => ops.where(mask, x, y),
      reference: ({ mask, x, y }) => mapReference((m, a, b) => (m ? a : b), mask, x, y),
    });
  }
});

gpuTest("pow() of negative numbers and zero", async (device) => {
  const x = device.tensor([-2, -2, -2, 0, 0, -1.5, 5], [7]);
  const y = device.tensor([2, 3, -1, 0, 2, 0.5, 0], [7]);
  const out = await ops.pow(x, y).read();
  assertClose(out.slice(0, 5), [4, -8, -0.5, 1, 0]);
  assert.ok(Number.isNaN(out[5]));
  assert.equal(out[6], 1);
  const { pullLeaves } = pullback(device, (x: Tensor) => ops.pow(x, y), x);
  const [dx] = pullLeaves([device.tensor([1, 1, 1, 1, 1, 1, 1], [7])]);
  const slopes = await dx!.read();
  assertClose(slopes.slice(0, 5), [-4, 12, -0.25, 0, 0]);
  assert.equal(slopes[6], 0);
});

gpuTest("maximum() and minimum() share the gradient of equal numbers", async (device) => {
  for (const gpu of [ops.maximum, ops.minimum]) {
    const inputs = { x: device.tensor([1, 2], [2]), y: device.tensor([1, 3], [2]) };
    const { pull } = pullback(device, ({ x, y }: { x: Tensor; y: Tensor }) => gpu(x, y), inputs);
    const { x, y } = pull([device.tensor([4, 6], [2])]);
    const first = gpu === ops.maximum ? [2, 0] : [2, 6];
    assert.deepEqual([...await x!.read()], first);
    assert.deepEqual([...await y!.read()], [4 - first[0], 6 - first[1]]);
  }
});

gpuTest("add() keeps nothing for its gradient and copies nothing on the way back", (device) => {
  const inputs = { x: device.tensor(randomArray(35, 1), [5, 7]), y: device.tensor(randomArray(35, 2), [5, 7]) };
  const { heldBytes, pull } = pullback(device, ({ x, y }: { x: Tensor; y: Tensor }) => ops.add(x, y), inputs);
  assert.equal(heldBytes, 0);
  const d = device.tensor(randomArray(35, 3), [5, 7]);
  const before = device.dispatches;
  const { x, y } = pull([d]);
  assert.equal(device.dispatches, before);
  assert.equal(x!.storage, d.storage);
  assert.equal(y!.storage, d.storage);
});

gpuTest("gradients are computed for the inputs that want one alone", (device) => {
  const x = device.tensor(randomArray(12, 1), [3, 4]);
  const y = device.tensor(randomArray(12, 2), [3, 4]);
  const { pullLeaves } = pullback(device, (x: Tensor) => ops.multiply(x, y), x);
  const before = device.dispatches;
  pullLeaves([y]);
  assert.equal(device.dispatches, before + 1);
});

gpuTest("a NaN stays a NaN", async (device) => {
  const x = device.tensor([NaN], [1]);
  for (const name of ["relu", "gelu", "sigmoid", "tanh", "silu", "softplus", "exp"]) {
    const [value] = await UNARY[name].gpu(x).read();
    assert.ok(Number.isNaN(value), `${name}(NaN) is ${value}`);
  }
});

gpuTest("empty tensors pass", async (device) => {
  const x = device.zeros([0, 3]);
  const out = ops.add(x, device.tensor([1, 2, 3], [3]));
  assert.deepEqual([out.shape, sizeOf(out.shape), (await out.read()).length], [[0, 3], 0, 0]);
});

gpuTest("elementwise ops refuse what does not fit", (device) => {
  const x = device.tensor(randomArray(6, 1), [2, 3]);
  assert.throws(() => ops.add(x, device.tensor([1, 2], [2])), {
    name: "TypeError",
    message: "Cannot broadcast [2,3] with [2]: axis -1 is 3 in one and 2 in the other",
  });
  assert.throws(() => ops.relu(device.tensor([1], [1], "i32")), { name: "TypeError", message: /relu: x \[1\] is i32/ });
  assert.throws(() => ops.clamp(x, 2, 1), RangeError);
});
