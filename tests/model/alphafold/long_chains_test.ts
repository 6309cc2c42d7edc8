/**
 * Chains so long that one invocation could not go along all atoms: lavapipe ends loops after 65,535 turns in silence. Few
 * atoms count, at both ends and where the way is cut, so that float64 is quick to say what is right.
 */
import assert from "node:assert/strict";
import { pullback, type Tensor } from "../../../core/mod.ts";
import {
  betweenResidueClashes,
  frameAlignedPointError,
  lddtCa,
  renamedGroundTruth,
} from "../../../model/alphafold/losses/mod.ts";
import { distance64, fapePair64, lddt64, renamingGain64 } from "../../../model/alphafold/losses/_probes.ts";
import { dot } from "../../../ops/_battery/frames.ts";
import { gradientOf } from "../../../ops/_battery/gradient.ts";
import { assertClose, gpuTest, randomArray } from "../../_gpu.ts";

const RESIDUES = 9000, ATOMS = 14 * RESIDUES, FRAMES = 8 * RESIDUES;

/** 1 for these, 0 for all others. */
function only(size: number, which: readonly number[]): Float32Array {
  const marks = new Float32Array(size);
  for (const i of which) marks[i] = 1;
  return marks;
}

/** Numbers of these, 0 for all others: what does not count need not be made up. */
function numbersOf(size: number, width: number, which: readonly number[], seed: number, scale = 1): Float32Array {
  const numbers = new Float32Array(size * width), few = randomArray(which.length * width, seed);
  which.forEach((i, k) => numbers.set(few.subarray(k * width, (k + 1) * width).map((x) => scale * x), i * width));
  return numbers;
}

const of = (x: ArrayLike<number>, width: number, i: number) =>
  Array.from({ length: width }, (_, c) => x[i * width + c]);

gpuTest(
  "FAPE of the side chains of 9,000 residues counts the last frames and atoms, there and back",
  async (device) => {
    const atoms = [0, 65_533, 65_534, 65_535, ATOMS - 1], groups = [0, 65_534, 65_535, FRAMES - 1];
    const frames = numbersOf(FRAMES, 12, groups, 1), points = numbersOf(ATOMS, 3, atoms, 2);
    const trueFrames = numbersOf(FRAMES, 12, groups, 3), truePoints = numbersOf(ATOMS, 3, atoms, 4);
    const inputs = {
      trueFrames: device.tensor(trueFrames, [1, FRAMES, 3, 4]),
      truePoints: device.tensor(truePoints, [1, ATOMS, 3]),
      frameMask: device.tensor(only(FRAMES, groups), [1, FRAMES]),
      pointMask: device.tensor(only(ATOMS, atoms), [1, ATOMS]),
    };
    const back = pullback(
      device,
      (own: { frames: Tensor; points: Tensor }) => frameAlignedPointError({ ...inputs, ...own }, { eps: 1e-3 }),
      { frames: device.tensor(frames, [1, FRAMES, 3, 4]), points: device.tensor(points, [1, ATOMS, 3]) },
    );
    const [dFrames, dPoints] = back.pullLeaves([device.tensor([1], [1])]);
    const settings = { clamped: 1, clampAt: 10, eps: 1e-3 };
    const count = (atoms.length + settings.eps) * (groups.length + settings.eps);
    const pairs = (f: number, p: number, frame = of(frames, 12, f), point = of(points, 3, p)) =>
      fapePair64([frame, point], [of(trueFrames, 12, f), of(truePoints, 3, p)], settings) / 10 / count;
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    assertClose(await back.output.read(), [sum(groups.flatMap((f) => atoms.map((p) => pairs(f, p))))], { rtol: 1e-5 });
    const [gotFrames, gotPoints] = [await dFrames!.read(), await dPoints!.read()];
    for (const f of groups) {
      const slope = gradientOf((x) => sum(atoms.map((p) => pairs(f, p, Array.from(x)))), of(frames, 12, f));
      assertClose(of(gotFrames, 12, f), slope, { rtol: 1e-4, atol: 1e-6 }, `frame ${f}`);
    }
    for (const p of atoms) {
      const slope = gradientOf((x) => sum(groups.map((f) => pairs(f, p, undefined, Array.from(x)))), of(points, 3, p));
      assertClose(of(gotPoints, 3, p), slope, { rtol: 1e-4, atol: 1e-6 }, `atom ${p}`);
    }
  },
);

