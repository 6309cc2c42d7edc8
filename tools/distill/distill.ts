/** Self-distillation: a teacher's predictions of sequences without structures become a data set to learn from. */
import { join } from "node:path";
import type { Device } from "../../core/mod.ts";
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import { makeAtom14Masks } from "../data/features/atom14.ts";
import { makeChainFeatures } from "../data/features/chain.ts";
import { formatCsv } from "../data/matrix.ts";
import { InputError } from "../errors.ts";
import { fileNames, makeFolder, writeFileAtomic, writeTogether } from "../files.ts";
import { type ReadableTarget, readInputs } from "../finetune/targets.ts";
import type { PlannedModel } from "../predict/planned_model.ts";
import { loadNetwork } from "../predict/network.ts";
import { encodeFeatureFile } from "../prep/feature_file.ts";
import { MANIFEST, type ManifestEntry } from "../prep/manifest.ts";
import type { PreparedTarget } from "../prep/prepare_target.ts";
import { counted } from "../words.ts";
import { type DistogramSums, divergences, referenceDistribution } from "./confidence.ts";
import { readTaught, taught, TAUGHT_FOLDER, type TaughtFile, type TaughtTarget } from "./teach.ts";

/** Choices of {@linkcode distill}. */
export interface DistillOptions {
  /** Feature files, sequences, alignments: files and folders. */
  readonly inputs: readonly string[];
  /** Folder of the results. */
  readonly out: string;
  /** For all random choices. */
  readonly seed: number;
  /** Iterations after the first. @default as the teacher has it */
  readonly recycles?: number;
  /** Least divergence of a residue's distances from the reference; others are masked. */
  readonly minDivergence: number;
  /** Least pLDDT of a residue, 0 to 100; others are masked. */
  readonly minPlddt: number;
  /** Least part of the residues that must be left of a target. */
  readonly minConfident: number;
  /** Fewest and most residues, and fewest rows of the alignment, of a target. */
  readonly minLength: number;
  readonly maxLength: number;
  readonly minDepth: number;
}

/** The supplement's threshold of the divergence; the other filters are off. */
export const DISTILL_DEFAULTS = {
  ...{ seed: 0, minDivergence: 0.5, minPlddt: 0, minConfident: 0.1, minLength: 1, maxLength: Infinity, minDepth: 1 },
} as const satisfies Partial<DistillOptions>;

/** What became of a target. */
export interface DistilledTarget {
  /** Its name. */
  readonly id: string;
  /** Residues, and rows of its alignment. */
  readonly residues: number;
  readonly rows: number;
  /** Means over its residues; null where it was not predicted. */
  readonly divergence: number | null;
  readonly plddt: number | null;
  /** Residues that are confident. */
  readonly confident: number;
  /** Why it was dropped; null where it was kept. */
  readonly dropped: string | null;
}

/** What is told while the work goes on. */
export interface DistillEvents {
  /** A target is done, so many of so many. */
  target?(id: string, done: number, total: number): void;
  /** Whether to stop; asked before every target. */
  stop?(): boolean | Promise<boolean>;
}

/** How it ended. */
export interface DistillOutcome {
  /** Whether all targets were looked at; else it goes on from there when it is called again. */
  readonly finished: boolean;
  /** The targets, in their order. */
  readonly targets: readonly DistilledTarget[];
  /** Files written. */
  readonly files: readonly string[];
}

/** Residues without which there is no distance to learn. */
const LEAST_CONFIDENT = 2;

/** Names of the two tables. */
export const DISTILL_FILES = { facts: "distill.json", table: "distill.csv" } as const;

/**
 * Predicts targets by a teacher and writes feature files with the predicted structures, in which only confident residues
 * count. The same seed gives the same files; predictions that are there already are not made again.
 *
 * Source: Jumper et al. (2021), Suppl. 1.3.
 *
 * @throws {InputError} If a file cannot be read, or nothing is confident enough.
 */
