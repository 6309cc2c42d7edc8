import assert from "node:assert/strict";
import { Device, pullback, sizeOf, type Tensor } from "../../core/mod.ts";
import { crossEntropy, huber, meanSquaredError } from "../../ops/losses.ts";
import { assertClose, checkOp, familyTest, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

function meanLoss(f: (e: number) => number, prediction: Reference, target: Reference, mask?: Reference): Reference {
  let sum = 0, count = 0;
  prediction.data.forEach((p, i) => {
    const weight = mask?.data[i] ?? 1;
    sum += weight * f(p - target.data[i]);
    count += weight;
  });
  return reference([], [sum / count]);
}

const halfMask = (i: number) => (i % 5 < 2 ? 0 : i % 5 === 3 ? 0.5 : 1);
const squareOf = (e: number) => e * e;
const huberOf = (delta: number) => (e: number) =>
  Math.abs(e) <= delta ? 0.5 * e * e : delta * (Math.abs(e) - 0.5 * delta);

for (const shape of [[13, 7], [3], [5], [1031, 3], [3, 41, 43]]) {
  gpuTest(`meanSquaredError() and huber() of [${shape}], with and without a mask`, async (device) => {
    const inputs = { prediction: shape, target: shape };
    const masked = { inputs: { ...inputs, mask: shape }, fill: { mask: halfMask }, constant: ["mask" as const] };
    await checkOp(device, {
      inputs,
      gpu: ({ prediction, target }) => meanSquaredError(prediction, target),
      reference: ({ prediction, target }) => meanLoss(squareOf, prediction, target),
    });
    await checkOp(device, {
      ...masked,
      gpu: ({ prediction, target, mask }) => meanSquaredError(prediction, target, { mask }),
      reference: ({ prediction, target, mask }) => meanLoss(squareOf, prediction, target, mask),
    });
    await checkOp(device, {
      inputs,
      gpu: ({ prediction, target }) => huber(prediction, target, { delta: 0.6 }),
      reference: ({ prediction, target }) => meanLoss(huberOf(0.6), prediction, target),
    });
    await checkOp(device, {
      ...masked,
      gpu: ({ prediction, target, mask }) => huber(prediction, target, { mask }),
      reference: ({ prediction, target, mask }) => meanLoss(huberOf(1), prediction, target, mask),
    });
  });
}

gpuTest("meanSquaredError() of a million elements is accurate, and the same each time", async (device) => {
  const n = 1_000_003;
  const ps = randomArray(n, 1), ts = randomArray(n, 2);
  const prediction = device.tensor(ps, [n]), target = device.tensor(ts, [n]);
  const mask = device.tensor(ps.map((_, i) => (i % 3 ? 1 : 0)), [n]);
  let sum = 0, kept = 0, count = 0;
  for (let i = 0; i < n; i++) {
    const value = (ps[i] - ts[i]) ** 2;
    sum += value;
    if (i % 3) [kept, count] = [kept + value, count + 1];
  }
  const all = await meanSquaredError(prediction, target).item();
  assertClose([all], [sum / n], { rtol: 1e-6, atol: 0 });
  assert.equal(await meanSquaredError(prediction, target).item(), all);
  assertClose([await meanSquaredError(prediction, target, { mask }).item()], [kept / count], { rtol: 1e-6, atol: 0 });
});

gpuTest("a mask hides NaN, and a mask of 0 gives a loss and gradient of 0", async (device) => {
  const target = device.tensor([1, 2, 3, 4, 5], [5]);
  const prediction = device.tensor([NaN, 3, 3, 2, Infinity], [5]);
  for (
    const [mask, loss, grad] of [[[0, 1, 1, 2, 0], 9 / 4, [0, 0.5, 0, -2, 0]], [[0, 0, 0, 0, 0], 0, [0, 0, 0, 0, 0]]]
  ) {
    const weights = device.tensor(mask as number[], [5]);
    const { output, pullLeaves } = pullback(
      device,
      (prediction: Tensor) => meanSquaredError(prediction, target, { mask: weights }),
      prediction,
    );
    assert.equal(await output.item(), loss);
    const [d] = pullLeaves([device.tensor([1], [])]);
    assert.deepEqual([...await d!.read()].map((x) => x + 0), grad);
  }
});

function entropyReference(logits: Reference, targets: Reference, mask?: Reference): Reference {
  const classes = logits.shape.at(-1)!;
  let sum = 0, count = 0;
  for (let row = 0; row < logits.data.length / classes; row++) {
    const l = logits.data.subarray(row * classes, (row + 1) * classes);
    const largest = l.reduce((most, x) => Math.max(most, x), -Infinity);
    const logSum = largest + Math.log(l.reduce((s, x) => s + Math.exp(x - largest), 0));
    const loss = l.reduce((s, x, c) => s + targets.data[row * classes + c] * (logSum - x), 0);
    const weight = mask?.data[row] ?? 1;
    sum += weight * loss;
    count += weight;
  }
  return reference([], [sum / count]);
}

for (const shape of [[13, 7], [1, 3], [2, 5, 23], [64]]) {
  gpuTest(`crossEntropy() of [${shape}], with and without a mask`, async (device) => {
    const rows = shape.slice(0, -1);
    const classes = shape.at(-1)!;
    const fill = {
      logits: (i: number) => 8 * (((i + 1) * 0.6180339887) % 1) - 4,
      targets: (i: number) => (i % classes === (3 * Math.floor(i / classes)) % classes ? 1 : 0),
      mask: (i: number) => (sizeOf(rows) > 2 && i % 3 === 0 ? 0 : 1 + i % 2),
    };
    await checkOp(device, {
      inputs: { logits: shape, targets: shape },
      fill,
      constant: ["targets"],
      gpu: ({ logits, targets }) => crossEntropy(logits, targets),
      reference: ({ logits, targets }) => entropyReference(logits, targets),
    });
    await checkOp(device, {
      inputs: { logits: shape, targets: shape, mask: rows },
      fill: { ...fill, targets: (i) => fill.targets(i) * 0.9 + 0.2 / classes }, // smoothed, not quite normalised
      constant: ["targets", "mask"],
      gpu: ({ logits, targets, mask }) => crossEntropy(logits, targets, { mask }),
      reference: ({ logits, targets, mask }) => entropyReference(logits, targets, mask),
    });
  });
}

gpuTest("crossEntropy() of large logits is finite, and takes more than 65,535 rows", async (device) => {
  const logits = device.tensor([1000, 0, -1000, 1000], [2, 2]);
  const targets = device.tensor([0, 1, 0, 1], [2, 2]);
  assertClose([await crossEntropy(logits, targets).item()], [500]);
  const ls = randomArray(70_001 * 3, 1), ts = Float32Array.from(ls, (_, i) => (i % 3 === 1 ? 1 : 0));
  const shape = [70_001, 3];
  const expected = entropyReference(reference(shape, ls), reference(shape, ts));
  const loss = await crossEntropy(device.tensor(ls, shape), device.tensor(ts, shape)).item();
  assertClose([loss], expected.data, { rtol: 2e-6 });
});

gpuTest("losses of tensors that no kernel sees whole are the same to the bit", async (device) => {
  const narrow = new Device(device.gpu, { ...device.traits, maxBindingBytes: 2 ** 16 });
  const [rows, classes] = [9001, 12], shape = [rows, classes];
  const numbers = [1, 2].map((seed) => randomArray(rows * classes, seed).map((x) => 3 * x));
  const weights = randomArray(rows * classes, 3).map((x) => (x > 0.5 ? 0 : 1 + x));
  const run = async (device: Device) => {
    using scope = device.scope("losses");
    void scope;
    const [x, y] = numbers.map((data) => device.tensor(data, shape));
    const mask = device.tensor(weights, shape), rowMask = device.tensor(weights.subarray(0, rows), [rows]);
    const losses: ((inputs: { x: Tensor; y: Tensor }) => Tensor)[] = [
      ({ x, y }) => meanSquaredError(x, y),
      ({ x, y }) => huber(x, y, { mask }),
      ({ x, y }) => crossEntropy(x, y),
      ({ x, y }) => crossEntropy(x, y, { mask: rowMask }),
    ];
    const found: ArrayLike<number>[] = [];
    for (const loss of losses) {
      const { output, pullLeaves } = pullback(device, loss, { x, y });
      found.push(await output.read());
      for (const grad of pullLeaves([device.tensor([1], [])])) if (grad) found.push(await grad.read());
    }
    return found;
  };
  const whole = await run(device);
  assert.equal(whole.length, 10);
  assert.deepEqual(await run(narrow), whole);
  assert.equal(narrow.memory.liveTensors, 0);
});

gpuTest("the distogram loss of 768 residues takes bindings of 128 MiB", ({ traits }) => {
  const device = Device.dry({ ...traits, maxBindingBytes: 2 ** 27, maxBufferBytes: 2 ** 31 });
  const logits = device.empty([768, 768, 64]); // 151 MB
  const mask = device.empty([768, 768]);
  const { pullLeaves } = pullback(device, (x: Tensor) => crossEntropy(x, logits, { mask }), logits);
  assert.deepEqual(pullLeaves([device.empty([])])[0]!.shape, [768, 768, 64]);
  pullback(device, (x: Tensor) => meanSquaredError(x, logits), logits).pullLeaves([device.empty([])]);
});

familyTest(`crossEntropy() of rows of every kind, long ones too`, async (device) => {
  for (const shape of [[3, 64], [5, 36], [2, 3, 1], [2, 1024], [3, 1025], [2, 33_000], [1, 131_073]]) {
    const classes = shape.at(-1)!, size = sizeOf(shape), rows = size / classes;
    const ls = randomArray(size, 1).map((x) => 6 * x);
    const ts = Float32Array.from(
      ls,
      (_, i) => (i % classes === (7 * Math.floor(i / classes) + 5) % classes ? 0.9 : 1e-5),
    );
    const targets = device.tensor(ts, shape);
    const { output, pullLeaves } = pullback(
      device,
      (x: Tensor) => crossEntropy(x, targets),
      device.tensor(ls, shape),
    );
    const label = `[${shape}]`;
    assertClose([await output.item()], entropyReference(reference(shape, ls), reference(shape, ts)).data, {
      rtol: 1e-5,
    }, label);
    const [dx] = pullLeaves([device.tensor([rows], [])]);
    const slopes = new Float64Array(size);
    for (let row = 0; row < rows; row++) {
      const l = ls.subarray(row * classes, (row + 1) * classes), t = ts.subarray(row * classes, (row + 1) * classes);
      const sum = l.reduce((sum, x) => sum + Math.exp(x), 0), weight = t.reduce((sum, x) => sum + x, 0);
      l.forEach((x, i) => (slopes[row * classes + i] = weight * Math.exp(x) / sum - t[i]));
    }
    assertClose(await dx!.read(), slopes, { rtol: 1e-4, atol: 1e-7 }, `gradient of ${label}`);
  }
});

gpuTest("losses keep NaN, and infinite errors", async (device) => {
  const target = device.zeros([3]);
  for (const [value, expected] of [[NaN, NaN], [Infinity, Infinity]]) {
    const x = device.tensor([1, value, 2], [3]);
    for (const loss of [meanSquaredError, huber]) {
      const { output, pullLeaves } = pullback(device, (x: Tensor) => loss(x, target), x);
      assert.equal(await output.item(), expected);
      const [dx] = pullLeaves([device.tensor([1], [])]);
      if (Number.isNaN(value)) assert.ok(Number.isNaN((await dx!.read())[1]));
    }
    assert.ok(Number.isNaN(await crossEntropy(x, device.tensor([0, 0, 1], [3])).item()));
  }
});

gpuTest("losses refuse what does not fit", (device) => {
  const x = device.tensor(randomArray(6, 1), [2, 3]);
  const y = device.tensor(randomArray(6, 1), [3, 2]);
  const rows = device.tensor([1, 1], [2]);
  assert.throws(() => meanSquaredError(x, y), {
    name: "TypeError",
    message: /prediction is \[2,3\], target is \[3,2\]/,
  });
  assert.throws(() => meanSquaredError(x, x, { mask: rows }), TypeError);
  assert.throws(() => huber(x, x, { delta: 0 }), RangeError);
  assert.throws(() => crossEntropy(x, x, { mask: x }), TypeError);
  assert.throws(() => crossEntropy(x, y), TypeError);
  const empty = device.zeros([0, 3]);
  assert.throws(() => meanSquaredError(empty, empty), TypeError);
});
