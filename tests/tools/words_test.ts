import assert from "node:assert/strict";
import { camelCase, camelKeys, kebabCase } from "../../tools/words.ts";

Deno.test("camelCase() makes names of JSON of words, flags and other programs' names; kebabCase() goes back", () => {
  const names = {
    "B-factor": "bFactor",
    "E-value": "eValue",
    "corrected MI": "correctedMi",
    "Neff at 80 %": "neffAt80",
    "avg_memory_mb": "avgMemoryMb",
    "n-seq": "nSeq",
    "nSeq": "nSeq",
    "first": "first",
  };
  for (const [text, name] of Object.entries(names)) assert.equal(camelCase(text), name);
  assert.equal(kebabCase("msaDim"), "msa-dim");
  assert.deepEqual(camelKeys({ "c-m": 1, by: 2 }), { cM: 1, by: 2 });
});
