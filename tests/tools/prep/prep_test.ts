import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { Key } from "../../../core/mod.ts";
import type { BoundsPolicy } from "../../../tools/data/bounds.ts";
import { makeChainFeatures } from "../../../tools/data/features/chain.ts";
import { makeMsaFeatures } from "../../../tools/data/features/msa.ts";
import { makeNetworkInputs } from "../../../tools/data/features/network_inputs.ts";
import { windowFeatures } from "../../../tools/data/features/window.ts";
import { parseMmcif } from "../../../tools/data/mmcif.ts";
import { readAlignment } from "../../../tools/data/read_alignment.ts";
import { selectChain } from "../../../tools/data/structure.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { readFeatureFile } from "../../../tools/prep/feature_file.ts";
import { readManifest } from "../../../tools/prep/manifest.ts";
import { prep, type PrepOptions } from "../../../tools/prep/prep.ts";
import { denofold } from "../cli/_run.ts";
import { GOLDEN, readGolden } from "../data/features/_golden.ts";
import { CIF_TEXT } from "../data/_structures.ts";
import { inspectFile } from "../../../tools/inspect/inspect.ts";
import { pdbText, peptide, single } from "../data/_records.ts";
import { familyOf, FINGERS, withFiles } from "./_inputs.ts";
import { needing } from "../../_needs.ts";

/** Prepares inputs; comes back with how it went, and the manifest by id. */
async function prepare(inputs: string[], out: string, options: Partial<PrepOptions> = {}) {
  const { targets, templates, notes } = await collectTargets(inputs);
  const defaults = { out, strict: false, maxTemplates: 4, templates, jobs: 1, failFast: false };
  const result = await prep(targets, { ...defaults, ...options });
  return { result, notes, manifest: await readManifest(out) };
}

/** A packed file of so many times 16 MiB of zeros, a thousandth as large. */
function bomb(times: number): Uint8Array {
  const member = gzipSync(new Uint8Array(1 << 24));
  const file = new Uint8Array(times * member.length);
  for (let k = 0; k < times; k++) file.set(member, k * member.length);
  return file;
}

Deno.test("prep() writes features that read back equal, element by element, to those made of the files directly", () =>
  withFiles({}, async (folder) => {
    const { result, manifest, notes } = await prepare([FINGERS], folder);
    assert.deepEqual([result.prepared, result.failed, result.left, notes], [15, [], 0, []]);
    const alignment = await readAlignment(join(FINGERS, "zinc_fingers.a3m"));
    for (const [id, { file = "", counts, sources = [], warnings }] of manifest) {
      const found = await readFeatureFile(join(folder, file));
      const row = alignment.names.indexOf(id);
      const order = [row, ...alignment.names.keys().filter((k) => k !== row)];
      const own = `>${id}\n` + order.map((k) => alignment.aligned[k]).join("\n>x\n");
      await Deno.writeTextFile(join(folder, "own.a3m"), own);
      const msa = makeMsaFeatures([await readAlignment(join(folder, "own.a3m"))]);
      assert.deepEqual(found.features.msa, msa.msa);
      assert.deepEqual(found.features.deletion_matrix_int, msa.deletion_matrix_int);
      const structure = await parseMmcif(await Deno.readTextFile(join(FINGERS, `${id}.cif`)), id);
      const chain = selectChain(structure);
      assert.equal(found.sequence, chain.sequence);
      const expected = makeChainFeatures(chain, structure.resolutionAngstrom);
      assert(found.supervised);
      for (const [name, data] of Object.entries(expected)) {
        assert.deepEqual(Reflect.get(found.supervised, name), data, `${id} ${name}`);
      }
      assert.equal(counts?.observedResidues, chain.sequence.length);
      assert.deepEqual(sources.map(({ path }) => basename(path)), [`${id}.cif`, "zinc_fingers.a3m"]);
      assert.match(warnings?.join() ?? "", /^The alignment has \d+ rows: with fewer than 30/);
    }
  }));

