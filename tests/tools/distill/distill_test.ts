import assert from "node:assert/strict";
import { planModels } from "../../../tools/predict/models.ts";
import { encodeFeatureFile, readFeatureFile } from "../../../tools/prep/feature_file.ts";
import { InputError } from "../../../tools/errors.ts";
import { distogramSums, divergences, referenceDistribution } from "../../../tools/distill/confidence.ts";
import { distill, DISTILL_DEFAULTS, type DistillOptions } from "../../../tools/distill/distill.ts";
import { openAlphaFold } from "../../../tools/train/alphafold/source.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";
import { SMALL_SIZES } from "../../model/alphafold/_network.ts";
import { examplesOf, fingerFiles, smallSettings } from "../train/_alphafold.ts";
import { inFolder } from "../train/_toy.ts";

Deno.test("divergences are those of the definition, from sums by separation", () => {
  const bins = 5;
  const chains = [7, 3, 1].map((n, k) => ({ n, logits: randomArray(n * n * bins, k + 1).map((x) => 2 * x) }));
  const probability = (logits: Float32Array, n: number, i: number, j: number) => {
    const row = Array.from(logits.subarray((i * n + j) * bins, (i * n + j + 1) * bins), Math.exp);
    const sum = row.reduce((a, b) => a + b);
    return row.map((x) => x / sum);
  };
  const reference = (apart: number) => {
    const all = chains.flatMap(({ n, logits }) =>
      Array.from({ length: n * n }, (_, k) => [Math.floor(k / n), k % n]).filter(([i, j]) => Math.abs(i - j) === apart)
        .map(([i, j]) => probability(logits, n, i, j))
    );
    return Array.from({ length: bins }, (_, b) => all.reduce((sum, p) => sum + p[b], 0) / all.length);
  };
  const sums = chains.map(({ n, logits }) => distogramSums(logits, n, bins));
  const found = referenceDistribution(sums);
  for (const [k, { n, logits }] of chains.entries()) {
    const expected = Array.from({ length: n }, (_, i) => {
      const terms = Array.from({ length: n }, (_, j) => j).filter((j) => j !== i).map((j) => {
        const p = reference(Math.abs(i - j)), q = probability(logits, n, i, j);
        return p.reduce((sum, x, b) => sum + x * Math.log(x / q[b]), 0);
      });
      return terms.length ? terms.reduce((a, b) => a + b) / terms.length : 0;
    });
    assertClose(divergences(sums[k], found), expected, { rtol: 1e-4, atol: 1e-6 });
  }
});

gpuTest(
  "a teacher's predictions become targets: masked, the same again, and told why not",
  (device) =>
    inFolder(async (folder) => {
      const files = await fingerFiles();
      const inputs = `${folder}/unlabelled`, out = `${folder}/distilled`;
      await Deno.mkdir(inputs);
      for (const file of files) {
        const { supervised: _, ...bare } = file;
        await Deno.writeFile(`${inputs}/${file.id}.safetensors`, encodeFeatureFile(bare));
      }
      const choices = { ...SMALL_SIZES, recycling: { maxRecycles: 0 }, data: { maxMsaClusters: 3, maxExtraMsa: 2 } };
      const [teacher] = await planModels("random:1", ["model_3_ptm"], choices);
      const options: DistillOptions = { ...DISTILL_DEFAULTS, inputs: [inputs], out, maxLength: 29 };
      const nothing = distill(device, teacher, { ...options, minDivergence: 100 });
      await assert.rejects(nothing, (error) => {
        assert(error instanceof InputError);
        assert.match(
          error.message,
          /^No target is confident enough .* the largest mean divergence is \d\.\d{3}, --min-diver/,
        );
        return true;
      });
      const made = async (path: string) => (await Deno.stat(path)).mtime!.getTime();
      const before = await made(`${out}/taught/1znf.safetensors`);
      const all = await distill(device, teacher, { ...options, minDivergence: 0, minConfident: 0 });
      const middle = all.targets.find(({ id }) => id === "1znf")!.divergence!;
      assert(middle > 0);
      const done: string[] = [];
      const outcome = await distill(device, teacher, { ...options, minDivergence: middle, minConfident: 0 }, {
        target: (id) => void done.push(id),
      });
      assert.deepEqual(done, ["1paa", "1sp1", "1znf"]);
      assert.equal(await made(`${out}/taught/1znf.safetensors`), before, "predictions are not made again");
      const [dropped] = outcome.targets;
      assert.deepEqual([dropped.id, dropped.dropped], ["1paa", "30 residues, more than --max-length 29"]);
      const { confident } = outcome.targets.find(({ id }) => id === "1znf")!;
      assert(confident > 1 && confident < 25, `${confident}`);
      const path = `${out}/1znf.safetensors`, bytes = await Deno.readFile(path);
      const { supervised, sequence, observedResidues } = await readFeatureFile(path);
      assert.deepEqual([sequence, observedResidues], [files[0].sequence, confident]);
      assert.equal(supervised!.backbone_rigid_mask.reduce((sum, x) => sum + x, 0), confident);
      assert.equal(supervised!.resolution[0], 0, "what depends on the resolution is not learnt");
      await distill(device, teacher, { ...options, minDivergence: middle, minConfident: 0 });
      assert.deepEqual(await Deno.readFile(path), bytes);

      const mixed = smallSettings({ batchSize: 4 }, { distilled: out, distilledShare: 0.75, distilledRows: 2 });
      const sources = async (settings: typeof mixed) => {
        const { source } = await openAlphaFold(settings, { examples: examplesOf(files) });
        const samples = Array.from({ length: 25 }, (_, step) => source.batch(step)).flat();
        const own = samples.filter(({ file }) =>
          file.warnings.some((text) => text.startsWith("Its structure is a pred"))
        );
        return { own, share: own.length / samples.length, description: source.description };
      };
      const { own, share, description } = await sources(mixed);
      assert(Math.abs(share - 0.75) < 0.12, `${share}`);
      assert(
        own.every(({ iterations }) => iterations[0].extra_msa_row_mask.length === 0),
        "two rows are left to draw from",
      );
      assert.match(description, /; 75 % of the samples from 2 targets with predicted structures; crops of 12/);
      const without = await sources(smallSettings({}, { distilled: out, without: "distillation" }));
      assert.equal(without.share, 0);
    }),
);
