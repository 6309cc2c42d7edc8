import assert from "node:assert/strict";
import { combine, type Device, entries, Key, leavesLike, pullback, type Tensor, type Tree } from "../../core/mod.ts";
import {
  FineTuner,
  fineTuningLoss,
  FIT_DEFAULTS,
  initTaskHeads,
  labelHead,
  labelHeadConfig,
  type LabelledSet,
  measureStandards,
  parameterCountOf,
  strategyOf,
  trainedPart,
  withoutStandards,
  withStandards,
} from "../../finetune/mod.ts";
import { alphafoldConfig, type AlphaFoldParams } from "../../model/mod.ts";
import { assertClose, gpuTest, randomArray } from "../_gpu.ts";

const C = 5, CZ = 3;
const CONFIG = {
  network: alphafoldConfig("model_1_ptm", { cS: C, cZ: CZ }),
  tasks: {
    affinity: { head: labelHeadConfig(C, { cZ: CZ, hidden: 7, dropout: 0 }) },
    exposed: { head: labelHeadConfig(C, { level: "residue", hidden: 4, dropout: 0 }), weight: 0.1 },
    kind: { head: labelHeadConfig(C, { classes: 2, hidden: 4, dropout: 0, pooling: "attention" }), weight: 0.1 },
  },
  headInput: "evoformer" as const,
};
const NO_MODEL = {} as AlphaFoldParams;

/** Representations as a random network's are: large, and much the same for all; the first channel is the same for all. */
function protein(index: number) {
  const n = 3 + index % 4, mask = index % 2 ? [...new Array<number>(n).fill(1), 0] : undefined;
  const rows = n + (mask ? 1 : 0);
  const own = randomArray(C, index + 1);
  const s = Float32Array.from(
    randomArray(rows * C, 50 + index),
    (x, i) => i % C ? 100 * (i % C) + own[i % C] + 0.05 * x : 9,
  );
  const zMean = Float32Array.from(randomArray(CZ, 90 + index), (x) => -50 + x);
  return { n, rows, s, zMean, mask, label: 6 + 0.2 * own[1] - 0.1 * own[3] };
}

function setOf(device: Device, size: number, first = 0): LabelledSet {
  return {
    size,
    load(i) {
      const { n, rows, s, zMean, mask, label } = protein(first + i);
      const exposed = Array.from({ length: n }, (_, r) => r / 10);
      return {
        input: {
          s: device.tensor(s, [1, rows, C]),
          zMean: device.tensor(zMean, [1, CZ]),
          ...(mask && { mask: device.tensor(mask, [1, rows]) }),
        },
        labels: { affinity: [label], exposed, kind: [i % 2] },
        residues: n,
      };
    },
  };
}

const meanOf = (x: readonly number[]) => x.reduce((a, b) => a + b, 0) / x.length;
const deviationOf = (x: readonly number[]) =>
  Math.sqrt(x.reduce((a, b) => a + (b - meanOf(x)) ** 2, 0) / (x.length - 1));

gpuTest(
  "standards are means and deviations over proteins or residues, padding and rounding left out",
  async (device) => {
    const size = 9;
    const { affinity, exposed, kind } = await measureStandards(
      device,
      { model: NO_MODEL },
      CONFIG,
      setOf(device, size),
    );
    const all = Array.from({ length: size }, (_, i) => protein(i));
    const residues = all.flatMap(({ n, s }) => Array.from({ length: n }, (_, r) => [...s.slice(r * C, (r + 1) * C)]));
    const pooled = all.map(({ n, s, zMean }) => [
      ...Array.from({ length: C }, (_, c) => meanOf(Array.from({ length: n }, (_, r) => s[r * C + c]))),
      ...zMean,
    ]);
    const column = (rows: readonly (readonly number[])[], c: number) => rows.map((row) => row[c]);
    for (
      const [found, rows] of [[affinity, pooled], [exposed, residues], [
        kind,
        pooled.map((row) => row.slice(0, C)),
      ]] as const
    ) {
      assertClose(found.mean, rows[0].map((_, c) => meanOf(column(rows, c))), { rtol: 1e-5 });
      assertClose(found.deviation, rows[0].map((_, c) => deviationOf(column(rows, c))), { rtol: 1e-3 });
      assert.equal(found.deviation[0], 0);
    }
    const labels = all.map(({ label }) => label);
    assertClose([affinity.label!.mean, affinity.label!.deviation], [meanOf(labels), deviationOf(labels)], {
      rtol: 1e-6,
    });
    assert.equal(kind.label, undefined);
  },
);

gpuTest(
  "a head with a standard is the one whose maps have taken it in, gradients of the others included",
  async (device) => {
    const heads = initTaskHeads(device, CONFIG.tasks, Key.fromSeed(3));
    const standards = await measureStandards(device, { model: NO_MODEL }, CONFIG, setOf(device, 9));
    const standard = withStandards(device, heads, standards), plain = withoutStandards(standard);
    const { input } = await setOf(device, 1, 3).load(0) as { input: Parameters<typeof labelHead>[1] };
    for (const [name, { head }] of Object.entries(CONFIG.tasks)) {
      const read = { ...input, ...(head.cZ === undefined && { zMean: undefined }) };
      const found = await labelHead(standard[name], read, head).read() as Float32Array;
      assertClose(found, await labelHead(plain[name], read, head).read() as Float32Array, { rtol: 1e-3, atol: 1e-3 });
      assert(!found.every((x, i) => x === 0 && i >= 0));
    }
    assert.throws(() => withStandards(device, heads, { affinity: standards.affinity }), /no standard of exposed/);

    const params = { model: NO_MODEL, heads: standard };
    const [trained, frozen] = trainedPart(params, strategyOf("head_only", 48));
    assert.equal(parameterCountOf(trained as Tree<Tensor>), parameterCountOf(heads));
    assert(entries<Tensor>(frozen as Tree<Tensor>).every(([path]) => /\.standard\.(mean|scale)$/.test(path)));
    const sample = await setOf(device, 1, 3).load(0);
    const back = pullback(
      device,
      (trained: typeof params) => fineTuningLoss(combine(trained as never, frozen as never), [sample], CONFIG),
      trained as unknown as typeof params,
    );
    const grads = leavesLike<Tensor>(trained as never, back.pull([device.tensor([1], [])]) as never);
    for (const grad of grads) assert((await grad!.read()).every(Number.isFinite));
  },
);

gpuTest("heads learn from representations that differ little, which they do not as these come", async (device) => {
  const config = { ...CONFIG, tasks: { affinity: CONFIG.tasks.affinity } };
  const train = setOf(device, 24), validation = setOf(device, 8, 24);
  const standards = await measureStandards(device, { model: NO_MODEL }, config, train);
  const losses: number[] = [];
  for (const standardized of [true, false]) {
    const heads = initTaskHeads(device, config.tasks, Key.fromSeed(3));
    using tuner = new FineTuner(device, {
      params: { model: NO_MODEL, heads: standardized ? withStandards(device, heads, standards) : heads },
      strategy: strategyOf("head_only", 48, { learningRate: 0.01 }),
      ...{ config, train },
      settings: { ...FIT_DEFAULTS, epochs: 60, batchSize: 24, accumulate: 1, warmup: 0, emaDecay: 0, bucket: true },
    });
    await tuner.run();
    losses.push((await tuner.evaluate(validation)).loss);
  }
  const variance = deviationOf(Array.from({ length: 8 }, (_, i) => protein(24 + i).label)) ** 2;
  assert(losses[0] < 0.5 * variance && losses[1] > 0.65 * variance, `${losses} of ${variance}`);
});
