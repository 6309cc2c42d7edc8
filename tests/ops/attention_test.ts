import assert from "node:assert/strict";
import { type Device, pullback, type Tensor } from "../../core/mod.ts";
import { attention, type AttentionOptions } from "../../ops/attention.ts";
import { assertClose, familyCheck, familyTest, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

/** A key that is masked in float32: the logit is -1e9, whatever q · k is. */
const MASKED = -1e9;

type Inputs = { qkv: Reference; bias?: Reference; mask?: Reference };

/** Attention in float64, logit by logit. */
function attentionReference(
  { qkv, bias, mask }: Inputs,
  { heads: H, axis, gated, scale }: AttentionOptions,
): Reference {
  const [B, I, J, columns] = qkv.shape;
  const parts = gated ? 4 : 3;
  const D = columns / (parts * H);
  const [L, R] = axis === 2 ? [J, I] : [I, J];
  const factor = scale ?? 1 / Math.sqrt(D);
  const out = reference([B, I, J, H * D]);
  for (let b = 0; b < B; b++) {
    for (let r = 0; r < R; r++) {
      const token = (l: number) => b * I * J + (axis === 2 ? r * J + l : l * J + r);
      for (let h = 0; h < H; h++) {
        const at = (l: number, part: number, d: number) => qkv.data[token(l) * columns + part * H * D + h * D + d];
        for (let q = 0; q < L; q++) {
          const logits = Array.from({ length: L }, (_, k) => {
            let logit = bias ? bias.data[((b * H + h) * L + q) * L + k] : 0;
            for (let d = 0; d < D; d++) logit += at(q, 0, d) * at(k, 1, d) * factor;
            return mask && mask.data[token(k)] === 0 ? MASKED : logit;
          });
          const top = Math.max(...logits);
          const weights = logits.map((logit) => Math.exp(logit - top));
          const sum = weights.reduce((a, w) => a + w, 0);
          for (let d = 0; d < D; d++) {
            let o = 0;
            for (let k = 0; k < L; k++) o += weights[k] * at(k, 2, d);
            const gate = gated ? 1 / (1 + Math.exp(-at(q, 3, d))) : 1;
            out.data[token(q) * H * D + h * D + d] = (o / sum) * gate;
          }
        }
      }
    }
  }
  return out;
}

interface Case {
  readonly shape: readonly [B: number, I: number, J: number];
  readonly heads: number;
  readonly channels: number;
  readonly axis: 1 | 2;
  readonly gated: boolean;
  readonly bias: boolean;
  readonly mask: boolean;
  readonly scale?: number;
}

const CASES: Case[] = [
  { shape: [2, 5, 11], heads: 3, channels: 4, axis: 2, gated: false, bias: false, mask: false },
  { shape: [2, 5, 11], heads: 3, channels: 8, axis: 2, gated: true, bias: true, mask: true },
  { shape: [2, 13, 3], heads: 2, channels: 8, axis: 1, gated: true, bias: true, mask: false },
  { shape: [1, 18, 2], heads: 1, channels: 12, axis: 1, gated: false, bias: true, mask: true, scale: 0.7 },
  { shape: [1, 2, 35], heads: 1, channels: 32, axis: 2, gated: true, bias: true, mask: true },
  { shape: [1, 67, 1], heads: 2, channels: 16, axis: 1, gated: false, bias: false, mask: true },
  { shape: [2, 3, 1], heads: 3, channels: 8, axis: 2, gated: true, bias: true, mask: true },
  { shape: [1, 1, 7], heads: 1, channels: 4, axis: 1, gated: false, bias: false, mask: false },
];

for (const { shape: [B, I, J], heads, channels, axis, gated, bias, mask, scale } of CASES) {
  const with_ = Object.entries({ gated, bias, mask }).filter(([, on]) => on).map(([name]) => name).join(", ");
  const L = axis === 2 ? J : I;
  const inputs = {
    qkv: [B, I, J, (gated ? 4 : 3) * heads * channels],
    ...(bias ? { bias: [B, heads, L, L] } : {}),
    ...(mask ? { mask: [B, I, J] } : {}),
  };
  const options = { heads, axis, gated, scale };
  familyCheck<Record<string, number[]>>(
    `attention() matches float64 for [${B}, ${I}, ${J}], H = ${heads}, D = ${channels}, axis ${axis}, ${
      with_ || "plain"
    }`,
    {
      inputs,
      fill: { mask: (i) => (i % 4 === 2 || (L > 1 && i % 7 === 1) ? 0 : 1) },
      constant: ["mask"],
      gpu: (given) => attention(given as { qkv: Tensor; bias?: Tensor; mask?: Tensor }, options),
      reference: (given) => attentionReference(given as Inputs, options),
      gradAtol: L === 1 ? 1e-6 : undefined, // nothing depends on the logits of a single key
    },
  );
}

/** Output, and gradients for a random cotangent. */
async function outputAndGradients(device: Device, inputs: Record<string, Tensor>, options: AttentionOptions) {
  const { qkv, mask, ...rest } = inputs;
  const primals: Record<string, Tensor> = { qkv, ...rest };
  const { output, pull } = pullback(
    device,
    (given: Record<string, Tensor>) => attention({ qkv: given.qkv, bias: given.bias, mask }, options),
    primals,
  );
  const grads = pull([device.tensor(randomArray(output.size, 9), output.shape)]);
  const all = { output, ...grads } as Record<string, Tensor>;
  const read: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(all)) read[name] = Float32Array.from(await tensor.read());
  return read;
}

