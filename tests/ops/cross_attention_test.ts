/** attention() of queries to keys of their own. */
import assert from "node:assert/strict";
import { Device, pullback, type Tensor } from "../../core/mod.ts";
import { attention, type AttentionOptions, type CrossAttentionInputs } from "../../ops/attention.ts";
import {
  assertClose,
  FAMILIES,
  familyCheck,
  familyTest,
  gpuTest,
  ofFamily,
  randomArray,
  type Reference,
  reference,
  runsFamily,
} from "../_gpu.ts";

const MASKED = -1e9;

type Inputs = { q: Reference; k: Reference; v: Reference; gate?: Reference; bias?: Reference; mask?: Reference };

/** Attention in float64, logit by logit. */
function attentionReference(
  { q, k, v, gate, bias, mask }: Inputs,
  { heads: H, axis, keyAxis = axis, scale }: AttentionOptions,
): Reference {
  const [B, I, J, columns] = q.shape;
  const [, I2, J2] = k.shape;
  const D = columns / H;
  const [Lq, R] = axis === 2 ? [J, I] : [I, J];
  const Lk = keyAxis === 2 ? J2 : I2;
  const factor = scale ?? 1 / Math.sqrt(D);
  const out = reference(q.shape);
  for (let b = 0; b < B; b++) {
    for (let r = 0; r < R; r++) {
      const query = (l: number) => b * I * J + (axis === 2 ? r * J + l : l * J + r);
      const key = (l: number) => b * I2 * J2 + (keyAxis === 2 ? r * J2 + l : l * J2 + r);
      for (let h = 0; h < H; h++) {
        for (let l = 0; l < Lq; l++) {
          const at = query(l) * columns + h * D;
          const logits = Array.from({ length: Lk }, (_, m) => {
            let logit = bias ? bias.data[((b * H + h) * Lq + l) * Lk + m] : 0;
            for (let d = 0; d < D; d++) logit += q.data[at + d] * k.data[key(m) * columns + h * D + d] * factor;
            return mask && mask.data[key(m)] === 0 ? MASKED : logit;
          });
          const top = Math.max(...logits);
          const weights = logits.map((logit) => Math.exp(logit - top));
          const sum = weights.reduce((a, w) => a + w, 0);
          for (let d = 0; d < D; d++) {
            let o = 0;
            for (let m = 0; m < Lk; m++) o += weights[m] * v.data[key(m) * columns + h * D + d];
            out.data[at + d] = (o / sum) * (gate ? 1 / (1 + Math.exp(-gate.data[at + d])) : 1);
          }
        }
      }
    }
  }
  return out;
}

interface Case {
  readonly name: string;
  readonly q: readonly [B: number, I: number, J: number];
  readonly k: readonly [B: number, I: number, J: number];
  readonly heads: number;
  readonly channels: number;
  readonly axis: 1 | 2;
  readonly keyAxis?: 1 | 2;
  readonly more?: readonly ("gate" | "bias" | "mask")[];
  readonly scale?: number;
}

const CASES: Case[] = [
  { name: "templates of pairs", q: [1, 1, 23], k: [1, 3, 23], heads: 2, channels: 8, axis: 1, more: ["mask"] },
  { name: "one key", q: [2, 1, 5], k: [2, 1, 5], heads: 3, channels: 4, axis: 1, more: ["gate", "bias"] },
  {
    name: "few keys of many queries",
    q: [1, 2, 71],
    k: [1, 2, 6],
    heads: 1,
    channels: 12,
    axis: 2,
    more: ["bias", "mask"],
  },
  {
    name: "few queries of many keys",
    q: [2, 7, 3],
    k: [2, 41, 7],
    heads: 1,
    channels: 8,
    axis: 2,
    keyAxis: 1,
    more: ["mask"],
  },
  {
    ...{ name: "lengths of their own", q: [2, 3, 37], k: [2, 3, 45], heads: 2, channels: 8, axis: 2, scale: 0.6 },
    more: ["gate", "bias", "mask"],
  },
  { name: "columns", q: [1, 67, 2], k: [1, 34, 2], heads: 3, channels: 16, axis: 1, more: ["gate", "bias"] },
  { name: "wide heads", q: [1, 2, 35], k: [1, 2, 33], heads: 1, channels: 40, axis: 2, more: ["bias"] },
];

