/**
 * Text of CIF files: items, loops and values with the quotes they need.
 *
 * Source: Hall, Allen and Brown (1991), "The Crystallographic Information File"; CIF 1.1 syntax.
 */

/** A value of a row; empty texts and `undefined` are written as `?`. */
export type CifValue = string | number | undefined;

/** A number with so many decimals. */
export function decimal(value: number, decimals: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`Cannot write the number ${value} as mmCIF: expected a finite one`);
  return value.toFixed(decimals);
}

/** One row of a category, an item a line. */
export function items(category: string, values: Record<string, CifValue>): string {
  const width = Math.max(...Object.keys(values).map((name) => name.length)) + category.length + 3;
  const lines = Object.entries(values).map(([name, value]) => `_${category}.${name}`.padEnd(width) + cifText(value));
  return lines.join("\n").replaceAll(/ +\n;/g, "\n;") + "\n#\n";
}

/** A category of several rows; `names` are its items with spaces between them. Without rows there is nothing. */
export function loop(category: string, names: string, rows: readonly (readonly CifValue[])[]): string {
  if (rows.length === 0) return "";
  const texts = rows.map((row) => row.map(cifText));
  const widths = texts[0].map((_, i) => texts.reduce((most, row) => Math.max(most, row[i].length), 0));
  const lines = texts.map((row) => row.map((text, i) => i + 1 < row.length ? text.padEnd(widths[i]) : text).join(" "));
  const head = names.split(" ").map((name) => `_${category}.${name}`);
  return ["loop_", ...head, ...lines, "#", ""].join("\n");
}

/** A value as CIF text: quoted where it has to be, on lines of its own where quotes do not do. */
function cifText(value: CifValue): string {
  if (value === undefined || value === "") return "?";
  const text = typeof value === "number"
    ? String(value)
    : value.replace(/[\t\r\n ]+/g, " ").replace(/[^\x20-\x7e]/g, "?");
  const reserved = /^(?:data_|loop_|save_|stop_|global_)/i.test(text);
  if (text === "." || (/^[^\s'"#$_[\];?.]\S*$/.test(text) && !reserved)) return text;
  if (!/'(?:\s|$)/.test(text)) return `'${text}'`;
  if (!/"(?:\s|$)/.test(text)) return `"${text}"`;
  return `\n;${text}\n;\n`;
}
