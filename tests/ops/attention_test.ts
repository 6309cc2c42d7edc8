import assert from "node:assert/strict";
import { Device, type KernelFamily, pullback, type Tensor } from "../../core/mod.ts";
import { attention, type AttentionOptions } from "../../ops/attention.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../_gpu.ts";

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

/** The families that this adapter can run, each on a device of its own. */
function families(device: Device): [KernelFamily, Device][] {
  const { traits } = device;
  const of = (kernelFamily: KernelFamily) =>
    traits.kernelFamily === kernelFamily ? device : new Device(device.gpu, { ...traits, kernelFamily });
  const all: KernelFamily[] = traits.subgroupSize >= 4 && traits.software
    ? ["subgroup", "workgroup", "plain"]
    : ["workgroup", "plain"];
  return all.map((family) => [family, of(family)]);
}

/** A test in each family. */
function familyTest(name: string, run: (device: Device, family: KernelFamily) => Promise<void>): void {
  gpuTest(name, async (main) => {
    for (const [family, device] of families(main)) {
      try {
        using _ = device.scope(family);
        await run(device, family);
      } catch (error) {
        if (error instanceof Error) error.message = `${family}: ${error.message}`;
        throw error;
      }
    }
  });
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
  familyTest(
    `attention() matches float64 for [${B}, ${I}, ${J}], H = ${heads}, D = ${channels}, axis ${axis}, ${
      with_ || "plain"
    }`,
    (device) => {
      const L = axis === 2 ? J : I;
      const inputs = {
        qkv: [B, I, J, (gated ? 4 : 3) * heads * channels],
        ...(bias ? { bias: [B, heads, L, L] } : {}),
        ...(mask ? { mask: [B, I, J] } : {}),
      } as { qkv: number[]; bias?: number[]; mask?: number[] };
      const options = { heads, axis, gated, scale };
      return checkOp(device, {
        inputs: inputs as Record<string, number[]>,
        fill: { mask: (i) => (i % 4 === 2 || (L > 1 && i % 7 === 1) ? 0 : 1) },
        constant: ["mask"],
        gpu: (given) => attention(given as { qkv: Tensor; bias?: Tensor; mask?: Tensor }, options),
        reference: (given) => attentionReference(given as Inputs, options),
        gradAtol: L === 1 ? 1e-6 : undefined, // nothing depends on the logits of a single key
      });
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

gpuTest("attention() takes more than 65,535 sequences times heads", async (main) => {
  const [B, I, J, heads, D] = [2, 32_771, 2, 1, 4];
  for (const axis of [2, 1] as const) {
    const shape = axis === 2 ? [B, I, J, 3 * heads * D] : [B, J, I, 3 * heads * D];
    const values = randomArray(B * I * J * 3 * heads * D, 5);
    const options = { heads, axis, gated: false };
    const expected = attentionReference({ qkv: reference(shape, values) }, options);
    for (const [family, device] of families(main)) {
      using _ = device.scope(family);
      const out = attention({ qkv: device.tensor(values, shape) }, options);
      assertClose(await out.read(), expected.data, {}, `${family}, axis ${axis}: output`);
    }
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
