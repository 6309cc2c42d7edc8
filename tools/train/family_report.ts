/** The report of a run that held structures out. */
import type { Family } from "../data/family.ts";
import type { LeaveOneOut, LossCurve } from "../report/report_data.ts";
import { renderReport } from "../report/report.ts";
import { type HeldOutResult, heldOutTarget } from "./held_out.ts";
import { alignmentsText } from "./data.ts";
import type { StepRecord } from "./history.ts";
import { limitsText } from "./limits_text.ts";
import type { Network } from "./network.ts";
import { runFacts } from "./run_facts.ts";
import type { TrainSettings } from "./settings.ts";

/** What {@link familyReport} shows. */
export interface FamilyReportInput {
  /** Settings, and the command as the user typed it. */
  readonly request: { readonly settings: TrainSettings; readonly command: string; readonly notes?: readonly string[] };
  /** What was trained. */
  readonly network: Pick<Network<unknown, unknown>, "title" | "parameters" | "optimizer" | "inWords">;
  /** The adapter's name. */
  readonly context: { readonly adapter: string };
  /** Structures and alignments. */
  readonly families: readonly Family[];
  /** The structures held out. */
  readonly results: readonly HeldOutResult[];
  /** Loss of the run; each target's own where they were trained apart. */
  readonly loss?: LossCurve | readonly LossCurve[];
  /** All steps, of every training. */
  readonly history: readonly StepRecord[];
  /** Names of the files of each structure, in the report's folder. @default none are linked */
  readonly files?: readonly (readonly string[])[];
  /** Time of the whole run, in s. */
  readonly seconds: number;
  /** The table, where every structure was held out in turn. */
  readonly leaveOneOut?: LeaveOneOut;
}

/** Makes the report, HTML text. */
export async function familyReport(input: FamilyReportInput): Promise<string> {
  const { request: { settings, command, notes = [] }, network, families, results, loss, leaveOneOut } = input;
  const ids = results.map(({ member }) => member.id);
  const members = families.reduce((sum, family) => sum + family.members.length, 0);
  const kin = families.length === 1 ? "one family" : `${families.length} families`;
  const examples = members - (leaveOneOut ? 1 : ids.length);
  const perTarget = isList(loss) ? loss : undefined;
  return await renderReport({
    title: leaveOneOut
      ? `${ids.length} structures of ${kin}, each predicted by a model that had not seen it`
      : `${list(ids)}, predicted by a model that had not seen ${ids.length > 1 ? "them" : "it"}`,
    summary:
      `${network.title.replace(/^The /, "A ")} was trained on ${examples} structures of ${
        families.length === 1 ? "a protein family" : `${families.length} protein families`
      } ` +
      `${
        leaveOneOut ? "for each one left out" : `without ${list(ids)}`
      }. From the alignment of the sequences alone it ` +
      "predicts the distances between residues; coordinates follow from these, and are compared with the experiment.",
    created: new Date().toISOString(),
    targets: results.map((result, i) => heldOutTarget(result, perTarget?.[i], input.files?.[i])),
    loss: isList(loss) ? undefined : loss,
    leaveOneOut,
    limits: limitsText({ examples, families: families.length, parameters: network.parameters, notes }),
    run: [
      { label: "Command", value: command, code: true },
      ...runFacts({
        ...input,
        data: `${members} structures, ${alignmentsText(families)}`,
        settings,
        adapter: input.context.adapter,
      }),
    ],
  });
}

function list(ids: readonly string[]): string {
  return ids.length < 2 ? ids.join("") : `${ids.slice(0, -1).join(", ")} and ${ids.at(-1)}`;
}

function isList(loss: FamilyReportInput["loss"]): loss is readonly LossCurve[] {
  return Array.isArray(loss);
}
