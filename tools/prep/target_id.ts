/** Names of targets, which become names of files. */
import { InputError } from "../errors.ts";

/** Longest name: file systems allow 255 bytes, endings included. */
const MAX_LENGTH = 200;

/**
 * Checks that a name can be part of a file's name without leading anywhere else.
 *
 * @throws {InputError} If it is empty, too long, begins with a dot or a dash, or has a slash, a backslash, a colon or a
 * control character.
 */
export function checkTargetId(id: string): void {
  const wrong = id === "" ? "is empty" : id.length > MAX_LENGTH
    ? `has ${id.length} characters, more than ${MAX_LENGTH}`
    // deno-lint-ignore no-control-regex -- they are what is refused
    : /[/\\:\x00-\x1f\x7f]/.test(id)
    ? "has a slash, a backslash, a colon or a control character"
    : /^[.-]/.test(id)
    ? "begins with a dot or a dash"
    : undefined;
  if (wrong === undefined) return;
  throw new InputError(
    `The id ${JSON.stringify(id.slice(0, MAX_LENGTH))} ${wrong}: expected a name that can be a file's, such as 1abc_A`,
  );
}

/** Name of the file of a target, without folder; characters that not all systems allow become `_`, as in ColabFold. */
export function featureFileName(id: string): string {
  return `${id.replace(/[^A-Za-z0-9_.-]/g, "_")}.safetensors`;
}

/** What names are compared by: capitals count as small letters. */
export function idKey(id: string): string {
  return id.toLowerCase();
}
