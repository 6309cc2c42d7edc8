/** Structures as plain records, and what is most often asked of them. */
import { InputError } from "../errors.ts";
import type { Remark } from "./remarks.ts";
import { ATOM_SLOTS, SLOT } from "../../model/protein/residues.ts";

/** One protein chain; residues run over the whole sequence, those not seen in the experiment have no atoms. */
export interface Chain {
  /** Name the authors gave the chain (`auth_asym_id`, the letter in PDB files). */
  readonly id: string;
  /** Name of the chain inside mmCIF (`label_asym_id`). */
  readonly labelId: string;
  /** One letter a residue; `X` for what is not one of the 20 amino acids or a known modification of one. */
  readonly sequence: string;
  /** The authors' residue numbers, `[N_res]`. */
  readonly residueNumbers: Int32Array;
  /** Insertion codes, `[N_res]`; empty where there is none. */
  readonly insertionCodes: readonly string[];
  /** Atom positions in Å, `[N_res, 37, 3]`; 0 where the mask is 0. NH1 of an arginine is the nearer to its CD. */
  readonly atomPositions: Float32Array;
  /** 1 where an atom is there, `[N_res, 37]`. */
  readonly atomMask: Float32Array;
  /** B-factors in Å² (or a confidence, in predictions), `[N_res, 37]`. */
  readonly bFactors: Float32Array;
}

/** A molecule, or a residue of one, that is no part of a protein chain: a ligand, ion, sugar or cofactor. */
export interface HeteroGroup {
  /** Name of the component, such as `HEM` or `ZN`. */
  readonly name: string;
  /** Name that the authors gave the chain it is listed with. */
  readonly chainId: string;
  /** The authors' number. */
  readonly residueNumber: number;
  /** Empty where there is none. */
  readonly insertionCode: string;
  /** Names of its atoms, `[N_atom]`. */
  readonly atomNames: readonly string[];
  /** Chemical elements of its atoms in capitals, `[N_atom]`. */
  readonly elements: readonly string[];
  /** Positions of its atoms in Å, `[N_atom, 3]`. */
  readonly atomPositions: Float32Array;
}

/** A biological assembly as the file describes it. */
export interface Assembly {
  /** Number or name. */
  readonly id: string;
  /** How it was found, or how many chains it has, in the file's words. */
  readonly details?: string;
  /** Protein chains and how many copies of them the assembly has. */
  readonly parts: readonly { readonly chains: readonly string[]; readonly copies: number }[];
}

/** Choices of the readers of structures. */
export interface ReadStructureOptions {
  /** Number of the model, as the file gives it. @default the first model */
  readonly model?: number;
  /** Biological assembly of an mmCIF file whose chains are read, hetero groups left out. @default the chains as they stand */
  readonly assembly?: string;
}

/** The protein chains of one model of a file. */
export interface Structure {
  /** Entry name as the file gives it, else the file's name without folder and ending. */
  readonly id: string;
  /** File the structure was read from, for messages. */
  readonly source: string;
  /** Protein chains with at least one C-alpha atom. */
  readonly chains: readonly Chain[];
  /** What is no protein chain, in the file's order; water and nucleic acids are left out. @default none */
  readonly heteroGroups?: readonly HeteroGroup[];
  /** Assemblies that the file lists. @default none */
  readonly assemblies?: readonly Assembly[];
  /** Numbers of the models that the file has. @default only this one */
  readonly models?: readonly number[];
  /** What the depositors call it. */
  readonly title?: string;
  /** Experimental method, in lower case. */
  readonly method?: string;
  /** Highest resolution of the data. */
  readonly resolutionAngstrom?: number;
  /** Date of release, `YYYY-MM-DD`. */
  readonly releaseDate?: string;
  /** What was unusual in the file, and what was done about it. @default nothing */
  readonly remarks?: readonly Remark[];
}

/** A chain of C-alpha atoms, as the small model predicts it. */
export interface Trace {
  /** Entry name. */
  readonly id: string;
  /** One letter a residue. */
  readonly sequence: string;
  /** C-alpha positions in Å, `[N_res, 3]`. */
  readonly positions: Float32Array;
  /** B-factor column, `[N_res]`. @default 0 */
  readonly bFactors?: Float32Array;
  /** Residue numbers, `[N_res]`. @default 1, 2, … */
  readonly residueNumbers?: Int32Array;
  /** Name of the chain. @default "A" */
  readonly chainId?: string;
  /** Title for files. */
  readonly title?: string;
}

