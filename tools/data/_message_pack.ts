/**
 * Checks that the bytes of a MessagePack value are all there, before Mol* decodes it: its decoder trusts every length it
 * finds, so that a damaged one of some billions would keep it busy for minutes.
 *
 * Source: MessagePack specification, "Formats".
 */

const MAX_DEPTH = 64;

/** Bytes of the fixed-size formats 0xc0 to 0xdf after the first; -1 marks those with a length, and what is not in use. */
const FIXED = [
  ...[0, -1, 0, 0, -1, -1, -1, -1, -1, -1, 4, 8, 1, 2, 4, 8],
  ...[1, 2, 4, 8, 2, 3, 5, 9, 17, -1, -1, -1, -1, -1, -1, -1],
];

/** Whether `bytes` begin with one whole value. */
export function isWholeMessagePack(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return endOfValue(view, 0, 0) <= bytes.length;
}

/** Where the value at `at` ends; `Infinity` if it does not end within the bytes, or is not valid. */
function endOfValue(view: DataView, at: number, depth: number): number {
  if (at >= view.byteLength || depth > MAX_DEPTH) return Infinity;
  const type = view.getUint8(at);
  if (type < 0x80 || type >= 0xe0) return at + 1;
  if (type < 0x90) return endOfValues(view, at + 1, 2 * (type & 0x0f), depth);
  if (type < 0xa0) return endOfValues(view, at + 1, type & 0x0f, depth);
  if (type < 0xc0) return within(view, at + 1 + (type & 0x1f));
  const fixed = FIXED[type - 0xc0];
  if (fixed >= 0) return within(view, at + 1 + fixed);
  // Formats of each kind come in the widths 1, 2, 4 (arrays and maps in 2, 4).
  if (type >= 0xc4 && type <= 0xc6) return endOfBytes(view, at + 1, 1 << (type - 0xc4), 0);
  if (type >= 0xc7 && type <= 0xc9) return endOfBytes(view, at + 1, 1 << (type - 0xc7), 1);
  if (type >= 0xd9 && type <= 0xdb) return endOfBytes(view, at + 1, 1 << (type - 0xd9), 0);
  if (type < 0xdc) return Infinity;
  const width = type % 2 === 0 ? 2 : 4;
  const count = lengthAt(view, at + 1, width);
  return endOfValues(view, at + 1 + width, type < 0xde ? count : 2 * count, depth);
}

function endOfValues(view: DataView, at: number, count: number, depth: number): number {
  if (at + count > view.byteLength) return Infinity; // every value takes a byte or more
  for (let i = 0; i < count && at < Infinity; i++) at = endOfValue(view, at, depth + 1);
  return at;
}

function endOfBytes(view: DataView, at: number, width: number, more: number): number {
  return within(view, at + width + more + lengthAt(view, at, width));
}

function lengthAt(view: DataView, at: number, width: number): number {
  if (at + width > view.byteLength) return Infinity;
  return width === 1 ? view.getUint8(at) : width === 2 ? view.getUint16(at) : view.getUint32(at);
}

function within(view: DataView, end: number): number {
  return end <= view.byteLength ? end : Infinity;
}
