import type { LossCurve, ReportData, ReportTarget } from "./report_data.ts";

/**
 * Checks that the parts of a report fit together.
 *
 * @throws {RangeError} If a size does not fit, an id comes twice or a number is not finite; names the target and the part.
 */
export function checkReportData(data: ReportData): void {
  if (data.targets.length === 0 && !data.loss) {
    throw new RangeError("Cannot make a report without targets and without a loss: expected one of them at least");
  }
  const ids = new Set<string>();
  for (const target of data.targets) {
    if (ids.has(target.id)) throw new RangeError(`Cannot make a report as target ${target.id} comes twice`);
    ids.add(target.id);
    checkTarget(target);
  }
  if (data.loss) checkLoss("the report", data.loss);
  for (const row of data.leaveOneOut?.rows ?? []) {
    const expected = data.leaveOneOut!.methods.length;
    if (row.values.length !== expected) {
      throw new RangeError(
        `Cannot make a report as leave-one-out row ${row.id} has ${row.values.length} methods: expected ${expected}`,
      );
    }
  }
}

function checkTarget(target: ReportTarget): void {
  const n = target.sequence.length;
  const fail = (part: string, found: string, expected: string) => {
    throw new RangeError(`Cannot make a report as target ${target.id} has ${part} of ${found}: expected ${expected}`);
  };
  if (n === 0) fail("a sequence", "0 residues", "at least one");
  const numbers = target.residueNumbers;
  if (numbers && numbers.length !== n) fail("residue numbers", `${numbers.length} values`, `${n}`);
  for (const key of ["predictedDistances", "trueDistances"] as const) {
    const map = target[key];
    if (!map) continue;
    if (map.length !== n) fail(key, `${map.length} rows`, `${n}`);
    map.forEach((row, i) => row.length === n || fail(key, `${row.length} values in row ${i}`, `${n}`));
  }
  const errors = target.residueErrors;
  if (errors && errors.length !== n) fail("errors by residue", `${errors.length} values`, `${n}`);
  const cap = target.distanceCap;
  if (cap !== undefined && !(cap > 0 && Number.isFinite(cap))) fail("a distance cap", `${cap} Å`, "a number above 0");
  if (target.loss) checkLoss(`target ${target.id}`, target.loss);
}

function checkLoss(owner: string, curve: LossCurve): void {
  for (const [name, series] of [["train", curve.train], ["validation", curve.validation]] as const) {
    if (series && series.step.length !== series.loss.length) {
      throw new RangeError(
        `Cannot make a report as the ${name} loss of ${owner} has ${series.step.length} steps but ${series.loss.length} values`,
      );
    }
  }
}
