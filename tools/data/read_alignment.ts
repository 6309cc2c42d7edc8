/** Reads an alignment file of any of the known formats. */
import { InputError } from "../errors.ts";
import { readPiecesMaybeGzip } from "../files.ts";
import { type Line, linesOf, splitLines } from "./_lines.ts";
import { A3mReader } from "./a3m.ts";
import type { Alignment, AlignmentOptions } from "./alignment.ts";
import { looksLike } from "./looks_like.ts";
import { ClustalReader, isClustalTitle } from "./clustal.ts";
import { StockholmReader } from "./stockholm.ts";

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

/**
 * Reads A3M, A2M, aligned FASTA, Stockholm or CLUSTAL; the content tells them apart. Where lower case letters could mean either, text
 * whose rows fit as A3M is read as A3M unless it is called FASTA.
 *
 * @param source Name of the file, for messages.
 * @throws {InputError} As {@link readAlignment} does.
 */
export function parseAlignment(text: string, source: string, options: AlignmentOptions = {}): Alignment {
  const reader = new AlignmentReader(source, options);
  for (const [index, line] of splitLines(text).entries()) reader.push({ number: index + 1, text: line });
  return reader.finish();
}

/** Takes lines to the reader of the format that the first of them shows. */
class AlignmentReader {
  #isBegun = false;
  #reader: A3mReader | ClustalReader | StockholmReader | undefined;

  constructor(readonly source: string, readonly options: AlignmentOptions) {}

  push({ number, text }: Line): void {
    if (!this.#isBegun) this.#begin(text);
    if (this.#reader === undefined) {
      const start = text.trim();
      if (start === "") return;
      this.#reader = start.startsWith("# STOCKHOLM")
        ? new StockholmReader(this.source, this.options)
        : isClustalTitle(start)
        ? new ClustalReader(this.source, this.options)
        : new A3mReader(this.source, { ...this.options, orFasta: true });
    }
    this.#reader.push(text, number);
  }

  /** Looks at lines up to the first that is no remark. */
  #begin(text: string): void {
    this.#isBegun = text.trim() !== "" && !/^\s*#(?! STOCKHOLM)/.test(text);
    const other = looksLike(new TextEncoder().encode(`${text.slice(0, 4000)}\n`));
    if (other === undefined || other.kind === "alignment") return;
    throw new InputError(
      `${this.source} is ${other.words}, expected an alignment in A3M, FASTA, Stockholm or CLUSTAL format: were two ` +
        "arguments swapped?",
    );
  }

  finish(): Alignment {
    if (this.#reader !== undefined) return this.#reader.finish();
    throw new InputError(`${this.source} is empty, expected an alignment in A3M, FASTA, Stockholm or CLUSTAL format`);
  }
}
