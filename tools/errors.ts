/**
 * Something the user gave cannot be used: a missing file, an unreadable line, sizes that do not fit.
 * The message names the file, line or key, what was found and what is expected; the command line prints it without a
 * stack trace and exits with code 1.
 */
export class InputError extends Error {
  /** Name of the class. */
  override name = "InputError";

  /**
   * An error with this message. It may quote damaged files as they are: what a terminal would obey is written as
   * `\u001b`, and the middle of a very long message is left out.
   */
  constructor(message: string) {
    const visible = message.replace(CONTROL, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);
    super(visible.length > LONGEST ? `${visible.slice(0, LONGEST / 2)} … ${visible.slice(-LONGEST / 2)}` : visible);
  }
}

/** Longest message; of a longer one (a name of a megabyte) beginning and end are kept. */
const LONGEST = 1600;

/** Control characters but for ends of lines, and marks that turn the direction of text. */
// deno-lint-ignore no-control-regex -- they are what is looked for
const CONTROL = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

/** The command line itself is wrong (an unknown flag, a missing argument); exit code 2. */
export class UsageError extends Error {
  /** Name of the class. */
  override name = "UsageError";
}

/**
 * Runs a reader of the library; its complaint about unreadable text is the user's to hear.
 *
 * @throws {InputError} Where the reader throws a SyntaxError, with the same message.
 */
export function asInputError<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxError) throw new InputError(error.message);
    throw error;
  }
}
