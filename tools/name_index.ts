/** Finds what a name of a file, a folder or a row means: one set of rules for targets, structures and alignments. */
import { checksummedName, fileName } from "./files.ts";

/** Residues that a row covers, as HMMER adds them to its name. */
const RANGE = /\/\d+-\d+$/;

/** A name without range, and without the ending of a structure's file, which programs that align structures leave at it. */
export function plainName(name: string): string {
  return name.replace(RANGE, "").replace(/(?<=.)\.(?:pdb|ent|cif|mmcif|bcif)(?:\.gz)?$/i, "");
}

/**
 * Names of targets or rows. Another name means the one that it equals; else the one whose files and folders are called so
 * (see `fileName`); else the one that it equals in either way but for capitals. `/12-95` and `.pdb` at the end count for
 * nothing.
 */
export class NameIndex {
  /** Names that are known by such a text; `undefined` where several are. */
  readonly #own: ReadonlyMap<string, string | undefined>;
  readonly #files: ReadonlyMap<string, string | undefined>;
  readonly #small: ReadonlyMap<string, string | undefined>;

  /** @param names All names. */
  constructor(names: Iterable<string>) {
    const all = new Set(names);
    const own = (name: string): string[] => [name];
    const files = (name: string): string[] => [fileName(name), checksummedName(name), plainName(name)];
    const small = (name: string): string[] => [name, ...files(name)].map((text) => text.toLowerCase());
    [this.#own, this.#files, this.#small] = [own, files, small].map((textsOf) => {
      const found = new Map<string, string | undefined>();
      for (const name of all) {
        for (const text of new Set(textsOf(name))) found.set(text, found.has(text) ? undefined : name);
      }
      return found;
    });
  }

  /** The name that the first of these texts means that means one; `undefined` if none does, or several are meant. */
  find(...texts: readonly string[]): string | undefined {
    for (const text of texts) {
      const plain = plainName(text);
      const name = this.#own.get(text) ?? this.#own.get(plain) ?? this.#files.get(text) ?? this.#files.get(plain) ??
        this.#small.get(text.toLowerCase()) ?? this.#small.get(plain.toLowerCase());
      if (name !== undefined) return name;
    }
    return undefined;
  }
}
