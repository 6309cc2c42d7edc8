/** Reads an alignment file of any of the known formats. */
import { readPiecesMaybeGzip } from "../files.ts";
import { linesOf } from "./_lines.ts";
import type { Alignment, AlignmentOptions } from "./alignment.ts";
import { AlignmentReader } from "./parse_alignment.ts";

export { parseAlignment } from "./parse_alignment.ts";

/**
 * Reads A3M, A2M, aligned FASTA, Stockholm or CLUSTAL, plain or packed with gzip, line by line: memory is needed for the rows that are
 * kept alone.
 *
 * @throws {InputError} If the file is missing, empty, truncated, or not an alignment; the message names line and row.
 */
export async function readAlignment(path: string, options: AlignmentOptions = {}): Promise<Alignment> {
  return await readAlignmentPieces(readPiecesMaybeGzip(path), path, options);
}

/**
 * Reads an alignment that comes in pieces as {@linkcode readAlignment} does.
 *
 * @param source Name of the file, for messages.
 */
export async function readAlignmentPieces(
  pieces: AsyncIterable<Uint8Array>,
  source: string,
  options: AlignmentOptions = {},
): Promise<Alignment> {
  const reader = new AlignmentReader(source, options);
  for await (const line of linesOf(pieces, source)) reader.push(line);
  return reader.finish();
}
