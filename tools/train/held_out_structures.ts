/** Predicts whole structures of targets that were held out from training, and compares them with the truth. */
import type { Device, Tensor, Tree } from "../../core/mod.ts";
import { distanceTarget } from "../data/family.ts";
import type { Chain, Structure } from "../data/structure.ts";
import { formatMmcif } from "../data/write_mmcif.ts";
import { formatPdb } from "../data/write_pdb.ts";
import { fileNames } from "../files.ts";
import { evaluateTarget } from "../predict/complex_truth.ts";
import type { Evaluation } from "../predict/evaluate.ts";
import { predictedStructure, type Prediction } from "../predict/prediction.ts";
import { distanceRows } from "../report/distance_rows.ts";
import { renderReport } from "../report/report.ts";
import { type MetricInfo, type ReportTarget, type ScoredMethod, STANDARD_METRICS } from "../report/report_data.ts";
import { type FamilyMean, familyMean } from "./alphafold/family_mean.ts";
import { nearestRelative, type RelativeCopy } from "./alphafold/nearest_relative.ts";
import type { Example } from "./examples.ts";
import { featureChain } from "./feature_examples.ts";
import { lossCurve, type StepRecord } from "./history.ts";
import type { Network } from "./network.ts";
import { runFacts } from "./run_facts.ts";
import type { TrainingSession } from "./session.ts";
import type { TrainSettings } from "./settings.ts";

/** A target that was held out, predicted and measured. */
export interface HeldOutStructure {
  /** Its name. */
  readonly id: string;
  /** The prediction. */
  readonly prediction: Prediction;
  /** Its measures. */
  readonly evaluation: Evaluation;
  /** The true chain. */
  readonly chain: Chain;
  /** The naive answer, where there is a relative among those learnt from. */
  readonly relative?: RelativeCopy;
  /** The other one. */
  readonly mean?: FamilyMean;
}

const standard = (name: string) => STANDARD_METRICS.find((metric) => metric.name === name)!;

/** What a prediction of a whole structure is measured by. */
export const STRUCTURE_METRICS: readonly MetricInfo[] = [
  { ...standard("lddt"), label: "lDDT-Cα" },
  {
    ...{ name: "fape", label: "FAPE", unit: "Å", digits: 2, better: "lower" },
    meaning: "How far each Cα is from its true place as seen from each residue, up to 10 Å, on average.",
  },
  standard("tmScore"),
  standard("caRmsd"),
  {
    ...{ name: "allAtomRmsd", label: "All-atom RMSD", unit: "Å", digits: 2, better: "lower" },
    meaning: "Root mean square distance of all atoms from their true places after the best superposition of the Cα.",
  },
  standard("gdtTs"),
  standard("gdtHa"),
  {
    ...{ name: "plddt", label: "Predicted lDDT", unit: "", digits: 3, better: "higher" },
    meaning: "What the network itself believes its lDDT-Cα to be; good where both are alike.",
  },
  {
    ...{ name: "plddtError", label: "Error of predicted lDDT", unit: "", digits: 3, better: "lower" },
    meaning: "Mean difference of a residue's predicted lDDT from its true lDDT-Cα, without sign.",
  },
];

/** Å at which distance maps are clamped. */
const DISTANCE_CAP = 20;

/**
 * Predicts a target with the parameters that predict, the moving average if one is kept, and measures it.
 *
 * @param learnt What was learnt from: the nearest relative and the family's mean stand beside the prediction.
 */
export async function predictStructure<P extends Tree<Tensor>, B>(
  device: Device,
  session: TrainingSession<P, B>,
  { id, target }: Example,
  learnt: readonly Example[] = [],
): Promise<HeldOutStructure> {
  const { network } = session;
  const file = target?.features();
  const chain = file && featureChain(file);
  if (!network.predictStructure || !file || !chain) {
    throw new TypeError(`Cannot predict ${id}: ${network.title} predicts no structures, or its structure is not known`);
  }
  const prediction = await session.withParams((params) => network.predictStructure!(device, params, file));
  const relative = nearestRelative(file, learnt);
  const mean = familyMean(file, learnt);
  const naive = { ...(relative && { relative }), ...(mean && { mean }) };
  return { id, prediction, evaluation: evaluateTarget(prediction, file), chain, ...naive };
}

/** The prediction and the naive answers, with their measures. */
export function structureMethods({ evaluation: { measures }, relative, mean }: HeldOutStructure): ScoredMethod[] {
  const copy = relative && {
    label: `Copy of ${relative.id} (${Math.round(100 * relative.identity)} % identical)`,
    values: { ...relative.measures },
  };
  const family = mean && { label: `Mean of ${mean.members} relatives`, values: { ...mean.measures } };
  return [{ label: "Prediction", values: { ...measures } }, ...(copy ? [copy] : []), ...(family ? [family] : [])];
}

