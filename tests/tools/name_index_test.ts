import assert from "node:assert/strict";
import { NameIndex } from "../../tools/name_index.ts";

Deno.test("NameIndex finds names as programs leave them: ranges, endings of files, capitals", () => {
  const names = new NameIndex(["1A0L_A/1-223", "d1cih__.pdb", "3ldh.cif.gz", "AB", "ab", "sp|P1|X"]);
  for (
    const [text, name] of [
      ["1A0L_A", "1A0L_A/1-223"],
      ["1a0l_a", "1A0L_A/1-223"],
      ["1A0L_A/5-9", "1A0L_A/1-223"],
      ["d1cih__", "d1cih__.pdb"],
      ["d1cih__.pdb.gz", "d1cih__.pdb"],
      ["3LDH", "3ldh.cif.gz"],
      ["AB", "AB"],
      ["ab", "ab"],
      ["sp_P1_X", "sp|P1|X"],
    ]
  ) assert.equal(names.find(text), name, text);
  assert.equal(names.find("Ab"), undefined); // two are meant
  assert.equal(names.find(".pdb"), undefined);
});
