import assert from "node:assert/strict";
import { Key, pullback, type Tensor } from "../../../core/mod.ts";
import {
  initLabelHead,
  labelHead,
  type LabelHeadChoices,
  labelHeadConfig,
  labelHeadParameterCount,
  type LabelHeadParams,
  poolResidues,
} from "../../../finetune/mod.ts";
import { assertClose, checkOp, gpuTest, randomArray, type Reference, reference } from "../../_gpu.ts";

const BATCH = 2, N = 5, C = 7, CZ = 3, HIDDEN = 6;
/** 1 for residues; the second protein is shorter. */
const MASK = [1, 1, 1, 1, 1, 1, 1, 1, 0, 0];

function erf(x: number): number {
  // Series for small, continued fraction for large arguments.
  if (Math.abs(x) < 3) {
    let term = x, sum = x;
    for (let n = 1; n < 80; n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  }
  let f = 0;
  for (let n = 60; n > 0; n--) f = n / 2 / (Math.abs(x) + f);
  return Math.sign(x) * (1 - Math.exp(-x * x) / Math.sqrt(Math.PI) / (Math.abs(x) + f));
}

const gelu = (x: number) => x / 2 * (1 + erf(x / Math.SQRT2));

/** y = W x + b of one row. */
function affine(x: number[], weight: Reference, bias: Reference): number[] {
  const [n, k] = weight.shape;
  return Array.from({ length: n }, (_, i) => {
    let sum = bias.data[i];
    for (let j = 0; j < k; j++) sum += weight.data[i * k + j] * x[j];
    return sum;
  });
}

type Refs = Readonly<Record<string, Reference>>;

/** The head as plainly as can be. */
function plain(inputs: Refs, choices: LabelHeadChoices): Reference {
  const { s, z, poolW, poolB, w1, b1, w2, b2 } = inputs;
  const out: number[] = [];
  const row = (b: number, i: number) => Array.from(s.data.subarray((b * N + i) * C, (b * N + i + 1) * C));
  const run = (x: number[]) => affine(affine(x, w1, b1).map(gelu), w2, b2);
  for (let b = 0; b < BATCH; b++) {
    const inside = [...Array(N).keys()].filter((i) => MASK[b * N + i]);
    if (choices.level === "residue") {
      for (let i = 0; i < N; i++) out.push(...run(row(b, i)));
      continue;
    }
    const scores = inside.map((i) =>
      choices.pooling === "attention" ? Math.exp(affine(row(b, i), poolW, poolB)[0]) : 1
    );
    const total = scores.reduce((a, x) => a + x, 0);
    const x = Array.from({ length: C }, (_, c) => inside.reduce((a, i, k) => a + scores[k] / total * row(b, i)[c], 0));
    for (let c = 0; choices.cZ && c < CZ; c++) {
      let sum = 0;
      for (const i of inside) for (const j of inside) sum += z.data[((b * N + i) * N + j) * CZ + c];
      x.push(sum / inside.length ** 2);
    }
    out.push(...run(x));
  }
  const rows = choices.level === "residue" ? [BATCH, N] : [BATCH];
  return reference(choices.classes ? [...rows, choices.classes] : rows, out);
}

const HEADS: [name: string, choices: LabelHeadChoices][] = [
  ["the mean", {}],
  ["attention", { pooling: "attention" }],
  ["the mean and pairs", { cZ: CZ }],
  ["attention and pairs", { pooling: "attention", cZ: CZ }],
  ["the mean to classes", { classes: 4 }],
  ["each residue", { level: "residue" }],
  ["each residue to classes", { level: "residue", classes: 4 }],
];
for (const [name, choices] of HEADS) {
  gpuTest(`labelHead() of ${name} matches float64, with its gradients`, async (device) => {
    const config = labelHeadConfig(C, { hidden: HIDDEN, ...choices });
    const outputs = choices.classes ?? 1;
    await checkOp(device, {
      inputs: {
        s: [BATCH, N, C],
        ...(choices.cZ && { z: [BATCH, N, N, CZ] }),
        ...(choices.pooling === "attention" && { poolW: [1, C], poolB: [1] }),
        ...{ w1: [HIDDEN, C + (choices.cZ ?? 0)], b1: [HIDDEN], w2: [outputs, HIDDEN], b2: [outputs] },
      } as Record<string, number[]>,
      gpu: ({ s, z, poolW, poolB, w1, b1, w2, b2 }) =>
        labelHead(
          {
            ...(poolW && { pool: { weight: poolW, bias: poolB } }),
            linear_1: { weight: w1, bias: b1 },
            linear_2: { weight: w2, bias: b2 },
          },
          { s, z, mask: device.tensor(MASK, [BATCH, N]) },
          config,
        ),
      reference: (inputs) => plain(inputs, choices),
    });
  });
}

gpuTest("padding counts nothing in a pooling with weights, and gets no gradient", async (device) => {
  const config = labelHeadConfig(C, { pooling: "attention", hidden: HIDDEN });
  const head = initLabelHead(device, config, Key.fromSeed(1));
  const numbers = randomArray(N * C, 2);
  const mask = device.tensor([1, 1, 1, 0, 0], [1, N]);
  const s = device.tensor(numbers, [1, N, C]);
  const { pooled, weights } = poolResidues(head, { s, mask });
  assert.deepEqual([...(await weights.read()).subarray(3)], [0, 0]);
  const cut = device.tensor(numbers.subarray(0, 3 * C), [1, 3, C]);
  assertClose(await pooled.read(), await poolResidues(head, { s: cut }).pooled.read(), { rtol: 1e-6 });
  const back = pullback<{ s: Tensor }, Tensor>(device, ({ s }) => labelHead(head, { s, mask }, config), { s });
  const { s: ds } = back.pull([device.tensor([1], [1])]) as { s: Tensor };
  const found = await ds.read();
  assert(found.subarray(0, 3 * C).every((x) => x !== 0) && found.subarray(3 * C).every((x) => x === 0));
});

gpuTest("dropout of a head is drawn from the key, and is there in training alone", async (device) => {
  const config = labelHeadConfig(C, { dropout: 0.5 });
  const head: LabelHeadParams = initLabelHead(device, config, Key.fromSeed(1));
  const s = device.tensor(randomArray(N * C, 2), [1, N, C]);
  const run = (seed?: number) =>
    labelHead(head, { s }, config, seed === undefined ? {} : { key: Key.fromSeed(seed) }).item();
  const [plain, again, one, same, two] = [await run(), await run(), await run(1), await run(1), await run(2)];
  assert.equal(plain, again);
  assert.equal(one, same);
  assert(one !== plain && one !== two);
});

Deno.test("a head on 384 channels has 49,409 parameters", () => {
  assert.equal(labelHeadParameterCount(labelHeadConfig(384)), 49_409);
  assert.equal(
    labelHeadParameterCount(labelHeadConfig(384, { pooling: "attention", cZ: 128 })),
    49_409 + 385 + 128 ** 2,
  );
});

gpuTest("heads that make no sense, and inputs that do not fit, are refused", (device) => {
  const refused = (choices: LabelHeadChoices, message: RegExp) =>
    assert.throws(() => labelHeadConfig(C, choices), { name: "RangeError", message });
  refused({ hidden: 0 }, /hidden layer is a whole number of at least 1, got 0/);
  refused({ classes: 1 }, /number of classes is a whole number of at least 2, got 1/);
  refused({ dropout: 1 }, /dropout of a head is at least 0 and below 1, got 1/);
  refused({ pooling: "max" as "mean" }, /pooling of a head is mean or attention, got max/);
  refused({ level: "residue", cZ: 3 }, /reads the single representation alone/);
  const config = labelHeadConfig(C, { cZ: CZ });
  const head = initLabelHead(device, config, Key.fromSeed(1));
  assert.throws(() => labelHead(head, { s: device.zeros([1, N, C]) }, config), /reads the pair representation/);
  assert.throws(() => labelHead(head, { s: device.zeros([1, N, C + 1]) }, config), /axis 2 is 8 instead of 7/);
});
