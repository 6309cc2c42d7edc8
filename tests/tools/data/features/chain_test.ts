import assert from "node:assert/strict";
import { dihedral } from "../../../../model/protein/metrics/dihedral.ts";
import { makeAtom14Masks, makeAtom14Positions } from "../../../../tools/data/features/atom14.ts";
import { makeChainFeatures, makeSequenceFeatures } from "../../../../tools/data/features/chain.ts";
import { atom37ToFrames } from "../../../../tools/data/features/frames.ts";
import { atom37ToTorsionAngles } from "../../../../tools/data/features/torsions.ts";
import {
  ATOM14_EXISTS,
  ATOM14_NAMES,
  CHI_ATOMS,
  CHI_EXISTS,
  CHI_IS_PERIODIC,
  RIGID_GROUP_ATOMS,
  RIGID_GROUP_EXISTS,
} from "../../../../model/protein/residue_constants.ts";
import { ATOM_INDEX, ATOM_NAMES, RESIDUE_LETTERS } from "../../../../model/protein/residues.ts";
import type { Chain } from "../../../../tools/data/structure.ts";

const SEQUENCE = "XARNDCQEGHILKMFPSTWYVG";

/** A chain with atoms at random, such as its residue types have; one atom and one residue are missing. */
function randomChain(sequence: string, missing: readonly [residue: number, atom: string][]): Chain {
  let state = 12345;
  const random = () => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff) / 2 ** 31;
  const exists = makeAtom14Masks(makeSequenceFeatures(sequence).aatype).atom37_atom_exists;
  const atomMask = exists.map((there, i) => sequence[Math.floor(i / 37)] === "X" && i % 37 < 5 ? 1 : there);
  for (const [residue, atom] of missing) atomMask[residue * 37 + slot(atom)] = 0;
  return {
    id: "A",
    labelId: "A",
    sequence,
    residueNumbers: Int32Array.from(sequence, (_, i) => i + 1),
    insertionCodes: Array(sequence.length).fill(""),
    atomPositions: Float32Array.from({ length: sequence.length * 37 * 3 }, (_, i) => {
      const x = 20 * random() - 10;
      return atomMask[Math.floor(i / 3)] ? x : 0;
    }),
    atomMask,
    bFactors: new Float32Array(sequence.length * 37),
  };
}

function slot(name: string): number {
  return ATOM_INDEX.get(name) ?? assert.fail(name);
}

function point(chain: Chain, residue: number, atom: number): Float32Array {
  return chain.atomPositions.slice((residue * 37 + atom) * 3, (residue * 37 + atom) * 3 + 3);
}

Deno.test("the tables count 167 heavy atoms, 39 chi and 4 that half a turn leaves alike", () => {
  const sum = (table: Float32Array) => table.reduce((total, x) => total + x, 0);
  assert.equal(sum(ATOM14_EXISTS), 167);
  assert.equal(sum(CHI_EXISTS), 39);
  assert.equal(sum(RIGID_GROUP_EXISTS), 39 + 2 * 21);
  const periodic = RESIDUE_LETTERS.split("").filter((_, type) => sum(CHI_IS_PERIODIC.slice(4 * type, 4 * type + 4)));
  assert.deepEqual(periodic, [..."DEFY"]);
  assert.deepEqual(ATOM14_NAMES.map((names) => names.length), [
    ...[5, 11, 8, 8, 6, 9, 9, 4, 10, 8, 8, 9, 8, 11, 7, 6, 7, 14, 12, 7],
    0,
  ]);
  // The atom at the end of each chi, by residue type.
  const ends = Array.from(
    RESIDUE_LETTERS,
    (_, type) =>
      [0, 1, 2, 3].filter((chi) => CHI_EXISTS[type * 4 + chi]).map((chi) =>
        ATOM_NAMES[CHI_ATOMS[(type * 4 + chi) * 4 + 3]]
      )
        .join(" "),
  );
  assert.deepEqual(ends, [
    ...["", "CG CD NE CZ", "CG OD1", "CG OD1", "SG", "CG CD OE1", "CG CD OE1", "", "CG ND1", "CG1 CD1", "CG CD1"],
    ...["CG CD CE NZ", "CG SD CE", "CG CD1", "CG CD", "OG", "OG1", "CG CD1", "CG CD1", "CG1", ""],
  ]);
  const last = RIGID_GROUP_ATOMS.slice((RESIDUE_LETTERS.indexOf("R") * 8 + 7) * 3).slice(0, 3);
  assert.deepEqual(Array.from(last, (atom) => ATOM_NAMES[atom]), ["CD", "NE", "CZ"]);
});

