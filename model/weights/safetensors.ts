/**
 * The safetensors format in and out: a JSON header of names, types, shapes and byte ranges, then the numbers.
 *
 * Every number of a header is checked before it is used, because a checkpoint that was cut short or damaged must be
 * refused, never half read.
 *
 * Source: the safetensors format, version 0.4 (huggingface/safetensors, README "Format").
 */

import { fromBfloat16 } from "../../core/bfloat16.ts";
import { crc32 } from "./_crc32.ts";
import { type ByteSource, readExactly } from "./byte_source.ts";
import { countOf, type WeightEntry, type WeightFile } from "./weight_file.ts";

/** The numbers of an array; F16 and BF16 are kept as their 16-bit patterns, BOOL as bytes 0 and 1. */
export type NamedData =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;

/** Name of a number type, as the format spells it. */
export type NamedDtype = "F64" | "F32" | "F16" | "BF16" | "I64" | "I32" | "I16" | "I8" | "U32" | "U16" | "U8" | "BOOL";

const DTYPES = {
  F64: { bytes: 8, array: Float64Array },
  F32: { bytes: 4, array: Float32Array },
  F16: { bytes: 2, array: Uint16Array },
  BF16: { bytes: 2, array: Uint16Array },
  I64: { bytes: 8, array: BigInt64Array },
  I32: { bytes: 4, array: Int32Array },
  I16: { bytes: 2, array: Int16Array },
  I8: { bytes: 1, array: Int8Array },
  U32: { bytes: 4, array: Uint32Array },
  U16: { bytes: 2, array: Uint16Array },
  U8: { bytes: 1, array: Uint8Array },
  BOOL: { bytes: 1, array: Uint8Array },
} as const satisfies Record<NamedDtype, { bytes: number; array: unknown }>;

/** One array of a file, in C order. */
export interface NamedArray {
  /** Number type. */
  readonly dtype: NamedDtype;
  /** Sizes of the axes; none for a single number. */
  readonly shape: readonly number[];
  /** The numbers. */
  readonly data: NamedData;
}

/** What a safetensors file holds. */
export interface SafetensorsFile {
  /** Arrays by name, in the order of the header. */
  readonly tensors: Map<string, NamedArray>;
  /** The free text entries of `__metadata__`. */
  readonly metadata: Record<string, string>;
}

/** Entry of the metadata with the CRC-32 of the header's other entries and the data. */
const CHECKSUM_KEY = "denofold.crc32";

const MAX_HEADER_BYTES = 100_000_000;

/**
 * Reads a safetensors file.
 *
 * @param bytes The whole file; the arrays returned are copies.
 * @param source Name of the file, for messages.
 * @throws {SyntaxError} If the header, a type, a shape or a byte range is not as the format wants it; the message names
 * the file and the tensor.
 */
export function parseSafetensors(bytes: Uint8Array, source: string): SafetensorsFile {
  const fail = failing(source);
  const headerBytes = headerLength(bytes, bytes.length, fail);
  const dataStart = 8 + headerBytes;
  const header = parseHeader(bytes.subarray(8, dataStart), fail);
  checkSum(header, bytes.subarray(dataStart), fail);
  const { entries, metadata } = readHeader(header, bytes.length - dataStart, fail);
  const tensors = new Map<string, NamedArray>();
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, makeArray(dtype, shape, bytes.subarray(dataStart + begin, dataStart + end)));
  }
  return { tensors, metadata };
}

/**
 * Opens a safetensors file without reading its numbers. A checksum that it may have is not looked at: that would take
 * reading all of it.
 *
 * @throws {SyntaxError} As {@linkcode parseSafetensors} does.
 */
export async function openSafetensors(source: ByteSource): Promise<WeightFile> {
  const fail = failing(source.name);
  const headerBytes = headerLength(await source.read(0, 8), source.size, fail);
  const dataStart = 8 + headerBytes;
  const header = parseHeader(await readExactly(source, 8, headerBytes, "its header"), fail);
  const { entries, metadata } = readHeader(header, source.size - dataStart, fail);
  const found = new Map<string, WeightEntry>();
  for (const { name, dtype, shape, begin } of entries) {
    found.set(name, {
      name,
      dtype,
      shape,
      fresh: true,
      async read(rows) {
        const part = partOf(shape, DTYPES[dtype].bytes, rows);
        const what = `tensor "${name}"`;
        return makeArray(
          dtype,
          part.shape,
          await readExactly(source, dataStart + begin + part.begin, part.bytes, what),
        );
      },
    });
  }
  return { source: source.name, format: "safetensors", entries: found, metadata };
}

