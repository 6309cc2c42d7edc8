/** Naive answers for a member of a family, made without its structure: what a model has to beat. */
import type { Device } from "../../core/mod.ts";
import { sequenceIdentity } from "../data/alignment.ts";
import { distanceTarget, type Family, type FamilyMember } from "../data/family.ts";
import { InputError } from "../errors.ts";
import { evaluateFold, type FoldEvaluation } from "./evaluate.ts";
import { type Fold, foldDistances } from "./fold.ts";
import { soonestPlace } from "./scale.ts";

/** A naive answer, folded and measured like a prediction. */
export interface Baseline {
  /** Kind of the answer. */
  readonly kind: "familyMean" | "nearestRelative";
  /** Name for tables, such as `Mean map of the family` or `Copy of 1znm`. */
  readonly label: string;
  /** Its distances, folded. */
  readonly fold: Fold;
  /** Its measures against the target. */
  readonly evaluation: FoldEvaluation;
}

/** How {@link familyBaselines} answers. */
export interface BaselineOptions {
  /**
   * Members whose structures may be used.
   * @default all but the target
   */
  readonly others?: readonly FamilyMember[];
  /**
   * Where distances are clamped, in Å.
   * @default 20
   */
  readonly cap?: number;
  /** Seed of the fold's random starts. @default 0 */
  readonly seed?: number;
  /** Where scaling runs; see `foldDistances`. */
  readonly device?: Device;
}

/**
 * Both naive answers, folded as a prediction is and measured against the target: the mean distance map of the family, and
 * a copy of the nearest relative.
 *
 * @throws {InputError} If the family has no other member.
 */
export async function familyBaselines(
  family: Family,
  target: FamilyMember,
  options: BaselineOptions = {},
): Promise<Baseline[]> {
  const { cap = 20, seed, device } = options;
  const others = (options.others ?? family.members).filter((member) => member.row !== target.row);
  if (others.length === 0) throw new InputError(`The family of ${target.id} has no other structure to compare with`);
  const mean = meanDistanceMap(family, target, others, cap);
  const relative = nearestRelative(family, target, others);
  const copy = copiedDistanceMap(family, target, relative, mean, cap);
  const answer = async (kind: Baseline["kind"], label: string, distances: Float32Array): Promise<Baseline> => {
    const { sequence } = target.chain;
    const place = device && soonestPlace(device, sequence.length);
    const fold = await foldDistances({ id: target.id, sequence, distances, cap, seed, device: place });
    return { kind, label, fold, evaluation: evaluateFold(fold, target.chain) };
  };
  return [
    await answer("familyMean", "Mean map of the family", mean),
    await answer("nearestRelative", `Copy of ${relative.id}`, copy),
  ];
}

/**
 * Mean distance map of a family as seen from a target: for each pair of its residues the mean over the other members of
 * the distance between the residues aligned with both; where no member has both, the family's mean at that separation
 * along the sequence (at the nearest one that occurs).
 *
 * @param others Members to average; the target's own structure is not looked at.
 * @param cap Where distances are clamped before they are averaged, in Å. @default 20
 * @returns `[N_res, N_res]` of the target, in Å.
 */
export function meanDistanceMap(
  family: Family,
  target: FamilyMember,
  others: readonly FamilyMember[],
  cap = 20,
): Float32Array {
  const n = target.chain.sequence.length;
  const sum = new Float64Array(n * n);
  const count = new Float64Array(n * n);
  const bySeparation: { sum: number; count: number }[] = [];
  for (const member of others) {
    const { distances, mask } = distanceTarget(member.chain, cap);
    const size = member.chain.sequence.length;
    for (let i = 0; i < size; i++) {
      for (let j = i + 1; j < size; j++) {
        if (mask[i * size + j] === 0) continue;
        const at = bySeparation[j - i] ??= { sum: 0, count: 0 };
        at.sum += distances[i * size + j];
        at.count++;
      }
    }
    const partner = alignedResidues(family, target, member);
    for (let k = 0; k < n * n; k++) {
      const i = partner[Math.floor(k / n)];
      const j = partner[k % n];
      if (i < 0 || j < 0 || mask[i * size + j] === 0) continue;
      sum[k] += distances[i * size + j];
      count[k]++;
    }
  }
  return Float32Array.from(sum, (total, k) => {
    const separation = Math.abs(Math.floor(k / n) - k % n);
    if (separation === 0) return 0;
    return count[k] > 0 ? total / count[k] : separationMean(bySeparation, separation, cap);
  });
}

/** The member whose sequence has the highest identity with the target's in the alignment; the first of equals. */
export function nearestRelative(
  family: Family,
  target: FamilyMember,
  others: readonly FamilyMember[],
): FamilyMember {
  const { aligned } = family.alignment;
  const identity = (member: FamilyMember): number =>
    sequenceIdentity(matchColumns(aligned[target.row]), matchColumns(aligned[member.row]));
  return others.reduce((best, member) => identity(member) > identity(best) ? member : best);
}

/** The relative's distances at the aligned residues; `filler` where it lacks one. */
function copiedDistanceMap(
  family: Family,
  target: FamilyMember,
  relative: FamilyMember,
  filler: Float32Array,
  cap: number,
): Float32Array {
  const n = target.chain.sequence.length;
  const { distances, mask } = distanceTarget(relative.chain, cap);
  const size = relative.chain.sequence.length;
  const partner = alignedResidues(family, target, relative);
  return filler.map((value, k) => {
    const i = partner[Math.floor(k / n)];
    const j = partner[k % n];
    return i >= 0 && j >= 0 && mask[i * size + j] > 0 ? distances[i * size + j] : value;
  });
}

/** For each residue of the target the member's residue in the same column, or -1, `[N_res]`. */
function alignedResidues(family: Family, target: FamilyMember, member: FamilyMember): Int32Array {
  const { aligned } = family.alignment;
  const residueAt = new Map<number, number>();
  columnsOf(aligned[member.row]).forEach((column, residue) => column >= 0 && residueAt.set(column, residue));
  return Int32Array.from(columnsOf(aligned[target.row]), (column) => residueAt.get(column) ?? -1);
}

/** Column of each residue of an aligned row; -1 for insertions, which stand in none. */
function columnsOf(row: string): number[] {
  const columns: number[] = [];
  let column = 0;
  for (const letter of row) {
    if (letter >= "a" && letter <= "z") columns.push(-1);
    else if (letter !== "-") columns.push(column++);
    else column++;
  }
  return columns;
}

function matchColumns(row: string): string {
  return row.replace(/[a-z]/g, "");
}

function separationMean(bySeparation: { sum: number; count: number }[], separation: number, cap: number): number {
  for (let away = 0; away < separation + bySeparation.length; away++) {
    const at = bySeparation[separation - away] ?? bySeparation[separation + away];
    if (at) return at.sum / at.count;
  }
  return cap;
}