Deno.test("the manifest has a table of what was done with all that is unusual, in the form that inspect has", () => {
  const odd = { ...peptide("A", { chain: "A", first: 2, at: 1 })[0], name: "SEP" };
  const water = single("HOH", "O", [9, 9, 9], { chain: "A", number: 9 });
  const files = {
    "in/1abc.pdb": pdbText([
      ...peptide("M", { chain: "A" }),
      odd,
      ...peptide("KT", { chain: "A", first: 3, at: 2 }),
      water,
    ]),
    "in/1abc.a3m": ">1abc\nMSXT\n>bad\nMS1T\n>long\nMSKTT\n>good\nMSKT\n",
  };
  return withFiles(files, async (folder) => {
    const { manifest } = await prepare([`${folder}/in`], `${folder}/out`);
    const { remarks = [], warnings = [] } = manifest.get("1abc")!;
    assert.deepEqual(
      remarks.map(({ kind, file, line, count, unit, done, isLeftOut }) =>
        [kind, basename(file), line, count, unit, done, isLeftOut].join(" | ")
      ),
      [
        "water | 1abc.pdb | 21 | 1 | residue | left out | true",
        "modifiedResidue | 1abc.pdb | 6 | 1 | residue | read as the amino acid that it is made of | false",
        "oddRow | 1abc.a3m | 4 | 1 | row | the row is left out | true",
        "wrongLength | 1abc.a3m | 5 | 1 | row | the row is left out | true",
        "unknownLetters | 1abc.a3m |  | 1 | residue | kept as X | false",
      ],
    );
    assert.equal(warnings.length, 5); // water is no warning; few rows are
    const { tables } = await inspectFile(`${folder}/in/1abc.pdb`);
    const shown = tables.find(({ key }) => key === "remarks")!;
    const [row] = shown.rows;
    for (const [k, column] of shown.columns.entries()) {
      assert.equal(row[k], remarks[0][column as keyof typeof remarks[0]], column);
    }
    const all = (await inspectFile(`${folder}/out/manifest.jsonl`)).tables.find(({ key }) => key === "remarks")!;
    assert.deepEqual(all.columns, ["id", ...shown.columns]);
    assert.deepEqual([all.rows.length, ...all.rows[0].slice(0, 2)], [remarks.length, "1abc", "water"]);
  });
});

Deno.test("features of a file are what the network's inputs are made of", () =>
  withFiles({}, async (folder) => {
    await prepare([join(FINGERS, "1znf.cif"), join(FINGERS, "zinc_fingers.a3m")], folder);
    const { features, supervised, sequence } = await readFeatureFile(join(folder, "1znf.safetensors"));
    const inputs = makeNetworkInputs(features, features, Key.fromSeed(3), { maxMsaClusters: 4, maxExtraMsa: 8 });
    assert.equal(inputs.msa_feat.length, 4 * sequence.length * 49);
    assert(supervised);
    const cut = windowFeatures({ pseudo_beta: supervised.pseudo_beta, msa: features.msa }, {
      residues: sequence.length,
      sequences: features.num_alignments[0],
    }, { residues: { start: 3, size: 10 } });
    assert.deepEqual(cut.pseudo_beta, supervised.pseudo_beta.slice(9, 39));
    assert.equal(cut.msa.length, 10 * features.num_alignments[0]);
  }));