for (const { name, q, k, heads, channels, axis, keyAxis, scale, more = [] } of CASES) {
  const columns = heads * channels;
  const logits = [q[0], heads, q[axis], k[keyAxis ?? axis]];
  const shapes = { gate: [...q, columns], bias: logits, mask: [...k] };
  const inputs = {
    q: [...q, columns],
    k: [...k, columns],
    v: [...k, columns],
    ...Object.fromEntries(more.map((input) => [input, shapes[input]])),
  };
  const options = { heads, axis, keyAxis, scale };
  familyCheck<Record<string, number[]>>(`attention() of q, k, v matches float64: ${name}`, {
    inputs,
    fill: { mask: (i) => (i % 4 === 2 || i % 11 === 1 ? 0 : 1) }, // no query without a key
    constant: ["mask"],
    gpu: (given) => attention(given as CrossAttentionInputs, options),
    reference: (given) => attentionReference(given as Inputs, options),
    gradAtol: logits[3] === 1 ? 1e-6 : undefined, // nothing depends on the logits of a single key
  });
}

gpuTest("attention() of q, k, v averages the values of a query whose keys are all masked", async (device) => {
  const q = device.tensor(randomArray(3 * 4, 1), [1, 1, 3, 4]);
  const [k, v] = [2, 3].map((seed) => device.tensor(randomArray(5 * 3 * 4, seed), [1, 5, 3, 4]));
  const mask = device.tensor(Float32Array.from({ length: 15 }, (_, i) => (i % 3 === 1 ? 0 : 1)), [1, 5, 3]);
  const out = await attention({ q, k, v, mask }, { heads: 1, axis: 1 }).read();
  const values = await v.read();
  for (let d = 0; d < 4; d++) {
    let mean = 0;
    for (let l = 0; l < 5; l++) mean += values[(l * 3 + 1) * 4 + d] / 5;
    assertClose([out[4 + d]], [mean], {}, `channel ${d}`);
  }
});

gpuTest("attention() of q, k, v takes more than 65,535 batch entries times heads, with a bias", async (main) => {
  const [B, heads, D, Lq, Lk] = [40_009, 2, 4, 1, 2];
  const arrays = {
    q: randomArray(B * Lq * heads * D, 1),
    k: randomArray(B * Lk * heads * D, 2),
    v: randomArray(B * Lk * heads * D, 3),
    bias: randomArray(B * heads * Lq * Lk, 4),
  };
  const shapes = {
    q: [B, 1, Lq, heads * D],
    k: [B, 1, Lk, heads * D],
    v: [B, 1, Lk, heads * D],
    bias: [B, heads, Lq, Lk],
  };
  const options = { heads, axis: 2 } as const;
  const names = ["q", "k", "v", "bias"] as const;
  const references = Object.fromEntries(names.map((name) => [name, reference(shapes[name], arrays[name])]));
  const expected = attentionReference(references as Inputs, options);
  const cotangent = randomArray(expected.data.length, 9);
  for (const family of FAMILIES) {
    if (!runsFamily(main, family)) continue;
    const device = ofFamily(main, family);
    using _ = device.scope(family);
    const inputs = Object.fromEntries(names.map((name) => [name, device.tensor(arrays[name], shapes[name])]));
    const back = pullback<Record<string, Tensor>, Tensor>(
      device,
      (given) => attention(given as unknown as CrossAttentionInputs, options),
      inputs,
    );
    assertClose(await back.output.read(), expected.data, {}, `${family}: output`);
    const grads = back.pull([device.tensor(cotangent, expected.shape)]) as Record<string, Tensor>;
    const at = 65_541; // logits beyond one axis of workgroups
    for (const name of ["bias", "v"] as const) {
      const slope = (h: number) => {
        const moved = { ...references, [name]: reference(shapes[name], arrays[name]) } as Inputs;
        moved[name]!.data[at] += h;
        const { data } = attentionReference(moved, options);
        return data.reduce((sum, x, i) => sum + x * cotangent[i], 0);
      };
      const grad = await grads[name].read();
      assertClose([grad[at]], [(slope(1e-4) - slope(-1e-4)) / 2e-4], { rtol: 1e-3, atol: 1e-5 }, `${family}: d${name}`);
    }
  }
});