familyTest("attention() averages all values in a row whose keys are all masked, and stays finite", async (device) => {
  const [B, I, J, heads, D] = [1, 3, 13, 2, 4];
  const qkv = device.tensor(randomArray(B * I * J * 3 * heads * D, 1).map((x) => 3 * x), [B, I, J, 3 * heads * D]);
  const bias = device.tensor(randomArray(B * heads * J * J, 2), [B, heads, J, J]);
  const maskValues = Float32Array.from({ length: I * J }, (_, i) => (Math.floor(i / J) === 1 ? 0 : 1));
  const mask = device.tensor(maskValues, [B, I, J]);
  const { output, ...grads } = await outputAndGradients(device, { qkv, bias, mask }, { heads, axis: 2, gated: false });
  const values = await qkv.read();
  const width = 3 * heads * D;
  for (let c = 0; c < heads * D; c++) {
    let mean = 0;
    for (let j = 0; j < J; j++) mean += values[(J + j) * width + 2 * heads * D + c] / J;
    for (let j = 0; j < J; j++) assertClose([output[(J + j) * heads * D + c]], [mean], {}, `channel ${c} of ${j}`);
  }
  for (const [name, grad] of Object.entries(grads)) assert.ok(grad.every(Number.isFinite), `gradient of ${name}`);
  const cotangent = randomArray(output.length, 9);
  for (let c = 0; c < heads * D; c++) { // every value gets the mean of the cotangent
    let mean = 0;
    for (let j = 0; j < J; j++) mean += cotangent[(J + j) * heads * D + c] / J;
    for (let j = 0; j < J; j++) {
      assertClose([grads.qkv[(J + j) * width + 2 * heads * D + c]], [mean], { atol: 1e-6 }, "dv");
    }
  }
});

familyTest("attention() stays exact where logits are large", async (device) => {
  const [J, heads, D] = [19, 1, 8];
  const values = randomArray(J * 24, 3).map((x, i) => (i % 24 < 16 ? 30 * x : x));
  const options = { heads, axis: 2, gated: false } as const;
  const out = attention({ qkv: device.tensor(values, [1, 1, J, 3 * D]) }, options);
  const expected = attentionReference({ qkv: reference([1, 1, J, 3 * D], values) }, options);
  assertClose(await out.read(), expected.data, { rtol: 1e-3, atol: 1e-3 });
});

