/**
 * What is to be beaten by a network that predicts contacts of residues: the mean of a residue's kind over the training set.
 *
 *     deno run -A examples/contacts/by_residue_type.ts RUN FOLDER...
 */
import { parse } from "csv-parse/sync";
import { basename, join } from "node:path";
import process from "node:process";
import { meanOf } from "../../core/statistics.ts";
import { bootstrapIntervals, regressionMetrics } from "../../finetune/mod.ts";
import { readStructure } from "../../tools/data/mod.ts";
import { structureFiles } from "../../tools/data/structure_files.ts";

const [run, ...folders] = process.argv.slice(2);
const text = await Deno.readTextFile(join(run, "predictions_residue_contacts.csv"));
const rows = parse(text, { columns: true }) as { id: string; set: string; residue: string; label: string }[];
const sequences = new Map<string, string>();
for (const path of await structureFiles(folders)) {
  const id = basename(path).replace(/\.(pdb|cif)(\.gz)?$/, "").toLowerCase();
  if (!rows.some((row) => row.id === id)) continue;
  const { chains: [{ sequence }] } = await readStructure(path);
  sequences.set(id, sequence);
}
const known = rows.filter(({ label }) => label !== "").map(({ id, set, residue, label }) => {
  return { id, set, label: Number(label), kind: sequences.get(id)![Number(residue) - 1] };
});
const train = Map.groupBy(known.filter(({ set }) => set === "train"), ({ kind }) => kind);
const all = meanOf([...train.values()].flat().map(({ label }) => label));
const validation = known.filter(({ set }) => set === "validation");
const predictions = validation.map(({ kind }) => meanOf(train.get(kind)?.map(({ label }) => label) ?? [all]));
const labels = validation.map(({ label }) => label);
const { n, pearson, rmse } = regressionMetrics(predictions, labels);
const groups = validation.map(({ id }) => id);
const [low, high] = bootstrapIntervals(predictions, labels, { groups, resamples: 500 }).pearson;
console.log(
  `mean by kind of residue: n=${n} pearson=${pearson.toFixed(3)} (${low.toFixed(2)} to ${high.toFixed(2)}) ` +
    `rmse=${rmse.toFixed(3)}`,
);
