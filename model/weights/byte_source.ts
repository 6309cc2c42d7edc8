/**
 * Bytes read by ranges, so that a file larger than what the memory should hold is never read whole: bytes at hand, a
 * `Blob` or `File` of a browser, an HTTP server, or a file that a tool has opened.
 */

/** Something that bytes can be read from, in any order. */
export interface ByteSource {
  /** Name for messages. */
  readonly name: string;
  /** Number of bytes. */
  readonly size: number;
  /**
   * Bytes from `offset` on; fewer than `length` only at the end.
   *
   * @throws {Error} If they cannot be read.
   */
  read(offset: number, length: number): Promise<Uint8Array>;
  /**
   * The same into memory that is there, as far as it goes.
   *
   * @returns How many bytes were read; fewer than the target holds only at the end.
   * @throws {Error} If they cannot be read.
   */
  readInto?(offset: number, target: Uint8Array): Promise<number>;
}

/** Bytes that are in memory already. */
export function bytesSource(bytes: Uint8Array, name: string): ByteSource {
  return {
    name,
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.subarray(offset, offset + length)),
  };
}

/** A `Blob`, such as a `File` that a page was given. */
export function blobSource(blob: Blob, name: string = blob instanceof File ? blob.name : "blob"): ByteSource {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    },
  };
}

/**
 * A file on an HTTP server that answers ranges.
 *
 * @param options.signal Aborts requests under way.
 * @throws {Error} If the server cannot be reached, has no such file, or gives no ranges.
 */
export async function httpSource(
  url: string | URL,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ByteSource> {
  const name = String(url);
  const request = async (from: number, to: number) => {
    const response = await fetch(url, { headers: { range: `bytes=${from}-${to - 1}` }, signal: options.signal });
    if (response.status !== 206) {
      await response.body?.cancel();
      throw new Error(
        `Cannot read ${name} by ranges: the server answers ${response.status}, expected 206 Partial Content`,
      );
    }
    return response;
  };
  const first = await request(0, 1);
  const range = first.headers.get("content-range") ?? "";
  await first.body?.cancel();
  const size = Number(/^bytes \d+-\d+\/(\d+)$/.exec(range)?.[1] ?? NaN);
  if (!Number.isSafeInteger(size)) {
    throw new Error(`Cannot read ${name} by ranges: the server does not say how long it is (Content-Range "${range}")`);
  }
  return {
    name,
    size,
    async read(offset, length) {
      const end = Math.min(size, offset + length);
      if (end <= offset) return new Uint8Array();
      const bytes = new Uint8Array(await (await request(offset, end)).arrayBuffer());
      if (bytes.length !== end - offset) {
        throw new Error(`Cannot read ${name}: asked for ${end - offset} bytes at ${offset}, got ${bytes.length}`);
      }
      return bytes;
    },
  };
}

/**
 * The same source, where reads that follow each other become few large ones. One piece is kept; reads here and there pass
 * as they are.
 *
 * @param pieceBytes Size of a piece. @default 2 MiB
 */
export function bufferedSource(source: ByteSource, pieceBytes: number = 2 ** 21): ByteSource {
  let piece: Uint8Array = new Uint8Array(), from = 0, last = 0;
  // The memory of a piece serves for the next one, else a file's worth of pieces would wait for the collector: what is read is
  // a copy, and reads take turns.
  const memory = source.readInto && new Uint8Array(Math.min(pieceBytes, source.size));
  let turn: Promise<unknown> = Promise.resolve();
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const end = Math.min(source.size, offset + length);
    const follows = offset >= last && offset - last <= NEAR;
    last = end;
    if (offset >= from && end <= from + piece.length) return piece.slice(offset - from, end - from);
    if (!follows || end - offset >= pieceBytes) return await source.read(offset, end - offset);
    piece = piece.subarray(0, 0); // so that none is half filled if reading fails
    piece = memory
      ? memory.subarray(0, await source.readInto!(offset, memory))
      : await source.read(offset, Math.min(pieceBytes, source.size - offset));
    from = offset;
    return piece.slice(0, end - offset);
  };
  return {
    name: source.name,
    size: source.size,
    read(offset, length) {
      const own = turn.then(() => read(offset, length));
      turn = own.catch(() => {});
      return own;
    },
  };
}

/** Reads this near behind each other are taken to go on: what lies between is the head of the next file, or padding. */
const NEAR = 4096;

/**
 * Exactly these bytes.
 *
 * @throws {SyntaxError} If the source ends before.
 */
export async function readExactly(
  source: ByteSource,
  offset: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  const bytes = await source.read(offset, length);
  if (bytes.length === length) return bytes;
  throw new SyntaxError(
    `Cannot read ${source.name}: ${what} takes bytes ${offset} to ${
      offset + length
    }, but it has ${source.size}: cut short`,
  );
}
