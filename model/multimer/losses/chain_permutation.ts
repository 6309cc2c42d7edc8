/** Which chain of the truth each predicted chain stands for, where chains have the same sequence. */
import { applyMotion, kabsch } from "../../protein/metrics/kabsch.ts";

/** Residues of a complex, one C-alpha each. */
export interface ComplexTrace {
  /** Å, `[N_res, 3]`. */
  readonly positions: ArrayLike<number>;
  /** 1 where the atom is known, `[N_res]`. */
  readonly mask: ArrayLike<number>;
  /** Number of the chain, `[N_res]`; 0 for padding. */
  readonly asymId: ArrayLike<number>;
  /** Number of its sequence, `[N_res]`. */
  readonly entityId: ArrayLike<number>;
}

/** A prediction: of chains or of parts of them. */
export interface PredictedTrace extends ComplexTrace {
  /** Number of each residue along its chain, from 0, `[N_res]`. */
  readonly residueIndex: ArrayLike<number>;
}

/** A predicted chain and the true one that it stands for, each by its place among the chains. */
export type ChainPair = readonly [predicted: number, truth: number];

interface ChainRows {
  readonly asym: number;
  readonly entity: number;
  /** Places of its residues. */
  readonly rows: readonly number[];
}

/** The chains in the order of their numbers; padding is none. */
function chainsOf({ asymId, entityId }: ComplexTrace): ChainRows[] {
  const found = new Map<number, { asym: number; entity: number; rows: number[] }>();
  for (let i = 0; i < asymId.length; i++) {
    if (asymId[i] === 0) continue;
    const chain = found.get(asymId[i]) ?? { asym: asymId[i], entity: entityId[i], rows: [] };
    found.set(asymId[i], chain);
    chain.rows.push(i);
  }
  return [...found.values()].sort((a, b) => a.asym - b.asym);
}

/**
 * Pairs predicted chains with true ones. One true chain of the rarest sequence is laid on each predicted chain of that
 * sequence in turn; then every predicted chain takes the nearest true one of its sequence that is left. The way with the
 * least sum of deviations counts.
 *
 * Source: Evans et al. (2021), Suppl. 7.3.2 "Multi-chain permutation alignment".
 *
 * @param predicted Chains in the order of their numbers take their pick one after the other.
 * @param truth Whole chains: the place of a residue in its chain is its number.
 * @param choose Picks the true chain that is laid on, of several. @default the first
 * @returns A pair for every predicted chain.
 * @throws {RangeError} If a predicted chain has no true one of its sequence left.
 */
export function alignChains(
  predicted: PredictedTrace,
  truth: ComplexTrace,
  choose: (asymIds: readonly number[]) => number = (asymIds) => asymIds[0],
): ChainPair[] {
  const ours = chainsOf(predicted), theirs = chainsOf(truth);
  const anchor = anchorEntity(theirs);
  const candidates = theirs.filter(({ entity }) => entity === anchor);
  const picked = choose(candidates.map(({ asym }) => asym));
  const base = candidates.find(({ asym }) => asym === picked) ?? candidates[0];
  let best: { pairs: ChainPair[]; cost: number } | undefined;
  for (const partner of ours.filter(({ entity }) => entity === anchor)) {
    const { mobile, target, mask } = matched(predicted, partner, truth, base);
    if (!mask.some((there) => there !== 0)) continue;
    const motion = kabsch(mobile, target, { mask });
    const moved = { ...truth, positions: applyMotion(motion, Float64Array.from(truth.positions)) };
    const found = greedy(predicted, ours, moved, theirs);
    if (!best || found.cost < best.cost) best = found;
  }
  return best?.pairs ?? greedy(predicted, ours, truth, theirs).pairs;
}

/** The sequence with fewest chains; of several the one with most residues. */
function anchorEntity(chains: readonly ChainRows[]): number {
  const byEntity = Map.groupBy(chains, ({ entity }) => entity);
  const residues = (entity: number) => byEntity.get(entity)!.reduce((sum, { rows }) => sum + rows.length, 0);
  return [...byEntity.keys()].sort((a, b) =>
    byEntity.get(a)!.length - byEntity.get(b)!.length || residues(b) - residues(a) || a - b
  )[0];
}

/** C-alphas of a predicted chain and of the same residues of a true one. */
function matched(predicted: PredictedTrace, own: ChainRows, truth: ComplexTrace, other: ChainRows) {
  const target: number[] = [], mobile: number[] = [], mask: number[] = [];
  for (const row of own.rows) {
    const at = other.rows[predicted.residueIndex[row]];
    const there = at !== undefined;
    for (let axis = 0; axis < 3; axis++) {
      target.push(predicted.positions[3 * row + axis]);
      mobile.push(there ? truth.positions[3 * at + axis] : 0);
    }
    mask.push(there ? predicted.mask[row] * truth.mask[at] : 0);
  }
  return { target: Float64Array.from(target), mobile: Float64Array.from(mobile), mask };
}

function greedy(
  predicted: PredictedTrace,
  ours: readonly ChainRows[],
  truth: ComplexTrace,
  theirs: readonly ChainRows[],
): { pairs: ChainPair[]; cost: number } {
  const left = new Set(theirs.keys());
  let cost = 0;
  const pairs = ours.map((own, p): ChainPair => {
    let best = -1, least = Infinity;
    for (const t of left) {
      if (theirs[t].entity !== own.entity) continue;
      const { target, mobile, mask } = matched(predicted, own, truth, theirs[t]);
      const deviation = deviationOf(target, mobile, mask);
      if (best < 0 || deviation < least) [best, least] = [t, deviation];
    }
    if (best < 0) {
      throw new RangeError(
        `Predicted chain ${own.asym} has no true chain of its sequence (entity ${own.entity}) left: expected as many`,
      );
    }
    left.delete(best);
    if (Number.isFinite(least)) cost += least;
    return [p, best];
  });
  return { pairs, cost };
}

/** Root mean square deviation in Å; infinite where no residue is known in both. */
function deviationOf(a: Float64Array, b: Float64Array, mask: readonly number[]): number {
  let sum = 0, count = 0;
  mask.forEach((there, i) => {
    if (!there) return;
    for (let axis = 0; axis < 3; axis++) sum += (a[3 * i + axis] - b[3 * i + axis]) ** 2;
    count++;
  });
  return count ? Math.sqrt(sum / count) : Infinity;
}

/**
 * For each residue of a prediction its place in the truth, chains being paired; -1 for padding and where the truth has none.
 *
 * @param pairs Of {@linkcode alignChains}.
 */
export function truthRows(predicted: PredictedTrace, truth: ComplexTrace, pairs: readonly ChainPair[]): Int32Array {
  const ours = chainsOf(predicted), theirs = chainsOf(truth);
  const rows = new Int32Array(predicted.asymId.length).fill(-1);
  for (const [p, t] of pairs) {
    for (const row of ours[p].rows) rows[row] = theirs[t].rows[predicted.residueIndex[row]] ?? -1;
  }
  return rows;
}
