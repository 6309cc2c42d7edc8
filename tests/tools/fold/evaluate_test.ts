import assert from "node:assert/strict";
import { mirrorImage } from "../../../model/distance_geometry/mod.ts";
import { pairwiseDistances } from "../../../model/protein/metrics/mod.ts";
import { distanceTarget } from "../../../tools/data/family.ts";
import { alphaCarbons, pseudoBeta } from "../../../tools/data/structure.ts";
import { InputError } from "../../../tools/errors.ts";
import { evaluateFold } from "../../../tools/fold/evaluate.ts";
import { type Fold, foldDistances } from "../../../tools/fold/fold.ts";
import { STANDARD_METRICS } from "../../../tools/report/report_data.ts";
import { fingers, member } from "./_fingers.ts";

/** A fold that has the true coordinates, turned and moved, and distances that are all wrong by the same amount. */
async function perfect(id: string, wrongBy = 0): Promise<Fold> {
  const { chain } = member(await fingers(), id);
  const turned = (p: Float32Array) => p.map((_, k) => [-p[k - k % 3 + 1] + 4, p[k - k % 3] - 3, p[k]][k % 3]);
  const betas = pseudoBeta(chain).positions;
  const n = chain.sequence.length;
  const fold = await foldDistances({
    id,
    sequence: chain.sequence,
    distances: new Float32Array(n * n).fill(5),
    starts: 0,
    iterations: 1,
  });
  return {
    ...fold,
    alphas: turned(alphaCarbons(chain).positions),
    betas: turned(betas),
    distances: Float32Array.from(pairwiseDistances(betas), (d, k) => k % (n + 1) === 0 ? 0 : d + wrongBy),
  };
}

Deno.test("evaluateFold() finds no fault with the truth, turned and moved", async () => {
  for (const id of ["1znf", "2drp1", "2drp2"]) { // the last two lack C-betas
    const { chain } = member(await fingers(), id);
    const { values, alphas, residues } = evaluateFold(await perfect(id), chain);
    assert.deepEqual(Object.keys(values).sort(), STANDARD_METRICS.map(({ name }) => name).sort());
    assert.equal(residues, chain.sequence.length);
    for (const name of ["caRmsd", "cbRmsd", "meanDistanceError"]) assert(values[name]! < 1e-5, `${id} ${name}`);
    for (const name of ["lddt", "tmScore", "gdtTs", "gdtHa"]) assert(values[name]! > 0.99999, `${id} ${name}`);
    const truth = alphaCarbons(chain).positions;
    alphas.forEach((x, k) => assert(Math.abs(x - truth[k]) < 1e-4, `${id} coordinate ${k}`));
  }
});

Deno.test("evaluateFold() compares clamped distances of the pairs that have both atoms", async () => {
  const id = "2drp1";
  const { chain } = member(await fingers(), id);
  const fold = await perfect(id, 0.5);
  const { distances, mask } = distanceTarget(chain, 20);
  const n = chain.sequence.length;
  let sum = 0;
  let count = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      if (!mask[i * n + j]) continue;
      sum += Math.min(20, fold.distances[i * n + j]) - distances[i * n + j];
      count++;
    }
  }
  assert.equal(count, 33 * 32 / 2);
  const { meanDistanceError } = evaluateFold(fold, chain).values;
  assert(Math.abs(meanDistanceError! - sum / count) < 1e-6);
  assert(meanDistanceError! < 0.5 && meanDistanceError! > 0.3);
});

Deno.test("evaluateFold() leaves out atoms that the true structure lacks", async () => {
  const { chain } = member(await fingers(), "1znf");
  const fold = await perfect("1znf");
  const atomMask = chain.atomMask.map((there, at) => Math.floor(at / 37) === 3 ? 0 : there);
  const far = { ...fold, alphas: fold.alphas.map((x, k) => Math.floor(k / 3) === 3 ? x + 500 : x) };
  const { values, residues } = evaluateFold(far, { ...chain, atomMask });
  assert.equal(residues, chain.sequence.length - 1);
  assert(values.caRmsd! < 1e-5 && values.tmScore! > 0.99999 && values.lddt! > 0.99999);
  assert(evaluateFold(far, chain).values.caRmsd! > 100);
});

Deno.test("evaluateFold() tells the mirror image from the truth", async () => {
  const { chain } = member(await fingers(), "1sp1");
  const fold = await perfect("1sp1");
  const wrong = { ...fold, alphas: Float32Array.from(mirrorImage(fold.alphas)) };
  const { values } = evaluateFold(wrong, chain);
  assert(values.caRmsd! > 3 && values.lddt! > 0.99999);
});

Deno.test("evaluateFold() refuses another sequence", async () => {
  const family = await fingers();
  const { chain } = member(family, "1sp1");
  const fold = await perfect("1sp1");
  assert.throws(
    () => evaluateFold(fold, member(family, "1znf").chain),
    (error: Error) => error instanceof InputError && /29 residues, the chain 25/.test(error.message),
  );
  const other = { ...fold, sequence: `W${fold.sequence.slice(1)}` };
  assert.throws(
    () => evaluateFold(other, chain),
    (error: Error) => error instanceof InputError && /residue 1 is W in 1sp1, K in the chain/.test(error.message),
  );
  assert(evaluateFold({ ...fold, sequence: `X${fold.sequence.slice(1)}` }, chain).values.caRmsd! < 1e-5);
});
