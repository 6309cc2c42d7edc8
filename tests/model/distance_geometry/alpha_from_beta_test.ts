import assert from "node:assert/strict";
import { alphaFromBeta } from "../../../model/distance_geometry/alpha_from_beta.ts";
import { applyMotion } from "../../../model/protein/metrics/kabsch.ts";
import { mirrorImage, traceHandedness } from "../../../model/distance_geometry/mirror.ts";
import { rmsd } from "../../../model/protein/metrics/rmsd.ts";
import { alphaCarbons, pseudoBeta, type Structure } from "../../../tools/data/structure.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";

const FOLDER = new URL("../../../examples/zinc_fingers/", import.meta.url).pathname;

/** The example chains whose residues all have C-alpha and C-beta. */
async function completeFingers(): Promise<
  { id: string; glycine: number[]; alphas: Float32Array; betas: Float32Array }[]
> {
  const names = [...Deno.readDirSync(FOLDER)].map(({ name }) => name).filter((name) => name.endsWith(".cif")).sort();
  const structures: Structure[] = await Promise.all(names.map((name) => readStructure(FOLDER + name)));
  return structures.flatMap(({ id, chains: [chain] }) => {
    const alphas = alphaCarbons(chain);
    const betas = pseudoBeta(chain);
    if (alphas.mask.includes(0) || betas.mask.includes(0)) return [];
    const glycine = Array.from(chain.sequence, (letter) => letter === "G" ? 1 : 0);
    return [{ id, glycine, alphas: alphas.positions, betas: betas.positions }];
  });
}

Deno.test("alphaFromBeta() finds the C-alphas of the example structures", async () => {
  const fingers = await completeFingers();
  assert.equal(fingers.length, 13);
  let sum = 0;
  for (const { id, glycine, alphas, betas } of fingers) {
    const error = rmsd(alphaFromBeta(betas, { glycine }).points, alphas);
    assert(error < 0.75, `${id}: ${error} Å`);
    sum += error;
  }
  assert(sum / fingers.length < 0.43, `mean error ${sum / fingers.length} Å`);
});

Deno.test("alphaFromBeta() makes the true image the more right-handed one", async () => {
  for (const { id, glycine, betas } of await completeFingers()) {
    const kept = traceHandedness(alphaFromBeta(betas, { glycine }).points);
    const mirrored = traceHandedness(alphaFromBeta(mirrorImage(betas), { glycine }).points);
    assert(kept > mirrored, `${id}: ${kept} and ${mirrored}`);
  }
});

Deno.test("alphaFromBeta() moves with its input and keeps bonds and steps", async () => {
  const [{ glycine, betas }] = await completeFingers();
  const { points, energy } = alphaFromBeta(betas, { glycine });
  const motion = { rotation: Float64Array.of(0, -1, 0, 1, 0, 0, 0, 0, 1), translation: Float64Array.of(5, -6, 70) };
  const moved = alphaFromBeta(applyMotion(motion, betas), { glycine });
  assert(rmsd(moved.points, applyMotion(motion, points)) < 1e-6);
  assert(Math.abs(moved.energy - energy) < 1e-9);
  const n = points.length / 3;
  for (let i = 0; i < n; i++) {
    const bond = distance(points, i, betas, i);
    assert(glycine[i] ? bond < 0.8 : Math.abs(bond - 1.53) < 0.6, `bond of residue ${i}: ${bond} Å`);
    if (i > 0) assert(Math.abs(distance(points, i, points, i - 1) - 3.8) < 0.4, `step to residue ${i}`);
  }
});

Deno.test("alphaFromBeta() takes any number of residues, and coinciding ones", () => {
  for (const n of [1, 2, 3, 5]) {
    const betas = Float64Array.from({ length: 3 * n }, (_, k) => k % 3 === 0 ? 3.5 * Math.floor(k / 3) : Math.sin(k));
    assert(alphaFromBeta(betas).points.every(Number.isFinite), `${n} residues`);
    assert(alphaFromBeta(new Float64Array(3 * n)).points.every(Number.isFinite), `${n} residues in one place`);
  }
  const glycines = Float64Array.of(0, 0, 0, 3.8, 0, 0);
  assert(rmsd(alphaFromBeta(glycines, { glycine: [1, 1] }).points, glycines) < 1e-9);
});

Deno.test("alphaFromBeta() refuses what it cannot use", () => {
  assert.throws(() => alphaFromBeta(new Float64Array(4)), TypeError);
  assert.throws(() => alphaFromBeta(new Float64Array(0)), RangeError);
  assert.throws(() => alphaFromBeta(Float64Array.of(0, NaN, 0)), RangeError);
  assert.throws(() => alphaFromBeta(new Float64Array(6), { glycine: [1] }), TypeError);
});

function distance(a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number): number {
  return Math.hypot(a[3 * i] - b[3 * j], a[3 * i + 1] - b[3 * j + 1], a[3 * i + 2] - b[3 * j + 2]);
}
