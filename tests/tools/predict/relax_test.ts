import assert from "node:assert/strict";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { InputError } from "../../../tools/errors.ts";
import { findRelaxPython, relax } from "../../../tools/predict/relax.ts";
import { need, needing } from "../../_needs.ts";

const python = await findRelaxPython().catch(() => undefined);
const openmm = need("openmm", python !== undefined, "no Python here has OpenMM and PDBFixer");
const finger = async () => {
  const { chains: [chain], ...structure } = await readStructure("examples/zinc_fingers/1znf.cif");
  return { ...structure, chains: [chain] };
};

Deno.test(needing(openmm, {
  name: "relax() lowers the energy, moves atoms little, and keeps names and B-factors",
  async fn() {
    const input = await finger();
    const { structure, energyBefore, energyAfter } = await relax(input, { python, timeLimitSeconds: 300 });
    assert(energyAfter < energyBefore);
    const [before] = input.chains, [after] = structure.chains;
    assert.equal(after.sequence, before.sequence);
    assert.deepEqual(after.residueNumbers, before.residueNumbers);
    let square = 0, count = 0;
    for (let at = 0; at < before.atomMask.length; at++) {
      if (!before.atomMask[at]) continue;
      assert.equal(after.atomMask[at], 1);
      assert.equal(after.bFactors[at], before.bFactors[at]);
      for (let k = 0; k < 3; k++) square += (after.atomPositions[3 * at + k] - before.atomPositions[3 * at + k]) ** 2;
      count++;
    }
    const moved = Math.sqrt(square / count);
    assert(moved > 0.001 && moved < 1, `atoms moved ${moved} Å`);
  },
}));

Deno.test(needing(openmm, {
  name: "relax() is ended at its time limit, and says so",
  async fn() {
    await assert.rejects(
      relax(await finger(), { python, timeLimitSeconds: 0.2 }),
      /took more than 0\.2 s and was ended/,
    );
  },
}));

Deno.test("a Python without OpenMM is refused with how to get it", async () => {
  await assert.rejects(
    findRelaxPython("no-such-python"),
    (error: Error) =>
      error instanceof InputError && /no program no-such-python; install python3-simtk/.test(error.message),
  );
});
