import type { Alignment } from "../data/alignment.ts";
import { InputError } from "../errors.ts";

/**
 * Index of the row of a name, or of the first row where no name is given; capitals and small letters count as equal where
 * no name is the same to the letter.
 *
 * @throws {InputError} If there is no such row; the message lists names.
 */
export function findRow({ names, source }: Pick<Alignment, "names" | "source">, name: string | undefined): number {
  if (name === undefined) return 0;
  const exact = names.indexOf(name);
  const row = exact >= 0 ? exact : names.findIndex((other) => other.toLowerCase() === name.toLowerCase());
  if (row >= 0) return row;
  const shown = names.length > 20 ? `${names.slice(0, 20).join(", ")} and ${names.length - 20} more` : names.join(", ");
  throw new InputError(`${source} has no row "${name}": it has ${shown}`);
}
