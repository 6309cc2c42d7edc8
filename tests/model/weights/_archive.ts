/** An archive in memory. */
import type { Archive, ArchiveEntry } from "../../../model/weights/archive.ts";

/** An archive of these files. */
export function archiveOf(files: Readonly<Record<string, Uint8Array>>): Archive {
  const entries = new Map<string, ArchiveEntry>();
  for (const [name, bytes] of Object.entries(files)) {
    entries.set(name, {
      name,
      size: bytes.length,
      read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
    });
  }
  return { source: "weights.pt", entries };
}

/** Little-endian bytes of float32 numbers. */
export function floats(...numbers: number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(numbers).buffer);
}

/** Bytes of a text in Latin-1. */
export function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