/** Where some of the first axis's rows stand among the bytes of an array in C order. */
export function partOf(
  shape: readonly number[],
  width: number,
  rows?: { readonly from: number; readonly to: number },
): { shape: readonly number[]; begin: number; bytes: number } {
  const count = countOf(shape);
  if (!rows) return { shape, begin: 0, bytes: count * width };
  const [n, ...rest] = shape;
  const { from, to } = rows;
  if (!(from >= 0 && from <= to && to <= n)) {
    throw new RangeError(`Rows ${from} to ${to} are not among the ${n} of [${shape}]`);
  }
  const row = countOf(rest) * width;
  return { shape: [to - from, ...rest], begin: from * row, bytes: (to - from) * row };
}

/**
 * Writes arrays as a safetensors file, names in the map's order; data begin at a multiple of 8 bytes with the widest types
 * first, so that readers can map every array in place.
 *
 * @param options.checksum Adds a checksum to the metadata (as `denofold.crc32`), by which a damaged file is told when it is read.
 * For files that other programs may change and write again, leave it out. @default false
 * @throws {TypeError} If an array's data do not fit its type and shape, or a name is `__metadata__`.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, NamedArray>,
  metadata: Readonly<Record<string, string>> = {},
  options: { readonly checksum?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const { order, offsets, entries, length } = layOut([...tensors].map(([name, array]) => ({ name, ...array })));
  for (const { name, dtype, shape, data } of order) checkArray(name, { dtype, shape, data });
  const body = new Uint8Array(length);
  for (const { name, data } of order) {
    body.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offsets.get(name));
  }
  const notes = options.checksum ? { ...metadata, [CHECKSUM_KEY]: sumOf(entries, body) } : metadata;
  const head = encodeHeader(entries, notes);
  const out = new Uint8Array(head.length + length);
  out.set(head);
  out.set(body, head.length);
  return out;
}

/**
 * The head of a safetensors file whose numbers are written one array after the other.
 *
 * @returns The head, and the arrays in the order in which their numbers must follow it.
 * @throws {TypeError} If a name is `__metadata__`.
 */
export function safetensorsHeader<E extends { name: string; dtype: NamedDtype; shape: readonly number[] }>(
  arrays: readonly E[],
  metadata: Readonly<Record<string, string>> = {},
): { header: Uint8Array<ArrayBuffer>; order: E[] } {
  const { order, entries } = layOut(arrays);
  return { header: encodeHeader(entries, metadata), order };
}

/** Where arrays stand: the widest types first. */
function layOut<E extends { name: string; dtype: NamedDtype; shape: readonly number[] }>(arrays: readonly E[]): {
  order: E[];
  offsets: Map<string, number>;
  entries: Record<string, unknown>;
  length: number;
} {
  const order = arrays.toSorted((a, b) => bytesPerNumber(b.dtype) - bytesPerNumber(a.dtype));
  const offsets = new Map<string, number>();
  let length = 0;
  for (const { name, dtype, shape } of order) {
    if (name === "__metadata__") {
      throw new TypeError(`Cannot write a tensor named "__metadata__": the format reserves it`);
    }
    offsets.set(name, length);
    length += countOf(shape) * bytesPerNumber(dtype);
  }
  const entries: Record<string, unknown> = {};
  for (const { name, dtype, shape } of arrays) {
    const begin = offsets.get(name)!;
    const entry = { dtype, shape, data_offsets: [begin, begin + countOf(shape) * bytesPerNumber(dtype)] };
    Object.defineProperty(entries, name, { value: entry, enumerable: true });
  }
  return { order, offsets, entries, length };
}

function encodeHeader(
  entries: Record<string, unknown>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const whole = Object.keys(metadata).length > 0 ? { __metadata__: metadata, ...entries } : entries;
  const text = new TextEncoder().encode(JSON.stringify(whole));
  const headerLength = Math.ceil(text.length / 8) * 8;
  const out = new Uint8Array(8 + headerLength);
  new DataView(out.buffer).setBigUint64(0, BigInt(headerLength), true);
  out.fill(0x20, 8);
  out.set(text, 8);
  return out;
}

/**
 * The numbers of an array as float32; what float32 cannot hold is rounded to nearest.
 *
 * @returns The array's own data if it is F32 already, a new array otherwise.
 */
export function toFloat32(array: NamedArray): Float32Array {
  const { data, dtype } = array;
  if (data instanceof Float32Array) return data;
  if (data instanceof BigInt64Array) return Float32Array.from(data, Number);
  if (dtype === "BF16") return fromBfloat16(data);
  if (dtype === "F16") return Float32Array.from(data, halfToNumber);
  return Float32Array.from(data);
}

/** Wraps float32 numbers as an array of the given shape. */
export function float32Array(shape: readonly number[], data: Float32Array): NamedArray {
  const array: NamedArray = { dtype: "F32", shape, data };
  checkArray("array", array);
  return array;
}

/** Width of a number type in bytes. */
export function bytesPerNumber(dtype: NamedDtype): number {
  return DTYPES[dtype].bytes;
}

/**
 * An array of little-endian bytes, whose number must be that of type and shape. Bytes that are a part of others, at any
 * alignment, are copied; those that fill their buffer become the array.
 */
