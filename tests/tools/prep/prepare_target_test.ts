import assert from "node:assert/strict";
import { join } from "node:path";
import { InputError } from "../../../tools/errors.ts";
import { collectTargets } from "../../../tools/prep/collect_targets.ts";
import { encodeFeatureFile, parseFeatureFile } from "../../../tools/prep/feature_file.ts";
import { prepareTarget } from "../../../tools/prep/prepare_target.ts";
import { CIF_TEXT, PDB_TEXT } from "../data/_structures.ts";
import { familyOf, withFiles } from "./_inputs.ts";

Deno.test("prepareTarget() lays a structure with missing residues along the sequence, and names what differs", () =>
  withFiles({ "x.cif": CIF_TEXT, "ab.a3m": familyOf("AAGMSWXAA"), "no.a3m": familyOf("AAGMSWXAC") }, async (folder) => {
    const structure = join(folder, "x.cif"); // GMSWX, W not observed
    const whole = await prepareTarget({ id: "x", structure });
    assert.deepEqual([whole.sequence, whole.chain, whole.observedResidues], ["GMSWX", "X", 4]);
    assert.match(
      whole.warnings[0],
      /x\.cif: 1 of 5 residues are none of the 20 amino acids \(X at 5\); they are kept as X$/,
    );
    const sequence = "AAGMSWKAA";
    const laid = await prepareTarget({ id: "x", structure, sequence, sequenceSource: "t.csv line 2" });
    assert.equal(laid.observedResidues, 4);
    const mask = laid.supervised?.all_atom_mask ?? new Float32Array();
    assert.deepEqual(Array.from({ length: 9 }, (_, i) => mask[37 * i + 1]).join(""), "001110100");
    assert.deepEqual(
      laid.supervised?.all_atom_positions.slice(37 * 3 * 4, 37 * 3 * 5),
      whole.supervised?.all_atom_positions.slice(37 * 3 * 2, 37 * 3 * 3),
    );
    const refuse = async (target: Parameters<typeof prepareTarget>[0], message: RegExp, strict = false) => {
      await assert.rejects(() => prepareTarget(target, { strict }), (error) => {
        assert(error instanceof InputError);
        assert.match(error.message, message);
        return true;
      });
    };
    await refuse(
      { id: "x", structure, sequence: "GMTWX", sequenceSource: "t.csv line 2" },
      /Chain X of .*x\.cif \(5 residues\) does not fit the sequence of t\.csv line 2 \(5 residues\).*: residue 3 is S, expected T/,
    );
    await refuse({ id: "x", structure, chain: "Q" }, /has no protein chain Q: it has X \(5 residues\)/);
    await refuse(
      { id: "x", sequence, sequenceSource: "t.csv line 2", alignments: [{ path: join(folder, "no.a3m") }] },
      /The row "query" of .*no\.a3m is not the sequence of t\.csv line 2: residue 9 is C in the alignment, expected A/,
    );
    await refuse(
      { id: "x", alignments: [{ path: join(folder, "ab.a3m") }, { path: join(folder, "no.a3m") }] },
      /The row "query" of .*no\.a3m is not the sequence of .*ab\.a3m: residue 9 is C in the alignment, expected A/,
    );
    await refuse({ id: "x" }, /There is nothing of x but its name/);
    await refuse({ id: "x", structure }, /kept as X/, true);
  }));

Deno.test("letters outside the alphabet become X, with file, line, letter and place; with strict an error", () =>
  withFiles({ "t.fasta": ">plain\nMKTAY\n>odd\nMUTUB\nUJKUA\n" }, async (folder) => {
    const { targets } = await collectTargets([join(folder, "t.fasta")]);
    const odd = targets.find(({ id }) => id === "odd")!;
    const { features, warnings, sequence } = await prepareTarget(odd);
    const expected =
      /t\.fasta line 3: 6 of 10 residues are none of the 20 amino acids \(U at 2, 4, 6 …, B at 5, J at 7\); they are kept as X$/;
    assert.match(warnings[0], expected);
    assert.equal(sequence, "MUTUBUJKUA");
    const X = 20;
    assert.deepEqual(Array.from(features.aatype, (type) => type === X ? "X" : ".").join(""), ".X.XXXX.X.");
    await assert.rejects(
      () => prepareTarget(odd, { strict: true }),
      (error) => error instanceof InputError && expected.test(error.message),
    );
  }));

