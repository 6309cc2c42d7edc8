import assert from "node:assert/strict";
import { Mt19937 } from "../../tools/data/mt19937.ts";
import { READERS } from "./readers.ts";
import { RewriteFuzzer, REWRITERS } from "./rewrite.ts";
import { renumbered, shuffled, wrapped } from "./rewrite_text.ts";

/** Files for each reader; `deno task fuzz --rewrite` gives more. */
const COUNT = 40;

for (const name of Object.keys(REWRITERS)) {
  Deno.test(`the reader ${name} reads the same in ${COUNT} files that say it in other words`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const fuzzer = await RewriteFuzzer.open(name, folder, 7);
      const seen = new Set<string>();
      for (let index = 0; index < COUNT; index++) {
        assert.equal(await fuzzer.run(index), undefined);
        seen.add((await fuzzer.input(index)).bytes.toString());
      }
      assert.ok(seen.size > COUNT / 2, `${seen.size} different files`);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("every reader but that of checkpoints has a rewriter", () => {
  assert.deepEqual(Object.keys(READERS).filter((name) => !(name in REWRITERS)), ["checkpoint"]);
});

Deno.test("a file that says something else is a finding", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const fuzzer = await RewriteFuzzer.open("fasta", folder, 1);
    const input = await fuzzer.input(3);
    fuzzer.input = () => Promise.resolve({ ...input, bytes: new TextEncoder().encode(">A\nMKV\n") });
    assert.match((await fuzzer.run(3))?.what ?? "", /deep-equal/);
    fuzzer.input = () => Promise.resolve({ ...input, bytes: new TextEncoder().encode("MKV\n") });
    assert.match((await fuzzer.run(3))?.what ?? "", /input\.fasta/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("what rewrites text keeps letters, numbers and members", () => {
  for (let seed = 0; seed < 200; seed++) {
    const dice = new Mt19937(seed);
    assert.equal(wrapped(dice, "MKVLAGYWTRDEFGHIK").join(""), "MKVLAGYWTRDEFGHIK");
    assert.deepEqual(shuffled(dice, [1, 2, 3, 4, 5]).sort(), [1, 2, 3, 4, 5]);
    for (const number of ["12.500", "-0.001", "7"]) assert.equal(Number(renumbered(dice, number)), Number(number));
  }
});
