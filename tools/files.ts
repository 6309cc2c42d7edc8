/** Reads and writes files, whole or not at all. */
import { join } from "node:path";
import { pipeline, Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
import { crc32 } from "../model/weights/_crc32.ts";
import { InputError } from "./errors.ts";

/** Largest size a compressed file may unpack to: more is taken for an attempt to fill the memory. */
const MAX_UNPACKED_BYTES = 2 ** 29;

/** V8 has no longer strings. */
const MAX_TEXT_BYTES = 2 ** 29 - 24;

/**
 * Reads a whole file.
 *
 * @throws {InputError} If the file is missing, is a folder or cannot be read.
 */
export async function readFileBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    throw new InputError(`Cannot read ${path}: ${reason(error)}`);
  }
}

/**
 * Reads a whole file and unpacks it if its content (not its name) is gzip, of one member or several.
 *
 * The runtime's own zlib is used because it checks lengths and checksums, so that a truncated file is never half read.
 *
 * @param maxBytes Largest unpacked size. @default 512 MiB
 * @throws {InputError} If the file cannot be read, is truncated or damaged, or unpacks to more than `maxBytes`.
 */
export async function readFileMaybeGzip(path: string, maxBytes: number = MAX_UNPACKED_BYTES): Promise<Uint8Array> {
  return unpackMaybeGzip(await readFileBytes(path), path, maxBytes);
}

/**
 * Unpacks the bytes of a file if they are gzip; see {@linkcode readFileMaybeGzip}.
 *
 * @param path Name of the file, for messages.
 * @throws {InputError} If they are truncated or damaged, or unpack to more than `maxBytes`.
 */
export function unpackMaybeGzip(bytes: Uint8Array, path: string, maxBytes: number = MAX_UNPACKED_BYTES): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) {
    if (path.endsWith(".gz") && bytes.length > 0) throw notGzip(path);
    return bytes;
  }
  try {
    const unpacked = gunzipSync(bytes, { maxOutputLength: maxBytes });
    return new Uint8Array(unpacked.buffer, unpacked.byteOffset, unpacked.byteLength);
  } catch (error) {
    if (codeOf(error) === "ERR_BUFFER_TOO_LARGE") throw tooLarge(path, maxBytes);
    throw damaged(path, error);
  }
}

/**
 * The text that bytes in UTF-8 say.
 *
 * @param path Name of the file, for messages.
 * @throws {InputError} If it is longer than the longest text that JavaScript has, half a gigabyte.
 */
export function decodeText(bytes: Uint8Array, path: string): string {
  if (bytes.length <= MAX_TEXT_BYTES) return new TextDecoder().decode(bytes);
  throw new InputError(`${path} has ${bytes.length} bytes of text, the most that is accepted is ${MAX_TEXT_BYTES}`);
}

/**
 * Reads a file piece by piece, unpacking it as {@linkcode readFileMaybeGzip} does, so that the memory needed does not
 * grow with the file.
 *
 * @param maxBytes Largest unpacked size of a packed file. @default 512 MiB
 * @throws {InputError} As {@linkcode readFileMaybeGzip} does; pieces before the fault have been given by then.
 */
export async function* readPiecesMaybeGzip(
  path: string,
  maxBytes: number = MAX_UNPACKED_BYTES,
): AsyncGenerator<Uint8Array> {
  const pieces = await openPieces(path);
  const first = await nextPiece(pieces, path);
  const isPacked = first?.[0] === 0x1f && first[1] === 0x8b;
  if (first && !isPacked && path.endsWith(".gz")) throw notGzip(path);
  const all = async function* (): AsyncGenerator<Uint8Array> {
    for (let piece = first; piece; piece = await nextPiece(pieces, path)) yield piece;
  };
  try {
    if (!isPacked) return yield* all();
    const unpacker = createGunzip();
    pipeline(Readable.from(all()), unpacker, () => {}); // errors arrive by the loop
    let size = 0;
    try {
      for await (const piece of unpacker) {
        size += piece.length;
        if (size > maxBytes) throw tooLarge(path, maxBytes);
        yield piece;
      }
    } catch (error) {
      throw error instanceof InputError ? error : damaged(path, error);
    }
  } finally {
    await pieces.return?.();
  }
}

/** Bytes that are there already, piece by piece. */
export async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += PIECE) yield await Promise.resolve(bytes.subarray(at, at + PIECE));
}

const PIECE = 1 << 16;

/** Longest name of a file without its ending: file systems allow 255 bytes. */
const MAX_NAME = 200;

