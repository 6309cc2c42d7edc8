/** Lays the chain of a structure along a sequence of which it may show only a part. */
import { placesInSequence } from "./_seqres.ts";
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import type { Chain } from "./structure.ts";

/**
 * The chain as part of a sequence: residues of the sequence that the structure does not show have no atoms.
 *
 * Residues must be equal; `X` on either side fits every residue. Places of the sequence without a residue of the chain are
 * numbered on from their neighbours.
 *
 * @param sequence Capitals.
 * @returns The chain with the sequence, or `undefined` if its residues do not stand in the sequence in their order.
 */
export function placeChain(chain: Chain, sequence: string): Chain | undefined {
  if (chain.sequence === sequence) return chain;
  const found = placesInSequence(
    Array.from(chain.residueNumbers),
    sequence.length,
    (residue, place) => {
      const [a, b] = [chain.sequence[residue], sequence[place]];
      return a === b || a === "X" || b === "X";
    },
  );
  if (found === undefined) return undefined;
  const n = sequence.length;
  const atomPositions = new Float32Array(n * ATOM_SLOTS * 3);
  const atomMask = new Float32Array(n * ATOM_SLOTS);
  const bFactors = new Float32Array(n * ATOM_SLOTS);
  const residueNumbers = new Int32Array(n);
  const insertionCodes = new Array<string>(n).fill("");
  const residueAt = new Int32Array(n).fill(-1);
  found.forEach((place, residue) => residueAt[place] = residue);
  for (let place = 0; place < n; place++) {
    const residue = residueAt[place];
    if (residue < 0) {
      residueNumbers[place] = place < found[0]
        ? chain.residueNumbers[0] - (found[0] - place)
        : residueNumbers[place - 1] + 1;
      continue;
    }
    const [from, to] = [residue * ATOM_SLOTS, (residue + 1) * ATOM_SLOTS];
    atomPositions.set(chain.atomPositions.subarray(3 * from, 3 * to), 3 * place * ATOM_SLOTS);
    atomMask.set(chain.atomMask.subarray(from, to), place * ATOM_SLOTS);
    bFactors.set(chain.bFactors.subarray(from, to), place * ATOM_SLOTS);
    residueNumbers[place] = chain.residueNumbers[residue];
    insertionCodes[place] = chain.insertionCodes[residue];
  }
  return Object.freeze({
    ...chain,
    sequence,
    residueNumbers,
    insertionCodes: Object.freeze(insertionCodes),
    atomPositions,
    atomMask,
    bFactors,
  });
}
