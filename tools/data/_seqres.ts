/** Finds the place of each observed residue in the full sequence of its chain. */
import type { Place, ResidueAtoms } from "./_residue_atoms.ts";

/** A place whose residue was seen. */
export type Observed = Place & { readonly atoms: ResidueAtoms };

/**
 * Puts the residues of a sequence that were not observed between those that were.
 *
 * Every observed residue takes a later place of the sequence than the one before it and bears the name written there. Of
 * all such placements the one is taken whose steps differ least often from the steps of the residue numbers; of equals
 * one where the numbers count the places of the sequence.
 *
 * @returns All places of the sequence in order, or `undefined` if the observed residues do not fit into it.
 */
export function alignToSequence(observed: readonly Observed[], names: readonly string[]): Place[] | undefined {
  const n = observed.length;
  const m = names.length;
  if (n === 0 || n > m) return undefined;
  const kinds = observed.map((residue) => new Set(residue.atoms.names()));
  // cost[s]: least number of irregular steps with the residue of this round at place s.
  let cost = new Float64Array(m).fill(Infinity);
  const cameFrom: Int32Array[] = [];
  for (let i = 0; i < n; i++) {
    const next = new Float64Array(m).fill(Infinity);
    const from = new Int32Array(m).fill(-1);
    const step = i === 0 ? 0 : observed[i].number - observed[i - 1].number;
    let best = -1; // cheapest place before s of the residue before, the latest of equals
    for (let s = i; s < m; s++) {
      if (i > 0 && s > 0 && cost[s - 1] < Infinity && (best < 0 || cost[s - 1] <= cost[best])) best = s - 1;
      if (!kinds[i].has(names[s])) continue;
      if (i === 0) {
        next[s] = s + 1 === observed[0].number ? 0 : 0.5;
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

  const places: (Place | undefined)[] = new Array(m).fill(undefined);
  for (let i = n - 1; i >= 0; i--) {
    places[at] = observed[i];
    at = cameFrom[i][at];
  }
  return number(places, names);
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
