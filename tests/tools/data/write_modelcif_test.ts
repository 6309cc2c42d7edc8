import assert from "node:assert/strict";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { CIF, type CifBlock } from "molstar/lib/mol-io/reader/cif.js";
import { trajectoryFromMmCIF } from "molstar/lib/mol-model-formats/structure/mmcif.js";
import { QualityAssessment } from "molstar/lib/extensions/model-archive/quality-assessment/prop.js";
import { SyncRuntimeContext } from "molstar/lib/mol-task/execution/synchronous.js";
import { AssetManager } from "molstar/lib/mol-util/assets.js";
import { parseMmcif } from "../../../tools/data/mmcif.ts";
import { readAlignment } from "../../../tools/data/read_alignment.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { ATOM_SLOTS } from "../../../model/protein/residues.ts";
import type { Structure } from "../../../tools/data/structure.ts";
import { formatModelCif, type ModelCifOptions } from "../../../tools/data/write_modelcif.ts";
import { formatPdb } from "../../../tools/data/write_pdb.ts";
import { denofold } from "../cli/_run.ts";
import { makeTestStructure } from "./_structures.ts";

// What formatModelCif() makes of PDB entries 3U8V, 4ZEY and 1ZNF was read by Biopython 1.80 (MMCIFParser, MMCIF2Dict) and
// gemmi 0.5.7 (read_structure, cif.read) with equal chains, sequences, atoms, positions, B-factors, metrics and citation.

/** A structure whose B-factors are a confidence, the same for all atoms of a residue. */
function predicted(): Structure {
  const structure = makeTestStructure();
  for (const { sequence, atomMask, bFactors } of structure.chains) {
    for (let i = 0; i < sequence.length; i++) {
      for (let a = 0; a < ATOM_SLOTS; a++) {
        const at = i * ATOM_SLOTS + a;
        if (atomMask[at] !== 0) bFactors[at] = Math.fround(50 + (7 * i) % 50 + 0.25);
      }
    }
  }
  // Mol* finds the residues of the metrics without insertion codes, which models do not have.
  const chains = structure.chains.map((chain) => ({ ...chain, insertionCodes: chain.insertionCodes.map(() => "") }));
  return { ...structure, chains, method: undefined, resolutionAngstrom: undefined };
}

const OPTIONS: ModelCifOptions = {
  modelName: "model_1_ptm_pred_0",
  globalMetrics: [{ name: "pTM", type: "pTM", value: 0.8125 }],
  software: [
    {
      ...{ name: "denofold", version: "0.1.0", location: "https://example.org/denofold" },
      citation: {
        title: 'It\'s "a" title',
        journal: "Nature",
        year: 2021,
        authors: ["Jumper, J.", "O'Neill, K."],
        ...{ volume: "596", firstPage: "583", lastPage: "589", doi: "10.1038/s41586-021-03819-2" },
      },
    },
    { name: "HMMER", version: "3.3.2", classification: "data collection" },
  ],
  steps: [{ method: "coevolution MSA", details: "jackhmmer" }, { method: "modeling" }],
};

async function blockOf(text: string): Promise<CifBlock> {
  const parsed = await CIF.parse(text).run();
  assert.ok(!parsed.isError);
  return parsed.result.blocks[0];
}

/** Rows of a category as lists of texts. */
function rows(block: CifBlock, category: string, items: string): string[][] {
  const found = block.categories[category];
  assert.ok(found !== undefined, `there is no ${category}`);
  return Array.from(
    { length: found.rowCount },
    (_, row) => items.split(" ").map((item) => found.getField(item)?.str(row) ?? ""),
  );
}

Deno.test("formatModelCif() is read back equal, with its metrics", async () => {
  const structure = predicted();
  const text = formatModelCif(structure, OPTIONS);
  const { source: _, remarks = [], ...read } = await parseMmcif(text, "test");
  assert.deepEqual(remarks.map(({ key }) => key), ["unknownResidue"]); // its X
  const { source: __, ...written } = structure;
  assert.deepEqual({ ...read, chains: read.chains.map((chain) => ({ ...chain })) }, {
    releaseDate: undefined,
    ...{ heteroGroups: [], assemblies: [], models: [1], ...written },
  });

  const block = await blockOf(text);
  const values = structure.chains.flatMap(({ sequence, atomMask, bFactors }) =>
    Array.from(sequence, (_, i) => atomMask[i * ATOM_SLOTS + 1] ? bFactors[i * ATOM_SLOTS + 1] : undefined)
  ).filter((value) => value !== undefined);
  const mean = values.reduce((a, b) => a + b) / values.length;
  assert.deepEqual(rows(block, "ma_qa_metric", "id name type mode"), [
    ["1", "pLDDT", "pLDDT", "global"],
    ["2", "pLDDT", "pLDDT", "local"],
    ["3", "pTM", "pTM", "global"],
  ]);
  assert.deepEqual(rows(block, "ma_qa_metric_global", "metric_id metric_value"), [["1", mean.toFixed(2)], [
    "3",
    "0.8125",
  ]]);
  const local = rows(block, "ma_qa_metric_local", "label_asym_id label_seq_id label_comp_id metric_value metric_id");
  assert.equal(local.length, values.length);
  assert.deepEqual(local.map(([, , , value]) => Number(value)), values);
  assert.deepEqual(local[0], ["A", "1", "MET", "50.25", "2"]);
  assert.deepEqual(rows(block, "software", "pdbx_ordinal name classification version citation_id"), [
    ["1", "denofold", "model building", "0.1.0", "1"],
    ["2", "HMMER", "data collection", "3.3.2", ""],
  ]);
  assert.deepEqual(rows(block, "citation", "title journal_abbrev year"), [['It\'s "a" title', "Nature", "2021"]]);
  assert.deepEqual(rows(block, "citation_author", "citation_id name ordinal"), [
    ["1", "Jumper, J.", "1"],
    ["1", "O'Neill, K.", "2"],
  ]);
  assert.deepEqual(rows(block, "ma_data", "id content_type"), [["1", "target"], ["2", "target"], [
    "3",
    "model coordinates",
  ]]);
  assert.deepEqual(rows(block, "ma_model_list", "ordinal_id model_type data_id model_name"), [
    ["1", "Ab initio model", "3", "model_1_ptm_pred_0"],
  ]);
  assert.deepEqual(rows(block, "ma_protocol_step", "step_id method_type details"), [
    ["1", "coevolution MSA", "jackhmmer"],
    ["2", "modeling", ""],
  ]);
  assert.deepEqual(rows(block, "ma_target_entity_instance", "asym_id entity_id"), [["A", "1"], ["B", "2"], ["C", "2"]]);
});

