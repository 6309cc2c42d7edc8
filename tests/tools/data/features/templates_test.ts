import assert from "node:assert/strict";
import { makeAtom14Masks } from "../../../../tools/data/features/atom14.ts";
import { makeChainFeatures, makeSequenceFeatures } from "../../../../tools/data/features/chain.ts";
import { fixTemplatesAatype, makeTemplateFeatures } from "../../../../tools/data/features/template_feats.ts";
import { makeTemplates, templateName } from "../../../../tools/data/features/templates.ts";
import type { HhrHit } from "../../../../tools/data/hhr.ts";
import type { Chain, Structure } from "../../../../tools/data/structure.ts";
import { InputError } from "../../../../tools/errors.ts";

/** A chain along a bent line, with all atoms of its residues. */
function chainOf(id: string, sequence: string, step = 3): Chain {
  const { aatype } = makeSequenceFeatures(sequence);
  const atomMask = makeAtom14Masks(aatype).atom37_atom_exists;
  return {
    id,
    labelId: id,
    sequence,
    residueNumbers: Int32Array.from(sequence, (_, i) => i + 1),
    insertionCodes: Array(sequence.length).fill(""),
    atomPositions: Float32Array.from({ length: sequence.length * 111 }, (_, k) => {
      const [residue, atom, axis] = [Math.floor(k / 111), Math.floor(k / 3) % 37, k % 3];
      if (atomMask[Math.floor(k / 3)] === 0) return 0;
      return [step * residue + Math.cos(atom), Math.sin(3 * atom) + residue % 3, Math.sin(5 * atom + residue)][axis];
    }),
    atomMask,
    bFactors: new Float32Array(sequence.length * 37),
  };
}

function hitOf(
  name: string,
  query: string,
  hitSequence: string,
  from: readonly [number, number],
  sumProbs = 1,
): HhrHit {
  const number = (letters: string, first: number) => {
    let next = first;
    return Int32Array.from(letters, (letter) => letter === "-" ? -1 : next++);
  };
  return {
    index: 1,
    name,
    probability: 99,
    eValue: 0,
    score: 1,
    alignedColumns: Array.from(query).filter((letter, k) => letter !== "-" && hitSequence[k] !== "-").length,
    identities: 50,
    similarity: 1,
    sumProbs,
    query,
    hitSequence,
    queryIndices: number(query, from[0]),
    hitIndices: number(hitSequence, from[1]),
    hitLength: 100,
  };
}

const QUERY = "MKTAYIAKQRQISFVKSHFSRQ";

function structureOf(id: string, chains: readonly Chain[], releaseDate?: string): Structure {
  return { id, source: `${id}.cif`, chains, ...(releaseDate ? { releaseDate } : {}) };
}

Deno.test("makeTemplates() lays a hit with gaps along the query, wherever its residues are in the structure", async () => {
  // The file's numbers are of another sequence of the template: its residues are what counts.
  const hit = hitOf("1ABC_B words", "AYIA-KQRQISF", "AWI-GKQRQLSF", [3, 40]);
  const structure = structureOf("1abc", [chainOf("A", "GGGGG"), chainOf("B", "CCAWIGKQRQLSFW")]);
  const { templates, warnings } = await makeTemplates(QUERY, [hit], () => structure);
  assert.deepEqual(warnings, []);
  assert.deepEqual(templates.template_domain_names, ["1abc_B"]);
  assert.deepEqual(templates.template_sequence, ["---AWI-KQRQLSF--------"]);
  const chain = structure.chains[1];
  const places = [2, 3, 4, undefined, 6, 7, 8, 9, 10, 11, 12]; // in the structure, of query residues 3 to 13
  for (let residue = 0; residue < QUERY.length; residue++) {
    const from = places[residue - 3];
    const positions = templates.template_all_atom_positions.slice(residue * 111, residue * 111 + 111);
    const mask = templates.template_all_atom_mask.slice(residue * 37, residue * 37 + 37);
    assert.deepEqual(mask, from === undefined ? new Float32Array(37) : chain.atomMask.slice(from * 37, from * 37 + 37));
    assert.deepEqual(
      positions,
      from === undefined ? new Float32Array(111) : chain.atomPositions.slice(from * 111, from * 111 + 111),
    );
    const letter: string = templates.template_sequence[0][residue];
    const type: number = letter === "-" ? 21 : "ARNDCQEGHILKMFPSTWYV".indexOf(letter);
    assert.equal(templates.template_aatype[residue], type);
  }
});

