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
    assert.match(whole.warnings[0], /1 of 5 residues are none of the 20 amino acids; they are kept as X/);
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
