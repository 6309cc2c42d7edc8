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
  sin: { gpu: ops.sin, f: Math.sin, range: [-8, 8] },
  cos: { gpu: ops.cos, f: Math.cos, range: [-8, 8] },
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
  atan2: [ops.atan2, Math.atan2],
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

const [N, I] = [NaN, Infinity];

/** The special values of C99's pow (F.9.4.4), in which that of JavaScript differs: x, y, x to the power y. */
const POWERS: readonly (readonly [number, number, number])[] = [
  [0, -1, I],
  [-0, -1, -I],
  [0, -3, I],
  [-0, -3, -I],
  [0, -2, I],
  [-0, -2, I],
  [-0, -0.5, I],
  [0, -I, I],
  [-0, -I, I],
  [0, 3, 0],
  [-0, 3, -0],
  [-0, 2, 0],
  [-0, 0.5, 0],
  [0, I, 0],
  [-1, I, 1],
  [-1, -I, 1],
  [1, N, 1],
  [1, I, 1],
  [1, -7.5, 1],
  [N, 0, 1],
  [N, -0, 1],
  [I, 0, 1],
  [0, 0, 1],
  [-2.5, 0, 1],
  [-2, 0.5, N],
  [-0.25, -1.5, N],
  [0.5, -I, I],
  [-0.5, -I, I],
  [2, -I, 0],
  [-2, -I, 0],
  [0.5, I, 0],
  [-0.5, I, 0],
  [2, I, I],
  [-2, I, I],
  [-I, -3, -0],
  [-I, -2, 0],
  [-I, -0.5, 0],
  [-I, 3, -I],
  [-I, 2, I],
  [-I, 0.5, I],
  [I, -0.5, 0],
  [I, 0.5, I],
  [N, 2, N],
  [2, N, N],
  [-1, N, N],
  [0, N, N],
  [-2, 2, 4],
  [-2, 3, -8],
  [-2, -1, -0.5],
];

gpuTest("pow() has the special values of C99", async (device) => {
  const [xs, ys, expected] = [0, 1, 2].map((i) => POWERS.map((row) => row[i]));
  const shape = [POWERS.length];
  const out = await ops.pow(device.tensor(xs, shape), device.tensor(ys, shape)).read();
  for (const [i, value] of expected.entries()) {
    if (value % 1 === 0 && Math.abs(value) > 1 || value === -0.5) {
      assertClose([out[i]], [value], {}, `pow(${xs[i]}, ${ys[i]})`);
    } else assert.ok(Object.is(out[i], value), `pow(${xs[i]}, ${ys[i]}) is ${out[i]}, expected ${value}`);
  }
});

gpuTest("the gradients of pow() at negative numbers and zero are those of PyTorch", async (device) => {
  const x = device.tensor([-2, -2, -2, 0, 0, 0, 5, 0, 0, -2], [10]);
  const y = device.tensor([2, 3, -1, 0, 2, 1, 0, -1, 0.5, 2], [10]);
  const { pullLeaves } = pullback(device, (inputs: { x: Tensor; y: Tensor }) => ops.pow(inputs.x, inputs.y), { x, y });
  const [dx, dy] = pullLeaves([device.tensor(new Float32Array(10).fill(1), [10])]);
  const [slopesX, slopesY] = [await dx!.read(), await dy!.read()];
  assertClose(slopesX.slice(0, 7), [-4, 12, -0.25, 0, 0, 1, 0]);
  assert.deepEqual([...slopesX.slice(7, 9)], [-I, I]);
  assert.deepEqual([...slopesY.slice(3, 6)].map((v) => v + 0), [0, 0, 0]);
  assertClose([slopesY[6]], [Math.log(5)]);
  assert.equal(slopesY[7], -I);
  assert.ok([0, 1, 2, 9].every((i) => Number.isNaN(slopesY[i])));
});

gpuTest("sin() and cos() are accurate, far from 0 too", async (device) => {
  for (const name of ["sin", "cos"]) {
    for (const [low, high] of [[-7, 7], [-10_000, 10_000], [-1e-3, 1e-3]]) {
      const worst = await worstError(device, UNARY[name], low, high, 1);
      assert.ok(worst <= 2e-7, `${name} on [${low}, ${high}]: error ${worst}`);
    }
  }
});

gpuTest(
  "atan2() is accurate everywhere, zeros and infinities included; its gradient at the origin is 0",
  async (device) => {
    const n = 20_001;
    const angles = Float64Array.from({ length: n }, (_, i) => (i / (n - 1) * 2 - 1) * Math.PI);
    const size = (i: number) => 10 ** (i % 13 - 6);
    const ys = Float32Array.from(angles, (a, i) => Math.sin(a) * size(i));
    const xs = Float32Array.from(angles, (a, i) => Math.cos(a) * size(i));
    const out = await ops.atan2(device.tensor(ys, [n]), device.tensor(xs, [n])).read();
    assertClose(out, Array.from(ys, (y, i) => Math.atan2(y, xs[i])), { rtol: 0, atol: 4e-7 });
    const special = [[0, 0], [-0, 0], [0, -0], [-0, -0], [1, 0], [-1, -0], [0, -2], [-0, -2], [0, 3], [I, 1], [-I, I]];
    const more = [[I, -I], [2, I], [-2, -I], [N, 1], [1, N], [-I, -I], [1e30, 1e-30], [1e-30, -1e30]];
    const all = [...special, ...more];
    const y = device.tensor(all.map(([y]) => y), [all.length]), x = device.tensor(all.map(([, x]) => x), [all.length]);
    for (const [i, value] of (await ops.atan2(y, x).read()).entries()) {
      const expected = Math.atan2(all[i][0], all[i][1]);
      const fits = Number.isNaN(expected) ? Number.isNaN(value) : Math.abs(value - expected) <= 4e-7;
      assert.ok(
        fits && Object.is(Math.sign(value), Math.sign(expected)),
        `atan2(${all[i]}) is ${value}, not ${expected}`,
      );
    }
    const zeros = { y: device.tensor([0], [1]), x: device.tensor([0], [1]) };
    const { pullLeaves } = pullback(device, (inputs: { y: Tensor; x: Tensor }) => ops.atan2(inputs.y, inputs.x), zeros);
    for (const grad of pullLeaves([device.tensor([1], [1])])) assert.equal(await grad!.item() + 0, 0);
  },
);

