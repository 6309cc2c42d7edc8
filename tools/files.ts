import { pipeline, Readable } from "node:stream";
import { createGunzip, gunzipSync } from "node:zlib";
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

/**
 * Writes a file so that a reader sees the old content or the new, never a part: a temporary file beside it, then a rename.
 *
 * @throws {InputError} If the folder cannot be written or the disk is full; the old file stays as it was.
 */
export async function writeFileAtomic(path: string, data: Uint8Array | string): Promise<void> {
  await writeAtomic(path, async (file) => {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at, at + (1 << 24)));
  });
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
  await writeAtomic(path, async (file) => {
    const stream = new WritableStream<Uint8Array>({
      async write(bytes) {
        for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at, at + (1 << 24)));
      },
    });
    await write(stream);
  });
}

async function writeAtomic(path: string, write: (file: Deno.FsFile) => Promise<void>): Promise<void> {
  const temporary = `${path}.${Deno.pid}.tmp`;
  try {
    const file = await Deno.open(temporary, { write: true, create: true, truncate: true });
    try {
      await write(file);
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
    if (error instanceof InputError || error instanceof TypeError || error instanceof SyntaxError) throw error;
    throw new InputError(`Cannot write ${path}: ${reason(error)}. Nothing was changed.`);
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
