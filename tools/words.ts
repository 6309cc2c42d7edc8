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

/** Words, or a name with `-` or `_`, as a name in JSON: `bFactor` of `B-factor`. */
export function camelCase(text: string): string {
  const words = text.split(/[^A-Za-z0-9]+/).filter((word) => word !== "");
  return words.map((word, i) => {
    const rest = /[A-Z]$/.test(word) ? word.slice(1).toLowerCase() : word.slice(1);
    return (i === 0 ? word[0].toLowerCase() : word[0].toUpperCase()) + rest;
  }).join("");
}

/** A name of JSON as a flag: `n-seq` of `nSeq`. */
export function kebabCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** The same values under names as JSON has them. */
export function camelKeys<V>(values: Readonly<Record<string, V>>): Record<string, V> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [camelCase(name), value]));
}
