import assert from "node:assert/strict";
import { alignSequences, type AlignTool } from "../../../tools/align/align_sequences.ts";
import { collectSequences } from "../../../tools/align/collect_sequences.ts";
import { pairFamily } from "../../../tools/data/family.ts";
import { readAlignment } from "../../../tools/data/read_alignment.ts";
import { readStructure } from "../../../tools/data/read_structure.ts";
import { formatMmcif } from "../../../tools/data/write_mmcif.ts";

import { needing, programs } from "../../_needs.ts";
import { makeTestChain } from "../data/_structures.ts";
import { FINGERS } from "../fold/_fingers.ts";
import { denofold } from "../cli/_run.ts";

Deno.test("collectSequences(): files, chains and folders under the names that training looks for", async () => {
  const folder = await Deno.makeTempDir();
  const chains = [makeTestChain("A", "MKTAY"), makeTestChain("B", "GSHW")];
  await Deno.writeTextFile(`${folder}/two.cif`, formatMmcif({ id: "x", source: "x", chains }));
  await Deno.writeTextFile(`${folder}/more.fasta`, ">h1 words\nMKV\n>h2\nMRV*\n");
  const names = async (...paths: string[]) =>
    (await collectSequences(paths)).map(({ name, sequence }) => `${name} ${sequence}`);
  assert.deepEqual(await names(folder), ["two_A MKTAY", "two_B GSHW"]);
  assert.deepEqual(await names(`${folder}/two.cif:B`, `${folder}/more.fasta`), ["two GSHW", "h1 MKV", "h2 MRV"]);
  await assert.rejects(names(folder, `${folder}/two.cif`), /both have a sequence named "two_A"/);
  await Deno.remove(folder, { recursive: true });
});

for (const tool of ["mafft", "clustalo", "mmseqs"] as const satisfies readonly AlignTool[]) {
  Deno.test(needing(programs(tool), {
    name: `alignSequences() by ${tool}: whole rows in order, names as they were given`,
    async fn() {
      const base = "MTEYKLVVVGAGGVGKSALTIQLIQNHFVDEYDPTIEDSYRKQVVIDGETCLLDILDTAGQEEYSAMRDQYMRTGEGFLCVFAINNTKSFED";
      const sequences = [
        { name: "first with, signs:(1)", sequence: base, source: "a" },
        { name: "second", sequence: `GSHM${base.replace("VVVGAGG", "VVVGAVG")}KK`, source: "b" },
        { name: "third", sequence: base.replace("EDSYRK", "").replace("KSAL", "KXAL"), source: "c" },
      ];
      const { alignment, unlike, program } = await alignSequences(sequences, { tool, cpu: 2 });
      assert.deepEqual([program.name, unlike], [tool, []]);
      assert.deepEqual(alignment.names, sequences.map(({ name }) => name));
      assert.deepEqual(
        alignment.aligned.map((row) => row.replaceAll("-", "").toUpperCase()),
        sequences.map(({ sequence }) => sequence),
      );
      assert.ok(alignment.rows[2].includes("PTI------QVV"), alignment.rows[2]);
      if (tool === "mmseqs") {
        const other = { name: "other", sequence: "WWHHPPWWHHPPWWHHPPCCWWHHPPWW", source: "d" };
        const found = await alignSequences([...sequences, other], { tool, cpu: 2 });
        assert.deepEqual(found.unlike, [other]);
        assert.equal(found.alignment.names.length, 3);
      }
    },
  }));
}

Deno.test(needing(programs("mafft"), {
  name: "denofold align makes of a folder of structures the alignment that training takes",
  async fn() {
    const folder = await Deno.makeTempDir();
    const files = ["1znf", "1ard", "2drp1"].map((name) => `${FINGERS}${name}.cif`);
    const { code, stdout, stderr } = await denofold("align", ...files, "--out", `${folder}/a.fasta`, "--json");
    assert.equal(code, 0, stderr);
    assert.deepEqual(JSON.parse(stdout).rows, ["1znf", "1ard", "2drp1"]);
    const structures = await Promise.all(files.map((path) => readStructure(path)));
    const family = pairFamily(
      structures.map((structure) => ({ structure, chain: structure.chains[0] })),
      await readAlignment(`${folder}/a.fasta`),
    );
    assert.deepEqual(family.members.map(({ id }) => id), ["1znf", "1ard", "2drp1"]);
    const one = await denofold("align", files[0], "--out", `${folder}/b.fasta`);
    assert.deepEqual([one.code, /There is 1 sequence, expected two or more/.test(one.stderr)], [1, true]);
    const wrong = await denofold("align", ...files, "--out", `${folder}/b.pdb`);
    assert.deepEqual([wrong.code, /b\.pdb does not end in the format of an alignment/.test(wrong.stderr)], [2, true]);
    await Deno.remove(folder, { recursive: true });
  },
}));