Deno.test("a template that cannot be read or does not align is left out with a warning, with strict an error", () => {
  const query = "MKTAYIAKQRGDWGMSWSA";
  const files = { "bad.cif": "data_x\n", "far.cif": CIF_TEXT, "t.fasta": `>t\n${query}\n` };
  return withFiles(files, async (folder) => {
    const path = (name: string) => join(folder, name);
    const prepare = (ownTemplates: string[], strict = false) =>
      prepareTarget({ id: "t", sequence: query }, { ownTemplates: ownTemplates.map(path), strict });
    const { features, warnings } = await prepare(["bad.cif", "none.cif", "far.cif"]);
    assert.equal(features.template_domain_names.length, 0);
    const told = warnings.filter((warning) => /template/i.test(warning)).map((text) => text.replaceAll(folder, ""));
    assert.equal(told.length, 3);
    assert.match(told[0], /^The template \/bad\.cif cannot be used: Cannot read \/bad\.cif as mmCIF/);
    assert.match(told[1], /^The template \/none\.cif cannot be used: Cannot read \/none\.cif: there is no such file/);
    assert.match(told[2], /^The template \/far\.cif cannot be used: its chain X aligns with \d of the 19 residues$/);
    for (const name of ["bad.cif", "none.cif", "far.cif"]) {
      await assert.rejects(
        () => prepare([name], true),
        (error) => error instanceof InputError && /The template .* cannot be used: /.test(error.message),
      );
    }
  });
});

Deno.test("of several chains the one that is named or fits is taken, else the longest with a warning", () =>
  withFiles({ "1tst.pdb": PDB_TEXT }, async (folder) => { // X GMSWSA, Y V
    const structure = join(folder, "1tst.pdb");
    const take = async (target: object, strict = false) => {
      const { chain, sequence, warnings } = await prepareTarget({ id: "t", structure, ...target }, { strict });
      return [chain, sequence, warnings.length];
    };
    assert.deepEqual(await take({}), ["X", "GMSWSA", 2]);
    assert.match(
      (await prepareTarget({ id: "t", structure })).warnings[0],
      /1tst\.pdb has the chains X \(6\), Y \(1\); the longest, X, is taken/,
    );
    await assert.rejects(() => take({}, true), /the longest, X, is taken/);
    assert.deepEqual(await take({ chain: "Y" }), ["Y", "V", 1]);
    assert.deepEqual(await take({ id: "1tst_Y" }), ["Y", "V", 1]);
    assert.deepEqual(await take({ sequence: "AVA" }), ["Y", "AVA", 1]);
    await assert.rejects(() => take({ sequence: "KKK" }), /None of the 2 chains of .*1tst\.pdb fits the sequence/);
    const collected = await collectTargets([folder]);
    assert.deepEqual(collected.targets.map(({ id }) => id), ["1tst"]);
  }));

Deno.test("a feature file that is damaged, of another version or no feature file is refused", async () => {
  const bytes = encodeFeatureFile(await prepareTarget({ id: "x", sequence: "ACDEF", label: 2.5 }));
  const { features, label, depth, supervised } = parseFeatureFile(bytes, "x");
  assert.deepEqual([label, depth.sequences, supervised], [2.5, 1, undefined]);
  assert.equal(features.template_all_atom_positions.length, 0);
  assert.deepEqual([...features.aatype], [0, 4, 3, 6, 13]);
  const edited = (from: string, to: string): Uint8Array => {
    const text = new TextDecoder("latin1").decode(bytes);
    const at = text.indexOf(from);
    assert(at > 0 && from.length === to.length, from);
    const copy = bytes.slice();
    copy.set(new TextEncoder().encode(to), at);
    return copy;
  };
  const damaged = bytes.slice();
  damaged[damaged.length - 1] ^= 1;
  const cases: [Uint8Array, RegExp][] = [
    [damaged, /^Cannot read x as safetensors: its checksum is/],
    [bytes.slice(0, 100), /^Cannot read x as safetensors: .* cut short/],
    [edited('"version":"3"', '"version":"9"'), /^x holds features of version 9, expected features of version 3/],
    [edited("denofold.features", "somebodys.feature"), /^x holds other tensors/],
    [edited('"report":"{', '"report":"?'), /^Cannot read x: "report" in its header is damaged/],
    [edited('"sequence":"ACDEF"', '"sequence":"ACDE" '), /its sequence has another length/],
  ];
  for (const [content, message] of cases) {
    assert.throws(() => parseFeatureFile(content, "x"), (error) => {
      assert(error instanceof InputError);
      assert.match(error.message, message);
      return true;
    });
  }
});