export async function distill(
  device: Device,
  teacher: PlannedModel,
  options: DistillOptions,
  events: DistillEvents = {},
): Promise<DistillOutcome> {
  const { inputs, out } = options;
  const readables = await readInputs(inputs, "none");
  await makeFolder(join(out, TAUGHT_FOLDER));
  const names = fileNames(readables.map(({ id }) => id));
  const found: Seen[] = [], totals: Pick<DistogramSums, "totals" | "bins">[] = [];
  {
    using scope = device.scope("teacher");
    void scope;
    using weights = await teacher.open();
    const network = await loadNetwork(device, teacher.config, weights.entries);
    for (const [i, readable] of readables.entries()) {
      if (await events.stop?.()) return { finished: false, targets: [], files: [] };
      const target = await readable.load();
      const rows = target.features.num_alignments[0], name = names[i];
      const dropped = tooSmall(readable.sequence.length, rows, options);
      const { seed, recycles } = options;
      const seen = dropped === null
        ? await taught(device, network, target, { seed, recycles, teacher: teacher.weights, folder: out, name })
        : undefined;
      if (seen) totals.push({ totals: seen.taught.distogram.totals, bins: seen.taught.distogram.bins });
      found.push({ readable, rows, name, dropped, file: seen && { path: seen.path, key: seen.key } });
      events.target?.(readable.id, i + 1, readables.length);
    }
  }
  const reference = referenceDistribution(totals);
  const targets: DistilledTarget[] = [], entries: ManifestEntry[] = [], files: string[] = [];
  for (const { readable, rows, name, dropped, file: kept } of found) {
    const { id, sequence } = readable;
    const taught = kept && await readTaught(kept);
    const residues = sequence.length;
    const apart = taught && divergences(taught.distogram, reference);
    const mask = apart &&
      taught.plddt.map((plddt, i) => Number(apart[i] >= options.minDivergence && plddt >= options.minPlddt));
    const confident = mask?.reduce((sum, x) => sum + x, 0) ?? 0;
    const least = Math.max(LEAST_CONFIDENT, options.minConfident * residues);
    const few = confident < least
      ? `${confident} of ${counted(residues, "residue")} confident, expected ${Math.ceil(least)} or more`
      : null;
    const reason = dropped ?? few;
    const mean = (x: Float32Array | undefined) => x ? x.reduce((sum, value) => sum + value, 0) / x.length : null;
    targets.push({
      ...{ id, residues, rows, confident, divergence: mean(apart), plddt: mean(taught?.plddt), dropped: reason },
    });
    if (reason !== null) {
      entries.push({ id, status: "failed", error: reason });
      continue;
    }
    const target = await readable.load(), file = `${name}.safetensors`;
    await writeFileAtomic(join(out, file), encodeFeatureFile(withStructure(target, taught!, mask!, teacher)));
    files.push(join(out, file));
    entries.push({ id, status: "ok", file });
  }
  const facts = { teacher: teacher.weights, options: { ...options, maxLength: finite(options.maxLength) }, targets };
  const columns = ["id", "residues", "rows", "divergence", "plddt", "confident", "dropped"];
  const tables = new Map([
    [MANIFEST, entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")],
    [DISTILL_FILES.facts, `${JSON.stringify(facts, undefined, 2)}\n`],
    [DISTILL_FILES.table, formatCsv(columns, targets.map(rowOf))],
  ]);
  files.push(...await writeTogether(out, tables));
  if (!targets.some(({ dropped }) => dropped === null)) {
    const most = targets.reduce((most, { divergence }) => Math.max(most, divergence ?? 0), 0);
    throw new InputError(
      `No target is confident enough to be learnt from: the largest mean divergence is ${most.toFixed(3)}, ` +
        `--min-divergence ${options.minDivergence} (${join(out, DISTILL_FILES.table)} tells all)`,
    );
  }
  return { finished: true, targets, files };
}

/** A target after the first look at all. */
interface Seen {
  readonly readable: ReadableTarget;
  readonly rows: number;
  /** Name of its files. */
  readonly name: string;
  readonly dropped: string | null;
  readonly file?: TaughtFile;
}

function rowOf({ divergence, plddt, dropped, ...rest }: DistilledTarget) {
  return {
    ...rest,
    divergence: divergence?.toFixed(4),
    plddt: plddt?.toFixed(2),
    dropped: dropped ?? undefined,
  };
}

function tooSmall(residues: number, rows: number, { minLength, maxLength, minDepth }: DistillOptions): string | null {
  if (residues < minLength) return `${counted(residues, "residue")}, fewer than --min-length ${minLength}`;
  if (residues > maxLength) return `${counted(residues, "residue")}, more than --max-length ${maxLength}`;
  if (rows < minDepth) return `${counted(rows, "row")} in its alignment, fewer than --min-depth ${minDepth}`;
  return null;
}

/** The target with the predicted structure, of which only confident residues are there; its resolution is not known. */
function withStructure(
  target: PreparedTarget,
  { atomPositions, plddt }: TaughtTarget,
  confident: Float32Array,
  teacher: PlannedModel,
): PreparedTarget {
  const { sequence, features } = target;
  const exists = makeAtom14Masks(features.aatype).atom37_atom_exists;
  const atomMask = exists.map((x, at) => x * confident[Math.floor(at / ATOM_SLOTS)]);
  const chain = {
    ...{ id: "A", labelId: "A", sequence, atomMask },
    atomPositions: atomPositions.map((x, at) => x * atomMask[Math.floor(at / 3)]),
    residueNumbers: Int32Array.from(sequence, (_, i) => i + 1),
    insertionCodes: Array.from(sequence, () => ""),
    bFactors: Float32Array.from(atomMask, (x, at) => x * plddt[Math.floor(at / ATOM_SLOTS)]),
  };
  return {
    ...target,
    supervised: makeChainFeatures(chain),
    chain: "A",
    observedResidues: confident.reduce((sum, x) => sum + x, 0),
    warnings: [...target.warnings, `Its structure is a prediction by ${teacher.weights}`],
  };
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
