/** Scores of the interfaces between chains of a prediction. */
import { ATOM_SLOTS, SLOT } from "../../model/protein/residues.ts";
import { interfaceTmScores } from "../../model/multimer/heads/interface_tm_score.ts";
import type { PredictedChain, Prediction } from "./prediction.ts";

/** Å within which C-betas (C-alphas of glycines) of two chains are in contact. */
const CONTACT = 8;

/** Å below which two heavy atoms of different chains clash. */
const CLASH = 1.9;

/** Å, of aligned errors in pDockQ2. */
const ERROR_SCALE = 10;

/** What is predicted of two chains' interface. */
export interface InterfaceScores {
  /** Names of the chains in files. */
  readonly chains: readonly [string, string];
  /** Predicted TM score of the interface of these two alone (ipTM), 0 to 1; null where the network predicts none. */
  readonly iptm: number | null;
  /** Mean of aligned errors between the two, both ways, Å; null where the network predicts none. */
  readonly meanPae: number | null;
  /** Pairs of residues in contact: C-betas within 8 Å. */
  readonly contacts: number;
  /** Residues in contact, of both chains. */
  readonly residues: number;
  /** Mean pLDDT of these, 0 to 100; null where there are none. */
  readonly plddt: number | null;
  /** Predicted DockQ from pLDDT and the number of contacts, 0.018 to 0.742; 0 where there are none. */
  readonly pdockq: number;
  /** Predicted DockQ from pLDDT and aligned errors over contacts, 0.005 to 1.315; null without aligned errors, 0 without contacts. */
  readonly pdockq2: number | null;
  /** Pairs of heavy atoms closer than 1.9 Å. */
  readonly clashes: number;
}

/**
 * Scores of all pairs of chains.
 *
 * Source: pDockQ: Bryant et al. (2022), "Improved prediction of protein-protein interactions using AlphaFold2"; pDockQ2: Zhu et
 * al. (2023), "Evaluation of AlphaFold-Multimer prediction on multi-chain protein complexes", for both directions the mean.
 *
 * @param names Of the chains, in the prediction's order.
 */
export function interfaceScores(prediction: Prediction, names: readonly string[]): InterfaceScores[] {
  const { chains = [], plddt, pae, tmTerms } = prediction;
  const n = plddt.length;
  const iptm = tmTerms &&
    interfaceTmScores(tmTerms, chains.flatMap(({ residues }, k) => new Array<number>(residues).fill(k)));
  const betas = betaPositions(prediction);
  const found: InterfaceScores[] = [];
  chains.forEach((a, p) => {
    chains.slice(p + 1).forEach((b, k) => {
      const q = p + 1 + k;
      const touching = new Set<number>();
      let contacts = 0, errors = 0, scores = 0, total = 0;
      for (let i = a.start; i < a.start + a.residues; i++) {
        for (let j = b.start; j < b.start + b.residues; j++) {
          if (pae) errors += pae[i * n + j] + pae[j * n + i];
          total += 2;
          if (!(distance(betas, i, j) <= CONTACT)) continue;
          contacts++;
          touching.add(i).add(j);
          if (pae) scores += weightOf(pae[i * n + j]) + weightOf(pae[j * n + i]);
        }
      }
      const mean = contacts ? Array.from(touching).reduce((sum, i) => sum + plddt[i], 0) / touching.size : null;
      const pdockq = mean === null
        ? 0
        : 0.724 / (1 + Math.exp(-0.052 * (mean * Math.log10(contacts) - 152.611))) + 0.018;
      const pdockq2 = !pae
        ? null
        : mean === null
        ? 0
        : 1.31 / (1 + Math.exp(-0.075 * (mean * scores / (2 * contacts) - 84.733))) + 0.005;
      found.push({
        chains: [names[p], names[q]],
        iptm: iptm ? iptm[p][q] : null,
        meanPae: pae ? errors / total : null,
        ...{ contacts, residues: touching.size, plddt: mean, pdockq, pdockq2 },
        clashes: clashesOf(prediction, a, b),
      });
    });
  });
  return found;
}

/** Pairs of residues of different chains in contact, the one of the earlier chain first. */
export function interfaceContacts(prediction: Prediction): [number, number][] {
  const { chains = [] } = prediction, betas = betaPositions(prediction);
  const found: [number, number][] = [];
  chains.forEach((a, p) => {
    for (const b of chains.slice(p + 1)) {
      for (let i = a.start; i < a.start + a.residues; i++) {
        for (let j = b.start; j < b.start + b.residues; j++) {
          if (distance(betas, i, j) <= CONTACT) found.push([i, j]);
        }
      }
    }
  });
  return found;
}

const weightOf = (error: number) => 1 / (1 + (error / ERROR_SCALE) ** 2);

/** C-betas, C-alphas where there is none, Å, `[N_res, 3]`. */
function betaPositions({ atomPositions, atomMask, plddt }: Prediction): Float32Array {
  return Float32Array.from({ length: 3 * plddt.length }, (_, k) => {
    const residue = Math.floor(k / 3) * ATOM_SLOTS;
    const slot = atomMask[residue + SLOT.CB] ? SLOT.CB : SLOT.CA;
    return atomPositions[3 * (residue + slot) + k % 3];
  });
}

function distance(x: ArrayLike<number>, i: number, j: number): number {
  return Math.hypot(x[3 * i] - x[3 * j], x[3 * i + 1] - x[3 * j + 1], x[3 * i + 2] - x[3 * j + 2]);
}

/** Pairs of atoms of two chains that are too close; far residues are passed over. */
function clashesOf({ atomPositions, atomMask }: Prediction, a: PredictedChain, b: PredictedChain): number {
  const FAR = 20; // Å between C-alphas from which on no atoms of two residues touch
  let count = 0;
  for (let i = a.start; i < a.start + a.residues; i++) {
    for (let j = b.start; j < b.start + b.residues; j++) {
      if (distance(atomPositions, i * ATOM_SLOTS + SLOT.CA, j * ATOM_SLOTS + SLOT.CA) > FAR) continue;
      for (let p = i * ATOM_SLOTS; p < (i + 1) * ATOM_SLOTS; p++) {
        if (!atomMask[p]) continue;
        for (let q = j * ATOM_SLOTS; q < (j + 1) * ATOM_SLOTS; q++) {
          if (atomMask[q] && distance(atomPositions, p, q) < CLASH) count++;
        }
      }
    }
  }
  return count;
}
