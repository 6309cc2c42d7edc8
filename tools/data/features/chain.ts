/** What the losses and the templates need to know of a chain whose structure is known. */
import { RESIDUE_LETTERS, UNKNOWN_RESIDUE } from "../../../model/protein/residues.ts";
import type { Chain } from "../structure.ts";
import type { AtomInputs } from "./_check.ts";
import { type Atom14Masks, type Atom14Positions, makeAtom14Masks, makeAtom14Positions } from "./atom14.ts";
import { atom37ToFrames, type BackboneFrames, backboneFrames, type RigidGroupFrames } from "./frames.ts";
import { makePseudoBeta, type PseudoBeta } from "./pseudo_beta.ts";
import { atom37ToTorsionAngles, type ChiAngles, chiAngles, type TorsionAngles } from "./torsions.ts";

/** Features of a sequence alone. */
export interface SequenceFeatures {
  /** Residue types, 0 … 20, `[N_res]`. */
  readonly aatype: Int32Array;
  /** 0, 1, …, `[N_res]`. */
  readonly residue_index: Int32Array;
  /** 0 everywhere: one chain, `[N_res]`. */
  readonly between_segment_residues: Int32Array;
}

/** All supervised features of a chain, under AlphaFold's names. */
export interface ChainFeatures
  extends
    SequenceFeatures,
    AtomInputs,
    Atom14Masks,
    Atom14Positions,
    RigidGroupFrames,
    TorsionAngles,
    PseudoBeta,
    BackboneFrames,
    ChiAngles {
  /** Å, `[1]`; 0 where it is not known. */
  readonly resolution: Float32Array;
}

/**
 * Features of a sequence.
 *
 * @param sequence One letter a residue; what is not one of the 20 amino acids counts as `X`.
 */
export function makeSequenceFeatures(sequence: string): SequenceFeatures {
  const aatype = Int32Array.from(sequence, (letter) => {
    const type = RESIDUE_LETTERS.indexOf(letter);
    return type < 0 ? UNKNOWN_RESIDUE : type;
  });
  return {
    aatype,
    residue_index: Int32Array.from(aatype, (_, i) => i),
    between_segment_residues: new Int32Array(aatype.length),
  };
}

/**
 * All supervised features of a chain.
 *
 * @param chain The chain.
 * @param resolutionAngstrom Of the structure it is from. @default 0, not known
 */
export function makeChainFeatures(chain: Chain, resolutionAngstrom = 0): ChainFeatures {
  const sequence = makeSequenceFeatures(chain.sequence);
  const atoms: AtomInputs = {
    aatype: sequence.aatype,
    all_atom_positions: chain.atomPositions,
    all_atom_mask: chain.atomMask,
  };
  const groups = atom37ToFrames(atoms);
  const torsions = atom37ToTorsionAngles(atoms);
  return {
    ...sequence,
    ...atoms,
    ...makeAtom14Masks(sequence.aatype),
    ...makeAtom14Positions(atoms),
    ...groups,
    ...torsions,
    ...makePseudoBeta(atoms),
    ...backboneFrames(groups),
    ...chiAngles(torsions),
    resolution: Float32Array.of(resolutionAngstrom),
  };
}
