/** Lines of a text that comes in pieces. */
import { InputError } from "../errors.ts";

/** No line of a table or alignment is as long as this. */
const MAX_LINE = 1 << 24;

/** A line and its number. */
export interface Line {
  /** Number in the file, from 1. */
  readonly number: number;
  /** The line without its end. */
  readonly text: string;
}

/**
 * Splits bytes in UTF-8 into lines; a byte order mark is dropped, lines may end in LF, CRLF or CR.
 *
 * @param source Name of the file, for messages.
 * @throws {InputError} If a line is longer than 16 million characters; names it.
 */
export async function* linesOf(pieces: AsyncIterable<Uint8Array>, source: string): AsyncGenerator<Line> {
  const decoder = new TextDecoder();
  let parts: string[] = []; // of the line that has not ended
  let length = 0;
  let isCut = false; // after a CR that may be half of a CRLF
  let number = 0;
  for await (const piece of pieces) {
    const text: string = (isCut ? "\r" : "") + decoder.decode(piece, { stream: true });
    isCut = text.endsWith("\r");
    const [first, ...lines] = (isCut ? text.slice(0, -1) : text).split(/\r\n|\n|\r/);
    parts.push(first);
    length += first.length;
    if (length > MAX_LINE) throw new InputError(`${source} line ${number + 1} is longer than ${MAX_LINE} characters`);
    const rest = lines.pop();
    if (rest === undefined) continue;
    yield { number: ++number, text: parts.join("") };
    for (const line of lines) yield { number: ++number, text: line };
    parts = [rest];
    length = rest.length;
  }
  const last = parts.join("") + decoder.decode();
  if (last !== "" || isCut) yield { number: ++number, text: last };
}

/** Lines of a whole text; a byte order mark is dropped, lines may end in LF, CRLF or CR. */
export function splitLines(text: string): string[] {
  const plain = text.startsWith("\uFEFF") ? text.slice(1) : text;
  return plain.includes("\r") ? plain.split(/\r\n|\n|\r/) : plain.split("\n");
}
