import assert from "node:assert/strict";
import { verdict } from "../../../tools/report/page/metrics.ts";
import { type ScoredMethod, STANDARD_METRICS } from "../../../tools/report/report_data.ts";

Deno.test("verdict() counts measures that beat the best naive answer, ties as they are shown not among them", () => {
  const methods = (caRmsd: number, lddt: number): ScoredMethod[] => [
    { label: "Prediction", values: { caRmsd, lddt, tmScore: null } },
    { label: "A", values: { caRmsd: 2, lddt: 0.7 } },
    { label: "B", values: { caRmsd: 3, lddt: 0.8, tmScore: 0.5 } },
  ];
  const say = (caRmsd: number, lddt: number) => verdict(methods(caRmsd, lddt), STANDARD_METRICS);
  assert.equal(say(1.5, 0.9), "The prediction beats the naive answers (A and B) in all 2 measures.");
  assert.equal(
    say(1.5, 0.75),
    "The prediction beats the best of the naive answers (A and B) in 1 of 2 measures: Cα RMSD; in the others it does not.",
  );
  assert.equal(say(1.999, 0.8), "The prediction does not beat the naive answers (A and B) in any of 2 measures.");
});
