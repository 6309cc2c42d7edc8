import assert from "node:assert/strict";
import { join } from "node:path";
import { parseMmcif } from "../../../tools/data/mmcif.ts";
import type { Chain, Structure } from "../../../tools/data/structure.ts";
import { formatMmcif } from "../../../tools/data/write_mmcif.ts";
import { evaluateTarget } from "../../../tools/predict/complex_truth.ts";
import { compareWithExperiment } from "../../../tools/predict/experiment.ts";
import { asGiven } from "../../../tools/predict/permute_prediction.ts";
import type { Prediction } from "../../../tools/predict/prediction.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { encodeFeatureFile, parseFeatureFile } from "../../../tools/prep/feature_file.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";

/** A chain of glycines and alanines along a bent line. */
function chain(id: string, sequence: string, [x, y, z]: readonly number[]): Chain {
  const n = sequence.length, atomPositions = new Float32Array(n * 37 * 3), atomMask = new Float32Array(n * 37);
  for (let i = 0; i < n; i++) {
    for (const [slot, dx, dy, dz] of [[0, 0, 0, 0], [1, 1.4, 0.3, 0], [2, 2, 1.6, 0.2], [4, 1.3, 2.6, 0.5]]) {
      atomMask[i * 37 + slot] = 1;
      atomPositions.set([x + 3 * i + dx, y + dy + i % 2, z + dz + 0.3 * i ** 2], (i * 37 + slot) * 3);
    }
  }
  return {
    ...{ id, labelId: id, sequence, atomPositions, atomMask, bFactors: new Float32Array(n * 37) },
    residueNumbers: Int32Array.from({ length: n }, (_, i) => 11 + i),
    insertionCodes: new Array<string>(n).fill(""),
  };
}

const ASSEMBLIES = `loop_
_pdbx_struct_assembly_gen.assembly_id
_pdbx_struct_assembly_gen.oper_expression
_pdbx_struct_assembly_gen.asym_id_list
1 1,2 A
1 1 B
2 (1,2)(3-4) B
3 9 A
#
loop_
_pdbx_struct_oper_list.id
${[1, 2, 3].map((i) => [1, 2, 3].map((j) => `_pdbx_struct_oper_list.matrix[${i}][${j}]`).join("\n")).join("\n")}
${[1, 2, 3].map((i) => `_pdbx_struct_oper_list.vector[${i}]`).join("\n")}
1 1 0 0 0 1 0 0 0 1 0 0 0
2 -1 0 0 0 -1 0 0 0 1 4 -5 0
3 1 0 0 0 1 0 0 0 1 0 0 0
4 0 -1 0 1 0 0 0 0 1 0 0 7
#
`;

async function withEntry(run: (path: string, text: string, structure: Structure) => Promise<void>): Promise<void> {
  const structure = {
    id: "test",
    source: "test",
    chains: [chain("A", "GAGAG", [0, 0, 0]), chain("B", "AAGG", [2, -5, 5])],
  };
  const text = formatMmcif(structure) + ASSEMBLIES;
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "9xyz.cif");
    await Deno.writeTextFile(path, text);
    await run(path, text, structure);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("assemblies are built by their operations, products too; copies have names of their own", () =>
  withEntry(async (_, text, { chains: [a, b] }) => {
    const { chains } = await parseMmcif(text, "x.cif", { assembly: "1" });
    assert.deepEqual(chains.map(({ id, sequence }) => [id, sequence]), [["A", "GAGAG"], ["A-2", "GAGAG"], [
      "B",
      "AAGG",
    ]]);
    assert.deepEqual(
      [...chains[0].atomPositions.slice(0, 9)],
      [...a.atomPositions.slice(0, 9)].map((x) => Math.fround(x)),
    );
    const at = 3 * (37 + 1);
    const near = (found: ArrayLike<number>, expected: readonly number[]) =>
      expected.forEach((x, k) => assert.ok(Math.abs(found[k] - x) < 2e-3, `${Array.from(found)}, ${expected}`));
    const [x, y, z] = a.atomPositions.slice(at);
    near(chains[1].atomPositions.slice(at, at + 3), [4 - x, -5 - y, z]);
    const second = await parseMmcif(text, "x.cif", { assembly: "2" });
    assert.deepEqual(second.chains.map(({ id }) => id), ["B", "B-2", "B-3", "B-4"]);
    // 2 after 4.
    const [u, v, w] = b.atomPositions.slice(at);
    near(second.chains[3].atomPositions.slice(at, at + 3), [4 + v, -5 - u, w + 7]);
    await assert.rejects(
      () => parseMmcif(text, "x.cif", { assembly: "7" }),
      /no assembly "7": expected one of 1, 2, 3/,
    );
    await assert.rejects(
      () => parseMmcif(text, "x.cif", { assembly: "3" }),
      /assembly 3 uses the operation "9", which/,
    );
    const none = text.slice(0, text.indexOf("loop_\n_pdbx_struct_assembly_gen"));
    await assert.rejects(
      () => parseMmcif(none, "x.cif", { assembly: "1" }),
      /it lists none; --assembly asymmetric takes/,
    );
  }));

