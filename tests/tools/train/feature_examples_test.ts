import assert from "node:assert/strict";
import { Key } from "../../../core/mod.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { prep } from "../../../tools/prep/prep.ts";
import { stackSamples } from "../../../tools/train/batches.ts";
import { openTiny, readRunData, trainDataOf } from "../../../tools/train/data.ts";
import { familyExamples } from "../../../tools/train/examples.ts";
import {
  chosen,
  featureAlignment,
  featureChain,
  featureEntries,
  featureExamples,
  readNames,
} from "../../../tools/train/feature_examples.ts";
import { runSteps } from "../../../tools/train/loop.ts";
import { TrainingSession } from "../../../tools/train/session.ts";
import type { DataSettings } from "../../../tools/train/settings.ts";
import { exampleBatches, firstRows } from "../../../tools/train/structure_batches.ts";
import { modelConfig } from "../../../tools/train/settings.ts";
import { tinyOpenFoldNetwork } from "../../../tools/train/tiny_openfold.ts";
import { readFeatureFile } from "../../../tools/prep/feature_file.ts";
import { gpuTest } from "../../_gpu.ts";
import { withFiles } from "../prep/_inputs.ts";
import { FINGERS, FINGERS_MSA, GO_ON, quietView, TOY_IDS, toyFamily, toySettings } from "./_toy.ts";

/** Prepares the three fingers, a sequence without structure, and one with an alignment of its own. */
async function withFeatures<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const structures = Object.fromEntries(
    await Promise.all(
      TOY_IDS.map(async (id) => [`structures/${id}.cif`, await Deno.readTextFile(`${FINGERS}/${id}.cif`)] as const),
    ),
  );
  const sequences = (await toyFamily()).members.map(({ id, chain }) => `>${id}\n${chain.sequence}\n`).join("");
  const files = {
    ...structures,
    "family.a3m": await Deno.readTextFile(FINGERS_MSA),
    "all.fasta": `${sequences}>bare\nMKTAYIAKQRQISFVKSHFSRQ\n`,
  };
  return await withFiles(files, async (folder) => {
    const { targets, templates } = await collectTargets(
      ["all.fasta", "structures", "family.a3m"].map((name) => `${folder}/${name}`),
    );
    const options = { out: `${folder}/features`, strict: false, maxTemplates: 0, templates, jobs: 1, failFast: false };
    await prep(targets, options);
    return await use(folder);
  });
}

Deno.test("feature files give the same distances and tokens as structures and their alignment", () =>
  withFeatures(async (folder) => {
    const entries = await featureEntries(`${folder}/features`);
    assert.deepEqual(entries.map(({ id }) => id), ["1paa", "1sp1", "1znf", "bare"]);
    const { examples, bad } = await featureExamples(entries);
    assert.deepEqual(bad.map(({ id }) => id), ["bare"]);
    assert.match(bad[0].reason, /bare\.safetensors: bare has no structure to learn from/);
    const family = await toyFamily();
    for (const member of familyExamples([family], family.members)) {
      const example = examples.find(({ id }) => id === member.id)!;
      const [one, other] = [example.sample(), member.sample()];
      assert.deepEqual([one.numRes, example.sequence], [other.numRes, member.sequence]);
      assert.deepEqual([...one.distances], [...other.distances]);
      assert.deepEqual([...one.mask], [...other.mask]);
      assert.deepEqual([...firstRows(one, 1).tokens], [...firstRows(other, 1).tokens]);
      // Rows that are the same are one in feature files; the set of rows is the same.
      const rows = ({ tokens, numRes, numSeqs }: typeof one) =>
        new Set(Array.from({ length: numSeqs }, (_, r) => tokens.slice(r * numRes, (r + 1) * numRes).join()));
      assert.deepEqual(rows(one), rows(other));
    }
    const path = entries[2].path, file = await readFeatureFile(path);
    const alignment = featureAlignment(file, path), chain = featureChain(file)!;
    assert.equal(alignment.rows[0], chain.sequence);
    assert.deepEqual(chain.atomPositions, family.members[0].chain.atomPositions);
  }));

Deno.test("lists: a table, FASTA or lines of text; names as files and programs have them, chains of a name", () =>
  withFiles({
    "a.csv": "pdb_id,label\n1abc,1\n2DEF,2\n1abc,3\n",
    "a.fasta": ">q words\nMKV\n",
    "a.txt": "# names\n1abc\n\n 2def \n",
  }, async (folder) => {
    const names = async (file: string) => (await readNames(`${folder}/${file}`)).map(({ name }) => name);
    assert.deepEqual(await names("a.csv"), ["1abc", "2def"]);
    assert.deepEqual(await names("a.fasta"), ["q"]);
    assert.deepEqual(await names("a.txt"), ["1abc", "2def"]);
    const there = ["1abc_A", "1abc_B", "2def", "1abcd"].map((id) => ({ id }));
    const { found, missing } = chosen(there, [...await readNames(`${folder}/a.csv`), { name: "x", place: "p" }]);
    assert.deepEqual(found.map(({ id }) => id), ["1abc_A", "1abc_B", "2def"]);
    assert.deepEqual(missing, [{ id: "x", reason: 'p: there is no "x"' }]);
  }));

