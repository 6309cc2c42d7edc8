/** The files of a target: as AlphaFold lays them out, as ColabFold does, or both. */
import type { ModelSoftware } from "../data/write_modelcif.ts";
import { formatModelCif } from "../data/write_modelcif.ts";
import { formatPdb } from "../data/write_pdb.ts";
import { coveragePlot, paePlot, plddtPlot } from "./plots/colabfold_plots.ts";
import { colabfoldPaeJson, colabfoldScoresJson, confidenceJson, interfacesJson, paeJson } from "./confidence.ts";
import { interfaceScores } from "./interfaces.ts";
import {
  chainNames,
  meanPlddt,
  predictedStructure,
  type Prediction,
  predictionName,
  type RankBy,
  ranking,
  type ResidueNaming,
  scoreOf,
} from "./prediction.ts";

/** Whose names the files get. */
export type OutputFormat = "alphafold" | "colabfold" | "both";

/** What the files of a target say. */
export interface TargetOutput {
  /** Name of the target; a file name. */
  readonly id: string;
  /** The predictions, in the order in which they were made. */
  readonly predictions: readonly Prediction[];
  /** How residues are named. */
  readonly naming: ResidueNaming;
  /** Rows of the alignment over the target's residues, the target first. */
  readonly alignment: readonly string[];
  /** By what predictions are ranked. */
  readonly rankBy: RankBy;
  /** Whose names the files get. */
  readonly format: OutputFormat;
  /** Where the weights of a prediction come from, and their hash: `finetuning_ptm_2.pt, SHA-256 …`, or that they are random. */
  readonly weights: (prediction: Prediction) => string;
  /** Adapter that computed. */
  readonly adapter: string;
  /** Version of denofold. */
  readonly version: string;
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
  const texts = predictions.map((prediction, i) =>
    structureTexts(output, prediction, predictionName(prediction, indexOf(predictions, i)))
  );
  if (format !== "colabfold") alphafoldFiles(files, output, order, texts);
  if (format !== "alphafold") colabfoldFiles(files, output, order, texts);
  files.set("config.json", json(config));
  files.set(doneName(id), "done\n");
  return files;
}

/** How many predictions of the same preset went before. */
function indexOf(predictions: readonly Prediction[], i: number): number {
  return predictions.slice(0, i).filter(({ preset }) => preset === predictions[i].preset).length;
}

interface StructureTexts {
  readonly cif: string;
  /** undefined where PDB cannot hold it. */
  readonly pdb: string | undefined;
}

const ALPHAFOLD: ModelSoftware["citation"] = {
  title: "Highly accurate protein structure prediction with AlphaFold",
  journal: "Nature",
  year: 2021,
  volume: "596",
  firstPage: "583",
  lastPage: "589",
  authors: ["Jumper, J.", "Evans, R.", "Pritzel, A.", "Green, T.", "Figurnov, M.", "Ronneberger, O."],
  doi: "10.1038/s41586-021-03819-2",
};

const MULTIMER: ModelSoftware["citation"] = {
  title: "Protein complex prediction with AlphaFold-Multimer",
  journal: "bioRxiv",
  year: 2021,
  authors: ["Evans, R.", "O'Neill, M.", "Pritzel, A.", "Antropova, N.", "Senior, A.", "Green, T."],
  doi: "10.1101/2021.10.04.463034",
};

/** Names of chains that PDB files can hold, one letter or digit each. */
const PDB_NAMES = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Whether a complex has more chains than PDB files can name. */
export function passesPdbChains(chains: number): boolean {
  return chains > PDB_NAMES.length;
}

function structureTexts(output: TargetOutput, prediction: Prediction, name: string): StructureTexts {
  const { id, naming, adapter, version } = output;
  const weights = output.weights(prediction);
  const structure = predictedStructure(id, prediction, naming);
  const facts = [
    `Predicted by denofold ${version} with ${prediction.preset}, seed ${prediction.seed}, ${
      prediction.recycles.length - 1
    } recyclings.`,
    `Weights: ${weights}.`,
    `Computed on ${adapter}.`,
    "The B-factors are the predicted lDDT-CA (pLDDT), 0 to 100.",
  ];
  const cif = formatModelCif(structure, {
    comments: facts,
    software: [
      { name: "denofold", version, citation: /multimer/.test(prediction.preset) ? MULTIMER : ALPHAFOLD },
    ],
    modelName: name,
    globalMetrics: [
      ...(prediction.ptm === undefined ? [] : [{ name: "pTM", type: "pTM", value: prediction.ptm }]),
      ...(prediction.iptm === undefined ? [] : [{ name: "ipTM", type: "ipTM", value: prediction.iptm }]),
    ],
    steps: [
      { method: "coevolution MSA", details: "alignment of the target" },
      { method: "modeling", details: `${prediction.preset}, seed ${prediction.seed}; ${weights}; ${adapter}` },
    ],
  });
  return { cif, pdb: pdbText(structure, facts) };
}

function pdbText(structure: Parameters<typeof formatPdb>[0], remarks: readonly string[]): string | undefined {
  const { chains } = structure;
  const named = passesPdbChains(chains.length) || chains.every(({ id }) => id.length === 1)
    ? structure
    : { ...structure, chains: chains.map((chain, k) => ({ ...chain, id: PDB_NAMES[k] })) };
  try {
    return formatPdb(named, {
      remarks: remarks.flatMap(wrapped),
      classification: "computed model",
      unitCell: true,
    });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Lines of at most 69 characters, the width of a remark. */
function wrapped(text: string): string[] {
  return text.match(/.{1,69}(?:\s+|$)|\S{69}/g)?.map((line) => line.trimEnd()) ?? [];
}

/** What AlphaFold's list of ranks calls the scores. */
const SCORE_NAMES: Readonly<Record<RankBy, string>> = { plddt: "plddts", ptm: "ptm", multimer: "iptm+ptm" };

function alphafoldFiles(
  files: Map<string, Uint8Array | string>,
  { predictions, rankBy, featureSeconds }: TargetOutput,
  order: readonly number[],
  texts: readonly StructureTexts[],
): void {
  const names = predictions.map((prediction, i) => predictionName(prediction, indexOf(predictions, i)));
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
