/** Relaxes the predictions in a target's folder. */
import { basename, join } from "node:path";
import { structureViolations, type Violations } from "../../model/protein/metrics/mod.ts";
import { readStructure } from "../data/read_structure.ts";
import type { Structure } from "../data/structure.ts";
import { formatModelCif } from "../data/write_modelcif.ts";
import { formatPdb } from "../data/write_pdb.ts";
import { InputError } from "../errors.ts";
import { writeTogether } from "../files.ts";
import { relax, type RelaxOptions } from "./relax.ts";

/** Which predictions are relaxed. */
export interface RelaxFolderOptions extends RelaxOptions {
  /** Most predictions, best first. @default all */
  readonly most?: number;
  /** Whether relaxed ones are relaxed again. @default false */
  readonly overwrite?: boolean;
}

/** Metrics of the relaxations of a folder. */
const METRICS = "relax_metrics.json";
/** Seconds of the parts of a target's prediction, to which those of its relaxations are added. */
const TIMINGS = "timings.json";

/**
 * Relaxes predictions of a target, best first, and writes `relaxed_M.pdb`, `relaxed_M.cif` and `relax_metrics.json` beside
 * them, and the seconds into `timings.json`; those that are relaxed already are passed over, so that what was broken off can be taken up again.
 *
 * @returns Names of the predictions that were relaxed now.
 * @throws {InputError} If the folder holds no predictions, or OpenMM fails.
 */
export async function relaxFolder(folder: string, options: RelaxFolderOptions = {}): Promise<string[]> {
  const { most = Infinity, overwrite = false } = options;
  const names = (await orderOf(folder)).slice(0, most);
  const metrics: Record<string, unknown> = await readJson(join(folder, METRICS)) ?? {};
  const timings: Record<string, unknown> = await readJson(join(folder, TIMINGS)) ?? {};
  const relaxed: string[] = [];
  for (const name of names) {
    const done = await Deno.stat(join(folder, `relaxed_${name}.cif`)).then(() => true, () => false);
    if (done && !overwrite) continue;
    const input = await readStructure(join(folder, `unrelaxed_${name}.cif`));
    const started = performance.now();
    const { structure, ...facts } = await relax({ ...input, id: basename(folder) }, options);
    timings[`relax_${name}`] = (performance.now() - started) / 1000;
    metrics[name] = { ...facts, ...violationMetrics(input, structure) };
    const comments = [
      `Relaxed with OpenMM ${facts.openmm}, Amber99SB.`,
      "The B-factors are the predicted lDDT-CA (pLDDT), 0 to 100.",
    ];
    const files = new Map<string, string>();
    const pdb = asPdb(structure, comments);
    if (pdb !== undefined) files.set(`relaxed_${name}.pdb`, pdb);
    files.set(METRICS, `${JSON.stringify(metrics, undefined, 2)}\n`);
    files.set(TIMINGS, `${JSON.stringify(timings, undefined, 2)}\n`);
    // The last, for by it a relaxation is known to be done.
    files.set(
      `relaxed_${name}.cif`,
      formatModelCif(structure, { comments, software: [{ name: "OpenMM", version: facts.openmm }], modelName: name }),
    );
    await writeTogether(folder, files);
    relaxed.push(name);
  }
  return relaxed;
}

/**
 * Violations before and after, those left under the names that AlphaFold has for them: 1 for each residue with one, in the
 * order of chains and residues.
 */
export function violationMetrics(before: Structure, after: Structure): Record<string, unknown> {
  const [initial, remaining] = [before, after].map(({ chains }) =>
    chains.map(({ sequence, atomPositions, atomMask }) =>
      structureViolations({ sequence, positions: atomPositions, mask: atomMask })
    )
  );
  const residues = (found: readonly Violations[]) => found.flatMap(({ perResidue }) => Array.from(perResidue));
  const sum = (found: readonly Violations[], of: (violations: Violations) => number) =>
    found.reduce((sum, violations) => sum + of(violations), 0);
  const kinds = (found: readonly Violations[]) => ({
    bonds: sum(found, ({ bonds }) => bonds),
    clashes: sum(found, ({ clashes }) => clashes),
    within_residues: sum(found, ({ within }) => within),
  });
  const count = (found: readonly Violations[]) => residues(found).reduce((sum, x) => sum + x, 0);
  return {
    initial_violations: residues(initial),
    initial_violations_count: count(initial),
    initial_violations_by_kind: kinds(initial),
    remaining_violations: residues(remaining),
    remaining_violations_count: count(remaining),
    remaining_violations_by_kind: kinds(remaining),
  };
}

function asPdb(structure: Parameters<typeof formatPdb>[0], remarks: readonly string[]): string | undefined {
  try {
    return formatPdb(structure, { remarks, classification: "computed model", unitCell: true });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Names of the predictions of a folder, best first. */
async function orderOf(folder: string): Promise<string[]> {
  const ranking = await readJson(join(folder, "ranking_debug.json"));
  const order = ranking?.order;
  if (Array.isArray(order) && order.every((name) => typeof name === "string")) return order;
  throw new InputError(
    `${folder} holds no predictions: there is no ranking_debug.json; relaxation needs --format alphafold or both`,
  );
}

async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch {
    return undefined;
  }
}