Deno.test("makeTemplates() takes the best, passes over the query itself and what says too little, and says what is missing", async () => {
  const residues = QUERY.slice(2, 14);
  const own = (name: string, sumProbs: number) => hitOf(name, residues, residues, [2, 0], sumProbs);
  const chain = (sequence: string, step?: number) => structureOf("x", [chainOf("A", sequence, step)], "2010-05-06");
  const structures: Record<string, Structure> = {
    "1aaa": chain(residues),
    "2aaa": chain(`GG${residues}`),
    "3aaa": chain(residues.replace("Q", "X")),
    "4aaa": chain("GGGGGGGGGGGGGG"),
    "5aaa": chain(residues, 151),
  };
  const hits = [
    own("1AAA_A", 3),
    own("2AAA_Z", 9),
    own("3AAA_A", 5),
    own("4AAA_A", 8),
    own("5AAA_A", 7),
    own("6AAA_A", 6),
    own("no PDB code", 4),
    hitOf("7AAA_A", QUERY, QUERY, [0, 0], 99),
    hitOf("8AAA_A", "MKTAYIAKQ", "MKTAYIAKQ", [0, 0], 99),
    hitOf("9AAA_A", "MK", "MKTAYIAKQRQ", [0, 0], 99),
  ];
  const find = (id: string) => structures[id];
  const { templates, warnings } = await makeTemplates(QUERY, hits, find);
  assert.deepEqual(templates.template_domain_names, ["2aaa_A", "3aaa_A", "1aaa_A"]);
  assert.deepEqual(templates.template_sum_probs, Float32Array.of(9, 5, 3));
  assert.equal(templates.template_sequence[1], `--${residues}--------`); // the hit's own letters
  assert.deepEqual(warnings, [
    'Template 1 "4AAA_A" cannot be used: its 12 residues are not in x.cif',
    'Template 1 "5AAA_A" cannot be used: residues 1 and 2 of x.cif are over 150 Å apart',
    'Template 1 "6AAA_A" cannot be used: there is no structure of it',
    'Template 1 "no" cannot be used: its name does not begin with a PDB code and a chain',
  ]);
  const one = await makeTemplates(QUERY, hits, find, { maxTemplates: 1, strict: true });
  assert.deepEqual(one.templates.template_domain_names, ["2aaa_A"]);
  await assert.rejects(makeTemplates(QUERY, hits, find, { strict: true }), InputError);
  const old = await makeTemplates(QUERY, hits, find, { releasedBefore: "2010-05-06" });
  assert.equal(old.templates.template_aatype.length, 0);
  assert.deepEqual(templateName({ name: "5KC1_AA1 words" }), { pdbId: "5kc1", chainId: "AA1" });
});

Deno.test("template features are those of chains, and residues that a template lacks have none", () => {
  const columns = 5;
  const chain = chainOf("A", "GWFDE");
  const of = makeChainFeatures(chain);
  const types = Int32Array.from([...of.aatype, ...of.aatype]);
  types[7] = 21;
  const mask = Float32Array.from([...chain.atomMask, ...chain.atomMask]).fill(0, 7 * 37, 8 * 37);
  const atoms = {
    template_aatype: types,
    template_all_atom_positions: Float32Array.from([...chain.atomPositions, ...chain.atomPositions]),
    template_all_atom_mask: mask,
  };
  const features = makeTemplateFeatures(atoms, columns);
  assert.deepEqual(features.template_mask, Float32Array.of(1, 1));
  assert.deepEqual(features.template_pseudo_beta.slice(0, 15), of.pseudo_beta);
  assert.deepEqual(features.template_torsion_angles_sin_cos.slice(0, 70), of.torsion_angles_sin_cos);
  assert.deepEqual(features.template_torsion_angles_mask.slice(0, 35), of.torsion_angles_mask);
  assert.deepEqual(
    Array.from(features.template_torsion_angles_mask.slice(49, 58)), // residue 2, and the first two of residue 3
    [0, 0, 0, 0, 0, 0, 0, 0, 0],
  );

  const oneHot = new Float32Array(44);
  oneHot[1] = oneHot[22 + 21] = 1; // C in HHblits' order, and a gap
  assert.deepEqual(fixTemplatesAatype(oneHot), Int32Array.of(4, 21));
});
