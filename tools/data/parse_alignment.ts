/** Reads an alignment of any of the known formats, as text. */
import { InputError } from "../errors.ts";
import { type Line, splitLines } from "./_lines.ts";
import { A3mReader } from "./a3m.ts";
import type { Alignment, AlignmentOptions } from "./alignment.ts";
import { ClustalReader, isClustalTitle } from "./clustal.ts";
import { looksLike } from "./looks_like.ts";
import { StockholmReader } from "./stockholm.ts";

/**
 * Reads A3M, A2M, aligned FASTA, Stockholm or CLUSTAL; the content tells them apart. Where lower case letters could mean either, text
 * whose rows fit as A3M is read as A3M unless it is called FASTA.
 *
 * @param source Name of the file, for messages.
 * @throws {InputError} If the text is empty, or no alignment; the message names line and row.
 */
export function parseAlignment(text: string, source: string, options: AlignmentOptions = {}): Alignment {
  const reader = new AlignmentReader(source, options);
  for (const [index, line] of splitLines(text).entries()) reader.push({ number: index + 1, text: line });
  return reader.finish();
}

/** Takes lines to the reader of the format that the first of them shows. */
export class AlignmentReader {
  #isBegun = false;
  #reader: A3mReader | ClustalReader | StockholmReader | undefined;

  constructor(readonly source: string, readonly options: AlignmentOptions) {}

  /** Takes a line. */
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

  /**
   * The alignment, after the last line.
   *
   * @throws {InputError} If there was none.
   */
  finish(): Alignment {
    if (this.#reader !== undefined) return this.#reader.finish();
    throw new InputError(`${this.source} is empty, expected an alignment in A3M, FASTA, Stockholm or CLUSTAL format`);
  }
}
