import assert from "node:assert/strict";
import { gdtHa, gdtTs } from "../../../../model/protein/metrics/gdt.ts";
import { applyMotion, kabsch } from "../../../../model/protein/metrics/kabsch.ts";
import { mirrorImage } from "../../../../model/distance_geometry/mirror.ts";
import { tmD0, tmD0Unbounded, tmScore, tmScoreAsPlaced } from "../../../../model/protein/metrics/tm_score.ts";
import { alignedPair, assertClose, Golden, Random, readTmFixture, rows, type TmCase } from "../_support.ts";
import { needing, programs } from "../../../_needs.ts";

const { structures, cases } = readTmFixture();

Deno.test("tmScore(), gdtTs() and gdtHa() equal the recorded numbers of the program TMscore", () => {
  assert.equal(cases.length, 236);
  for (const recorded of cases) {
    const { model, reference, length } = alignedPair(structures, recorded);
    const name = `${recorded.model} on ${recorded.reference}`;
    assert.equal(model.length / 3, recorded.pairs, name);
    const { score, d0, motion } = tmScore(model, reference, { length });
    assertClose([score], [recorded.tm], { atol: 0.0001 }, `${name}: TM-score`);
    assertClose([d0], [recorded.d0], { atol: 0.00501 }, `${name}: d0`);
    assertClose([gdtTs(model, reference, { length })], [recorded.gdtTs], { atol: 0.0001 }, `${name}: GDT-TS`);
    assertClose([gdtHa(model, reference, { length })], [recorded.gdtHa], { atol: 0.0001 }, `${name}: GDT-HA`);
    assertClose([kabsch(model, reference).rmsd], [recorded.rmsd], { atol: 0.001 }, `${name}: RMSD`);
    const placed = tmScoreAsPlaced(applyMotion(motion, model), reference, d0) * (recorded.pairs / length);
    assertClose([placed], [score], { atol: 1e-12 }, `${name}: the motion gives the score`);
  }
});

Deno.test(needing(programs("TMscore"), {
  name: "the recorded numbers are those of the installed program TMscore",
  async fn(t) {
    const folder = await Deno.makeTempDir();
    try {
      for (const recorded of cases.filter((_, k) => k % 29 === 0)) {
        await t.step(`${recorded.model} on ${recorded.reference}`, () => runProgram(folder, recorded));
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
}));

async function runProgram(folder: string, recorded: TmCase): Promise<void> {
  const write = (name: string, first: number) => {
    const points = structures.get(name === "model" ? recorded.model : recorded.reference)!;
    const lines = Array.from({ length: points.length / 3 }, (_, i) => {
      const xyz = Array.from(points.subarray(3 * i, 3 * i + 3), (x) => x.toFixed(3).padStart(8)).join("");
      return `ATOM  ${String(i + 1).padStart(5)}  CA  ALA A${String(i + first).padStart(4)}    ${xyz}  1.00  0.00`;
    });
    return Deno.writeTextFile(`${folder}/${name}.pdb`, lines.join("\n") + "\nTER\n");
  };
  await write("model", 1000 + recorded.offset);
  await write("reference", 1000);
  const { stdout } = await new Deno.Command("TMscore", { args: ["model.pdb", "reference.pdb"], cwd: folder }).output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(Number(/TM-score {4}=\s*([\d.]+)/.exec(text)?.[1]), recorded.tm);
  assert.equal(Number(/GDT-TS-score=\s*([\d.]+)/.exec(text)?.[1]), recorded.gdtTs);
}

Deno.test("tmScore() of the family's own structures is 1 and does not change with rigid motion", () => {
  const random = new Random(3);
  for (const name of ["1znf", "1sp1", "d1cih"]) {
    const structure = structures.get(name)!;
    const moved = applyMotion(random.motion(), structure);
    assertClose([tmScore(moved, structure).score], [1], { atol: 1e-9 }, name);
    const decoy = structure.map((x) => x + random.normal());
    const here = tmScore(decoy, structure).score;
    const there = tmScore(applyMotion(random.motion(), decoy), applyMotion(random.motion(), structure)).score;
    assertClose([there], [here], { atol: 1e-6 }, `${name}, moved`);
    assert(tmScore(mirrorImage(structure), structure).score < 0.55, `${name}: the mirror image is another structure`);
  }
});

Deno.test("tmScore() handles few pairs, masks and lengths", () => {
  const random = new Random(4);
  for (const n of [1, 2, 3, 4, 5]) {
    const cloud = random.cloud(n, 4);
    assertClose([tmScore(applyMotion(random.motion(), cloud), cloud).score], [1], { atol: 1e-9 }, `${n} points`);
    assertClose([tmScore(cloud, cloud, { length: 10 }).score], [n / 10], { atol: 1e-9 }, `${n} points of 10`);
  }
  const cloud = random.cloud(30, 8);
  const spoiled = cloud.slice();
  spoiled.fill(NaN, 12, 15);
  const mask = Array.from({ length: 30 }, (_, i) => i === 4 ? 0 : 1);
  assertClose([tmScore(spoiled, cloud, { mask }).score], [1], { atol: 1e-9 }, "masked NaN");
  assert.throws(() => tmScore(spoiled, cloud), RangeError);
  assert.throws(() => tmScore(cloud, cloud, { mask: new Uint8Array(30) }), RangeError);
  assert.throws(() => tmScore(cloud, cloud, { length: 0 }), RangeError);
  assert.throws(() => tmScore(cloud, cloud, { d0: -1 }), RangeError);
  assert.throws(() => tmScore(cloud, cloud.slice(3)), TypeError);
  const far = random.cloud(6, 1e5);
  assert(tmScore(far, random.cloud(6, 1e5)).score < 0.5, "distances far above every cutoff");
});

Deno.test("tmD0() is bounded below and tmD0Unbounded() is not", () => {
  assert.equal(tmD0(21), 0.5);
  assert(tmD0(22) > 0.5 && tmD0(22) < 0.6);
  assertClose([tmD0(1000)], [1.24 * 985 ** (1 / 3) - 1.8], { rtol: 1e-12 });
  assert.equal(tmD0Unbounded(15), -1.8);
  assert(tmD0Unbounded(9) < -1.8);
});

Deno.test("tmScoreAsPlaced() matches the golden values, negative d0 included", () => {
  const golden = Golden.fixture("luc_metrics");
  const { data: a, shape: [batch, , n] } = golden.get("in/A");
  const b = golden.data("in/B");
  const scores: number[] = [];
  const short: number[] = [];
  for (let k = 0; k < batch; k++) {
    const x = rows(a.slice(3 * n * k, 3 * n * (k + 1)));
    const y = rows(b.slice(3 * n * k, 3 * n * (k + 1)));
    scores.push(tmScoreAsPlaced(x, y, tmD0Unbounded(n)));
    short.push(tmScoreAsPlaced(x.slice(0, 27), y.slice(0, 27), tmD0Unbounded(9)));
  }
  assertClose(scores, golden.data("out/tmscore"), { rtol: 1e-5 }, "tmscore");
  assertClose(short, golden.data("out/tmscore_len9"), { rtol: 1e-5 }, "tmscore_len9");
});
