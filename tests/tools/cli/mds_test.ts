import assert from "node:assert/strict";
import { pairwiseDistances } from "../../../model/protein/metrics/mod.ts";
import { encodeNpy, parseNpy } from "../../../model/weights/npy.ts";
import { encodeSafetensors } from "../../../model/weights/safetensors.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { pseudoBeta } from "../../../tools/data/structure.ts";
import { denofoldInProcess } from "../fold/_in_process.ts";
import { denofold } from "./_run.ts";
import { FINGERS, fingers, member } from "../fold/_fingers.ts";

const TRUTH = `${FINGERS}1sp1.cif`;

/** A folder with the distances of 1sp1 in each format. */
async function folderOfDistances(): Promise<{ folder: string; n: number; sequence: string }> {
  const folder = await Deno.makeTempDir();
  const { chain } = member(await fingers(), "1sp1");
  const data = Float32Array.from(pairwiseDistances(pseudoBeta(chain).positions));
  const n = chain.sequence.length;
  const array = { dtype: "F32", shape: [n, n], data } as const;
  await Deno.writeFile(`${folder}/d.npy`, encodeNpy(array));
  await Deno.writeFile(`${folder}/d.safetensors`, encodeSafetensors(new Map([["distances", array]]), {}));
  const rows = Array.from({ length: n }, (_, i) => data.subarray(i * n, (i + 1) * n).join(","));
  await Deno.writeTextFile(`${folder}/d.csv`, `${rows.join("\n")}\n`);
  await Deno.writeTextFile(`${folder}/w.csv`, `${rows.map(() => new Array(n).fill(1).join(",")).join("\n")}\n`);
  await Deno.writeTextFile(`${folder}/s.fasta`, `>1sp1\n${chain.sequence}\n`);
  return { folder, n, sequence: chain.sequence };
}

Deno.test("denofold mds finds a structure from .npy, .csv and .safetensors", async () => {
  const { folder, n, sequence } = await folderOfDistances();
  const text = await denofold("mds", `${folder}/d.npy`, "--truth", TRUTH, "--out", `${folder}/out`, "--starts", "1");
  assert.equal(text.code, 0, text.stderr);
  for (const name of ["d.cif", "d.pdb", "d_coordinates.npy", "d_metrics.json"]) {
    assert(text.stdout.includes(`${folder}/out/${name}`), name);
    assert((await Deno.stat(`${folder}/out/${name}`)).size > 0);
  }
  assert.match(text.stdout, /stress-1 0\.00/);
  assert.match(text.stdout, /lDDT/);

  for (const input of ["d.csv", "d.safetensors"]) {
    const out = `${folder}/${input}.cif`;
    const flags = ["--fasta", `${folder}/s.fasta`, "--weights", `${folder}/w.csv`, "--starts", "1", "--json"];
    const { code, stdout, stderr } = await denofold("mds", `${folder}/${input}`, ...flags, "--out", out);
    assert.equal(code, 0, stderr);
    const result = JSON.parse(stdout);
    assert.deepEqual(result.files, [out]);
    assert(result.stress1 < 5e-3 && result.runs.length === 2 && result.components === 1);
    assert(result.mirror.handedness > 0 && result.sequence === sequence);
    const { chains: [chain] } = await readStructure(out);
    assert.equal(chain.sequence, sequence);
    assert.equal(chain.sequence.length, n);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("denofold mds takes C-alpha distances and the other mirror image, and writes the files asked for", async () => {
  const { folder, n } = await folderOfDistances();
  const run = async (mirror: string) => {
    const out = `${folder}/${mirror}.npy`;
    const flags = ["--atoms", "alpha", "--mirror", mirror, "--starts", "0", "--out", out];
    const { code, stderr } = await denofold("mds", `${folder}/d.npy`, ...flags);
    assert.equal(code, 0, stderr);
    return parseNpy(await Deno.readFile(out), out);
  };
  const [keep, flip] = [await run("keep"), await run("flip")];
  assert.deepEqual(keep.shape, [n, 3]);
  keep.data.forEach((x, k) => assert(Number(flip.data[k]) === (k % 3 === 2 ? -Number(x) : Number(x)), `number ${k}`));
  await Deno.remove(folder, { recursive: true });
});

Deno.test("denofold mds refuses bad input in one line and writes nothing", async () => {
  const { folder } = await folderOfDistances();
  await Deno.writeTextFile(`${folder}/empty.csv`, "");
  await Deno.writeTextFile(`${folder}/skew.csv`, "0,1\n2,0\n");
  await Deno.writeTextFile(`${folder}/wide.csv`, "0,1,2,3\n1,0,2,3\n");
  await Deno.writeTextFile(`${folder}/word.csv`, "0,1\nx,0\n");
  await Deno.writeTextFile(`${folder}/one.csv`, "0\n");
  await Deno.writeTextFile(`${folder}/two.csv`, "0,3\n3,0\n");
  await Deno.writeTextFile(`${folder}/minus.csv`, "1,-3\n-3,1\n");
  await Deno.writeFile(`${folder}/cut.npy`, (await Deno.readFile(`${folder}/d.npy`)).subarray(0, 300));
  const before = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  const cases: [string[], RegExp][] = [
    [["missing.npy"], /Cannot read .*missing\.npy: there is no such file/],
    [["empty.csv"], /empty\.csv is empty/],
    [["skew.csv"], /row 1, column 2 is 1 but row 2, column 1 is 2/],
    [["wide.csv"], /row 1 has 4 numbers, expected 2/],
    [["word.csv"], /row 2, column 1 is "x", expected a number/],
    [["one.csv"], /has 1 point, expected at least 2/],
    [["cut.npy"], /cut short/],
    [["d.npy", "--sequence", "ACD"], /The sequence has 3 residues, but .*d\.npy has distances of 29 points/],
    [
      ["d.npy", "--truth", `${FINGERS}1znf.cif`],
      /Chain A of .*1znf\.cif has 25 residues, but .*d\.npy has distances of 29/,
    ],
    [["d.npy", "--truth", `${TRUTH}:Q`], /has no protein chain Q/],
    [["d.npy", "--weights", `${folder}/two.csv`], /two\.csv has shape \[2, 2\], expected \[29, 29\]/],
    [["two.csv", "--weights", `${folder}/minus.csv`], /row 1, column 2 is -3, expected a finite weight/],
    [["d.safetensors", "--tensor", "x"], /has no tensor "x"/],
  ];
  const wrong: [string[], RegExp][] = [
    [["--out", "a.txt", "b.pdb"], /--out a\.txt does not end in/],
    [["--out", `${folder}/d.npy`], /would overwrite the input/],
    [["--out", "a.pdb", "b.pdb"], /two \.pdb files/],
    [["--sequence", "A1"], /--sequence has "1" at 2/],
    [["--mirror", "maybe"], /maybe/],
    [["--startz", "3"], /--starts/],
  ];
  for (const [[input, ...flags], message] of cases) {
    const args = ["mds", `${folder}/${input}`, ...flags, "--out", `${folder}/out`];
    const { code, stdout, stderr } = await denofoldInProcess(...args);
    assert.match(stderr, message);
    assert.equal(code, 1, stderr);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert(stderr.startsWith("denofold: ") && !stderr.includes("unexpected") && stdout === "", stderr);
  }
  for (const [flags, message] of wrong) {
    const { code, stdout, stderr } = await denofold("mds", `${folder}/d.npy`, ...flags);
    assert.match(stderr, message);
    assert.equal(code, 2, stderr);
    assert.equal(stdout, "");
  }
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), before);
  await Deno.remove(folder, { recursive: true });
});