Deno.test("prep() skips what is done, and makes anew what changed, was damaged or is wished otherwise", () =>
  withFiles(
    { "in/t.csv": "id,sequence,affinity\na,ACDEF,1\nb,GHIKL,2\n", "in/a.a3m": familyOf("ACDEF") },
    async (folder) => {
      const out = join(folder, "out");
      const run = async (options: Partial<PrepOptions> = {}) => {
        const { result } = await prepare([join(folder, "in")], out, options);
        return [result.prepared, result.unchanged, result.failed.length];
      };
      const read = (id: string) => Deno.readFile(join(out, `${id}.safetensors`));
      assert.deepEqual(await run(), [2, 0, 0]);
      const first = await read("a");
      assert.deepEqual(await run(), [0, 2, 0]);
      assert.deepEqual(await run({ jobs: 2 }), [0, 2, 0]);
      await Deno.writeTextFile(join(folder, "in/a.a3m"), familyOf("ACDEF", 41));
      assert.deepEqual(await run(), [1, 1, 0]);
      assert.notDeepEqual(await read("a"), first);
      await Deno.writeTextFile(join(folder, "in/a.a3m"), familyOf("ACDEF"));
      await Deno.writeTextFile(join(folder, "in/t.csv"), "id,sequence,affinity\na,ACDEF,1\nb,GHIKL,3\n");
      assert.deepEqual(await run(), [2, 0, 0]);
      assert.deepEqual(await read("a"), first);
      assert.equal((await readFeatureFile(join(out, "b.safetensors"))).label, 3);
      await Deno.writeFile(join(out, "a.safetensors"), first.slice(0, -1));
      assert.deepEqual(await run(), [1, 1, 0]);
      assert.deepEqual(await run({ strict: true }), [2, 0, 0]);
      // Broken off: a line of the manifest is cut short, a temporary file is left.
      const lines = await Deno.readTextFile(join(out, "manifest.jsonl"));
      await Deno.writeTextFile(join(out, "manifest.jsonl"), lines.slice(0, -30));
      assert.deepEqual(await run({ strict: true }), [1, 1, 0]);
      assert.equal((await Deno.readTextFile(join(out, "manifest.jsonl"))).split("\n").length, 3);
    },
  ));

Deno.test("prep() writes the same bytes whatever the number of workers, and keeps going past bad targets", () =>
  withFiles({ "bad.cif": "data_x\n", "9bad.pdb": "nothing\n" }, async (folder) => {
    const inputs = [FINGERS, join(folder, "bad.cif"), join(folder, "9bad.pdb")];
    const names: string[][] = [];
    for (const jobs of [1, 3]) {
      const { result } = await prepare(inputs, join(folder, `${jobs}`), { jobs });
      assert.equal(result.prepared, 15);
      assert.deepEqual(result.failed.map(({ id }) => id), ["bad", "9bad"]);
      assert.match(result.failed[0].error ?? "", /there is no atom_site category/);
      names.push([...Deno.readDirSync(join(folder, `${jobs}`))].map(({ name }) => name).sort());
    }
    assert.deepEqual(names[0], names[1]);
    assert.equal(names[0].length, 16);
    for (const name of names[0]) {
      const [a, b] = await Promise.all([1, 3].map((jobs) => Deno.readFile(join(folder, `${jobs}`, name))));
      assert.deepEqual(a, b, name);
    }
    const stopped = await prepare([join(folder, "bad.cif"), FINGERS], join(folder, "fast"), { failFast: true });
    assert.deepEqual([stopped.result.prepared, stopped.result.failed.length, stopped.result.left], [0, 1, 15]);
  }));

Deno.test("ids with tricks give files in the folder, each its own; ids used twice are refused, others go on", () =>
  withFiles({
    "in/t.csv": "id,sequence\n../../evil,AC\n..,AC\n/etc/x,AC\na\\b,AC\nC:x,AC\nok,AC\nAB,AC\nab,AD\na b,AC\na_b,AC\n" +
      `${"x".repeat(201)},AC\n,AC\nbad,A1\ntwice,AC\ntwice,AD\n`,
  }, async (folder) => {
    const { result, manifest } = await prepare([join(folder, "in/t.csv")], join(folder, "deep/out"));
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["deep", "in"]);
    assert.deepEqual([...Deno.readDirSync(join(folder, "deep"))].map(({ name }) => name), ["out"]);
    const ids = ["../../evil", "..", "/etc/x", "a\\b", "C:x", "ok", "AB", "ab", "a b", "a_b", "x".repeat(201)];
    assert.equal(result.prepared, ids.length);
    const files = ids.map((id) => manifest.get(id)?.file ?? "");
    assert.deepEqual(
      [...Deno.readDirSync(join(folder, "deep/out"))].map(({ name }) => name).sort(),
      [...files, "manifest.jsonl"].sort(),
    );
    assert.equal(new Set(files.map((file) => file.toLowerCase())).size, ids.length);
    assert.equal(files[5], "ok.safetensors");
    for (const [k, id] of ids.entries()) {
      assert.equal((await readFeatureFile(join(folder, "deep/out", files[k]))).id, id);
    }
    const reason = (id: string) => manifest.get(id)?.error ?? "";
    assert.match(reason("twice"), /is not unique: "twice" \(.*line 15\), "twice" \(.*line 16\)/);
    assert.match(reason("bad"), /line 14: the sequence has "1" at residue 2/);
    assert.equal(result.failed.length, 4);
  }));