gpuTest("clashes of 9,000 residues are found along the whole chain, there and back", async (device) => {
  const residues = [0, 4094, 4095, 4096, 8190, RESIDUES - 1], atoms = residues.map((i) => 14 * i + 7);
  const positions = numbersOf(ATOMS, 3, atoms, 1), d = numbersOf(ATOMS, 1, atoms, 2);
  const facts = {
    exists: device.tensor(only(ATOMS, atoms), [1, RESIDUES, 14]),
    residueIndex: device.tensor(Int32Array.from({ length: RESIDUES }, (_, i) => i), [1, RESIDUES], "i32"),
  };
  const radii = device.tensor(only(ATOMS, atoms).map((x) => 1.7 * x), [1, RESIDUES, 14]);
  const back = pullback(
    device,
    (positions: Tensor) => betweenResidueClashes(positions, radii, facts).perAtomLoss,
    device.tensor(positions, [1, RESIDUES, 14, 3]),
  );
  const [slopes] = back.pullLeaves([device.tensor(d, [1, RESIDUES, 14])]);
  const [loss, dPositions] = [await back.output.read(), await slopes!.read()];
  const overlaps = (i: number, place: ArrayLike<number>) =>
    atoms.map((j) => (i === j ? 0 : Math.max(0, 2 * 1.7 - 1.5 - distance64(place, of(positions, 3, j), 1e-10))));
  for (const i of atoms) {
    const own = of(positions, 3, i);
    assertClose([loss[i]], [overlaps(i, own).reduce((a, b) => a + b)], { rtol: 1e-5 }, `atom ${i}`);
    const weights = atoms.map((j) => d[i] + d[j]);
    assertClose(of(dPositions, 3, i), gradientOf((x) => dot(weights, overlaps(i, x)), own), { rtol: 1e-4, atol: 1e-5 });
  }
});

gpuTest("names of atoms in 9,000 residues are exchanged by what all of the chain says", async (device) => {
  const certain = [1, 65_533, 65_534, 65_535, ATOMS - 1],
    unsure = [7, 70_000, ATOMS - 3],
    all = [...certain, ...unsure];
  const inputs = {
    ...{ predicted: numbersOf(ATOMS, 3, all, 1, 5), expected: numbersOf(ATOMS, 3, all, 2, 5) },
    ...{ renamed: numbersOf(ATOMS, 3, all, 3, 5), exists: only(ATOMS, all), ambiguous: only(ATOMS, unsure) },
  };
  const gains = unsure.map((i) => renamingGain64(inputs, i, all));
  // What decides lies beyond the first part of the way, for one atom at least.
  const early = unsure.map((i) => renamingGain64(inputs, i, all.filter((j) => j < 65_534)));
  assert.ok(gains.some((gain, k) => gain < 0 !== early[k] < 0));
  const wide = (x: Float32Array) => device.tensor(x, [1, RESIDUES, 14, 3]);
  const [exists, ambiguous] = [inputs.exists, inputs.ambiguous].map((x) => device.tensor(x, [1, RESIDUES, 14]));
  const renamed = renamedGroundTruth(wide(inputs.predicted), {
    ...{ positions: wide(inputs.expected), altPositions: wide(inputs.renamed) },
    ...{ exists, altExists: exists, ambiguous },
  });
  const better = await renamed.altIsBetter.read();
  assert.deepEqual(unsure.map((i) => better[Math.floor(i / 14)]), gains.map((gain) => Number(gain < 0)));
});

gpuTest("lDDT of a chain longer than an invocation can go along counts all of it", async (device) => {
  const n = 70_000, known = [0, 1, 40_000, 65_533, 65_534, 65_535, n - 1];
  const inputs = {
    predicted: numbersOf(n, 3, known, 1, 6),
    expected: numbersOf(n, 3, known, 2, 6),
    mask: only(n, known),
  };
  const points = (x: Float32Array) => device.tensor(x, [1, n, 3]);
  const { scores, pairs } = lddtCa(
    points(inputs.predicted),
    points(inputs.expected),
    device.tensor(inputs.mask, [1, n]),
  );
  const [gotScores, gotPairs] = [await scores.read(), await pairs.read()];
  for (const i of known) {
    const { pairs, kept } = lddt64(inputs, i, known);
    assert.equal(gotPairs[i], pairs);
    assertClose([gotScores[i]], [kept / 4 / pairs]);
  }
});
