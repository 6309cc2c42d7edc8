import assert from "node:assert/strict";
import { join } from "node:path";
import { examplesFolder, exampleTexts } from "../../../tools/platform/examples.ts";

Deno.test("examplesFolder() of the sources holds what exampleTexts() embeds into a bundle", async () => {
  const folder = await examplesFolder();
  const texts = await exampleTexts();
  for (const [path, text] of Object.entries(texts)) {
    assert.ok(!path.startsWith("/") && !path.includes("\\"), path);
    assert.equal(await Deno.readTextFile(join(folder, path)), text, path);
  }
  assert.ok((await Deno.stat(folder)).isDirectory);
});
