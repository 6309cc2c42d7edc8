/** Looks through a table, its structures and alignments for what would make training fail. */
import { type BoundsPolicy, labelText, type Relation } from "../data/bounds.ts";
import { fileKind } from "../data/file_kind.ts";
import { swappedText } from "../data/looks_like.ts";
import { remarkText } from "../data/remarks.ts";
import { InputError } from "../errors.ts";
import { readFileMaybeGzip } from "../files.ts";
import { observedResidues } from "../data/structure.ts";
import { collectTargets } from "../prep/collect_targets.ts";
import type { CollectedTarget } from "../prep/list_targets.ts";
import { readTarget, type TargetData } from "../prep/read_target.ts";
import { SourceReader } from "../prep/sources.ts";
import { clusterByIdentity } from "../split/clusters.ts";
import { counted } from "../words.ts";
import { describe, type Distribution, outliers } from "./distribution.ts";

/** Choices of {@linkcode checkData}. */
export interface CheckOptions {
  /** Table of the targets. @default every structure is one, without a label */
  readonly csv?: string;
  /** Files and folders of structures. */
  readonly structures: readonly string[];
  /** Files and folders of alignments. @default none */
  readonly msas?: readonly string[];
  /** Column with the labels; `false` if there are none. @default affinity, label, value, … */
  readonly label?: string | false;
  /** What becomes of labels that are bounds or estimates. @default "drop" */
  readonly bounds?: BoundsPolicy;
  /** Sequences at least so alike are listed together, above 0 and at most 1. @default 0.9 */
  readonly identity?: number;
  /** Whether rows of one name are labels of one protein, instead of a fault. @default false */
  readonly joinRows?: boolean;
  /** Called after each target. */
  readonly onTarget?: (done: number, total: number, id: string) => void;
}

/** Something that was found. */
export interface Finding {
  /** Target that it is about. */
  readonly id: string;
  /** What it is. */
  readonly message: string;
}

/** Chain that was taken for a target. */
export interface ChainChoice {
  /** Target. */
  readonly id: string;
  /** File of the structure. */
  readonly structure: string;
  /** Protein chains of the structure. */
  readonly chains: readonly string[];
  /** The one that was taken. */
  readonly chosen: string;
  /** Residues of the target. */
  readonly residues: number;
  /** Residues of which the structure shows the C-alpha atom. */
  readonly observed: number;
  /** Of the structure, where it is known. */
  readonly resolutionAngstrom?: number;
}

/** What was found. */
export interface DataReport {
  /** Rows of the table, or structures. */
  readonly targets: number;
  /** Targets that can be trained on; where labels are needed, with one that is not left out. */
  readonly usable: number;
  /** What makes training fail. */
  readonly errors: readonly Finding[];
  /** What is doubtful. */
  readonly warnings: readonly Finding[];
  /** Labels of usable targets. */
  readonly labels?: Distribution;
  /** Labels that are bounds or estimates, and what becomes of them. */
  readonly bounds: {
    readonly policy: BoundsPolicy;
    readonly targets: readonly { readonly id: string; readonly label: number; readonly relation: Relation }[];
  };
  /** Labels that stand out. */
  readonly labelOutliers: readonly { readonly id: string; readonly label: number }[];
  /** Residues of usable targets. */
  readonly lengths?: Distribution;
  /** Chain of each usable target. */
  readonly chains: readonly ChainChoice[];
  /** Names of targets whose sequences are nearly identical, clusters of two and more, the largest first. */
  readonly clusters: readonly (readonly string[])[];
  /** Identity from which on sequences were put together. */
  readonly identity: number;
  /** Files that belong to no target. */
  readonly notes: readonly string[];
}

/** Most bounds that are named. */
const SHOWN_BOUNDS = 5;

/** Part of the residues that a structure should show. */
const MIN_OBSERVED = 0.5;

/**
 * Checks data before any training.
 *
 * @throws {InputError} If the table or a folder cannot be read at all.
 */
