/** The trunk of 2021 as training and predictions know it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Device, entries, type Tensor, type Tree } from "../../../core/mod.ts";
import { encodeCheckpoint } from "../../../finetune/mod.ts";
import { AttentionRecorder } from "../../../model/layers/attention_recorder.ts";
import { trunk2021 } from "../../../model/trunk2021/mod.ts";
import { camelCase } from "../../../model/weights/names.ts";
import { toFloat32 } from "../../../model/weights/safetensors.ts";
import { captureAttention } from "../../../tools/attention/capture.ts";
import { trunk2021Attention } from "../../../tools/attention/trunk2021.ts";
import { encodeTokens } from "../../../tools/data/alignment.ts";
import { InputError, UsageError } from "../../../tools/errors.ts";
import { readCheckpoint } from "../../../tools/fold/distance_model.ts";
import { trunkDistanceModel } from "../../../tools/fold/trunk2021.ts";
import { readDistanceModel } from "../../../tools/networks/read_network.ts";
import { readRunData, trainDataOf } from "../../../tools/train/data.ts";
import { checkFlags, resolveSettings, type TrainFlags } from "../../../tools/train/options.ts";
import { TrainingSession } from "../../../tools/train/session.ts";
import type { OwnSettings, TrainSettings, Trunk2021Settings } from "../../../tools/train/settings.ts";
import { openTrunk2021, trunk2021Network } from "../../../tools/train/trunk2021.ts";
import { assertClose, gpuTest } from "../../_gpu.ts";
import { FINGERS, FINGERS_MSA, inFolder } from "./_toy.ts";

const SMALL: TrainFlags = { model: "trunk2021", dim: 8, depth: 1, heads: 2, dimHead: 4, numSeqs: 3 };

const settingsOf = (flags: TrainFlags) => resolveSettings<Trunk2021Settings>({ ...SMALL, ...flags }, {});

Deno.test("the trunk's settings are the published ones, its choices flags of their own names", () => {
  const { model, training } = resolveSettings<Trunk2021Settings>({ model: "trunk2021", synthetic: true }, {});
  assert.deepEqual([model.dim, model.depth, model.heads, model.dimHead, model.maxSeqLen], [256, 2, 8, 64, 2048]);
  assert.deepEqual([training.learningRate, training.batchSize, training.accumulate], [3e-4, 1, 16]);
  const given = settingsOf({ synthetic: true, reversible: true, sparseSelfAttn: [true], crossAttnCompressRatio: 3 });
  const { lines, inWords } = trunk2021Network(given.model);
  assert.match(inWords, /^1 layer of the trunk of 2021, 8 channels, reversible, sparse self attention, keys .* 3:1$/);
  assert.deepEqual(lines[0], ["Channels", 8]);
});

const WRONG: [TrainFlags, new (...args: never[]) => Error, RegExp][] = [
  [{ synthetic: true, seqLen: 9, maxSeqLen: 8 }, InputError, /up to 9 residues, expected at most max-seq-len 8/],
  [{ synthetic: true, numSeqs: 21 }, InputError, /up to 21 rows, expected at most max-num-msa 20/],
  [
    { synthetic: true, sparseSelfAttn: [true, false] },
    InputError,
    /one for each of the 1 layers, got 2: \[true,false\]/,
  ],
  [
    { synthetic: true, msaDim: 8 },
    UsageError,
    /--msa-dim does not apply to --model trunk2021: it is a choice of tiny or nnx/,
  ],
  [{ synthetic: true, own: { refiner: "se3" } }, InputError, /--refiner se3\) is trained with --end-to-end alone/],
  [
    { synthetic: true, seqLen: 9, maxSeqLen: 26, own: { endToEnd: true } },
    InputError,
    /up to 9 residues of 3 atoms, expected at most max-seq-len 26 atoms/,
  ],
  [
    { model: "tiny", synthetic: true, own: { endToEnd: true } },
    UsageError,
    /--end-to-end does not apply to --model tiny/,
  ],
  [{ demo: true }, UsageError, /--demo does not apply to --model trunk2021/],
  [{ structures: ["a"], holdOut: ["b"] }, UsageError, /--hold-out needs --msa FILE beside --structures/],
  [
    { model: "tiny", synthetic: true, dim: 4 },
    UsageError,
    /--dim does not apply to --model tiny: it is a choice of trunk2021/,
  ],
];

Deno.test("flags that do not fit the trunk are refused", () => {
  for (const [flags, kind, message] of WRONG) {
    assert.throws(() => {
      const all = flags.model ? flags : { ...SMALL, ...flags };
      checkFlags(all);
      resolveSettings(all, { examples: "examples" });
    }, (error) => error instanceof kind && message.test((error as Error).message) || assert.fail(`${error}`));
  }
});

gpuTest(
  "a trunk learns from structures with and without an alignment, and predicts from its checkpoint",
  (device) =>
    inFolder(async (folder) => {
      const structures = ["1znf", "1paa"].map((id) => join(FINGERS, `${id}.cif`));
      for (const msa of [FINGERS_MSA, undefined]) {
        const settings = settingsOf({ structures, msa, numSteps: 2, accumulate: 2, learningRate: 0.01 });
        const data = (await readRunData(settings))!;
        assert.equal(data.families.length === 0, msa === undefined);
        assert.deepEqual(data.examples.map(({ id, depth }) => [id, depth]), [["1znf", msa ? 15 : 1], [
          "1paa",
          msa ? 15 : 1,
        ]]);
        const learning = await openTrunk2021(settings, trainDataOf(data, "structures"));
        using session = new TrainingSession(device, settings, learning);
        await session.advance();
        await session.advance();
        const [first, second] = session.history.map(({ loss }) => loss);
        assert.ok(Math.abs(first - Math.log(37)) < 1 && second < first, `${first} ${second}`);
        if (msa) continue;
        const path = join(folder, "model.safetensors");
        await Deno.writeFile(path, await session.encodeModel());
        const model = await readDistanceModel(path);
        assert.equal(model.sequences, 3);
        const tokens = encodeTokens(["ACDEF", "ACDEF", "GHIKL"]);
        using _ = device.scope("predict");
        const distances = await model.open(device)({ tokens, nRes: 5 });
        assert.equal(distances.length, 25);
        assert.ok(distances[1] === distances[5] && distances[0] === 0 && distances[1] > 1.5 && distances[1] <= 20);
        const attention = trunk2021Attention(trunkDistanceModel(await readCheckpoint(path), path));
        const rows = ["ACDEF", "ACDEF", "GHIKL"];
        const { kinds } = await captureAttention(device, attention, { names: ["a", "b", "c"], rows, tokens }, {});
        assert.deepEqual(kinds.map(({ kind }) => kind), ["triangleAttentionStarting", "triangleAttentionEnding"]);
        for (const { means: [{ data }] } of kinds) {
          assertClose([data.slice(0, 5).reduce((sum, x) => sum + x, 0)], [1], { rtol: 1e-5 });
        }
      }
      await Deno.writeFile(
        join(folder, "other.safetensors"),
        await encodeCheckpoint({ a: device.zeros([1]) }, { model: "gpt" }),
      );
      await assert.rejects(readDistanceModel(join(folder, "other.safetensors")), {
        name: "InputError",
        message: /its model is "gpt", expected "tiny-openfold" or "trunk2021"/,
      });
    }),
);

gpuTest(
  "a trunk learns from atoms end to end, and predicts the distances of what it has refined",
  (device) =>
    inFolder(async (folder) => {
      const own = { endToEnd: true, refiner: "egnn", refinerDim: 4, refinerDepth: 1 };
      const structures = [join(FINGERS, "1znf.cif")];
      const settings = settingsOf({
        structures,
        numSteps: 1,
        accumulate: 1,
        cropEnds: 9,
        maxSeqLen: 84,
        seqLen: 28,
        own,
      });
      const data = (await readRunData(settings))!;
      const learning = await openTrunk2021(settings, trainDataOf(data, "structures"));
      assert.match(learning.network.inWords, /end to end with refiner egnn, 1 layers of 4 channels, backbone atoms$/);
      assert.deepEqual(learning.planned?.map(({ numRes }) => numRes), [25, 25]);
      using session = new TrainingSession(device, settings, learning);
      await session.advance();
      const [{ loss }] = session.history;
      assert.ok(loss > Math.log(37) && loss < 40, `${loss}`);
      const path = join(folder, "model.safetensors");
      await Deno.writeFile(path, await session.encodeModel());
      const model = await readDistanceModel(path);
      assert.match(model.description, /trained end to end with a refiner \(egnn\)/);
      assert.throws(() => model.checkLength(29, "it"), /29 residues of 3 atoms, more than the 84/);
      await startsFrom(device, path, settings, folder);
      using _ = device.scope("predict");
      const distances = await model.open(device)({ tokens: encodeTokens(["ACGEF"]), nRes: 5 });
      assert.ok(
        distances.every((d, k) => k % 6 ? d > 0 && d <= 20 && d === distances[k % 5 * 5 + Math.floor(k / 5)] : d === 0),
      );
      const attention = trunk2021Attention(trunkDistanceModel(await readCheckpoint(path), path));
      const target = { names: ["a"], rows: ["ACGEF"], tokens: encodeTokens(["ACGEF"]) };
      const { kinds } = await captureAttention(device, attention, target, { residues: [1, 4] });
      for (const { rows, means: [whole], slices: [single] } of kinds) {
        assert.deepEqual([rows, whole.shape, single.shape], [[1, 4], [2, 5, 5], [2, 2, 5, 5]]);
        for (const { data } of [whole, single]) {
          for (let at = 0; at < data.length; at += 5) {
            assertClose([data.slice(at, at + 5).reduce((sum, x) => sum + x, 0)], [1], { rtol: 1e-5 });
          }
        }
      }
      const { kinds: [{ slices: [residues] }] } = await captureAttention(device, attention, target, { full: true });
      const { config, load } = trunkDistanceModel(await readCheckpoint(path), path);
      const recorder = new AttentionRecorder({
        kinds: ["triangleAttentionStarting"],
        rows: ({ rows }) => [...Array(rows).keys()],
      });
      const points = Int32Array.from({ length: 15 }, (_, k) => target.tokens[Math.floor(k / 3)]);
      trunk2021(load(device), { seq: device.tensor(points, [1, 15], "i32") }, config, { capture: recorder });
      const [{ maps }] = await recorder.recorded();
      const gathered = residues.data.map((_, k) => {
        const [row, head, query, key] = [k / 50, k / 25 % 2, k / 5 % 5, k % 5].map(Math.floor);
        let total = 0;
        for (let atoms = 0; atoms < 27; atoms++) {
          const [r, q, c] = [
            3 * row + atoms % 3,
            3 * query + Math.floor(atoms / 3) % 3,
            3 * key + Math.floor(atoms / 9),
          ];
          total += maps.data[((r * 2 + head) * 15 + q) * 15 + c];
        }
        return total / 9;
      });
      assertClose(residues.data, gathered, { rtol: 1e-5 });
    }),
);

/** A training starts from a trunk's file, with its refiner where the same one is chosen; other trunks' are refused. */
async function startsFrom(
  device: Device,
  path: string,
  settings: TrainSettings<Trunk2021Settings>,
  folder: string,
): Promise<void> {
  using scope = device.scope("init");
  void scope;
  const saved = await readCheckpoint(path);
  const startOf = async (own: OwnSettings, model = settings.model) => {
    const { network } = await openTrunk2021({ ...settings, model, own: { ...settings.own, ...own } });
    const params = new Map(entries<Tensor>(network.init(device, 7) as Tree<Tensor>));
    const equals = async (name: string) => {
      const numbers = toFloat32(saved.params.get(name)!);
      return [...await params.get(camelCase(name))!.read()].every((x, i) => x === numbers[i]);
    };
    return { equals, notes: network.notes?.join(" ") ?? "" };
  };
  const trunkName = "token_emb.weight",
    refinerName = [...saved.params.keys()].find((name) => /^refiner.*weight$/.test(name))!;
  const same = await startOf({ init: path });
  assert.deepEqual([await same.equals(trunkName), await same.equals(refinerName)], [true, true]);
  assert.match(same.notes, /Starts from the trunk of .* and its refiner$/);
  const other = await startOf({ init: path, refinerDepth: 2 });
  assert.deepEqual([await other.equals(trunkName), await other.equals(refinerName)], [true, false]);
  assert.match(other.notes, /the refiner is fresh$/);
  await assert.rejects(startOf({ init: path }, { ...settings.model, heads: 4, dimHead: 2 }), {
    name: "InputError",
    message: /its trunk has --heads 2, expected 4$/,
  });
  await assert.rejects(startOf({ init: join(folder, "none") }), /no such file or folder/);
  await Deno.writeTextFile(join(folder, "leave_one_out.json"), "{}");
  await assert.rejects(startOf({ init: folder }), /start from it with --leave-one-out, .* held out; none are$/);
}