Deno.test("a target does not take the feature file of another of the same name but for capitals, then or later", () =>
  withFiles({ "one.csv": "id,sequence\nab,AC\n", "two.csv": "id,sequence\nAB,AD\n" }, async (folder) => {
    const out = join(folder, "out");
    await prepare([join(folder, "one.csv")], out);
    const { manifest } = await prepare([join(folder, "two.csv")], out);
    assert.equal(manifest.get("ab")?.file, "ab.safetensors");
    assert.match(manifest.get("AB")?.file ?? "", /^AB-[0-9a-f]{8}\.safetensors$/);
    assert.equal((await readFeatureFile(join(out, "ab.safetensors"))).sequence, "AC");
    assert.equal((await prepare([join(folder, "two.csv")], out)).result.unchanged, 1);
  }));

Deno.test("structures that cannot be used are reported with their reason", () =>
  withFiles({
    "in/word.cif": CIF_TEXT.replace("7.000 0.000 0.000 0.50", "7.000 near 0.000 0.50"),
    "in/question.cif": CIF_TEXT.replace("7.000 0.000 0.000 0.50", "? 0.000 0.000 0.50"),
    "in/water.cif": CIF_TEXT.replace(/^ATOM.*\n|^HETATM.*(?:MSE|ABC).*\n/gm, ""),
    "in/water.pdb": "HETATM    1  O   HOH A   1       1.000   2.000   3.000  1.00 10.00           O\n",
    "in/cut.cif.gz": gzipSync(CIF_TEXT).subarray(0, 200),
    "in/bomb.cif.gz": bomb(40),
    "in/good.cif": CIF_TEXT,
  }, async (folder) => {
    await Deno.rename(join(folder, "in/water.pdb"), join(folder, "in/waterpdb.pdb"));
    const { manifest, result } = await prepare([join(folder, "in")], join(folder, "out"));
    const reason = (id: string) => manifest.get(id)?.error ?? "";
    assert.match(reason("word"), /word\.cif line \d+: Cartn_y of atom 6 is "near", expected a number/);
    assert.match(reason("question"), /question\.cif line \d+: Cartn_x of atom 6 is missing, expected a number/);
    assert.match(reason("water"), /no C-alpha atoms/);
    assert.match(reason("waterpdb"), /no C-alpha atoms/);
    assert.match(reason("cut"), /Cannot unpack .*cut\.cif\.gz: the file ends too early/);
    assert.match(reason("bomb"), /Cannot unpack .*bomb\.cif\.gz: it unpacks to more than 536870912 bytes/);
    assert.deepEqual([result.prepared, result.failed.length], [1, 6]);
  }));

