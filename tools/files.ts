import { gunzipSync } from "node:zlib";
import { InputError } from "./errors.ts";

/** Largest size a compressed file may unpack to: more is taken for an attempt to fill the memory. */
const MAX_UNPACKED_BYTES = 1 << 30;

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
 * @param maxBytes Largest unpacked size. @default 1 GiB
 * @throws {InputError} If the file cannot be read, is truncated or damaged, or unpacks to more than `maxBytes`.
 */
export async function readFileMaybeGzip(path: string, maxBytes: number = MAX_UNPACKED_BYTES): Promise<Uint8Array> {
  const bytes = await readFileBytes(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) {
    if (path.endsWith(".gz") && bytes.length > 0) {
      throw new InputError(
        `Cannot unpack ${path}: its name ends in .gz but it does not begin with the gzip mark 1f 8b`,
      );
    }
    return bytes;
  }
  try {
    const unpacked = gunzipSync(bytes, { maxOutputLength: maxBytes });
    return new Uint8Array(unpacked.buffer, unpacked.byteOffset, unpacked.byteLength);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ERR_BUFFER_TOO_LARGE") {
      throw new InputError(
        `Cannot unpack ${path}: it unpacks to more than ${maxBytes} bytes, the most that is accepted`,
      );
    }
    const found = code === "Z_BUF_ERROR"
      ? "the file ends too early: it is truncated"
      : "the compressed data are damaged";
    throw new InputError(`Cannot unpack ${path}: ${found} (${error instanceof Error ? error.message : error})`);
  }
}

/**
 * Writes a file so that a reader sees the old content or the new, never a part: a temporary file beside it, then a rename.
 *
 * @throws {InputError} If the folder cannot be written or the disk is full; the old file stays as it was.
 */
export async function writeFileAtomic(path: string, data: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${Deno.pid}.tmp`;
  try {
    const file = await Deno.open(temporary, { write: true, create: true, truncate: true });
    try {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at, at + (1 << 24)));
      await file.sync();
    } finally {
      file.close();
    }
    await Deno.rename(temporary, path);
  } catch (error) {
    await Deno.remove(temporary).catch(() => {});
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

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file or folder";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder, expected a file";
  if (error instanceof Error && /os error 28|No space left/i.test(error.message)) return "the disk is full";
  return error instanceof Error ? error.message.replace(/\s*\(os error \d+\).*$/, "") : String(error);
}