Deno.test("readRunData(): bad targets are reported all at once, or left out; nobody is both learnt from and watched", () =>
  withFeatures(async (folder) => {
    await Deno.writeTextFile(`${folder}/train.txt`, "1paa\n1sp1\nbare\nnobody\n");
    await Deno.writeTextFile(`${folder}/val.txt`, "1ZNF\n");
    await Deno.writeTextFile(`${folder}/both.txt`, "1paa\n");
    const read = (more: Partial<DataSettings>, seqLen?: number) =>
      readRunData({ data: { kind: "features", folder: `${folder}/features`, ...more } as DataSettings }, seqLen);
    await assert.rejects(read({ list: `${folder}/train.txt` }), /train\.txt line 4: there is no "nobody"/);
    await assert.rejects(
      read({}, 28),
      (error: Error) => /2 targets|3 targets/.test(error.message) && /1paa has 30 residues/.test(error.message),
    );
    const choice = { list: `${folder}/train.txt`, validation: `${folder}/val.txt`, skipBad: true };
    const data = (await read(choice))!;
    assert.deepEqual(data.examples.map(({ id }) => id), ["1paa", "1sp1"]);
    assert.deepEqual(data.validation.map(({ id }) => id), ["1znf"]);
    assert.deepEqual(data.bad.map(({ id }) => id), ["nobody", "bare"]);
    const rest = (await read({ validation: `${folder}/val.txt`, skipBad: true }))!;
    assert.deepEqual(rest.examples.map(({ id }) => id), ["1paa", "1sp1"]);
    await assert.rejects(
      read({ ...choice, validation: `${folder}/both.txt` }),
      /1paa: learnt from by .*train\.txt and watched by .*both\.txt/,
    );
    await assert.rejects(
      readRunData({ data: { kind: "features", folder: `${folder}/structures` } }),
      /has no feature file/,
    );
  }));

gpuTest("alignments of fewer rows are padded in a batch, and the padding changes no loss", async (device) => {
  const { members: [member], alignment } = await toyFamily();
  const [deep] = familyExamples([{ members: [member], alignment }], [member]);
  const shallow = firstRows(deep.sample(), 2);
  const settings = toySettings();
  const network = tinyOpenFoldNetwork(settings.model);
  using _ = device.scope("test");
  const params = network.init(device, 1);
  const loss = (samples: Parameters<typeof stackSamples>[0]) =>
    network.lossOf(device, stackSamples(samples))(params).item();
  const [one, other] = [await loss([shallow]), await loss([firstRows(deep.sample(), 3)])];
  const both = await loss([shallow, firstRows(deep.sample(), 3)]);
  assert.ok(Math.abs(both - (one + other) / 2) < 2e-5 * both, `${both} of ${one} and ${other}`);
  assert.equal(modelConfig(settings.model).nSeqs, 3);
});

gpuTest(
  "a run on feature files is watched, keeps its best parameters and ends early",
  (device) =>
    withFeatures(async (folder) => {
      await Deno.writeTextFile(`${folder}/val.txt`, "1znf\n");
      const settings = {
        ...toySettings({ numSteps: 40, learningRate: 0.05, validationEvery: 1, patience: 3 }),
        data: {
          kind: "features",
          folder: `${folder}/features`,
          validation: `${folder}/val.txt`,
          skipBad: true,
        } as const,
      };
      const learning = await openTiny(settings, trainDataOf((await readRunData(settings))!));
      assert.equal(learning.watched?.length, 1);
      using session = new TrainingSession(device, settings, learning);
      const best: number[] = [];
      const end = await runSteps(session, {
        ...{ out: "x", checkpointEvery: 100, view: quietView(), stop: GO_ON, watched: learning.watched },
        save: () => Promise.resolve(),
        saveBest: () => Promise.resolve(void best.push(session.step)),
      });
      assert.equal(end, "early");
      const losses = session.history.map(({ heldOutLoss }) => heldOutLoss!);
      const lowest = losses.indexOf(Math.min(...losses));
      assert.equal(session.history.length, lowest + 1 + 3);
      assert.equal(best.at(-1), lowest + 1);
    }),
);

Deno.test("batches draw rows of each alignment as far as it goes", async () => {
  const family = await toyFamily();
  const examples = familyExamples([family], family.members);
  const shallow = { ...examples[0], sample: () => firstRows(examples[0].sample(), 2) };
  const source = await exampleBatches({
    ...{ examples: [shallow, examples[1]], description: "x", batchSize: 2, numSeqs: 5, key: Key.fromSeed(1) },
  });
  const batch = source.batch(0);
  assert.equal(batch.numSeqs, 5);
  assert.ok(batch.msaMask!.includes(0));
});