Deno.test("an assembly is a complex with its structure, and a prediction is laid beside it chain by chain", () =>
  withEntry(async (path) => {
    const { targets: [target], notes } = await collectTargets([path], { assembly: "1" });
    assert.deepEqual(notes, []);
    assert.deepEqual(target.chains!.map(({ id }) => id), ["9xyz_A", "9xyz_A-2", "9xyz_B"]);
    const prepared = await prepareTarget(target);
    assert.equal(prepared.observedResidues, 14);
    assert.deepEqual(prepared.chains!.map(({ label }) => label), ["A", "A-2", "B"]);
    const { supervised, features } = parseFeatureFile(encodeFeatureFile(prepared), "x");
    assert.deepEqual([...features.residue_index], [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3]);
    assert.deepEqual([...supervised!.residue_index], [...features.residue_index]);
    assert.equal(supervised!.all_atom_mask.reduce((sum, x) => sum + x, 0), 14 * 4);
    // The first angle of a chain is not known, though another chain stands before it.
    assert.equal(supervised!.torsion_angles_mask[5 * 7], 0);

    // The same with the copies the other way round, turned and moved: each finds its own.
    const all = prepared.supervised!.all_atom_positions, width = 5 * 37 * 3;
    const swapped = Float32Array.from([
      ...all.slice(width, 2 * width),
      ...all.slice(0, width),
      ...all.slice(2 * width),
    ]);
    const turned = swapped.map((_, k) => k % 3 === 0 ? -swapped[k + 1] + 9 : k % 3 === 1 ? swapped[k - 1] : swapped[k]);
    const n = 14, mask = prepared.supervised!.all_atom_mask;
    const prediction: Prediction = {
      ...{ preset: "p", seed: 0, sequence: prepared.sequence, atomPositions: turned, atomMask: mask },
      ...{ plddt: new Float32Array(n).fill(50), distances: new Float32Array(n * n), recycles: [], trajectory: [] },
      seconds: { features: 0, network: 0 },
    };
    const naming = {
      chainId: "A",
      residueNumbers: prepared.numbering!.residueNumbers,
      insertionCodes: prepared.numbering!.insertionCodes,
    };
    const found = compareWithExperiment(asGiven(prediction, prepared.chains!), prepared, naming)!;
    assert.ok(found.measures.lddt > 1 - 1e-6 && found.measures.allAtomRmsd < 1e-4, JSON.stringify(found.measures));
    assert.deepEqual(found.chains!.map(({ chain, truth }) => [chain, truth]), [["A", "A-2"], ["A-2", "A"], ["B", "B"]]);
    assert.ok(found.chains!.every(({ lddt, tmScore }) => lddt! > 1 - 1e-6 && tmScore! > 1 - 1e-6));
    assert.ok(found.interfaces!.length > 0 && found.interfaces!.every(({ dockq }) => dockq > 1 - 1e-6));
    const own = evaluateTarget({ ...prediction, atomPositions: turned }, prepared); // in the order of the features
    assert.ok(own.measures.lddt > 1 - 1e-6 && own.measures.caRmsd < 1e-4);
    const { chains } = await parseMmcif(found.cif, "laid.cif");
    assert.deepEqual(chains.map(({ id }) => id), ["A", "A-2", "B"]);
  }));

Deno.test("a complex of a list takes the chains of its structure by their sequences; what is missing is said", () =>
  withEntry(async (path) => {
    const fasta = path.replace("9xyz.cif", "list.fasta");
    await Deno.writeTextFile(fasta, ">9xyz\nAAGG:GAGAG:GAGAG\n>other\nWW:GAGAG\n");
    const { targets } = await collectTargets([fasta, path], { complexes: true });
    const { warnings, observedResidues, chains } = await prepareTarget(targets[0]);
    assert.ok(
      warnings.some((text) => /shows no chain for 9xyz_C: its residues are not known/.test(text)),
      warnings.join(),
    );
    assert.deepEqual([observedResidues, chains![0].label], [9, undefined]);
    const assembly = await collectTargets([fasta, path], { assembly: "1" });
    assert.deepEqual((await prepareTarget(assembly.targets[0])).chains!.map(({ label }) => label), ["B", "A", "A-2"]);
    await assert.rejects(() => prepareTarget({ ...targets[0], assembly: "5" }), /has no assembly "5"/);
    const odd = { ...targets[1], structure: path, chains: [{ id: "x", sequence: "WW" }, { id: "y", sequence: "YY" }] };
    await assert.rejects(
      () => prepareTarget(odd),
      /None of the chains of .*9xyz\.cif is one of other: it has A \(5 res/,
    );
    const pdb = path.replace(".cif", ".pdb");
    await Deno.writeTextFile(pdb, "ATOM      1  CA  ALA A   1       0.000   0.000   0.000\n");
    const { targets: [bad] } = await collectTargets([pdb], { assembly: "1" });
    assert.match(bad.problem!, /is a PDB file, of which no assemblies are built/);
  }));
