import assert from "node:assert/strict";
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import type { Chain, Structure } from "../../../tools/data/structure.ts";
import { programOutput } from "../../../tools/search/program.ts";
import { scoreStructures } from "../../../tools/score/score.ts";
import { scoreFiles, scoreText } from "../../../tools/score/score_files.ts";
import { findOnPath } from "../../../tools/find_on_path.ts";
import { formatPdb } from "../../../tools/data/write_pdb.ts";
import { needing, programs } from "../../_needs.ts";
import { denofold } from "../cli/_run.ts";
import { FINGERS } from "../fold/_fingers.ts";

const finger = (name: string): Promise<Structure> => readStructure(`${FINGERS}${name}.cif`);
const tmAlign = programs("TMalign");

/** The chain turned by 90 degrees about z and shifted, under another name; residues of `lost` have no atoms. */
function moved(chain: Chain, id: string, lost: readonly number[] = [], shift = 40): Chain {
  const atomPositions = new Float32Array(chain.atomPositions.length);
  for (let k = 0; k < atomPositions.length; k += 3) {
    const [x, y, z] = chain.atomPositions.subarray(k, k + 3);
    atomPositions.set([shift - y, x, z], k);
  }
  const atomMask = chain.atomMask.slice();
  for (const i of lost) atomMask.fill(0, i * ATOM_SLOTS, (i + 1) * ATOM_SLOTS);
  return { ...chain, id, labelId: id, atomPositions, atomMask };
}

Deno.test("score: a moved copy is the same, and residues that the model lacks count as wrong", async () => {
  const truth = await finger("1znf");
  const [chain] = truth.chains;
  const same = await scoreStructures({ ...truth, chains: [moved(chain, "Q")] }, truth);
  const { values } = same.chains[0];
  assert.ok(values.caRmsd! < 1e-4 && values.cbRmsd! < 1e-4);
  for (const name of ["lddt", "allAtomLddt", "tmScore", "gdtTs", "gdtHa"] as const) {
    assert.ok(Math.abs(values[name]! - 1) < 1e-6, name);
  }
  assert.deepEqual([same.chains[0].identical, same.chains[0].paired, same.whole], [25, 25, undefined]);

  const lacking = await scoreStructures({ ...truth, chains: [moved(chain, "Q", [0, 1, 2, 3, 4])] }, truth);
  const [{ values: less, perResidue, paired, residues }] = lacking.chains;
  assert.deepEqual([paired, residues], [20, 25]);
  assert.ok(Math.abs(less.tmScore! - 20 / 25) < 1e-6 && Math.abs(less.gdtHa! - 20 / 25) < 1e-6 && less.caRmsd! < 1e-4);
  assert.ok(less.lddt! < 0.85, `lDDT ${less.lddt} must fall with what is missing`);
  assert.deepEqual(perResidue[0], {
    ...{ reference: "1", letter: chain.sequence[0], model: null, modelLetter: null, distance: null, lddt: null },
    allAtomLddt: null,
  });
  assert.equal(perResidue[5].model, "6");
});

Deno.test("score: chains are paired by sequence, and the whole is measured under one superposition", async () => {
  const [a] = (await finger("1znf")).chains, [b] = (await finger("1ard")).chains;
  const reference: Structure = { id: "r", source: "r", chains: [{ ...a, id: "A" }, { ...moved(b, "B", [], 0) }] };
  const model: Structure = {
    id: "m",
    source: "m",
    chains: [moved(b, "A", [], 0), { ...a, id: "B" }, { ...a, id: "C" }],
  };
  const { chains, whole, modelAlone } = await scoreStructures(model, reference);
  assert.deepEqual(chains.map(({ model, reference }) => [model, reference]), [["B", "A"], ["A", "B"]]);
  assert.deepEqual(modelAlone, ["C"]);
  assert.ok(whole!.caRmsd! < 1e-4 && whole!.residues === a.sequence.length + b.sequence.length);
  // Each chain is right, but not where it stands to the other.
  const apart: Structure = { ...model, chains: [moved(moved(b, "A", [], 0), "A"), { ...a, id: "B" }] };
  const wrong = await scoreStructures(apart, reference);
  assert.ok(wrong.chains.every(({ values }) => values.caRmsd! < 1e-4) && wrong.whole!.caRmsd! > 5);
  const named = await scoreStructures(model, reference, { chains: [["C", "A"]] });
  assert.deepEqual([named.chains.length, named.modelAlone, named.referenceAlone], [1, ["A", "B"], ["B"]]);
  const text = scoreText(named);
  assert.match(text, /^C on A .* 25 {2,}25 {2,}100\.0 %/m);
  assert.match(text, /Without counterpart, of the model: A, B/);
  await assert.rejects(scoreStructures(model, reference, { chains: [["Q", "A"]] }), /no protein chain Q: it has A/);
});

