/** Sequences to search with, from FASTA files. */
import { parseChainRecords } from "../data/fasta.ts";
import { chainsOf } from "../data/table.ts";
import { chainLetters } from "../data/_mmcif_block.ts";
import { InputError } from "../errors.ts";
import { decodeText, readFileMaybeGzip } from "../files.ts";
import type { Query } from "./search_files.ts";

/** An entry of a FASTA file: one query, or one for each chain. */
export interface QueryEntry {
  /** Name of the entry. */
  readonly name: string;
  /** Its chains, named `name`, or `name_A`, `name_B`, ... where there are several (`:` between them). */
  readonly chains: readonly Query[];
}

/** Of chains with one sequence the first. */
export function firstOfEach<C extends { readonly sequence?: string }>(chains: readonly C[]): C[] {
  return chains.filter(({ sequence }, k) => chains.findIndex((other) => other.sequence === sequence) === k);
}

/**
 * Reads queries.
 *
 * @throws {InputError} If a file cannot be read, is not FASTA, or a name is missing or comes twice.
 */
export async function readQueries(paths: readonly string[]): Promise<QueryEntry[]> {
  const entries: QueryEntry[] = [];
  const seen = new Map<string, string>();
  for (const path of paths) {
    const text = decodeText(await readFileMaybeGzip(path), path);
    for (const record of parseChainRecords(text, path)) {
      const place = `${path} line ${record.line}`;
      const sequences = chainsOf(record.text, place);
      const chains = sequences.map((sequence, k) => {
        const name = sequences.length === 1 ? record.name : `${record.name}_${chainLetters(k)}`;
        if (name === "") throw new InputError(`${place}: the sequence has no name, expected one after ">"`);
        const before = seen.get(name);
        if (before !== undefined) throw new InputError(`${place}: the name "${name}" was there before, in ${before}`);
        seen.set(name, place);
        return { name, sequence };
      });
      entries.push({ name: record.name, chains });
    }
  }
  return entries;
}
