import type { Command } from "commander";
import { join } from "node:path";
import { msaTokens } from "../data/family.ts";
import { readAlignment } from "../data/read_alignment.ts";
import { InputError } from "../errors.ts";
import { fileName, writeTogether } from "../files.ts";
import { evaluateFold } from "../fold/evaluate.ts";
import { findRow } from "../fold/find_row.ts";
import { foldDistances } from "../fold/fold.ts";
import { checkLength, predictDistances, readTrainedModel } from "../fold/predict.ts";
import { predictionReport } from "../fold/prediction_report.ts";
import { checkTruth, readTruth } from "../fold/read_truth.ts";
import { foldFiles } from "../fold/write_fold.ts";
import { adapterName, ensureAdapter } from "../platform/driver.ts";
import { openDevice } from "../platform/open_device.ts";
import { commandLine, deviceOption, nonNegativeInteger, tellRemarks } from "./_shared.ts";
import { type StorageFlag, storageOption } from "./_storage.ts";
import { foldLines } from "./_fold_text.ts";
import { addProfileOptions, type ProfileFlags, withProfile } from "./_profile_flags.ts";

const HELP = `
Files in DIR, ID being the row's name: ID_distances.npy (C-beta, C-alpha for glycine; Å, up to 20), ID.cif and ID.pdb
(C-beta atoms as the distances place them, C-alpha atoms derived; the B-factor column is 0, as no confidence is predicted),
ID_coordinates.npy (C-alpha), report.html, and metrics.json with --truth. All are written at the end, or none.

The row's own sequence goes in first, then the first other rows of the file, as many as the model was made for. The true
structure is used for the comparison only.

Examples:
  denofold predict-distances --checkpoint run/checkpoint.safetensors --msa fingers.a3m --query 1znf --out prediction
  denofold predict-distances --checkpoint run/checkpoint.safetensors --msa mine.a3m --truth mine.cif:A --out prediction`;

/** Adds `denofold predict-distances`. */
export function register(program: Command): void {
  const command = program.command("predict-distances")
    .description("predict distances and coordinates from a checkpoint and an alignment")
    .requiredOption("--checkpoint <file>", "a checkpoint that `denofold train` wrote")
    .requiredOption("--msa <file>", "alignment: A3M, aligned FASTA or Stockholm")
    .option("--query <name>", "row to predict (default: the first)")
    .option("--truth <structure>", "true structure, FILE or FILE:CHAIN, to compare with")
    .option("--out <dir>", "folder for the files", "prediction")
    .option("--seed <n>", "seed of the random starts of scaling", nonNegativeInteger, 0)
    .addOption(storageOption())
    .addOption(deviceOption())
    .option("--json", "print one JSON object instead of text")
    .addHelpText("after", HELP)
    .action(run);
  addProfileOptions(command);
}

interface Flags extends ProfileFlags {
  checkpoint: string;
  msa: string;
  query?: string;
  truth?: string;
  out: string;
  seed: number;
  profileDir?: string;
  storage: StorageFlag;
  device: string;
  json?: boolean;
}

async function run(flags: Flags): Promise<void> {
  const { checkpoint, msa, query, truth, out, seed, device: wish, json } = flags;
  const started = performance.now();
  const model = await readTrainedModel(checkpoint);
  const alignment = await readAlignment(msa);
  tellRemarks(alignment);
  const row = findRow(alignment, query);
  const { names, rows, tokens } = msaTokens(alignment, row, model.config.nSeqs);
  const name = `Row "${alignment.names[row]}" of ${msa}`;
  const sequence = rows[0];
  if (sequence.length < 2) throw new InputError(`${name} has ${sequence.length} residues, expected at least 2`);
  checkLength(sequence.length, model.config, name);
  const chain = truth === undefined ? undefined : await readTruth(truth, tellRemarks);
  if (chain && truth !== undefined) checkTruth(name, sequence, chain, truth);

  const { adapter, notes } = await ensureAdapter({ device: wish, install: true });
  if (!json) { for (const note of notes) console.error(note); }
  const device = await openDevice(adapter);
  try {
    device.intermediates = flags.storage;
    const id = fileName(alignment.names[row] || "prediction");
    const { result: fold, files: profiled } = await withProfile(flags, device, {
      ...{ name: "predict-distances", settings: { residues: sequence.length, sequences: names.length } },
      ...{ folder: flags.profileDir ?? out, silent: json },
    }, async () => {
      using scope = device.scope("predict");
      void scope;
      const nRes = sequence.length;
      const distances = await predictDistances(device, model.load(device), model.config, { tokens, nRes });
      return await foldDistances({ id, sequence, distances, seed, device });
    });
    const compared = chain && { chain, evaluation: evaluateFold(fold, chain) };
    const report = await predictionReport({
      target: { fold, truth: compared },
      model,
      msa: { source: msa, rows: names.length },
      command: commandLine(),
      ...{ seed, adapter: adapterName(adapter) },
      seconds: (performance.now() - started) / 1000,
      peakBytes: device.memory.peakAllocatedBytes,
    });
    const origin = `Predicted by denofold from ${names.length} rows of an alignment.`;
    const files = foldFiles(id, { fold, truth: compared, origin, report });
    const metrics = files.get(`${id}_metrics.json`);
    if (metrics !== undefined) {
      files.delete(`${id}_metrics.json`);
      files.set("metrics.json", metrics);
    }
    const paths = [...await writeTogether(out, files), ...profiled];
    const methods = compared ? [{ label: "Prediction", values: compared.evaluation.values }] : [];
    if (json) {
      const { stress1, mirror } = fold;
      const { sequence } = fold;
      console.log(JSON.stringify({ id, sequence, stress1, mirror, methods, files: paths }, undefined, 2));
    } else {
      console.log(foldLines(fold, methods, paths));
      console.log(`\nOpen ${join(out, "report.html")} in a browser.`);
    }
  } finally {
    device.close();
  }
}
