/**
 * Which atoms of a file are of one residue, and which residues of one chain.
 *
 * A residue is known by its chain, number, insertion code and, in mmCIF, place in the sequence. Its atoms stand together in
 * the file. Where the same place comes again, the atoms say whether it is the same residue (further atoms or locations), another
 * kind of residue at that place (microheterogeneity), a second residue with that number, or the numbering of a second molecule
 * that begins anew. A chain is known by the authors' name, else by its segment, else by the TER records around it.
 */
import { isNucleotide, isWater } from "../../model/protein/residues.ts";
import { type Atom, type AtomLog, AtomSet, Residue } from "./_residue_atoms.ts";

const WATER = { key: "water", done: "left out", unit: "residue", isLeftOut: true, isUsual: true } as const;
const NUCLEIC_ACID = { key: "nucleicAcid", done: "left out", unit: "residue", isLeftOut: true, isUsual: true } as const;
const APART = { key: "apart", done: "put together", unit: "residue", isUsual: true } as const;
const SAME_NUMBER = { key: "sameNumber", done: "kept as residues of their own", unit: "residue" } as const;

/** Who a chain is. */
export interface ChainName {
  /** The authors' name; empty where there is none. */
  readonly author: string;
  /** Name of the segment (PDB); empty where there is none, or an author's name. */
  readonly segment: string;
  /** `label_asym_id` (mmCIF); empty where there is none. */
  readonly label: string;
}

/** Which residue an atom is of, as the file says it. */
export interface ResidueName {
  /** Three-letter name. */
  readonly name: string;
  /** The authors' number. */
  readonly number: number;
  /** Empty where there is none. */
  readonly insertionCode: string;
  /** `label_seq_id` (mmCIF); empty where there is none. */
  readonly sequenceId: string;
  /** `label_entity_id` (mmCIF); empty where there is none. */
  readonly entity: string;
  /** Whether its records are HETATM. */
  readonly isHetero: boolean;
}

/** Residues of one molecule, in the file's order. */
export interface Segment {
  readonly chain: ChainName;
  /** Number among the molecules of that name, from 0. */
  readonly index: number;
  readonly residues: Residue[];
}

interface OpenSegment extends Segment {
  readonly byPlace: Map<string, Residue[]>;
  /** TER records of the chain before its last residue of ATOM records. */
  ters: number;
}

interface OpenChain {
  readonly name: ChainName;
  readonly segments: OpenSegment[];
  /** TER records so far. */
  ters: number;
}

/** Takes the atoms of one model in the file's order. */
export class ChainRecords {
  readonly #log: AtomLog;
  readonly #chains = new Map<string, OpenChain>();
  #chain: OpenChain | undefined;
  #run: { name: ResidueName; atoms: AtomSet; row: number; isRepeat: boolean } | undefined;

  /** @param log Takes note of what is left out or put together. */
  constructor(log: AtomLog) {
    this.#log = log;
  }

  /** Says which residue the next atoms are of. */
  begin(chain: ChainName, name: ResidueName, row: number): void {
    this.#place();
    const key = `${chain.author}\0${chain.label}\0${chain.segment}`;
    let open = this.#chains.get(key);
    if (open === undefined) this.#chains.set(key, open = { name: chain, segments: [], ters: 0 });
    this.#chain = open;
    this.#run = { name, atoms: new AtomSet(), row, isRepeat: false };
  }

