import assert from "node:assert/strict";
import { mirrorImage } from "../../../model/distance_geometry/mod.ts";
import { kabsch, lddt, pairwiseDistances } from "../../../model/protein/metrics/mod.ts";
import { distanceTarget } from "../../../tools/data/family.ts";
import { alphaCarbons, pseudoBeta } from "../../../tools/data/structure.ts";
import { evaluateFold } from "../../../tools/fold/evaluate.ts";
import { foldDistances } from "../../../tools/fold/fold.ts";
import { gpuTest } from "../../_gpu.ts";
import { fingers, member, noisy } from "./_fingers.ts";

Deno.test("foldDistances() finds a structure from its exact distances, and its hand", async () => {
  const { chain } = member(await fingers(), "1znf");
  const betas = pseudoBeta(chain);
  for (const image of [betas.positions, Float32Array.from(mirrorImage(betas.positions))]) {
    const fold = await foldDistances({
      id: "1znf",
      sequence: chain.sequence,
      distances: pairwiseDistances(image),
      cap: Infinity,
      starts: 2,
    });
    assert(fold.stress1 < 2e-3, `stress ${fold.stress1}`);
    assert.equal(fold.runs.length, 3);
    assert.equal(fold.lowerBounds, 0);
    assert.equal(fold.components, 1);
    assert(fold.mirror.handedness > 0.2 && fold.mirror.handedness > fold.mirror.otherHandedness);
    const { values } = evaluateFold(fold, chain);
    assert(values.cbRmsd! < 0.05, `C-beta RMSD ${values.cbRmsd}`);
    assert(values.caRmsd! < 0.7, `C-alpha RMSD ${values.caRmsd}`);
    assert(values.meanDistanceError === 0 || values.meanDistanceError! < 1e-5);
  }
});

Deno.test("foldDistances() does without the distances beyond the cap", async () => {
  const { chain } = member(await fingers(), "2drp1"); // 34 residues, up to 27 Å
  const betas = pseudoBeta(chain);
  const n = chain.sequence.length;
  const distances = pairwiseDistances(betas.positions).map((d) => Math.min(d, 20));
  assert(distances.some((d) => d === 20));
  for (let i = 0; i < n; i++) { // the residue without C-beta lies where its neighbours' mean is
    if (betas.mask[i]) continue;
    for (let j = 0; j < n; j++) {
      const d = i === j ? 0 : 0.5 * (distances[(i - 1) * n + j] + distances[(i + 1) * n + j]);
      distances[i * n + j] = distances[j * n + i] = d;
    }
  }
  const fold = await foldDistances({ id: "2drp1", sequence: chain.sequence, distances, starts: 2 });
  const plain = await foldDistances({ id: "2drp1", sequence: chain.sequence, distances, cap: Infinity, starts: 2 });
  assert(fold.lowerBounds > 50);
  const good = evaluateFold(fold, chain).values.cbRmsd!;
  const bad = evaluateFold(plain, chain).values.cbRmsd!;
  assert(good < 0.7 && good < 0.5 * bad, `${good} Å, without bounds ${bad} Å`);
});

Deno.test("foldDistances() weights make it better for noisy distances", async () => {
  let weighted = 0;
  let equal = 0;
  for (const id of ["1znf", "1sp1", "1zaa1", "5znf"]) {
    const { chain } = member(await fingers(), id);
    const n = chain.sequence.length;
    const distances = noisy(distanceTarget(chain).distances, n, 5);
    const options = { id, sequence: chain.sequence, distances, starts: 2 };
    const score = async (weights?: Float32Array) => {
      const fold = await foldDistances({ ...options, weights });
      const truth = alphaCarbons(chain);
      return lddt(fold.alphas, truth.positions, { mask: truth.mask }).overall / 4;
    };
    weighted += await score();
    equal += await score(new Float32Array(n * n).fill(1));
  }
  assert(weighted > 0.85, `lDDT ${weighted}`);
  assert(weighted > equal - 0.01, `lDDT ${weighted}, with equal weights ${equal}`);
});

Deno.test("foldDistances() gives the same for the same seed, and takes the mirror image asked for", async () => {
  const { chain } = member(await fingers(), "1sp1");
  const distances = noisy(distanceTarget(chain).distances, chain.sequence.length, 3);
  const options = { id: "x", sequence: chain.sequence, distances, starts: 3 };
  const first = await foldDistances({ ...options, seed: 7 });
  const second = await foldDistances({ ...options, seed: 7 });
  assert.deepEqual(first, second);
  assert(first.mirror.handedness > first.mirror.otherHandedness);
  const keep = await foldDistances({ ...options, seed: 7, mirror: "keep" });
  const flip = await foldDistances({ ...options, seed: 7, mirror: "flip" });
  assert.deepEqual([keep.mirror.flipped, flip.mirror.flipped], [false, true]);
  assert.deepEqual(Float32Array.from(mirrorImage(keep.betas!)), flip.betas);
  assert.deepEqual(first.mirror.flipped ? flip.alphas : keep.alphas, first.alphas);
});

Deno.test("foldDistances() symmetrises, ignores the diagonal, and takes C-alpha distances as they are", async () => {
  const { chain } = member(await fingers(), "1paa");
  const n = chain.sequence.length;
  const { positions } = alphaCarbons(chain);
  const exact = pairwiseDistances(positions);
  const skewed = exact.map((d, k) => k % (n + 1) === 0 ? 9 : Math.floor(k / n) < k % n ? d + 0.3 : d - 0.3);
  const fold = await foldDistances({
    id: "1paa",
    sequence: chain.sequence,
    distances: skewed,
    cap: Infinity,
    atoms: "alpha",
  });
  fold.distances.forEach((d, k) => assert(Math.abs(d - exact[k]) < 1e-5, `distance ${k}`));
  assert.equal(fold.betas, undefined);
  assert(kabsch(fold.alphas, positions).rmsd < 0.05);
});

Deno.test("foldDistances() refuses what it cannot use", async () => {
  const distances = new Float32Array(9).fill(3);
  const options = { id: "x", sequence: "AAA", distances };
  await assert.rejects(foldDistances({ ...options, sequence: "A", distances: [0] }), RangeError);
  await assert.rejects(foldDistances({ ...options, sequence: "AA" }), TypeError);
  await assert.rejects(foldDistances({ ...options, weights: [1] }), TypeError);
  await assert.rejects(
    foldDistances({ ...options, distances: distances.map((d, k) => k === 1 ? NaN : d) }),
    RangeError,
  );
  await assert.rejects(foldDistances({ ...options, weights: distances.map(() => -1) }), RangeError);
});

gpuTest("foldDistances() on the device agrees with the processor", async (device) => {
  const { chain } = member(await fingers(), "1bbo");
  const distances = noisy(distanceTarget(chain).distances, chain.sequence.length, 11);
  const options = { id: "1bbo", sequence: chain.sequence, distances, starts: 3 };
  const here = await foldDistances(options);
  const there = await foldDistances({ ...options, device });
  assert(Math.abs(here.stress1 - there.stress1) < 1e-3, `${here.stress1} and ${there.stress1}`);
  assert(kabsch(there.betas!, here.betas!).rmsd < 0.01);
  assert(kabsch(there.alphas, here.alphas).rmsd < 0.01);
});
