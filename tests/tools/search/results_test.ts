import assert from "node:assert/strict";
import { join } from "node:path";
import { ResultFile } from "../../../tools/search/results.ts";

Deno.test("a file of results is taken for the same question, made anew for another, kept from another program", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const file = await ResultFile.in(join(folder, "1znf"), "uniref90_hits.a3m");
    const question = { sequence: "ACD", tool: "jackhmmer", eValue: 1e-4 };
    assert.equal(await file.answers(question), false, "it is not there");
    await file.write(">1znf\nACD\n", question, { found: 1 });
    assert.equal(await file.answers(question), true);
    assert.equal(await file.answers({ ...question, eValue: 1 }), false);
    await assert.rejects(
      file.answers({ ...question, tool: "mmseqs" }),
      /^InputError: .*uniref90_hits\.a3m was made by jackhmmer, not by mmseqs: give another folder with --out$/,
    );
    await Deno.writeTextFile(file.path, ">1znf\nAC\n");
    assert.equal(await file.answers(question), false, "it was changed");
    await Deno.writeTextFile(`${file.path}.json`, "7");
    assert.equal(await file.answers(question), false, "its record is no record");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
