/** Rewrites structure files in ways that mean nothing. */
import type { Mt19937 } from "../../tools/data/mt19937.ts";
import type { Structure } from "../../tools/data/structure.ts";
import { toBinaryCif } from "../tools/data/_binary_cif.ts";
import { below, pick } from "./mutate.ts";
import { type Done, joinLines, once, renumbered, shuffled } from "./rewrite_text.ts";

/** A rewritten file. */
export interface Rewritten {
  readonly bytes: Uint8Array;
  readonly done: Done;
  /** Former names of the chains by their new ones. @default they are the same */
  readonly names?: ReadonlyMap<string, string>;
}

interface Value {
  readonly text: string;
  readonly isQuoted: boolean;
}

interface Category {
  readonly name: string;
  readonly items: string[];
  readonly rows: Value[][];
}

/** White space, a comment, a text field, a quoted value, or a word. */
const TOKEN =
  /([ \t\r\n]+)|(#[^\r\n]*)|(?<=^|[\r\n])(;[^]*?[\r\n];)|('[^\r\n]*?'(?=\s|$)|"[^\r\n]*?"(?=\s|$))|([^ \t\r\n]+)/gy;

/** Categories of the only block of a well-formed CIF. */
function readCategories(text: string): { header: string; categories: Category[] } {
  const categories: Category[] = [];
  let header = "";
  let names: string[] = [];
  let values: Value[] = [];
  let isLoop = false;
  const close = () => {
    if (names.length === 0) return;
    const name = names[0].slice(1).split(".")[0];
    const items = names.map((full) => full.slice(name.length + 2));
    const rows = Array.from({ length: values.length / names.length }, (_, r) => {
      return values.slice(r * names.length, (r + 1) * names.length);
    });
    const known = isLoop ? undefined : categories.find((category) => category.name === name);
    if (known === undefined) categories.push({ name, items, rows });
    else {
      known.items.push(...items);
      known.rows[0].push(...rows[0]);
    }
    [names, values] = [[], []];
  };
  for (const [, space, comment, field, quoted, word] of text.matchAll(TOKEN)) {
    if (space !== undefined || comment !== undefined) continue;
    if (field !== undefined) values.push({ text: field.slice(1).replace(/\r?\n;$/, ""), isQuoted: true });
    else if (quoted !== undefined) values.push({ text: quoted.slice(1, -1), isQuoted: true });
    else if (word.startsWith("data_")) header = word.slice(5);
    else if (word === "loop_") {
      close();
      isLoop = true;
    } else if (word.startsWith("_")) {
      if (!isLoop || values.length > 0) {
        close();
        isLoop = false;
      }
      names.push(word);
    } else values.push({ text: word, isQuoted: false });
  }
  close();
  return { header, categories };
}

const CHAIN_ITEMS: Readonly<Record<string, readonly string[]>> = {
  atom_site: ["label_asym_id", "auth_asym_id"],
  struct_asym: ["id"],
  pdbx_poly_seq_scheme: ["asym_id", "pdb_strand_id"],
  pdbx_struct_assembly_gen: ["asym_id_list"],
  entity_poly: ["pdbx_strand_id"],
};

const NEW_NAMES = ["Q", "q", "AA", "a1", "Bx", "9", "Zz9", "L", "H", "loop", "7B", "chain"];

/** An mmCIF file whose columns, order, quotes, white space, names of chains and the like are others. */
export function rewriteCif(bytes: Uint8Array, dice: Mt19937): Rewritten {
  const done: Done = [];
  const { header, categories } = readCategories(new TextDecoder().decode(bytes));
  const names = new Map<string, string>();
  if (once(dice, 2)) {
    done.push("chains renamed");
    const free = shuffled(dice, NEW_NAMES);
    const renamed = new Map<string, string>();
    for (const { name, items, rows } of categories) {
      for (const item of CHAIN_ITEMS[name] ?? []) {
        const k = items.indexOf(item);
        if (k < 0) continue;
        for (const row of rows) {
          const written = row[k].text.split(",").map((one) => {
            if (one === "." || one === "?") return one;
            if (!renamed.has(one)) renamed.set(one, free.pop()!);
            return renamed.get(one)!;
          });
          row[k] = { text: written.join(","), isQuoted: row[k].isQuoted };
        }
      }
    }
    for (const [before, after] of renamed) names.set(after, before);
  }
  for (const { name, items, rows } of categories) {
    if (name !== "atom_site") continue;
    if (once(dice, 2)) {
      done.push("numbers rewritten");
      for (const item of ["Cartn_x", "Cartn_y", "Cartn_z", "occupancy", "B_iso_or_equiv"]) {
        const k = items.indexOf(item);
        for (const row of rows) row[k] = { ...row[k], text: uncertain(dice, renumbered(dice, row[k].text)) };
      }
    }
    if (once(dice, 2)) {
      done.push("unknown items");
      items.push("calc_flag", "details");
      for (const row of rows) {
        row.push({ text: pick(dice, [".", "?", "d"]), isQuoted: false }, { text: "some words", isQuoted: true });
      }
    }
    if (once(dice, 2)) {
      done.push("atoms in another order");
      const residue = ["pdbx_PDB_model_num", "label_asym_id", "auth_seq_id", "pdbx_PDB_ins_code", "label_comp_id"]
        .map((item) => items.indexOf(item));
      const atom = items.indexOf("label_atom_id");
      rows.splice(
        0,
        rows.length,
        ...withinGroups(
          dice,
          rows,
          (row) => residue.map((k) => row[k].text).join(" "),
          (row) => row[atom].text,
        ),
      );
    }
    if (once(dice, 3)) {
      done.push("atoms numbered otherwise");
      rows.forEach((row, r) => row[items.indexOf("id")] = { text: String(1000 - 3 * r), isQuoted: false });
    }
  }
  if (once(dice, 2)) {
    done.push("other categories");
    categories.push({
      name: "citation",
      items: ["id", "title"],
      rows: [[{ text: "1", isQuoted: false }, { text: 'It\'s "so"; data_x\nloop_', isQuoted: true }]],
    });
  }
  const lines: string[] = [`${pick(dice, ["data_", "DATA_", "Data_"])}${header}`];
  const order = once(dice, 2) ? shuffled(dice, categories) : categories;
  for (const category of order) lines.push(...categoryLines(category, dice));
  done.push("columns, quotes and spaces");
  if (once(dice, 3)) lines.push("data_another", "_cell.length_a 3");
  return { bytes: joinLines(dice, lines, done), done, names };
}

/** The same with the members of each group of neighbours in another order; those of one key keep theirs. */
function withinGroups<T>(dice: Mt19937, all: readonly T[], group: (one: T) => string, key: (one: T) => string): T[] {
  const out: T[] = [];
  for (let at = 0; at < all.length;) {
    const from = at;
    while (at < all.length && group(all[at]) === group(all[from])) at++;
    const members = all.slice(from, at);
    const ranks = new Map(members.map((one) => [key(one), dice.interval(0xffff)]));
    out.push(...members.toSorted((a, b) => ranks.get(key(a))! - ranks.get(key(b))!));
  }
  return out;
}

function uncertain(dice: Mt19937, text: string): string {
  return /^[-+]?\d+\.\d+$/.test(text) && once(dice, 4) ? `${text}(${1 + below(dice, 9)})` : text;
}

function categoryLines({ name, items, rows }: Category, dice: Mt19937): string[] {
  const columns = shuffled(dice, items.map((item, k) => ({ item, k })));
  const full = (item: string) =>
    `_${once(dice, 3) ? name.toUpperCase() : name}.${once(dice, 3) ? item.toUpperCase() : item}`;
  const lines: string[] = once(dice, 3) ? ["# a comment: loop_ _a.b 'x"] : [];
  if (rows.length === 1 && once(dice, 2)) {
    for (const { item, k } of columns) lines.push(...put(full(item), [written(rows[0][k], dice)], dice));
    return lines;
  }
  lines.push(
    ...(once(dice, 4) ? ["LOOP_"] : ["loop_"]),
    ...columns.map(({ item }) => `${" ".repeat(below(dice, 3))}${full(item)}`),
  );
  for (const row of rows) lines.push(...put("", columns.map(({ k }) => written(row[k], dice)), dice));
  return lines;
}

/** A value as it may be written: a text field is a list of lines. */
function written({ text, isQuoted }: Value, dice: Mt19937): string | string[] {
  if (!isQuoted && (text === "." || text === "?")) return pick(dice, [".", "?"]);
  const ways: (string | string[])[] = [];
  const isPlain = /^[^\s'"#$_[\];][^\s]*$/.test(text) && !/^(?:data_|loop_|save_|stop_|global_)/i.test(text) &&
    text !== "." && text !== "?";
  if (isPlain) ways.push(text, text, text);
  if (!/'\s|'$|[\r\n]/.test(text)) ways.push(`'${text}'`);
  if (!/"\s|"$|[\r\n]/.test(text)) ways.push(`"${text}"`);
  if (ways.length === 0 || once(dice, 12)) ways.push([...`;${text}`.split(/\r?\n/), ";"]);
  return pick(dice, ways);
}

/** A name and values on as many lines as it pleases, text fields on lines of their own. */
function put(name: string, values: readonly (string | string[])[], dice: Mt19937): string[] {
  const lines: string[] = [];
  let line = name;
  const style = below(dice, 4);
  for (const value of values) {
    if (typeof value !== "string") {
      if (line !== "") lines.push(line);
      lines.push(...value);
      line = "";
    } else if (style === 0 && once(dice, 3) && line !== "") {
      lines.push(line);
      line = value;
    } else line += (line === "" ? "" : pick(dice, [" ", "  ", "\t"])) + value;
  }
  if (line !== "") lines.push(line + (once(dice, 6) ? " # words" : ""));
  return lines;
}

/** The same as BinaryCIF. */
export async function rewriteBinaryCif(text: Uint8Array, dice: Mt19937): Promise<Rewritten> {
  const { header, categories } = readCategories(new TextDecoder().decode(text));
  const lines = [`data_${header}`];
  for (const category of shuffled(dice, categories)) {
    lines.push(...categoryLines(category, dice).map((line) => line.replace(/_\w+\.\w+/g, lowered(category))));
  }
  const bytes = await toBinaryCif(`${lines.join("\n")}\n`);
  return { bytes, done: ["columns and categories permuted"] };
}

/** Names as the dictionary writes them: in BinaryCIF case counts. */
function lowered({ name, items }: Category): (full: string) => string {
  const known = new Map(items.map((item) => [`_${name}.${item}`.toLowerCase(), `_${name}.${item}`]));
  return (full) => known.get(full.toLowerCase()) ?? full;
}

/** A PDB file whose serial numbers, padding, other records and names of chains are others. */
export function rewritePdb(bytes: Uint8Array, dice: Mt19937): Rewritten {
  const done: Done = [];
  const names = new Map<string, string>();
  const isLong = once(dice, 3);
  const rename = new Map<string, string>();
  if (once(dice, 2)) {
    done.push(isLong ? "chains renamed by two letters" : "chains renamed");
    const free = shuffled(dice, isLong ? ["AA", "BA", "Q1", "zz", "xY"] : ["q", "x", "7", "L", "H"]);
    for (const before of ["X", "Y"]) {
      rename.set(before, free.pop()!);
      names.set(rename.get(before)!, before);
    }
  }
  const withChain = (line: string, at: number): string => {
    const before = line[at];
    const after = rename.get(before) ?? before;
    return line.slice(0, at - 1) + after.padStart(2) + line.slice(at + 1);
  };
  const style = { serials: below(dice, 4), pad: below(dice, 3), segments: once(dice, 3), shortTer: once(dice, 3) };
  done.push(...Object.entries(style).map(([name, value]) => `${name} ${value}`));
  let serial = 0;
  const lines: string[] = [];
  const before = new TextDecoder().decode(bytes).trimEnd().split("\n");
  const isAtom = (line: string) => /^(?:ATOM|HETATM)/.test(line);
  // Other records keep their places: they share one key.
  const order = once(dice, 2)
    ? withinGroups(
      dice,
      before,
      (line) => isAtom(line) ? line.slice(17, 27) : "",
      (line) => isAtom(line) ? line.slice(12, 16) : "",
    )
    : before;
  for (let line of order) {
    const kind = line.slice(0, 6).trimEnd();
    if (kind === "ATOM" || kind === "HETATM") {
      line = withChain(line.padEnd(80), 21);
      serial++;
      const written = [line.slice(6, 11), String(serial + 77).padStart(5), "*****", "     "][style.serials];
      line = line.slice(0, 6) + written + line.slice(11);
      if (Number(line.slice(54, 60)) === 1 && once(dice, 3)) line = `${line.slice(0, 54)}      ${line.slice(60)}`;
      if (style.segments) line = line.slice(0, 72) + pick(dice, ["SEG1", "PROA", "B   "]) + line.slice(76);
      if (once(dice, 4)) line = line.slice(0, 78) + pick(dice, ["1+", "2-"]);
      line = line.slice(0, 30) + [30, 38, 46].map((at) => moved(dice, line.slice(at, at + 8))).join("") +
        line.slice(54);
    } else if (kind === "TER") line = style.shortTer ? "TER" : withChain(line.padEnd(27), 21);
    else if (kind === "SEQRES") line = withChain(line, 11);
    else if (/^REMARK 350.*CHAINS:/.test(line)) {
      const [head, tail] = line.split("CHAINS:");
      line = `${head}CHAINS:${tail.replace(/\w+/g, (name) => rename.get(name) ?? name)}`;
    }
    lines.push(style.pad === 0 ? line.trimEnd() : style.pad === 1 ? line.padEnd(80) : line);
    if ((kind === "ATOM" || kind === "HETATM") && once(dice, 8)) {
      lines.push(`ANISOU${line.slice(6, 27)}   1000   1000   1000      0      0      0`.slice(0, 80));
    }
    if (kind === "TITLE" && once(dice, 3)) {
      lines.push("REMARK 999 SOMETHING ELSE", "CRYST1   10.000   10.000   10.000  90.00  90.00  90.00 P 1           1");
    }
  }
  if (once(dice, 3)) {
    done.push("records after the atoms");
    lines.splice(
      lines.findLastIndex((line) => line.trimEnd() === "END"),
      0,
      "CONECT    1    2",
      "MASTER        0    0    0",
    );
  }
  if (once(dice, 4)) {
    done.push("without END");
    lines.splice(lines.findLastIndex((line) => line.trimEnd() === "END"), 1);
  }
  return { bytes: joinLines(dice, lines, done), done, names };
}

/** A number of eight columns, its zeros or its place in them others. */
function moved(dice: Mt19937, field: string): string {
  const text = field.trim();
  const ways = [field, text.padEnd(8), text.padStart(8), text.replace(/\.?0+$/, "").padStart(8)];
  return pick(dice, /\.\d/.test(text) ? ways : [field]);
}

/** What a structure says, with its chains' former names, and without lines. */
export function comparableStructure(structure: Structure, names: ReadonlyMap<string, string> = new Map()): unknown {
  const former = (name: string) => names.get(name) ?? name;
  const { chains, heteroGroups = [], assemblies = [], remarks = [], source: _, ...facts } = structure;
  return {
    ...facts,
    chains: byName(chains.map((chain) => ({ ...chain, id: former(chain.id), labelId: former(chain.labelId) }))),
    heteroGroups: byName(
      heteroGroups.map((group) => ({
        ...group,
        chainId: former(group.chainId),
        id: `${former(group.chainId)}${group.residueNumber}`,
      })),
    ),
    assemblies: assemblies.map(({ parts, ...rest }) => ({
      ...rest,
      parts: parts.map(({ chains, copies }) => ({ chains: chains.map(former), copies })),
    })),
    remarks: remarks.map(({ key, count, atoms }) => `${key} ${count} ${atoms ?? ""}`).sort(),
  };
}

function byName<T extends { readonly id: string }>(all: readonly T[]): T[] {
  return all.toSorted((a, b) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