/** One atom of every residue. */
export interface AtomsPerResidue {
  /** Positions in Å, `[N_res, 3]`; 0 where the mask is 0. */
  readonly positions: Float32Array;
  /** 1 where the atom is there, `[N_res]`. */
  readonly mask: Float32Array;
}

/**
 * Picks a chain by its name, or the only chain when no name is given.
 *
 * @throws {InputError} If there is no such chain, or several and none was named; the message lists them.
 */
export function selectChain(structure: Structure, id?: string): Chain {
  const { chains, source } = structure;
  const there = chains.map((chain) => `${chain.id} (${chain.sequence.length} residues)`).join(", ");
  if (id === undefined) {
    if (chains.length === 1) return chains[0];
    throw new InputError(`${source} has ${chains.length} protein chains: name one of ${there}`);
  }
  const chain = chains.find((chain) => chain.id === id) ?? chains.find((chain) => chain.labelId === id);
  if (chain === undefined) throw new InputError(`${source} has no protein chain ${id}: it has ${there}`);
  return chain;
}

/**
 * The number of the model to read.
 *
 * @param wanted `undefined` for the first.
 * @throws {InputError} If there is no such model; the message lists those that are there.
 */
export function selectModel(models: readonly number[], wanted: number | undefined, source: string): number {
  if (wanted === undefined) return models[0];
  if (models.includes(wanted)) return wanted;
  const there = models.length > 8 ? `${models.slice(0, 7).join(", ")}, … ${models.at(-1)}` : models.join(", ");
  throw new InputError(`${source} has no model ${wanted}: it has ${there}`);
}

/** C-alpha atoms of a chain. */
export function alphaCarbons(chain: Chain): AtomsPerResidue {
  return takeAtoms(chain, () => SLOT.CA);
}

/** Number of residues of which the structure shows the C-alpha atom. */
export function observedResidues(chain: Chain): number {
  return alphaCarbons(chain).mask.reduce((sum, there) => sum + there, 0);
}

/** C-beta atoms of a chain, C-alpha for glycine. Source: Jumper et al. (2021), Suppl. 1.9.8. */
export function pseudoBeta(chain: Chain): AtomsPerResidue {
  return takeAtoms(chain, (residue) => chain.sequence[residue] === "G" ? SLOT.CA : SLOT.CB);
}

/** The structure of one chain that a C-alpha trace stands for. */
export function traceStructure(trace: Trace): Structure {
  const n = trace.sequence.length;
  if (trace.positions.length !== n * 3) {
    throw new TypeError(
      `Cannot make a structure of ${trace.id}: ${n} residues need ${
        n * 3
      } coordinates, given ${trace.positions.length}`,
    );
  }
  const atomPositions = new Float32Array(n * ATOM_SLOTS * 3);
  const atomMask = new Float32Array(n * ATOM_SLOTS);
  const bFactors = new Float32Array(n * ATOM_SLOTS);
  for (let i = 0; i < n; i++) {
    const slot = i * ATOM_SLOTS + SLOT.CA;
    atomPositions.set(trace.positions.subarray(i * 3, i * 3 + 3), slot * 3);
    atomMask[slot] = 1;
    bFactors[slot] = trace.bFactors?.[i] ?? 0;
  }
  const chain: Chain = Object.freeze({
    id: trace.chainId ?? "A",
    labelId: trace.chainId ?? "A",
    sequence: trace.sequence,
    residueNumbers: trace.residueNumbers ?? Int32Array.from({ length: n }, (_, i) => i + 1),
    insertionCodes: Object.freeze(new Array<string>(n).fill("")),
    atomPositions,
    atomMask,
    bFactors,
  });
  return Object.freeze({ id: trace.id, source: trace.id, chains: Object.freeze([chain]), title: trace.title });
}

function takeAtoms(chain: Chain, slotOf: (residue: number) => number): AtomsPerResidue {
  const n = chain.sequence.length;
  const positions = new Float32Array(n * 3);
  const mask = new Float32Array(n);
  for (let i = 0; i < n; i++) {
    const slot = i * ATOM_SLOTS + slotOf(i);
    positions.set(chain.atomPositions.subarray(slot * 3, slot * 3 + 3), i * 3);
    mask[i] = chain.atomMask[slot];
  }
  return { positions, mask };
}