/** The device as one that lets no kernel see more than `bytes`. */
function narrow({ gpu, traits }: Device, bytes: number): Device {
  return new Device(gpu, { ...traits, maxBindingBytes: bytes });
}

familyTest("attention() of q, k, v gives the same bits in parts", async (main) => {
  const shapes = { q: [2, 9, 13, 8], k: [2, 50, 9, 8], v: [2, 50, 9, 8], gate: [2, 9, 13, 8], bias: [2, 2, 13, 50] };
  const mask = Float32Array.from({ length: 2 * 50 * 9 }, (_, i) => (i % 5 === 3 ? 0 : 1));
  const options = { heads: 2, axis: 2, keyAxis: 1 } as const;
  const run = async (device: Device) => {
    using _ = device.scope("run");
    const inputs = Object.fromEntries(
      Object.entries(shapes).map(([name, shape], i) => [
        name,
        device.tensor(randomArray(shape.reduce((a, b) => a * b), i), shape),
      ]),
    );
    const constant = device.tensor(mask, [2, 50, 9]);
    const back = pullback<Record<string, Tensor>, Tensor>(
      device,
      (given) => attention({ ...given, mask: constant } as unknown as CrossAttentionInputs, options),
      inputs,
    );
    const grads = back.pull([device.tensor(randomArray(2 * 9 * 13 * 8, 77), shapes.q)]) as Record<string, Tensor>;
    const read: Record<string, Float32Array> = {};
    for (const [name, tensor] of Object.entries({ out: back.output, ...grads })) {
      read[name] = Float32Array.from(await tensor.read());
    }
    return read;
  };
  const whole = await run(main);
  assert.deepEqual(await run(narrow(main, 12_000)), whole);
});

gpuTest("attention() of q, k, v computes the gradients asked for and no others", async (device) => {
  const shape = [1, 3, 9, 8];
  const [q, k, v] = [1, 2, 3].map((seed) => device.tensor(randomArray(3 * 9 * 8, seed), shape));
  const bias = device.tensor(randomArray(2 * 81, 4), [1, 2, 9, 9]);
  const options = { heads: 2, axis: 2 } as const;
  const cotangent = device.tensor(randomArray(3 * 9 * 8, 5), shape);
  const all = pullback(
    device,
    (given: { q: Tensor; k: Tensor; v: Tensor; bias: Tensor }) => attention(given, options),
    {
      ...{ q, k, v, bias },
    },
  ).pull([cotangent]) as Record<string, Tensor>;
  for (const name of ["q", "k", "v", "bias"] as const) {
    const given = { q, k, v, bias };
    const alone = pullback(device, (x: Tensor) => attention({ ...given, [name]: x }, options), given[name]);
    assert.deepEqual(await alone.pull([cotangent])!.read(), await all[name].read(), name);
  }
});

gpuTest("attention() of q, k, v says what does not fit", (device) => {
  const q = device.empty([2, 3, 5, 8]), k = device.empty([2, 3, 7, 8]);
  const options = { heads: 2, axis: 2 } as const;
  const refused = (inputs: CrossAttentionInputs, message: RegExp, given: AttentionOptions = options) =>
    assert.throws(() => attention(inputs, given), (error) => error instanceof TypeError && message.test(error.message));
  refused({ q, k, v: q }, /k and v must have one shape: q is \[2,3,5,8\], k is \[2,3,7,8\]/);
  refused(
    { q, k: device.empty([2, 4, 7, 8]), v: device.empty([2, 4, 7, 8]) },
    /agree in batch, sequences and channels/,
  );
  refused({ q, k, v: k, bias: device.empty([2, 2, 5, 5]) }, /\[B, H, Lq, Lk\] = \[2,2,5,7\], it is \[2,2,5,5\]/);
  refused({ q, k, v: k, mask: device.empty([2, 3, 5]) }, /mask must be \[2,3,7\]/);
  refused({ q, k, v: k, gate: k }, /gate must have the shape of q/);
  refused({ q, k, v: k }, /multiple of 4: .* D is 2/, { ...options, heads: 4 });
  refused({ q, k, v: k }, /gated goes with qkv alone/, { ...options, gated: true });
  refused({ q, k: device.empty([2, 3, 0, 8]), v: device.empty([2, 3, 0, 8]) }, /there must be a key/);
});