  /** Adds an atom of that residue. */
  add(name: string, atom: Atom, row: number): void {
    if (this.#run === undefined) throw new TypeError("An atom came before its residue");
    if (this.#run.atoms.isRepeatedBy(name, atom)) {
      const before = this.#run;
      this.#place();
      this.#run = { name: before.name, atoms: new AtomSet(), row, isRepeat: true };
    }
    this.#run.atoms.add(name, atom);
  }

  /** Takes note of a TER record; without a name it is of the chain of the last atom. */
  end(author: string): void {
    this.#place();
    if (author === "") {
      if (this.#chain) this.#chain.ters++;
      return;
    }
    for (const chain of this.#chains.values()) if (chain.name.author === author) chain.ters++;
  }

  /** All segments, those of a chain together, chains in the order of their first atoms. */
  finish(): Segment[] {
    this.#place();
    return [...this.#chains.values()].flatMap(({ segments }) => segments);
  }

  /** Gives the atoms at hand to their residue. */
  #place(): void {
    const [chain, run] = [this.#chain, this.#run];
    this.#run = undefined;
    if (chain === undefined || run === undefined || run.atoms.size === 0) return;
    const { name, atoms, row } = run;
    const { remarks, line } = this.#log;
    const left = isWater(name.name) ? WATER : isNucleotide(name.name) ? NUCLEIC_ACID : undefined;
    if (left !== undefined) {
      remarks.add(left, () => line(row), () => `${name.name} ${name.number}${name.insertionCode}`, 1, atoms.size);
      return;
    }
    const known = run.isRepeat ? undefined : this.#known(chain, name, atoms);
    if (known === undefined) this.#push(chain, run);
    else known.add(name.name, atoms);
  }

  /** The residue that has been read before of which these atoms are too. */
  #known(chain: OpenChain, name: ResidueName, atoms: AtomSet): Residue | undefined {
    const segment = chain.segments.at(-1);
    const same = segment?.byPlace.get(placeOf(name)) ?? [];
    const last = segment?.residues.at(-1);
    const found = same.findLast((residue) => {
      const isAlike = residue.isHetero === name.isHetero || (residue === last && residue.kinds.has(name.name));
      return isAlike && residue.takes(name.name, atoms);
    });
    if (found !== undefined && found !== last) {
      const { remarks, line } = this.#log;
      remarks.add(APART, () => line(found.row), () => `the atoms of ${found.text} stand in several places`);
    }
    return found;
  }

  #push(chain: OpenChain, { name, row, atoms }: { name: ResidueName; row: number; atoms: AtomSet }): void {
    const { remarks, line } = this.#log;
    const place = placeOf(name);
    let segment = chain.segments.at(-1);
    if (segment === undefined || (!name.isHetero && isNewMolecule(chain, segment, name))) {
      segment = { chain: chain.name, index: chain.segments.length, residues: [], byPlace: new Map(), ters: chain.ters };
      chain.segments.push(segment);
    }
    const { number, insertionCode, sequenceId, entity, isHetero } = name;
    const isEnded = chain.ters > segment.ters;
    const residue = new Residue(number, insertionCode, sequenceId, entity, isHetero, isEnded, row);
    residue.add(name.name, atoms);
    const same = segment.byPlace.get(place);
    if (same === undefined) segment.byPlace.set(place, [residue]);
    else {
      if (!isHetero) {
        remarks.add(SAME_NUMBER, () => line(row), () => `${residue.text} has the number of ${same.at(-1)!.text}`);
      }
      same.push(residue);
    }
    segment.residues.push(residue);
    if (!isHetero) segment.ters = chain.ters;
  }
}

/**
 * Whether a residue of ATOM records begins another molecule: its number was there before, and not just now; or a TER record
 * stands before it and either its number goes back, or the chain has no name.
 */
function isNewMolecule(chain: OpenChain, segment: OpenSegment, residue: ResidueName): boolean {
  const last = segment.residues.findLast(({ isHetero }) => !isHetero);
  if (last === undefined) return false;
  const { author, segment: name, label } = chain.name;
  const isNameless = author === "" && name === "" && label === "";
  if (chain.ters > segment.ters && (isNameless || residue.number <= last.number)) return true;
  const same = segment.byPlace.get(placeOf(residue))?.filter(({ isHetero }) => !isHetero) ?? [];
  return same.length > 0 && same.at(-1) !== last;
}

function placeOf({ number, insertionCode, sequenceId }: ResidueName): string {
  return `${sequenceId}|${number}|${insertionCode}`;
}
