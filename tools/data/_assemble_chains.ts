/** Makes protein chains and hetero groups of the residues of a model, and tells what becomes of the rest. */
import { isAminoAcid, standardResidue } from "../../model/protein/residues.ts";
import type { Segment } from "./_chain_records.ts";
import { chainLetters } from "./_mmcif_block.ts";
import { type AtomLog, makeChain, makeHeteroGroup, type Place, type Residue } from "./_residue_atoms.ts";
import { alignToSequence, type Observed } from "./_seqres.ts";
import type { Chain, HeteroGroup } from "./structure.ts";

/** What a file says of a residue's molecule: a protein, another polymer, no polymer, or nothing. */
export type MoleculeKind = "protein" | "polymer" | "other" | undefined;

/** What a file says besides its atoms. */
export interface SequenceFacts {
  /** What a residue is part of. */
  kindOf(residue: Residue, segment: Segment): MoleculeKind;
  /** Places of the chain's sequence by `label_seq_id`, in order; `undefined` if the file does not number them. */
  places(segment: Segment): ReadonlyMap<string, Place> | undefined;
  /** Names of the residues of the chain's sequence; `undefined` if the file does not list them. */
  sequence(segment: Segment): readonly string[] | undefined;
}

const OTHER_POLYMER = {
  key: "otherPolymer",
  done: "left out",
  unit: "residue",
  isLeftOut: true,
  isUsual: true,
} as const;
const NO_ALPHA = { key: "noAlpha", done: "left out", unit: "residue", isLeftOut: true } as const;
const ANEW = { key: "anew", done: "read as a chain of its own", unit: "chain" } as const;
const NAMELESS = { key: "nameless", done: "parted at TER records and named by letters", unit: "chain" } as const;
const SEQUENCE_ASIDE = { key: "sequenceAside", done: "left aside, the atoms alone are read", unit: "chain" } as const;

/** Å; carbon and nitrogen of a peptide bond are nearer. */
const PEPTIDE_BOND = 2;

/** Makes the chains and groups of a model. */
export function assembleChains(
  segments: readonly Segment[],
  facts: SequenceFacts,
  log: AtomLog,
): { chains: Chain[]; heteroGroups: HeteroGroup[] } {
  const chains: Chain[] = [];
  const heteroGroups: HeteroGroup[] = [];
  const names = new ChainNames(segments, log);
  for (const segment of segments) {
    const { members, groups } = sortOut(segment, facts, log);
    if (members.some(hasAlpha)) {
      const { id, label } = names.take(segment);
      chains.push(makeChain(id, label, placesOf(segment, members, facts, log), log));
    } else if (members.length > 0) {
      const atoms = members.reduce((sum, { size }) => sum + size, 0);
      const text = () => `${members[0].text} and the others of its chain have no C-alpha atom`;
      log.remarks.add(NO_ALPHA, () => log.line(members[0].row), text, members.length, atoms);
    }
    for (const residue of groups) heteroGroups.push(makeHeteroGroup(names.of(segment), residue, log));
  }
  return { chains, heteroGroups };
}

/**
 * The residues of a segment that are of a protein chain, and those that are groups of their own.
 *
 * What the file says of molecules goes first. Else residues of ATOM records are of the chain where they are amino acids or
 * look like them; those of HETATM records where the sequence names them, they are modified amino acids before the chain's TER
 * record, or are bound to a residue of the chain.
 */
function sortOut(segment: Segment, facts: SequenceFacts, { remarks, line }: AtomLog) {
  const { residues } = segment;
  const listed = new Set(facts.sequence(segment));
  const places = facts.places(segment);
  const kinds = residues.map((residue) => facts.kindOf(residue, segment));
  const isTrace = residues.filter(({ name }) => isAminoAcid(name)).every(({ atoms }) => atoms.first.size === 1);
  const isAnchor = residues.map((residue, i) =>
    kinds[i] === undefined && !residue.isHetero && looksPeptide(residue, isTrace)
  );
  const entities = new Set(
    residues.filter((_, i) => isAnchor[i]).map(({ entity }) => entity).filter((id) => id !== ""),
  );
  const isBare = !isAnchor.includes(true) && residues.filter(({ name }) => isAminoAcid(name)).length > 1;
  const members: Residue[] = [];
  const groups: Residue[] = [];
  const isMember = (residue: Residue, i: number): boolean => {
    if (kinds[i] === "protein") {
      return places?.has(residue.sequenceId) || isAminoAcid(residue.name) || hasAlpha(residue);
    }
    if (kinds[i] === "other") return false;
    if (isAnchor[i]) return true;
    if (!residue.isHetero || !(isAminoAcid(residue.name) || hasAlpha(residue))) return false;
    if (residue.sequenceId !== "" && entities.has(residue.entity)) return true;
    const isModified = isAminoAcid(residue.name) && standardResidue(residue.name) === undefined;
    if (!residue.isEnded && (isModified || isBare || listed.has(residue.name))) return true;
    const [before, after] = [members.at(-1), isAnchor[i + 1] ? residues[i + 1] : undefined];
    return isBound(before, residue) || isBound(residue, after);
  };
  residues.forEach((residue, i) => {
    if (kinds[i] === "polymer") {
      const text = () => `${residue.text} is of a polymer that is no protein`;
      remarks.add(OTHER_POLYMER, () => line(residue.row), text, 1, residue.size);
    } else (isMember(residue, i) ? members : groups).push(residue);
  });
  return { members, groups };
}

