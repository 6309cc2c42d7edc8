/** Labels that are bounds or estimates: what is known of a value that was not measured exactly. */

/** How a value stands to the number beside it; `~` is an estimate. */
export type Relation = "<" | "<=" | ">" | ">=" | "~";

/**
 * What regression does with them: `drop` leaves them out; `keep` takes the number for the value; `censored` keeps number and
 * relation, for a loss that knows bounds.
 */
export type BoundsPolicy = "drop" | "keep" | "censored";

/** All policies. */
export const BOUNDS_POLICIES: readonly BoundsPolicy[] = ["drop", "keep", "censored"];

/** Relations as they are written. */
const RELATIONS: ReadonlyMap<string, Relation | undefined> = new Map([
  ...[["", undefined], ["=", undefined], ["==", undefined], ["<", "<"], [">", ">"], ["~", "~"]] as const,
  ...[["<=", "<="], [">=", ">="], ["=<", "<="], ["=>", ">="], ["≤", "<="], ["≥", ">="], ["<<", "<"], [
    ">>",
    ">",
  ]] as const,
  ...[["=~", "~"], ["~=", "~"], ["≈", "~"]] as const,
]);

/** Whether a text is a relation, `=` and nothing included. */
export function isRelation(text: string): boolean {
  return RELATIONS.has(text);
}

/** The relation that a text says; `undefined` for `=` and for nothing. */
export function relationOf(text: string): Relation | undefined {
  return RELATIONS.get(text);
}

/** The relation of -log10 of a value: the larger the one, the smaller the other. */
export function ofNegativeLogarithm(relation: Relation | undefined): Relation | undefined {
  if (relation === undefined || relation === "~") return relation;
  return (relation.startsWith("<") ? relation.replace("<", ">") : relation.replace(">", "<")) as Relation;
}

/** A label and its relation, for people: `5`, `> 5`. */
export function labelText(label: number, relation: Relation | undefined): string {
  return relation === undefined ? `${label}` : `${relation} ${label}`;
}
