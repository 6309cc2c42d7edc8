/** How alike two structures are: chain by chain, residue by residue, and as a whole. */
import { joinNumbers } from "../../core/join_numbers.ts";
import {
  allAtomLddt,
  applyMotion,
  type AtomsOfResidues,
  gdtHa,
  gdtTs,
  kabsch,
  lddt,
  tmScore,
} from "../../model/protein/metrics/mod.ts";
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import { alphaCarbons, type Chain, pseudoBeta, type Structure } from "../data/structure.ts";
import { InputError } from "../errors.ts";
import { type ChainPair, pairChains } from "./pair_chains.ts";
import { type Pairing, pairResidues, type ResiduePairs } from "./pair_residues.ts";

/** Measures of a model against a reference; `null` where too few atoms are there. */
export interface ScoreValues {
  /** Root mean square distance of paired C-alpha atoms, superposed, Å. */
  readonly caRmsd: number | null;
  /** The same of C-beta atoms, C-alpha for glycine, Å. */
  readonly cbRmsd: number | null;
  /** lDDT of C-alpha atoms, 0 to 1; pairs of which the model lacks a residue count as lost. */
  readonly lddt: number | null;
  /** lDDT of all heavy atoms, likewise, without the checks of stereochemistry. */
  readonly allAtomLddt: number | null;
  /** TM-score, normalized by the reference's C-alpha atoms, 0 to 1. */
  readonly tmScore: number | null;
  /** GDT_TS, as part of the reference's C-alpha atoms, 0 to 1. */
  readonly gdtTs: number | null;
  /** GDT_HA, likewise. */
  readonly gdtHa: number | null;
}

/** A residue of the reference. */
export interface ResidueScore {
  /** Its number and insertion code. */
  readonly reference: string;
  /** Its letter. */
  readonly letter: string;
  /** Number and insertion code of the model's residue; `null` where there is none with a C-alpha atom. */
  readonly model: string | null;
  /** Letter of the model's residue. */
  readonly modelLetter: string | null;
  /** Distance of the two C-alpha atoms after the chain's superposition of least RMSD, Å. */
  readonly distance: number | null;
  /** lDDT of its C-alpha atom. */
  readonly lddt: number | null;
  /** lDDT of all its atoms. */
  readonly allAtomLddt: number | null;
}

/** Two chains compared. */
export interface ChainScore {
  /** Name of the model's chain. */
  readonly model: string;
  /** Name of the reference's chain. */
  readonly reference: string;
  /** Residues of the reference with a C-alpha atom. */
  readonly residues: number;
  /** Those of them with a counterpart that has one. */
  readonly paired: number;
  /** Identical residues among the paired. */
  readonly identical: number;
  /** Measures. */
  readonly values: ScoreValues;
  /** All residues of the reference with a C-alpha atom, in order. */
  readonly perResidue: readonly ResidueScore[];
}

/** Two structures compared. */
export interface StructureScore {
  /** File of the model. */
  readonly model: string;
  /** File of the reference. */
  readonly reference: string;
  /** What paired the residues. */
  readonly pairing: Pairing;
  /** Chains, in the reference's order. */
  readonly chains: readonly ChainScore[];
  /** All chains under one superposition, where there are several. */
  readonly whole?: ScoreValues & { readonly residues: number; readonly paired: number };
  /** Chains of the model without a counterpart. */
  readonly modelAlone: readonly string[];
  /** Chains of the reference without a counterpart. */
  readonly referenceAlone: readonly string[];
}

/** Choices of {@linkcode scoreStructures}. */
export interface ScoreOptions {
  /** What pairs residues. @default "sequence" */
  readonly pairing?: Pairing;
  /** Which chains to compare, as `[model, reference]`. @default found by sequence */
  readonly chains?: readonly (readonly [string, string])[];
  /** Ends a program when it aborts. */
  readonly signal?: AbortSignal;
}

/**
 * Compares a model with a reference.
 *
 * @throws {InputError} If no chain has a counterpart, no residue of one has, or as {@linkcode pairResidues} does.
 */
