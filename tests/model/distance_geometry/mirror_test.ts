import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { applyMotion } from "../../../model/protein/metrics/kabsch.ts";
import { mds } from "../../../model/distance_geometry/mds.ts";
import {
  backbonePhi,
  chooseMirror,
  mirrorImage,
  mostNegativePhi,
  traceHandedness,
} from "../../../model/distance_geometry/mirror.ts";
import { pairwiseDistances } from "../../../model/protein/metrics/points.ts";
import { assertClose, Golden, Random, readTmFixture, rows } from "../protein/_support.ts";
import { need, needing } from "../../_needs.ts";

Deno.test("mostNegativePhi() picks the golden run among those of mds()", () => {
  const golden = Golden.fixture("luc_mds_fix_mirror");
  const n = golden.get("in/distances").shape[1];
  const inits = golden.data("in/init");
  const starts = Array.from({ length: 4 }, (_, k) => inits.slice(3 * n * k, 3 * n * (k + 1)));
  const result = mds(golden.data("in/distances"), n, { starts, classicalStart: false, iterations: 150, tolerance: 0 });
  const all = golden.data("out/all_mirror_coords");
  const phis = golden.data("out/phis");
  result.runs.forEach(({ points }, k) => {
    assertClose(points, rows(all.slice(3 * n * k, 3 * n * (k + 1))), { atol: 1e-4, rtol: 1e-4 }, `run ${k}`);
    const phi = backbonePhi(points);
    assertClose(phi, phis.slice(phi.length * k, phi.length * (k + 1)), { atol: 1e-4 }, `phi of run ${k}`);
    assert.equal(phi.filter((x) => x < 0).length, golden.data("out/negative_phi_counts")[k]);
    assertClose(
      pairwiseDistances(chooseMirror(points, { backbone: true }).points),
      pairwiseDistances(points),
      { atol: 1e-12 },
    );
    assert(backbonePhi(chooseMirror(points, { backbone: true }).points).every((x) => x < 0));
  });
  const chosen = mostNegativePhi(result.runs.map((run) => run.points));
  assert.equal(chosen, 0);
  assertClose(result.runs[chosen].points, rows(golden.data("out/coords")), { atol: 1e-4, rtol: 1e-4 });
});

Deno.test("backbonePhi() matches the golden angles", () => {
  const golden = Golden.fixture("luc_head_extras");
  const { data, shape: [batch, , n] } = golden.get("in/coords");
  const phis = golden.data("out/phis");
  const shares = golden.data("out/negative_phi_proportion");
  for (let b = 0; b < batch; b++) {
    const phi = backbonePhi(rows(data.slice(3 * n * b, 3 * n * (b + 1))));
    assertClose(phi, phis.slice(phi.length * b, phi.length * (b + 1)), { atol: 1e-4 });
    assertClose([phi.filter((x) => x < 0).length / phi.length], [shares[b]], { atol: 1e-6 });
  }
});

Deno.test("chooseMirror() rights every recorded real structure and its mirror image, and distorted ones", () => {
  const { structures } = readTmFixture();
  let checked = 0;
  for (const [name, trace] of structures) {
    if (/_mirror_|_first_5|_first_19_|_9$|noise_6|noise_3/.test(name)) continue;
    checked++;
    const kept = chooseMirror(trace);
    assert(!kept.mirrored && kept.basis === "trace" && kept.evidence > 0, `${name}: ${kept.evidence}`);
    const righted = chooseMirror(mirrorImage(trace));
    assert(righted.mirrored, name);
    assertClose(righted.points, trace, { atol: 0 }, name);
    assertClose([righted.evidence], [-kept.evidence], { atol: 1e-12 }, name);
  }
  assert(checked >= 29, `${checked} structures`);
});

Deno.test("chooseMirror() rights a structure that was found from its distances", () => {
  const { structures } = readTmFixture();
  const trace = structures.get("d1cih")!;
  const n = trace.length / 3;
  const random = new Random(61);
  for (let k = 0; k < 4; k++) {
    const { points } = mds(pairwiseDistances(trace), n, { starts: [random.cloud(n)], classicalStart: false });
    const chosen = chooseMirror(points);
    assertClose([traceHandedness(chosen.points)], [traceHandedness(trace)], { atol: 0.05 });
  }
});

Deno.test("traceHandedness() of ideal helices and strands, and its symmetries", () => {
  const spiral = (radius: number, turn: number, rise: number) =>
    Float64Array.from({ length: 60 }, (_, k) => {
      const i = Math.floor(k / 3);
      return [radius * Math.cos(turn * i), radius * Math.sin(turn * i), rise * i][k % 3];
    });
  const helix = spiral(2.3, (100 * Math.PI) / 180, 1.5);
  assert(traceHandedness(helix) > 0.7 && traceHandedness(helix) < 0.8); // sin 50°
  assertClose([traceHandedness(mirrorImage(helix))], [-traceHandedness(helix)], { atol: 1e-12 });
  const random = new Random(62);
  assertClose([traceHandedness(applyMotion(random.motion(), helix))], [traceHandedness(helix)], { atol: 1e-9 });
  // a strand twists the other way; beside a helix it has nearly no say
  const strand = spiral(0.9, (-190 * Math.PI) / 180, 3.3);
  const joined = Float64Array.from([...helix.subarray(0, 30), ...strand.map((x, k) => x + [0, 0, 16][k % 3])]);
  assert(traceHandedness(joined) > 0.3);
});