function looksPeptide(residue: Residue, isTrace: boolean): boolean {
  if (isAminoAcid(residue.name)) return true;
  const { first } = residue.atoms;
  return hasAlpha(residue) && (isTrace || first.has("N") || first.has("C"));
}

/** Whether a residue has a C-alpha atom; calcium is none. */
function hasAlpha({ name, atoms }: Residue): boolean {
  const alpha = atoms.best("CA");
  return alpha !== undefined && (isAminoAcid(name) || alpha.element.toUpperCase() !== "CA");
}

function isBound(one: Residue | undefined, next: Residue | undefined): boolean {
  const [c, n] = [one?.atoms.best("C")?.position, next?.atoms.best("N")?.position];
  return c !== undefined && n !== undefined && Math.hypot(...c.map((x, axis) => x - n[axis])) < PEPTIDE_BOND;
}

/** The chain's places: those of its sequence where the residues fit it. */
function placesOf(
  segment: Segment,
  members: readonly Residue[],
  facts: SequenceFacts,
  { remarks, line }: AtomLog,
): readonly Place[] {
  const seen = members.map((residue): Observed => {
    const { name, number, insertionCode } = residue;
    return { name, number, insertionCode, residue };
  });
  const numbered = facts.places(segment);
  if (numbered !== undefined) {
    const byId = new Map(seen.map((place) => [place.residue.sequenceId, place]));
    const fits = byId.size === seen.length && seen.every(({ residue }) => numbered.has(residue.sequenceId));
    if (fits) return [...numbered].map(([id, place]) => byId.get(id) ?? place);
  }
  const names = facts.sequence(segment);
  const aligned = names && alignToSequence(seen, names);
  if (aligned !== undefined) return aligned;
  if (names !== undefined) {
    const text = () =>
      `the sequence of ${names.length} residues does not fit the ${seen.length} that begin with ${members[0].text}`;
    remarks.add(SEQUENCE_ASIDE, () => line(members[0].row), text);
  }
  return seen;
}

/** Names of the chains: those of the file, and others where it has none, or the same for several. */
class ChainNames {
  readonly #log: AtomLog;
  readonly #used: Set<string>;
  readonly #labels: ReadonlyMap<string, number>;
  /** Names by the file's name of the chain. */
  readonly #taken = new Map<string, string>();

  constructor(segments: readonly Segment[], log: AtomLog) {
    this.#log = log;
    const chains = new Set(segments.map(({ chain }) => chain));
    this.#used = new Set(segments.map(fileName).filter((name) => name !== ""));
    const labels = new Map<string, number>();
    for (const { label } of chains) labels.set(label, (labels.get(label) ?? 0) + 1);
    this.#labels = labels;
  }

  /** Names of the chain that a segment makes. */
  take(segment: Segment): { id: string; label: string } {
    const name = fileName(segment);
    const before = this.#taken.get(keyOf(segment));
    const { remarks, line } = this.#log;
    const at = () => line(segment.residues[0].row);
    let id = name;
    if (name === "") {
      for (let k = 0; id === "" || this.#used.has(id); k++) id = chainLetters(k);
      if (before !== undefined) remarks.add(NAMELESS, at, () => `a second chain without a name, now ${id}`);
    } else if (before !== undefined) {
      for (let k = 2; this.#used.has(id); k++) id = `${name}${k}`;
      remarks.add(ANEW, at, () => `chain ${name} begins anew with ${segment.residues[0].text}, now ${id}`);
    }
    this.#used.add(id);
    this.#taken.set(keyOf(segment), id);
    const { label } = segment.chain;
    return { id, label: label === "" || before !== undefined || this.#labels.get(label) !== 1 ? id : label };
  }

  /** Name of the chain with which groups of a segment are listed. */
  of(segment: Segment): string {
    return this.#taken.get(keyOf(segment)) ?? (fileName(segment) || chainLetters(0));
  }
}

function fileName({ chain: { author, segment, label } }: Segment): string {
  return author || segment || label;
}

function keyOf({ chain: { author, segment, label } }: Segment): string {
  return `${author}\0${segment}\0${label}`;
}
