/// <reference lib="dom" />
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { encodeNpy } from "../../../model/weights/npy.ts";
import { encodeSafetensors } from "../../../model/weights/safetensors.ts";
import { encodeCheckpoint } from "../../../finetune/mod.ts";
import { InputError } from "../../../tools/errors.ts";
import { inspectionPage } from "../../../tools/inspect/html.ts";
import { inspectFile } from "../../../tools/inspect/inspect.ts";
import { type Inspection, inspectionJson, inspectionText } from "../../../tools/inspect/inspection.ts";
import { encodePng } from "../../../tools/pictures/png.ts";
import { encodeFeatureFile } from "../../../tools/prep/feature_file.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { findChromium, startChromium, watchPage } from "../../_chromium.ts";
import { denofold } from "../cli/_run.ts";
import { CIF_TEXT } from "../data/_structures.ts";
import { familyOf, FINGERS, withFiles } from "../prep/_inputs.ts";
import { needing } from "../../_needs.ts";

const ARTIFACTS = fileURLToPath(new URL("../../artifacts/", import.meta.url));

const HIT = `Query         query
Match_columns 6

No 1
>1ABC_A some protein
Probab=99.10  E-value=1e-5  Score=20.50  Aligned_cols=6  Identities=50%  Similarity=0.9  Sum_probs=5.5

Q query             1 ACDEFG    6 (6)
Q Consensus         1 acdefg    6 (6)
T 1ABC_A            2 ACDEFG    7 (9)
T Consensus         2 acdefg    7 (9)
`;

/** A fact's value. */
function fact({ facts }: Inspection, key: string): string | number | undefined {
  return facts.find((fact) => fact.key === key)?.value;
}

function rows({ tables }: Inspection, key: string): readonly (readonly unknown[])[] {
  return tables.find((table) => table.key === key)?.rows ?? [];
}

Deno.test("inspectFile() tells what a structure holds, with its contact map", () =>
  withFiles({ "x.cif": CIF_TEXT }, async (folder) => {
    const found = await inspectFile(join(folder, "x.cif"), { maps: true });
    assert.deepEqual(
      ["id", "title", "resolutionAngstrom", "releaseDate", "models", "proteinChains"].map((key) => fact(found, key)),
      ["TEST", 'A test; with "quotes"', 1.75, "2012-03-04", 2, 1],
    );
    const keys = [...found.facts, ...found.tables, ...found.maps].map(({ key }) => key);
    assert.equal(new Set(keys).size, keys.length, "each has a place of its own in the JSON");
    assert.deepEqual(rows(found, "heteroGroups"), [["CA", 1, 1, "X 20"]]);
    const second = await inspectFile(join(folder, "x.cif"), { model: 2 });
    assert.deepEqual(rows(second, "chains").map((row) => row.slice(0, 6)), [["X", "A", 5, 1, 1, 1]]);
    assert.deepEqual(rows(found, "chains").map((row) => row.slice(0, 7)), [["X", "A", 5, 4, 1, 7, "10-13"]]);
    assert.match(found.warnings[0], /^residues with names that are not known, kept as X: 1$/);
    const [{ values, sequence }] = found.maps;
    assert.equal(sequence, "GMSWX");
    assert.equal(values[0 * 5 + 0], 0);
    assert(Number.isNaN(values[3 * 5 + 0]), "W was not observed");
    const text = inspectionText(found);
    assert.match(text, /Resolution \(Å\) {2}1\.75/);
    assert.match(text, /^X {6}A {13}5 {9}4/m);
    await assert.rejects(
      () => inspectFile(join(folder, "x.cif"), { maps: true, chain: "Q" }),
      /has no protein chain Q/,
    );
  }));

Deno.test("inspectFile() tells what alignments hold, as text and as JSON", async () => {
  const found = await inspectFile(join(FINGERS, "zinc_fingers.a3m"), { maps: true });
  assert.deepEqual(["query", "rows", "columns", "sequences"].map((key) => fact(found, key)), ["1ard", 15, 29, 15]);
  assert.match(found.warnings[0], /15 distinct rows: with fewer than 30/);
  assert.equal(rows(found, "topPairs").length, 20);
  assert.equal(found.columns?.conservation?.length, 29);
  const best = Array.from(found.columns.conservation, (x, i) => ({ x, i })).sort((a, b) => b.x - a.x).slice(0, 4);
  assert.deepEqual(best.map(({ i }) => found.columns?.sequence[i]).sort().join(""), "CCHH", "the zinc's ligands");
  const json = JSON.parse(JSON.stringify(inspectionJson(found)));
  assert.deepEqual([json.kind, json.neff80, json.columns.coverage.length], ["alignment", fact(found, "neff80"), 29]);
  assert.deepEqual([json.coevolution.length, json.coevolution[3].length, json.coevolution[3][3]], [29, 29, null]);
  assert.match(inspectionText(found), /^[▁▂▃▄▅▆▇█]{29}$/m);
  const plain = await inspectFile(join(FINGERS, "zinc_fingers.a3m"));
  assert.deepEqual([plain.maps.length, plain.columns?.conservation, plain.tables.length], [0, undefined, 0]);
});