/** What {@link heldOutStructureFiles} tells besides. */
export interface HeldOutReport {
  /** Settings, and the command as the user typed it. */
  readonly request: { readonly settings: TrainSettings; readonly command: string };
  /** What was trained. */
  readonly network: Pick<Network<never, never>, "title" | "parameters" | "optimizer" | "inWords" | "lossLabel">;
  /** All steps. */
  readonly history: readonly StepRecord[];
  /** The adapter's name. */
  readonly adapter: string;
  /** Time of the whole run, in s. */
  readonly seconds: number;
  /** Targets that were learnt from. */
  readonly examples: number;
}

/** Files of the targets, `metrics.json` and the report, by name. */
export async function heldOutStructureFiles(
  structures: readonly HeldOutStructure[],
  { request: { settings, command }, network, history, adapter, seconds, examples }: HeldOutReport,
): Promise<Map<string, string>> {
  const names = fileNames(structures.map(({ id }) => id));
  const files = new Map<string, string>();
  const targets = structures.map((one, k): ReportTarget => {
    const placed = placedStructure(one);
    const note = [
      `Predicted by a network that was trained without ${one.id}. The B-factors are the predicted lDDT-CA, 0 to 100.`,
    ];
    const cif = formatMmcif(placed, { comments: note });
    files.set(`${names[k]}.cif`, cif);
    const pdb = pdbOrNothing(placed);
    if (pdb !== undefined) files.set(`${names[k]}.pdb`, pdb);
    return reportTarget(one, cif, [
      `${names[k]}.cif`,
      ...(pdb === undefined ? [] : [`${names[k]}.pdb`]),
      "metrics.json",
    ]);
  });
  const measured = structures.map(({ id, evaluation, relative, mean }) => ({
    ...{ id, residues: evaluation.residues, ...evaluation.measures },
    ...(relative && { nearestRelative: { id: relative.id, identity: relative.identity, ...relative.measures } }),
    ...(mean && { familyMean: { members: mean.members, ...mean.measures } }),
  }));
  files.set("metrics.json", `${JSON.stringify({ targets: measured }, undefined, 2)}\n`);
  const ids = structures.map(({ id }) => id).join(", ");
  files.set(
    "report.html",
    await renderReport({
      title: `${ids}, predicted by a network that had not seen ${structures.length > 1 ? "them" : "it"}`,
      summary:
        `${network.title} was trained on ${examples} targets without ${ids}. From sequence and alignment alone it ` +
        "predicts all atoms; they are compared with the experiment.",
      created: new Date().toISOString(),
      metrics: [...STRUCTURE_METRICS],
      targets,
      loss: lossCurve(history, network.lossLabel),
      limits: [
        `The network has ${
          network.parameters.toLocaleString("en")
        } parameters and learned from ${examples} targets. Of ` +
        "proteins unlike these its answer means little, and so does its confidence.",
      ],
      run: [
        { label: "Command", value: command, code: true },
        ...runFacts({ settings, network, data: `${examples} targets`, adapter, history, seconds }),
      ],
    }),
  );
  return files;
}

/** The prediction superposed on the truth, named and numbered like it. */
function placedStructure({ id, prediction, evaluation, chain }: HeldOutStructure): Structure {
  const { residueNumbers, insertionCodes } = chain;
  const placed = { ...prediction, atomPositions: evaluation.atomPositions };
  return predictedStructure(id, placed, { chainId: chain.id, residueNumbers, insertionCodes });
}

function pdbOrNothing(structure: Structure): string | undefined {
  try {
    return formatPdb(structure, { remarks: ["The B-factors are the predicted lDDT-CA, 0 to 100."] });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function reportTarget(one: HeldOutStructure, predictedCif: string, files: string[]): ReportTarget {
  const { id, prediction: { sequence, distances }, evaluation: { residueErrors }, chain } = one;
  const n = sequence.length;
  const truth = distanceTarget(chain, DISTANCE_CAP);
  return {
    id,
    sequence,
    residueNumbers: Array.from(chain.residueNumbers),
    predictedCif,
    trueCif: formatMmcif({ id, source: id, chains: [chain] }),
    predictedDistances: distanceRows(distances.map((d) => Math.min(d, DISTANCE_CAP)), n),
    trueDistances: distanceRows(truth.distances.map((d, k) => truth.mask[k] > 0 ? d : NaN), n),
    distanceCap: DISTANCE_CAP,
    methods: structureMethods(one),
    residueErrors: residueErrors.map((error) => error === null ? null : Math.round(1000 * error) / 1000),
    files,
  };
}
