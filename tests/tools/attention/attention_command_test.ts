import assert from "node:assert/strict";
import { Key } from "../../../core/mod.ts";
import { ATTENTION_KINDS } from "../../../model/layers/attention_capture.ts";
import { initTinyOpenFold, tinyOpenFoldConfig } from "../../../model/tiny_openfold/mod.ts";
import { parseSafetensors, type SafetensorsFile } from "../../../model/weights/safetensors.ts";
import { captureAttention, spread } from "../../../tools/attention/capture.ts";
import { tinyAttention } from "../../../tools/attention/tiny_openfold.ts";
import { hammingDistances } from "../../../tools/attention/hamming.ts";
import { leafOrder, wardLinkage } from "../../../tools/attention/ward.ts";
import { alphaCarbons } from "../../../tools/data/structure.ts";
import { type MsaTokens, msaTokens } from "../../../tools/data/family.ts";
import { InputError } from "../../../tools/errors.ts";
import { readTrainedModel } from "../../../tools/fold/predict.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";
import { denofold } from "../cli/_run.ts";
import { FINGERS, fingers, FINGERS_MSA, member } from "../fold/_fingers.ts";
import { denofoldInProcess } from "../fold/_in_process.ts";
import { checkpointBytes } from "../fold/_untrained.ts";

const CONFIG = tinyOpenFoldConfig({
  ...{ msaDim: 12, pairDim: 8, nBlocks: 2, outerProductDim: 4, nSeqs: 5, maxSeqLen: 32 },
  ...{ nHeadsMsa: 3, nHeadsPair: 2 },
});

