/** DockQ: how near the interface of two predicted chains is to the true one. */
import { ATOM_NAMES, ATOM_SLOTS } from "../residues.ts";
import { applyMotion, kabsch } from "./kabsch.ts";
import type { Points } from "./points.ts";

/** Atoms of a complex, `[N_res, 37]`. */
export interface ComplexAtoms {
  /** Å, `[N_res, 37, 3]`. */
  readonly positions: Points;
  /** 1 where an atom is there, `[N_res, 37]`. */
  readonly mask: ArrayLike<number>;
}

/** Residues of a chain, one after the other. */
export interface ChainRange {
  /** The first, from 0. */
  readonly start: number;
  /** How many. */
  readonly residues: number;
}

/** How near an interface is. */
export interface DockQ {
  /** Part of the true contacts that is predicted, 0 to 1. */
  readonly fnat: number;
  /** RMSD of the interface's backbone, Å. */
  readonly iRmsd: number;
  /** RMSD of the shorter chain's backbone, the longer ones superposed, Å. */
  readonly lRmsd: number;
  /** Their mean as DockQ, 0 to 1: from 0.23 acceptable, from 0.49 medium, from 0.80 high. */
  readonly dockq: number;
  /** Contacts of the true interface. */
  readonly contacts: number;
}

/** Å within which heavy atoms of two residues make a contact. */
const CONTACT = 5;

/** Å within which they make both residues part of the interface. */
const INTERFACE = 10;

/** Å at which deviations count half. */
const INTERFACE_SCALE = 1.5, LIGAND_SCALE = 8.5;

const BACKBONE = ["N", "CA", "C", "O"].map((name) => ATOM_NAMES.indexOf(name));

/**
 * DockQ of two chains, of the atoms that both structures have: (fnat + 1/(1 + (iRMSD/1.5)²) + 1/(1 + (LRMSD/8.5)²))/3.
 *
 * Source: Basu & Wallner (2016), "DockQ: A Quality Measure for Protein-Protein Docking Models".
 *
 * @param model Predicted.
 * @param reference True, with the same residues.
 * @returns null where the true chains have no contact, or a chain or the interface has fewer than three known backbone atoms.
 */
export function dockQ(model: ComplexAtoms, reference: ComplexAtoms, a: ChainRange, b: ChainRange): DockQ | null {
  const isKnown = (at: number) => model.mask[at] > 0 && reference.mask[at] > 0;
  const near = (atoms: ComplexAtoms, i: number, j: number): number => {
    let least = Infinity;
    for (let p = i * ATOM_SLOTS; p < (i + 1) * ATOM_SLOTS; p++) {
      if (!isKnown(p)) continue;
      for (let q = j * ATOM_SLOTS; q < (j + 1) * ATOM_SLOTS; q++) {
        if (isKnown(q)) least = Math.min(least, distance(atoms.positions, p, q));
      }
    }
    return least;
  };
  let contacts = 0, kept = 0;
  const touching = new Set<number>();
  for (let i = a.start; i < a.start + a.residues; i++) {
    for (let j = b.start; j < b.start + b.residues; j++) {
      const least = near(reference, i, j);
      if (least < INTERFACE) touching.add(i).add(j);
      if (!(least < CONTACT)) continue;
      contacts++;
      if (near(model, i, j) < CONTACT) kept++;
    }
  }
  const range = ({ start, residues }: ChainRange) => Array.from({ length: residues }, (_, i) => start + i);
  const backbone = (residues: Iterable<number>) =>
    [...residues].flatMap((i) => BACKBONE.map((slot) => i * ATOM_SLOTS + slot)).filter(isKnown);
  const [receptor, ligand] = a.residues >= b.residues ? [a, b] : [b, a];
  const fixed = backbone(range(receptor)), free = backbone(range(ligand)), interfaceAtoms = backbone(touching);
  if (contacts === 0 || [fixed, free, interfaceAtoms].some(({ length }) => length < 3)) return null;
  const iRmsd = kabsch(take(model.positions, interfaceAtoms), take(reference.positions, interfaceAtoms)).rmsd;
  const motion = kabsch(take(model.positions, fixed), take(reference.positions, fixed));
  const moved = applyMotion(motion, take(model.positions, free)), truth = take(reference.positions, free);
  const lRmsd = Math.sqrt(moved.reduce((sum, x, k) => sum + (x - truth[k]) ** 2, 0) / free.length);
  const fnat = kept / contacts;
  const worth = (rmsd: number, scale: number) => 1 / (1 + (rmsd / scale) ** 2);
  const dockq = (fnat + worth(iRmsd, INTERFACE_SCALE) + worth(lRmsd, LIGAND_SCALE)) / 3;
  return { fnat, iRmsd, lRmsd, dockq, contacts };
}

function take(positions: Points, atoms: readonly number[]): Float64Array {
  return Float64Array.from({ length: 3 * atoms.length }, (_, k) => positions[3 * atoms[Math.floor(k / 3)] + k % 3]);
}

function distance(x: Points, p: number, q: number): number {
  return Math.hypot(x[3 * p] - x[3 * q], x[3 * p + 1] - x[3 * q + 1], x[3 * p + 2] - x[3 * q + 2]);
}