Deno.test("templates come from hits and their structures; a missing structure is a warning, with strict an error", () => {
  const found = "YKCGLCERSFVEKSALSRHQRVHKN"; // 1znf
  const query = found.replace("SFVEK", "SFAEK");
  const hit = (number: number, name: string) =>
    `No ${number}\n>${name} a finger\nProbab=99.0  E-value=1e-9  Score=50.0  Aligned_cols=25  Identities=96%  ` +
    `Similarity=1.5  Sum_probs=${25 - number}.0\n\n` +
    `Q query             1 ${query}   25 (25)\nT ${name}            1 ${found}   25 (25)\n\n`;
  const hhr = `Query         query\nMatch_columns 25\n\n${hit(1, "9ZZZ_A")}${hit(2, "1ZNF_A")}`;
  return withFiles({ "q.fasta": `>q\n${query}\n`, "q.hhr": hhr }, async (folder) => {
    const out = join(folder, "out");
    const run = async (templates: string[], strict = false) => {
      const inputs = [join(folder, "q.fasta"), join(folder, "q.hhr")];
      const collected = await collectTargets(inputs, { templates });
      const options = { out, strict, maxTemplates: 4, templates: collected.templates, jobs: 1, failFast: false };
      const result = await prep(collected.targets, options);
      return { result, entry: (await readManifest(out)).get("q") };
    };
    const without = await run([]);
    assert.deepEqual(without.entry?.warnings?.slice(-2), [
      'Template 1 "9ZZZ_A" cannot be used: there is no structure of it',
      'Template 2 "1ZNF_A" cannot be used: there is no structure of it',
    ]);
    const { result, entry } = await run([join(FINGERS, "1znf.cif")]);
    assert.deepEqual([result.prepared, entry?.counts?.templates, entry?.sources?.length], [1, 1, 2]);
    assert.equal((await run([join(FINGERS, "1znf.cif")])).result.unchanged, 1);
    const { features } = await readFeatureFile(join(out, "q.safetensors"));
    assert.deepEqual([features.template_domain_names, features.template_sequence], [["1znf_A"], [found]]);
    const chain = selectChain(await parseMmcif(await Deno.readTextFile(join(FINGERS, "1znf.cif")), "1znf.cif"));
    assert.deepEqual(features.template_all_atom_positions, chain.atomPositions);
    assert.deepEqual(features.template_all_atom_mask, chain.atomMask);
    const strict = await run([join(FINGERS, "1znf.cif")], true);
    assert.equal(strict.entry?.error, 'Template 1 "9ZZZ_A" cannot be used: there is no structure of it');
    // One that cannot be read costs itself alone.
    const broken = join(folder, "9zzz.cif");
    await Deno.writeTextFile(broken, "data_x\n");
    const both = [broken, join(FINGERS, "1znf.cif")];
    const spoilt = await run(both);
    assert.equal(spoilt.entry?.counts?.templates, 1);
    assert.match(
      spoilt.entry?.warnings?.at(-1) ?? "",
      /^Template 1 "9ZZZ_A" cannot be used: Cannot read .*9zzz\.cif as mmCIF/,
    );
    assert.match(
      (await run(both, true)).entry?.error ?? "",
      /^Template 1 "9ZZZ_A" cannot be used: Cannot read .*9zzz\.cif/,
    );
  });
});

Deno.test("denofold prep ends with code 1 and one line for each bad target, 2 for wrong usage", () =>
  withFiles({ "t.csv": "id,sequence\na,ACDEF\n../b,AC1\n" }, async (folder) => {
    const args = ["prep", join(folder, "t.csv"), "--out", join(folder, "out")];
    const { code, stdout, stderr } = await denofold(...args);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /^\.\.\/b: .*t\.csv line 3: the sequence has "1" at residue 3/m);
    assert.match(stdout, /^1 prepared in .*, 0 unchanged, 1 failed, 1 warning$/m);
    const json = await denofold(...args, "--json");
    const { prepared, unchanged, failed } = JSON.parse(json.stdout);
    assert.deepEqual([json.code, prepared, unchanged, failed.length, failed[0].id], [1, 0, 1, 1, "../b"]);
    const usage = await denofold("prep", join(folder, "t.csv"));
    assert.equal(usage.code, 2);
    assert.match(usage.stderr, /--out/);
  }));

Deno.test(needing(GOLDEN, {
  name:
    "prep() of sequence, alignments, hits and structures equals the golden features, and templates go without theirs",
  async fn() {
    const golden = readGolden(join(GOLDEN.path, "data/make_msa_features"));
    const { query } = JSON.parse(Deno.readTextFileSync(join(GOLDEN.path, "data/make_msa_features.json")));
    await withFiles({ "query.fasta": `>query\n${query}\n` }, async (folder) => {
      const inputs = [join(folder, "query.fasta"), join(GOLDEN.path, "data/files")];
      assert(existsSync(inputs[1]));
      const { manifest } = await prepare(inputs, join(folder, "out"));
      const { features } = await readFeatureFile(join(folder, "out/query.safetensors"));
      assert.deepEqual(features.msa, Int32Array.from(golden.data("out/msa")));
      assert.deepEqual(features.deletion_matrix_int, Int32Array.from(golden.data("out/deletion_matrix_int")));
      assert.deepEqual(features.template_domain_names, ["3u8v_A", "4zey_A"]);
      assert.equal(features.template_all_atom_mask.length, 2 * query.length * 37);
      const warnings = manifest.get("query")?.warnings ?? [];
      assert.equal(warnings.length, 8);
      assert.match(warnings[0], /^Template 1 "1HF9_B" cannot be used: there is no structure of it$/);
      const strict = await prepare(inputs, join(folder, "out"), { strict: true });
      assert.match(strict.result.failed[0].error ?? "", /^Template 1 "1HF9_B" cannot be used/);
    });
  },
}));

