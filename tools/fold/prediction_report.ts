/** The report of predictions from a checkpoint. */
import config from "../../deno.json" with { type: "json" };
import type { RunFact } from "../report/report_data.ts";
import { renderReport } from "../report/report.ts";
import type { DistanceModel } from "./distance_model.ts";
import { reportTarget, type ReportTargetOptions } from "./report_target.ts";

/** What {@link predictionReport} shows. */
export interface PredictionReportInput {
  /** The predictions, at least one, each with the truth where it is known. */
  readonly targets: readonly ReportTargetOptions[];
  /** The model that made it. */
  readonly model: DistanceModel;
  /** File of the alignment, and how many of its rows went in; or the folder of features. */
  readonly msa: { readonly source: string; readonly rows?: number };
  /** The command as the user typed it. */
  readonly command: string;
  /** Seed of the random starts. */
  readonly seed: number;
  /** The adapter's name. */
  readonly adapter: string;
  /** Time from the start to the report, in s. */
  readonly seconds: number;
  /** Most memory in use on the device, in bytes. */
  readonly peakBytes: number;
}

/** Makes the report, HTML text. */
export async function predictionReport(input: PredictionReportInput): Promise<string> {
  const { targets, model, msa, peakBytes } = input;
  const [{ fold }] = targets;
  const isCompared = targets.some(({ truth }) => truth !== undefined);
  const facts: RunFact[] = [
    { label: "Command", value: input.command, code: true },
    { label: "Checkpoint", value: model.source, code: true },
    ...trainingFacts(model),
    msa.rows === undefined
      ? { label: "Features", value: msa.source }
      : { label: "Alignment", value: `${msa.source}, ${msa.rows} rows` },
    ...(targets.length > 1 ? [] : [
      { label: "Stress-1 of the coordinates", value: fold.stress1.toFixed(3) },
      { label: "Mirror image", value: mirrorText(fold.mirror) },
    ]),
    { label: "Seed", value: `${input.seed}` },
    { label: "Adapter", value: input.adapter },
    { label: "Versions", value: `denofold ${config.version}, Deno ${Deno.version.deno}` },
    { label: "Time", value: `${input.seconds.toFixed(1)} s` },
    { label: "Peak GPU memory", value: `${(peakBytes / 2 ** 20).toFixed(0)} MiB` },
  ];
  return await renderReport({
    title: targets.length > 1
      ? `${targets.length} targets, predicted from their alignments`
      : `${fold.id}, predicted from an alignment`,
    summary: `${model.title} predicts the distances between the residues from an alignment of sequences; ` +
      `coordinates follow from these${isCompared ? " and are compared with the experiment" : ""}.`,
    created: new Date().toISOString(),
    targets: targets.map((target) => reportTarget(target)),
    limits: limits(isCompared),
    run: facts,
  });
}

/** How the mirror image was chosen, in words. */
export function mirrorText({ mode, flipped, handedness, otherHandedness }: PredictionMirror): string {
  const image = flipped ? "mirrored" : "kept";
  if (mode !== "auto") return `${image}, as asked for`;
  return `${image}: handedness of the C-alpha trace ${handedness.toFixed(2)}, of the other image ${
    otherHandedness.toFixed(2)
  }`;
}

type PredictionMirror = ReportTargetOptions["fold"]["mirror"];

function trainingFacts({ facts, description }: DistanceModel): RunFact[] {
  const found: RunFact[] = [{ label: "Model", value: description }];
  const { data } = facts;
  if (typeof data === "object" && data !== null && "description" in data && typeof data.description === "string") {
    found.push({ label: "Trained on", value: data.description });
  }
  return found;
}

function limits(truth: boolean): string[] {
  return [
    "The model is a small one for learning and teaching. It knows the family that it was trained on; of a protein " +
    "outside that family, or of another fold, its answer means nothing.",
    "It gives no confidence, places no side chains and knows no physics: atoms may lie too close to each other. C-alpha " +
    "atoms are derived from the predicted C-beta distances, and the mirror image, which distances do not tell, is chosen " +
    "by the handedness of the chain.",
    truth
      ? "Whether the comparison is a test depends on the training: it is none if the true structure, or one of the same " +
        "protein, was among those that the model learned from."
      : "No true structure was given, so that nothing here says how good the prediction is.",
  ];
}
