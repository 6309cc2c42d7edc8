/** Training, validation and test set of a table. */
import { InputError } from "../errors.ts";
import { clusterRecords } from "../split/cluster_records.ts";
import { columnIndex, readSplitRecords } from "../split/records.ts";
import { splitRecords, type SplitReport } from "../split/split.ts";
import { TASK } from "./label_tasks.ts";
import type { FinetuneOptions } from "./options.ts";
import type { ReadableTarget } from "./targets.ts";

/** Names of the sets. */
export const SETS = ["train", "validation", "test"] as const;

/** Proteins by set. */
export type Sets = Readonly<Record<typeof SETS[number], readonly ReadableTarget[]>>;

/**
 * Splits proteins as `denofold split` does.
 *
 * @returns Families are by name, where the table has a column of them.
 * @throws {InputError} If a set that was asked for is empty, the training labels are all the same, or what the split needs
 * is missing.
 */
export async function makeSets(
  targets: readonly ReadableTarget[],
  options: Pick<FinetuneOptions, "data" | "split" | "identity" | "validation" | "test" | "fit">,
): Promise<{ sets: Sets; report: SplitReport; families: ReadonlyMap<string, string> }> {
  const { data, split: by, identity, validation, test, fit: { seed } } = options;
  if (!(validation + test < 1)) {
    throw new InputError(`Validation (${validation}) and test (${test}) leave nothing to train on`);
  }
  const table = await readSplitRecords(data);
  const targetOf = new Map(targets.flatMap((target) => target.rows.map(({ place }) => [place, target])));
  const records = table.records.flatMap((record) => {
    const target = targetOf.get(record.place);
    return target ? [{ ...record, sequences: [target.sequence] }] : [];
  });
  const clusters = by === "identity" ? await clusterRecords(records, { identity, tool: "own" }) : undefined;
  const fractions = [1 - validation - test, validation, test];
  const { setOf, report } = splitRecords({ ...table, records }, {
    ...{ by, names: SETS, fractions, seed, identity, clusters },
  });
  const sets = Object.fromEntries(
    SETS.map((name, i): [string, readonly ReadableTarget[]] => [
      name,
      [...new Set(records.flatMap(({ place }, row) => (setOf[row] === i ? [targetOf.get(place)!] : [])))],
    ]),
  ) as Sets;
  SETS.forEach((name, i) => {
    if (fractions[i] > 0 && sets[name].length === 0) {
      throw new InputError(
        `The ${name} set is empty: ${records.length} rows in ${report.groups.count} groups are too few for a part of ` +
          `${fractions[i].toPrecision(2)}${i > 0 ? `; --${name === "test" ? "test" : "val"} 0 does without` : ""}`,
      );
    }
  });
  const all = sets.train.flatMap(({ rows }) => rows.map(({ label = NaN, labels = { [TASK]: [label] } }) => labels));
  for (const name of Object.keys(all[0])) {
    const known = all.flatMap((labels) => labels[name].filter((label) => !Number.isNaN(label)));
    if (!known.length) throw new InputError(`No training label of ${name} in ${data} is known`);
    if (known.length > 1 && known.every((label) => label === known[0])) {
      const of = name === TASK ? "" : ` of ${name}`;
      throw new InputError(
        `All ${known.length} training labels${of} of ${data} are ${known[0]}: there is nothing to learn`,
      );
    }
  }
  const column = columnIndex(table, "family");
  const families = column === undefined ? [] : records.map(({ id, cells }) => [id, cells[column]] as const);
  // A set that nobody asked for is empty, which is nothing to warn of.
  const unasked = SETS.filter((_, i) => fractions[i] === 0).map((name) => `The set ${name} is empty`);
  const warnings = report.warnings.filter((warning) => !unasked.some((begin) => warning.startsWith(begin)));
  return { sets, report: { ...report, warnings }, families: new Map(families) };
}