Deno.test("bounds keep their relation from a table through check-data, split and prep, and are left out of labels unless asked", () =>
  withFiles({
    "in/INDEX_x": "1aaa 1.9 2001 4.30 Kd<50uM // 1aaa.pdf (A)\n1bbb 1.9 2001 6.00 Ki=1uM // 1bbb.pdf (B)\n" +
      "1ccc 1.9 2001 7.70 IC50~20nM // 1ccc.pdf (C)\n",
    ...Object.fromEntries(["1aaa", "1bbb", "1ccc"].map((id) => [`in/${id}.cif`, CIF_TEXT])),
  }, async (folder) => {
    const input = join(folder, "in");
    const expected = {
      drop: ["undefined > 4.3", "6 undefined undefined", "undefined ~ 7.7"],
      keep: ["4.3 > undefined", "6 undefined undefined", "7.7 ~ undefined"],
      censored: ["4.3 > undefined", "6 undefined undefined", "7.7 ~ undefined"],
    };
    for (const [bounds, labels] of Object.entries(expected)) {
      const out = join(folder, bounds);
      const { manifest } = await prepare([input], out, { bounds: bounds as BoundsPolicy });
      const found: string[] = [];
      for (const id of ["1aaa", "1bbb", "1ccc"]) {
        const { label, relation, bound } = await readFeatureFile(join(out, `${id}.safetensors`));
        const entry = manifest.get(id);
        assert.deepEqual([entry?.label, entry?.relation, entry?.bound], [label, relation, bound]);
        found.push(`${label} ${relation} ${bound}`);
      }
      assert.deepEqual(found, labels);
      const told = manifest.get("1aaa")?.warnings?.filter((text) => /bound/.test(text)).length;
      assert.equal(told, bounds === "censored" ? 0 : 1);
    }
    const split = await denofold(
      "split",
      join(input, "INDEX_x"),
      "--by",
      "random",
      "--fractions",
      "0.5,0.5",
      "--out",
      join(folder, "split"),
    );
    assert.equal(split.code, 0, split.stderr);
    assert.match(split.stdout, /2 of 3 labels are bounds or estimates; the column relation says which/);
    const lists = await Promise.all(
      ["train", "test"].map((name) => Deno.readTextFile(join(folder, "split", `${name}.csv`))),
    );
    const rows = lists.flatMap((text) => text.trimEnd().split("\n").slice(1)).sort();
    assert.deepEqual(rows, [
      "1aaa,1.9,2001,4.3,>,Kd<50uM",
      "1bbb,1.9,2001,6,=,Ki=1uM",
      "1ccc,1.9,2001,7.7,~,IC50~20nM",
    ]);
    const again = await prepare([
      join(folder, "split", "train.csv"),
      join(folder, "split", "test.csv"),
      input + "/1aaa.cif",
    ], join(folder, "again"));
    assert.deepEqual([again.manifest.get("1aaa")?.relation, again.manifest.get("1aaa")?.bound], [">", 4.3]);
    const check = ["check-data", "--csv", join(input, "INDEX_x"), "--structures", input, "--json"];
    const dropped = JSON.parse((await denofold(...check)).stdout);
    assert.deepEqual([dropped.usable, dropped.labels.count, dropped.bounds.targets.length], [1, 1, 2]);
    assert.match(
      dropped.warnings.at(-1).message,
      /^2 labels that are bounds or estimates are left out of regression: 1aaa > 4\.3, 1ccc ~ 7\.7$/,
    );
    const kept = JSON.parse((await denofold(...check, "--bounds", "keep")).stdout);
    assert.deepEqual([kept.usable, kept.labels.count], [3, 3]);
  }));
