/** Gives readers files that say the same as others in another way, and compares what they read. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { deflateRawSync, gzipSync } from "node:zlib";
import { parseNpy } from "../../model/weights/npy.ts";
import { encodeSafetensors, parseSafetensors } from "../../model/weights/safetensors.ts";
import { crc32 } from "../../model/weights/_crc32.ts";
import type { Alignment } from "../../tools/data/alignment.ts";
import type { parseFasta } from "../../tools/data/fasta.ts";
import type { Hhr } from "../../tools/data/hhr.ts";
import { Mt19937 } from "../../tools/data/mt19937.ts";
import type { PdbbindEntry } from "../../tools/data/pdbbind.ts";
import type { Structure } from "../../tools/data/structure.ts";
import type { TableTarget } from "../../tools/data/table.ts";
import { CIF_TEXT } from "../tools/data/_structures.ts";
import type { Finding } from "./fuzz.ts";
import { below, pick } from "./mutate.ts";
import { READERS, type Sample } from "./readers.ts";
import { comparableStructure, rewriteBinaryCif, rewriteCif, rewritePdb, type Rewritten } from "./rewrite_structures.ts";
import { type Done, joinLines, once, recased, renumbered, shuffled, wrapped } from "./rewrite_text.ts";

/** Rewrites the files of a reader. */
interface Rewriter {
  /** The same in other words. */
  rewrite(sample: Sample, dice: Mt19937): Rewritten | Promise<Rewritten>;
  /** What a result says, whatever the words. */
  comparable(result: never, names?: ReadonlyMap<string, string>): unknown;
  /** Samples that can be rewritten. @default all of the reader */
  readonly samples?: (sample: Sample) => boolean;
}

const textOf = ({ bytes }: Sample): string => new TextDecoder().decode(bytes);

/** FASTA and its kin: other line lengths, empty lines, remarks. */
function rewriteFasta(
  { bytes }: Pick<Sample, "bytes">,
  dice: Mt19937,
  change: (letters: string, row: number) => string,
): Rewritten {
  const done: Done = ["lines wrapped otherwise"];
  const lines: string[] = once(dice, 4) ? ["; a remark", ""] : once(dice, 4) ? ["# a remark"] : [];
  const entries = new TextDecoder().decode(bytes).split(/^>/m).slice(1);
  for (const [row, entry] of entries.entries()) {
    const [header, ...letters] = entry.split("\n");
    lines.push(`>${once(dice, 6) ? " " : ""}${header}${once(dice, 6) ? " more words" : ""}`);
    for (const part of wrapped(dice, change(letters.join(""), row))) {
      lines.push(once(dice, 8) ? part.split("").join(" ") : part);
      if (once(dice, 10)) lines.push("");
    }
  }
  return { bytes: joinLines(dice, lines, done), done };
}

/** Adds padding to A3M. */
function padded(dice: Mt19937, letters: string): string {
  return Array.from(letters, (letter) => once(dice, 5) ? `.${letter}` : letter).join("");
}

function rewriteA3m(sample: Sample, dice: Mt19937): Rewritten {
  const plain = textOf(sample).split("\n").map((line) => line.startsWith(">") ? line : line.replaceAll(".", "")).join(
    "\n",
  );
  const annotated = once(dice, 3) ? `>ss_pred predicted\n${"CHE".repeat(4)}\n>ss_conf\n9\n${plain}` : plain;
  const isStopped = once(dice, 4);
  const { bytes, done } = rewriteFasta({ bytes: new TextEncoder().encode(annotated) }, dice, (letters, row) => {
    if (annotated !== plain && row < 2) return letters;
    return padded(dice, letters) + (isStopped ? "*" : "");
  });
  if (annotated !== plain) done.push("annotation of HH-suite");
  if (!once(dice, 4)) return { bytes, done };
  return { bytes: Uint8Array.of(...bytes, 0), done: [...done, "NUL at the end"] };
}

/** Aligned FASTA: every letter stands in a column. */
function rewriteAligned(sample: Sample, dice: Mt19937): Rewritten {
  const gap = pick(dice, ["-", "."]);
  return rewriteFasta(sample, dice, (letters) => recased(dice, letters).replace(/[-.]/g, gap));
}

