/** Reads an alignment file of any of the known formats. */
import { InputError } from "../errors.ts";
import { decodeText, readFileMaybeGzip } from "../files.ts";
import { parseA3mOrFasta } from "./a3m.ts";
import type { Alignment } from "./alignment.ts";
import { parseStockholm } from "./stockholm.ts";

/**
 * Reads A3M, aligned FASTA or Stockholm, plain or packed with gzip.
 *
 * @throws {InputError} If the file is missing, empty, truncated, or not an alignment; the message names line and row.
 */
export async function readAlignment(path: string): Promise<Alignment> {
  return parseAlignment(decodeText(await readFileMaybeGzip(path), path), path);
}

/**
 * Reads A3M, aligned FASTA or Stockholm; the content tells them apart. Where lower case letters could mean either, text
 * whose rows fit as A3M is read as A3M.
 *
 * @param source Name of the file, for messages.
 * @throws {InputError} As {@link readAlignment} does.
 */
export function parseAlignment(text: string, source: string): Alignment {
  const start = text.replace(/^\uFEFF/, "").trimStart();
  if (start === "") throw new InputError(`${source} is empty, expected an alignment in A3M, FASTA or Stockholm format`);
  if (start.startsWith("# STOCKHOLM")) return parseStockholm(start, source);
  return parseA3mOrFasta(text, source);
}
