/** A fold as the report shows it. */
import { distanceTarget } from "../data/family.ts";
import type { Chain } from "../data/structure.ts";
import { formatMmcif } from "../data/write_mmcif.ts";
import { distanceRows } from "../report/distance_rows.ts";
import type { LossCurve, ReportTarget } from "../report/report_data.ts";
import type { Baseline } from "./baselines.ts";
import type { FoldEvaluation } from "./evaluate.ts";
import type { Fold } from "./fold.ts";
import { foldStructure, residueErrors } from "./write_fold.ts";

/** Parts of a {@link ReportTarget}. */
export interface ReportTargetOptions {
  /** The prediction. */
  readonly fold: Fold;
  /** The true structure and the prediction's measures against it, where it is known. */
  readonly truth?: { readonly chain: Chain; readonly evaluation: FoldEvaluation };
  /** Naive answers to stand beside the prediction. @default none */
  readonly baselines?: readonly Baseline[];
  /** What it is, in a few words. */
  readonly description?: string;
  /** The loss of the training that made the prediction. */
  readonly loss?: LossCurve;
  /** Names of its files, in the report's folder. @default none are linked */
  readonly files?: readonly string[];
}

/** Makes the report's entry of a fold: structures superposed, distance maps, measures of the prediction and the baselines. */
export function reportTarget(
  { fold, truth, baselines = [], description, loss, files }: ReportTargetOptions,
): ReportTarget {
  const n = fold.sequence.length;
  const rows = (values: ArrayLike<number>) => distanceRows(values, n);
  const target: ReportTarget = {
    id: fold.id,
    description,
    sequence: fold.sequence,
    predictedCif: formatMmcif(foldStructure(fold, truth)),
    predictedDistances: rows(fold.distances),
    distanceCap: fold.cap < Infinity ? fold.cap : undefined,
    methods: [],
    loss,
    ...(files && { files: [...files] }),
  };
  if (!fold.betas) target.distanceAtoms = "Cα";
  if (truth) {
    const { distances, mask } = distanceTarget(truth.chain, fold.cap);
    target.residueNumbers = Array.from(truth.chain.residueNumbers);
    target.trueCif = formatMmcif({ id: fold.id, source: fold.id, chains: [truth.chain] });
    target.trueDistances = rows(distances.map((d, k) => mask[k] > 0 ? d : NaN));
    target.residueErrors = residueErrors(truth).map((error) => error === null ? null : Math.round(1000 * error) / 1000);
    target.methods = [
      { label: "Prediction", values: truth.evaluation.values },
      ...baselines.map(({ label, evaluation }) => ({ label, values: evaluation.values })),
    ];
  }
  return target;
}