export function makeArray(dtype: NamedDtype, shape: readonly number[], body: Uint8Array): NamedArray {
  const fills = body.buffer instanceof ArrayBuffer && body.byteLength === body.buffer.byteLength;
  return {
    dtype,
    shape,
    data: new DTYPES[dtype].array(fills ? body.buffer as ArrayBuffer : new Uint8Array(body).buffer),
  };
}

type Fail = (found: string) => never;

function failing(source: string): Fail {
  return (found) => {
    throw new SyntaxError(`Cannot read ${source} as safetensors: ${found}`);
  };
}

/** Length of the header, from the first eight bytes. */
function headerLength(bytes: Uint8Array, size: number, fail: Fail): number {
  if (size < 8) return fail(`it has ${size} bytes, expected at least 8 for the length of its header`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES) || length + 8n > BigInt(size)) {
    return fail(`it announces a header of ${length} bytes but has ${size} in all: damaged or cut short`);
  }
  return Number(length);
}

interface HeaderEntry {
  readonly name: string;
  readonly dtype: NamedDtype;
  readonly shape: number[];
  readonly begin: number;
  readonly end: number;
}

/** Entries and texts of a header, every byte range checked. */
function readHeader(
  header: Record<string, unknown>,
  dataLength: number,
  fail: Fail,
): { entries: HeaderEntry[]; metadata: Record<string, string> } {
  const metadata = new Map<string, string>();
  const entries: HeaderEntry[] = [];
  for (const [name, value] of Object.entries(header)) {
    if (name === "__metadata__") {
      if (!isRecord(value)) return fail("__metadata__ is not an object of texts");
      for (const [key, text] of Object.entries(value)) {
        if (typeof text !== "string") return fail(`__metadata__ "${key}" is not a text`);
        metadata.set(key, text);
      }
      continue;
    }
    entries.push({ name, ...readEntry(name, value, dataLength, fail) });
  }
  let end = 0;
  for (const entry of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== end) {
      const what = entry.begin < end ? "overlaps the tensor before it" : "leaves a gap after the tensor before it";
      return fail(`tensor "${entry.name}" begins at byte ${entry.begin} and ${what}, which ends at ${end}`);
    }
    end = entry.end;
  }
  if (end !== dataLength) return fail(`its tensors take ${end} bytes, found ${dataLength}`);
  return { entries, metadata: Object.fromEntries(metadata) };
}

function parseHeader(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return fail("its header is not JSON");
  }
  return isRecord(header) ? header : fail("its header is not a JSON object");
}

function checkSum(header: Record<string, unknown>, data: Uint8Array, fail: Fail): void {
  const { __metadata__: metadata, ...entries } = header;
  const expected = isRecord(metadata) ? metadata[CHECKSUM_KEY] : undefined;
  if (expected === undefined) return;
  const found = sumOf(entries, data);
  if (found !== expected) fail(`its checksum is ${found}, expected ${expected}: the file is damaged`);
}

function sumOf(entries: Record<string, unknown>, data: Uint8Array): string {
  return crc32(data, crc32(new TextEncoder().encode(JSON.stringify(entries)))).toString(16).padStart(8, "0");
}

function readEntry(name: string, value: unknown, dataLength: number, fail: Fail) {
  if (!isRecord(value)) return fail(`tensor "${name}" is not described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !isDtype(dtype)) {
    return fail(`tensor "${name}" has type ${JSON.stringify(dtype)}, expected one of ${Object.keys(DTYPES).join(" ")}`);
  }
  if (!isCounts(shape)) return fail(`tensor "${name}" has shape ${JSON.stringify(shape)}, expected a list of sizes`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    return fail(`tensor "${name}" has data_offsets ${JSON.stringify(offsets)}, expected [begin, end]`);
  }
  const [begin, end] = offsets;
  if (end > dataLength) {
    return fail(`tensor "${name}" ends at byte ${end} but the file has ${dataLength} bytes of data: cut short`);
  }
  const expected = shape.reduce((product, size) => product * size, 1) * DTYPES[dtype].bytes;
  if (expected !== end - begin) {
    return fail(`tensor "${name}" of ${dtype} [${shape}] takes ${expected} bytes, but its range has ${end - begin}`);
  }
  return { dtype, shape, begin, end };
}

function checkArray(name: string, array: NamedArray): void {
  const count = array.shape.reduce((product, size) => product * size, 1);
  if (!(array.data instanceof DTYPES[array.dtype].array) || array.data.length !== count) {
    throw new TypeError(
      `Cannot write tensor "${name}": ${array.dtype} [${array.shape}] needs ${count} numbers in ` +
        `${DTYPES[array.dtype].array.name}, given ${array.data.length} in ${array.data.constructor.name}`,
    );
  }
}

function halfToNumber(bits: number | bigint): number {
  const half = Number(bits);
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDtype(text: string): text is NamedDtype {
  return Object.hasOwn(DTYPES, text);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
