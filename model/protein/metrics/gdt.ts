import { kabsch } from "./kabsch.ts";
import { countPairs, type Points, selectedIndices } from "./points.ts";
import { searchSuperpositions } from "./superposition_search.ts";
import { tmD0 } from "./tm_score.ts";

/** Cutoffs of GDT_TS ("total score"), in Å. */
export const GDT_TS_CUTOFFS: readonly number[] = [1, 2, 4, 8];

/** Cutoffs of GDT_HA ("high accuracy"), in Å. */
export const GDT_HA_CUTOFFS: readonly number[] = [0.5, 1, 2, 4];

/** How the two structures are laid on each other before distances are counted. */
export type GdtSuperposition = "search" | "kabsch" | "none";

/** Options of `gdt`. */
export interface GdtOptions {
  /**
   * `[n]`; pairs whose entry is 0 are left out.
   * @default all pairs count
   */
  mask?: ArrayLike<number>;
  /**
   * `search`: for every cutoff its own best superposition among those that grow from fragments, as the measure is
   * defined; `kabsch`: one superposition, that of least RMSD; `none`: the points as they lie.
   * @default "search"
   */
  superposition?: GdtSuperposition;
  /**
   * Length of the reference chain that the fractions refer to.
   * @default the number of pairs that count
   */
  length?: number;
  /**
   * A factor for each cutoff; the mean is still divided by the number of cutoffs, not by the sum of the factors.
   * @default 1 for each
   */
  cutoffWeights?: readonly number[];
}

/**
 * Global distance test: for each cutoff the fraction of residues that lie within it, averaged over the cutoffs.
 *
 * A distance equal to the cutoff counts. The search tries the superpositions that the TM-score program tries (fragment
 * seeds, extended until stable) and gives the numbers that program prints; it is a lower bound of the best possible.
 * Source: Zemla (2003), Nucleic Acids Res. 31, 3370-3374.
 *
 * @example
 * ```ts
 * import { gdt, GDT_TS_CUTOFFS } from "@denofold/denofold/model";
 * import assert from "node:assert/strict";
 * const a = new Float64Array([0, 0, 0, 4, 0, 0, 8, 0, 0]);
 * const b = new Float64Array([0, 0, 0, 4, 3, 0, 8, 0, 9]);
 * // within 1 Å: 1 of 3, 2 Å: 1, 4 Å: 2, 8 Å: 2
 * assert(Math.abs(gdt(a, b, GDT_TS_CUTOFFS, { superposition: "none" }) - 0.5) < 1e-12);
 * ```
 * @param model `[n, 3]`, C-alpha positions in Å.
 * @param reference `[n, 3]`, in Å.
 * @param cutoffs In Å.
 * @returns Between 0 and 1.
 * @throws {TypeError} If the sizes differ, also those of cutoffs and their weights.
 * @throws {RangeError} If no pair or no cutoff is left.
 */
export function gdt(model: Points, reference: Points, cutoffs: readonly number[], options: GdtOptions = {}): number {
  const n = countPairs(model, reference, "model", "reference");
  const indices = selectedIndices(n, { mask: options.mask });
  const length = options.length ?? indices.length;
  const factors = options.cutoffWeights ?? cutoffs.map(() => 1);
  if (cutoffs.length === 0) throw new RangeError("Cannot compute gdt: there are no cutoffs");
  if (!(length > 0)) throw new RangeError(`Cannot take fractions of length ${length}: it must be above 0`);
  if (factors.length !== cutoffs.length) {
    throw new TypeError(`Cannot weight ${cutoffs.length} cutoffs with ${factors.length} factors`);
  }
  const best = new Float64Array(cutoffs.length);
  const count = (distances: Float64Array) => {
    for (let c = 0; c < cutoffs.length; c++) {
      let within = 0;
      for (let k = 0; k < distances.length; k++) if (distances[k] <= cutoffs[c]) within++;
      if (within > best[c]) best[c] = within;
    }
  };
  const superposition = options.superposition ?? "search";
  if (superposition === "search") {
    searchSuperpositions(model, reference, indices, Math.min(8, Math.max(4.5, tmD0(length))), count);
  } else {
    const placed = superposition === "kabsch" ? kabsch(model, reference, { mask: options.mask }).points : model;
    count(pairDistances(placed, reference, indices));
  }
  let sum = 0;
  for (let c = 0; c < cutoffs.length; c++) sum += (factors[c] * best[c]) / length;
  return sum / cutoffs.length;
}

/**
 * GDT_TS: `gdt` with cutoffs 1, 2, 4 and 8 Å.
 * @param model `[n, 3]`, C-alpha positions in Å.
 * @param reference `[n, 3]`, in Å.
 * @returns Between 0 and 1.
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If no pair is left.
 */
export function gdtTs(model: Points, reference: Points, options: GdtOptions = {}): number {
  return gdt(model, reference, GDT_TS_CUTOFFS, options);
}

/**
 * GDT_HA: `gdt` with cutoffs 0.5, 1, 2 and 4 Å.
 * @param model `[n, 3]`, C-alpha positions in Å.
 * @param reference `[n, 3]`, in Å.
 * @returns Between 0 and 1.
 * @throws {TypeError} If the sizes differ.
 * @throws {RangeError} If no pair is left.
 */
export function gdtHa(model: Points, reference: Points, options: GdtOptions = {}): number {
  return gdt(model, reference, GDT_HA_CUTOFFS, options);
}

function pairDistances(a: Points, b: Points, indices: Int32Array): Float64Array {
  return Float64Array.from(indices, (i) => {
    const x = a[3 * i] - b[3 * i];
    const y = a[3 * i + 1] - b[3 * i + 1];
    const z = a[3 * i + 2] - b[3 * i + 2];
    return Math.sqrt(x * x + y * y + z * z);
  });
}
