/**
 * Writes alignments: A3M, A2M, Stockholm and aligned FASTA.
 *
 * Source: HH-suite user guide, "File formats"; HMMER user's guide, "Stockholm, the recommended multiple sequence
 * alignment format".
 */
import { type Alignment, makeAlignment } from "./alignment.ts";
import { formatFasta } from "./fasta.ts";

/** An alignment to write. */
export type WrittenAlignment = Pick<Alignment, "names" | "aligned" | "reference">;

/** The text of an A3M file: rows as the alignment has them, insertions in lower case, one line each. */
export function formatA3m(alignment: WrittenAlignment): string {
  return formatFasta(recordsOf(alignment.names, alignment.aligned), 0);
}

/**
 * The text of an A2M file: as A3M, but with `.` where a row lacks what another has inserted, so that all rows have the same
 * length.
 */
export function formatA2m(alignment: WrittenAlignment, width = 80): string {
  return formatFasta(recordsOf(alignment.names, expand(alignment.aligned).rows), width);
}

/**
 * The text of a FASTA file in which all rows have the same length: residues inserted at one place stand below each other
 * from the left, gaps fill the rest.
 */
export function formatAlignedFasta(alignment: WrittenAlignment, width = 80): string {
  const rows = expand(alignment.aligned).rows.map((row) => row.toUpperCase().replaceAll(".", "-"));
  return formatFasta(recordsOf(alignment.names, rows), width);
}

/**
 * The text of a Stockholm file, one line a row. The line `#=GC RF` marks the columns of the alignment, with the
 * alignment's own marks if it has them; insertions are columns of their own, in lower case and with `.` where a row has none.
 *
 * Names say in this format which row is meant, so that white space in them becomes `_` and a name that was there before
 * gets a number.
 */
export function formatStockholm(alignment: WrittenAlignment): string {
  const { rows, reference } = expand(alignment.aligned, alignment.reference);
  const names = differentNames(alignment.names);
  const width = Math.max("#=GC RF".length, ...names.map((name) => name.length)) + 1;
  const lines = rows.map((row, r) => names[r].padEnd(width) + row);
  return ["# STOCKHOLM 1.0", "", ...lines, "#=GC RF".padEnd(width) + reference, "//", ""].join("\n");
}

/**
 * The same alignment with one column for each residue of its first row and none besides; what the others have between
 * them becomes insertions. This is how search programs write A3M.
 */
export function overQuery(alignment: Alignment): Alignment {
  const { rows } = expand(alignment.aligned);
  const isColumn = Array.from(rows[0], (letter) => letter !== "-" && letter !== ".");
  const aligned = rows.map((row) => {
    let text = "";
    isColumn.forEach((column, c) => {
      const isGap = row[c] === "-" || row[c] === ".";
      if (column) text += isGap ? "-" : row[c].toUpperCase();
      else if (!isGap) text += row[c].toLowerCase();
    });
    return text;
  });
  return makeAlignment(alignment.source, alignment.names, aligned, { remarks: alignment.remarks });
}

function recordsOf(names: readonly string[], rows: readonly string[]): { name: string; sequence: string }[] {
  return rows.map((sequence, r) => ({ name: names[r], sequence }));
}

/**
 * Gives insertions columns of their own: first those of the first row, then those of the others together, so that a
 * reader who takes the first row for the query sees what A3M says.
 */
function expand(aligned: readonly string[], marks = ""): { rows: string[]; reference: string } {
  const parts = aligned.map(splitRow);
  const places = parts[0].inserted.length;
  const widths = Array.from({ length: places }, (_, p) => {
    return parts.slice(1).reduce((most, { inserted }) => Math.max(most, inserted[p].length), 0);
  });
  const own = parts[0].inserted.map((letters) => letters.length);
  const rows = parts.map(({ inserted, columns }, r) => {
    return inserted.map((letters, p) => {
      const [first, second] = r === 0 ? [letters, ""] : ["", letters];
      return first.padEnd(own[p], ".") + second.padEnd(widths[p], ".") + (columns[p] ?? "");
    }).join("");
  });
  const reference = widths.map((width, p) => ".".repeat(own[p] + width) + (p + 1 < places ? marks[p] ?? "x" : "")).join(
    "",
  );
  return { rows, reference };
}

/** Letters of the columns, and what is inserted before each and after the last. */
function splitRow(row: string): { columns: string[]; inserted: string[] } {
  const columns: string[] = [];
  const inserted = [""];
  for (const letter of row) {
    if (letter >= "a" && letter <= "z") inserted[columns.length] += letter;
    else {
      columns.push(letter);
      inserted.push("");
    }
  }
  return { columns, inserted };
}

function differentNames(names: readonly string[]): string[] {
  const used = new Set<string>();
  return names.map((given, r) => {
    const name = given.replace(/\s+/g, "_").replace(/^(?=#|\/\/)/, "_") || `row_${r + 1}`;
    let chosen = name;
    for (let k = 2; used.has(chosen); k++) chosen = `${name}_${k}`;
    used.add(chosen);
    return chosen;
  });
}
