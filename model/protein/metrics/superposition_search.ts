import { fitSubset, type RigidMotion } from "./kabsch.ts";
import { assertFinitePoints, type Points } from "./points.ts";

/** Called with every superposition tried: distances `[count]` in Å of the selected pairs (reused, copy to keep). */
export type SuperpositionVisitor = (distances: Float64Array, motion: RigidMotion) => void;

/**
 * Tries superpositions that grow from fragments, as the TM-score program does.
 *
 * Every run of L = n, n/2, n/4, … ≥ 4 consecutive pairs seeds a superposition. From each seed the pairs that lie
 * closer than a cutoff are fitted anew, up to 20 times or until their set no longer changes. Cutoffs are
 * `searchDistance` - 1 after the seed and `searchDistance` + 1 then, widened in steps of 0.5 Å until 3 pairs are in.
 *
 * Source: Zhang & Skolnick (2004), Proteins 57, 702-710, "TM-score", and the search its program describes.
 *
 * @param mobile `[n, 3]`, in Å.
 * @param target `[n, 3]`, in Å.
 * @param indices The pairs to use, in chain order.
 * @param searchDistance In Å.
 * @throws {RangeError} If a coordinate of a used pair is not a finite number.
 */
export function searchSuperpositions(
  mobile: Points,
  target: Points,
  indices: Int32Array,
  searchDistance: number,
  visit: SuperpositionVisitor,
): void {
  assertFinitePoints(mobile, indices, "mobile");
  assertFinitePoints(target, indices, "target");
  const count = indices.length;
  const distances = new Float64Array(count);
  const close = new Int32Array(count);
  const fitted = new Int32Array(count);

  /** Fits the given pairs, visits, and collects in `close` the pairs within the cutoff; returns their number. */
  const tryFit = (pairs: Int32Array, size: number, cutoff: number): number => {
    const motion = fitSubset(mobile, target, pairs, size);
    const { rotation: r, translation: t } = motion;
    for (let k = 0; k < count; k++) {
      const i = 3 * indices[k];
      const x = mobile[i];
      const y = mobile[i + 1];
      const z = mobile[i + 2];
      const dx = r[0] * x + r[1] * y + r[2] * z + t[0] - target[i];
      const dy = r[3] * x + r[4] * y + r[5] * z + t[1] - target[i + 1];
      const dz = r[6] * x + r[7] * y + r[8] * z + t[2] - target[i + 2];
      distances[k] = Math.sqrt(dx * dx + dy * dy + dz * dz);
    }
    visit(distances, motion);
    const limit = widened(cutoff, distances);
    let found = 0;
    for (let k = 0; k < count; k++) if (distances[k] < limit) close[found++] = indices[k];
    return found;
  };

  for (const length of seedLengths(count)) {
    for (let first = 0; first + length <= count; first++) {
      let found = tryFit(indices.subarray(first, first + length), length, searchDistance - 1);
      for (let round = 0; round < 20; round++) {
        const size = found;
        for (let k = 0; k < size; k++) fitted[k] = close[k];
        found = tryFit(fitted, size, searchDistance + 1);
        if (found === size && sameStart(fitted, close, size)) break;
      }
    }
  }
}

/** The cutoff, raised in steps of 0.5 Å until three distances (or all, if fewer) lie below it. */
function widened(cutoff: number, distances: Float64Array): number {
  const least = [Infinity, Infinity, Infinity];
  for (const distance of distances) {
    if (distance >= least[2]) continue;
    least[2] = distance;
    least.sort((x, y) => x - y);
  }
  const third = least[Math.min(3, distances.length) - 1];
  return third < cutoff ? cutoff : cutoff + 0.5 * (Math.floor((third - cutoff) / 0.5) + 1);
}

/** n, n/2, n/4, … (whole numbers), at most six lengths, ending at min(4, n). */
function seedLengths(count: number): number[] {
  const least = Math.min(4, count);
  const lengths: number[] = [];
  for (let k = 0; k < 5; k++) {
    const length = Math.floor(count / 2 ** k);
    if (length <= least) return [...lengths, least];
    lengths.push(length);
  }
  return [...lengths, least];
}

function sameStart(a: Int32Array, b: Int32Array, size: number): boolean {
  for (let k = 0; k < size; k++) if (a[k] !== b[k]) return false;
  return true;
}
