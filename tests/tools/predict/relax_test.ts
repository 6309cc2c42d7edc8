import assert from "node:assert/strict";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { Key } from "../../../core/mod.ts";
import { formatModelCif } from "../../../tools/data/write_modelcif.ts";
import { InputError } from "../../../tools/errors.ts";
import { findRelaxPython, relax } from "../../../tools/predict/relax.ts";
import { relaxFolder, violationMetrics } from "../../../tools/predict/relax_folder.ts";
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

Deno.test("violations before and after a relaxation stand under AlphaFold's names", async () => {
  const after = await finger();
  const [chain] = after.chains;
  const atomPositions = chain.atomPositions.slice();
  for (let at = 3 * 12 * 37; at < atomPositions.length; at += 3) atomPositions[at] += 3;
  const metrics = violationMetrics({ ...after, chains: [chain, { ...chain, atomPositions }] }, {
    ...after,
    chains: [chain],
  });
  const broken = metrics.initial_violations as number[];
  assert.deepEqual([broken.length, metrics.initial_violations_count], [50, broken.reduce((a, b) => a + b)]);
  assert.ok(broken.slice(0, 25).every((x) => x === 0) && broken[25 + 11] === 1 && broken[25 + 12] === 1);
  assert.deepEqual(metrics.remaining_violations, new Array(25).fill(0));
  assert.equal(metrics.remaining_violations_count, 0);
  assert.deepEqual(metrics.remaining_violations_by_kind, { bonds: 0, clashes: 0, within_residues: 0 });
});

Deno.test(needing(openmm, {
  name: "relaxFolder() writes energies and violations, and passes over what is relaxed",
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      const { chains: [chain], ...rest } = await finger();
      const noise = Key.fromSeed(1).normal(chain.atomPositions.length);
      const atomPositions = chain.atomPositions.map((x, at) =>
        x + 0.15 * noise[at] * chain.atomMask[Math.floor(at / 3)]
      );
      const cif = formatModelCif({ ...rest, chains: [{ ...chain, atomPositions }] }, { software: [] });
      await Deno.writeTextFile(`${folder}/unrelaxed_m_pred_0.cif`, cif);
      await Deno.writeTextFile(`${folder}/ranking_debug.json`, JSON.stringify({ order: ["m_pred_0"] }));
      await Deno.writeTextFile(`${folder}/timings.json`, JSON.stringify({ features: 1.5 }));
      assert.deepEqual(await relaxFolder(folder, { python, timeLimitSeconds: 300 }), ["m_pred_0"]);
      const timings = JSON.parse(await Deno.readTextFile(`${folder}/timings.json`));
      assert.deepEqual(Object.keys(timings), ["features", "relax_m_pred_0"]);
      assert.ok(timings.features === 1.5 && timings.relax_m_pred_0 > 0);
      const { m_pred_0: metrics } = JSON.parse(await Deno.readTextFile(`${folder}/relax_metrics.json`));
      assert.ok(metrics.energyAfter < metrics.energyBefore && metrics.seconds > 0);
      assert.ok(metrics.initial_violations_count > 0, "noise makes violations");
      assert.ok(metrics.remaining_violations_count < metrics.initial_violations_count);
      assert.equal(metrics.remaining_violations.length, chain.sequence.length);
      assert.deepEqual(await relaxFolder(folder, { python }), []);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
}));

Deno.test("a Python without OpenMM is refused with how to get it", async () => {
  await assert.rejects(
    findRelaxPython("no-such-python"),
    (error: Error) =>
      error instanceof InputError && /no program no-such-python; install python3-simtk/.test(error.message),
  );
});
