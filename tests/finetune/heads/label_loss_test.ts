import assert from "node:assert/strict";
import { pullback, type Tensor } from "../../../core/mod.ts";
import { classificationLoss, REGRESSION_LOSSES, type RegressionLoss, regressionLoss } from "../../../finetune/mod.ts";
import { assertClose, checkOp, gpuTest, type Reference, reference } from "../../_gpu.ts";

const mean = (numbers: number[]) => numbers.reduce((a, x) => a + x, 0) / numbers.length;

/** The losses as plainly as can be. */
const PLAIN: Record<RegressionLoss, (p: number[], t: number[]) => number> = {
  mse: (p, t) => mean(p.map((x, i) => (x - t[i]) ** 2)),
  mae: (p, t) => mean(p.map((x, i) => Math.abs(x - t[i]))),
  huber: (p, t) => mean(p.map((x, i) => (Math.abs(x - t[i]) <= 1 ? (x - t[i]) ** 2 / 2 : Math.abs(x - t[i]) - 0.5))),
  pearson(p, t) {
    const [mp, mt] = [mean(p), mean(t)];
    const dot = (x: number[], mx: number, y: number[], my: number) =>
      x.reduce((a, v, i) => a + (v - mx) * (y[i] - my), 0);
    return 1 - dot(p, mp, t, mt) / Math.sqrt(dot(p, mp, p, mp) * dot(t, mt, t, mt));
  },
  ranking: (p, t) => mean(p.flatMap((x, i) => p.flatMap((y, j) => (t[i] > t[j] ? [Math.log1p(Math.exp(y - x))] : [])))),
};

/** Labels with a tie, far from random predictions in some places and near in others. */
const LABELS: Record<string, number[]> = {
  "7 labels": [2.5, 0.3, -3, 0.3, 0.9, -0.4, 4],
  "5 of 7 labels known": [2.5, NaN, -3, 0.3, 0.3, NaN, 4],
};
for (const kind of REGRESSION_LOSSES) {
  for (const [name, labels] of Object.entries(LABELS)) {
    gpuTest(`regressionLoss("${kind}") of ${name} matches float64, with its gradient`, (device) =>
      checkOp(device, {
        inputs: { p: [7] },
        gpu: ({ p }) => regressionLoss(kind, p, labels),
        reference({ p }) {
          const known = labels.flatMap((t, i) => (Number.isNaN(t) ? [] : [i]));
          return reference([], [PLAIN[kind](known.map((i) => p.data[i]), known.map((i) => labels[i]))]);
        },
      }));
  }
}

gpuTest("correlation and ranking of one label, or of equal ones, are the squared error", async (device) => {
  const p = device.tensor([1, 2, 4], [3]);
  for (const kind of ["pearson", "ranking"] as const) {
    assert.equal(await regressionLoss(kind, p, [NaN, 5, NaN]).item(), 9);
    assertClose([await regressionLoss(kind, p, [1, 1, 1]).item()], [10 / 3]);
  }
});

gpuTest("correlation of many predictions far from zero keeps its digits", async (device) => {
  const n = 3001;
  const t = Array.from({ length: n }, (_, i) => Math.sin(i)), p = t.map((x, i) => 100 + x + 0.5 * Math.cos(3 * i));
  const numbers = Float32Array.from(p);
  const loss = await regressionLoss("pearson", device.tensor(numbers, [n]), t).item();
  assertClose([loss], [PLAIN.pearson([...numbers], t)], { rtol: 1e-3 });
});

function entropy({ data, shape: [rows, c] }: Reference, labels: number[]): number {
  return mean(labels.flatMap((label, i) => {
    if (i >= rows || Number.isNaN(label)) return [];
    const logits = [...data.subarray(i * c, (i + 1) * c)];
    return [Math.log(logits.reduce((a, x) => a + Math.exp(x), 0)) - logits[label]];
  }));
}

for (const labels of [[3, 0, 1, 2, 2], [3, NaN, 1, NaN, 0]]) {
  gpuTest(`classificationLoss() of ${labels} matches float64, with its gradient`, (device) =>
    checkOp(device, {
      inputs: { logits: [5, 4] },
      gpu: ({ logits }) => classificationLoss(logits, labels),
      reference: ({ logits }) => reference([], [entropy(logits, labels)]),
    }));
}

gpuTest("labels that are not known give no gradient, to the bit", async (device) => {
  for (const kind of REGRESSION_LOSSES) {
    const p = device.tensor([1, 2, 4, 3], [2, 2]);
    const back = pullback<{ p: Tensor }, Tensor>(device, ({ p }) => regressionLoss(kind, p, [3, NaN, 1, NaN]), { p });
    const { p: dp } = back.pull([device.tensor([1], [])]) as { p: Tensor };
    const [a, b, c, d] = await dp.read();
    assert(a !== 0 && c !== 0 && b === 0 && d === 0, `${kind}: ${[a, b, c, d]}`);
  }
});

gpuTest("labels of another number, none, infinite ones and such that are no class are refused", (device) => {
  const p = device.zeros([3]), logits = device.zeros([2, 4]);
  assert.throws(() => regressionLoss("mse", p, [1, 2]), /There are 2 labels for predictions \[3\]/);
  assert.throws(() => regressionLoss("mse", p, [NaN, NaN, NaN]), /None of 3 labels is known/);
  assert.throws(() => regressionLoss("mse", p, [1, Infinity, 2]), /The label 1 is Infinity/);
  assert.throws(() => regressionLoss("rmse" as "mse", p, [1, 2, 3]), /choose one of mse, mae, huber, pearson, ranking/);
  for (const label of [4, -1, 0.5, Infinity]) {
    assert.throws(() => classificationLoss(logits, [0, label]), /The label 1 is .*, expected a class of 0 to 3/);
  }
});