export async function scoreStructures(
  model: Structure,
  reference: Structure,
  { pairing = "sequence", chains: names, signal }: ScoreOptions = {},
): Promise<StructureScore> {
  const pairs = pairChains(model, reference, names);
  if (pairs.length === 0) {
    const list = ({ chains }: Structure) => chains.map(({ id, sequence }) => `${id} (${sequence.length})`).join(", ");
    throw new InputError(
      `No chain of ${model.source} is like one of ${reference.source} in sequence: they have ${list(model)} and ` +
        `${list(reference)}; name chains to compare all the same`,
    );
  }
  const chains: ChainScore[] = [];
  const points: ReferencePoints[] = [];
  for (const pair of pairs) {
    const residues = await pairResidues(pair.model, pair.reference, pairing, signal);
    const own = referencePoints(pair, residues);
    if (!own.alphas.mask.includes(1)) {
      throw new InputError(
        `No residue of chain ${pair.model.id} of ${model.source} stands for one of chain ${pair.reference.id} of ` +
          reference.source,
      );
    }
    points.push(own);
    chains.push(scoreChain(pair, residues, own));
  }
  const used = new Set(pairs.flatMap((pair) => [pair.model, pair.reference]));
  const alone = ({ chains }: Structure) => chains.filter((chain) => !used.has(chain)).map(({ id }) => id);
  return {
    ...{ model: model.source, reference: reference.source, pairing, chains },
    ...(chains.length > 1 ? { whole: { ...measure(points), ...sums(chains) } } : {}),
    ...{ modelAlone: alone(model), referenceAlone: alone(reference) },
  };
}

/** Atoms of the reference's residues, and of the model's that stand for them. */
interface PairedPoints {
  /** `[n, 3]`, Å */
  readonly model: Float32Array;
  /** `[n, 3]`, Å */
  readonly reference: Float32Array;
  /** 1 where both are there, `[n]`. */
  readonly mask: Float32Array;
}

/** The points of one chain: its residues with a C-alpha atom. */
interface ReferencePoints {
  /** Residues of the chain, `[n]`. */
  readonly residues: readonly number[];
  /** Residues of the model that stand for them, -1 where none does, `[n]`. */
  readonly partners: readonly number[];
  readonly alphas: PairedPoints;
  readonly betas: PairedPoints;
  /** All atoms of the model's and of the reference's residues. */
  readonly atoms: readonly [AtomsOfResidues, AtomsOfResidues];
}

function referencePoints({ model, reference }: ChainPair, pairs: ResiduePairs): ReferencePoints {
  const partnerOf = new Map(pairs.map(([one, other]) => [other, one]));
  const alphas = [alphaCarbons(model), alphaCarbons(reference)] as const;
  const residues = Array.from(alphas[1].mask.keys()).filter((i) => alphas[1].mask[i] === 1);
  const partners = residues.map((i) => partnerOf.get(i) ?? -1);
  const take = ([own, other]: typeof alphas): PairedPoints => {
    const points = {
      model: new Float32Array(3 * residues.length),
      reference: new Float32Array(3 * residues.length),
      mask: new Float32Array(residues.length),
    };
    residues.forEach((i, k) => {
      points.reference.set(other.positions.subarray(3 * i, 3 * i + 3), 3 * k);
      const p = partners[k];
      if (p < 0 || own.mask[p] === 0 || other.mask[i] === 0) return;
      points.model.set(own.positions.subarray(3 * p, 3 * p + 3), 3 * k);
      points.mask[k] = 1;
    });
    return points;
  };
  return {
    ...{ residues, partners, alphas: take(alphas), betas: take([pseudoBeta(model), pseudoBeta(reference)]) },
    atoms: [atomsOf(model, partners), atomsOf(reference, residues)],
  };
}

/** All atoms of residues; `X` without atoms for those of number -1. */
function atomsOf({ sequence, atomPositions, atomMask }: Chain, residues: readonly number[]): AtomsOfResidues {
  const positions = new Float32Array(residues.length * ATOM_SLOTS * 3);
  const mask = new Float32Array(residues.length * ATOM_SLOTS);
  residues.forEach((i, k) => {
    if (i < 0) return;
    const [from, to] = [i * ATOM_SLOTS, (i + 1) * ATOM_SLOTS];
    positions.set(atomPositions.subarray(3 * from, 3 * to), 3 * k * ATOM_SLOTS);
    mask.set(atomMask.subarray(from, to), k * ATOM_SLOTS);
  });
  return { sequence: residues.map((i) => i < 0 ? "X" : sequence[i]).join(""), positions, mask };
}