Deno.test("atom14 and atom37 lead to each other, and exchangeable names are exchanged", () => {
  const chain = randomChain(SEQUENCE, [[5, "OD1"], [15, "CE2"]]);
  const features = makeChainFeatures(chain);
  const { aatype } = features;
  for (let i = 0; i < aatype.length; i++) {
    for (let k = 0; k < 14; k++) {
      const at = i * 14 + k;
      const name = ATOM14_NAMES[aatype[i]][k];
      assert.equal(features.atom14_atom_exists[at], name === undefined ? 0 : 1);
      if (name === undefined) continue;
      const wide = slot(name);
      assert.equal(features.residx_atom14_to_atom37[at], wide);
      assert.equal(features.residx_atom37_to_atom14[i * 37 + wide], k);
      assert.equal(features.atom37_atom_exists[i * 37 + wide], 1);
      assert.equal(features.atom14_gt_exists[at], chain.atomMask[i * 37 + wide]);
      assert.deepEqual(features.atom14_gt_positions.slice(3 * at, 3 * at + 3), point(chain, i, wide));
      const letter = RESIDUE_LETTERS[aatype[i]];
      const other = "DE".includes(letter) && /^O[DE]/.test(name) || "FY".includes(letter) && /^C[DE]/.test(name)
        ? name.replace(/[12]$/, (digit) => digit === "1" ? "2" : "1")
        : name;
      assert.equal(features.atom14_atom_is_ambiguous[at], other === name ? 0 : 1);
      assert.equal(features.atom14_alt_gt_exists[at], chain.atomMask[i * 37 + slot(other)]);
      assert.deepEqual(features.atom14_alt_gt_positions.slice(3 * at, 3 * at + 3), point(chain, i, slot(other)));
    }
  }
  assert.equal(features.atom37_atom_exists.reduce((sum, x) => sum + x), 167 + 4); // glycine twice
});

Deno.test("frames are rotations that lay the group's atoms on the axes", () => {
  const chain = randomChain(SEQUENCE, [[3, "CA"], [4, "O"], [12, "CE"]]);
  const { aatype, ...f } = makeChainFeatures(chain);
  let seen = 0;
  for (let i = 0; i < aatype.length; i++) {
    for (let group = 0; group < 8; group++) {
      const at = i * 8 + group;
      const table = aatype[i] * 8 + group;
      const atoms = RIGID_GROUP_ATOMS.slice(3 * table, 3 * table + 3);
      const there = RIGID_GROUP_EXISTS[table] && atoms.every((atom) => chain.atomMask[i * 37 + atom] === 1) ? 1 : 0;
      assert.equal(f.rigidgroups_group_exists[at], RIGID_GROUP_EXISTS[table]);
      assert.equal(f.rigidgroups_gt_exists[at], there);
      if (there === 0) continue;
      seen++;
      const matrix = f.rigidgroups_gt_frames.slice(16 * at, 16 * at + 16);
      assert.deepEqual(matrix.slice(12), Float32Array.of(0, 0, 0, 1));
      const column = (j: number) => [matrix[j], matrix[4 + j], matrix[8 + j]];
      const dot = (a: number[], b: number[]) => a.reduce((sum, x, k) => sum + x * b[k], 0);
      const [x, y, z] = [0, 1, 2].map(column);
      const cross = [0, 1, 2].map((k) => x[(k + 1) % 3] * y[(k + 2) % 3] - x[(k + 2) % 3] * y[(k + 1) % 3]);
      cross.forEach((value, k) => assert(Math.abs(value - z[k]) < 1e-6)); // right-handed
      assert(Math.abs(dot(x, x) - 1) < 1e-6 && Math.abs(dot(y, y) - 1) < 1e-6 && Math.abs(dot(x, y)) < 1e-6);
      const [onX, origin, onPlane] = Array.from(atoms, (atom) => Array.from(point(chain, i, atom)));
      assert.deepEqual(column(3), origin);
      const toX = onX.map((value, k) => value - origin[k]);
      const toPlane = onPlane.map((value, k) => value - origin[k]);
      assert((group === 0 ? 1 : -1) * dot(toX, x) > 0);
      for (const axis of [y, z]) assert(Math.abs(dot(toX, axis)) < 1e-5);
      assert(dot(toPlane, y) > 0 && Math.abs(dot(toPlane, z)) < 1e-5);

      const ambiguous = group >= 4 && CHI_IS_PERIODIC[aatype[i] * 4 + group - 4] === 1;
      assert.equal(f.rigidgroups_group_is_ambiguous[at], ambiguous ? 1 : 0);
      const signs = ambiguous ? [1, -1, -1, 1] : [1, 1, 1, 1];
      const alt = f.rigidgroups_alt_gt_frames.slice(16 * at, 16 * at + 16);
      assert.deepEqual(alt.map((value) => value + 0), matrix.map((value, k) => value * signs[k % 4] + 0));
    }
    assert.equal(f.backbone_rigid_mask[i], f.rigidgroups_gt_exists[8 * i]);
    assert.deepEqual(
      f.backbone_rigid_tensor.slice(16 * i, 16 * i + 16),
      f.rigidgroups_gt_frames.slice(128 * i, 128 * i + 16),
    );
  }
  assert.equal(seen, 39 + 2 * SEQUENCE.length - 3 - 1 - 2); // CA is in three groups, O in psi, CE of lysine in two
});

