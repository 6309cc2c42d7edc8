/** A predicted structure as text, with where it comes from. */
import { formatModelCif, type ModelSoftware } from "../data/write_modelcif.ts";
import { formatPdb } from "../data/write_pdb.ts";
import { predictedStructure, type Prediction, type ResidueNaming } from "./prediction.ts";

/** What files say of a structure besides its atoms. */
export interface StructureOrigin {
  /** Name of the target; a file name. */
  readonly id: string;
  /** How residues are named. */
  readonly naming: ResidueNaming;
  /** Where the weights of a prediction come from, and their hash: `finetuning_ptm_2.pt, SHA-256 …`, or that they are random. */
  readonly weights: (prediction: Prediction) => string;
  /** Adapter that computed. */
  readonly adapter: string;
  /** Version of denofold. */
  readonly version: string;
}

/** A predicted structure in the formats of its files. */
export interface StructureTexts {
  /** ModelCIF. */
  readonly cif: string;
  /** PDB; undefined where that cannot hold it. */
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

/**
 * A prediction as files have it.
 *
 * @param name Of the prediction.
 */
export function structureTexts(output: StructureOrigin, prediction: Prediction, name: string): StructureTexts {
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
