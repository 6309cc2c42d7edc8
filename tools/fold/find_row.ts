import type { Alignment } from "../data/alignment.ts";
import { InputError } from "../errors.ts";
import { NameIndex } from "../name_index.ts";

/**
 * Index of the row of a name, by the rules of `NameIndex`, or of the first row where no name is given.
 *
 * @throws {InputError} If there is no such row; the message lists names.
 */
export function findRow({ names, source }: Pick<Alignment, "names" | "source">, name: string | undefined): number {
  if (name === undefined) return 0;
  const found = new NameIndex(names).find(name);
  if (found !== undefined) return names.indexOf(found);
  const shown = names.length > 20 ? `${names.slice(0, 20).join(", ")} and ${names.length - 20} more` : names.join(", ");
  throw new InputError(`${source} has no row "${name}": it has ${shown}`);
}