Deno.test("torsion angles are dihedral angles, psi with the other sign", () => {
  const chain = randomChain(SEQUENCE, [[3, "C"], [12, "NZ"]]);
  const f = makeChainFeatures(chain);
  const paths: Record<string, string> = { R: "N CA CB CG CD NE CZ", I: "N CA CB CG1 CD1", H: "N CA CB CG ND1" };
  let compared = 0;
  const check = (residue: number, torsion: number, atoms: [number, string][], sign = 1) => {
    const at = residue * 7 + torsion;
    const there = atoms.every(([r, atom]) => r >= 0 && chain.atomMask[r * 37 + slot(atom)] === 1);
    assert.equal(f.torsion_angles_mask[at], there ? 1 : 0, `torsion ${torsion} of residue ${residue}`);
    if (!there) return;
    compared++;
    const [a, b, c, d] = atoms.map(([r, atom]) => point(chain, r, slot(atom)));
    const [angle] = dihedral(a, b, c, d);
    const [sin, cos] = f.torsion_angles_sin_cos.slice(2 * at, 2 * at + 2);
    assert(Math.abs(sin - sign * Math.sin(angle)) < 1e-5 && Math.abs(cos - sign * Math.cos(angle)) < 1e-5);
  };
  for (let i = 0; i < SEQUENCE.length; i++) {
    check(i, 0, [[i - 1, "CA"], [i - 1, "C"], [i, "N"], [i, "CA"]]);
    check(i, 1, [[i - 1, "C"], [i, "N"], [i, "CA"], [i, "C"]]);
    check(i, 2, [[i, "N"], [i, "CA"], [i, "C"], [i, "O"]], -1);
    const path = paths[SEQUENCE[i]]?.split(" ") ?? [];
    for (let chi = 0; chi + 4 <= path.length; chi++) {
      check(i, 3 + chi, path.slice(chi, chi + 4).map((atom): [number, string] => [i, atom]));
    }
    for (let torsion = 0; torsion < 7; torsion++) {
      const at = i * 7 + torsion;
      const mirrored = torsion >= 3 && CHI_IS_PERIODIC[f.aatype[i] * 4 + torsion - 3] === 1;
      for (const k of [2 * at, 2 * at + 1]) {
        assert.equal(f.alt_torsion_angles_sin_cos[k] + 0, (mirrored ? -1 : 1) * f.torsion_angles_sin_cos[k] + 0);
      }
    }
    assert.deepEqual(f.chi_mask.slice(4 * i, 4 * i + 4), f.torsion_angles_mask.slice(7 * i + 3, 7 * i + 7));
    assert.deepEqual(
      f.chi_angles_sin_cos.slice(8 * i, 8 * i + 8),
      f.torsion_angles_sin_cos.slice(14 * i + 6, 14 * i + 14),
    );
  }
  assert.equal(compared, 3 * SEQUENCE.length - 2 - 4 + 8); // the first lacks two, C is in four, eight chi
  assert(f.torsion_angles_sin_cos.every(Number.isFinite) && f.rigidgroups_gt_frames.every(Number.isFinite));
});

Deno.test("the pseudo-beta atom of a glycine is its C-alpha", () => {
  const chain = randomChain("GAX", [[1, "CB"]]);
  const { pseudo_beta, pseudo_beta_mask, resolution, residue_index, aatype } = makeChainFeatures(chain, 2.5);
  assert.deepEqual(pseudo_beta.slice(0, 3), point(chain, 0, slot("CA")));
  assert.deepEqual(pseudo_beta.slice(6), point(chain, 2, slot("CB")));
  assert.deepEqual([...pseudo_beta_mask, ...resolution, ...residue_index, ...aatype], [
    1,
    0,
    1,
    2.5,
    0,
    1,
    2,
    7,
    0,
    20,
  ]);
});

Deno.test("features refuse types out of range and sizes that do not fit", () => {
  const atoms = {
    aatype: Int32Array.of(3),
    all_atom_positions: new Float32Array(111),
    all_atom_mask: new Float32Array(37),
  };
  for (const make of [makeAtom14Positions, atom37ToFrames, atom37ToTorsionAngles]) {
    assert.throws(() => make({ ...atoms, aatype: Int32Array.of(21) }), /aatype\[0\] is 21: expected 0 to 20/);
    assert.throws(() => make({ ...atoms, all_atom_mask: new Float32Array(36) }), {
      name: "TypeError",
      message: /all_atom_mask has 36 numbers: expected 37/,
    });
  }
  assert.throws(() => makeAtom14Masks([-1]), RangeError);
});