export async function checkData(options: CheckOptions): Promise<DataReport> {
  const { csv, structures, msas = [], bounds: policy = "drop", identity = 0.9, onTarget } = options;
  const label = csv === undefined ? false : options.label;
  if (csv !== undefined && fileKind(csv) !== "table") {
    throw new InputError(
      `${csv} is no table by its name, expected .csv, .tsv or an INDEX file of PDBbind${
        swappedText(await readFileMaybeGzip(csv), "table")
      }`,
    );
  }
  const { targets, notes } = await collectTargets([...(csv === undefined ? [] : [csv]), ...structures, ...msas], {
    label: label === false ? undefined : label,
    needLabel: label !== false,
    joinRows: options.joinRows,
  });
  const errors: Finding[] = [];
  const warnings: Finding[] = [];
  const chains: ChainChoice[] = [];
  const usable: { id: string; sequence: string; labels: readonly number[] }[] = [];
  const bounds: { id: string; label: number; relation: Relation }[] = [];
  const reader = new SourceReader();
  for (const [index, target] of targets.entries()) {
    const { id } = target;
    const labels: number[] = [];
    for (const { label, relation, remarks = [] } of [target, ...target.others ?? []]) {
      for (const remark of remarks) warnings.push({ id, message: remarkText(remark) });
      if (label === undefined) continue;
      if (relation !== undefined) bounds.push({ id, label, relation });
      if (relation === undefined || policy !== "drop") labels.push(label);
    }
    try {
      const data = await readOne(target, reader, (message) => warnings.push({ id, message }));
      chains.push(choiceOf(target, data));
      usable.push({ id, sequence: data.sequence, labels });
      if (msas.length > 0 && data.alignments.length === 0) {
        warnings.push({ id, message: "There is no alignment of it" });
      }
      const { observed, residues } = chains[chains.length - 1];
      if (observed < MIN_OBSERVED * residues) {
        warnings.push({ id, message: `The structure shows ${observed} of ${residues} residues` });
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      errors.push({ id, message: error.message });
    }
    onTarget?.(index + 1, targets.length, id);
  }
  const repeated = targets.filter(({ others }) => others !== undefined);
  if (repeated.length > 0) {
    const rows = repeated.reduce((sum, { others = [] }) => sum + 1 + others.length, 0);
    const names = repeated.slice(0, SHOWN_BOUNDS).map(({ id }) => id).join(", ");
    const more = repeated.length > SHOWN_BOUNDS ? ", …" : "";
    warnings.push({
      id: "*",
      message:
        `${counted(repeated.length, "name")} with several rows (${rows} in all: ${names}${more}): one protein each, ` +
        "of which every row's label counts",
    });
  }
  const labelled = usable.flatMap(({ id, labels }) => labels.map((label) => ({ id, label })));
  const values = labelled.map(({ label }) => label);
  const labels = describe(values);
  if (bounds.length > 0) warnings.push({ id: "*", message: boundsText(bounds, policy) });
  if (labelled.length === 0 && bounds.length > 0) {
    errors.push({ id: "*", message: "All labels are bounds or estimates, which are left out: see --bounds" });
  }
  if (labels && labels.count > 1 && labels.least === labels.most) {
    warnings.push({ id: "*", message: `All ${labels.count} labels are ${labels.least}: there is nothing to learn` });
  }
  return {
    targets: targets.length,
    usable: label === false ? usable.length : usable.filter(({ labels }) => labels.length > 0).length,
    errors,
    warnings,
    labels,
    bounds: { policy, targets: bounds },
    labelOutliers: outliers(values).map((k) => labelled[k]),
    lengths: describe(usable.map(({ sequence }) => sequence.length)),
    chains,
    clusters: clustersOf(usable, identity),
    identity,
    notes,
  };
}

function boundsText(bounds: DataReport["bounds"]["targets"], policy: BoundsPolicy): string {
  const shown = bounds.slice(0, SHOWN_BOUNDS).map(({ id, label, relation }) => `${id} ${labelText(label, relation)}`);
  const more = bounds.length > SHOWN_BOUNDS ? `, … and ${bounds.length - SHOWN_BOUNDS} more` : "";
  const done =
    { drop: "left out of regression", keep: "taken for values", censored: "kept with their relations" }[policy];
  return `${counted(bounds.length, "label")} that are bounds or estimates are ${done}: ${shown.join(", ")}${more}`;
}

async function readOne(
  target: CollectedTarget,
  reader: SourceReader,
  note: (message: string) => void,
): Promise<TargetData> {
  if (target.problem !== undefined) throw new InputError(target.problem);
  if (target.structure === undefined) throw new InputError("There is no structure of it");
  return await readTarget(target, reader, { source: () => {}, remark: () => {}, doubt: note, warn: note });
}

function choiceOf(
  { id, structure: path = "" }: CollectedTarget,
  { structure, chain, sequence }: TargetData,
): ChainChoice {
  return {
    id,
    structure: path,
    chains: structure?.chains.map(({ id }) => id) ?? [],
    chosen: chain?.id ?? "",
    residues: sequence.length,
    observed: chain ? observedResidues(chain) : 0,
    resolutionAngstrom: structure?.resolutionAngstrom,
  };
}

function clustersOf(targets: readonly { id: string; sequence: string }[], identity: number): string[][] {
  if (targets.length === 0) return [];
  const { members } = clusterByIdentity(targets.map(({ sequence }) => sequence), identity);
  return members.filter(({ length }) => length > 1)
    .map((cluster) => cluster.map((k) => targets[k].id))
    .toSorted((a, b) => b.length - a.length);
}
