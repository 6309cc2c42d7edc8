/** Finds the place of each observed residue in the full sequence of its chain. */
import { residueLetter } from "../../model/protein/residues.ts";
import type { Place, Residue } from "./_residue_atoms.ts";

/** A place whose residue was seen. */
export type Observed = Place & { readonly residue: Residue };

/**
 * Puts the residues of a sequence that were not observed between those that were; see {@linkcode placesInSequence}. Names
 * are equal where they stand for the same amino acid: HIE of a simulation is HIS of the sequence.
 *
 * @returns All places of the sequence in order, or `undefined` if the observed residues do not fit into it.
 */
export function alignToSequence(observed: readonly Observed[], names: readonly string[]): Place[] | undefined {
  const kinds = observed.map(({ residue }) => residue.names());
  const letters = kinds.map((own) => own.map(residueLetter));
  const expected = names.map(residueLetter);
  const numbers = observed.map(({ number }) => number);
  const found = placesInSequence(numbers, names.length, (residue, place) => {
    return kinds[residue].includes(names[place]) ||
      (expected[place] !== "X" && letters[residue].includes(expected[place]));
  });
  if (found === undefined) return undefined;
  const places: (Place | undefined)[] = new Array(names.length).fill(undefined);
  found.forEach((place, residue) => places[place] = observed[residue]);
  return number(places, names);
}

/**
 * Finds a place in a sequence for each observed residue.
 *
 * Every one takes a later place than the one before it, and one that it fits. Of all such placements the one is taken
 * whose steps differ least often from the steps of the residue numbers; of equals one where the numbers count the places
 * of the sequence.
 *
 * @param numbers Of the observed residues.
 * @param m Places of the sequence.
 * @param fits Whether a residue can be at a place.
 * @returns The place of each residue, or `undefined` if they do not fit into the sequence.
 */
export function placesInSequence(
  numbers: readonly number[],
  m: number,
  fits: (residue: number, place: number) => boolean,
): Int32Array | undefined {
  const n = numbers.length;
  if (n === 0 || n > m) return undefined;
  // cost[s]: least number of irregular steps with the residue of this round at place s.
  let cost = new Float64Array(m).fill(Infinity);
  const cameFrom: Int32Array[] = [];
  for (let i = 0; i < n; i++) {
    const next = new Float64Array(m).fill(Infinity);
    const from = new Int32Array(m).fill(-1);
    const step = i === 0 ? 0 : numbers[i] - numbers[i - 1];
    let best = -1; // cheapest place before s of the residue before, the latest of equals
    for (let s = i; s < m; s++) {
      if (i > 0 && s > 0 && cost[s - 1] < Infinity && (best < 0 || cost[s - 1] <= cost[best])) best = s - 1;
      if (!fits(i, s)) continue;
      if (i === 0) {
        next[s] = s + 1 === numbers[0] ? 0 : 0.5;
        continue;
      }
      if (best >= 0) {
        next[s] = cost[best] + 1;
        from[s] = best;
      }
      const regular = s - step;
      if (step > 0 && regular >= 0 && cost[regular] < Infinity && cost[regular] <= next[s]) {
        next[s] = cost[regular];
        from[s] = regular;
      }
    }
    cost = next;
    cameFrom.push(from);
  }
  let at = -1;
  for (let s = 0; s < m; s++) if (cost[s] < Infinity && (at < 0 || cost[s] < cost[at])) at = s;
  if (at < 0) return undefined;
  const places = new Int32Array(n);
  for (let i = n - 1; i >= 0; i--) {
    places[i] = at;
    at = cameFrom[i][at];
  }
  return places;
}

/** Numbers the unobserved places on from the observed one before them, those at the start back from the first. */
function number(places: readonly (Place | undefined)[], names: readonly string[]): Place[] {
  const first = places.findIndex((place) => place !== undefined);
  const out: Place[] = [];
  places.forEach((place, s) => {
    const known = places[first]?.number ?? 1;
    const value = s < first ? known - (first - s) : (out[s - 1]?.number ?? 0) + 1;
    out.push(place ?? { name: names[s], number: value, insertionCode: "" });
  });
  return out;
}
