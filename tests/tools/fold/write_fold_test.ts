import assert from "node:assert/strict";
import { parseNpy } from "../../../model/weights/npy.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { alphaCarbons, pseudoBeta } from "../../../tools/data/structure.ts";
import { distanceTarget } from "../../../tools/data/family.ts";
import { familyBaselines } from "../../../tools/fold/baselines.ts";
import { evaluateFold } from "../../../tools/fold/evaluate.ts";
import { foldDistances } from "../../../tools/fold/fold.ts";
import { reportTarget } from "../../../tools/fold/report_target.ts";
import { foldFiles, writeFold } from "../../../tools/fold/write_fold.ts";
import { checkReportData } from "../../../tools/report/check_report_data.ts";
import { fingers, member, noisy } from "./_fingers.ts";

async function example(id: string) {
  const { chain } = member(await fingers(), id);
  const distances = noisy(distanceTarget(chain).distances, chain.sequence.length, 2);
  const fold = await foldDistances({ id, sequence: chain.sequence, distances, starts: 1 });
  return { chain, fold, evaluation: evaluateFold(fold, chain) };
}

Deno.test("writeFold() writes files that say the same, superposed and numbered as the truth", async () => {
  const folder = await Deno.makeTempDir();
  const { chain, fold, evaluation } = await example("1zfd"); // residues 39 to 70
  const paths = await writeFold(`${folder}/new/run`, "1zfd", { fold, truth: { chain, evaluation }, origin: "A test." });
  const names = [
    "1zfd.cif",
    "1zfd.pdb",
    "1zfd_distances.npy",
    "1zfd_distances.png",
    "1zfd_coordinates.npy",
    "1zfd_metrics.json",
    "1zfd_residues.csv",
  ];
  assert.deepEqual(paths, names.map((name) => `${folder}/new/run/${name}`));
  assert.deepEqual([...Deno.readDirSync(`${folder}/new/run`)].map(({ name }) => name).sort(), names.sort());
  const [cif, pdb, distances, picture, coordinates, metrics] = paths;
  for (const path of [cif, pdb]) {
    const { chains: [read] } = await readStructure(path);
    assert.equal(read.sequence, fold.sequence);
    assert.deepEqual(read.residueNumbers, chain.residueNumbers);
    close(alphaCarbons(read).positions, evaluation.alphas, 6e-4);
    pseudoBeta(read).positions.forEach((x, k) => {
      const expected = fold.sequence[Math.floor(k / 3)] === "G" ? evaluation.alphas : evaluation.betas!;
      assert(Math.abs(x - expected[k]) < 6e-4, `C-beta coordinate ${k}`);
    });
    assert(read.bFactors.every((b) => b === 0));
    assert.match(await Deno.readTextFile(path), /No confidence is predicted: the B-factor column is 0\./);
  }
  const n = fold.sequence.length;
  const map = parseNpy(await Deno.readFile(distances), distances);
  assert.deepEqual(map.shape, [n, n]);
  assert.deepEqual(map.data, fold.distances);
  assert.deepEqual([...(await Deno.readFile(picture)).subarray(0, 4)], [0x89, ...new TextEncoder().encode("PNG")]);
  const points = parseNpy(await Deno.readFile(coordinates), coordinates);
  assert.deepEqual(points.shape, [n, 3]);
  assert.deepEqual(points.data, evaluation.alphas);
  const found = JSON.parse(await Deno.readTextFile(metrics));
  assert.deepEqual(found.methods, [{ label: "Prediction", values: evaluation.values }]);
  assert.deepEqual([found.id, found.residues, found.stress1], ["1zfd", n, fold.stress1]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("foldFiles() leaves the PDB out where it cannot hold the fold, and cuts long remarks", async () => {
  const { fold } = await example("1znf");
  const far = { ...fold, alphas: fold.alphas.map((x) => x + 20_000) };
  const names = [...foldFiles("x", { fold: far }).keys()];
  assert.deepEqual(names, ["x.cif", "x_distances.npy", "x_distances.png", "x_coordinates.npy"]);
  const text = foldFiles("x", { fold, origin: `Made by: ${"word ".repeat(30)}${"z".repeat(100)}` }).get("x.pdb");
  assert(typeof text === "string");
  const lines = text.split("\n").filter((line) => line.startsWith("REMARK"));
  assert.equal(lines.join("").match(/word/g)?.length, 30);
  assert.equal(lines.join("").match(/z/g)?.length, 100);
  assert(text.replace(/\n$/, "").split("\n").every((line) => line.length === 80));
});

Deno.test("reportTarget() fits the report, with and without truth", async () => {
  const family = await fingers();
  const { chain, fold, evaluation } = await example("2drp1");
  const baselines = await familyBaselines(family, member(family, "2drp1"));
  const target = reportTarget({ fold, truth: { chain, evaluation }, baselines, description: "a finger" });
  checkReportData({ title: "", summary: "", created: "", targets: [target], limits: [], run: [] });
  assert.deepEqual(target.methods.map(({ label }) => label), ["Prediction", ...baselines.map(({ label }) => label)]);
  assert.deepEqual(target.residueNumbers, Array.from(chain.residueNumbers));
  assert.equal(target.distanceCap, 20);
  const missing = 14; // residue 117 has no C-beta
  assert(target.trueDistances![missing].every((d) => d === null));
  assert(target.predictedDistances!.flat().every((d) => d !== null));
  const plain = reportTarget({ fold: { ...fold, cap: Infinity } });
  checkReportData({ title: "", summary: "", created: "", targets: [plain], limits: [], run: [] });
  assert.deepEqual([plain.methods, plain.trueCif, plain.distanceCap], [[], undefined, undefined]);
});

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  assert.equal(actual.length, expected.length);
  for (let k = 0; k < actual.length; k++) {
    assert(Math.abs(actual[k] - expected[k]) <= tolerance, `${k}: ${actual[k]} and ${expected[k]}`);
  }
}
