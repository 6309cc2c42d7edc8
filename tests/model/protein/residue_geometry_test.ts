import assert from "node:assert/strict";
import { join } from "node:path";
import {
  ATOM14_GROUP,
  ATOM14_LOCAL_POSITIONS,
  ATOM14_RADIUS,
  atom14DistanceBounds,
  PEPTIDE_BOND,
  residueAngles,
  residueBonds,
  RIGID_GROUP_DEFAULT_FRAMES,
} from "../../../model/protein/residue_geometry.ts";
import { ATOM14_EXISTS, ATOM14_NAMES, RIGID_GROUP_EXISTS } from "../../../model/protein/residue_constants.ts";
import { RESIDUE_LETTERS } from "../../../model/protein/residues.ts";
import { compare } from "../../../tools/oracle/compare.ts";
import { GOLDEN, readGolden } from "../../tools/data/features/_golden.ts";
import { needing } from "../../_needs.ts";

/** Product of two homogeneous matrices. */
function multiply(a: ArrayLike<number>, b: ArrayLike<number>): number[] {
  return Array.from({ length: 16 }, (_, k) => {
    const [row, column] = [Math.floor(k / 4), k % 4];
    return [0, 1, 2, 3].reduce((sum, j) => sum + a[4 * row + j] * b[4 * j + column], 0);
  });
}

/** The frames of a residue with torsions given as sine and cosine, in that of its backbone. */
function groupFrames(type: number, angles: ArrayLike<number>): number[][] {
  const frames: number[][] = [];
  for (let group = 0; group < 8; group++) {
    const [sin, cos] = group === 0 ? [0, 1] : [angles[2 * group - 2], angles[2 * group - 1]];
    const turn = [1, 0, 0, 0, 0, cos, -sin, 0, 0, sin, cos, 0, 0, 0, 0, 1];
    const at = (type * 8 + group) * 16;
    const own = multiply(RIGID_GROUP_DEFAULT_FRAMES.slice(at, at + 16), turn);
    frames.push(group > 4 ? multiply(frames[group - 1], own) : own);
  }
  return frames;
}

/** Where a frame puts an atom. */
function place(frame: ArrayLike<number>, type: number, slot: number): number[] {
  const at = (type * 14 + slot) * 3;
  const local = [...ATOM14_LOCAL_POSITIONS.slice(at, at + 3), 1];
  return [0, 1, 2].map((row) => local.reduce((sum, x, k) => sum + frame[4 * row + k] * x, 0));
}

Deno.test(needing(GOLDEN, {
  name: "frames at torsion 0 equal OpenFold's once they are turned",
  fn() {
    const golden = readGolden(join(GOLDEN.path, "structure/torsion_angles_to_frames"));
    const [aatype, angles] = [golden.data("in/aatype"), golden.data("in/angles")];
    const [rotations, origins] = [golden.data("in/bb_rot"), golden.data("in/bb_trans")];
    const frames = Array.from(aatype, (type, i) => {
      const backbone = [0, 1, 2].flatMap((
        row,
      ) => [...rotations.slice(9 * i + 3 * row).slice(0, 3), origins[3 * i + row]]);
      return groupFrames(type, angles.slice(14 * i, 14 * i + 14)).map((frame) =>
        multiply([...backbone, 0, 0, 0, 1], frame)
      );
    });
    const expected = golden.data("out/frames_4x4");
    const exists = Float32Array.from(expected, (_, k) => {
      const [i, group] = [Math.floor(k / 128), Math.floor(k / 16) % 8];
      return aatype[i] < 20 && (group < 4 || RIGID_GROUP_EXISTS[aatype[i] * 8 + group] === 1) ? 1 : 0;
    });
    const { worst, detail } = compare("frames", frames.flat(2), expected, { rtol: 1e-5, atol: 2e-6, atolOfMax: 0 }, {
      valid: exists,
    });
    assert(worst <= 1, detail);
  },
}));

