import assert from "node:assert/strict";
import { allAtomLddt, type AtomsOfResidues } from "../../../../model/protein/metrics/all_atom_lddt.ts";
import { lddt } from "../../../../model/protein/metrics/lddt.ts";
import { ATOM_INDEX, ATOM_NAMES, ATOM_SLOTS } from "../../../../model/protein/residues.ts";
import { readStructure } from "../../../../tools/data/read_structure.ts";
import { assertClose, Random } from "../_support.ts";

const EXAMPLES = new URL("../../../../examples/zinc_fingers/", import.meta.url).pathname;

const ALIKE: Record<string, string[][]> = {
  D: [["OD1", "OD2"]],
  E: [["OE1", "OE2"]],
  F: [["CD1", "CD2"], ["CE1", "CE2"]],
  L: [["CD1", "CD2"]],
  R: [["NH1", "NH2"]],
  V: [["CG1", "CG2"]],
  Y: [["CD1", "CD2"], ["CE1", "CE2"]],
};

/** The published definition word by word: atoms by name, all pairs, both namings of every residue that has two. */
function direct(model: AtomsOfResidues, reference: AtomsOfResidues) {
  type Place = readonly [number, number, number];
  const read = ({ sequence, positions, mask }: AtomsOfResidues) =>
    Array.from(sequence, (_, r) => {
      const atoms = new Map<string, Place>();
      for (const [slot, name] of ATOM_NAMES.entries()) {
        const at = r * ATOM_SLOTS + slot;
        if (mask[at] === 1) atoms.set(name, [positions[3 * at], positions[3 * at + 1], positions[3 * at + 2]]);
      }
      return atoms;
    });
  const [own, truth] = [read(model), read(reference)];
  const far = (a: Place, b: Place) => Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
  const alike = Array.from(reference.sequence, (letter, r) => model.sequence[r] === letter ? ALIKE[letter] ?? [] : []);
  const isPlain = (r: number, name: string) => !alike[r].flat().includes(name);
  const kept = (own: Map<string, Place>[], r: number, one: string, s: number, two: string): number | undefined => {
    const expected = far(truth[r].get(one)!, truth[s].get(two)!);
    if (r === s || expected >= 15) return undefined;
    const [a, b] = [own[r].get(one), own[s].get(two)];
    const off = a && b ? Math.abs(far(a, b) - expected) : Infinity;
    return [0.5, 1, 2, 4].filter((threshold) => off < threshold).length / 4;
  };
  const renamed = own.map((atoms, r) => {
    const other = new Map(atoms);
    for (const [a, b] of alike[r]) {
      for (const [to, from] of [[a, b], [b, a]]) {
        if (atoms.has(from)) other.set(to, atoms.get(from)!);
        else other.delete(to);
      }
    }
    const score = (atoms: Map<string, Place>) => {
      const all = own.with(r, atoms);
      let sum = 0;
      for (const one of truth[r].keys()) {
        if (isPlain(r, one)) continue;
        truth.forEach((names, s) => {
          for (const two of names.keys()) if (isPlain(s, two)) sum += kept(all, r, one, s, two) ?? 0;
        });
      }
      return sum;
    };
    return score(other) > score(atoms) ? other : atoms;
  });
  const values = truth.map((names, r) =>
    [...names.keys()].flatMap((one) =>
      truth.flatMap((others, s) => [...others.keys()].map((two) => kept(renamed, r, one, s, two)))
    ).filter((value) => value !== undefined)
  );
  const mean = (list: number[]) => list.reduce((sum, x) => sum + x, 0) / list.length;
  return { overall: mean(values.flat()), perResidue: values.map(mean), pairs: values.flat().length / 2 };
}

const read = async (name: string): Promise<AtomsOfResidues> => {
  const { chains: [{ sequence, atomPositions: positions, atomMask: mask }] } = await readStructure(
    `${EXAMPLES}${name}.cif`,
  );
  return { sequence, positions: Float64Array.from(positions), mask };
};

Deno.test("allAtomLddt() is the published definition, with names exchanged, atoms missing and residues of other kinds", async () => {
  const reference = await read("1znf");
  const random = new Random(7);
  const positions = Float64Array.from(reference.positions, (x) => x + 0.9 * random.normal());
  const mask = Float32Array.from(reference.mask);
  for (const at of [40, 41, 3 * ATOM_SLOTS, 9 * ATOM_SLOTS + 1]) mask[at] = 0;
  const exchanged = Array.from(reference.sequence, (letter, r) => ({ pairs: ALIKE[letter] ?? [], r })).filter((
    { pairs, r },
  ) => pairs.length > 0 && r % 2 === 1);
  for (const { pairs, r } of exchanged) {
    for (const [a, b] of pairs) {
      const [i, j] = [a, b].map((name) => 3 * (r * ATOM_SLOTS + ATOM_INDEX.get(name)!));
      const kept = positions.slice(i, i + 3);
      positions.copyWithin(i, j, j + 3);
      positions.set(kept, j);
    }
  }
  assert(exchanged.length > 3);
  const mutated = reference.sequence.replace(/F/, "A");
  for (const sequence of [reference.sequence, mutated]) {
    const model = { sequence, positions, mask };
    const found = allAtomLddt(model, reference), expected = direct(model, reference);
    assert.equal(found.pairs, expected.pairs);
    assertClose([found.overall!], [expected.overall], { rtol: 1e-12 });
    assertClose(found.perResidue, expected.perResidue, { rtol: 1e-12 });
    assert(found.overall! > 0.3 && found.overall! < 0.95);
    const [slots, residue] = [Array.from(mask.keys()), Array.from(mask.keys(), (at) => Math.floor(at / ATOM_SLOTS))];
    const plain = lddt(
      positions.map((x, k) => mask[Math.floor(k / 3)] ? x : 1e6 * (1 + slots[Math.floor(k / 3)])),
      Float64Array.from(reference.positions),
      { mask: reference.mask, residue },
    );
    assert(found.overall! > plain.overall + 0.003, `${found.overall} against ${plain.overall} without exchange`);
  }
});

Deno.test("allAtomLddt() of a structure with itself is 1, of lone residues nothing, and of other sizes an error", async () => {
  const one = await read("1ard");
  const { overall, perResidue } = allAtomLddt(one, one);
  assert.equal(overall, 1);
  assert(perResidue.every((value) => value === 1));
  const lone = {
    sequence: "K",
    positions: new Float64Array(ATOM_SLOTS * 3),
    mask: new Float32Array(ATOM_SLOTS).fill(1),
  };
  const none = allAtomLddt(lone, lone);
  assert.deepEqual([none.overall, none.pairs, ...none.perResidue], [null, 0, NaN]);
  assert.throws(() => allAtomLddt(lone, one), /the model has 1 residues, 111 coordinates and 37 masks, expected 29/);
});
