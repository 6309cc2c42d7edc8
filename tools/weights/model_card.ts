/** The card of a packed network, as Markdown. */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import type { AlphaFoldConfig } from "../../model/alphafold/mod.ts";
import { unpackHistory } from "../train/history.ts";
import { recipeOf } from "../train/recipe.ts";
import type { TrainSettings } from "../train/settings.ts";
import { STRUCTURE_METRICS } from "../train/held_out_structures.ts";

/** A run as its checkpoint tells it. */
export interface CardRun {
  readonly settings: TrainSettings;
  readonly data: { readonly description: string; readonly fingerprint: string };
  /** As `packHistory` packs it. */
  readonly history: unknown;
  readonly computedWith?: { readonly adapter?: string } | null;
  /** Of `metrics.json`. */
  readonly metrics?: readonly CardTarget[];
}

/** A target that was held out, with its measures and those of the naive answers. */
export type CardTarget = Readonly<Record<string, unknown>> & { readonly id: string; readonly residues: number };

/** What a card tells. */
export interface CardFacts {
  readonly name: string;
  readonly notice: string;
  /** Paragraphs of whoever packed it. */
  readonly about?: string;
  readonly config: AlphaFoldConfig;
  readonly parameters: number;
  readonly roundingError: number;
  readonly weights: { readonly file: string; readonly bytes: Uint8Array };
  /** The first stage first. */
  readonly runs: readonly CardRun[];
}

/** Lines of the table of losses, about. */
const CURVE_LINES = 20;

/** Makes the card. */
export function modelCard(facts: CardFacts): string {
  const { name, notice, about, config, parameters, weights, roundingError, runs } = facts;
  const { evoformer, extraMsa, structure, recycling } = config;
  const measured = runs.at(-1)!.metrics;
  return [
    `# ${name}`,
    `${notice}.`,
    ...(about ? [about.trim()] : []),
    "## The network",
    [
      `AlphaFold 2 of reduced sizes: ${
        parameters.toLocaleString("en")
      } parameters, ${evoformer.nBlock} Evoformer and ` +
      `${
        extraMsa?.nBlock ?? 0
      } extra-MSA blocks, ${structure.nBlock} iterations of the structure module, c_m ${config.cM}, ` +
      `c_z ${config.cZ}, c_s ${config.cS}, ${recycling.maxRecycles} recyclings, ` +
      `${config.templates ? `${config.data.maxTemplates} templates` : "no templates"}.`,
      `Weights are in 16 bits; rounding is off by ${roundingError.toExponential(1)} of their root mean square.`,
    ].join(" "),
    "| file | bytes | SHA-256 |\n|---|---|---|\n" +
    `| \`${weights.file}\` | ${weights.bytes.length.toLocaleString("en")} | \`${sha256(weights.bytes)}\` |`,
    ...(measured ? ["## What was held out", measuresTable(measured)] : []),
    ...runs.flatMap((run, i) => runSections(run, runs.length > 1 ? `Stage ${i + 1}` : "Training")),
    "",
  ].join("\n\n").trimEnd() + "\n";
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A line for each target and answer. */
function measuresTable(targets: readonly CardTarget[]): string {
  const metrics = STRUCTURE_METRICS;
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const values = (of: Readonly<Record<string, unknown>>) =>
    metrics.map(({ name, digits }) => typeof of[name] === "number" ? (of[name] as number).toFixed(digits) : "");
  const rows = targets.flatMap((target) => {
    const relative = target.nearestRelative as Readonly<Record<string, unknown>> | undefined;
    const mean = target.familyMean as Readonly<Record<string, unknown>> | undefined;
    return [
      line([`**${target.id}**, ${target.residues} residues`, ...values(target)]),
      ...(relative
        ? [line([
          `copy of ${relative.id} (${Math.round(100 * Number(relative.identity))} % identical)`,
          ...values(relative),
        ])]
        : []),
      ...(mean ? [line([`mean of ${mean.members} relatives`, ...values(mean)])] : []),
    ];
  });
  const heads = metrics.map(({ label, unit }) => unit ? `${label} (${unit})` : label);
  return [line(["", ...heads]), line(["", ...heads].map(() => "---")), ...rows].join("\n");
}

function runSections({ settings, data, history, computedWith }: CardRun, title: string): string[] {
  const steps = unpackHistory(history) ?? [];
  const init = settings.own?.init;
  const start = typeof init === "string" ? `the parameters of \`${basename(init)}\`` : "random parameters";
  const hours = steps.reduce((sum, { totalMs }) => sum + totalMs, 0) / 3.6e6;
  return [
    `## ${title}`,
    `${steps.length} steps from ${start}, ${hours.toFixed(1)} h${
      computedWith?.adapter ? ` on ${computedWith.adapter}` : ""
    }. Data: ${data.description}; fingerprint \`${data.fingerprint.slice(0, 64)}\`.`,
    "```json\n" + `${JSON.stringify(withoutFolders(recipeOf(settings)), undefined, 1)}\n` + "```",
    ...(steps.length > 0 ? [curveTable(steps)] : []),
  ];
}

/** The recipe is taken by `denofold train --config`; folders are those of whoever trained. */
function withoutFolders(recipe: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(recipe).map(([name, value]) => [
      name,
      typeof value === "string" && value.includes("/") ? basename(value) : value,
    ]),
  );
}

/** Means of the loss and its terms over equal parts of the run, and what was measured in them last. */
function curveTable(steps: NonNullable<ReturnType<typeof unpackHistory>>): string {
  const each = Math.max(1, Math.ceil(steps.length / CURVE_LINES));
  const terms = [...new Set(steps.flatMap(({ terms }) => Object.keys(terms ?? {})))];
  const isMeasured = steps.some(({ heldOutLoss }) => heldOutLoss !== undefined);
  const heads = ["steps", "loss", ...terms, ...(isMeasured ? ["watched loss", "watched lDDT-Cα"] : [])];
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rows: string[] = [];
  for (let from = 0; from < steps.length; from += each) {
    const part = steps.slice(from, from + each);
    const mean = (of: (step: typeof part[number]) => number | undefined) => {
      const known = part.map(of).filter((x) => x !== undefined && Number.isFinite(x)) as number[];
      return known.length > 0 ? (known.reduce((sum, x) => sum + x, 0) / known.length).toPrecision(4) : "";
    };
    const watched = part.findLast(({ heldOutLoss }) => heldOutLoss !== undefined);
    rows.push(line([
      `${part[0].step}-${part.at(-1)!.step}`,
      mean(({ loss }) => loss),
      ...terms.map((name) => mean(({ terms }) => terms?.[name])),
      ...(isMeasured
        ? [watched?.heldOutLoss?.toPrecision(4) ?? "", watched?.heldOutMeasures?.lddt?.toFixed(3) ?? ""]
        : []),
    ]));
  }
  return [line(heads), line(heads.map(() => "---")), ...rows].join("\n");
}
