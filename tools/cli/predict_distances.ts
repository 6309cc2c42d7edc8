import type { Command } from "commander";
import { join } from "node:path";
import type { Device, Precision } from "../../core/mod.ts";
import { msaTokens } from "../data/family.ts";
import { readAlignment } from "../data/read_alignment.ts";
import type { Chain } from "../data/structure.ts";
import { InputError, UsageError } from "../errors.ts";
import { fileName, fileNames, writeTogether } from "../files.ts";
import { evaluateFold, type FoldEvaluation } from "../fold/evaluate.ts";
import { findRow } from "../fold/find_row.ts";
import { type Fold, foldDistances } from "../fold/fold.ts";
import { soonestPlace } from "../fold/scale.ts";
import type { DistanceModel } from "../fold/distance_model.ts";
import { predictionReport } from "../fold/prediction_report.ts";
import { checkTruth, readTruth } from "../fold/read_truth.ts";
import { foldFiles } from "../fold/write_fold.ts";
import { readDistanceModel } from "../networks/read_network.ts";
import { adapterName, ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { readFeatureFile } from "../prep/feature_file.ts";
import { type BadTarget, refuseBad } from "../train/examples.ts";
import { chosen, featureAlignment, featureChain, featureEntries, readNames } from "../train/feature_examples.ts";
import { methodTable } from "../train/metric_table.ts";
import { counted } from "../words.ts";
import { commandLine, deviceOption, nonNegativeInteger, precisionOption, tellRemarks } from "./_shared.ts";
import { type StorageFlag, storageOption } from "./_storage.ts";
import { folderForProfile, folderForRun, overwriteOption } from "./_folder.ts";
import { foldLines } from "./_fold_text.ts";
import { addProfileOptions, type ProfileFlags, withProfile } from "./_profile_flags.ts";

const HELP = `
Files in DIR, ID being the row's name: ID_distances.npy (C-beta, C-alpha for glycine; Å, up to 20) and a picture of it (PNG), ID.cif and ID.pdb
(C-beta atoms as the distances place them, C-alpha atoms derived; the B-factor column is 0, as no confidence is predicted),
ID_coordinates.npy (C-alpha), report.html, and metrics.json with --truth. All are written at the end, or none.

With --features there are ID_metrics.json for each target that has a structure, and one report.

The row's own sequence goes in first, then the first other rows of the file, as many as the model was made for. The true
structure is used for the comparison only.

Examples:
  denofold predict-distances --checkpoint run/checkpoint.safetensors --msa fingers.a3m --query 1znf --out prediction
  denofold predict-distances --checkpoint run/checkpoint.safetensors --msa mine.a3m --truth mine.cif:A --out prediction
  denofold predict-distances --checkpoint run/best.safetensors --features features/ --list split/test.csv --out test`;

/** Adds `denofold predict-distances`. */
export function register(program: Command): void {
  const command = program.command("predict-distances")
    .description("predict distances and coordinates from a checkpoint and an alignment")
    .requiredOption("--checkpoint <file>", "a checkpoint that `denofold train` wrote")
    .option("--msa <file>", "alignment: A3M, A2M, aligned FASTA, Stockholm or CLUSTAL")
    .option("--query <name>", "row to predict (default: the first)")
    .option("--truth <structure>", "true structure, FILE or FILE:CHAIN, to compare with")
    .option("--features <dir>", "instead: feature files that denofold prep made, compared with their structures")
    .option("--list <file>", "names of these to predict: a table, FASTA, or .txt with a name a line (default: all)")
    .option("--skip-bad", "leave out feature files that cannot be used, with a warning, instead of ending")
    .option("--out <dir>", "folder for the files (default: prediction, or prediction-2 where that holds a run, ...)")
    .addOption(overwriteOption())
    .option("--seed <n>", "seed of the random starts of scaling (default: the training's)", nonNegativeInteger)
    .addOption(storageOption())
    .addOption(deviceOption())
    .addOption(precisionOption())
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
  addProfileOptions(command);
}

interface Flags extends ProfileFlags {
  checkpoint: string;
  msa?: string;
  query?: string;
  truth?: string;
  features?: string;
  list?: string;
  skipBad?: boolean;
  out?: string;
  overwrite?: boolean;
  seed?: number;
  profileDir?: string;
  storage: StorageFlag;
  device: string;
  precision: Precision;
  json?: boolean;
}

/** One chain to predict. */
interface Target {
  /** Name of its files. */
  readonly id: string;
  readonly sequence: string;
  /** `[N_seq, N_res]`, the target's row first. */
  readonly tokens: Int32Array;
  /** Rows of the alignment that go in. */
  readonly rows: number;
  /** The true structure. */
  readonly chain?: Chain;
}

async function run(flags: Flags): Promise<void> {
  const { checkpoint, msa, features, json } = flags;
  const started = performance.now();
  if ((msa === undefined) === (features === undefined)) throw new UsageError("Give one of --msa and --features");
  if (msa === undefined && (flags.query ?? flags.truth) !== undefined) {
    throw new UsageError(`${flags.query === undefined ? "--truth" : "--query"} goes with --msa`);
  }
  if (features === undefined && (flags.list ?? flags.skipBad) !== undefined) {
    throw new UsageError(`${flags.list === undefined ? "--skip-bad" : "--list"} goes with --features`);
  }
  const model = await readDistanceModel(checkpoint);
  const targets = msa === undefined
    ? await featureTargets(features!, flags, model)
    : [await alignmentTarget(msa, flags, model)];
  const seed = flags.seed ?? trainingSeed(model.facts);
  const out = await folderForRun(flags.out, "prediction", flags);
  const { adapter, notes } = await ensureAdapter({ device: flags.device, install: true });
  if (!json) { for (const note of notes) console.error(note); }
  const device = await openDevice(adapter, { precision: flags.precision });
  try {
    device.intermediates = flags.storage;
    const [{ sequence, rows }] = targets;
    const { result: folds, files: profiled } = await withProfile(flags, device, {
      ...{ name: "predict-distances", settings: { residues: sequence.length, sequences: rows } },
      ...{ folder: await folderForProfile(flags.profileDir, out, flags), silent: json },
    }, () => foldAll(device, model, targets, seed));
    const predicted = targets.map(({ id, rows, chain }, k) => {
      const fold = folds[k];
      return { id, rows, fold, truth: chain && { chain, evaluation: evaluateFold(fold, chain) } };
    });
    const files = new Map<string, Uint8Array | string>();
    const shown = predicted.map((one) => {
      const { id, fold, truth, rows } = one;
      const own = foldFiles(id, { fold, truth, origin: `Predicted by denofold from ${rows} rows of an alignment.` });
      const names = [...own].map(([name, data]) => {
        const final = msa !== undefined && name === `${id}_metrics.json` ? "metrics.json" : name;
        files.set(final, data);
        return final;
      });
      return { ...one, files: names };
    });
    const report = await predictionReport({
      ...{ targets: shown, model, command: commandLine(), seed, adapter: adapterName(adapter) },
      msa: msa === undefined ? { source: features! } : { source: msa, rows },
      seconds: (performance.now() - started) / 1000,
      peakBytes: device.memory.peakAllocatedBytes,
    });
    files.set("report.html", report);
    const paths = [...await writeTogether(out, files), ...profiled];
    print(predicted, paths, { ...flags, out });
  } finally {
    device.close();
  }
}

async function alignmentTarget(msa: string, { query, truth }: Flags, model: DistanceModel): Promise<Target> {
  const alignment = await readAlignment(msa);
  tellRemarks(alignment);
  const row = findRow(alignment, query);
  const { names, rows, tokens } = msaTokens(alignment, row, model.sequences);
  const name = `Row "${alignment.names[row]}" of ${msa}`;
  const sequence = rows[0];
  if (sequence.length < 2) throw new InputError(`${name} has ${sequence.length} residues, expected at least 2`);
  model.checkLength(sequence.length, name);
  const chain = truth === undefined ? undefined : await readTruth(truth, tellRemarks);
  if (chain && truth !== undefined) checkTruth(name, sequence, chain, truth);
  return { id: fileName(alignment.names[row] || "prediction"), sequence, tokens, rows: names.length, chain };
}

/** Targets of feature files; a target whose structure is not known is predicted all the same. */
async function featureTargets(
  folder: string,
  { list, skipBad }: Flags,
  model: DistanceModel,
): Promise<Target[]> {
  const entries = await featureEntries(folder);
  const { found, missing } = list === undefined
    ? { found: entries, missing: [] }
    : chosen(entries, await readNames(list));
  const bad: BadTarget[] = [...missing];
  const targets: Omit<Target, "id">[] = [], ids: string[] = [];
  for (const { id, path } of found) {
    try {
      const file = await readFeatureFile(path);
      const { rows, tokens } = msaTokens(featureAlignment(file, path), 0, model.sequences);
      if (file.sequence.length < 2) throw new InputError(`${path} has 1 residue, expected at least 2`);
      model.checkLength(file.sequence.length, path);
      targets.push({ sequence: file.sequence, tokens, rows: rows.length, chain: featureChain(file) });
      ids.push(id);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      bad.push({ id, reason: error.message });
    }
  }
  refuseBad(bad, { skipBad }, "targets");
  for (const { reason } of bad) console.error(`warning: ${reason}: left out`);
  if (targets.length === 0) throw new InputError(`${folder}: no target is left to predict`);
  const names = fileNames(ids);
  return targets.map((target, k) => ({ ...target, id: names[k] }));
}

/** The seed with which a run folds what it holds out, so that its checkpoint gives the same coordinates. */
function trainingSeed(facts: DistanceModel["facts"]): number {
  return typeof facts.seed === "number" ? facts.seed : 0;
}

async function foldAll(
  device: Device,
  model: DistanceModel,
  targets: readonly Target[],
  seed: number,
): Promise<Fold[]> {
  using _ = device.scope("predict");
  const predict = model.open(device);
  const folds: Fold[] = [];
  for (const { id, sequence, tokens } of targets) {
    const distances = await predict({ tokens, nRes: sequence.length });
    const place = soonestPlace(device, sequence.length);
    folds.push(await foldDistances({ id, sequence, distances, seed, device: place }));
  }
  return folds;
}

interface Predicted {
  readonly id: string;
  readonly fold: Fold;
  readonly truth?: { readonly evaluation: FoldEvaluation };
}

function print(
  predicted: readonly Predicted[],
  paths: readonly string[],
  { msa, out, json }: Flags & { out: string },
): void {
  const methodsOf = ({ truth }: Predicted) => truth ? [{ label: "Prediction", values: truth.evaluation.values }] : [];
  if (json) {
    const shown = predicted.map((one) => {
      const { id, fold: { sequence, stress1, mirror } } = one;
      return { id, sequence, stress1, mirror, methods: methodsOf(one) };
    });
    const all = msa === undefined ? { targets: shown, files: paths } : { ...shown[0], files: paths };
    return console.log(JSON.stringify(all, undefined, 2));
  }
  if (msa !== undefined) console.log(foldLines(predicted[0].fold, methodsOf(predicted[0]), paths));
  else {
    const compared = predicted.flatMap(({ id, truth }) =>
      truth ? [{ label: id, values: truth.evaluation.values }] : []
    );
    if (compared.length > 0) console.log(methodTable("target", compared));
    console.log(`\n${counted(predicted.length, "target")}; files:\n${paths.map((path) => `   ${path}`).join("\n")}`);
  }
  console.log(`\nOpen ${join(out, "report.html")} in a browser.`);
}
