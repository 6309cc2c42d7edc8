import assert from "node:assert/strict";
import { parseHhr } from "../../../tools/data/hhr.ts";
import { warningsOf } from "../../../tools/data/remarks.ts";
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

Deno.test("parseHhr() refuses a file whose hits do not fit, and names the line", () => {
  const one = LINES.slice(0, LINES.indexOf("No 2"));
  const change = (line: number, text?: string) =>
    [...one.slice(0, line - 1), ...(text === undefined ? [] : [text]), ...one.slice(line)].join("\n");
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

Deno.test("parseHhr() leaves a hit out that does not fit, and reads the others", () => {
  const { hits, ...rest } = parseHhr(LINES.join("\n").replace("GH-IKL", "GH?IKL"), "a.hhr");
  assert.deepEqual(hits.map(({ name }) => name), ["2xyz_B"]);
  assert.deepEqual(warningsOf(rest), [
    'a.hhr line 22: found "Q query             8 GH?IKL   12 (40)", expected a number, residues, a number and (a length): ' +
    "the hit is left out",
  ]);
  const cut = parseHhr(LINES.slice(0, -6).join("\n"), "a.hhr");
  assert.deepEqual([cut.hits.length, cut.remarks?.map(({ key, count }) => [key, count])], [1, [["oddHit", 1]]]);
});

Deno.test("parseHhr() passes over annotation, tells a query called Consensus from one, and reads nan as 0", () => {
  const annotated = HHR_TEXT.replace(
    "Q ss_pred             CCHHHH",
    "Q ss_pred             CCHHHH\nQ ss_conf             987654\nQ sa_pred             001100",
  );
  assert.deepEqual(parseHhr(annotated, "a.hhr"), parseHhr(HHR_TEXT, "a.hhr"));
  const named = HHR_TEXT.replace("Query         a query with words", "Query         Consensus of a family").replaceAll(
    /^Q query {5}/gm,
    "Q Consensus ",
  );
  assert.deepEqual(parseHhr(named, "a.hhr").hits, parseHhr(HHR_TEXT, "a.hhr").hits);
  const template = HHR_TEXT.replace(">2xyz_B", ">Consensus of a family").replace(
    "T 2xyz_B            1 MN",
    "T Consensus         1 MN",
  )
    .replace("(2)\n", "(2)\nT Consensus         1 mn    2 (2)\n");
  assert.deepEqual(parseHhr(template, "a.hhr").hits[1].hitSequence, "MN");
  const { hits: [hit], remarks } = parseHhr(
    HHR_TEXT.replace("Similarity=-0.125  Sum_probs=7.5", "Similarity=nan  Sum_probs=-nan"),
    "a.hhr",
  );
  assert.deepEqual([hit.similarity, hit.sumProbs], [0, 0]);
  assert.deepEqual(remarks?.map(({ key, count, line }) => [key, count, line]), [["noNumber", 2, 10]]);
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