/** lDDT of all atoms of chains together. */
function allAtoms(chains: readonly ReferencePoints[]): ReturnType<typeof allAtomLddt> {
  const join = (of: 0 | 1): AtomsOfResidues => ({
    sequence: chains.map(({ atoms }) => atoms[of].sequence).join(""),
    positions: joinNumbers(chains.map(({ atoms }) => atoms[of].positions)),
    mask: joinNumbers(chains.map(({ atoms }) => atoms[of].mask)),
  });
  return allAtomLddt(join(0), join(1));
}

function scoreChain({ model, reference }: ChainPair, pairs: ResiduePairs, points: ReferencePoints): ChainScore {
  const { residues, partners, alphas } = points;
  const placed = applyMotion(kabsch(alphas.model, alphas.reference, { mask: alphas.mask }), alphas.model);
  const local = lddtOf(alphas);
  const { overall, perResidue: ofAtoms } = allAtoms([points]);
  const at = ({ residueNumbers, insertionCodes }: ChainPair["model"], i: number) =>
    `${residueNumbers[i]}${insertionCodes[i]}`;
  const perResidue = residues.map((i, k): ResidueScore => {
    const has = alphas.mask[k] === 1, p = partners[k];
    const distance = Math.hypot(...[0, 1, 2].map((axis) => placed[3 * k + axis] - alphas.reference[3 * k + axis]));
    return {
      reference: at(reference, i),
      letter: reference.sequence[i],
      model: has ? at(model, p) : null,
      modelLetter: has ? model.sequence[p] : null,
      distance: has ? distance : null,
      lddt: has ? local.perPoint[k] : null,
      allAtomLddt: has && !Number.isNaN(ofAtoms[k]) ? ofAtoms[k] : null,
    };
  });
  return {
    ...{ model: model.id, reference: reference.id, residues: residues.length },
    paired: alphas.mask.reduce((sum, there) => sum + there, 0),
    identical:
      pairs.filter(([i, j]) => model.sequence[i] === reference.sequence[j] && model.sequence[i] !== "X").length,
    values: measure([points], overall),
    perResidue,
  };
}

/** Measures of chains together, under one superposition. */
function measure(
  chains: readonly ReferencePoints[],
  allAtomLddt: number | null = allAtoms(chains).overall,
): ScoreValues {
  const alphas = joined(chains.map(({ alphas }) => alphas)), betas = joined(chains.map(({ betas }) => betas));
  const { model, reference, mask } = alphas;
  const length = mask.length;
  return {
    caRmsd: rmsdOf(alphas),
    cbRmsd: rmsdOf(betas),
    lddt: length > 1 ? lddtOf(alphas).overall : null,
    allAtomLddt,
    tmScore: mask.includes(1) ? tmScore(model, reference, { mask, length }).score : null,
    gdtTs: mask.includes(1) ? gdtTs(model, reference, { mask, length }) : null,
    gdtHa: mask.includes(1) ? gdtHa(model, reference, { mask, length }) : null,
  };
}

function rmsdOf({ model, reference, mask }: PairedPoints): number | null {
  return mask.includes(1) ? kabsch(model, reference, { mask }).rmsd : null;
}

/** lDDT over the reference's atoms; one that the model lacks is put where it keeps no distance. */
function lddtOf({ model, reference, mask }: PairedPoints): ReturnType<typeof lddt> {
  const points = Float64Array.from(model);
  mask.forEach((there, k) => there === 0 && points.set([1e6 * (k + 1), 0, 0], 3 * k));
  return lddt(points, reference);
}

function joined(parts: readonly PairedPoints[]): PairedPoints {
  const join = (of: (part: PairedPoints) => Float32Array) => joinNumbers(parts.map(of));
  return { model: join((p) => p.model), reference: join((p) => p.reference), mask: join((p) => p.mask) };
}

function sums(chains: readonly ChainScore[]): { residues: number; paired: number } {
  return {
    residues: chains.reduce((sum, chain) => sum + chain.residues, 0),
    paired: chains.reduce((sum, chain) => sum + chain.paired, 0),
  };
}
