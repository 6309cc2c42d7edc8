/** Predicts structures that were held out from training, and compares them with the truth. */
import type { Device, Tensor, Tree } from "../../core/mod.ts";
import { type Family, type FamilyMember, familyOf, msaTokens } from "../data/family.ts";
import { type Baseline, familyBaselines } from "../fold/baselines.ts";
import { evaluateFold, type FoldEvaluation } from "../fold/evaluate.ts";
import { type Fold, foldDistances } from "../fold/fold.ts";
import { soonestPlace } from "../fold/scale.ts";
import { foldFiles } from "../fold/write_fold.ts";
import { reportTarget } from "../fold/report_target.ts";
import type { LossCurve, MetricValues, ReportTarget } from "../report/report_data.ts";
import type { TrainingSession } from "./session.ts";

/** A structure that was held out, predicted and measured. */
export interface HeldOutResult {
  /** The structure. */
  readonly member: FamilyMember;
  /** What predicted it, `a small Evoformer`. */
  readonly predictedBy: string;
  /** The prediction, folded. */
  readonly fold: Fold;
  /** Its measures. */
  readonly evaluation: FoldEvaluation;
  /** The naive answers; none where no other structure of its family was trained on. */
  readonly baselines: readonly Baseline[];
}

/** What {@link predictHeldOut} works on. */
export interface HeldOutOptions<P extends Tree<Tensor>, B> {
  /** Where it runs. */
  readonly device: Device;
  /** The trained model, which predicts distances. */
  readonly session: TrainingSession<P, B>;
  /** The families; of the target only the sequence goes in. */
  readonly families: readonly Family[];
  /** The target. */
  readonly target: FamilyMember;
  /** Members the model was trained on: the naive answers may use their structures. */
  readonly trainedOn: readonly FamilyMember[];
}

/** Predicts the target's distances from the alignment, folds them, and measures prediction and naive answers. */
export async function predictHeldOut<P extends Tree<Tensor>, B>(
  options: HeldOutOptions<P, B>,
): Promise<HeldOutResult> {
  const { device, session, families, target: member } = options;
  const family = familyOf(families, member);
  const { sequence } = member.chain;
  const { network, settings: { model } } = session;
  if (!network.predictDistances) {
    throw new TypeError(`Cannot predict ${member.id}: ${network.title} gives no distances`);
  }
  const { tokens } = msaTokens(family.alignment, member.row, model.numSeqs);
  const input = { tokens, nRes: sequence.length };
  const distances = await session.withParams((params) => network.predictDistances!(device, params, input));
  const { seed } = session.settings.training;
  const others = options.trainedOn.filter((other) => family.members.includes(other));
  const fold = await foldDistances({
    ...{ id: member.id, sequence, distances, seed },
    device: soonestPlace(device, sequence.length),
  });
  return {
    member,
    predictedBy: network.title.replace(/^The /, "a "),
    fold,
    evaluation: evaluateFold(fold, member.chain),
    baselines: others.length > 0 ? await familyBaselines(family, member, { others, seed, device }) : [],
  };
}

/** Measures of the prediction and of the naive answers, by their names. */
export function methodsOf({ evaluation, baselines }: HeldOutResult): { label: string; values: MetricValues }[] {
  return [
    { label: "Prediction", values: evaluation.values },
    ...baselines.map(({ label, evaluation }) => ({ label, values: evaluation.values })),
  ];
}

/** The target as the report shows it. */
export function heldOutTarget(result: HeldOutResult, loss?: LossCurve, files?: readonly string[]): ReportTarget {
  const { member, fold, evaluation, baselines } = result;
  const truth = { chain: member.chain, evaluation };
  return reportTarget({ fold, truth, baselines, description: member.structure.title, loss, files });
}

/**
 * The prediction's files by name; measures are not among them, they stand together in `metrics.json`.
 *
 * @param name First part of the names, which belongs to no other structure of the run.
 */
export function heldOutFiles(
  { member, fold, evaluation, predictedBy }: HeldOutResult,
  name: string,
): Map<string, Uint8Array | string> {
  const files = foldFiles(name, {
    fold,
    truth: { chain: member.chain, evaluation },
    origin: `Predicted by ${predictedBy} that was trained without the structure of ${member.id}.`,
  });
  files.delete(`${name}_metrics.json`);
  return files;
}

/** The text of `metrics.json`. */
export function metricsJson(results: readonly HeldOutResult[]): string {
  const targets = results.map((result) => ({
    id: result.member.id,
    residues: result.evaluation.residues,
    stress1: result.fold.stress1,
    methods: methodsOf(result),
  }));
  return `${JSON.stringify({ targets }, undefined, 2)}\n`;
}
