import assert from "node:assert/strict";
import { Fuzzer } from "./fuzz.ts";
import { mutate } from "./mutate.ts";
import { READERS } from "./readers.ts";

/** Inputs for each reader; `deno task fuzz` gives more. */
const COUNT = 150;

for (const name of Object.keys(READERS)) {
  Deno.test(`the reader ${name} reads its samples, and takes ${COUNT} spoilt files as it should`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const fuzzer = await Fuzzer.open(name, folder, 7);
      await fuzzer.readSamples();
      for (let index = 0; index < COUNT; index++) assert.equal(await fuzzer.run(index), undefined);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}

Deno.test("mutate() is decided by its seed, changes nearly every input, and leaves the original as it is", () => {
  const original = new TextEncoder().encode(">a 12\nMKVLAG\n>b 3.5\nMKV-AG\n");
  const before = original.slice();
  const seen = new Set<string>();
  let changed = 0;
  for (let seed = 0; seed < 400; seed++) {
    const one = mutate(original, seed);
    assert.deepEqual(mutate(original, seed), one);
    for (const name of one.done) seen.add(name);
    if (one.bytes.length !== before.length || one.bytes.some((byte, i) => byte !== before[i])) changed++;
  }
  assert.deepEqual(original, before);
  assert.ok(changed > 350, `${changed} of 400 changed`);
  assert.equal(seen.size, 14);
});
