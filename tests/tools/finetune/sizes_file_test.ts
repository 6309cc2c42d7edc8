import assert from "node:assert/strict";
import { join } from "node:path";
import { readSizes } from "../../../tools/finetune/sizes_file.ts";

async function read(text: string) {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "sizes.json");
    await Deno.writeTextFile(path, text);
    return await readSizes(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("sizes of a network are read from JSON", async () => {
  const sizes = {
    cM: 16,
    cExtra: 8,
    maskTrans: true,
    templates: { nBlock: 1, embedAngles: false },
    heads: { tm: false },
  };
  assert.deepEqual(await read(JSON.stringify(sizes)), sizes);
  assert.deepEqual(await readSizes(undefined), {});
  assert.deepEqual(await read(await Deno.readTextFile("examples/contacts/sizes.json")).then(({ cS }) => cS), 32);
});

Deno.test("mistakes in a file of sizes are told with file, line and near names", async () => {
  for (
    const [text, message] of [
      ['{\n  "cM": 16,\n  "cm": 3\n}', /sizes\.json line 3: there is no size cm; near: cM/],
      ['{ "evoformer": {\n  "nBlocks": 2 } }', /line 2: there is no size evoformer\.nBlocks; near: nBlock/],
      ['{ "evoformer": {\n  "cM": 2 } }', /line 2: there is no size evoformer\.cM/],
      ['{\n"cZ": "16" }', /line 2: cZ is "16", expected a number/],
      ['{ "heads": { "tm": 1 } }', /line 1: heads\.tm is 1, expected true or false/],
      ['{ "evoformer": 2 }', /line 1: evoformer is an object with sizes of that part/],
      ['{ "cM": 1,\n"cM": 2 }', /line 2: Map keys must be unique/],
      ['{ "cM": -1 }', /sizes\.json: .* cM must be a positive integer, got -1/],
      ["[1]", /sizes\.json is no JSON object with sizes/],
    ] as const
  ) {
    await assert.rejects(() => read(text), { name: "InputError", message }, text);
  }
});