async function withCheckpoint(run: (folder: string, checkpoint: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${folder}/c.safetensors`, await checkpointBytes(CONFIG));
    await run(folder, `${folder}/c.safetensors`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function tensorsIn(folder: string): Promise<SafetensorsFile> {
  return parseSafetensors(await Deno.readFile(`${folder}/attention.safetensors`), "attention.safetensors");
}

gpuTest(
  "denofold attention writes the numbers that the library captures, and a page",
  (device) =>
    withCheckpoint(async (folder, checkpoint) => {
      const out = `${folder}/out`;
      const { code, stdout, stderr } = await denofoldInProcess(
        ...["attention", checkpoint, FINGERS_MSA, "--query", "1ZNF", "--structure", `${FINGERS}1znf.cif`],
        ...["--chain", "A", "--residue", "7,3-4", "--out", out, "--json"],
      );
      assert.equal(code, 0, stderr);
      const said = JSON.parse(stdout);
      assert.deepEqual(said.files, [`${out}/attention.safetensors`, `${out}/attention.html`]);
      assert.deepEqual(said.layers, [0, 1]);
      assert.deepEqual(said.kinds, [
        { kind: "row", heads: [0, 1, 2], rows: [0] },
        { kind: "column", heads: [0, 1, 2], rows: [2, 3, 6] },
        { kind: "triangle-starting", heads: [0, 1], rows: [2, 3, 6] },
        { kind: "triangle-ending", heads: [0, 1], rows: [2, 3, 6] },
      ]);

      const { tensors, metadata } = await tensorsIn(out);
      const family = await fingers();
      const { row, chain } = member(family, "1znf");
      const { names, rows, tokens } = msaTokens(family.alignment, row, 5);
      const n = chain.sequence.length;
      assert.deepEqual(JSON.parse(metadata.names), names);
      assert.equal(metadata.sequence, chain.sequence);
      assert.deepEqual(JSON.parse(metadata.heads).triangle_attention_ending, [0, 1]);
      const model = await readTrainedModel(checkpoint);
      const input = { names, rows, tokens };
      const choice = { residues: [2, 3, 6] };
      const { kinds } = await captureAttention(device, tinyAttention(model), input, choice);
      const fileNames = [
        "msa_row_attention",
        "msa_column_attention",
        "triangle_attention_starting",
        "triangle_attention_ending",
      ];
      kinds.forEach(({ means, slices, heads }, k) => {
        const size = k === 1 ? 5 : n;
        for (const block of [0, 1]) {
          const mean = tensors.get(`blocks.${block}.${fileNames[k]}`)!;
          assert.deepEqual(mean.shape, [heads.length, size, size]);
          assert.deepEqual(mean.data, means[block].data);
          const own = tensors.get(`blocks.${block}.${fileNames[k]}.slices`)!;
          assert.deepEqual(own.shape, [k === 0 ? 1 : 3, heads.length, size, size]);
          assert.deepEqual(own.data, slices[block].data);
          for (const { data } of [mean, own]) {
            for (let at = 0; at < data.length; at += size) {
              let sum = 0;
              for (let j = 0; j < size; j++) sum += Number(data[at + j]);
              assert.ok(Math.abs(sum - 1) <= 1e-5, `a row of ${fileNames[k]} sums to ${sum}`);
            }
          }
        }
        assert.deepEqual(tensors.get(`${fileNames[k]}.rows`)!.data, Int32Array.from(k === 0 ? [0] : [2, 3, 6]));
      });

      const pairs = hammingDistances(rows);
      const hamming = tensors.get("hamming")!.data;
      assertClose([hamming[1], hamming[5], hamming[9], hamming[6]].map(Number), [pairs[0], pairs[0], pairs[6], 0]);
      const merges = wardLinkage(pairs);
      const order = leafOrder(merges);
      assert.deepEqual([...tensors.get("order")!.data], order);
      assert.deepEqual(said.order, order.map((index) => names[index]));
      const linkage = merges.flatMap(({ clusters, height, size }) => [...clusters, height, size]);
      assert.deepEqual(tensors.get("linkage"), { dtype: "F64", shape: [4, 4], data: Float64Array.from(linkage) });
      const { positions, mask } = alphaCarbons(chain);
      const expected = Float32Array.from({ length: n * n }, (_, k) => {
        const [i, j] = [3 * Math.floor(k / n), 3 * (k % n)];
        return Math.hypot(...[0, 1, 2].map((c) => positions[i + c] - positions[j + c]));
      });
      assert.ok(mask.every((there) => there === 1));
      assert.deepEqual(tensors.get("alpha_distances")!.data, expected);
      const page = await Deno.readTextFile(`${out}/attention.html`);
      assert.match(page, /<title>Attention on 1znf<\/title>/);
    }),
);

gpuTest("denofold attention keeps what is chosen", () =>
  withCheckpoint(async (folder, checkpoint) => {
    const attention = (name: string, ...flags: string[]) =>
      denofoldInProcess("attention", checkpoint, FINGERS_MSA, "--out", `${folder}/${name}`, ...flags);
    const few = await attention(
      "few",
      "--layers",
      "1",
      "--heads",
      "mean",
      "--kinds",
      "column",
      "--no-cluster",
      "--full",
    );
    assert.equal(few.code, 0, few.stderr);
    assert.match(
      few.stdout,
      /^1ard: 29 residues, 5 sequences, layers 1\n {3}column +mean of heads: mean, and 29 single/,
    );
    const { tensors, metadata } = await tensorsIn(`${folder}/few`);
    assert.deepEqual([...tensors.keys()], [
      "blocks.1.msa_column_attention",
      "blocks.1.msa_column_attention.slices",
      "msa_column_attention.rows",
      "hamming",
    ]);
    assert.deepEqual(tensors.get("blocks.1.msa_column_attention.slices")!.shape, [29, 1, 5, 5]);
    assert.deepEqual(JSON.parse(metadata.heads), { msa_column_attention: "mean" });

    const each = await attention("each", "--kinds", "column,row", "--full", "--num-seqs", "4");
    assert.equal(each.code, 0, each.stderr);
    const all = (await tensorsIn(`${folder}/each`)).tensors;
    assert.deepEqual(all.get("blocks.0.msa_row_attention.slices")!.shape, [4, 3, 29, 29]);
    const mean = new Float64Array(3 * 29 * 29);
    all.get("blocks.0.msa_row_attention.slices")!.data.forEach((x, at) => mean[at % mean.length] += Number(x) / 4);
    assertClose(all.get("blocks.0.msa_row_attention")!.data as Float32Array, mean);
  }));

gpuTest(
  "denofold attention says in one line what is wrong, and writes nothing",
  () =>
    withCheckpoint(async (folder, checkpoint) => {
      const cases: [flags: string[], message: RegExp][] = [
        [["--layers", "0-2"], /There is no layer 2: the model has 0 … 1\n$/],
        [["--heads", "2", "--kinds", "row,triangle-ending"], /There is no head 2: .*triangle-ending.* has 0 … 1\n$/],
        [["--residue", "30"], /There is no residue 30: the target has 1 … 29\n$/],
        [["--query", "9xyz"], /zinc_fingers\.a3m has no row "9xyz": it has 1ard/],
        [["--structure", `${FINGERS}1znf.cif`], /Row "1ard" of .* is not the sequence of chain A of .*1znf\.cif/],
        [["--structure", `${FINGERS}1ard.cif`, "--chain", "Q"], /1ard\.cif has no protein chain Q/],
      ];
      for (const [flags, message] of cases) {
        const { code, stderr } = await denofoldInProcess(
          ...["attention", checkpoint, FINGERS_MSA, "--out", `${folder}/out`, ...flags],
        );
        assert.equal(code, 1, stderr);
        assert.match(stderr, message);
      }
      assert.equal(await Deno.stat(`${folder}/out`).then(() => true, () => false), false);
      const usage = await denofold("attention", checkpoint, FINGERS_MSA, "--residue", "0");
      assert.equal(usage.code, 2);
      assert.match(usage.stderr, /^denofold: .*--residue <list>.*Expected numbers from 1 on, such as 2,4-6\.\n$/);
      const kind = await denofold("attention", checkpoint, FINGERS_MSA, "--kinds", "rows");
      assert.equal(kind.code, 2);
      assert.match(kind.stderr, /Expected some of row, column, triangle-starting, triangle-ending/);
    }),
);

gpuTest("single rows are spread over a long chain, and more than the limit is refused", async (device) => {
  assert.deepEqual(spread(4, 9), [0, 1, 2, 3]);
  assert.deepEqual(spread(10, 3), [1, 5, 8]);
  const config = tinyOpenFoldConfig({ ...CONFIG, nBlocks: 6, nHeadsPair: 8, maxSeqLen: 256 });
  const params = initTinyOpenFold(device, config, Key.fromSeed(1));
  const model = tinyAttention({ config, load: () => params });
  const alignment = (nSeq: number, nRes: number): MsaTokens => ({
    names: Array.from({ length: nSeq }, (_, i) => `row ${i}`),
    rows: new Array<string>(nSeq).fill("A".repeat(nRes)),
    tokens: Int32Array.from(randomArray(nSeq * nRes, 1), (x) => 10 + 9 * x),
  });
  const { kinds } = await captureAttention(device, model, alignment(2, 64), { kinds: ATTENTION_KINDS.slice(1) });
  const rows = Math.floor(2e6 / (6 * (2 * 8 * 64 * 64 + 3 * 2 * 2)));
  assert.deepEqual(kinds.map(({ rows }) => rows), [0, 1, 2].map(() => spread(64, rows)));
  await assert.rejects(
    captureAttention(device, model, alignment(2, 256), { full: true }),
    (error) => error instanceof InputError && /asked for takes 6\.\d+ GiB, more than the 1 GiB/.test(error.message),
  );
  await assert.rejects(
    captureAttention(device, model, alignment(2000, 2), {}),
    (error) =>
      error instanceof InputError && /means over rows take 0\.268 GiB, more than the 0\.125 GiB/.test(error.message),
  );
});