/** Names that Windows keeps for devices, whatever their ending. */
const DEVICES = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/i;

/**
 * A name, of a target or a row say, as that of a file without folder: what not all systems allow becomes `_`, and it leads
 * nowhere else. A name that is too long is cut and ends in a checksum of the whole.
 */
export function fileName(name: string): string {
  const safe = safeName(name);
  return safe.length > MAX_NAME ? checksummedName(name) : safe;
}

/**
 * Names of files as {@linkcode fileName} makes them, that differ where the names do, also on file systems to which capitals
 * are small letters: of `AB`, `ab` and `c` the first two get a checksum.
 *
 * @param taken Names in small letters that others have.
 * @throws {InputError} If two are the same all the same, as `ab`, `AB` and `AB-0cd16f0a` can be.
 */
export function fileNames(names: readonly string[], taken: ReadonlySet<string> = new Set()): string[] {
  const alike = Map.groupBy(new Set(names), (name) => fileName(name).toLowerCase());
  const owners = new Map<string, string>(Array.from(taken, (name) => [name, "another"]));
  return names.map((name) => {
    const plain = fileName(name);
    const isAlone = alike.get(plain.toLowerCase())?.length === 1 && !taken.has(plain.toLowerCase());
    const own = isAlone ? plain : checksummedName(name);
    const owner = owners.get(own.toLowerCase()) ?? name;
    if (owner !== name) throw new InputError(`The files of "${name}" and "${owner}" would have the same name, ${own}`);
    owners.set(own.toLowerCase(), name);
    return own;
  });
}

/** A name as that of a file, with a checksum of the name as it is. */
export function checksummedName(name: string): string {
  const checksum = crc32(new TextEncoder().encode(name)).toString(16).padStart(8, "0");
  return `${safeName(name).slice(0, MAX_NAME - 9)}-${checksum}`;
}

function safeName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_.-]/g, "_").replace(/^[.-]+|\.+$/g, (found) => "_".repeat(found.length)) ||
    "_";
  return DEVICES.test(plain) ? `_${plain}` : plain;
}

/** What a file is called until it is whole. */
const TEMPORARY = /^(.+)\.[0-9a-f]{8}\.tmp$/;

/** The file that one which was left when writing was broken off should have become; `undefined` if it is none such. */
export function leftoverOf(name: string): string | undefined {
  return TEMPORARY.exec(name)?.[1];
}

/** Removes what writing files of these names left in a folder when it was broken off. */
export async function removeLeftovers(folder: string, names: Iterable<string>): Promise<void> {
  const own = new Set(names);
  for await (const { name } of Deno.readDir(folder)) {
    if (own.has(leftoverOf(name) ?? "")) await Deno.remove(join(folder, name));
  }
}

/**
 * Writes a file so that a reader sees the old content or the new, never a part: a temporary file beside it, then a rename.
 *
 * @throws {InputError} If the folder cannot be written or the disk is full; the old file stays as it was.
 */
export async function writeFileAtomic(path: string, data: Uint8Array | string): Promise<void> {
  const temporary = await stage(path, (file) => writeAll(file, data));
  await replace(temporary, path, "Nothing was changed");
}

/**
 * {@linkcode writeFileAtomic} for what is made piece by piece.
 *
 * @param write Writes all of it and closes the stream.
 * @throws {InputError} If the folder cannot be written or the disk is full. What `write` itself throws comes through; the
 * old file stays as it was either way.
 */
export async function writeStreamAtomic(
  path: string,
  write: (stream: WritableStream<Uint8Array>) => Promise<void>,
): Promise<void> {
  const temporary = await stage(path, (file) => write(new WritableStream({ write: (bytes) => writeAll(file, bytes) })));
  await replace(temporary, path, "Nothing was changed");
}

/**
 * Writes several files into a folder: first all under temporary names beside their places, then each is renamed. A full
 * disk therefore leaves none of them. The renames are one after the other: who is killed between two of them leaves some
 * files new and some as they were, each of them whole.
 *
 * @param folder Made if need be, and taken away again if nothing could be written.
 * @param files Contents by name.
 * @returns Paths of the files.
 * @throws {TypeError} If a name is empty or leads into another folder, or two are the same but for capitals.
 * @throws {InputError} If the folder cannot be written or the disk is full, or a file cannot be replaced; the message says
 * what was changed.
 */
