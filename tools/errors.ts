/**
 * Something the user gave cannot be used: a missing file, an unreadable line, sizes that do not fit.
 * The message names the file, line or key, what was found and what is expected; the command line prints it without a
 * stack trace and exits with code 1.
 */
export class InputError extends Error {
  /** Name of the class. */
  override name = "InputError";
}

/** The command line itself is wrong (an unknown flag, a missing argument); exit code 2. */
export class UsageError extends Error {
  /** Name of the class. */
  override name = "UsageError";
}
