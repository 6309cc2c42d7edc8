/** The files of a target: as AlphaFold lays them out, as ColabFold does, or both. */
import { coveragePlot, paePlot, plddtPlot } from "./plots/colabfold_plots.ts";
import { colabfoldPaeJson, colabfoldScoresJson, confidenceJson, interfacesJson, paeJson } from "./confidence.ts";
import { interfaceScores } from "./interfaces.ts";
import {
  chainNames,
  meanPlddt,
  type Prediction,
  predictionNames,
  type RankBy,
  ranking,
  scoreOf,
} from "./prediction.ts";
import { type StructureOrigin, type StructureTexts, structureTexts } from "./structure_texts.ts";

/** Whose names the files get. */
export type OutputFormat = "alphafold" | "colabfold" | "both";

/** What the files of a target say. */
export interface TargetOutput extends StructureOrigin {
  /** The predictions, in the order in which they were made. */
  readonly predictions: readonly Prediction[];
  /** Rows of the alignment over the target's residues, the target first. */
  readonly alignment: readonly string[];
  /** By what predictions are ranked. */
  readonly rankBy: RankBy;
  /** Whose names the files get. */
  readonly format: OutputFormat;
  /** All choices, for `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Seconds until the features were there. */
  readonly featureSeconds: number;
  /** What is doubtful, a sentence each. */
  readonly warnings: readonly string[];
}

/** Name of the file whose presence says that a target is done. */
export function doneName(id: string): string {
  return `${id}.done.txt`;
}

/**
 * All files of a target but its report, by path within its folder, the done-marker last. PDB files are left out where
 * the format cannot hold the target.
 */
export function targetFiles(output: TargetOutput): Map<string, Uint8Array | string> {
  const { id, predictions, rankBy, format, config } = output;
  const order = ranking(predictions, rankBy);
  const files = new Map<string, Uint8Array | string>();
  const names = predictionNames(predictions);
  const texts = predictions.map((prediction, i) => structureTexts(output, prediction, names[i]));
  if (format !== "colabfold") alphafoldFiles(files, output, order, texts);
  if (format !== "alphafold") colabfoldFiles(files, output, order, texts);
  files.set("config.json", json(config));
  files.set(doneName(id), "done\n");
  return files;
}

/** What AlphaFold's list of ranks calls the scores. */
const SCORE_NAMES: Readonly<Record<RankBy, string>> = { plddt: "plddts", ptm: "ptm", multimer: "iptm+ptm" };

function alphafoldFiles(
  files: Map<string, Uint8Array | string>,
  { predictions, rankBy, featureSeconds }: TargetOutput,
  order: readonly number[],
  texts: readonly StructureTexts[],
): void {
  const names = predictionNames(predictions);
  const timings: Record<string, number> = { features: featureSeconds };
  predictions.forEach((prediction, i) => {
    const name = names[i];
    put(files, `unrelaxed_${name}`, texts[i]);
    files.set(`confidence_${name}.json`, confidenceJson(prediction.plddt));
    if (prediction.pae) {
      files.set(`pae_${name}.json`, paeJson(prediction.pae, prediction.sequence.length, prediction.maxPae ?? 31.75));
    }
    if (prediction.chains) {
      files.set(
        `interfaces_${name}.json`,
        interfacesJson(interfaceScores(prediction, chainNames(prediction)), prediction),
      );
    }
    timings[`process_features_${name}`] = prediction.seconds.features;
    timings[`predict_and_compile_${name}`] = prediction.seconds.network;
  });
  order.forEach((index, rank) => put(files, `ranked_${rank}`, texts[index]));
  const scores = Object.fromEntries(predictions.map((prediction, i) => [names[i], scoreOf(prediction, rankBy)]));
  files.set(
    "ranking_debug.json",
    json({ [SCORE_NAMES[rankBy]]: scores, order: order.map((i) => names[i]) }),
  );
  files.set("timings.json", json(timings));
}

function colabfoldFiles(
  files: Map<string, Uint8Array | string>,
  { id, predictions, alignment, warnings }: TargetOutput,
  order: readonly number[],
  texts: readonly StructureTexts[],
): void {
  const log: string[] = [];
  const ranked = order.map((index) => predictions[index]);
  files.set(`${id}_coverage.png`, coveragePlot(alignment));
  files.set(`${id}_plddt.png`, plddtPlot(ranked));
  const pae = paePlot(ranked);
  if (pae) files.set(`${id}_pae.png`, pae);
  order.forEach((index, at) => {
    const prediction = predictions[index];
    const rank = String(at + 1).padStart(3, "0"), seed = String(prediction.seed).padStart(3, "0");
    const tail = `rank_${rank}_alphafold2_${prediction.preset}_seed_${seed}`;
    put(files, `${id}_unrelaxed_${tail}`, texts[index]);
    files.set(`${id}_scores_${tail}.json`, colabfoldScoresJson(prediction));
    if (at === 0 && prediction.pae) {
      files.set(`${id}_predicted_aligned_error_v1.json`, colabfoldPaeJson(prediction.pae, prediction.sequence.length));
    }
    const ptm = prediction.ptm === undefined ? "" : ` pTM=${prediction.ptm.toFixed(3)}`;
    const iptm = prediction.iptm === undefined ? "" : ` ipTM=${prediction.iptm.toFixed(3)}`;
    log.push(`rank_${rank} ${prediction.preset} seed_${seed} pLDDT=${meanPlddt(prediction).toFixed(1)}${ptm}${iptm}`);
    if (prediction.chains) {
      files.set(
        `${id}_interfaces_${tail}.json`,
        interfacesJson(interfaceScores(prediction, chainNames(prediction)), prediction),
      );
    }
  });
  files.set("log.txt", [...warnings.map((warning) => `warning: ${warning}`), ...log].join("\n") + "\n");
}

function put(files: Map<string, Uint8Array | string>, stem: string, { cif, pdb }: StructureTexts): void {
  if (pdb !== undefined) files.set(`${stem}.pdb`, pdb);
  files.set(`${stem}.cif`, cif);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
