/** Spoils the bytes of a file in the ways files are spoilt. */
import { Buffer } from "node:buffer";
import { Mt19937 } from "../../tools/data/mt19937.ts";

/** Numbers that are not what a reader hopes for. */
const NUMBERS = [
  ...[
    "1e308",
    "1e400",
    "-1e39",
    "99999999999999999999",
    "4294967296",
    "2147483648",
    "-2147483649",
    "-1",
    "0",
    "1e-320",
  ],
  ...["NaN", "nan", "inf", "-Infinity", "0x10", "1_000", "1,5", "?", ".", "", "1e", "--3", "٣"],
];

/** Pieces of text that mean something in one format or another, or nothing in any. */
const PIECES = [
  ...["\n", "\r", "\r\n", "\t", " ", ";", "\n;", '"', "'", "#", ">", ">\n", "//", "//\n", "_", "loop_\n", "data_", "*"],
  ...["\0", "\u{feff}", "\u{2028}", "é", "🧬", "\x1b[31m", "{", "}", "[", "__proto__", "constructor", "TER", "END\n"],
];

const encoder = new TextEncoder();

/** A number in a file, with the characters before it that belong to it. */
const NUMBER = /[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?/g;

type Mutation = (bytes: Uint8Array, dice: Mt19937) => Uint8Array;

/** A whole number below `n`, by chance. */
export const below = (dice: Mt19937, n: number): number => n < 2 ? 0 : dice.interval(n - 1);

/** One of all, by chance. */
export function pick<T>(dice: Mt19937, all: readonly T[]): T {
  return all[below(dice, all.length)];
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** One byte a character, so that positions stay. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

function fromLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** Puts some text in the place of a stretch of bytes. */
function replace(bytes: Uint8Array, from: number, to: number, text: string): Uint8Array {
  return joined(bytes.subarray(0, from), encoder.encode(text), bytes.subarray(to));
}

/** A stretch within the bytes, short more often than long. */
function stretch(bytes: Uint8Array, dice: Mt19937): [number, number] {
  const from = below(dice, bytes.length + 1);
  return [from, Math.min(bytes.length, from + below(dice, 1 << below(dice, 10)))];
}

function onLines(change: (lines: string[], dice: Mt19937) => void): Mutation {
  return (bytes, dice) => {
    const lines = latin1(bytes).split("\n");
    change(lines, dice);
    return fromLatin1(lines.join("\n"));
  };
}

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  flipBits(bytes, dice) {
    const out = bytes.slice();
    for (let k = below(dice, 8); k >= 0; k--) out[below(dice, out.length)] ^= 1 << below(dice, 8);
    return out;
  },
  setBytes(bytes, dice) {
    const out = bytes.slice();
    for (let k = below(dice, 8); k >= 0; k--) out[below(dice, out.length)] = below(dice, 256);
    return out;
  },
  truncate: (bytes, dice) => bytes.slice(0, below(dice, bytes.length + 1)),
  behead: (bytes, dice) => bytes.slice(below(dice, bytes.length + 1)),
  cutOut(bytes, dice) {
    const [from, to] = stretch(bytes, dice);
    return joined(bytes.subarray(0, from), bytes.subarray(to));
  },
  repeat(bytes, dice) {
    const [from, to] = stretch(bytes, dice);
    const times = 1 << below(dice, 7);
    const part = bytes.subarray(from, Math.min(to, from + 512));
    return joined(bytes.subarray(0, to), ...new Array<Uint8Array>(times).fill(part), bytes.subarray(to));
  },
  insertPiece(bytes, dice) {
    const at = below(dice, bytes.length + 1);
    return replace(bytes, at, at, pick(dice, PIECES));
  },
  swapLines: onLines((lines, dice) => {
    const [a, b] = [below(dice, lines.length), below(dice, lines.length)];
    [lines[a], lines[b]] = [lines[b], lines[a]];
  }),
  dropLine: onLines((lines, dice) => void lines.splice(below(dice, lines.length), 1)),
  doubleLine: onLines((lines, dice) => {
    const at = below(dice, lines.length);
    lines.splice(at, 0, ...new Array<string>(1 << below(dice, 6)).fill(lines[at]));
  }),
  joinLines: onLines((lines, dice) => {
    const at = below(dice, lines.length);
    lines.splice(at, 2, lines.slice(at, at + 2).join(" "));
  }),
  changeColumns: onLines((lines, dice) => {
    const at = below(dice, lines.length);
    const separator = pick(dice, [" ", ",", "\t"]);
    const cells = lines[at].split(separator);
    const [a, b] = [below(dice, cells.length), below(dice, cells.length)];
    if (below(dice, 3) === 0) cells.splice(a, 1);
    else if (below(dice, 2) === 0) cells.splice(a, 0, cells[b]);
    else [cells[a], cells[b]] = [cells[b], cells[a]];
    lines[at] = cells.join(separator);
  }),
  changeNumber(bytes, dice) {
    const found = [...latin1(bytes).matchAll(NUMBER)];
    if (found.length === 0) return bytes;
    const { index, 0: written } = pick(dice, found);
    const digits = below(dice, 4) === 0 ? written + "0".repeat(below(dice, 400)) : pick(dice, NUMBERS);
    return replace(bytes, index, index + written.length, digits);
  },
  hugeLength(bytes, dice) {
    const out = bytes.slice(), at = below(dice, out.length);
    return out.fill(pick(dice, [0xff, 0x7f, 0]), at, at + pick(dice, [1, 2, 4, 8]));
  },
};

/**
 * A spoilt copy: up to three changes, decided by the seed alone.
 *
 * @returns The bytes, and what was done to them.
 */
export function mutate(bytes: Uint8Array, seed: number): { bytes: Uint8Array; done: readonly string[] } {
  const dice = new Mt19937(seed >>> 0);
  const names = Object.keys(MUTATIONS);
  const done: string[] = [];
  for (let k = below(dice, 3); k >= 0 && bytes.length > 0; k--) {
    const name = pick(dice, names);
    bytes = MUTATIONS[name](bytes, dice);
    done.push(name);
  }
  return { bytes, done };
}
