import assert from "node:assert/strict";
import { ablate, type AblationRequest, ablationTable } from "../../../tools/ablate/ablate.ts";
import { differencesFigure } from "../../../tools/ablate/figure.ts";
import { differences, seedMean } from "../../../tools/ablate/statistics.ts";
import { InputError } from "../../../tools/errors.ts";
import type { RunData } from "../../../tools/train/data.ts";
import { gpuTest } from "../../_gpu.ts";
import { examplesOf, fingerFiles, smallSettings } from "../train/_alphafold.ts";
import { GO_ON, inFolder, quietView } from "../train/_toy.ts";

Deno.test("differences over seeds are paired, with the interval of Student's t", () => {
  const { mean, margin } = seedMean([1, 2, 3, 6]);
  assert.equal(mean, 3);
  assert(Math.abs(margin! - 3.1824 * Math.sqrt((4 + 1 + 0 + 9) / 3 / 4)) < 1e-12, `${margin}`);
  assert.deepEqual(differences([5, 7], [4, 6]), { mean: 1, margin: 0 });
  assert.deepEqual(seedMean([2]), { mean: 2, margin: null });
  assert.throws(() => differences([1, 2], [1]), TypeError);
});

Deno.test("the figure has a dot and an interval for each variant", () => {
  const svg = differencesFigure([
    { label: "ipa", difference: { mean: -0.1, margin: 0.05 } },
    { label: "recycling & all", difference: { mean: 0.02, margin: null } },
  ], "lDDT-Cα");
  assert.equal(svg.match(/<circle /g)!.length, 2);
  assert.equal(svg.match(/stroke-width="3"/g)!.length, 1);
  assert.match(svg, />recycling &amp; all<\/text>/);
  const at = [...svg.matchAll(/<circle cx="([\d.]+)"/g)].map(([, x]) => Number(x));
  assert(at[0] < at[1]);
});

gpuTest(
  "each variant is trained once with each seed, and what is done is not done again",
  (device) =>
    inFolder(async (folder) => {
      const [first, second, third] = examplesOf(await fingerFiles());
      const data: RunData = {
        ...{ families: [], heldOut: [], validation: [], bad: [], warnings: [] },
        ...{ examples: [first, second], heldOutTargets: [third] },
      };
      const baseline = { ...smallSettings({ batchSize: 1, numSteps: 1 }, { recycles: 0 }) };
      const settings = { ...baseline, data: { kind: "features" as const, folder: "features", holdOut: [third.id] } };
      const request: AblationRequest = {
        ...{ baseline: settings, data, without: ["auxiliary"], seeds: [4], out: folder, checkpointEvery: 50 },
        command: "denofold ablate",
      };
      const view = quietView();
      const context = { device, adapter: "test", view, stop: GO_ON };
      const { finished, variants } = await ablate(request, context);
      assert(finished);
      assert.deepEqual(variants.map(({ name, runs }) => [name, runs.length]), [["baseline", 1], ["auxiliary", 1]]);
      assert.equal(view.steps.length, 2);
      const table = (await Deno.readTextFile(`${folder}/ablation.csv`)).trimEnd().split("\n");
      assert.match(table[0], /^variant,seed,lddt,fape,tmScore,/);
      assert.deepEqual(table.slice(1).map((line) => line.split(",").slice(0, 2).join()), [
        ...["baseline,4", "auxiliary,4"],
      ]);
      const study = JSON.parse(await Deno.readTextFile(`${folder}/ablation.json`));
      const { mean, difference } = study.variants[1].measures.lddt;
      assert(Math.abs(mean - difference.mean - study.variants[0].measures.lddt.mean) < 1e-12);
      const own = JSON.parse(await Deno.readTextFile(`${folder}/auxiliary/seed_4/recipe.json`));
      assert.deepEqual([own.without, own.seed], ["auxiliary", 4]);
      assert.match(ablationTable(variants), /\nwithout auxiliary +\d\.\d+ +[+-]\d\.\d+/);
      const again = await ablate(request, context);
      assert.deepEqual(again.variants, variants);
      assert.equal(view.steps.length, 2, "nothing is trained again");

      for (
        const [change, message] of [
          [{ without: ["templates"] }, /^The baseline has no templates to take away$/],
          [{ without: ["distillation"] }, /no distillation to take away/],
          [{ data: { ...data, heldOutTargets: [] } }, /^The baseline holds no target out/],
          [
            { baseline: { ...settings, model: { ...settings.model, numBlocks: 2 } } },
            /holds a training with other settings/,
          ],
        ] as const
      ) {
        await assert.rejects(ablate({ ...request, ...change } as AblationRequest, context), (error) => {
          assert(error instanceof InputError);
          assert.match(error.message, message);
          return true;
        });
      }
    }),
);