Deno.test("formatModelCif() gives Mol* the confidence to colour by", async () => {
  const structure = predicted();
  const parsed = await blockOf(formatModelCif(structure, OPTIONS));
  const model = await (await trajectoryFromMmCIF(parsed).run()).representative;
  const context = { runtime: SyncRuntimeContext, assetManager: new AssetManager() };
  assert.ok(QualityAssessment.isApplicable(model, "pLDDT"));
  const { value } = await QualityAssessment.obtain(context, model, {});
  const plddt = [...value.pLDDT?.values() ?? []];
  const expected = structure.chains.flatMap(({ sequence, atomMask, bFactors }) =>
    Array.from(sequence, (_, i) => i * ATOM_SLOTS + 1).filter((at) => atomMask[at] !== 0).map((at) => bFactors[at])
  );
  assert.deepEqual(plddt, expected);
});

Deno.test("formatModelCif() refuses a confidence that is none", () => {
  const structure = predicted();
  structure.chains[0].bFactors[1] = 100.5;
  assert.throws(() => formatModelCif(structure, OPTIONS), /residue 1 of chain A as ModelCIF: its pLDDT is 100\.5/);
  structure.chains[0].bFactors[1] = NaN;
  assert.throws(() => formatModelCif(structure, OPTIONS), RangeError);
});

Deno.test("denofold convert turns structures and alignments into other formats", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const at = (name: string): string => join(folder, name);
    await Deno.writeTextFile(at("m.pdb"), formatPdb(predicted()));
    const model = await denofold("convert", at("m.pdb"), at("m.cif.gz"), "--plddt", "--software", "AlphaFold@2.3.2");
    assert.deepEqual(model, { code: 0, stdout: `${at("m.cif.gz")}  3 chains, 33 residues\n`, stderr: "" });
    const text = new TextDecoder().decode(gunzipSync(await Deno.readFile(at("m.cif.gz"))));
    assert.match(text, /^1 AlphaFold +'model building' +2\.3\.2 /m);
    const { chains } = await readStructure(at("m.cif.gz"));
    assert.deepEqual(chains.map(({ sequence }) => sequence), predicted().chains.map(({ sequence }) => sequence));

    await Deno.writeTextFile(at("one.a3m"), ">q\nA\n");
    assert.equal(
      (await denofold("convert", at("one.a3m"), at("one.sto"))).stdout,
      `${at("one.sto")}  1 row, 1 residue\n`,
    );
    await Deno.writeTextFile(at("a.sto"), "# STOCKHOLM 1.0\nq AC-D\nx -CWD\nx2 AC-E\n//\n");
    assert.equal((await denofold("convert", at("a.sto"), at("a.a3m"))).stdout, `${at("a.a3m")}  3 rows, 3 residues\n`);
    assert.equal(await Deno.readTextFile(at("a.a3m")), ">q\nACD\n>x\n-CwD\n>x2\nACE\n");
    assert.equal((await denofold("convert", at("a.a3m"), at("b.sto"))).code, 0);
    assert.deepEqual((await readAlignment(at("b.sto"))).aligned, ["AC-D", "-CWD", "AC-E"]);

    const wrong: [args: string[], code: number, message: RegExp][] = [
      [[at("a.sto"), at("a.txt")], 2, /a\.txt does not end in a format: expected \.a3m, \.a2m, \.sto/],
      [[at("a.sto"), at("a.pdb")], 2, /a\.sto is no structure: it cannot become PDB/],
      [[at("m.pdb"), at("m.a3m")], 2, /m\.pdb is a structure: it cannot become an alignment/],
      [[at("a.sto"), at("a.sto")], 2, /would overwrite the input/],
      [[at("none.sto"), at("a.a3m")], 1, /Cannot read .*none\.sto: there is no such file/],
      [[at("m.pdb"), at("n.pdb"), "--model", "4"], 1, /m\.pdb has no model 4: it has 1$/m],
      [[at("m.pdb"), at("n.pdb"), "--plddt"], 2, /--plddt writes ModelCIF/],
    ];
    for (const [args, code, message] of wrong) {
      const outcome = await denofold("convert", ...args);
      assert.deepEqual([outcome.code, outcome.stdout], [code, ""]);
      assert.match(outcome.stderr, message);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