Deno.test("inspectFile() tells what tables, sequences, hits, arrays and manifests hold, and refuses what it does not know", () =>
  withFiles({
    "t.csv": "id,affinity\na,1.5\nb,\nc,x\n",
    "INDEX_refined": "2tpi  2.10  1982  Kd=49uM  // 2tpi.pdf (2-mer)\n4cts  2.90  1984  Kd<10uM  // 4cts.pdf (OAA)\n",
    "s.fasta": ">a\nACD\n>b\nmk:V*\n",
    "g.fasta": ">a\nACD\n>b\nA-D\n",
    "h.hhr": HIT,
    "n.npy": encodeNpy({ dtype: "F32", shape: [2, 2], data: Float32Array.of(1, 2, NaN, 5) }),
    "o.safetensors": encodeSafetensors(
      new Map([["w", { dtype: "I32", shape: [2], data: Int32Array.of(-3, 7) }]]),
      { maker: "x" },
    ),
    "none/manifest.jsonl": '{"id":',
    "manifest.jsonl":
      '{"id":"a","status":"ok","bytes":5,"warnings":["few rows"]}\n{"id":"b","status":"failed","error":"no"}\n',
    "x.what": "?",
    "broken.safetensors": new Uint8Array(9),
  }, async (folder) => {
    const inspect = (name: string) => inspectFile(join(folder, name));
    const table = await inspect("t.csv");
    assert.deepEqual(rows(table, "columns"), [
      ["id", 3, 3, 0, undefined, undefined, "a"],
      ["affinity", 2, 2, 1, 1.5, 1.5, "1.5"],
    ]);
    const index = await inspect("INDEX_refined");
    assert.deepEqual([fact(index, "rows"), fact(index, "exact"), fact(index, "lastYear")], [2, 1, "1984"]);
    const sequences = await inspect("s.fasta");
    assert.deepEqual(fact(sequences, "residues"), 6);
    assert.deepEqual(rows(sequences, "sequences"), [["a", 1, 3, "ACD"], ["b", 2, 3, "MK:V"]]);
    assert.deepEqual((await inspect("g.fasta")).kind, "alignment");
    assert.deepEqual(rows(await inspect("h.hhr"), "hits")[0].slice(0, 3), ["1ABC_A some protein", 99.1, 1e-5]);
    const npy = await inspect("n.npy");
    assert.deepEqual(rows(npy, "tensors"), [["array", "F32", "[2, 2]", 1, 5, 8 / 3, 1]]);
    assert.deepEqual(npy.warnings, ["numbers that are not finite: 1"]);
    const other = await inspect("o.safetensors");
    assert.deepEqual([fact(other, "metadata.maker"), rows(other, "tensors")[0].slice(3, 6)], ["x", [-3, 7, 2]]);
    const manifest = await inspect("manifest.jsonl");
    assert.deepEqual([fact(manifest, "ok"), fact(manifest, "failed")], [1, 1]);
    assert.deepEqual(rows(manifest, "failures"), [["b", "no"]]);
    assert.deepEqual(rows(manifest, "targetWarnings"), [["a", "few rows"]]);
    await assert.rejects(() => inspect("none/manifest.jsonl"), /manifest\.jsonl has no entry, expected a line of JSON/);
    await assert.rejects(() => inspect("nowhere/manifest.jsonl"), /there is no such file or folder/);
    await assert.rejects(() => inspect("x.what"), /x\.what is of no known kind: expected \.cif/);
    await assert.rejects(() => inspect("broken.safetensors"), InputError);
    await assert.rejects(() => inspect("none.a3m"), InputError);
  }));

Deno.test("inspectFile() tells what checkpoints and feature files hold", async () => {
  const checkpoint = await encodeCheckpoint({}, { model: "tiny-openfold", seed: 7, config: { cM: 8 }, history: [[1]] });
  const features = encodeFeatureFile(
    await prepareTarget({ id: "1znf", label: 3, structure: join(FINGERS, "1znf.cif") }),
  );
  await withFiles({ "c.safetensors": checkpoint, "f.safetensors": features }, async (folder) => {
    const saved = await inspectFile(join(folder, "c.safetensors"));
    assert.deepEqual(
      [saved.kind, ...["model", "seed", "step", "resumable", "config"].map((key) => fact(saved, key))],
      ["checkpoint", "tiny-openfold", 7, 1, "no", '{"cM":8}'],
    );
    const prepared = await inspectFile(join(folder, "f.safetensors"), { maps: true });
    assert.deepEqual(
      [prepared.kind, ...["id", "residues", "label", "chain", "observedResidues"].map((key) => fact(prepared, key))],
      ["features", "1znf", 25, 3, "A", 25],
    );
    assert.deepEqual(prepared.maps.map(({ key }) => key), ["distances", "coevolution"]);
    assert.equal(rows(prepared, "sources")[0][0], "1znf.cif");
    assert(rows(prepared, "tensors").some(([name, dtype]) => name === "all_atom_mask" && dtype === "F32"));
  });
});