Deno.test("score: residues are paired by number where that is asked for", async () => {
  const truth = await finger("1znf");
  const [chain] = truth.chains;
  const shifted = { ...chain, residueNumbers: chain.residueNumbers.map((number) => number + 2) };
  const { chains: [{ paired, values }] } = await scoreStructures({ ...truth, chains: [shifted] }, truth, {
    pairing: "number",
  });
  assert.equal(paired, chain.sequence.length - 2);
  assert.ok(values.caRmsd! > 1);
});

Deno.test(needing(tmAlign, {
  name: "score: by TM-align's pairs the TM-score is TM-align's",
  async fn() {
    const [model, reference] = [await finger("1znf"), await finger("1ard")];
    const { chains: [{ values, paired }] } = await scoreStructures(model, reference, { pairing: "tm-align" });
    const folder = await Deno.makeTempDir();
    for (const [k, structure] of [model, reference].entries()) {
      await Deno.writeTextFile(`${folder}/${k}.pdb`, formatPdb(structure));
    }
    const output = await programOutput({ name: "TMalign", path: findOnPath(["TMalign"])! }, [
      `${folder}/0.pdb`,
      `${folder}/1.pdb`,
    ]);
    await Deno.remove(folder, { recursive: true });
    const [, aligned, rmsd] = /Aligned length= *(\d+), RMSD= *([\d.]+)/.exec(output)!;
    const [, score] = /TM-score= *([\d.]+) \(if normalized by length of Chain_2/.exec(output)!;
    assert.equal(paired, Number(aligned));
    assert.ok(Math.abs(values.caRmsd! - Number(rmsd)) < 0.006);
    assert.ok(Math.abs(values.tmScore! - Number(score)) < 2e-4, `${values.tmScore} and ${score}`);
  },
}));

Deno.test("score: the files hold every residue and name what is missing", async () => {
  const truth = await finger("1znf");
  const lacking = { ...truth, chains: [moved(truth.chains[0], "Q", [3])] };
  const files = scoreFiles(await scoreStructures(lacking, truth), "0", ["a.pdb line 3: <odd>: left out"]);
  assert.deepEqual([...files.keys()], ["score.json", "residues.csv", "score.html"]);
  const lines = files.get("residues.csv")!.trim().split("\n");
  assert.equal(lines.length, 26);
  assert.match(lines[4], /^[A-Z],4,[A-Z],Q,,,,,$/);
  const page = files.get("score.html")!;
  assert.match(page, /Cα distance, chain Q of the model/);
  assert.equal(page.match(/class="missing"/g)?.length, 3); // once in each curve
  assert.match(page, /&lt;odd&gt;/);
  assert.equal(JSON.parse(files.get("score.json")!).chains[0].perResidue.length, 25);
});

Deno.test("denofold score compares two files, and says what is wrong with its flags", async () => {
  const [one, other] = [`${FINGERS}1znf.cif`, `${FINGERS}1ard.cif`];
  const out = await Deno.makeTempDir();
  const { code, stdout, stderr } = await denofold("score", one, other, "--out", `${out}/s`, "--json");
  assert.equal(code, 0, stderr);
  const result = JSON.parse(stdout);
  assert.equal(result.files.length, 3);
  assert.ok(result.chains[0].values.tmScore > 0.5);
  await Deno.remove(out, { recursive: true });
  const wrong = await denofold("score", one, other, "--chains", "A");
  assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
  assert.match(wrong.stderr, /--chains A: expected pairs MODEL=REFERENCE/);
});