/** Stockholm: other blocks, gaps, annotation and remarks. */
function rewriteStockholm(sample: Sample, dice: Mt19937): Rewritten {
  const done: Done = ["blocks, gaps and annotation"];
  const rows = new Map<string, string>();
  let reference = "";
  for (const line of textOf(sample).split("\n")) {
    const [, marks] = /^#=GC RF\s+(\S+)/.exec(line) ?? [];
    if (marks !== undefined) reference += marks;
    const [, name, letters] = /^([^#\s/]\S*)\s+(\S+)$/.exec(line) ?? [];
    if (name !== undefined) rows.set(name, (rows.get(name) ?? "") + letters);
  }
  const lines = ["# STOCKHOLM 1.0", ...(once(dice, 2) ? ["#=GF ID something", "#=GF CC words // and more"] : []), ""];
  if (once(dice, 2)) { for (const name of rows.keys()) lines.push(`#=GS ${name} DE some words`); }
  const gaps = once(dice, 2) ? "-._~" : "-";
  const width = reference.length;
  const cuts = wrapped(dice, "x".repeat(width), 3).map(({ length }) => length);
  const letterOf = (letter: string) => /[-._~]/.test(letter) ? pick(dice, [...gaps]) : letter;
  for (let at = 0, k = 0; at < width; at += cuts[k++]) {
    lines.push("");
    for (const [name, letters] of rows) {
      const part = Array.from(letters.slice(at, at + cuts[k]), letterOf).join("");
      lines.push(name + pick(dice, [" ", "\t", "     "]) + recased(dice, part));
      if (once(dice, 3)) lines.push(`#=GR ${name} PP ${"9".repeat(part.length)}`);
      if (once(dice, 8)) lines.push("# a remark");
    }
    lines.push(`#=GC RF ${reference.slice(at, at + cuts[k])}`);
    if (once(dice, 3)) lines.push(`#=GC SS_cons ${"H".repeat(Math.min(cuts[k], width - at))}`);
  }
  if (!once(dice, 4)) lines.push("//");
  return { bytes: joinLines(dice, lines, done), done };
}

/** CLUSTAL: other titles, blocks, gaps, counts and marks. */
function rewriteClustal(sample: Sample, dice: Mt19937): Rewritten {
  const done: Done = ["title, blocks, gaps, counts and marks"];
  const rows = new Map<string, string>();
  for (const line of textOf(sample).split("\n").slice(1)) {
    const [, name, letters] = /^(\S+)\s+(\S+)$/.exec(line) ?? [];
    if (name !== undefined) rows.set(name, (rows.get(name) ?? "") + letters);
  }
  const titles = ["CLUSTAL W (1.83)", "CLUSTAL O(1.2.4) multiple", "CLUSTAL format alignment by MAFFT", "MUSCLE (3.8)"];
  const lines = [pick(dice, titles), ""];
  const width = [...rows.values()][0].length, gaps = once(dice, 2) ? "-" : "-.~", hasCounts = once(dice, 2);
  const cuts = wrapped(dice, "x".repeat(width), 2).map(({ length }) => length);
  for (let at = 0, k = 0; at < width; at += cuts[k++]) {
    for (const [name, letters] of rows) {
      const part = Array.from(
        letters.slice(at, at + cuts[k]),
        (letter) => letter === "-" ? pick(dice, [...gaps]) : letter,
      );
      const count = hasCounts ? ` ${letters.slice(0, at + cuts[k]).replaceAll("-", "").length}` : "";
      lines.push(name + pick(dice, [" ", "\t", "      "]) + recased(dice, part.join("")) + count);
    }
    if (once(dice, 2)) lines.push(`      ${pick(dice, ["*", ":", ".", " "]).repeat(cuts[k])}`);
    lines.push("");
  }
  return { bytes: joinLines(dice, lines, done), done };
}

/** HHR: annotation, the list of hits, and lines of other lengths. */
function rewriteHhr(sample: Sample, dice: Mt19937): Rewritten {
  const done: Done = ["blocks of other lengths"];
  const [head, ...hits] = textOf(sample).split(/^(?=No \d)/m);
  const hasList = !once(dice, 3);
  const lines = head.trimEnd().split("\n").filter((_, k) => k < 3 || hasList);
  if (!hasList) done.push("no list of hits");
  for (const hit of hits) {
    lines.push("", ...hit.split("\n").slice(0, 3), "");
    const sides = {
      Q: { name: "", letters: "", first: 0, length: "" },
      T: { name: "", letters: "", first: 0, length: "" },
    };
    for (const line of hit.split("\n")) {
      const [, side, name, first, letters, length] = /^([QT]) (\S+)\s+(\d+) ([A-Za-z-]+)\s+\d+ (\(\d+\))$/.exec(line) ??
        [];
      if (side === undefined || name === "Consensus") continue;
      const own = sides[side as "Q" | "T"];
      if (own.letters === "") Object.assign(own, { name, first: Number(first), length });
      own.letters += letters;
    }
    const cuts = wrapped(dice, sides.Q.letters, 2).map(({ length }) => length);
    const next = { Q: sides.Q.first, T: sides.T.first };
    for (let at = 0, k = 0; at < sides.Q.letters.length; at += cuts[k++]) {
      const block: string[] = [];
      for (const side of ["Q", "T"] as const) {
        const { name, letters, length } = sides[side];
        const part = letters.slice(at, at + cuts[k]);
        const residues = part.replaceAll("-", "").length;
        const line = (label: string, text: string) => {
          const from = next[side];
          return `${side} ${label.slice(0, 14).padEnd(14)} ${String(from).padStart(4)} ${text} ${
            String(from + residues - 1).padStart(4)
          } ${length}`;
        };
        if (residues === 0) return { bytes: sample.bytes, done: ["nothing: a block would have no residue"] };
        if (once(dice, 3)) {
          block.push(
            `${side} ss_pred             ${"c".repeat(part.length)}`,
            `${side} ss_conf             ${"9".repeat(part.length)}`,
          );
        }
        block.push(line(name, once(dice, 2) ? part : recased(dice, part)));
        if (once(dice, 2)) block.push(line("Consensus", recased(dice, part)));
        if (side === "Q" && once(dice, 2)) block.push(`${" ".repeat(22)}${"|".repeat(part.length)}`);
        next[side] += residues;
      }
      lines.push(...block, ...(once(dice, 2) ? [`Confidence            ${"9".repeat(cuts[k])}`] : []), "");
    }
  }
  if (once(dice, 2)) lines.push("Done!");
  return { bytes: joinLines(dice, lines, done), done };
}

/** Tables: other columns, separators, quotes and ways to write numbers. */
function rewriteTable(sample: Sample, dice: Mt19937): Rewritten {
  const rows = cellsOf(textOf(sample), sample.ending === "tsv" ? "\t" : ",");
  const order = shuffled(dice, [...rows[0].keys()]);
  const separator = pick(dice, [",", ";", "\t"]);
  const done: Done = [`columns ${order}`, `separator ${JSON.stringify(separator)}`];
  const lines: string[] = [];
  for (const [r, row] of rows.entries()) {
    const cells = order.map((k) => {
      const isNumber = r > 0 && /^-?\d+(?:\.\d+)?$/.test(row[k]) && /affinity|label|resolution/i.test(rows[0][k]);
      const text = r === 0 ? recased(dice, row[k]) : isNumber ? renumbered(dice, row[k]) : row[k];
      const mustQuote = /[",;\t\n]/.test(text) || text !== text.trim();
      const space = () => separator !== "\t" && once(dice, 4) ? " " : "";
      return space() + (mustQuote || once(dice, 3) ? `"${text.replaceAll('"', '""')}"` : text) + space();
    });
    lines.push(cells.join(separator));
    if (r > 0 && once(dice, 6)) lines.push("");
  }
  return { bytes: joinLines(dice, lines, done), done };
}

/** Cells of a well-formed table. */
function cellsOf(text: string, separator: string): string[][] {
  const rows: string[][] = [];
  const cell = new RegExp(`(?:"((?:[^"]|"")*)"|([^"${separator}\\n]*))(${separator}|\\n|$)`, "y");
  let row: string[] = [];
  while (cell.lastIndex < text.length) {
    const [, quoted, plain, end] = cell.exec(text)!;
    row.push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === separator) continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

/** INDEX files of PDBbind: other spaces, remarks, exponents and capitals. */
function rewriteIndex(sample: Sample, dice: Mt19937): Rewritten {
  const done: Done = ["spaces and exponents"];
  const lines: string[] = [];
  for (const line of textOf(sample).trimEnd().split("\n")) {
    if (line.startsWith("#")) {
      if (once(dice, 2)) lines.push(line);
      continue;
    }
    const [data, reference = ""] = line.split("//");
    const words = data.trim().split(/\s+/);
    if (once(dice, 3)) words[0] = words[0].toUpperCase();
    const last = words.length - 1;
    if (sample.ending === "index") {
      words[last] = words[last].replace(
        /(\d+)([munpf]?M)/,
        (all, digits, unit) => once(dice, 2) ? `${digits}e0${unit}` : all,
      );
    }
    const space = () => " ".repeat(1 + below(dice, 6));
    const text = sample.ending === "index" ? words.reduce((a, b) => a + space() + b) : line;
    lines.push(text + (reference === "" ? "" : `${space()}//${reference}`));
    if (once(dice, 8)) lines.push("", "# between");
  }
  return { bytes: joinLines(dice, lines, done), done };
}

/** Matrices as CSV, with names of the columns where the reader may meet them. */
function rewriteCsvMatrix(sample: Sample, dice: Mt19937, mayBeNamed = true): Rewritten {
  const done: Done = ["numbers and quotes"];
  const hasNames = textOf(sample).startsWith(",");
  const lines = textOf(sample).trimEnd().split("\n").map((line, r) => {
    return line.split(",").map((cell, c) => {
      const text = hasNames && (r === 0 || c === 0) ? cell : renumbered(dice, cell);
      return (once(dice, 4) ? `"${text}"` : text) + (once(dice, 5) ? " " : "");
    }).join(",");
  });
  if (mayBeNamed && !hasNames && once(dice, 3)) {
    done.push("names of the columns");
    lines.unshift(lines.map((_, k) => `p${k}`).join(","));
  }
  return { bytes: joinLines(dice, lines, done), done };
}

/** A symmetric array in .npy, its header in other words. */
function rewriteNpy({ bytes }: Sample, dice: Mt19937): Rewritten {
  const { dtype, shape } = parseNpy(bytes, "sample");
  const length = bytes[8] | (bytes[9] << 8);
  const header = new TextDecoder("latin1").decode(bytes.subarray(10, 10 + length));
  const [, descr] = /'descr': '([^']+)'/.exec(header)!;
  // A matrix that equals its transpose is the same in either order.
  const entries = shuffled(dice, [
    `'descr': '${descr}'`,
    `'fortran_order': ${pick(dice, ["False", "True"])}`,
    `'shape': (${shape.join(", ")},)`,
  ]);
  const text = `{${entries.join(", ")}${once(dice, 2) ? ", " : ""}}`;
  const size = Math.ceil((11 + text.length) / 64) * 64 - 10 + 64 * below(dice, 3);
  const head = Uint8Array.of(
    ...bytes.subarray(0, 8),
    size & 255,
    size >> 8,
    ...new TextEncoder().encode(`${text.padEnd(size - 1)}\n`),
  );
  return { bytes: Uint8Array.of(...head, ...bytes.subarray(10 + length)), done: [`header of ${dtype} in other words`] };
}

/** Tensors in another order, with other words about them. */
function rewriteSafetensors({ bytes }: Sample, dice: Mt19937): Rewritten {
  const { tensors } = parseSafetensors(bytes, "sample");
  const encoded = encodeSafetensors(new Map(shuffled(dice, [...tensors])), once(dice, 2) ? { words: "others" } : {});
  const length = Number(new DataView(encoded.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(encoded.subarray(8, 8 + length)));
  const text = JSON.stringify(
    Object.fromEntries(shuffled(dice, Object.entries(header))),
    undefined,
    pick(dice, [0, 1, 3]),
  );
  const body = encoded.subarray(8 + length);
  const padded = text.padEnd(Math.ceil(text.length / 8) * 8 + 8 * below(dice, 4));
  const out = new Uint8Array(8 + padded.length + body.length);
  new DataView(out.buffer).setBigUint64(0, BigInt(padded.length), true);
  out.set(new TextEncoder().encode(padded), 8);
  out.set(body, 8 + padded.length);
  return { bytes: out, done: ["tensors and header in another order"] };
}

/** The same packed otherwise: level, members, and a name in the header. */
function rewriteGzip(unpacked: Uint8Array, dice: Mt19937): Uint8Array {
  const cut = below(dice, unpacked.length);
  const parts = once(dice, 2) ? [unpacked] : [unpacked.subarray(0, cut), unpacked.subarray(cut)];
  return Uint8Array.of(...parts.flatMap((part) => {
    if (once(dice, 2)) return [...gzipSync(part, { level: below(dice, 10) })];
    const tail = new DataView(new ArrayBuffer(8));
    tail.setUint32(0, crc32(part), true);
    tail.setUint32(4, part.length, true);
    const name = new TextEncoder().encode("name.txt\0");
    return [0x1f, 0x8b, 8, 8, 1, 2, 3, 4, 0, 255, ...name, ...deflateRawSync(part), ...new Uint8Array(tail.buffer)];
  }));
}

/** A tar archive with other owners, times, padding, and `./` before names. */
function rewriteTar({ bytes }: Sample, dice: Mt19937): Rewritten {
  const out = bytes.slice();
  const header = out.subarray(0, 512);
  const put = (at: number, text: string) => header.set(new TextEncoder().encode(text), at);
  if (once(dice, 2)) put(0, "./a/b.a3m\0");
  put(100, pick(dice, ["0000644\0", "0000755\0"]));
  put(136, `${below(dice, 1e6).toString(8).padStart(11, "0")}\0`);
  put(148, "        ");
  put(148, `${header.reduce((sum, byte) => sum + byte).toString(8).padStart(6, "0")}\0 `);
  const more = new Uint8Array(512 * below(dice, 20));
  return { bytes: Uint8Array.of(...out, ...more), done: ["owner, time and padding"] };
}

const structure = {
  comparable: (read: Structure, names: ReadonlyMap<string, string>) => comparableStructure(read, names),
};

const alignment = {
  comparable({ names, rows, deletions, aligned, remarks = [] }: Alignment) {
    const unusual = remarks.filter(({ isUsual }) => !isUsual).map(({ key, count }) => `${key} ${count}`);
    return { names, rows, deletions, aligned, unusual };
  },
};

const hhr = {
  comparable: ({ query, queryLength, hits, remarks = [] }: Hhr) => ({
    query,
    queryLength,
    hits,
    remarks: remarks.map(({ key }) => key),
  }),
};

const matrix = { comparable: (read: unknown) => read };

/** Rewriters by the names of their readers. Checkpoints have none: a checksum covers all that could be written otherwise. */
export const REWRITERS: Readonly<Record<string, Rewriter>> = {
  mmcif: { ...structure, rewrite: (sample, dice) => rewriteCif(sample.bytes, dice) },
  bcif: { ...structure, rewrite: (_, dice) => rewriteBinaryCif(new TextEncoder().encode(CIF_TEXT), dice) },
  pdb: { ...structure, rewrite: (sample, dice) => rewritePdb(sample.bytes, dice) },
  gzip: {
    ...structure,
    async rewrite({ bytes, ending }, dice) {
      const unpacked = new Uint8Array(
        await new Response(
          new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new DecompressionStream("gzip")),
        ).arrayBuffer(),
      );
      const inner = ending.startsWith("cif") ? rewriteCif(unpacked, dice) : rewritePdb(unpacked, dice);
      return { ...inner, bytes: rewriteGzip(inner.bytes, dice) };
    },
  },
  fasta: {
    rewrite: (sample, dice) =>
      rewriteFasta(sample, dice, (letters) => recased(dice, letters.replace(/\*$/, "")) + (once(dice, 3) ? "*" : "")),
    comparable: (read: ReturnType<typeof parseFasta>) => read.map(({ name, sequence }) => [name, sequence]),
  },
  a3m: { ...alignment, rewrite: rewriteA3m },
  alignedFasta: { ...alignment, rewrite: rewriteAligned },
  stockholm: { ...alignment, rewrite: rewriteStockholm },
  clustal: { ...alignment, rewrite: rewriteClustal },
  hhr: { ...hhr, rewrite: rewriteHhr },
  hmmsearch: {
    ...hhr,
    samples: ({ ending }) => ending === "domtblout",
    rewrite(sample, dice) {
      const done: Done = ["spaces and remarks"];
      const lines = textOf(sample).trimEnd().split("\n").flatMap((line) => {
        if (line.startsWith("#")) return once(dice, 2) ? [line] : [];
        return [line.split(" ").join(" ".repeat(1 + below(dice, 4))), ...(once(dice, 4) ? ["# words"] : [])];
      });
      return { bytes: new TextEncoder().encode(`${lines.join(pick(dice, ["\n", "\r\n"]))}\n`), done };
    },
  },
  tar: { rewrite: rewriteTar, comparable: (read: Map<string, Uint8Array>) => [...read] },
  csv: { ...matrix, rewrite: (sample, dice) => rewriteCsvMatrix(sample, dice) },
  npy: { ...matrix, rewrite: rewriteNpy },
  safetensors: { ...matrix, rewrite: rewriteSafetensors },
  arrays: {
    ...matrix,
    rewrite: (sample, dice) => sample.ending === "npy" ? rewriteNpy(sample, dice) : rewriteSafetensors(sample, dice),
  },
  weights: {
    ...matrix,
    rewrite: (sample, dice) =>
      sample.ending === "csv"
        ? rewriteCsvMatrix(sample, dice, false)
        : sample.ending === "npy"
        ? rewriteNpy(sample, dice)
        : rewriteSafetensors(sample, dice),
  },
  table: {
    rewrite: (sample, dice) =>
      textOf(sample).startsWith("#") ? rewriteIndex({ ...sample, ending: "index" }, dice) : rewriteTable(sample, dice),
    comparable: (read: TableTarget[]) =>
      read.map(({ cells, line: _, source: __, measured: ___, remarks = [], ...target }) => ({
        ...target,
        columns: [...cells.keys()].sort(),
        remarks: remarks.length,
      })),
  },
  pdbbind: {
    rewrite: rewriteIndex,
    comparable: (read: PdbbindEntry[]) => read.map(({ line: _, measured: __, ...entry }) => entry),
  },
};

/** A sample and what it says. */
interface Read {
  readonly sample: Sample;
  readonly expected: unknown;
}

/** A reader's files, rewritten any number of times. */
export class RewriteFuzzer {
  readonly #name: string;
  readonly #folder: string;
  readonly #seed: number;
  readonly #samples: readonly Read[];

  private constructor(name: string, folder: string, seed: number, samples: readonly Read[]) {
    this.#name = name;
    this.#folder = folder;
    this.#seed = seed;
    this.#samples = samples;
  }

  /** Reads the samples as they are. */
  static async open(name: string, folder: string, seed: number): Promise<RewriteFuzzer> {
    const { samples: isMeant = () => true, comparable } = REWRITERS[name];
    const samples: Read[] = [];
    for (const sample of await READERS[name].samples()) {
      if (!isMeant(sample)) continue;
      const read = await readAs(name, folder, sample.ending, sample.bytes);
      samples.push({ sample, expected: comparable(read as never) });
    }
    return new RewriteFuzzer(name, folder, seed, samples);
  }

  /** The rewritten file of a number. */
  async input(index: number): Promise<Rewritten & { readonly ending: string; readonly expected: unknown }> {
    const { sample, expected } = this.#samples[index % this.#samples.length];
    const dice = new Mt19937((Math.imul(this.#seed, 0x9e3779b1) + index) >>> 0);
    return { ...await REWRITERS[this.#name].rewrite(sample, dice), ending: sample.ending, expected };
  }

  /** Reads the file of a number; a finding if it says something else than its sample. */
  async run(index: number): Promise<Finding | undefined> {
    const { bytes, done, names, ending, expected } = await this.input(index);
    try {
      const read = await readAs(this.#name, this.#folder, ending, bytes);
      assert.deepEqual(REWRITERS[this.#name].comparable(read as never, names), expected);
      return undefined;
    } catch (error) {
      return { reader: this.#name, index, done, what: error instanceof Error ? error.message : String(error) };
    }
  }
}

async function readAs(name: string, folder: string, ending: string, bytes: Uint8Array): Promise<unknown> {
  const path = join(folder, `input.${ending}`);
  await Deno.writeFile(path, bytes);
  return await READERS[name].read(path);
}