export async function writeTogether(
  folder: string,
  files: ReadonlyMap<string, Uint8Array | string>,
): Promise<string[]> {
  checkNames([...files.keys()]);
  const existed = await Deno.stat(folder).then(() => true, () => false);
  await makeFolder(folder);
  const staged: { name: string; temporary: string }[] = [];
  const done: string[] = [];
  try {
    for (const [name, data] of files) {
      staged.push({
        name,
        temporary: await stage(join(folder, name), (file) => writeAll(file, data)),
      });
    }
    for (const { name, temporary } of staged) {
      const others = [...files.keys()].slice(done.length).join(", ");
      const state = done.length === 0 ? "Nothing was changed" : `${done.join(", ")} were written, ${others} were not`;
      await replace(temporary, join(folder, name), state);
      done.push(name);
    }
  } catch (error) {
    for (const { temporary } of staged) await Deno.remove(temporary).catch(() => {});
    if (!existed) await Deno.remove(folder).catch(() => {});
    throw error;
  }
  return done.map((name) => join(folder, name));
}

function checkNames(names: readonly string[]): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (/[/\\\0]/.test(name) || /^\.{0,2}$/.test(name)) {
      throw new TypeError(`Cannot write a file named ${JSON.stringify(name)}: expected a name without folder`);
    }
    if (seen.has(name.toLowerCase())) {
      throw new TypeError(`Cannot write two files named ${JSON.stringify(name)}: not all systems tell capitals apart`);
    }
    seen.add(name.toLowerCase());
  }
}

async function writeAll(file: Deno.FsFile, data: Uint8Array | string): Promise<void> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at, at + (1 << 24)));
}

/** Writes a temporary file beside a path; nobody else's has its name. */
async function stage(path: string, write: (file: Deno.FsFile) => Promise<void>): Promise<string> {
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    const file = await Deno.open(temporary, { write: true, createNew: true });
    try {
      await write(file);
      await file.sync();
    } finally {
      file.close();
    }
    return temporary;
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    if (error instanceof InputError || error instanceof TypeError || error instanceof SyntaxError) throw error;
    throw new InputError(`Cannot write ${path}: ${reason(error)}. Nothing was changed.`);
  }
}

async function replace(temporary: string, path: string, state: string): Promise<void> {
  try {
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    throw new InputError(`Cannot write ${path}: ${reason(error)}. ${state}.`);
  }
}

/**
 * Makes a folder and its parents.
 *
 * @throws {InputError} If a file is in the way or the place cannot be written.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (error) {
    throw new InputError(`Cannot create the folder ${path}: ${reason(error)}`);
  }
}

/**
 * Makes a folder and its parents, and sees that files can be written in it: before long work, not after it.
 *
 * @throws {InputError} If a file is in the way or the place cannot be written.
 */
export async function makeWritableFolder(path: string): Promise<void> {
  await makeFolder(path);
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: path, prefix: "writable.", suffix: ".tmp" }));
  } catch (error) {
    throw new InputError(`Cannot write in the folder ${path}: ${reason(error)}`);
  }
}

async function openPieces(path: string): Promise<AsyncIterator<Uint8Array>> {
  try {
    const file = await Deno.open(path);
    return file.readable[Symbol.asyncIterator]();
  } catch (error) {
    throw new InputError(`Cannot read ${path}: ${reason(error)}`);
  }
}

async function nextPiece(pieces: AsyncIterator<Uint8Array>, path: string): Promise<Uint8Array | undefined> {
  try {
    const { done, value } = await pieces.next();
    return done ? undefined : value;
  } catch (error) {
    throw new InputError(`Cannot read ${path}: ${reason(error)}`);
  }
}

function notGzip(path: string): InputError {
  return new InputError(`Cannot unpack ${path}: its name ends in .gz but it does not begin with the gzip mark 1f 8b`);
}

function tooLarge(path: string, maxBytes: number): InputError {
  return new InputError(`Cannot unpack ${path}: it unpacks to more than ${maxBytes} bytes, the most that is accepted`);
}

function damaged(path: string, error: unknown): InputError {
  const found = codeOf(error) === "Z_BUF_ERROR"
    ? "the file ends too early: it is truncated"
    : "the compressed data are damaged";
  return new InputError(`Cannot unpack ${path}: ${found} (${error instanceof Error ? error.message : error})`);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file or folder";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder, expected a file";
  if (error instanceof Error && /os error 28|No space left/i.test(error.message)) return "the disk is full";
  return error instanceof Error ? error.message.replace(/\s*\(os error \d+\).*$/, "") : String(error);
}