familyTest("attention() takes more than 65,535 sequences times heads", async (device) => {
  const [B, I, J, heads, D] = [2, 32_771, 2, 1, 4];
  for (const axis of [2, 1] as const) {
    const shape = axis === 2 ? [B, I, J, 3 * heads * D] : [B, J, I, 3 * heads * D];
    const values = randomArray(B * I * J * 3 * heads * D, 5);
    const options = { heads, axis, gated: false };
    const expected = attentionReference({ qkv: reference(shape, values) }, options);
    const out = attention({ qkv: device.tensor(values, shape) }, options);
    assertClose(await out.read(), expected.data, {}, `axis ${axis}: output`);
  }
});

familyTest("attention() gives gradients for more than 65,535 samples times heads", async (device) => {
  const [B, J, heads, D] = [32_771, 2, 3, 4];
  const options = { heads, axis: 2, gated: false } as const;
  const width = J * 3 * heads * D, logits = heads * J * J, row = J * heads * D;
  const qkv = randomArray(B * width, 1), bias = randomArray(B * logits, 2), d = randomArray(B * row, 3);
  /** Gradients for some of the samples. */
  const gradientsOf = async (first: number, n: number) => {
    const inputs = {
      qkv: device.tensor(qkv.subarray(first * width, (first + n) * width), [n, 1, J, 3 * heads * D]),
      bias: device.tensor(bias.subarray(first * logits, (first + n) * logits), [n, heads, J, J]),
    };
    const { pullLeaves } = pullback<typeof inputs, Tensor>(device, (inputs) => attention(inputs, options), inputs);
    const dOut = device.tensor(d.subarray(first * row, (first + n) * row), [n, 1, J, heads * D]);
    const [dQkv, dBias] = await Promise.all(pullLeaves([dOut]).map((grad) => grad!.read()));
    return { dQkv, dBias };
  };
  const all = await gradientsOf(0, B);
  for (const sample of [0, 10_922, 21_845, 32_767, B - 1]) {
    const one = await gradientsOf(sample, 1);
    assertClose(all.dQkv.subarray(sample * width, (sample + 1) * width), one.dQkv, {}, `dQkv of ${sample}`);
    assertClose(all.dBias.subarray(sample * logits, (sample + 1) * logits), one.dBias, {}, `dBias of ${sample}`);
  }
});
familyTest(
  "the gradient of the bias over more sequences than an invocation goes through is that of float64",
  async (device) => {
    const [I, J, D] = [22_000, 8, 4];
    const values = randomArray(I * J * 3 * D, 1), biases = randomArray(J * J, 2);
    const inputs = { qkv: device.tensor(values, [1, I, J, 3 * D]), bias: device.tensor(biases, [1, 1, J, J]) };
    const { bias, qkv } = await outputAndGradients(device, inputs, { heads: 1, axis: 2, gated: false });
    const cotangent = randomArray(I * J * D, 9);
    const expected = new Float64Array(J * J);
    const dot = (a: Float32Array, at: number, b: Float32Array, bt: number) => {
      let sum = 0;
      for (let d = 0; d < D; d++) sum += a[at + d] * b[bt + d];
      return sum;
    };
    for (let i = 0; i < I; i++) {
      const row = (j: number) => (i * J + j) * 3 * D;
      for (let q = 0; q < J; q++) {
        const weights = Array.from(
          { length: J },
          (_, k) => Math.exp(dot(values, row(q), values, row(k) + D) / Math.sqrt(D) + biases[q * J + k]),
        );
        const sum = weights.reduce((a, w) => a + w, 0);
        const slopes = weights.map((_, k) => dot(cotangent, (i * J + q) * D, values, row(k) + 2 * D));
        const mean = slopes.reduce((a, slope, k) => a + slope * weights[k] / sum, 0);
        weights.forEach((w, k) => (expected[q * J + k] += w / sum * (slopes[k] - mean)));
      }
    }
    assertClose(bias, expected, { rtol: 1e-4, atol: 2e-4 }); // sums of 22,000 numbers
    assert.ok(qkv.every(Number.isFinite) && qkv.subarray(-3 * D).some((x) => x !== 0));
  },
);