Deno.test(needing(GOLDEN, {
  name: "atoms in their rigid groups equal OpenFold's",
  fn() {
    const golden = readGolden(join(GOLDEN.path, "structure/frames_to_atom14"));
    const [aatype, frames] = [golden.data("in/aatype"), golden.data("in/frames_4x4")];
    const positions = Array.from(aatype).flatMap((type, i) =>
      Array.from({ length: 14 }, (_, slot) => {
        const at = (i * 8 + ATOM14_GROUP[type * 14 + slot]) * 16;
        return ATOM14_EXISTS[type * 14 + slot] === 1 ? place(frames.slice(at, at + 16), type, slot) : [0, 0, 0];
      })
    );
    const expected = golden.data("out/atom14_positions");
    const { worst, detail } = compare("positions", positions.flat(), expected, {
      rtol: 1e-5,
      atol: 2e-6,
      atolOfMax: 0,
    });
    assert(worst <= 1, detail);
  },
}));

Deno.test(needing(GOLDEN, {
  name: "atom14DistanceBounds() equals OpenFold's table",
  fn() {
    const golden = readGolden(join(GOLDEN.path, "losses/atom14_dists_bounds_table"));
    const bounds = atom14DistanceBounds(
      golden.number("overlap_tolerance"),
      golden.number("bond_length_tolerance_factor"),
    );
    for (const [name, ours] of Object.entries(bounds)) {
      const { worst, detail } = compare(name, ours, golden.data(`out/${name}`), {
        rtol: 1e-6,
        atol: 1e-6,
        atolOfMax: 0,
      });
      assert(worst <= 1, `${name}: ${detail}`);
    }
  },
}));

Deno.test("residues built from the rigid groups have the tables' bonds and angles, whatever their torsions", () => {
  let bonds = 0;
  ATOM14_NAMES.forEach((names, type) => {
    const letter = RESIDUE_LETTERS[type];
    const angles = Array.from({ length: 14 }, (_, k) => (k % 2 ? Math.cos : Math.sin)(type + Math.floor(k / 2)));
    const frames = groupFrames(type, angles);
    const atoms = new Map(names.map((name, slot) => [name, place(frames[ATOM14_GROUP[type * 14 + slot]], type, slot)]));
    const toward = (a: string, b: string) => atoms.get(a)!.map((x, axis) => x - atoms.get(b)![axis]);
    for (const { atoms: [a, b], length, stddev } of residueBonds(letter)) {
      if (letter === "P" && a === "CD") continue; // the ring closes for some torsions only
      bonds++;
      const off = Math.hypot(...toward(a, b)) - length;
      assert(Math.abs(off) < 4 * stddev, `${letter} ${a}-${b} is off by ${off}`);
    }
    for (const { atoms: [a, b, c], angle, stddev } of residueAngles(letter)) {
      if (letter === "P" && [a, b, c].includes("N") && [a, b, c].includes("CD")) continue;
      const [p, q] = [toward(a, b), toward(c, b)];
      const cos = p.reduce((sum, x, k) => sum + x * q[k], 0) / (Math.hypot(...p) * Math.hypot(...q));
      assert(Math.abs(Math.acos(cos) - angle) < 5 * stddev + 0.05, `${letter} ${a}-${b}-${c}: ${Math.acos(cos)}`);
    }
  });
  assert.equal(bonds, 167 - 20 + 5); // trees, and one bond more for each ring but proline's
});

Deno.test("radii and the bond between residues are those of the elements and of proteins", () => {
  assert.deepEqual(ATOM14_RADIUS.slice(0, 6), Float32Array.of(1.55, 1.7, 1.7, 1.52, 1.7, 0));
  const degrees = (cos: number) => Math.acos(cos) * 180 / Math.PI;
  // Engh and Huber (2001): C-N and, before proline, its own, in Å
  assert.deepEqual(PEPTIDE_BOND.length, {
    other: { mean: 1.329, stddev: 0.014 },
    proline: { mean: 1.341, stddev: 0.016 },
  });
  assert(Math.abs(degrees(PEPTIDE_BOND.cosCaCN.mean) - 116.568) < 0.01);
  assert(Math.abs(degrees(PEPTIDE_BOND.cosCNCa.mean) - 121.352) < 0.01);
  assert.deepEqual(residueBonds("X"), []);
});
