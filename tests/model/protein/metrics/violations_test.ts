import assert from "node:assert/strict";
import { Key } from "../../../../core/mod.ts";
import { structuralViolations } from "../../../../model/alphafold/losses/mod.ts";
import { structureViolations } from "../../../../model/protein/metrics/violations.ts";
import { ATOM14_SLOTS, ATOM14_TO_ATOM37 } from "../../../../model/protein/residue_constants.ts";
import { ATOM_SLOTS, RESIDUE_LETTERS } from "../../../../model/protein/residues.ts";
import { readStructure } from "../../../../tools/data/read_structure.ts";
import { gpuTest } from "../../../_gpu.ts";

const finger = async () => (await readStructure("examples/zinc_fingers/1znf.cif")).chains[0];

gpuTest("structureViolations() finds the residues that the loss of violations finds", async (device) => {
  const { sequence, atomPositions, atomMask } = await finger();
  const n = sequence.length;
  const aatype = Int32Array.from(sequence, (letter) => RESIDUE_LETTERS.indexOf(letter));
  const found = new Set<number>();
  for (const [seed, spread] of [[1, 0], [2, 0.05], [3, 0.2], [4, 0.5], [5, 2]]) {
    const noise = Key.fromSeed(seed).normal(atomPositions.length);
    const positions = Float32Array.from(atomPositions, (x, at) => x + spread * noise[at]);
    for (const residueIndex of [undefined, Int32Array.from({ length: n }, (_, i) => i + 10 * Number(i > 11))]) {
      const own = structureViolations({ sequence, positions, mask: atomMask, residueIndex });
      using _scope = device.scope("violations");
      const places = Float32Array.from({ length: n * ATOM14_SLOTS * 3 }, (_, k) => {
        const i = Math.floor(k / 3 / ATOM14_SLOTS), slot = Math.floor(k / 3) % ATOM14_SLOTS;
        return positions[3 * (i * ATOM_SLOTS + ATOM14_TO_ATOM37[aatype[i] * ATOM14_SLOTS + slot]) + k % 3];
      });
      const exists = Float32Array.from({ length: n * ATOM14_SLOTS }, (_, k) => {
        const at = ATOM14_TO_ATOM37[aatype[Math.floor(k / ATOM14_SLOTS)] * ATOM14_SLOTS + k % ATOM14_SLOTS];
        return (at > 0 || k % ATOM14_SLOTS === 0) ? atomMask[Math.floor(k / ATOM14_SLOTS) * ATOM_SLOTS + at] : 0;
      });
      const index = residueIndex ?? Int32Array.from({ length: n }, (_, i) => i);
      const { bonds, clashes, within, perResidue } = structuralViolations(
        device.tensor(places, [1, n, ATOM14_SLOTS, 3]),
        {
          exists: device.tensor(exists, [1, n, ATOM14_SLOTS]),
          aatype: device.tensor(aatype, [1, n], "i32"),
          residueIndex: device.tensor(index, [1, n], "i32"),
        },
      );
      assert.deepEqual([...own.perResidue], [...await perResidue.read()], `noise of ${spread} Å`);
      const residues = async (perAtom: typeof perResidue) => {
        const atoms = await perAtom.read();
        return Array.from({ length: n }, (_, i) => atoms.slice(14 * i, 14 * i + 14).some((x) => x > 0)).filter((x) => x)
          .length;
      };
      assert.equal(own.bonds, (await bonds.perResidueViolation.read()).filter((x) => x > 0).length);
      assert.equal(own.clashes, await residues(clashes.perAtomViolation));
      assert.equal(own.within, await residues(within.perAtomViolation));
      found.add(own.perResidue.reduce((sum, x) => sum + x, 0));
    }
  }
  assert.ok(found.has(0) && found.size >= 4, `numbers of violating residues: ${[...found]}`);
});

Deno.test("structureViolations() of a broken bond, a clash, and what is not known", async () => {
  const { sequence, atomPositions, atomMask } = await finger();
  const moved = atomPositions.slice();
  for (let at = 3 * 12 * ATOM_SLOTS; at < moved.length; at += 3) moved[at] += 3; // the chain breaks before residue 12
  const broken = structureViolations({ sequence, positions: moved, mask: atomMask });
  assert.deepEqual([broken.perResidue[11], broken.perResidue[12]], [1, 1]);
  const onTop = atomPositions.slice();
  onTop.set(atomPositions.subarray(3 * (2 * ATOM_SLOTS + 3), 3 * (2 * ATOM_SLOTS + 4)), 3 * (20 * ATOM_SLOTS + 3));
  assert.deepEqual(
    [2, 20].map((i) => structureViolations({ sequence, positions: onTop, mask: atomMask }).perResidue[i]),
    [1, 1],
  );
  const none = structureViolations({
    sequence: "XX",
    positions: new Float32Array(2 * 111),
    mask: new Float32Array(74).fill(1),
  });
  assert.deepEqual(none, { perResidue: Uint8Array.of(0, 0), bonds: 0, clashes: 0, within: 0 });
});
