/** Features of a screen's chains: made once, kept in files, and in memory as long as there is room. */
import { join } from "node:path";
import { InputError } from "../errors.ts";
import type { CollectedTarget } from "../prep/list_targets.ts";
import { alignmentsByUse, type PreparedChain } from "../prep/prepare_complex.ts";
import { readFeatureFile } from "../prep/feature_file.ts";
import { type ManifestEntry, readManifest } from "../prep/manifest.ts";
import { prep, type PrepOptions } from "../prep/prep.ts";

/** Folder of alignments that are for pairing alone, inside that of the chains. */
const PAIRING = "pairing";

/** How chains are prepared. */
export interface ChainOptions extends Omit<PrepOptions, "out" | "onDone" | "failFast" | "complex"> {
  /** Bytes of features that stay in memory. */
  readonly memoryBytes: number;
  /** Told how many chains are done. */
  readonly onDone?: (done: number, entry: ManifestEntry) => void;
}

/** What is known of a chain's files. */
interface Stored {
  readonly file: string;
  readonly sha256: string;
  readonly pairing?: { readonly file: string; readonly sha256: string };
}

/** Chains that are prepared, each once however many pairs it is in. */
export class ChainStore {
  readonly #folder: string;
  readonly #memoryBytes: number;
  readonly #stored: ReadonlyMap<string, Stored>;
  readonly #failed: ReadonlyMap<string, string>;
  /** The chains in memory, that which was used longest ago first. */
  readonly #held = new Map<string, { readonly chain: PreparedChain; readonly bytes: number }>();
  #bytes = 0;
  /** How often features were read. */
  reads = 0;

  private constructor(
    folder: string,
    memoryBytes: number,
    stored: ReadonlyMap<string, Stored>,
    failed: ReadonlyMap<string, string>,
    /** Chains whose features were made now. */
    readonly prepared: number,
    /** Chains whose features were there. */
    readonly unchanged: number,
    /** Sentences on alignments that a screen does not use. */
    readonly notes: readonly string[],
  ) {
    this.#folder = folder;
    this.#memoryBytes = memoryBytes;
    this.#stored = stored;
    this.#failed = failed;
  }

  /**
   * Prepares chains; what is there and unchanged is kept.
   *
   * @throws {InputError} If the folder cannot be written.
   */
  static async make(folder: string, chains: readonly CollectedTarget[], options: ChainOptions): Promise<ChainStore> {
    const { memoryBytes, onDone, ...rest } = options;
    const uses = new Map(chains.map((chain) => [chain.id, alignmentsByUse(chain)]));
    const own = chains.map((chain) => ({ ...chain, complex: undefined, alignments: uses.get(chain.id)!.own }));
    const forPairing = chains.flatMap((chain): CollectedTarget[] => {
      const { id, sequence, sequenceSource, place } = chain, alignments = uses.get(id)!.forPairing;
      return alignments.length > 0 ? [{ id, sequence, sequenceSource, place, alignments }] : [];
    });
    const paired = chains.filter(({ id }) => uses.get(id)!.paired.length > 0).map(({ id }) => id);
    const result = await prep(own, {
      ...rest,
      out: folder,
      failFast: false,
      onDone: ({ entry }, done) => onDone?.(done, entry),
    });
    const pairing = join(folder, PAIRING);
    if (forPairing.length > 0) await prep(forPairing, { ...rest, out: pairing, failFast: false });
    const entries = await readManifest(folder);
    const others = forPairing.length > 0 ? await readManifest(pairing) : new Map<string, ManifestEntry>();
    const stored = new Map<string, Stored>(), failed = new Map<string, string>();
    for (const { id } of chains) {
      const entry = entries.get(id), other = forPairing.some((chain) => chain.id === id) ? others.get(id) : undefined;
      const bad = [entry, other].find((one) => one?.status === "failed");
      if (bad) failed.set(id, bad.error ?? "its features could not be made");
      else if (entry) {
        stored.set(id, {
          ...{ file: entry.file!, sha256: entry.sha256! },
          ...(other && { pairing: { file: join(PAIRING, other.file!), sha256: other.sha256! } }),
        });
      }
    }
    const notes = paired.length === 0
      ? []
      : [`Alignments that were paired before belong to one complex and are not used: those of ${paired.join(", ")}`];
    return new ChainStore(folder, memoryBytes, stored, failed, result.prepared, result.unchanged, notes);
  }

  /**
   * Hashes of all that a chain's features are.
   *
   * @throws {InputError} If they could not be made.
   */
  hashes(id: string): string[] {
    const { sha256, pairing } = this.#of(id);
    return [sha256, ...(pairing ? [pairing.sha256] : [])];
  }

  /**
   * A chain; the same object as long as it stays in memory.
   *
   * @throws {InputError} If its features could not be made or read.
   */
  async get(id: string): Promise<PreparedChain> {
    const known = this.#held.get(id);
    if (known) {
      this.#held.delete(id);
      this.#held.set(id, known);
      return known.chain;
    }
    const { file, pairing } = this.#of(id);
    this.reads++;
    const prepared = await readFeatureFile(join(this.#folder, file));
    const { features } = pairing ? await readFeatureFile(join(this.#folder, pairing.file)) : prepared;
    const hasSpecies = features.msa_species_identifiers.some((species) => species !== "");
    const chain: PreparedChain = { prepared, pairable: hasSpecies ? features : undefined, isPaired: false };
    const bytes = bytesOf(prepared.features) + (pairing ? bytesOf(features) : 0);
    this.#held.set(id, { chain, bytes });
    this.#bytes += bytes;
    // The other chain of the pair at hand may go too: whoever uses it holds it.
    for (const [oldest, { bytes }] of this.#held) {
      if (this.#bytes <= this.#memoryBytes || oldest === id) break;
      this.#held.delete(oldest);
      this.#bytes -= bytes;
    }
    return chain;
  }

  /** Bytes of the features in memory. */
  get heldBytes(): number {
    return this.#bytes;
  }

  #of(id: string): Stored {
    const found = this.#stored.get(id);
    if (found) return found;
    throw new InputError(`${id}: ${this.#failed.get(id) ?? "its features were not made"}`);
  }
}

function bytesOf(features: object): number {
  return Object.values(features).reduce(
    (sum, value) => sum + (ArrayBuffer.isView(value) ? value.byteLength : Array.isArray(value) ? 16 * value.length : 0),
    0,
  );
}
