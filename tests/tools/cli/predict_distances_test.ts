import assert from "node:assert/strict";
import { tinyOpenFoldConfig } from "../../../model/tiny_openfold/mod.ts";
import { parseNpy } from "../../../model/weights/npy.ts";
import { msaTokens } from "../../../tools/data/family.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { InputError } from "../../../tools/errors.ts";
import { predictDistances, readTrainedModel } from "../../../tools/fold/predict.ts";
import { gpuTest } from "../../_gpu.ts";
import { FINGERS, fingers, FINGERS_MSA, member } from "../fold/_fingers.ts";
import { denofoldInProcess } from "../fold/_in_process.ts";
import { checkpointBytes } from "../fold/_untrained.ts";
import { denofold } from "./_run.ts";

const CONFIG = tinyOpenFoldConfig({ msaDim: 8, pairDim: 8, nBlocks: 1, outerProductDim: 4, nSeqs: 5, maxSeqLen: 32 });

gpuTest("predictDistances() reads back what a checkpoint holds", async (device) => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/c.safetensors`;
  await Deno.writeFile(path, await checkpointBytes(CONFIG));
  const model = await readTrainedModel(path);
  assert.deepEqual(model.config, CONFIG);
  const family = await fingers();
  const { row, chain: { sequence } } = member(family, "1znf");
  const { tokens } = msaTokens(family.alignment, row, model.config.nSeqs);
  const n = sequence.length;
  assert.equal(tokens.length, 5 * n);
  const params = model.load(device);
  const distances = await predictDistances(device, params, model.config, { tokens, nRes: n });
  assert.equal(distances.length, n * n);
  assert(distances.every((d) => d > 0 && d < 20));
  assert(new Set(distances).size > n, "distances depend on the pair");
  assert.deepEqual(await predictDistances(device, params, model.config, { tokens, nRes: n }), distances);
  const long = new Int32Array(33);
  await assert.rejects(predictDistances(device, params, model.config, { tokens: long, nRes: 33 }), InputError);
  await assert.rejects(predictDistances(device, params, model.config, { tokens, nRes: n + 1 }), TypeError);
  await Deno.remove(folder, { recursive: true });
});

gpuTest("denofold predict-distances writes distances, structures, report and measures", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeFile(`${folder}/c.safetensors`, await checkpointBytes(CONFIG));
  const flags = ["--checkpoint", `${folder}/c.safetensors`, "--msa", FINGERS_MSA, "--query", "1ZNF", "--json"];
  const truth = ["--truth", `${FINGERS}1znf.cif:A`];
  const { code, stdout, stderr } = await denofold("predict-distances", ...flags, ...truth, "--out", `${folder}/out`);
  assert.equal(code, 0, stderr);
  const result = JSON.parse(stdout);
  const names = [
    "1znf.cif",
    "1znf.pdb",
    "1znf_distances.npy",
    "1znf_distances.png",
    "1znf_coordinates.npy",
    "metrics.json",
    "1znf_residues.csv",
    "report.html",
  ];
  assert.deepEqual(result.files, names.map((name) => `${folder}/out/${name}`));
  assert.deepEqual([...Deno.readDirSync(`${folder}/out`)].map(({ name }) => name).sort(), names.sort());
  const { shape } = parseNpy(await Deno.readFile(`${folder}/out/1znf_distances.npy`), "distances");
  assert.deepEqual(shape, [25, 25]);
  assert.equal((await readStructure(`${folder}/out/1znf.cif`)).chains[0].sequence, result.sequence);
  const metrics = JSON.parse(await Deno.readTextFile(`${folder}/out/metrics.json`));
  assert.deepEqual(metrics.methods[0].values, result.methods[0].values);
  const html = await Deno.readTextFile(`${folder}/out/report.html`);
  assert.match(html, /1znf, predicted from an alignment/);
  assert.match(html, /Trained on/);

  const inHalf = ["--storage", "f16", "--out", `${folder}/plain`];
  const plain = await denofold("predict-distances", ...flags.slice(0, -1), ...inHalf);
  assert.equal(plain.code, 0, plain.stderr);
  const distances = async (name: string) =>
    parseNpy(await Deno.readFile(`${folder}/${name}/1znf_distances.npy`), name).data as Float32Array;
  const [whole, half] = [await distances("out"), await distances("plain")];
  assert.notDeepEqual(half, whole);
  for (const [i, x] of whole.entries()) {
    assert.ok(Math.abs(half[i] - x) < 2e-3 * Math.abs(x) + 1e-3, `${half[i]}, ${x}`);
  }
  assert.match(plain.stdout, /1znf: 25 residues, stress-1/);
  assert(![...Deno.readDirSync(`${folder}/plain`)].some(({ name }) => name === "metrics.json"));
  await Deno.remove(folder, { recursive: true });
});

gpuTest("denofold predict-distances refuses bad input in one line and writes nothing", async () => {
  const folder = await Deno.makeTempDir();
  const good = await checkpointBytes(CONFIG);
  const damaged = good.slice();
  damaged[damaged.length - 9] ^= 1;
  const other = tinyOpenFoldConfig({ ...CONFIG, pairDim: 16, pairIntermediateDim: 64 });
  const files: Record<string, Uint8Array | string> = {
    "good.safetensors": good,
    "damaged.safetensors": damaged,
    "cut.safetensors": good.subarray(0, good.length - 100),
    "empty.safetensors": "",
    "shape.safetensors": await checkpointBytes(CONFIG, { model: "tiny-openfold", config: other }),
    "blocks.safetensors": await checkpointBytes(tinyOpenFoldConfig({ ...CONFIG, nBlocks: 2 }), {
      model: "tiny-openfold",
      config: CONFIG,
    }),
    "config.safetensors": await checkpointBytes(CONFIG, { model: "tiny-openfold" }),
    "sizes.safetensors": await checkpointBytes(CONFIG, { model: "tiny-openfold", config: { msaDim: "eight" } }),
    "model.safetensors": await checkpointBytes(CONFIG, { model: "other", config: CONFIG }),
    "long.a3m": `>long\n${"A".repeat(33)}\n>b\n${"C".repeat(33)}\n`,
    "unequal.a3m": ">a\nACDE\n>b\nACD\n",
    "letter.a3m": ">a\nAC1E\n>b\nACDE\n",
    "empty.a3m": "",
    "other.a3m": ">1znf\nYKCGLCERSFVEKSALSRHQRVHKW\n",
  };
  for (const [name, data] of Object.entries(files)) {
    await (typeof data === "string" ? Deno.writeTextFile : Deno.writeFile)(`${folder}/${name}`, data as never);
  }
  const cases: [checkpoint: string, msa: string, flags: string[], message: RegExp][] = [
    ["missing.safetensors", FINGERS_MSA, [], /missing\.safetensors: there is no such file/],
    ["damaged.safetensors", FINGERS_MSA, [], /damaged\.safetensors.*damaged/],
    ["cut.safetensors", FINGERS_MSA, [], /cut\.safetensors/],
    ["empty.safetensors", FINGERS_MSA, [], /empty\.safetensors/],
    ["shape.safetensors", FINGERS_MSA, [], /shape\.safetensors: the parameter \S+ is \[.*\], this model needs \[/],
    ["blocks.safetensors", FINGERS_MSA, [], /blocks\.safetensors has a parameter evoformer_blocks\.1\S+ that a model/],
    ["config.safetensors", FINGERS_MSA, [], /config\.safetensors is damaged: its facts hold no config/],
    ["sizes.safetensors", FINGERS_MSA, [], /sizes\.safetensors has a wrong config: .*msaDim.*eight/],
    ["model.safetensors", FINGERS_MSA, [], /its model is "other", expected "tiny-openfold"/],
    ["good.safetensors", `${folder}/long.a3m`, [], /Row "long" of .* has 33 residues, more than the 32/],
    ["good.safetensors", `${folder}/unequal.a3m`, [], /unequal\.a3m/],
    ["good.safetensors", `${folder}/letter.a3m`, [], /letter\.a3m line 2/],
    ["good.safetensors", `${folder}/empty.a3m`, [], /empty\.a3m is empty/],
    ["good.safetensors", `${folder}/missing.a3m`, [], /missing\.a3m: there is no such file/],
    ["good.safetensors", FINGERS_MSA, ["--query", "nobody"], /has no row "nobody": it has /],
    [
      "good.safetensors",
      `${folder}/other.a3m`,
      ["--truth", `${FINGERS}1znf.cif`],
      /Row "1znf" of .*other\.a3m is not the sequence of chain A of .*1znf\.cif: residue 25 is W in the alignment, expected N/,
    ],
    ["good.safetensors", FINGERS_MSA, ["--truth", `${folder}/none.cif`], /none\.cif: there is no such file/],
    ["good.safetensors", FINGERS_MSA, ["--device", "no such gpu"], /No adapter's name contains "no such gpu"/],
  ];
  for (const [checkpoint, msa, flags, message] of cases) {
    const all = ["--checkpoint", `${folder}/${checkpoint}`, "--msa", msa, ...flags, "--out", `${folder}/out`];
    const { code, stdout, stderr } = await denofoldInProcess("predict-distances", ...all);
    assert.equal(code, 1, `${checkpoint} ${flags}: ${stderr}`);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert(stderr.startsWith("denofold: ") && !stderr.includes("unexpected") && stdout === "", stderr);
  }
  const { code } = await denofold("predict-distances", "--msa", FINGERS_MSA);
  assert.equal(code, 2);
  assert(![...Deno.readDirSync(folder)].some(({ name }) => name === "out"));
  await Deno.remove(folder, { recursive: true });
});
