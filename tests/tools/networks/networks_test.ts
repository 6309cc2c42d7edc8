import assert from "node:assert/strict";
import { alphafoldConfig } from "../../../model/alphafold/mod.ts";
import { AttentionRecorder } from "../../../model/layers/attention_recorder.ts";
import { captureAttention } from "../../../tools/attention/capture.ts";
import { alphafoldAttention } from "../../../tools/attention/alphafold.ts";
import { encodeTokens } from "../../../tools/data/alignment.ts";
import { CHECKPOINT_NAMES, NETWORKS, trainableOf, WORKLOADS } from "../../../tools/networks/mod.ts";
import { recognizeNetwork } from "../../../tools/networks/read_network.ts";
import { planFlags, plannedWorkload } from "../../../tools/plan/models.ts";
import { randomWeights } from "../../../tools/predict/random_weights.ts";
import { resolveSettings } from "../../../tools/train/options.ts";
import { namedShapes } from "../../../tools/weights/presets.ts";
import { gpuTest } from "../../_gpu.ts";

Deno.test("every row of the table is whole", () => {
  const workloads = Object.values(NETWORKS).flatMap(({ workloads }) => Object.keys(workloads));
  assert.equal(new Set(workloads).size, workloads.length, "two rows have workloads of one name");
  for (const [name, { plan, training }] of Object.entries(NETWORKS)) {
    for (const train of [false, true]) {
      const { workload, values } = plannedWorkload(name, { nRes: 7, nSeq: 3 }, train);
      const known = new Set(workload.flags.map((flag) => flag.name));
      assert.deepEqual(Object.keys(values).filter((value) => !known.has(value)), [], `values of ${name} nobody heeds`);
    }
    for (const flag of Object.values(plan.flags)) {
      assert.ok(WORKLOADS[plan.forward].flags.some((own) => own.name === flag), `${name} has no flag ${flag}`);
    }
    if (!training) continue;
    const settings = resolveSettings({ model: name }, {});
    assert.deepEqual(settings.model, training.model);
    assert.equal(trainableOf(training.model.network), training);
    assert.equal(training.network(training.model).name, training.model.network);
  }
  assert.equal(new Set(CHECKPOINT_NAMES).size, CHECKPOINT_NAMES.length);
  const flags = planFlags().map(({ name }) => name);
  assert.equal(new Set(flags).size, flags.length);
  for (const name of ["n-res", "n-extra", "preset", "c-m", "recompute"]) assert.ok(flags.includes(name), name);
  assert.throws(() => trainableOf("gpt"), /There is no network gpt: expected tiny-openfold or nnx-evoformer/);
});

Deno.test("parameters are recognized by their names and shapes", () => {
  const arrays = new Map(Array.from(namedShapes(alphafoldConfig("model_1_ptm")), ([name, shape]) => [name, { shape }]));
  assert.equal(
    recognizeNetwork(arrays),
    "AlphaFold 2, model_1_ptm or model_2_ptm, 93,237,338 parameters",
  );
  arrays.delete("aux_heads.plddt.linear_3.bias");
  assert.equal(recognizeNetwork(arrays), undefined);
  const facts = { model: "tiny-openfold" };
  const own = recognizeNetwork(new Map([["a", { shape: [2, 3] }]]), facts);
  assert.equal(own, "the small Evoformer, 6 parameters");
  const config = { endToEnd: { refiner: { kind: "egnn" }, atoms: "heavy" } };
  const whole = recognizeNetwork(new Map([["a", { shape: [7] }]]), { model: "trunk2021", config });
  assert.equal(whole, "the trunk of 2021 trained end to end with a refiner (egnn), 7 parameters");
});

const SMALL = {
  cM: 16,
  cZ: 8,
  cS: 16,
  evoformer: {
    nBlock: 2,
    nHeadMsa: 2,
    nHeadPair: 2,
    cHiddenMsaAtt: 8,
    cHiddenOpm: 4,
    cHiddenMul: 8,
    cHiddenPairAtt: 4,
  },
  cExtra: 8,
  extraMsa: { nBlock: 1, cHiddenMsaAtt: 4, cHiddenOpm: 4, cHiddenMul: 8, cHiddenPairAtt: 4 },
  recycling: { maxRecycles: 1 },
} as const;

gpuTest("AlphaFold 2's attention is recorded in its last iteration, row by row of the alignment", async (device) => {
  const config = alphafoldConfig("model_1_ptm", SMALL);
  const entries = randomWeights(namedShapes(config), 3);
  const model = alphafoldAttention({ config, open: () => Promise.resolve({ entries, [Symbol.dispose]() {} }) });
  const rows = ["MKTAYIAKQRQ", "MKSAY-AKQRE", "MRTAFIAKNRQ"];
  const alignment = { names: ["a", "b", "c"], rows, tokens: encodeTokens(rows) };
  const { blocks, kinds } = await captureAttention(device, model, alignment, { residues: [4] });
  assert.deepEqual(blocks, [0, 1]);
  assert.deepEqual(kinds.map(({ means }) => means[0].shape), [[2, 11, 11], [2, 3, 3], [2, 11, 11], [2, 11, 11]]);
  for (const { means, slices } of kinds) {
    for (const { shape, data } of [...means, ...slices]) {
      const keys = shape.at(-1)!;
      for (let at = 0; at < data.length; at += keys) {
        const total = data.subarray(at, at + keys).reduce((sum, x) => sum + x, 0);
        assert.ok(Math.abs(total - 1) < 1e-5, `${total}`);
      }
    }
  }
  const again = new AttentionRecorder({ blocks: [1], kinds: ["msaColumnAttention"], rowMean: true });
  await model.run(device, alignment, again);
  assert.deepEqual((await again.recorded())[0].rowMean!.data, kinds[1].means[1].data);
  const other = { ...alignment, rows: [rows[0], rows[2], rows[1]] };
  const turned = await captureAttention(device, model, other, {
    blocks: [0],
    kinds: ["msaColumnAttention"],
    residues: [4],
  });
  const at = (data: Float32Array, h: number, i: number, j: number) => data[(h * 3 + i) * 3 + j];
  const [before, after] = [kinds[1].means[0].data, turned.kinds[0].means[0].data];
  const ORDER = [0, 2, 1];
  for (const h of [0, 1]) {
    for (const i of ORDER) {
      for (const j of ORDER) assert.ok(Math.abs(at(before, h, ORDER[i], ORDER[j]) - at(after, h, i, j)) < 1e-4);
    }
  }
});