gpuTest("comparisons are masks of 0 and 1, broadcast, 0 beside a NaN, and without gradient", async (device) => {
  const x = device.tensor([1, 2, 3, N, -I, 0], [2, 3]), y = device.tensor([2, 2, 2], [3]);
  const expected: Record<string, number[]> = {
    greater: [0, 0, 1, 0, 0, 0],
    greaterEqual: [0, 1, 1, 0, 0, 0],
    less: [1, 0, 0, 0, 1, 1],
    lessEqual: [1, 1, 0, 0, 1, 1],
    equal: [0, 1, 0, 0, 0, 0],
  };
  for (const name of ["greater", "greaterEqual", "less", "lessEqual", "equal"] as const) {
    assert.deepEqual([...await ops[name](x, y).read()], expected[name], name);
    assert.deepEqual([...await ops[name](y, device.tensor([N], [1])).read()], [0, 0, 0], name);
    const { pullLeaves } = pullback(device, (x: Tensor) => ops.multiply(ops[name](x, y), x), x);
    const [dx] = pullLeaves([device.tensor([1, 1, 1, 1, 1, 1], [2, 3])]);
    assert.deepEqual([...await dx!.read()], expected[name], name);
  }
});

gpuTest(
  "NaN goes through clamp, maximum and minimum; their gradients beside it are those of PyTorch",
  async (device) => {
    const xs = [N, 1, 2, N, 0, I, -I, N], ys = [0, N, 2, N, 3, 1, 1, I];
    const x = device.tensor(xs, [8]), y = device.tensor(ys, [8]);
    assert.deepEqual([...await ops.maximum(x, y).read()], xs.map((x, i) => Math.max(x, ys[i])));
    assert.deepEqual([...await ops.minimum(x, y).read()], xs.map((x, i) => Math.min(x, ys[i])));
    assert.deepEqual([...await ops.clamp(x, -1, 1).read()], xs.map((x) => Math.min(1, Math.max(-1, x))));
    assert.deepEqual([...await ops.clamp(x, -I, I).read()], xs);
    const ones = new Float32Array(8).fill(1);
    const slopes = async (f: (inputs: { x: Tensor; y: Tensor }) => Tensor) => {
      const found: number[][] = [];
      for (const grad of pullback(device, f, { x, y }).pullLeaves([device.tensor(ones, [8])])) {
        found.push(grad ? [...await grad.read()] : []);
      }
      return found;
    };
    assert.deepEqual(await slopes(({ x, y }) => ops.maximum(x, y)), [
      [1, 1, 0.5, 1, 0, 1, 0, 1],
      [1, 1, 0.5, 1, 1, 0, 1, 1],
    ]);
    assert.deepEqual(await slopes(({ x, y }) => ops.minimum(x, y)), [
      [1, 1, 0.5, 1, 1, 0, 1, 1],
      [1, 1, 0.5, 1, 0, 1, 0, 1],
    ]);
    assert.deepEqual((await slopes(({ x }) => ops.clamp(x, -1, 1)))[0], [0, 1, 0, 0, 1, 0, 0, 0]);
    assert.deepEqual((await slopes(({ x }) => ops.relu(x)))[0], [1, 1, 1, 1, 0, 1, 0, 1]);
  },
);

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
  for (const name of Object.keys(UNARY)) {
    const [value] = await UNARY[name].gpu(x).read();
    assert.ok(Number.isNaN(value), `${name}(NaN) is ${value}`);
  }
});

gpuTest("zeros, negative numbers and infinities have the values they have in float64", async (device) => {
  const xs = [0, -0, -1, I, -I];
  for (const name of ["relu", "sigmoid", "tanh", "exp", "log", "sqrt", "rsqrt", "reciprocal", "square", "abs"]) {
    const { gpu, f } = UNARY[name];
    for (const [i, value] of (await gpu(device.tensor(xs, [5])).read()).entries()) {
      const expected = f(xs[i]);
      const fits = Object.is(value, expected) || value === expected || Math.abs(value - expected) < 1e-6;
      assert.ok(fits, `${name}(${xs[i]}) is ${value}, expected ${expected}`);
    }
  }
  for (const value of await ops.sin(device.tensor([I, 1e38, -3e4], [3])).read()) assert.ok(!(Math.abs(value) > 1.01));
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
