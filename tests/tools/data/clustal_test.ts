import assert from "node:assert/strict";
import { parseAlignment } from "../../../tools/data/read_alignment.ts";
import { warningsOf } from "../../../tools/data/remarks.ts";

const CLUSTAL = `CLUSTAL O(1.2.4) multiple sequence alignment


1abc_A.pdb      MKT-AYIAKQ 9
odd             MKTXAYI--Q 8
other/3-10      -rtGAYLA.~ 7
                 :* **:*

1abc_A.pdb      RQ-- 11
odd             R*QR 12
other/3-10      KQDE 11
                :
`;

Deno.test("CLUSTAL: blocks, counts and marks are read, an odd row is left out with its line", () => {
  const read = parseAlignment(CLUSTAL, "a.aln");
  assert.deepEqual(read.names, ["1abc_A.pdb", "other/3-10"]);
  assert.deepEqual(read.aligned, ["MKT-AYIAKQRQ--", "-RTGAYLA--KQDE"]);
  assert.deepEqual(read.rows, ["MKTAYIAKQRQ", "-RTAYLA--KQ"]);
  assert.deepEqual(warningsOf(read), [
    `a.aln line 10: row "odd" has "*" at column 2 of the line, expected a letter or '-': the row is left out`,
  ]);
});

Deno.test("CLUSTAL: a name that stands twice in a block is two rows, a block of one row of too few columns leaves it out", () => {
  const twice = parseAlignment("MUSCLE (3.8) multiple sequence alignment\n\na MK\na MR\n\na T-\na TT\n", "m.clw");
  assert.deepEqual(twice.aligned, ["MKT-", "MRTT"]);
  const short = parseAlignment("CLUSTAL W\n\na MK\nb MR\nc MR\n\na TT\nb TT\n", "w.aln");
  assert.deepEqual(short.names, ["a", "b"]);
  assert.match(warningsOf(short)[0], /w\.aln line 5: row 3 "c" has 2 columns, expected 4/);
});

Deno.test("CLUSTAL: what is no row is refused with its line", () => {
  assert.throws(() => parseAlignment("CLUSTAL\n\nalone\n", "a.aln"), /a\.aln line 3: expected a name and its letters/);
  assert.throws(() => parseAlignment("CLUSTAL\n\n", "a.aln"), /a\.aln has no rows/);
});
