import assert from "node:assert/strict";
import { parseHhr } from "../../../tools/data/hhr.ts";
import { InputError } from "../../../tools/errors.ts";
import { HHR_TEXT } from "./_hits.ts";

const LINES = HHR_TEXT.split("\n");

Deno.test("parseHhr() reads every field of hits over several blocks, with gaps", () => {
  const { hits, ...facts } = parseHhr(LINES.join("\r\n"), "a.hhr");
  assert.deepEqual(facts, { source: "a.hhr", query: "a query with words", queryLength: 40 });
  assert.equal(hits.length, 2);
  assert.deepEqual(hits[0], {
    index: 1,
    name: "1ABC_A First; with = signs {Homo sapiens}",
    probability: 98.5,
    eValue: 1.2e-10,
    score: 50.5,
    alignedColumns: 8,
    identities: 25,
    similarity: -0.125,
    sumProbs: 7.5,
    templateNeff: 4.5,
    query: "ACDE-FGH-IKL",
    hitSequence: "AC-EKFGHWIXL",
    queryIndices: Int32Array.of(2, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11),
    hitIndices: Int32Array.of(1, 2, -1, 3, 4, 5, 6, 7, 8, 9, 10, 11),
    hitLength: 99,
  });
  assert.equal(hits[1].sumProbs, 0);
  assert.equal(hits[1].templateNeff, undefined);
  assert.deepEqual(hits[1].queryIndices, Int32Array.of(39997, 39998));
});

Deno.test("parseHhr() reads a file without hits", () => {
  assert.deepEqual(parseHhr(LINES.slice(0, 3).join("\n"), "a.hhr").hits, []);
});

Deno.test("parseHhr() refuses what does not fit, and names the line", () => {
  const change = (line: number, text?: string) =>
    [...LINES.slice(0, line - 1), ...(text === undefined ? [] : [text]), ...LINES.slice(line)].join("\n");
  const cases: [string, RegExp][] = [
    ["", /^a\.hhr is empty, expected HHR/],
    ["\n>1ABC_A\nACDE", /line 2: found ">1ABC_A", expected "Query"/],
    [change(8, "No one"), /line 8: found "No one", expected "No" and a number/],
    [change(9, "1ABC_A"), /line 9: .* expected ">"/],
    [change(10, "Probab=high  E-value=1"), /line 10: .* expected Probab= and a number/],
    [change(10, LINES[9].replace("25%", "25")), /line 10: .* expected Identities= and a number/],
    [change(13, "Q query             3 ACDE-F    8 (40)"), /line 13: .* expected 5 residues between their numbers/],
    [change(13, "Q query             0 ACDE-F    4 (40)"), /line 13: .* expected 5 residues/],
    [change(13, "Q query             3 ACDE-F    7 (6)"), /line 13: .* inside a sequence of 6/],
    [change(13, "Q query             3 AC?E-F    7 (40)"), /line 13: .* expected a number, residues/],
    [change(17), /line 8: the alignment has 12 columns of the query and 6 of the template, expected equally many/],
    [LINES.slice(0, 10).join("\n"), /line 10: found the end of the alignment, expected lines of aligned residues/],
    [LINES.slice(0, 8).join("\n"), /line 8: found the end of the alignment, expected ">"/],
  ];
  for (const [text, message] of cases) {
    assert.throws(() => parseHhr(text, "a.hhr"), (error) => {
      assert(error instanceof InputError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("parseHhr() reads a large file, and refuses damaged ones quickly without another kind of error", () => {
  const hit = LINES.slice(7, LINES.indexOf("No 2"));
  const large = [...LINES.slice(0, 7), ...Array.from({ length: 300 }, () => hit).flat()].join("\n");
  assert(large.length > 150_000);
  assert.equal(parseHhr(large, "a.hhr").hits.length, 300);
  const text = LINES.join("\n");
  const odd = "\0\uFFFF9-=\n>(";
  for (let k = 0; k < 3000; k++) {
    const at = (k * 7919) % text.length;
    const cut = k % 3 === 0 ? text.slice(0, at) : text.slice(0, at) + odd[k % odd.length] + text.slice(at + (k % 5));
    try {
      for (const { queryIndices, hitIndices, query, hitSequence } of parseHhr(cut, "a.hhr").hits) {
        assert.equal(queryIndices.length, query.length);
        assert.equal(hitIndices.length, hitSequence.length);
      }
    } catch (error) {
      assert(error instanceof InputError, String(error));
    }
  }
});