Deno.test("chooseMirror() without evidence keeps the points; chain breaks are left out", () => {
  for (const points of [new Float64Array(0), new Random(63).cloud(3), new Float64Array(30)]) {
    const kept = chooseMirror(points);
    assert.deepEqual([kept.mirrored, kept.evidence], [false, 0]);
    assert.deepEqual(kept.points, points);
  }
  const cloud = new Random(64).cloud(8, 3);
  assert.equal(traceHandedness(cloud, [1, 2, 3, 10, 11, 12, 20, 21]), 0);
  assert.notEqual(traceHandedness(cloud, [1, 2, 3, 4, 11, 12, 20, 21]), 0);
  const backbone = new Random(65).cloud(9, 3);
  assert.deepEqual([...backbonePhi(backbone, [1, 2, 9])].map(Number.isNaN), [false, true]);
  assert.equal(chooseMirror(backbone, { backbone: true, residueIndex: [1, 5, 9] }).evidence, 0);
  assert.throws(() => backbonePhi(cloud), { name: "TypeError", message: /8 points/ });
  assert.throws(() => traceHandedness(cloud, [1]), TypeError);
  assert.throws(() => mostNegativePhi([]), RangeError);
});

/** Where Debian's packages mustang-testdata and theseus-examples put their structures. */
const PACKAGES = ["/usr/share/doc/mustang-testdata/examples/pdbs", "/usr/share/doc/theseus/examples"];
const STRUCTURES = need(
  "programs",
  PACKAGES.some((folder) => existsSync(folder)),
  "neither mustang-testdata nor theseus-examples is installed",
);

Deno.test(needing(STRUCTURES, {
  name: "chooseMirror() is right for every chain of the structure packages, by trace and by phi",
  fn: everyPackagedChain,
}));

async function everyPackagedChain(): Promise<void> {
  let chains = 0;
  for await (const { name, residues } of packagedChains()) {
    const trace = Float64Array.from(residues.flatMap(({ CA }) => CA ?? []));
    assert(!chooseMirror(trace).mirrored, `${name} by trace`);
    assert(chooseMirror(mirrorImage(trace)).mirrored, `${name} mirrored, by trace`);
    const atoms = residues.flatMap(({ N, CA, C }) => N && CA && C ? [N, CA, C] : []).flat();
    const residueIndex = residues.flatMap(({ N, CA, C, number }) => N && CA && C ? [number] : []);
    if (residueIndex.length > 1) {
      const choice = chooseMirror(Float64Array.from(atoms), { backbone: true, residueIndex });
      assert(choice.basis === "phi" && choice.evidence >= 0.6, `${name} by phi: ${choice.evidence}`);
    }
    chains++;
  }
  assert(chains > 0);
}

type Atoms = Partial<Record<"N" | "CA" | "C", number[]>>;

interface Chain {
  name: string;
  residues: (Atoms & { number: number })[];
}

/** Chains of 10 or more residues of the first model of each PDB file in the two packages. */
async function* packagedChains(): AsyncGenerator<Chain> {
  const open = [...PACKAGES];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    let entries: Deno.DirEntry[];
    try {
      entries = Array.from(Deno.readDirSync(folder));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      throw error;
    }
    for (const entry of entries) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) open.push(path);
      if (!entry.isFile || !/\.pdb(\.gz)?$/.test(entry.name)) continue;
      const file = new Blob([await Deno.readFile(path)]).stream();
      const text = await new Response(
        path.endsWith(".gz") ? file.pipeThrough(new DecompressionStream("gzip")) : file,
      ).text();
      yield* chainsOf(entry.name, text);
    }
  }
}

function chainsOf(file: string, text: string): Chain[] {
  const chains = new Map<string, Map<string, Atoms & { number: number }>>();
  for (const line of text.split("\n")) {
    if (line.startsWith("ENDMDL")) break;
    const modified = line.startsWith("HETATM") && line.slice(17, 20) === "MSE";
    if (!(line.startsWith("ATOM") || modified) || !" A".includes(line[16])) continue;
    const atom = line.slice(12, 16);
    const key = atom === " CA " ? "CA" : atom === " N  " ? "N" : atom === " C  " ? "C" : undefined;
    if (!key) continue;
    const chain = chains.get(line[21]) ?? new Map<string, Atoms & { number: number }>();
    chains.set(line[21], chain);
    const residue = chain.get(line.slice(22, 27)) ?? { number: Number(line.slice(22, 26)) };
    chain.set(line.slice(22, 27), residue);
    residue[key] ??= [30, 38, 46].map((column) => Number(line.slice(column, column + 8)));
  }
  return Array.from(chains, ([id, residues]) => ({
    name: `${file} chain ${id}`,
    residues: [...residues.values()].filter(({ CA }) => CA),
  })).filter(({ residues }) => residues.length >= 10);
}
