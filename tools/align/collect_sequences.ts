/** Sequences to align: of FASTA files, and of the chains of structures. */
import { fileKind, stem } from "../data/file_kind.ts";
import { parseFasta } from "../data/fasta.ts";
import { readStructure } from "../data/read_structure.ts";
import { warningsOf } from "../data/remarks.ts";
import { selectChain } from "../data/structure.ts";
import { structureFiles } from "../data/structure_files.ts";
import { InputError } from "../errors.ts";
import { decodeText, readFileMaybeGzip } from "../files.ts";

/** A sequence and where it is from. */
export interface FamilySequence {
  /** Name of its row. */
  readonly name: string;
  /** One letter a residue, as training will ask for them: those of the whole chain, seen or not. */
  readonly sequence: string;
  /** File it was read from. */
  readonly source: string;
}

/**
 * Reads sequences: of FASTA files under their names, of structures (`FILE`, `FILE:CHAIN`, or folders of them) under the
 * file's name, with `_CHAIN` where a file with several chains is given without one.
 *
 * @param tell Is given what was unusual in the files, a sentence each.
 * @throws {InputError} If a file cannot be read, or two sequences have one name; the message names both files.
 */
export async function collectSequences(
  paths: readonly string[],
  tell: (warning: string) => void = () => {},
): Promise<FamilySequence[]> {
  const sequences: FamilySequence[] = [];
  for (const path of await structureFiles(paths)) {
    const own = fileKind(path) === "fasta" ? await ofFasta(path) : await ofStructure(path, tell);
    sequences.push(...own);
  }
  const owners = new Map<string, string>();
  for (const { name, source } of sequences) {
    const owner = owners.get(name);
    if (owner !== undefined) {
      throw new InputError(`${source} and ${owner} both have a sequence named "${name}": expected different names`);
    }
    owners.set(name, source);
  }
  return sequences;
}

async function ofFasta(path: string): Promise<FamilySequence[]> {
  return parseFasta(decodeText(await readFileMaybeGzip(path), path), path).map(({ name, sequence }, k) => {
    if (name !== "") return { name, sequence, source: path };
    throw new InputError(`${path}: sequence ${k + 1} has no name, expected one after ">"`);
  });
}

async function ofStructure(argument: string, tell: (warning: string) => void): Promise<FamilySequence[]> {
  const [, path, chainId] = /^(.+?)(?::([^:/\\]+))?$/.exec(argument) ?? ["", argument, undefined];
  const structure = await readStructure(path);
  warningsOf(structure).forEach(tell);
  const name = stem(path);
  const { chains } = structure;
  if (chainId !== undefined) return [{ name, sequence: selectChain(structure, chainId).sequence, source: path }];
  return chains.map(({ id, sequence }) => ({
    ...{ name: chains.length > 1 ? `${name}_${id}` : name, sequence, source: path },
  }));
}