familyTest("attention() is not touched by what lies behind the bias in memory", async (device) => {
  const options = { heads: 1, axis: 2, gated: false } as const;
  const qkv = randomArray(4 * 24, 1);
  const bias = randomArray(16, 2);
  const left = device.tensor(new Float32Array(64).fill(NaN), [64]); // a buffer that the bias will get
  left.dispose();
  const given = { bias: device.tensor(bias, [1, 1, 4, 4]), qkv: device.tensor(qkv, [1, 1, 4, 24]) };
  const expected = attentionReference(
    { bias: reference([1, 1, 4, 4], bias), qkv: reference([1, 1, 4, 24], qkv) },
    options,
  );
  assertClose(await attention(given, options).read(), expected.data);
});

familyTest("attention() gives the same bits twice, and with or without recording", async (device) => {
  const [B, I, J, heads, D] = [2, 9, 21, 2, 8];
  const inputs = {
    qkv: device.tensor(randomArray(B * I * J * 4 * heads * D, 1), [B, I, J, 4 * heads * D]),
    bias: device.tensor(randomArray(B * heads * J * J, 2), [B, heads, J, J]),
    mask: device.tensor(randomArray(B * I * J, 3).map((x) => (x > -0.5 ? 1 : 0)), [B, I, J]),
  };
  const options = { heads, axis: 2, gated: true } as const;
  const first = await outputAndGradients(device, inputs, options);
  assert.deepEqual(await outputAndGradients(device, inputs, options), first);
  assert.deepEqual(Float32Array.from(await attention(inputs, options).read()), first.output);
});

gpuTest("attention() gives a gradient to the bias alone", async (device) => {
  const [I, J, heads, D] = [3, 6, 2, 4];
  const qkv = device.tensor(randomArray(I * J * 3 * heads * D, 1), [1, I, J, 3 * heads * D]);
  const bias = device.tensor(randomArray(heads * J * J, 2), [1, heads, J, J]);
  const options = { heads, axis: 2, gated: false } as const;
  const both = await outputAndGradients(device, { qkv, bias }, options);
  const { output, pull } = pullback(device, (bias: Tensor) => attention({ qkv, bias }, options), bias);
  const grad = pull([device.tensor(randomArray(output.size, 9), output.shape)]);
  assert.deepEqual(Float32Array.from(await grad!.read()), both.bias);
});

gpuTest("attention() says which shape does not fit", (device) => {
  const qkv = device.empty([2, 3, 5, 24]);
  const options = { heads: 2, axis: 2, gated: false } as const;
  assert.throws(
    () => attention({ qkv: device.empty([3, 5, 24]) }, options),
    { name: "TypeError", message: /must be \[B, I, J, 3·H·D\]: qkv is \[3,5,24\]/ },
  );
  assert.throws(
    () => attention({ qkv }, { ...options, heads: 5 }),
    /last axis of qkv must be 3·H·D: qkv is \[2,3,5,24\]/,
  );
  assert.throws(
    () => attention({ qkv }, { ...options, gated: true }),
    /multiple of 4: .* D is 3; pad each head with zeros to 4/,
  );
  assert.throws(() => attention({ qkv }, { ...options, heads: 0 }), TypeError);
  assert.throws(
    () => attention({ qkv, bias: device.empty([2, 2, 3, 3]) }, options),
    /bias must be \[B, H, L, L\] = \[2,2,5,5\] for axis 2: bias is \[2,2,3,3\]/,
  );
  assert.throws(
    () => attention({ qkv, mask: device.empty([2, 5, 3]) }, options),
    /mask must be \[B, I, J\] = \[2,3,5\]/,
  );
});
