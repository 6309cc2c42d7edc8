/** The experimental structure of a complex. */
import { type ChainFeatures, makeChainFeatures } from "../data/features/chain.ts";
import { placeChain } from "../data/place_chain.ts";
import { type Chain, observedResidues } from "../data/structure.ts";
import { ATOM_SLOTS } from "../../model/protein/residues.ts";
import { InputError } from "../errors.ts";
import type { PreparedTarget } from "./prepare_target.ts";
import { type ReadingLog, readSourceStructure, type TargetInput } from "./read_target.ts";
import type { SourceReader } from "./sources.ts";

/** What the structure of a complex adds to it. */
type Experiment = Pick<PreparedTarget, "supervised" | "numbering" | "releaseDate" | "observedResidues" | "chains">;

/**
 * Reads the structure of a complex and lays its chains along those of the target: each takes the chain that it names, else
 * the first that fits its sequence and is left. Chains that the structure does not show have no atoms, and that is said.
 *
 * @param target As it was given.
 * @param whole The complex, whose chains' order the features have.
 * @throws {InputError} If the structure cannot be read, has no assembly that was asked for, or fits no chain.
 */
export async function experimentOf(
  path: string,
  target: TargetInput & { readonly chains: readonly TargetInput[] },
  whole: PreparedTarget,
  reader: SourceReader,
  log: ReadingLog,
): Promise<Experiment> {
  const structure = await readSourceStructure(path, reader, log, target.assembly);
  const left = new Set(structure.chains);
  let start = 0;
  const sequences = whole.chains!.map(({ residues }) => whole.sequence.slice(start, start += residues));
  const inputs = whole.chains!.map(({ input }) => target.chains[input]);
  const take = (wanted: string | undefined, sequence: string): Chain | undefined => {
    for (const chain of left) {
      if (wanted !== undefined && chain.id !== wanted) continue;
      const placed = placeChain(chain, sequence);
      if (!placed) continue;
      left.delete(chain);
      return placed;
    }
  };
  const named = inputs.map(({ chain }, k) => chain === undefined ? undefined : take(chain, sequences[k]));
  const found = named.map((chain, k) => chain ?? take(undefined, sequences[k]));
  if (found.every((chain) => chain === undefined)) {
    const there = structure.chains.map(({ id, sequence }) => `${id} (${sequence.length} residues)`).join(", ");
    throw new InputError(`None of the chains of ${path} is one of ${target.id}: it has ${there}`);
  }
  const missing = inputs.filter((_, k) => !found[k]).map(({ id }) => id);
  if (missing.length > 0) log.doubt(`${path} shows no chain for ${missing.join(", ")}: its residues are not known`);
  if (left.size > 0) {
    log.warn(`${path} has chains that ${target.id} has not: ${[...left].map(({ id }) => id).join(", ")}`);
  }
  const chains = found.map((chain, k) => chain ?? unseen(sequences[k]));
  const isNamed = missing.length === 0;
  return {
    supervised: {
      ...joined(chains.map((chain) => makeChainFeatures(chain, structure.resolutionAngstrom))),
      residue_index: whole.features.residue_index,
    },
    numbering: {
      residueNumbers: Int32Array.from(chains.flatMap(({ residueNumbers }) => Array.from(residueNumbers))),
      insertionCodes: chains.flatMap(({ insertionCodes }) => insertionCodes),
    },
    chains: whole.chains!.map((chain, k) => isNamed ? { ...chain, label: chains[k].id } : chain),
    releaseDate: structure.releaseDate,
    observedResidues: chains.reduce((sum, chain) => sum + observedResidues(chain), 0),
  };
}

/** A chain without atoms. */
function unseen(sequence: string): Chain {
  const n = sequence.length;
  return {
    ...{ id: "", labelId: "", sequence },
    residueNumbers: Int32Array.from({ length: n }, (_, i) => i + 1),
    insertionCodes: new Array<string>(n).fill(""),
    atomPositions: new Float32Array(n * ATOM_SLOTS * 3),
    atomMask: new Float32Array(n * ATOM_SLOTS),
    bFactors: new Float32Array(n * ATOM_SLOTS),
  };
}

/** Features of chains one after the other; all but the resolution are by residue. */
function joined(chains: readonly ChainFeatures[]): ChainFeatures {
  const names = Object.keys(chains[0]) as (keyof ChainFeatures)[];
  return Object.fromEntries(names.map((name) => {
    const parts = chains.map((chain) => chain[name]);
    if (name === "resolution") return [name, parts[0]];
    const whole = new (parts[0].constructor as Float32ArrayConstructor)(parts.reduce((sum, x) => sum + x.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return [name, whole];
  })) as unknown as ChainFeatures; // every feature keeps its type
}