Deno.test("inspectFile() refuses damaged files of numbers as the user's, not as a fault of the program", async () => {
  const tensors = encodeSafetensors(new Map([["a", { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) }]]));
  const checkpoint = await encodeCheckpoint({}, { model: "x" });
  const other = checkpoint.slice();
  other[other.length - 1] ^= 1;
  const damaged = {
    "a.npy": new Uint8Array(20),
    "a.safetensors": tensors.slice(0, -1),
    "words.safetensors": new TextEncoder().encode("words and words"),
    "checkpoint.safetensors": other,
  };
  await withFiles(damaged, async (folder) => {
    for (const name of Object.keys(damaged)) {
      const path = join(folder, name);
      await assert.rejects(inspectFile(path), (error: Error) => {
        assert.ok(error instanceof InputError, `${name}: ${error.stack}`);
        return error.message.includes(path);
      });
    }
  });
});

Deno.test("encodePng() writes lines of colours that unpack to what went in", () => {
  const rgba = Uint8Array.from({ length: 3 * 2 * 4 }, (_, k) => k * 9);
  const png = encodePng(rgba, 3, 2);
  const view = new DataView(png.buffer);
  assert.deepEqual([view.getUint32(16), view.getUint32(20), png[24], png[25]], [3, 2, 8, 6]);
  const lines = inflateSync(png.subarray(41, 41 + view.getUint32(33)));
  assert.deepEqual([...lines], [0, ...rgba.subarray(0, 12), 0, ...rgba.subarray(12)]);
});

Deno.test("denofold inspect prints text or JSON and writes a page, and says what is wrong in one line", () =>
  withFiles({ "q.a3m": familyOf("ACDEFGHIKLMN") }, async (folder) => {
    const file = join(folder, "q.a3m");
    const { code, stdout, stderr } = await denofold("inspect", file, "--json", "--html", join(folder, "q.html"));
    assert.equal(code, 0, stderr);
    assert.equal(JSON.parse(stdout).rows, 41);
    assert.match(await Deno.readTextFile(join(folder, "q.html")), /<title>q\.a3m<\/title>/);
    const missing = await denofold("inspect", join(folder, "none.cif"));
    assert.deepEqual([missing.code, missing.stdout], [1, ""]);
    assert.match(missing.stderr, /^denofold: Cannot read .*none\.cif: there is no such file or folder\n$/);
    assert.equal((await denofold("inspect", file, "--html", file)).code, 2);
    const model = await denofold("inspect", file, "--model", "2");
    assert.deepEqual([model.code, model.stderr.replace(file, "q.a3m")], [
      2,
      "denofold: --model is for structures, which q.a3m is not\n",
    ]);
  }));

const chromium = await findChromium();
Deno.test(needing(chromium, {
  name:
    "the page of an inspection shows facts, tables, coverage and maps, in both themes, without a script or a request",
  async fn() {
    const alignments = [{ path: join(FINGERS, "zinc_fingers.a3m"), row: "1znf" }];
    const target = { id: "1znf", structure: join(FINGERS, "1znf.cif"), alignments };
    await withFiles({ "<b>.safetensors": encodeFeatureFile(await prepareTarget(target)) }, async (folder) => {
      const found = await inspectFile(join(folder, "<b>.safetensors"), { maps: true });
      await Deno.writeTextFile(join(folder, "page.html"), inspectionPage(found, "1.2.3"));
      const browser = await startChromium(chromium.path, {});
      try {
        for (const [width, colorScheme] of [[1280, "light"], [390, "dark"]] as const) {
          const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
          const page = await context.newPage();
          const { requests, complaints } = watchPage(page);
          await page.goto(`file://${folder}/page.html`);
          assert.equal(await page.locator("h1").textContent(), "<b>.safetensors");
          assert.deepEqual(await page.locator("svg").evaluateAll((all) => all.map((svg) => svg.ariaLabel)), [
            "Coverage of the columns",
            "Identity of the rows to the query",
            "Contact map of chain A",
            "Coevolution",
          ]);
          assert.equal(await page.locator("svg .conservation circle").count(), 25);
          const sizes = await page.locator("svg image").evaluateAll(async (images) => {
            const load = async (source: string) => {
              const image = new Image();
              image.src = source;
              await image.decode();
              return [image.naturalWidth, image.naturalHeight];
            };
            return await Promise.all(images.map((image) => load(image.getAttribute("href") ?? "")));
          });
          assert.deepEqual(sizes, [[25, 25], [25, 25]]);
          assert.deepEqual(
            await page.evaluate(() => document.documentElement.scrollWidth === globalThis.innerWidth),
            true,
            "the page scrolls sideways",
          );
          assert.deepEqual(requests.filter((request) => !request.startsWith("data:")), [`file://${folder}/page.html`]);
          assert.deepEqual(complaints, []);
          await Deno.mkdir(ARTIFACTS, { recursive: true });
          await page.screenshot({ path: `${ARTIFACTS}/inspect_${width}_${colorScheme}.png`, fullPage: true });
          await context.close();
        }
      } finally {
        await browser.close();
      }
    });
  },
}));
