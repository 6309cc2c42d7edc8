/**
 * Reads tar archives.
 *
 * Source: POSIX.1-2017, "pax", ustar interchange format.
 */
import { InputError } from "../errors.ts";

const BLOCK = 512;

/** Kinds of entries that only describe others. */
const EXTENDED = "xgLK";

/**
 * The regular files of a tar archive, by name without a leading `./`; nothing is written anywhere.
 *
 * @param source Name of the archive, for messages.
 * @throws {InputError} If the archive is cut short or damaged, or an entry has an absolute name, one that leads out of the
 * folder (`..`), or is a link or device; the message names the entry.
 */
export function readTar(bytes: Uint8Array, source: string): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (let at = 0;;) {
    if (at + BLOCK > bytes.length) throw new InputError(`${source} is cut short: it has no end mark at byte ${at}`);
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return files;
    if (octal(header, 148, 8) !== checksum(header)) {
      throw new InputError(`${source} is no tar archive, or damaged: a wrong checksum at byte ${at}`);
    }
    const prefix = text(header, 345, 155);
    const name = `${prefix === "" ? "" : `${prefix}/`}${text(header, 0, 100)}`.replace(/^(?:\.\/)+/, "");
    const size = octal(header, 124, 12);
    const end = at + BLOCK + size;
    if (!(end <= bytes.length)) throw new InputError(`${source} is cut short: "${name}" goes beyond its end`);
    const kind = String.fromCharCode(header[156]);
    if (kind === "0" || kind === "\0") {
      checkName(name, source);
      files.set(name, bytes.subarray(at + BLOCK, end));
    } else if (kind !== "5" && !EXTENDED.includes(kind)) {
      throw new InputError(`${source}: "${name}" is a link or device, expected files only`);
    }
    at = at + BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function checkName(name: string, source: string): void {
  const parts = name.split(/[\\/]/);
  if (name !== "" && !name.startsWith("/") && !/^[A-Za-z]:/.test(name) && !parts.includes("..")) return;
  throw new InputError(`${source}: the entry ${JSON.stringify(name)} would lead out of its folder`);
}

function text(header: Uint8Array, from: number, length: number): string {
  const field = header.subarray(from, from + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** An octal number; NaN where there is none. */
function octal(header: Uint8Array, from: number, length: number): number {
  const digits = text(header, from, length).trim();
  return /^[0-7]+$/.test(digits) ? parseInt(digits, 8) : NaN;
}

/** Sum of the header's bytes, with the sum itself counted as spaces. */
function checksum(header: Uint8Array): number {
  return header.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 32 : byte), 0);
}
