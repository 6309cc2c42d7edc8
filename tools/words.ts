/** Words for people. */

/** A number and what it counts: `1 row`, `2 rows`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Order of names: by their letters' numbers, whatever the machine's language. */
export function alphabetical(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** The first of many, and how many more there are. */
export function listed(names: readonly string[], most = 20): string {
  return names.length <= most ? names.join(", ") : `${names.slice(0, most).join(", ")} and ${names.length - most} more`;
}
